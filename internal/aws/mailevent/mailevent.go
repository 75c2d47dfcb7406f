// Package mailevent reads the events that Amazon SES puts on the event bus about
// messages of a configuration set.
package mailevent

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/vizpost/vizpost/internal/run"
)

// The tags by which a message says whose it is.
const (
	runTag      = "run"
	deliveryTag = "delivery"
	noticeTag   = "notice"
)

// detail is what SES says of a message (Amazon SES developer guide, Event data
// that Amazon SES publishes).
type detail struct {
	EventType string `json:"eventType"`
	Mail      struct {
		MessageID string              `json:"messageId"`
		Timestamp time.Time           `json:"timestamp"`
		Tags      map[string][]string `json:"tags"`
	} `json:"mail"`
	Delivery struct {
		Timestamp  time.Time `json:"timestamp"`
		Recipients []string  `json:"recipients"`
	} `json:"delivery"`
	Bounce struct {
		Type       string      `json:"bounceType"`
		SubType    string      `json:"bounceSubType"`
		Recipients []recipient `json:"bouncedRecipients"`
		Timestamp  time.Time   `json:"timestamp"`
	} `json:"bounce"`
	Complaint struct {
		Recipients []recipient `json:"complainedRecipients"`
		Timestamp  time.Time   `json:"timestamp"`
	} `json:"complaint"`
}

type recipient struct {
	Address    string `json:"emailAddress"`
	Diagnostic string `json:"diagnosticCode"`
}

// Errors of [Parse] that say that there is nothing to do.
var (
	// ErrNotOurs is of a message with the tags of neither a run nor a notice.
	ErrNotOurs = errors.New("the message is none of vizpost's")
	// ErrOther is of an event that says nothing about the delivery, such as
	// that a link was clicked.
	ErrOther = errors.New("the event says nothing about a delivery")
)

// Parse reads the detail of an event from the event bus. An error that is
// neither [ErrNotOurs] nor [ErrOther] is of what SES does not send.
func Parse(event json.RawMessage) (run.MailEvent, error) {
	var d detail
	if err := json.Unmarshal(event, &d); err != nil {
		return run.MailEvent{}, fmt.Errorf("reading an event of SES: %w", err)
	}
	if d.EventType == "" || d.Mail.MessageID == "" {
		return run.MailEvent{}, errors.New("reading an event of SES: it names no message or not what happened to it")
	}
	e := run.MailEvent{ProviderID: d.Mail.MessageID, RunID: one(d.Mail.Tags[runTag]), Delivery: one(d.Mail.Tags[deliveryTag]),
		Notice: one(d.Mail.Tags[noticeTag])}
	switch d.EventType {
	case "Send":
		e.Kind, e.At = run.MailSent, d.Mail.Timestamp
	case "Delivery":
		e.Kind, e.At, e.Recipients = run.MailDelivered, d.Delivery.Timestamp, d.Delivery.Recipients
	case "Bounce":
		e.Kind, e.At = run.MailBounced, d.Bounce.Timestamp
		e.Passing = d.Bounce.Type == "Transient"
		e.Recipients = addresses(d.Bounce.Recipients)
		e.Code, e.Message = bounce(d.Bounce.SubType, e.Passing, d.Bounce.Recipients)
	case "Complaint":
		e.Kind, e.At, e.Recipients = run.MailComplained, d.Complaint.Timestamp, addresses(d.Complaint.Recipients)
		e.Code, e.Message = "complained", "The recipient has called the message spam. Take the address out of the report unless they say otherwise."
	case "Reject":
		e.Kind, e.At = run.MailBounced, d.Mail.Timestamp
		e.Code, e.Message = "rejected", "Amazon SES took the message and then did not send it, since it found harmful content in it."
	default:
		return run.MailEvent{}, ErrOther
	}
	if (e.RunID == "" || e.Delivery == "") && e.Notice == "" {
		return run.MailEvent{}, ErrNotOurs
	}
	return e, nil
}

// one gives the value of a tag that has one.
func one(values []string) string {
	if len(values) != 1 {
		return ""
	}
	return values[0]
}

func addresses(recipients []recipient) []string {
	var list []string
	for _, r := range recipients {
		list = append(list, r.Address)
	}
	return list
}

// bounce says why a message came back and what to do.
func bounce(subType string, passing bool, recipients []recipient) (code, message string) {
	switch subType {
	case "Suppressed", "OnAccountSuppressionList":
		return "suppressed", "Amazon SES did not send the message, since the address is on its suppression list: earlier mail came back or was called spam. " +
			"Take the address off the list in the SES console once it works."
	}
	message = "The recipient's mail server sent the message back. Check the address."
	if passing {
		message = "The recipient's mail server did not take the message for many hours. Ask whether the mailbox is full or mail from outside is refused."
	}
	for _, r := range recipients {
		if said := printable(r.Diagnostic); said != "" {
			message += " It said: " + said
			break
		}
	}
	return "bounced", message
}

const maxDiagnostic = 300 // characters

// printable makes one line of what a foreign server said.
func printable(s string) string {
	words := []rune(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " "))
	return string(words[:min(len(words), maxDiagnostic)])
}
