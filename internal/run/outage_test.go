package run_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ses"
	"github.com/jhillyerd/enmime/v2"

	"github.com/vizpost/vizpost/internal/aws/mail"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// outage is how a channel fails: with an answer, or without one after it has
// read the request. In the latter case, and where both is possible, it may have
// taken the message all the same.
type outage struct {
	status  int // 0: no answer
	body    string
	headers map[string]string
	err     error // without an answer; nil: it hangs
	unread  bool  // the request does not get through at all
	takes   bool  // what it fails over arrives all the same
}

// faulty is a service that fails for a while, in the place of the network.
type faulty struct {
	mu      sync.Mutex
	fails   *outage
	until   time.Time
	well    string // what it answers when it is well
	arrived []string
	times   []time.Time
}

func (f *faulty) Do(r *http.Request) (*http.Response, error) { return f.RoundTrip(r) }

func (f *faulty) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	fails := f.fails
	if !time.Now().Before(f.until) {
		fails = nil
	}
	f.mu.Unlock()
	if fails != nil && fails.unread {
		return nil, fails.err
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.times = append(f.times, time.Now())
	if fails == nil || fails.takes {
		f.arrived = append(f.arrived, string(body))
	}
	f.mu.Unlock()
	switch {
	case fails == nil:
		return answer(r, 200, f.well, nil), nil
	case fails.status > 0:
		return answer(r, fails.status, fails.body, fails.headers), nil
	case fails.err != nil:
		return nil, fails.err
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func answer(r *http.Request, status int, body string, headers map[string]string) *http.Response {
	h := http.Header{"Content-Type": {"text/html"}}
	for name, value := range headers {
		h.Set(name, value)
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: h, Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

// ofSES is an error as SES answers it.
func ofSES(status int, code, message string) outage {
	return outage{status: status, headers: map[string]string{"Content-Type": "text/xml"},
		body: fmt.Sprintf(`<ErrorResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><Error><Type>Receiver</Type><Code>%s</Code>`+
			`<Message>%s</Message></Error><RequestId>r</RequestId></ErrorResponse>`, code, message)}
}

const takenBySES = `<SendRawEmailResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><SendRawEmailResult>` +
	`<MessageId>0107-id</MessageId></SendRawEmailResult></SendRawEmailResponse>`

func (o outage) taking() outage { o.takes = true; return o }

// mails gives what SES took for a recipient.
func (f *faulty) mails(t *testing.T, to string) []string {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var texts []string
	for _, form := range f.arrived {
		values, err := url.ParseQuery(form)
		if err != nil {
			t.Fatal(err)
		}
		if values.Get("Destinations.member.1") != to {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(values.Get("RawMessage.Data"))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, textOf(t, string(raw)))
	}
	return texts
}

// errReset is a connection that breaks.
var errReset = errors.New("read: connection reset by peer")

// Whatever SES answers for three quarters of an hour, each mail arrives, none
// twice without saying so, and the report's people hear of it.
func TestAmazonSESFailsForAWhile(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]outage{
		"Throttling":                    ofSES(400, "Throttling", "Maximum sending rate exceeded."),
		"TooManyRequests":               ofSES(429, "TooManyRequestsException", "Rate exceeded"),
		"LimitExceeded":                 ofSES(400, "Throttling", "Daily message quota exceeded."),
		"ServiceUnavailable":            ofSES(503, "ServiceUnavailable", "down"),
		"InternalFailure":               ofSES(500, "InternalFailure", "oops"),
		"InternalFailure, taken":        ofSES(500, "InternalFailure", "oops").taking(),
		"InternalServerError":           ofSES(500, "InternalServerError", ""),
		"AccountSendingPaused":          ofSES(400, "AccountSendingPausedException", "paused"),
		"ConfigurationSetSendingPaused": ofSES(400, "ConfigurationSetSendingPausedException", "paused"),
		"ConfigurationSetDoesNotExist":  ofSES(400, "ConfigurationSetDoesNotExist", "missing"),
		"MailFromDomainNotVerified":     ofSES(400, "MailFromDomainNotVerifiedException", "no MX"),
		"AccessDenied":                  ofSES(403, "AccessDenied", "not authorized"),
		"ExpiredToken":                  ofSES(403, "ExpiredToken", "expired"),
		"RequestExpired":                ofSES(400, "RequestExpired", "expired"),
		"a page 500":                    {status: 500, body: "<html>oops</html>"},
		"a page 502":                    {status: 502, body: "<html>Bad gateway</html>"},
		"a page 502, taken":             outage{status: 502, body: "<html>Bad gateway</html>"}.taking(),
		"a page 503":                    {status: 503, body: "<html>Service unavailable</html>"},
		"a page 504":                    {status: 504, body: "<html>Gateway timeout</html>"},
		"a page 504, taken":             outage{status: 504, body: "<html>Gateway timeout</html>"}.taking(),
		"a page 408":                    {status: 408, body: "<html>Timeout</html>"},
		"a proxy's page":                {status: 403, body: "<html>Blocked</html>"},
		"no id":                         {status: 200, body: "<SendRawEmailResponse></SendRawEmailResponse>"},
		"half an answer":                outage{status: 200, body: "<SendRawEmailResponse><SendRaw"}.taking(),
		"reset":                         {err: errReset},
		"reset, taken":                  outage{err: errReset}.taking(),
		"no connection":                 {err: errors.New("dial tcp: connection refused"), unread: true},
		"silence":                       {},
		"silence, taken":                outage{}.taking(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				s := &faulty{fails: &how, until: time.Now().Add(45 * time.Minute), well: takenBySES}
				client := ses.New(ses.Options{Region: "eu-central-1", HTTPClient: s,
					Credentials: credentials.NewStaticCredentialsProvider("AKID", "not-a-key", ""), BaseEndpoint: aws.String("https://ses.test")})
				w.drain.Mail = &mail.Mailer{Client: client}
				w.makeReport("r", twoPeople, slackToo)
				id := w.start("r")
				w.live(4 * time.Hour)
				w.wantRun(id, run.Delivered, "")
				for _, to := range []string{"ana@example.com", "rui@example.com"} {
					wantOnce(w, to, s.mails(t, to))
				}
				if len(w.slack.arrived) != 1 {
					w.Errorf("got %d messages in Slack, want one", len(w.slack.arrived))
				}
				if told := s.mails(t, owner); len(told) == 0 || !strings.Contains(told[0], "late") {
					w.Errorf("the report's people got %q, want to hear that it is late", told)
				}
				w.wantIdle()
			})
		})
	}
}

