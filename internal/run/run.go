// Package run is about one occurrence of a report: its states, its files and
// its deliveries; the tick that makes runs of what is due, and the drain that
// works them off.
package run

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vizpost/vizpost/internal/address"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/verify"
)

// State is how far a run has come.
type State string

// The states of a run.
const (
	Queued          State = "queued"
	Running         State = "running"
	Held            State = "held" // its connection is broken; released when it works again
	Delivered       State = "delivered"
	PartlyDelivered State = "partly_delivered"
	Failed          State = "failed"
	Skipped         State = "skipped"
)

// Open reports whether a run is still to be worked on.
func (s State) Open() bool { return s == Queued || s == Running || s == Held }

// Trigger says what made a run.
type Trigger string

// The triggers of a run.
const (
	Scheduled Trigger = "schedule"
	Manual    Trigger = "manual"
)

// Run is one occurrence of a report. Content and destinations are a snapshot:
// edits of the report do not move a run that exists.
type Run struct {
	ID  string
	Key string // what the run is the only one of; see [ScheduledKey] and [ManualKey]

	ReportID     string
	ReportName   string
	ConnectionID string
	Site         string // site key of the connection
	ScheduledFor time.Time
	TimeZone     string // of the schedule; UTC for a report without one
	Trigger      Trigger
	StandsFor    int // occurrences that it stands for, itself among them; 1 unless some were missed

	Content      []report.Content
	Destinations []report.Destination
	Notify       []string
	OnlyTo       []string // a test, sent to these alone
	DryRun       bool     // exports and renders, sends nothing

	// PossibleRepeat says that another copy of the installation may have sent
	// the run's messages: it was open in a backup, or was due before the
	// restored copy was resumed.
	PossibleRepeat bool

	State     State         // only the methods of [Run] in state.go set it
	Ending    State         // what it ends as once nothing of it is under way; "" unless it is to end
	Reason    string        // for people: why it is held, waits, was skipped or failed
	NoData    bool          // of a skipped run: all of its content was left out, since it had no data
	NotBefore time.Time     // of a queued run: not to be tried again earlier
	Deadline  time.Time     // when its time is over if vizpost is at work until then
	Begun     time.Duration // [Pulse.Worked] when its time began; 0 until then
	WaitsFor  string        // of a queued run: what kept it, if others may find that it works again; see [drain.worksAgain]
	Attempts  int           // tries that a transient failure ended
	Slow      int           // tries in which an export took all the time that it may take
	CutOff    bool          // a worker's time was over before its exports were: one with time for a whole export begins them
	Resumed   int           // times, since a try came to an end, that a crash left it in hand
	Files     []File

	Rev        int64 // counts all writes; the store's optimistic lock
	CreatedAt  time.Time
	StartedAt  time.Time // zero until a drain took it in hand
	FinishedAt time.Time // zero while it is open
	HeldAt     time.Time // when it was last held; zero when it never was
	ReleasedAt time.Time // when that ended; zero while it is held
}

// File is one exported artefact of a run.
type File struct {
	ID          string
	Export      string // of which [ExportKey] it is the result
	Object      string // its name in [Files]
	Name        string // for people, with extension
	Format      string
	Rows        *int // of data, in a CSV or Excel file; nil if not known
	Escaped     bool // values of a CSV that a spreadsheet would run have an apostrophe before them
	ContentType string
	Size        int64
	SHA256      string
	Width       int // of a picture, in pixels
	Height      int
	View        string // name of the view
	Workbook    string // name of the workbook
	ViewURL     string // opens the view in Tableau
	Filters     map[string][]string
	FilterProof string // of runs before FilterVerdict was there, for people: that Tableau applied the filters

	// FilterVerdict says whether Tableau applied the filters; "" where there are
	// none or nobody asked. FilterEvidence says to people what was seen.
	FilterVerdict  verify.Verdict `json:",omitzero"`
	FilterEvidence string         `json:",omitzero"`
	VerifiedOn     string         `json:",omitzero"` // name of the view on which they were seen to be applied; "" unless they were

	// CheckedRows is how many rows of data the check of exactly these filters
	// saw; nil where it saw none at all, since it compared pictures or was not
	// made. Of a csv or xlsx they are those of the file itself, of a picture
	// those of the view that was checked, when its rows were last read: not zero
	// ones may be a day old.
	CheckedRows *int `json:",omitzero"`
	ExportedAt  time.Time
}

