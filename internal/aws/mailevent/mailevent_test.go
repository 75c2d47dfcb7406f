package mailevent_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/aws/mailevent"
	"github.com/vizpost/vizpost/internal/run"
)

const tags = `{"ses:configuration-set":["vizpost"],"run":["01K"],"delivery":["01K_mail_ab"]}`

// event makes one of a kind, with what belongs to the kind.
func event(kind, tags, rest string) json.RawMessage {
	if rest != "" {
		rest = "," + rest
	}
	return json.RawMessage(fmt.Sprintf(`{"eventType":%q,"mail":{"timestamp":"2026-11-23T09:00:00.000Z","messageId":"m-1","tags":%s,"headers":[{"name":"To","value":"x"}]}%s}`,
		kind, tags, rest))
}

func TestParse(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	later := at.Add(2 * time.Second)
	base := run.MailEvent{RunID: "01K", Delivery: "01K_mail_ab", ProviderID: "m-1", At: later}
	of := func(change func(*run.MailEvent)) run.MailEvent { e := base; change(&e); return e }
	bounce := func(kind, subtype, diagnostic string) string {
		said, err := json.Marshal(diagnostic)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(`"bounce":{"bounceType":%q,"bounceSubType":%q,"timestamp":"2026-11-23T09:00:02.000Z",
			"bouncedRecipients":[{"emailAddress":"a@example.com","diagnosticCode":%s},{"emailAddress":"b@example.com"}]}`, kind, subtype, said)
	}
	both := []string{"a@example.com", "b@example.com"}
	tests := map[string]struct {
		event   json.RawMessage
		want    run.MailEvent
		message string // part of it
	}{
		"sent": {event("Send", tags, `"send":{}`), of(func(e *run.MailEvent) { e.Kind, e.At = run.MailSent, at }), ""},
		"delivered": {event("Delivery", tags, `"delivery":{"timestamp":"2026-11-23T09:00:02.000Z","recipients":["a@example.com"],"smtpResponse":"250 ok"}`),
			of(func(e *run.MailEvent) { e.Kind, e.Recipients = run.MailDelivered, both[:1] }), ""},
		"bounced": {event("Bounce", tags, bounce("Permanent", "General", "smtp; 550 5.1.1\r\n\x1bno such user")),
			of(func(e *run.MailEvent) { e.Kind, e.Recipients, e.Code = run.MailBounced, both, "bounced" }), "It said: smtp; 550 5.1.1 no such user"},
		"bounced for now": {event("Bounce", tags, bounce("Transient", "MailboxFull", "")),
			of(func(e *run.MailEvent) {
				e.Kind, e.Recipients, e.Code, e.Passing = run.MailBounced, both, "bounced", true
			}), "mailbox is full"},
		"suppressed": {event("Bounce", tags, bounce("Permanent", "OnAccountSuppressionList", "")),
			of(func(e *run.MailEvent) { e.Kind, e.Recipients, e.Code = run.MailBounced, both, "suppressed" }), "suppression list"},
		"a long story": {event("Bounce", tags, bounce("Permanent", "General", strings.Repeat("é", 10_000))),
			of(func(e *run.MailEvent) { e.Kind, e.Recipients, e.Code = run.MailBounced, both, "bounced" }), "éééé"},
		"complained": {event("Complaint", tags, `"complaint":{"timestamp":"2026-11-23T09:00:02.000Z","complainedRecipients":[{"emailAddress":"a@example.com"}]}`),
			of(func(e *run.MailEvent) { e.Kind, e.Recipients, e.Code = run.MailComplained, both[:1], "complained" }), "spam"},
		"a notice that came back": {event("Bounce", `{"notice":["6e6f"]}`, bounce("Permanent", "General", "")),
			of(func(e *run.MailEvent) {
				e.RunID, e.Delivery, e.Notice, e.Kind, e.Recipients, e.Code = "", "", "6e6f", run.MailBounced, both, "bounced"
			}), "Check the address"},
		"rejected": {event("Reject", tags, `"reject":{"reason":"Bad content"}`),
			of(func(e *run.MailEvent) { e.Kind, e.At, e.Code = run.MailBounced, at, "rejected" }), "harmful"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := mailevent.Parse(test.event)
			if err != nil {
				t.Fatalf("got error %v", err)
			}
			if !strings.Contains(got.Message, test.message) || (test.message == "") != (got.Message == "") || len([]rune(got.Message)) > 500 {
				t.Errorf("got message %q, want %q in it and at most 500 characters", got.Message, test.message)
			}
			got.Message = ""
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the event is not as wanted (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEventsWithNothingToDo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		event json.RawMessage
		want  error
	}{
		"a link was clicked":    {event("Click", tags, ""), mailevent.ErrOther},
		"delayed":               {event("DeliveryDelay", tags, ""), mailevent.ErrOther},
		"a notice":              {event("Send", `{"ses:configuration-set":["vizpost"]}`, ""), mailevent.ErrNotOurs},
		"no tags":               {event("Send", "null", ""), mailevent.ErrNotOurs},
		"a tag with two values": {event("Send", `{"run":["01K","01L"],"delivery":["x"]}`, ""), mailevent.ErrNotOurs},
	} {
		if got, err := mailevent.Parse(test.event); !errors.Is(err, test.want) {
			t.Errorf("%s: got %+v, error %v; want %v", name, got, err, test.want)
		}
	}
}

func TestWhatIsNoEventOfSES(t *testing.T) {
	t.Parallel()
	for _, event := range []string{"", "{", "[]", "{}", `{"eventType":"Send"}`, `{"mail":{"messageId":"m"}}`, `{"eventType":7}`,
		`{"eventType":"Send","mail":{"messageId":"m","timestamp":"yesterday"}}`} {
		got, err := mailevent.Parse(json.RawMessage(event))
		if err == nil || errors.Is(err, mailevent.ErrOther) || errors.Is(err, mailevent.ErrNotOurs) {
			t.Errorf("%s: got %+v, error %v; want one that says what is wrong", event, got, err)
		}
	}
}