// Nor does it matter what Slack answers.
func TestSlackFailsForAWhile(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]outage{
		"rate_limited":            {status: 429, body: "rate_limited"},
		"rate_limited, a day":     {status: 429, body: "rate_limited", headers: map[string]string{"Retry-After": "1200"}},
		"rollup_error":            {status: 500, body: "rollup_error"},
		"internal_error":          {status: 500, body: "internal_error"},
		"a page 500":              {status: 500, body: "<html>oops</html>"},
		"a page 502":              {status: 502, body: "<html>Bad gateway</html>"},
		"a page 502, taken":       outage{status: 502, body: "<html>Bad gateway</html>"}.taking(),
		"service_unavailable":     {status: 503, body: "service_unavailable"},
		"a page 503":              {status: 503, body: "<html>Service unavailable</html>"},
		"a page 504":              {status: 504, body: "<html>Timeout</html>"},
		"a page 504, taken":       outage{status: 504, body: "<html>Timeout</html>"}.taking(),
		"a page 200":              {status: 200, body: "<html>Sign in to this network</html>"},
		"a page 200, taken":       outage{status: 200, body: "<html>Thank you</html>"}.taking(),
		"nothing":                 outage{status: 200}.taking(),
		"408":                     {status: 408, body: "<html>Timeout</html>"},
		"a redirect":              {status: 302, headers: map[string]string{"Location": "https://login.example.com/"}},
		"reset":                   {err: errReset},
		"reset, taken":            outage{err: errReset}.taking(),
		"no connection":           {err: errors.New("dial tcp: connection refused"), unread: true},
		"silence":                 {},
		"silence, taken":          outage{}.taking(),
		"service_unavailable, 5m": {status: 503, body: "service_unavailable", headers: map[string]string{"Retry-After": "300"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				s := &faulty{fails: &how, until: time.Now().Add(45 * time.Minute), well: "ok"}
				w.drain.Slack = deliver.NewSlackPoster(&http.Client{Transport: s}, time.Now)
				w.makeReport("r", slackToo)
				id := w.start("r")
				w.live(4 * time.Hour)
				w.wantRun(id, run.Delivered, "")
				var texts []string
				for _, body := range s.arrived {
					var m any
					w.succeed(json.Unmarshal([]byte(body), &m))
					texts = append(texts, fmt.Sprint(m))
				}
				wantOnce(w, "Slack", texts)
				w.wantMail("ana@example.com", 1)
				if told := w.mail.all(t, owner); len(told) != 1 || !saysLate(told[0]) {
					w.Errorf("the report's people got %d mails, want to hear once that it is late", len(told))
				}
				w.wantIdle()
			})
		})
	}
}

