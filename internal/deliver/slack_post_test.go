package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/secret"
)

func TestCheckSlackURL(t *testing.T) {
	t.Parallel()
	origins := []string{"http://127.0.0.1:9000", "https://Mattermost.example.com:443/", "https://[2001:DB8::1]:8443", "not an origin"}
	tests := []struct {
		name, address string
		ok            bool
	}{
		{"webhook", "https://hooks.slack.com/services/T000/B000/canary-1", true},
		{"with spaces around", " https://hooks.slack.com/services/T000/B000/canary-1\n", true},
		{"with its port", "https://HOOKS.slack.com:443/services/T000/B000/canary-1", true},
		{"government", "https://hooks.slack-gov.com/services/T000/B000/canary-1", true},
		{"workflow", "https://hooks.slack.com/triggers/T000/1/canary-1", true},
		{"allowed origin", "http://127.0.0.1:9000/any/path?and=query", true},
		{"allowed origin in another form", "https://mattermost.example.com/hooks/canary-1", true},
		{"allowed IPv6", "https://[2001:db8::1]:8443/hooks/canary-1", true},

		{"http", "http://hooks.slack.com/services/T000/B000/canary-1", false},
		{"another host", "https://hooks.slack.com.example.com/services/T000/B000/canary-1", false},
		{"another port", "https://hooks.slack.com:8443/services/T000/B000/canary-1", false},
		{"another path", "https://hooks.slack.com/api/chat.postMessage?canary-1", false},
		{"path that climbs", "https://hooks.slack.com/services/../api/canary-1", false},
		{"no path", "https://hooks.slack.com/services/", false},
		{"query", "https://hooks.slack.com/services/T000/B000/x?canary-1", false},
		{"user", "https://canary-1@hooks.slack.com/services/T000/B000/x", false},
		{"user at an allowed origin", "http://u:canary-1@127.0.0.1:9000/x", false},
		{"fragment", "https://hooks.slack.com/services/T000/B000/x#canary-1", false},
		{"other port of an allowed origin", "http://127.0.0.1:9001/canary-1", false},
		{"other scheme of an allowed origin", "https://127.0.0.1:9000/canary-1", false},
		{"empty", "", false},
		{"word", "canary-1", false},
		{"broken", "https://hooks.slack.com/services/%zz/canary-1", false},
		{"other scheme", "ftp://hooks.slack.com/services/canary-1", false},
		{"long", "https://hooks.slack.com/services/canary-1" + strings.Repeat("x", 3000), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := deliver.CheckSlackURL(tt.address, origins)
			if tt.ok {
				if err != nil {
					t.Errorf("CheckSlackURL: %v", err)
				}
				return
			}
			if message := fieldMessage(t, err); strings.Contains(err.Error(), "canary-1") {
				t.Errorf("the message repeats the address: %s", message)
			}
		})
	}
}

// slackServer answers like a webhook and keeps what it was sent.
type slackServer struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
}

func newSlackServer(t *testing.T, answer http.HandlerFunc) *slackServer {
	t.Helper()
	s := &slackServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			t.Errorf("the request is %s of %q: %v", r.Method, r.Header.Get("Content-Type"), err)
		}
		s.mu.Lock()
		s.bodies = append(s.bodies, string(body))
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *slackServer) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.bodies...)
}

func poster(client *http.Client) *deliver.SlackPoster {
	return deliver.NewSlackPoster(client, func() time.Time { return time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) })
}

const canary = "canary-5e3a"

func (s *slackServer) post(t *testing.T, body string) error {
	t.Helper()
	receipt, err := poster(s.Client()).Post(t.Context(), secret.New(s.URL+"/services/T0/B0/"+canary), []byte(body), nil)
	if !cmp.Equal(receipt, deliver.Receipt{}) {
		t.Errorf("the receipt is %+v, want none: Slack gives no ids", receipt)
	}
	return err
}

// failure checks that an error is a SendError that does not show the address.
func failure(t *testing.T, err error) *deliver.SendError {
	t.Helper()
	e, ok := errors.AsType[*deliver.SendError](err)
	if !ok {
		t.Fatalf("the error is %v, want a SendError", err)
	}
	if shown := fmt.Sprintf("%v %+v %#v", err, e, e.Err); strings.Contains(shown, canary) {
		t.Errorf("the error shows the address: %s", shown)
	}
	if e.Message == "" || e.Code == "" {
		t.Errorf("the error has no message or code: %+v", e)
	}
	return e
}

