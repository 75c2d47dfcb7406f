// Package storetest is the contract that every store of vizpost must keep: the
// interfaces of the nouns put into tests. What it asks for can be had from a
// database with transactions as from a table with conditional writes.
//
// Lists and indexes may lag behind what was written, so the tests wait for
// them. All that decides is read consistently, and the tests hold it to that.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/verify"
)

// Store is all that vizpost keeps.
type Store interface {
	connection.Store
	connection.Vault
	report.Store
	run.Store
	deliver.DestinationStore
	verify.Store

	// ClaimRequest makes a request that comes more than once make one thing.
	// The first claim of a key within its scope keeps the id of the thing to be
	// made and gives it back; a later one with the same digest of the request
	// gives the id that the first one kept. Conflict with the code
	// idempotency_key_reused when the digest differs. A claim is kept for 24
	// hours.
	ClaimRequest(ctx context.Context, scope, key, digest, id string, now time.Time) (string, error)
}

// check is one rule of the contract. It has the store to itself.
type check struct {
	name string
	run  func(t *testing.T, s Store)
}

// Run holds a store to the contract. open gives an empty store for each test
// and closes it when the test ends.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for _, group := range []struct {
		name   string
		checks []check
	}{
		{"Connections", connectionChecks()},
		{"History", historyChecks()},
		{"SignIns", signInChecks()},
		{"Attempts", attemptChecks()},
		{"Vault", vaultChecks()},
		{"Destinations", destinationChecks()},
		{"Reports", reportChecks()},
		{"Due", dueChecks()},
		{"Runs", runChecks()},
		{"Deliveries", deliveryChecks()},
		{"Work", workChecks()},
		{"SiteLeases", siteLeaseChecks()},
		{"Requests", requestChecks()},
		{"Verdicts", verdictChecks()},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range group.checks {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(t, open(t))
				})
			}
		})
	}
}

// tester is what testing.T and rapid.T have in common.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}

// start is the time at which every test begins.
func start() time.Time { return time.Date(2026, 11, 23, 9, 0, 0, 123456000, time.UTC) }

// names makes ids that rise, as those of vizpost do.
type names struct{ last atomic.Int64 }

func (n *names) next() string { return fmt.Sprintf("01K%023d", n.last.Add(1)) }

// patience is how long an index may lag.
const patience = 10 * time.Second

// eventually asks until the answer is as wanted. probe gives what is still
// wrong, "" when nothing is.
func eventually(t tester, probe func() (wrong string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for wait := time.Millisecond; ; wait = min(2*wait, 250*time.Millisecond) {
		wrong := probe()
		if wrong == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after %v still: %s", patience, wrong)
		case <-time.After(wait):
		}
	}
}

// differs compares what a store gave with what is wanted.
func differs[T any](got, want T) string {
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		return fmt.Sprintf("got %T that is not as wanted (-want +got):\n%s", got, diff)
	}
	return notUTC(got)
}

// unchanged wants a store to leave alone what it was given.
func unchanged[T any](t tester, given, before T) {
	t.Helper()
	if diff := cmp.Diff(before, given); diff != "" {
		t.Fatalf("the store changed the %T that it was given (-before +after):\n%s", given, diff)
	}
}

func same[T any](t tester, got, want T) {
	t.Helper()
	if diff := differs(got, want); diff != "" {
		t.Fatalf("%s", diff)
	}
}

func succeed(t tester, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
}

// must passes a result on and fails on an error.
func must[T any](t tester) func(T, error) T {
	t.Helper()
	return func(value T, err error) T {
		t.Helper()
		succeed(t, err)
		return value
	}
}

func wantKind(t tester, err error, kind problem.Kind) {
	t.Helper()
	if !problem.Is(err, kind) {
		t.Fatalf("got error %v, want a problem of kind %d", err, kind)
	}
}

func wantCode(t tester, err error, kind problem.Kind, code string) {
	t.Helper()
	if !problem.Is(err, kind) || !problem.HasCode(err, code) {
		t.Fatalf("got error %v, want a problem of kind %d with the code %q", err, kind, code)
	}
}

func wantField(t tester, err error, field string) {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || p.Kind != problem.Invalid || len(p.Fields) == 0 || p.Fields[0].Name != field {
		t.Fatalf("got error %v, want an Invalid problem of the field %q", err, field)
	}
}

func wantError(t tester, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

// race lets n begin at the same moment and gives their errors.
func race(n int, act func(i int) error) []error {
	errs := make([]error, n)
	ready := make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-ready
			errs[i] = act(i)
		})
	}
	close(ready)
	group.Wait()
	return errs
}