// A channel, or Tableau, that works again minutes before a run's time is over is
// still used, though the pause between two tries is longer than that.
func TestTheLastMinutesOfARun(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]outage{
		"deferred": {status: 429, body: "rate_limited"},
		"answered": {status: 502, body: "<html>Bad gateway</html>"},
		"silence":  {},
	} {
		for _, back := range []time.Duration{3*time.Hour + 40*time.Minute, 3*time.Hour + 53*time.Minute} {
			t.Run(fmt.Sprint(name, back), func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(w *world) {
					s := &faulty{fails: &how, until: time.Now().Add(back), well: "ok"}
					w.drain.Slack = deliver.NewSlackPoster(&http.Client{Transport: s}, time.Now)
					w.makeReport("r", to(), slackToo)
					id := w.start("r")
					w.live(5 * time.Hour)
					w.wantRun(id, run.Delivered, "")
					if len(s.arrived) != 1 {
						w.Errorf("got %d messages, want one", len(s.arrived))
					}
				})
			})
		}
	}
}

// What the carrier never takes and never clearly refuses ends with the run's
// time, as what it is.
func TestAnOutageThatOutlivesTheRun(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		s := &faulty{fails: &outage{status: 502, body: "<html>Bad gateway</html>"}, until: time.Now().AddDate(0, 0, 2), well: "ok"}
		w.drain.Slack = deliver.NewSlackPoster(&http.Client{Transport: s}, time.Now)
		w.makeReport("r", to(), slackToo)
		id := w.start("r")
		w.live(6 * time.Hour)
		w.wantRun(id, run.Failed, "")
		d := w.wantDeliveries(id, run.DeliveryFailed)[0]
		if !d.PossibleRepeat || d.Code != "unsure" || !strings.Contains(d.Message, "may have arrived") {
			w.Errorf("got %+v, want that it may have arrived", d)
		}
		if n := len(s.times); n < 8 {
			w.Errorf("it was tried %d times in four hours, want it as long as the run may", n)
		}
		for i := 2; i < len(s.times)-1; i++ { // the last is shortly before the run ends
			if gap, before := s.times[i].Sub(s.times[i-1]), s.times[i-1].Sub(s.times[i-2]); gap < before-time.Minute {
				w.Errorf("got tries at %v, want them at growing distance", s.times)
			}
		}
	})
}

// A process that dies before the first byte of a message costs it neither time
// nor a mark; one that dies after may have sent it.
func TestDyingAroundTheFirstByte(t *testing.T) {
	t.Parallel()
	for name, begins := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.makeReport("r")
				id := w.start("r")
				s := &failing{store: w.store, forever: true}
				s.left.Store(1 << 40)
				dying := w.drainOver(s)
				dying.Mail = mailerFunc(func(ctx context.Context, e deliver.Envelope) (deliver.Receipt, error) {
					if begins {
						w.succeed(e.Begin(ctx))
					}
					_, deliveries := w.get(id)
					want := run.Waiting
					if begins {
						want = run.Sending
					}
					if d := deliveries[0]; d.State != want {
						w.Errorf("got the delivery %s, want it %s", d.State, want)
					}
					s.left.Store(1) // no write comes through from now on
					return deliver.Receipt{}, &deliver.SendError{Outcome: deliver.Deferred, Code: "x"}
				})
				_ = dying.Site(w.Context(), site)
				begun := time.Now()
				w.live(3 * time.Minute)
				if begins {
					w.wantDeliveries(id, run.Unsure)
					w.live(10 * time.Minute)
				}
				w.wantRun(id, run.Delivered, "")
				d := w.wantDeliveries(id, run.Sent)[0]
				if d.PossibleRepeat != begins || (d.SentAt.Sub(begun) > 3*time.Minute) != begins {
					w.Errorf("got it sent after %v, marked %v", d.SentAt.Sub(begun), d.PossibleRepeat)
				}
			})
		})
	}
}

type mailerFunc func(context.Context, deliver.Envelope) (deliver.Receipt, error)

func (f mailerFunc) Send(ctx context.Context, e deliver.Envelope) (deliver.Receipt, error) {
	return f(ctx, e)
}

