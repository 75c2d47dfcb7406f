package run_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jhillyerd/enmime/v2"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/scratch"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
	"github.com/vizpost/vizpost/internal/verify"
)

const (
	serverURL = "https://tableau.test"
	site      = "tableau.test/demo"
	overview  = "Superstore/sheets/Overview"
	webhook   = "https://hooks.slack.com/services/T0/B0/canary"
	owner     = "owner@example.com" // is told of runs that fail
	ops       = "ops@example.com"   // is told of connections that break
)

// world is all of vizpost but its HTTP side, with a Tableau server and channels
// to deliver to, in one synctest bubble: time passes only where a test sleeps
// or everybody waits.
type world struct {
	*testing.T
	tableau *tableautest.Server
	network *network
	store   store
	files   local.Files
	mail    *mailbox
	slack   *channel
	bell    *bell
	log     *journal
	lastID  atomic.Int64

	connections  *connection.Service
	destinations *deliver.Destinations
	reports      *report.Service
	runs         *run.Service
	tick         *run.Tick
	care         *run.Care
	drain        *run.Drain
}

// inBubble runs a test with a world of its own, in which there are a
// connection "c" and a Slack destination "slack".
func inBubble(t *testing.T, test func(w *world)) {
	t.Helper()
	inBubbleWith(t, tableautest.Options{}, test)
}

func inBubbleWith(t *testing.T, o tableautest.Options, test func(w *world)) {
	t.Helper()
	inBubbleOver(t, o, func(s *local.Store) store { return s }, test)
}

// inBubbleOver has all that is kept in the store that over gives, which may leave
// some of it to an embedded database.
func inBubbleOver(t *testing.T, o tableautest.Options, over func(*local.Store) store, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, o, over)
		test(w)
		w.wantNoSecrets("the log", w.log.String())
	})
}

func newWorld(t *testing.T, o tableautest.Options, over func(*local.Store) store) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{T: t, tableau: tableautest.New(o), mail: &mailbox{}, slack: &channel{}, bell: &bell{}, log: &journal{}}
	w.network = &network{Transport: tableautest.Transport{Handler: w.tableau}}
	w.files = local.Files{Dir: filepath.Join(dir, "files")}
	embedded, err := local.OpenStore(t.Context(), filepath.Join(dir, "vizpost.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := embedded.Close(); err != nil {
			t.Error(err)
		}
	})
	w.store = over(embedded)
	w.wire(w.store)

	name, value := w.tableau.PAT()
	_, err = w.connections.Create(t.Context(), "c", connection.Settings{Name: "Sales", ServerURL: serverURL, Site: w.tableau.Site(), Notify: []string{ops},
		Credential: tableau.Credential{Method: tableau.PersonalAccessToken, TokenName: name, Secret: secret.New(value)}})
	w.succeed(err)
	_, err = w.destinations.Create(t.Context(), "slack", "#sales", deliver.TypeSlack, secret.New(webhook))
	w.succeed(err)
	_, err = w.tick.Run(t.Context())
	w.succeed(err)
	return w
}

// store is everything that is kept.
type store interface {
	run.Store
	connection.Store
	connection.Vault
	deliver.DestinationStore
	report.Store
	verify.Store
}

// wire makes the parts over a store, as a new process does.
func (w *world) wire(s store) {
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.connections = &connection.Service{
		Store: s, Vault: s, Holds: &run.Holds{Store: s, Bell: w.bell, Now: time.Now},
		Dial: func(server string) (*tableau.Client, error) {
			return tableau.NewClient(server, tableau.Options{Transport: w.network, Now: time.Now})
		},
		CheckServer: func(context.Context, string) error { return nil },
		Now:         time.Now, NewID: w.newID, Random: rand.Reader, Log: log,
	}
	w.destinations = &deliver.Destinations{Store: s, Vault: s, Poster: w.slack, Notices: &run.Holds{Store: s, Bell: w.bell, Now: time.Now}, Now: time.Now, NewID: w.newID, Log: log}
	w.runs = &run.Service{Store: s, Reports: s, Connections: s, Files: w.files, Bell: w.bell, Now: time.Now, NewID: w.newID, Log: log}
	filters := &verify.Service{Store: s, Connections: w.connections, Now: time.Now, Log: log}
	w.reports = &report.Service{Store: s, Connections: w.connections, Filters: filters, Destinations: w.destinations, Runs: w.runs, Now: time.Now}
	w.tick = &run.Tick{Store: s, Connections: s, Bell: w.bell, Now: time.Now, NewID: w.newID, Log: log}
	w.care = &run.Care{Store: s, Connections: w.connections, Destinations: w.destinations, Bell: w.bell, Now: time.Now, Log: log}
	w.drain = &run.Drain{
		Store: s, Reports: s, Connections: w.connections, Filters: filters, Destinations: w.destinations, Files: w.files, Bell: w.bell,
		Mail: w.mail, Slack: w.slack, MailFrom: "vizpost <vizpost@example.com>",
		Emails: &deliver.EmailBuilder{Budget: deliver.NewBudget(16 << 20), Now: time.Now},
		Now:    time.Now, NewID: w.newID, Jitter: func(time.Duration) time.Duration { return 0 }, Log: log, Scratch: scratch.New(w.TempDir(), 0),
	}
}