// oneWins wants exactly one to have succeeded and the others to be refused in
// the way that refused tells. It gives the winner's number.
func oneWins(t tester, errs []error, refused func(error) bool) int {
	t.Helper()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Fatalf("%d and %d have both succeeded, want one", winner, i)
		case err == nil:
			winner = i
		case !refused(err):
			t.Fatalf("%d got error %v, want it to be refused", i, err)
		}
	}
	if winner < 0 {
		t.Fatalf("none has succeeded, want one: %v", errs)
	}
	return winner
}

func isKind(kind problem.Kind) func(error) bool {
	return func(err error) bool { return problem.Is(err, kind) }
}

func isError(want error) func(error) bool {
	return func(err error) bool { return errors.Is(err, want) }
}

// pages reads a list to its end. between is called after each page but the
// last; it may be nil.
func pages[T any](t tester, list func(after string) ([]T, string, error), between func(page int)) []T {
	t.Helper()
	var all []T
	seen := map[string]bool{}
	for after, page := "", 0; ; page++ {
		items, next, err := list(after)
		succeed(t, err)
		all = append(all, items...)
		if next == "" {
			return all
		}
		if seen[next] {
			t.Fatalf("the list comes back to the id %q", next)
		}
		seen[next] = true
		after = next
		if between != nil {
			between(page)
		}
	}
}

func ids[T any](items []T, id func(T) string) []string {
	list := make([]string, len(items))
	for i, item := range items {
		list[i] = id(item)
	}
	return list
}

// newConnection makes a connection with a personal access token of its own.
func newConnection(id string) connection.Connection {
	return connection.Connection{
		ID: id, Name: "Sales", ServerURL: "https://tableau.example.com", Site: "acme",
		Auth:              connection.Auth{Method: tableau.PersonalAccessToken, TokenName: "vizpost"},
		CredentialVersion: "version-1-" + id, Fingerprint: "token-" + id,
		State: connection.Connected, Version: 1, CreatedAt: start(), UpdatedAt: start(),
	}
}

func storeConnection(t tester, s Store, c connection.Connection) connection.Connection {
	t.Helper()
	succeed(t, s.CreateConnection(t.Context(), c, nil))
	return must[connection.Connection](t)(s.Connection(t.Context(), c.ID))
}

func newDestination(id string) deliver.Destination {
	return deliver.Destination{ID: id, Name: "#sales", Type: "slack", SecretVersion: "1", State: deliver.DestinationWorks,
		Version: 1, CreatedAt: start(), UpdatedAt: start()}
}

func storeDestination(t tester, s Store, d deliver.Destination) deliver.Destination {
	t.Helper()
	succeed(t, s.CreateDestination(t.Context(), d))
	return must[deliver.Destination](t)(s.Destination(t.Context(), d.ID))
}

// newReport makes a report to email and to the named destinations.
func newReport(id, connectionID string, destinations ...string) report.Report {
	r := report.Report{
		ID: id, Name: "Morning numbers", ConnectionID: connectionID, Enabled: true,
		Content:      []report.Content{{View: "Superstore/sheets/Overview", Format: tableau.PNG}},
		Destinations: []report.Destination{{ID: "mail", Type: report.Email, To: []string{"a@example.com"}}},
		Version:      1, CreatedAt: start(), UpdatedAt: start(),
	}
	for i, d := range destinations {
		r.Destinations = append(r.Destinations, report.Destination{ID: fmt.Sprintf("slack%d", i), Type: report.Slack, DestinationID: d})
	}
	return r
}

func storeReport(t tester, s Store, r report.Report) report.Report {
	t.Helper()
	succeed(t, s.CreateReport(t.Context(), r))
	return must[report.Report](t)(s.Report(t.Context(), r.ID))
}

// newRun makes a queued run of a site.
func newRun(id, site string) run.Run {
	return run.Run{
		ID: id, Key: run.ManualKey("report-of-"+id, id), ReportID: "report-of-" + id, ConnectionID: "connection-of-" + site, Site: site,
		ScheduledFor: start(), TimeZone: "UTC", Trigger: run.Manual, StandsFor: 1, State: run.Queued,
		NotBefore: start(), Deadline: start().Add(report.DefaultDeadline), CreatedAt: start(),
	}
}

func storeRun(t tester, s Store, r run.Run) run.Run {
	t.Helper()
	return must[run.Run](t)(s.CreateRun(t.Context(), r))
}

// newNotice makes a notice that a site's drain has to send.
func newNotice(key, site string) run.Delivery {
	return run.Delivery{Key: key, Site: site, Type: report.Email, To: []string{"ops@example.com"},
		Notice: &run.Notice{Subject: "A connection is broken", Text: "Enter its credential again."},
		State:  run.Waiting, NotBefore: start(), CreatedAt: start()}
}