// A claim is renewed while its send is under way: nobody takes a message for
// lost that a slow server still reads.
func TestASlowServerGetsOneMessage(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.drain.MailTimeout = func(int64) time.Duration { return 15 * time.Minute }
		sends := 0
		w.drain.Mail = mailerFunc(func(ctx context.Context, e deliver.Envelope) (deliver.Receipt, error) {
			sends++
			if err := e.Begin.Do(ctx); err != nil {
				return deliver.Receipt{}, err
			}
			select {
			case <-time.After(9 * time.Minute):
				return deliver.Receipt{ProviderID: "slow"}, nil
			case <-ctx.Done():
				return deliver.Receipt{}, &deliver.SendError{Outcome: deliver.Unknown, Code: "no_answer", Err: ctx.Err()}
			}
		})
		w.makeReport("r")
		id := w.start("r")
		other := *w.drain // of another process, should it get the site
		go func() {
			for range 9 {
				time.Sleep(time.Minute)
				_, deliveries := w.get(id)
				if len(deliveries) == 1 && deliveries[0].State == run.Sending && !time.Now().Before(deliveries[0].ClaimedUntil) {
					w.Error("the claim ran out while the message was being sent")
				}
				_ = other.Site(w.Context(), site)
			}
		}()
		w.work()
		time.Sleep(time.Minute)
		w.wantRun(id, run.Delivered, "")
		if d := w.wantDeliveries(id, run.Sent)[0]; sends != 1 || d.Attempts != 1 || d.PossibleRepeat {
			w.Errorf("got %d sends, %+v, want one", sends, d)
		}
	})
}

// No send is begun whose own time does not fit into what is left of the
// function's: the next one sends it.
func TestNoSendIsBegunThatCannotEnd(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r", slackToo)
		w.tableau.SetLatency(70 * time.Second)
		id := w.start("r")
		w.bell.take()
		ctx, cancel := context.WithTimeout(w.Context(), 2*time.Minute)
		defer cancel()
		w.succeed(w.drain.Site(ctx, site))
		r := w.wantRun(id, run.Queued, "")
		if len(r.Files) != 1 || r.Attempts != 0 {
			w.Errorf("got %d files and %d attempts, want it exported and not tried", len(r.Files), r.Attempts)
		}
		for _, d := range w.wantDeliveries(id, run.Waiting, run.Waiting) {
			if d.Attempts != 0 {
				w.Errorf("got %+v, want it not begun", d)
			}
		}
		if got := w.bell.take(); len(got) != 1 {
			w.Errorf("got bells for %q, want the site", got)
		}
		w.work()
		w.wantRun(id, run.Delivered, "")
	})
}

// Neither is a notice, nor a message that waits to be tried again.
func TestNothingIsSentThatCannotEnd(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r", twoPeople)
		w.mail.answer = func(to string, n int) (bool, error) {
			switch {
			case to == "ana@example.com":
				return false, refused()
			case to == "rui@example.com" && n == 1:
				return false, deferred(0)
			}
			return true, nil
		}
		first := w.start("r")
		w.work()
		time.Sleep(time.Minute)
		tries := func() int {
			w.mail.mu.Lock()
			defer w.mail.mu.Unlock()
			n := 0
			for _, of := range w.mail.tries {
				n += of
			}
			return n
		}
		before := tries()
		briefly := func() {
			w.Helper()
			ctx, cancel := context.WithTimeout(w.Context(), 50*time.Second)
			defer cancel()
			w.bell.take()
			w.succeed(w.drain.Site(ctx, site))
			if got := w.bell.take(); len(got) != 1 {
				w.Errorf("got bells for %q, want the site", got)
			}
		}
		briefly()
		if got := tries(); got != before {
			w.Errorf("got %d messages begun with less than a minute left", got-before)
		}
		w.mail.answer = func(to string, _ int) (bool, error) {
			if to == "ana@example.com" {
				return false, refused()
			}
			return true, nil
		}
		ctx, cancel := context.WithTimeout(w.Context(), 2*time.Minute)
		defer cancel()
		w.succeed(w.drain.Site(ctx, site)) // the run ends, and its notice is made
		w.wantRun(first, run.PartlyDelivered, "")
		w.wantMail("rui@example.com", 1)
		w.wantMail(owner, 1)
		if text := textOf(w.T, w.mail.arrived[len(w.mail.arrived)-1].raw); strings.Contains(text, mayBeARepeat) {
			w.Errorf("got %q, want a notice without the mark", text)
		}
	})
	inBubble(t, func(w *world) { // a notice alone
		w.makeReport("r")
		w.mail.answer = func(to string, n int) (bool, error) {
			if to == owner && n == 1 {
				return false, deferred(0)
			}
			return true, nil
		}
		w.fault(tableautest.Fault{Kind: tableautest.FaultBlank, Route: "data", Times: -1})
		w.start("r")
		w.work()
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(w.Context(), 50*time.Second)
		defer cancel()
		w.bell.take()
		w.succeed(w.drain.Site(ctx, site))
		w.wantMail(owner, 0)
		if got := w.bell.take(); len(got) != 1 {
			w.Errorf("got bells for %q, want the site", got)
		}
		w.work()
		w.wantMail(owner, 1)
	})
}

// textOf reads a mail.
func textOf(t *testing.T, raw string) string {
	t.Helper()
	e, err := enmime.ReadEnvelope(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(e.Text), " ")
}
