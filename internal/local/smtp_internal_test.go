package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/secret"
)

// pipeServer is a mail server at the end of a pipe, so that its time is the
// bubble's. It reads slowly if it is told to.
type pipeServer struct {
	final string        // its answer at the end of a message
	after time.Duration // before that
	pause time.Duration // before each line of the message
	took  int           // messages that ended with their dot
}

func (s *pipeServer) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	say := func(line string) { _, _ = fmt.Fprintf(conn, "%s\r\n", line) }
	say("220 mail.test ready")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.TrimSpace(line), " "); strings.ToUpper(verb) {
		case "EHLO":
			say("250 mail.test")
		case "DATA":
			say("354 go on")
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				time.Sleep(s.pause)
			}
			s.took++
			time.Sleep(s.after)
			say(s.final)
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

type smtpText10k struct{}

func (smtpText10k) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, "Subject: hello\r\n\r\n"+strings.Repeat("a line of the message\r\n", 500))
	return int64(n), err
}

// TestSMTPWaitsAsLongAsItShould has a server that answers late, one that reads
// slowly, and others that take a message in their own words.
func TestSMTPWaitsAsLongAsItShould(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		server  pipeServer
		begin   error
		took    int
		outcome string // of the failure; "" if it is none
	}{
		"at once":             {server: pipeServer{final: "250 queued"}, took: 1},
		"after 200 s":         {server: pipeServer{final: "250 queued", after: 200 * time.Second}, took: 1},
		"after 599 s":         {server: pipeServer{final: "250 queued", after: 599 * time.Second}, took: 1},
		"never":               {server: pipeServer{final: "250 queued", after: 30 * time.Minute}, took: 1, outcome: "unknown"},
		"read for 4 min":      {server: pipeServer{final: "250 queued", pause: time.Second / 2}, took: 1},
		"251":                 {server: pipeServer{final: "251 will forward"}, took: 1},
		"200":                 {server: pipeServer{final: "200 thank you"}, took: 1},
		"452":                 {server: pipeServer{final: "452 later"}, took: 1, outcome: "deferred"},
		"554":                 {server: pipeServer{final: "554 no"}, took: 1, outcome: "refused"},
		"a claim that failed": {server: pipeServer{final: "250 queued"}, begin: errors.New("another has it"), outcome: "deferred"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, err := NewSMTP(secret.New("smtp://mail.test:25?tls=none"))
				if err != nil {
					t.Fatal(err)
				}
				server, ended := test.server, make(chan struct{})
				s.plain = func(context.Context, string, string) (net.Conn, error) {
					here, there := net.Pipe()
					go func() { defer close(ended); server.serve(there) }()
					return here, nil
				}
				ctx, cancel := context.WithTimeout(t.Context(), SMTPTimeout(12_000))
				defer cancel()
				begun := 0
				_, err = s.Send(ctx, deliver.Envelope{From: "a@example.com", Recipients: []string{"b@example.com"}, Message: smtpText10k{},
					Begin: func(context.Context) error {
						begun++
						if server.took > 0 {
							t.Error("the server has all of the message before it is noted as begun")
						}
						return test.begin
					}})
				<-ended
				outcome := ""
				if failure, ok := errors.AsType[*deliver.SendError](err); ok {
					outcome = failure.Outcome.String()
				} else if err != nil {
					t.Fatalf("got error %v", err)
				}
				if outcome != test.outcome || server.took != test.took || begun != 1 {
					t.Errorf("got %q (%v), %d messages, begun %d times; want %q and %d", outcome, err, server.took, begun, test.outcome, test.took)
				}
			})
		})
	}
}