// drainOver is the drain of another process, over a store of its own.
func (w *world) drainOver(s store) *run.Drain {
	w.wire(s)
	defer w.wire(w.store)
	return w.drain
}

func (w *world) newID() string { return fmt.Sprintf("01K%023d", w.lastID.Add(1)) }

// makeReport makes a report of the overview as CSV to one recipient.
func (w *world) makeReport(id string, change ...func(*report.Report)) report.Report {
	w.Helper()
	r := report.Report{
		Name: "Numbers of " + id, ConnectionID: "c", Enabled: true, Notify: []string{owner},
		Content:      []report.Content{{View: overview, Format: tableau.CSV}},
		Destinations: []report.Destination{email("mail", "ana@example.com")},
	}
	for _, change := range change {
		change(&r)
	}
	r, err := w.reports.Create(w.Context(), id, r)
	w.succeed(err)
	return r
}

// storeReport makes a report that is as one which an earlier version stored:
// nobody has looked at its filters.
func (w *world) storeReport(id string, change ...func(*report.Report)) report.Report {
	w.Helper()
	filters := w.reports.Filters
	w.reports.Filters = nil
	defer func() { w.reports.Filters = filters }()
	return w.makeReport(id, change...)
}

func email(id string, to ...string) report.Destination {
	return report.Destination{ID: id, Type: report.Email, To: to}
}

func to(destinations ...report.Destination) func(*report.Report) {
	return func(r *report.Report) { r.Destinations = destinations }
}

// slackToo is the Slack destination beside the email.
func slackToo(r *report.Report) {
	r.Destinations = append(r.Destinations, report.Destination{ID: "chat", Type: report.Slack, DestinationID: "slack"})
}

func content(items ...report.Content) func(*report.Report) {
	return func(r *report.Report) { r.Content = items }
}

// each is a schedule in UTC.
func each(cron string, catchUp report.CatchUp) func(*report.Report) {
	return func(r *report.Report) {
		r.Schedule = &report.Schedule{Cron: cron, TimeZone: "UTC", CatchUp: catchUp}
	}
}

// start makes a run of a report by hand.
func (w *world) start(reportID string, o ...run.Start) string {
	w.Helper()
	r, err := w.runs.Start(w.Context(), reportID, append(o, run.Start{})[0])
	w.succeed(err)
	return r.ID
}

// work has the site worked off once.
func (w *world) work() {
	w.Helper()
	w.succeed(w.drain.Site(w.Context(), site))
}

// live is vizpost at work for a time: each minute a tick, and a drain for the
// sites that are rung.
func (w *world) live(d time.Duration) {
	w.Helper()
	w.liveEach(time.Minute, d)
}

func (w *world) liveEach(pause, d time.Duration) {
	w.Helper()
	for end := time.Now().Add(d); ; time.Sleep(pause) {
		_, err := w.tick.Run(w.Context())
		w.succeed(err)
		for _, site := range w.bell.take() {
			w.succeed(w.drain.Site(w.Context(), site))
		}
		if !time.Now().Before(end) {
			return
		}
	}
}

// idle is vizpost alive for a time without work being done.
func (w *world) idle(d time.Duration) {
	w.Helper()
	for end := time.Now().Add(d); ; time.Sleep(min(time.Minute, time.Until(end))) {
		_, err := w.tick.Run(w.Context())
		w.succeed(err)
		if !time.Now().Before(end) {
			return
		}
	}
}

func (w *world) get(id string) (run.Run, []run.Delivery) {
	w.Helper()
	r, deliveries, err := w.runs.Get(w.Context(), id)
	w.succeed(err)
	return r, deliveries
}

// wantRun checks a run's state and what its reason says.
func (w *world) wantRun(id string, state run.State, reason string) run.Run {
	w.Helper()
	r, _ := w.get(id)
	if r.State != state || !strings.Contains(r.Reason, reason) {
		w.Errorf("got run %s %s: %q, want %s: %q", id, r.State, r.Reason, state, reason)
	}
	if r.State.Open() == !r.FinishedAt.IsZero() {
		w.Errorf("got run %s %s, finished at %v", id, r.State, r.FinishedAt)
	}
	return r
}