func TestSlackPosterAnswers(t *testing.T) {
	t.Parallel()
	type want = deliver.SendError
	tests := []struct {
		name        string
		status      int
		contentType string
		body        string
		retryAfter  string
		want        *want // nil: sent
	}{
		{"ok", 200, "text/html", "ok", "", nil},
		{"ok with a line break", 200, "", "ok\n", "", nil},
		{"ok as JSON", 200, "application/json", `{"ok":true}`, "", nil},
		{"another word", 200, "text/html", "success", "", &want{Outcome: deliver.Unknown, Code: "success"}},
		{"a page", 200, "text/html", "<html>sign in to this network</html>", "", &want{Outcome: deliver.Unknown, Answered: true, Code: "http_200"}},
		{"nothing", 204, "", "", "", &want{Outcome: deliver.Unknown, Code: "http_204"}},
		{"JSON that is not well", 200, "application/json", `{"ok":false,"error":"no_service"}`, "", &want{Outcome: deliver.Refused, Code: "no_service", BreaksDestination: true}},

		{"too many, seconds", 429, "text/plain", "rate_limited", "30", &want{Outcome: deliver.Deferred, Code: "rate_limited", RetryAfter: 30 * time.Second}},
		{"too many, date", 429, "text/plain", "", "Mon, 23 Nov 2026 09:02:00 GMT", &want{Outcome: deliver.Deferred, Code: "http_429", RetryAfter: 2 * time.Minute}},
		{"too many, past date", 429, "text/plain", "", "Mon, 23 Nov 2026 08:02:00 GMT", &want{Outcome: deliver.Deferred, Code: "http_429"}},
		{"too many, absurd", 429, "text/plain", "", "99999999999", &want{Outcome: deliver.Deferred, Code: "http_429", RetryAfter: 24 * time.Hour}},
		{"too many, no word", 429, "text/plain", "", "soon", &want{Outcome: deliver.Deferred, Code: "http_429"}},

		{"removed", 404, "text/html", "no_service", "", &want{Outcome: deliver.Refused, Code: "no_service", BreaksDestination: true}},
		{"wrong token", 403, "text/html", "invalid_token", "", &want{Outcome: deliver.Refused, Code: "invalid_token", BreaksDestination: true}},
		{"no channel", 404, "text/html", "channel_not_found", "", &want{Outcome: deliver.Refused, Code: "channel_not_found", BreaksDestination: true}},
		{"archived", 410, "text/html", "channel_is_archived", "", &want{Outcome: deliver.Refused, Code: "channel_is_archived", BreaksDestination: true}},
		{"prohibited", 403, "text/html", "action_prohibited", "", &want{Outcome: deliver.Refused, Code: "action_prohibited", BreaksDestination: true}},
		{"no user", 400, "text/html", "user_not_found", "", &want{Outcome: deliver.Refused, Code: "user_not_found", BreaksDestination: true}},
		{"unknown reason of 403", 403, "text/html", "<h1>Forbidden</h1>", "", &want{Outcome: deliver.Refused, Code: "http_403", BreaksDestination: true}},
		{"unknown reason of 404", 404, "text/html", "", "", &want{Outcome: deliver.Refused, Code: "http_404", BreaksDestination: true}},
		{"unknown reason of 410", 410, "text/html", "gone", "", &want{Outcome: deliver.Refused, Code: "gone", BreaksDestination: true}},
		{"redirect for good", 301, "text/html", "", "", &want{Outcome: deliver.Refused, Code: "http_301", BreaksDestination: true}},
		{"redirect for now", 302, "text/html", "", "", &want{Outcome: deliver.Deferred, Code: "http_302"}},

		{"payload", 400, "text/html", "invalid_payload", "", &want{Outcome: deliver.Refused, Code: "invalid_payload"}},
		{"too long", 400, "text/html", "msg_blocks_too_long", "", &want{Outcome: deliver.Refused, Code: "msg_blocks_too_long"}},
		{"code with an explanation", 400, "text/html", "invalid_attachments: none of it", "", &want{Outcome: deliver.Refused, Code: "invalid_attachments"}},
		{"blocks without pictures", 400, "text/html", "invalid_blocks", "", &want{Outcome: deliver.Refused, Code: "invalid_blocks"}},
		{"unknown reason of 400", 400, "text/html", "Oh no!", "", &want{Outcome: deliver.Refused, Code: "http_400"}},

		{"Slack's own fault", 500, "text/html", "rollup_error", "", &want{Outcome: deliver.Deferred, Code: "rollup_error"}},
		{"Slack is away", 503, "text/html", "service_unavailable", "7", &want{Outcome: deliver.Deferred, Code: "service_unavailable", RetryAfter: 7 * time.Second}},
		{"Slack is away, a gateway says", 503, "text/html", "<h1>503</h1>", "", &want{Outcome: deliver.Deferred, Code: "http_503"}},
		{"fault without a word", 500, "text/html", "<h1>500</h1>", "", &want{Outcome: deliver.Unknown, Answered: true, Code: "http_500"}},
		{"gateway", 502, "text/html", "bad_gateway", "", &want{Outcome: deliver.Unknown, Answered: true, Code: "bad_gateway"}},
		{"gateway's time", 504, "text/html", "", "", &want{Outcome: deliver.Unknown, Answered: true, Code: "http_504"}},
		{"request's time", 408, "text/html", "", "", &want{Outcome: deliver.Unknown, Answered: true, Code: "http_408"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSlackServer(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", tt.contentType)
				if tt.retryAfter != "" {
					w.Header().Set("Retry-After", tt.retryAfter)
				}
				w.Header().Set("Location", "/elsewhere/"+canary)
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			err := s.post(t, `{"text":"hello"}`)
			if diff := cmp.Diff([]string{`{"text":"hello"}`}, s.received()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if tt.want == nil {
				if err != nil {
					t.Errorf("Post: %v", err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, failure(t, err), cmpopts.IgnoreFields(deliver.SendError{}, "Message", "Err")); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSlackPosterDropsPictures(t *testing.T) {
	t.Parallel()
	p := morning(t)
	p.Files[0].Link = "https://reports.example.com/f/pic"
	body, err := deliver.BuildSlack(p)
	if err != nil {
		t.Fatalf("BuildSlack: %v", err)
	}
	for _, second := range []string{"ok", "invalid_blocks"} {
		s := newSlackServer(t, func(w http.ResponseWriter, r *http.Request) {})
		s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			s.mu.Lock()
			s.bodies = append(s.bodies, string(body))
			first := len(s.bodies) == 1
			s.mu.Unlock()
			if first || second != "ok" {
				http.Error(w, "invalid_blocks", http.StatusBadRequest)
				return
			}
			_, _ = io.WriteString(w, "ok")
		})
		err := s.post(t, string(body))
		got := s.received()
		if len(got) != 2 || !strings.Contains(got[0], `"type":"image"`) || strings.Contains(got[1], `"type":"image"`) ||
			!strings.Contains(got[1], `"type":"header"`) || !strings.Contains(got[1], "Overview.png") {
			t.Errorf("the requests are %q, want one with and one without pictures", got)
		}
		if second == "ok" && err != nil {
			t.Errorf("Post: %v", err)
		}
		if second != "ok" && failure(t, err).Outcome != deliver.Refused {
			t.Errorf("Post gives %v, want Refused", err)
		}
	}
}

func TestSlackPosterOfWorkflows(t *testing.T) {
	t.Parallel()
	body, err := deliver.BuildSlack(morning(t))
	if err != nil {
		t.Fatalf("BuildSlack: %v", err)
	}
	s := newSlackServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = io.WriteString(w, `{"ok":true}`)
	})
	if _, err := poster(s.Client()).Post(t.Context(), secret.New(s.URL+"/triggers/T0/1/"+canary), body, nil); err != nil {
		t.Errorf("Post: %v", err)
	}
	want := []string{`{"text":"Morning numbers – Monday, 23 November 2026 at 09:00 CET\nOverview: https://tableau.example.com/#/views/Superstore/Overview"}`}
	if diff := cmp.Diff(want, s.received()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	_, err = poster(s.Client()).Post(t.Context(), secret.New(s.URL+"/triggers/T0/1/"+canary), []byte("not JSON"), nil)
	if got := failure(t, err); got.Outcome != deliver.Refused || got.BreaksDestination {
		t.Errorf("Post of a broken body gives %+v, want Refused", got)
	}
}

func TestSlackPosterWithoutAnswer(t *testing.T) {
	t.Parallel()
	hangUp := func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.Close()
		}
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	dropped := httptest.NewServer(http.HandlerFunc(hangUp))
	t.Cleanup(dropped.Close)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(hangUp))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
	secure.StartTLS()
	t.Cleanup(secure.Close)
	half := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "2")
		w.(http.Flusher).Flush()
		hangUp(w, r)
	}))
	t.Cleanup(half.Close)
	refusing := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("the address is not public")
	}}}
	ended, end := context.WithCancel(t.Context())
	end()

	tests := []struct {
		name   string
		ctx    context.Context
		client *http.Client
		url    string
		want   deliver.Outcome
		code   string
	}{
		{"nobody listens", t.Context(), closed.Client(), closed.URL, deliver.Deferred, "unreachable"},
		{"dialler refuses", t.Context(), refusing, "https://hooks.slack.com", deliver.Deferred, "unreachable"},
		{"certificate is not known", t.Context(), &http.Client{Transport: &http.Transport{}}, secure.URL, deliver.Deferred, "unreachable"},
		{"context has ended", ended, dropped.Client(), dropped.URL, deliver.Deferred, "unreachable"},
		{"hangs up after the request", t.Context(), dropped.Client(), dropped.URL, deliver.Unknown, "no_answer"},
		{"hangs up after the request, TLS", t.Context(), secure.Client(), secure.URL, deliver.Unknown, "no_answer"},
		{"hangs up within the answer", t.Context(), half.Client(), half.URL, deliver.Unknown, "http_200"},
		{"no address", t.Context(), closed.Client(), "http://[broken", deliver.Refused, "invalid_address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := poster(tt.client).Post(tt.ctx, secret.New(tt.url+"/services/T0/B0/"+canary), []byte(`{"text":"hello"}`), nil)
			got := failure(t, err)
			if got.Outcome != tt.want || got.Code != tt.code || got.BreaksDestination != (tt.code == "invalid_address") {
				t.Errorf("Post gives %+v (%v), want %v and %s", got, got.Err, tt.want, tt.code)
			}
		})
	}
}