// ScheduledKey is the key of a scheduled occurrence: there is one run of a
// report for each time.
func ScheduledKey(reportID string, scheduledFor time.Time) string {
	return "schedule/" + reportID + "/" + scheduledFor.UTC().Format(time.RFC3339)
}

// MissedKey is the key of a run that stands for occurrences which are not caught
// up on. Should a clock that was ahead have called one missed whose time has yet
// to come, it is run then all the same.
func MissedKey(reportID string, scheduledFor time.Time) string {
	return "missed/" + reportID + "/" + scheduledFor.UTC().Format(time.RFC3339)
}

// ManualKey is the key of a run that was asked for; the same request makes the
// same run.
func ManualKey(reportID, request string) string { return "manual/" + reportID + "/" + request }

// ExportKey names what is exported: content that differs only in its file name
// is exported once in a run.
func ExportKey(c report.Content) string {
	c.FileName, c.ViewName, c.WorkbookName, c.CustomViewName, c.WorkbookPage, c.CheckViewName = "", "", "", "", "", ""
	c.RequireFilterProof = false
	b, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("run: content cannot be encoded: %v", err)) // plain data: a defect
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// LeftOut reports whether a file is left out of the run's messages because it
// has no data, as its content asks.
func (r Run) LeftOut(f File) bool {
	i := slices.IndexFunc(r.Content, func(c report.Content) bool { return ExportKey(c) == f.Export })
	rows := f.Rows
	if rows == nil {
		rows = f.CheckedRows
	}
	return i >= 0 && r.Content[i].IfEmpty == report.SkipEmpty && rows != nil && *rows == 0
}

// Clone gives a copy that shares nothing with the original.
func (r Run) Clone() Run {
	r.Content = report.CloneContent(r.Content)
	r.Destinations = report.CloneDestinations(r.Destinations)
	r.Notify = slices.Clone(r.Notify)
	r.OnlyTo = slices.Clone(r.OnlyTo)
	r.Files = slices.Clone(r.Files)
	for i := range r.Files {
		filters := maps.Clone(r.Files[i].Filters)
		for field, values := range filters {
			filters[field] = slices.Clone(values)
		}
		r.Files[i].Filters = filters
		if rows := r.Files[i].Rows; rows != nil {
			n := *rows
			r.Files[i].Rows = &n
		}
		if n := r.Files[i].CheckedRows; n != nil {
			rows := *n
			r.Files[i].CheckedRows = &rows
		}
	}
	return r
}

// DeliveryState is how far a delivery has come. States move only forward.
type DeliveryState string

// The states of a delivery.
const (
	Waiting        DeliveryState = "waiting"
	Sending        DeliveryState = "sending"   // claimed; the send may be under way
	Sent           DeliveryState = "sent"      // the channel accepted it
	Confirmed      DeliveryState = "confirmed" // the channel says that it arrived
	Bounced        DeliveryState = "bounced"   // it was sent back
	DeliveryFailed DeliveryState = "failed"
	Unsure         DeliveryState = "unsure"    // it may have been sent; nobody answered
	Withdrawn      DeliveryState = "withdrawn" // of a notice: its reason is gone, or others are told
)

// Settled reports whether nothing more is to be sent.
func (s DeliveryState) Settled() bool {
	return s == Sent || s == Confirmed || s == Bounced || s == DeliveryFailed || s == Withdrawn
}

// Arrived reports whether the channel has the message, as far as is known.
func (s DeliveryState) Arrived() bool { return s == Sent || s == Confirmed }

// Taken reports whether the channel took the message, also one that came back
// later.
func (s DeliveryState) Taken() bool { return s.Arrived() || s == Bounced }

