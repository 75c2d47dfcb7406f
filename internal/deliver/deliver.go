// Package deliver is a message and its channels. A [Post] says what a run has
// to tell and to whom; an [EmailBuilder] and [BuildSlack] give it the form of
// their channel, with the report's own words in it (see [Template]); a
// [Mailer] and a [SlackPoster] hand it over and say how sure they are that it
// arrived.
//
// The package knows nothing of runs and reports beyond the names in a Post,
// so that a notice about a connection is sent by the same means.
package deliver

import (
	"context"
	"fmt"
	"io"
	"time"
)

// File is one exported artefact as a message may carry it.
type File struct {
	Name        string // with its extension: "Overview.pdf"; see [FileName]
	Format      string // "png", "pdf", "csv", "xlsx", "pptx"
	ContentType string // media type
	Size        int64  // bytes; what Open yields is checked against it
	Width       int    // of a picture, pixels; 0 if not known
	Height      int

	View       string              // name for people; "" for a whole workbook
	Workbook   string              // name for people
	ViewURL    string              // opens the view in Tableau; "" if there is none
	Link       string              // durable public address of the file; "" if there is none
	Filters    map[string][]string // filters that the export was made with
	VerifiedOn string              // name of the view on which Tableau was seen to apply them; "": messages do not name them
	ExportedAt time.Time

	// Open reads the file from its beginning. It may be called more than once;
	// the caller closes what it gets.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Post is one message of one run to one recipient or channel, before its
// channel gives it form. With an empty ReportName it is a notice: its subject
// is its heading, and nothing is said of a report.
type Post struct {
	Key            string // the delivery's key; names the outbox file and the Message-ID
	RunID          string
	ReportID       string
	ReportName     string
	ConnectionName string

	ScheduledFor   time.Time      // zero: the message names no time
	Location       *time.Location // the report's zone; nil is UTC
	StandsFor      int            // scheduled occurrences that this run stands for; more than 1 is said in the message
	PossibleRepeat bool           // sent once before with no clear answer; said in the message
	Test           bool           // said in the message and its subject

	Files  []File
	NoData []File // left out because they have no data; said in the message

	// Templates as the report has them; see [Template].
	Subject string // "" is the report's name and date
	Body    string // of an email; "" is one sentence that names the report
	Text    string // of a Slack message; "" is none

	// Of a notice: what it says, in sections, instead of a Body.
	Sections []Section
	Link     string // https or http; leads to where something can be done; "" if there is none
	LinkText string
	Because  string // a sentence that says why its recipient gets it; "" is a general one

	// Of an email only.
	From               string // address with or without a name; see [address.ParseNamed]
	To, Cc, Bcc        []string
	UnsubscribeURL     string // https; leaves by one POST, as RFC 8058 has it; "" if there is none
	UnsubscribeAddress string // takes a mail that asks to leave; "" if there is none
	MaxBytes           int64  // of the whole message as it is sent, where that is less than the builder's limit; 0: it is not
}

// Section is a part of a notice. Paragraphs of its text have empty lines between
// them, and a line that begins with "- " is an item of a list.
type Section struct {
	Heading string // "" if it has none
	Text    string
	Items   []string // after the text
}

// Mailer hands a finished message to whatever carries it on.
//
// Send returns once the carrier has accepted responsibility: SES has answered
// 200, an SMTP server 250, the outbox file is named. A carrier that accepts some
// of the recipients gets the message for these; the receipt names the others. It
// tries once and never repeats by itself. Every error is a [*SendError] whose Outcome says whether
// sending again is safe. A context that ends before the message was handed
// over gives Deferred, after that Unknown. It calls the envelope's Begin before
// the carrier can act on the message, and only if all before that went well.
// Implementations are safe for concurrent use and do not keep the Envelope after
// they return.
type Mailer interface {
	Send(ctx context.Context, e Envelope) (Receipt, error)
}

// Envelope is a message with what its carrier must know of it.
type Envelope struct {
	Key        string            // the delivery's key, the same at each try
	From       string            // address alone, for the envelope
	Recipients []string          // addresses alone: all of To, Cc and Bcc
	Message    io.WriterTo       // RFC 5322, CRLF; may be written more than once
	Size       int64             // bytes of the message, at most; 0 if not known
	Tags       map[string]string // run and delivery ids, for carriers that report back by them

	// Begin is called once, right before the carrier has what it needs to act on
	// the message. Where it fails, nothing is sent. Nil: nothing is to be done.
	Begin Begin
}

// NotBegun is the code of a message that was not handed over, since Begin failed.
const NotBegun = "not_begun"

// TooLarge is the code of a message that is refused because it is larger than
// its carrier takes: the same with fewer files may be taken.
const TooLarge = "message_too_large"

// Begin notes that a message is about to be handed over: from then on it may
// arrive whatever becomes of this process, and until then it cannot.
type Begin func(context.Context) error

// Do calls it; the error is a [*SendError].
func (b Begin) Do(ctx context.Context) *SendError {
	if b == nil {
		return nil
	}
	if err := b(ctx); err != nil {
		return &SendError{Outcome: Deferred, Code: NotBegun, Message: "The message was not sent yet. It is tried again.", Err: err}
	}
	return nil
}

// Receipt is what a carrier answered on accepting a message.
type Receipt struct {
	ProviderID string // the carrier's own id of the message; "" if it gives none
	Where      string // "outbox/<file>" if the message only lies in the outbox, else ""

	Rejected []Rejection // recipients that the carrier did not accept, while it took the message for the others
}

// Rejection is what a carrier said of one recipient that it did not accept.
type Rejection struct {
	Recipient string
	Outcome   Outcome // Deferred or Refused
	Code      string  // stable and short, as of a [SendError]
	Message   string  // for people; it does not name the recipient
}

// Outcome says what is known of a message whose sending failed.
type Outcome int

// The outcomes of a failed sending.
const (
	// Unknown: the request was written and no definite answer came, so the
	// message may have been sent. It is the zero value, the careful one.
	Unknown Outcome = iota
	// Deferred: definitely not accepted; trying again is safe.
	Deferred
	// Refused: definitely not accepted, and trying the same again is useless.
	Refused
)

// String gives the outcome's name in lower case.
func (o Outcome) String() string {
	switch o {
	case Deferred:
		return "deferred"
	case Refused:
		return "refused"
	default:
		return "unknown"
	}
}

// SendError is the failure of one sending. Neither its text nor its cause
// holds the address of a webhook or a password.
type SendError struct {
	Outcome           Outcome
	Code              string        // stable and short, such as "no_service" or "smtp_550"
	Message           string        // for people: what happened and what to do next
	RetryAfter        time.Duration // how long the carrier asked to wait; 0 if it did not
	BreaksDestination bool          // no message can reach this destination until a person changes it
	Answered          bool          // of Unknown: an error was answered, so that the message most likely was not sent
	Rejected          []Rejection   // what was said of each of several recipients none of whom was accepted
	MaxBytes          int64         // of [TooLarge]: how large a message the carrier takes; 0 if it does not say
	Err               error         // the cause, for the log only; may be nil
}

// Error gives the text for logs.
func (e *SendError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("sending %s (%s): %s", e.Outcome, e.Code, e.Message)
	}
	return fmt.Sprintf("sending %s (%s): %s: %v", e.Outcome, e.Code, e.Message, e.Err)
}

// Unwrap gives the cause.
func (e *SendError) Unwrap() error { return e.Err }