// wantDeliveries compares the states of a run's deliveries, in order of key.
func (w *world) wantDeliveries(id string, want ...run.DeliveryState) []run.Delivery {
	w.Helper()
	_, deliveries := w.get(id)
	var got []run.DeliveryState
	for _, d := range deliveries {
		got = append(got, d.State)
	}
	if !slices.Equal(got, want) {
		w.Errorf("got deliveries %v of run %s, want %v", got, id, want)
	}
	return deliveries
}

// runsOf gives a report's runs, the oldest first.
func (w *world) runsOf(reportID string) []run.Run {
	w.Helper()
	runs, _, err := w.runs.List(w.Context(), run.Filter{ReportID: reportID}, "", 1000)
	w.succeed(err)
	slices.Reverse(runs)
	return runs
}

// wantIdle checks that nothing is left to do, now or later.
func (w *world) wantIdle() {
	w.Helper()
	if work := w.openWork(); len(work) > 0 {
		w.Errorf("got open work %+v, want none", work)
	}
	open, _, err := w.runs.List(w.Context(), run.Filter{States: []run.State{run.Queued, run.Running, run.Held}}, "", 10)
	w.succeed(err)
	if len(open) > 0 {
		w.Errorf("got %d open runs, want none", len(open))
	}
}

func (w *world) openWork() []run.Work {
	w.Helper()
	work, err := w.store.Work(w.Context(), site, time.Now().AddDate(10, 0, 0), 1000)
	w.succeed(err)
	return slices.DeleteFunc(work, func(o run.Work) bool {
		if o.Kind != run.SendNote {
			return false
		}
		d, err := w.store.Delivery(w.Context(), o.Ref)
		w.succeed(err)
		return d.Notice.Kind == run.ConnectionMended && !w.state().Works() // waits for that
	})
}

func (w *world) fault(f tableautest.Fault) {
	w.Helper()
	w.succeed(w.tableau.AddFault(f))
}

func (w *world) newToken(name string) *tableau.Credential {
	return &tableau.Credential{Method: tableau.PersonalAccessToken, TokenName: name, Secret: secret.New(w.tableau.NewPAT("", name))}
}

// customView gives the id of a custom view of the overview.
func (w *world) customView(name string) (id string) {
	w.Helper()
	w.succeed(w.connections.Do(w.Context(), "c", func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
		view, err := client.FindView(ctx, session, overview)
		if err != nil {
			return err
		}
		all, err := client.CustomViews(ctx, session, view.ID)
		for _, v := range all {
			if v.Name == name {
				id = v.ID
			}
		}
		return err
	}))
	if id == "" {
		w.Fatalf("there is no custom view %q", name)
	}
	return id
}

func (w *world) stored(id string) connection.Connection {
	w.Helper()
	c, err := w.store.Connection(w.Context(), id)
	w.succeed(err)
	return c
}

func (w *world) state() connection.State {
	w.Helper()
	return w.stored("c").State
}

func (w *world) succeed(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("got error %v, want none", err)
	}
}

func (w *world) wantNoSecrets(where, text string) {
	w.Helper()
	_, token := w.tableau.PAT()
	for _, canary := range append(strings.Split(token, ":"), "canary") {
		if strings.Contains(text, canary) {
			w.Errorf("%s holds a secret", where)
		}
	}
}

// network leads to the stand-in, without a socket.
type network struct {
	tableautest.Transport
	down   atomic.Bool
	before atomic.Pointer[func(*http.Request)] // called before each request
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	if n.down.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	if before := n.before.Load(); before != nil {
		(*before)(r)
	}
	return n.Transport.RoundTrip(r)
}

// mailbox is where emails arrive.
type mailbox struct {
	mu      sync.Mutex
	arrived []letter
	tries   map[string]int  // by key
	unsure  map[string]bool // keys that a try went unanswered for
	// answer says what becomes of the n-th try of a message; nil is success. An
	// error with lost set means that it arrives all the same.
	answer func(to string, n int) (arrives bool, err error)
}

type letter struct {
	key, to, raw string
	at           time.Time
}

// marked reports whether a letter says that it may be a repeat.
func (l letter) marked() bool {
	return strings.Contains(strings.Join(strings.Fields(strings.ReplaceAll(l.raw, "=\r\n", "")), " "), mayBeARepeat)
}