func TestSlackPosterStopsWaiting(t *testing.T) {
	t.Parallel()
	arrived, done := make(chan struct{}), make(chan struct{})
	s := newSlackServer(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-done
	})
	t.Cleanup(func() { close(done) })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, err := poster(s.Client()).Post(ctx, secret.New(s.URL+"/services/T0/B0/"+canary), []byte(`{"text":"hello"}`), nil)
	if got := failure(t, err); got.Outcome != deliver.Unknown || !errors.Is(err, context.Canceled) {
		t.Errorf("Post gives %+v, want Unknown because of %v", got, context.Canceled)
	}
}

func TestSendErrorText(t *testing.T) {
	t.Parallel()
	e := &deliver.SendError{Outcome: deliver.Refused, Code: "smtp_550", Message: "No such mailbox."}
	if got, want := e.Error(), "sending refused (smtp_550): No such mailbox."; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	e = &deliver.SendError{Outcome: deliver.Deferred, Code: "x", Message: "Later.", Err: io.EOF}
	if got, want := e.Error(), "sending deferred (x): Later.: EOF"; got != want || !errors.Is(e, io.EOF) {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if got := (&deliver.SendError{}).Outcome.String(); got != "unknown" {
		t.Errorf("the zero outcome is %q, want unknown", got)
	}
}

func TestParseOrigins(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want []string
		ok   bool
	}{
		{"", nil, true},
		{" , ", nil, true},
		{"https://hooks.example.com", []string{"https://hooks.example.com"}, true},
		{" HTTPS://Hooks.Example.com:443/ ,http://127.0.0.1:9000", []string{"https://hooks.example.com", "http://127.0.0.1:9000"}, true},
		{"https://[::1]:9000", []string{"https://[::1]:9000"}, true},
		{"hooks.example.com", nil, false},
		{"https://hooks.example.com,hooks", nil, false},
		{"https://hooks.example.com/services", nil, false},
		{"https://hooks.example.com?a", nil, false},
		{"https://user@hooks.example.com", nil, false},
		{"ftp://hooks.example.com", nil, false},
		{"https://", nil, false},
	} {
		got, err := deliver.ParseOrigins(test.text)
		if diff := cmp.Diff(test.want, got); diff != "" || (err == nil) != test.ok {
			t.Errorf("%q gives the error %v and (-want +got):\n%s", test.text, err, diff)
		}
	}
}