// Delivery is one message of one run to one recipient or channel, or a notice
// that belongs to no run.
type Delivery struct {
	Key           string // see [DeliveryKey] and [NoticeKey]; also names the message itself
	RunID         string // "" for a notice
	Site          string // site key of the work that sends it
	DestinationID string // id of the destination in the run's snapshot
	Type          string // report.Email or report.Slack
	To, Cc, Bcc   []string
	Notice        *Notice // what to send, for a notice

	State          DeliveryState // only the methods of [Delivery] in state.go set it
	Attempts       int           // sends that were tried
	Unanswered     int           // sends, ever, that nobody answered for; each may have arrived
	NotBefore      time.Time     // not to be tried again earlier
	ClaimedUntil   time.Time     // of a delivery in Sending
	PossibleRepeat bool          // an earlier send may have arrived
	ProviderID     string        // the channel's own id of the message
	Where          string        // the outbox file, where mail goes to the outbox
	Code           string        // of the last failure, stable
	Message        string        // of the last failure, for people
	BouncedFrom    []string      // recipients that it came back from, or that were refused
	Has            []string      // recipients that have it, of one that others are still to get
	Rejections     []Rejection   // what was said of each recipient that was not accepted
	LeftOut        []string      // names of the files that were too large to go with it

	Rev       int64 // counts all writes; the store's optimistic lock
	CreatedAt time.Time
	SentAt    time.Time
}

// Rejection is what a channel said of one recipient that it did not accept while
// it took the message for others.
type Rejection struct {
	To      string
	Code    string // stable
	Message string // for people
}

// Notice is a message to the people behind a connection or report. It is tried
// until it is delivered or its reason is gone.
type Notice struct {
	Subject string
	Text    string // what happened; paragraphs with empty lines between them
	ToDo    string // what to do, in the same form; a line that begins with "- " is an item of a list

	Kind          NoticeKind // "" of notices made by earlier versions, which have all in Text
	What          string     // with Version and Episode, what it is said once for; see [NoticeKey]
	Version       string
	Episode       string
	ConnectionID  string
	ReportID      string // "" of a notice about a connection or destination
	RunID         string
	DestinationID string `json:",omitzero"` // of a notice about a named destination
	Level         Level  // who its recipient is

	Found         MailEventKind // what the carrier reports of one that nobody answered for; "": nothing
	Refused       bool          // the recipient's server refuses it for good: others are to be told
	Undeliverable bool          // nobody can be told; it is tried again each day
	Released      int           // of [ConnectionMended]: runs that were held
}

// NoticeKind says what a notice is about.
type NoticeKind string

// The kinds of notices.
const (
	ConnectionBroken NoticeKind = "connection_broken"
	ConnectionMended NoticeKind = "connection_mended" // waits until the connection works again
	TokenEnds        NoticeKind = "token_ends"
	RunFailed        NoticeKind = "run_failed"

	DestinationBroken NoticeKind = "destination_broken"
	DestinationMended NoticeKind = "destination_mended" // waits until the destination works again

	FiltersUnknown NoticeKind = "filters_unknown" // whether they are applied cannot be told
	RunEmpty       NoticeKind = "run_empty"       // nothing was sent, since there was no data
	ReportOverdue  NoticeKind = "report_overdue"
	RunLate        NoticeKind = "run_late"      // a channel has not taken its messages for a while
	RunRecovered   NoticeKind = "run_recovered" // it was called failed, and was delivered
)

// Level says whose addresses a notice goes to. Where a level has none that can
// be reached, the next one is told.
type Level string

// The levels, in order.
const (
	OfReport         Level = "report"
	OfConnection     Level = "connection"
	OfAdministrators Level = "administrators"
)

// DeliveryKey is the key of a run's delivery: run, destination and part. It is
// made of letters, digits, dots, hyphens and underscores, so that it can name a
// file and a message.
func DeliveryKey(runID, destinationID, part string) string {
	return runID + "." + destinationID + "." + part
}

// PartOf names one recipient's part without naming the recipient.
func PartOf(to string) string { return shortHash(address.Key(to)) }

// NoticeKey is the key of a notice to one recipient. What is the connection or
// run that it is about, version the credential's version or "", and kind the
// kind of notice: each is said once.
func NoticeKey(what, version, kind, to string) string {
	return NoticesOf(what) + kind + "." + shortHash(version+"\n"+address.Key(to))
}

// NoticesOf is what the keys of all notices about a connection or report begin
// with.
func NoticesOf(what string) string { return "notice." + what + "." }

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}

// What a [Store] answers beside the problems that its methods name.
var (
	ErrLeaseHeld = errors.New("the site's lease is held by another drain")
	ErrFenced    = errors.New("the site's lease was lost to another drain")
)