func (m *mailbox) Send(ctx context.Context, e deliver.Envelope) (deliver.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return deliver.Receipt{}, &deliver.SendError{Outcome: deliver.Deferred, Code: "cancelled", Err: err}
	}
	var raw bytes.Buffer
	if _, err := e.Message.WriteTo(&raw); err != nil {
		return deliver.Receipt{}, &deliver.SendError{Outcome: deliver.Deferred, Code: "unreadable", Err: err}
	}
	m.mu.Lock()
	if m.tries == nil {
		m.tries = map[string]int{}
	}
	m.tries[e.Key]++
	m.mu.Unlock()
	if err := e.Begin.Do(ctx); err != nil {
		return deliver.Receipt{}, err
	}
	m.mu.Lock()
	n, answer := m.tries[e.Key], m.answer
	m.mu.Unlock()
	arrives, err := true, error(nil)
	to := strings.Join(e.Recipients, ",")
	if answer != nil {
		arrives, err = answer(to, n)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if arrives {
		m.arrived = append(m.arrived, letter{e.Key, to, raw.String(), time.Now()})
	}
	if err != nil {
		var failure *deliver.SendError
		if errors.As(err, &failure) && failure.Outcome == deliver.Unknown {
			m.note(e.Key)
		}
		return deliver.Receipt{}, err
	}
	return deliver.Receipt{ProviderID: fmt.Sprint("mail-", n)}, nil
}

// note notes that nobody can know whether a message has arrived.
func (m *mailbox) note(key string) {
	if m.unsure == nil {
		m.unsure = map[string]bool{}
	}
	m.unsure[key] = true
}

// to gives what arrived for a recipient, read, but for what says that a
// connection works again or that a report is late: those have tests of their own.
func (m *mailbox) to(t *testing.T, address string) []*enmime.Envelope {
	t.Helper()
	return slices.DeleteFunc(m.all(t, address), func(e *enmime.Envelope) bool { return saysMended(e) || saysLate(e) })
}

func saysMended(e *enmime.Envelope) bool {
	return strings.HasSuffix(e.GetHeader("Subject"), " works again")
}

func saysLate(e *enmime.Envelope) bool { return strings.HasSuffix(e.GetHeader("Subject"), " is late") }

// all gives everything that arrived for a recipient, read.
func (m *mailbox) all(t *testing.T, address string) []*enmime.Envelope {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*enmime.Envelope
	for _, l := range m.arrived {
		if slices.Contains(strings.Split(l.to, ","), address) {
			e, err := enmime.ReadEnvelope(strings.NewReader(l.raw))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, e)
		}
	}
	return out
}

// wantMail checks how many emails a recipient got, and gives them.
func (w *world) wantMail(address string, n int) []*enmime.Envelope {
	w.Helper()
	got := w.mail.to(w.T, address)
	if len(got) != n {
		var subjects []string
		for _, e := range got {
			subjects = append(subjects, e.GetHeader("Subject"))
		}
		w.Fatalf("got %d mails to %s (%q), want %d", len(got), address, subjects, n)
	}
	return got
}

// channel is where Slack messages arrive.
type channel struct {
	mu      sync.Mutex
	arrived []string
	tries   int
	answer  func(n int) (arrives bool, err error)
}

func (c *channel) Post(ctx context.Context, address secret.Text, body []byte, begin deliver.Begin) (deliver.Receipt, error) {
	if err := begin.Do(ctx); err != nil {
		return deliver.Receipt{}, err
	}
	if address.Reveal() != webhook {
		return deliver.Receipt{}, &deliver.SendError{Outcome: deliver.Refused, Code: "no_service", Message: "another address", BreaksDestination: true}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tries++
	arrives, err := true, error(nil)
	if c.answer != nil {
		arrives, err = c.answer(c.tries)
	}
	if arrives {
		c.arrived = append(c.arrived, string(body))
	}
	return deliver.Receipt{}, err
}

// unknown, deferred and refused are what channels answer.
func unknown() error {
	return &deliver.SendError{Outcome: deliver.Unknown, Code: "no_answer", Message: "Nobody answered."}
}

func deferred(after time.Duration) error {
	return &deliver.SendError{Outcome: deliver.Deferred, Code: "busy", Message: "Later, please.", RetryAfter: after}
}

func refused() error {
	return &deliver.SendError{Outcome: deliver.Refused, Code: "smtp_550", Message: "There is no such mailbox."}
}

// bell notes the sites that are rung.
type bell struct {
	mu   sync.Mutex
	rung map[string]bool
}

func (b *bell) Ring(_ context.Context, site string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = map[string]bool{}
	}
	b.rung[site] = true
	return nil
}

// take gives the sites that were rung since.
func (b *bell) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	sites := slices.Sorted(maps.Keys(b.rung))
	b.rung = nil
	return sites
}

// journal is a log that can be read.
type journal struct {
	mu  sync.Mutex
	log bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.log.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.log.String()
}

func unreachableMail() error {
	return &deliver.SendError{Outcome: deliver.Deferred, Code: "smtp_unreachable", Message: "The mail server could not be reached."}
}
