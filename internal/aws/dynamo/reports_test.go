package dynamo_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/aws/dynamo"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau"
)

func start() time.Time { return time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) }

func succeed(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
}

func same[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("not as wanted (-want +got):\n%s", diff)
	}
}

func newConnection(id string) connection.Connection {
	return connection.Connection{ID: id, Name: "Sales", ServerURL: "https://tableau.example.com", Site: "acme",
		Auth:              connection.Auth{Method: tableau.PersonalAccessToken, TokenName: "vizpost"},
		CredentialVersion: "1", Fingerprint: "token-" + id, State: connection.Connected, CreatedAt: start(), UpdatedAt: start()}
}

func newReport(id string, next time.Time) report.Report {
	return report.Report{ID: id, Name: "Morning numbers", ConnectionID: "c", Enabled: true, NextRunAt: next,
		Content:      []report.Content{{View: "Superstore/sheets/Overview", Format: tableau.PNG}},
		Destinations: []report.Destination{{ID: "mail", Type: report.Email, To: []string{"a@example.com"}}},
		CreatedAt:    start(), UpdatedAt: start()}
}

func newRun(id, reportID string, at time.Time) run.Run {
	return run.Run{ID: id, Key: run.ScheduledKey(reportID, at), ReportID: reportID, ConnectionID: "c", Site: "tableau.example.com/acme",
		ScheduledFor: at, TimeZone: "UTC", Trigger: run.Scheduled, StandsFor: 1, State: run.Queued, NotBefore: start(), CreatedAt: start()}
}

// storeReport stores a report of the connection c, which it makes.
func storeReport(t *testing.T, s *dynamo.Store, r report.Report) report.Report {
	t.Helper()
	if _, err := s.Connection(t.Context(), "c"); problem.Is(err, problem.NotFound) {
		succeed(t, s.CreateConnection(t.Context(), newConnection("c"), nil))
	}
	succeed(t, s.CreateReport(t.Context(), r))
	r.Rev = 1
	return r
}

func TestDueReportsReadsWhatIsDueAlone(t *testing.T) {
	t.Parallel()
	s, client := openThrough(t, newCounting)
	const due, others = 7, 20
	var want []string
	for i := range due {
		want = append(want, storeReport(t, s, newReport(fmt.Sprintf("due-%02d", i), start().Add(time.Duration(i-due)*time.Minute))).ID)
	}
	for i := range others {
		storeReport(t, s, newReport(fmt.Sprintf("later-%02d", i), start().Add(time.Duration(i+1)*time.Minute)))
		storeReport(t, s, newReport(fmt.Sprintf("never-%02d", i), time.Time{}))
	}
	*client = *newCounting(client.Client)
	reports, err := s.DueReports(t.Context(), start(), 500)
	succeed(t, err)
	same(t, idsOf(reports), want)
	if client.indexed != due || client.read != due {
		t.Errorf("%d entries of the index and %d reports were read for %d that are due", client.indexed, client.read, due)
	}
	if n := client.requests["Query"]; n > 16 {
		t.Errorf("%d queries were made, want one for each shard", n)
	}
}

func idsOf(reports []report.Report) []string {
	var ids []string
	for _, r := range reports {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestFireIsOneTransactionIfItCanBe(t *testing.T) {
	t.Parallel()
	s, client := openThrough(t, newCounting)
	for runs, want := range map[int]int{0: 1, 1: 1, 49: 1, 50: 2, 100: 3} {
		r := storeReport(t, s, newReport(fmt.Sprint("r-", runs), start()))
		*client = *newCounting(client.Client)
		succeed(t, s.Fire(t.Context(), r, start().Add(time.Hour), runsOf(r.ID, "run", runs)))
		if got := client.requests["TransactWriteItems"]; got != want || client.biggestBatch > 100 {
			t.Errorf("%d runs took %d transactions with up to %d actions, want %d", runs, got, client.biggestBatch, want)
		}
	}
}

// runsOf makes the runs of a report's occurrences, one each minute.
func runsOf(reportID, prefix string, n int) []run.Run {
	var runs []run.Run
	for i := range n {
		runs = append(runs, newRun(fmt.Sprintf("%s-%s-%03d", prefix, reportID, i), reportID, start().Add(time.Duration(i)*time.Minute)))
	}
	return runs
}

// TestFireThatIsCutOff has a Fire of many runs end before each of its
// transactions; the next one, with new ids, makes what is missing.
func TestFireThatIsCutOff(t *testing.T) {
	t.Parallel()
	cut := errors.New("the function was cut off")
	for nth := 1; nth <= 3; nth++ {
		t.Run(fmt.Sprintf("before transaction %d", nth), func(t *testing.T) {
			t.Parallel()
			s, client := openThrough(t, func(c *dynamodb.Client) *failing { return &failing{Client: c} })
			r := storeReport(t, s, newReport("r", start()))
			client.nth, client.err = nth, cut
			if err := s.Fire(t.Context(), r, start().Add(time.Hour), runsOf("r", "first", 100)); !errors.Is(err, cut) {
				t.Fatalf("got error %v, want that it was cut off", err)
			}
			stored, err := s.Report(t.Context(), "r")
			succeed(t, err)
			same(t, stored, r) // still due
			succeed(t, s.Fire(t.Context(), stored, start().Add(time.Hour), runsOf("r", "second", 100)))

			runs, _, err := s.Runs(t.Context(), run.Filter{ReportID: "r"}, "", 1000)
			succeed(t, err)
			seen := map[string]int{}
			for _, made := range runs {
				seen[made.Key]++
			}
			if len(runs) != 100 || len(seen) != 100 {
				t.Errorf("%d runs of %d occurrences, want 100", len(runs), len(seen))
			}
			work, err := s.Work(t.Context(), runs[0].Site, start(), 1000)
			succeed(t, err)
			if len(work) != 100 {
				t.Errorf("%d pieces of work, want 100", len(work))
			}
			stored, err = s.Report(t.Context(), "r")
			succeed(t, err)
			same(t, stored.NextRunAt, start().Add(time.Hour))
		})
	}
}

func TestFireOfAnEditedReportMakesNoMoreRuns(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	r := storeReport(t, s, newReport("r", start()))
	succeed(t, s.UpdateReport(t.Context(), r))
	if err := s.Fire(t.Context(), r, start().Add(time.Hour), runsOf("r", "run", 100)); !problem.Is(err, problem.Stale) {
		t.Errorf("got error %v, want Stale", err)
	}
	runs, _, err := s.Runs(t.Context(), run.Filter{}, "", 1000)
	succeed(t, err)
	if len(runs) != 0 {
		t.Errorf("%d runs were made", len(runs))
	}
}

func TestManyRecipientsFit(t *testing.T) {
	t.Parallel()
	s, client := openThrough(t, newCounting)
	r := newReport("r", start())
	for i := range 500 {
		r.Destinations[0].To = append(r.Destinations[0].To, fmt.Sprintf("somebody.with.a.long.name.%03d@subsidiary.example.com", i))
	}
	r = storeReport(t, s, r)
	made := newRun("run", "r", start())
	made.Destinations = r.Destinations
	succeed(t, s.Fire(t.Context(), r, start().Add(time.Hour), []run.Run{made}))
	got, err := s.Run(t.Context(), "run")
	succeed(t, err)
	same(t, got.Destinations, r.Destinations)

	var deliveries []run.Delivery
	for i, to := range r.Destinations[0].To[:150] { // more than one transaction takes
		deliveries = append(deliveries, run.Delivery{Key: run.DeliveryKey("run", "mail", run.PartOf(to)), RunID: "run", Site: made.Site,
			DestinationID: "mail", Type: report.Email, To: []string{to}, State: run.Waiting, NotBefore: start(), CreatedAt: start().Add(time.Duration(i))})
	}
	lease, err := s.LeaseSite(t.Context(), made.Site, "me", start(), start().Add(time.Minute))
	succeed(t, err)
	succeed(t, s.CreateDeliveries(t.Context(), &lease, deliveries))
	if client.biggestBatch > 100 {
		t.Errorf("a transaction had %d actions", client.biggestBatch)
	}
	*client = *newCounting(client.Client)
	succeed(t, s.CreateDeliveries(t.Context(), &lease, deliveries)) // a second try of the run
	if n := client.requests["TransactWriteItems"]; n != 0 {
		t.Errorf("storing what is there took %d transactions", n)
	}
	stored, err := s.Deliveries(t.Context(), "run")
	succeed(t, err)
	if len(stored) != len(deliveries) || !slices.IsSortedFunc(stored, func(a, b run.Delivery) int { return strings.Compare(a.Key, b.Key) }) {
		t.Errorf("%d deliveries came back, want %d in order of key", len(stored), len(deliveries))
	}
}

func TestWhatIsTooLargeIsAProblem(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	r := storeReport(t, s, newReport("r", start()))
	large := r.Clone()
	for i := range 10_000 {
		large.Destinations[0].To = append(large.Destinations[0].To, fmt.Sprintf("somebody.%05d@example.com", i))
	}
	if err := s.UpdateReport(t.Context(), large); !problem.Is(err, problem.TooLarge) {
		t.Errorf("got error %v, want TooLarge", err)
	}
	large.ID = "new"
	if err := s.CreateReport(t.Context(), large); !problem.Is(err, problem.TooLarge) {
		t.Errorf("got error %v, want TooLarge", err)
	}
	stored, err := s.Report(t.Context(), "r")
	succeed(t, err)
	same(t, stored, r)

	made := newRun("run", "r", start())
	kept, err := s.CreateRun(t.Context(), made)
	succeed(t, err)
	kept.Reason = strings.Repeat("x", 400_000)
	if _, err := s.UpdateRun(t.Context(), nil, kept); !problem.Is(err, problem.TooLarge) {
		t.Errorf("got error %v, want TooLarge", err)
	}
}

func TestReplacingAllNamedDestinations(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	r := storeReport(t, s, newReport("r", start()))
	slack := func(prefix string, n int) []report.Destination {
		var all []report.Destination
		for i := range n {
			id := fmt.Sprint(prefix, i)
			all = append(all, report.Destination{ID: id, Type: report.Slack, DestinationID: id})
			succeed(t, s.CreateDestination(t.Context(), deliver.Destination{ID: id, Type: "slack"}))
		}
		return all
	}
	before, after := slack("a", 50), slack("b", 50)
	r.Destinations = before
	succeed(t, s.UpdateReport(t.Context(), r))
	r.Rev, r.Destinations = 2, after
	if err := s.UpdateReport(t.Context(), r); !problem.Is(err, problem.Invalid) {
		t.Errorf("got error %v, want Invalid", err)
	}
	r.Destinations = append(after[:25:25], before[25:]...)
	succeed(t, s.UpdateReport(t.Context(), r))
	r.Rev, r.Destinations = 3, after
	succeed(t, s.UpdateReport(t.Context(), r))
	succeed(t, s.DeleteDestination(t.Context(), "a0", 1))
	if err := s.DeleteDestination(t.Context(), "b0", 1); !problem.HasCode(err, problem.CodeInUse) {
		t.Errorf("got error %v, want that it is in use", err)
	}
	succeed(t, s.DeleteReport(t.Context(), "r", 4))
	succeed(t, s.DeleteDestination(t.Context(), "b0", 1))
}

// TestNothingIsInOnePlace stores what one site, one connection and one report
// have, and looks how it is spread.
func TestNothingIsInOnePlace(t *testing.T) {
	t.Parallel()
	s, client := openThrough(t, func(c *dynamodb.Client) *named { return &named{Client: c} })
	const n = 32
	for i := range n {
		id := fmt.Sprintf("01K%023d", i)
		r := newReport(id, start().Add(time.Hour))
		storeReport(t, s, r)
		succeed(t, s.CreateDestination(t.Context(), deliver.Destination{ID: id}))
		made, held := newRun("1"+id, id, start()), newRun("2"+id, id, start().Add(time.Minute))
		held.State = run.Held
		for _, r := range []run.Run{made, held} {
			if _, err := s.CreateRun(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		succeed(t, s.PutWork(t.Context(), run.Work{Site: made.Site, Kind: run.Probe, Ref: id, NotBefore: start()}))
	}
	for _, table := range []*dynamodb.CreateTableInput{dynamo.AppTable(client.app), dynamo.RunsTable(client.runs)} {
		out, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: table.TableName})
		succeed(t, err)
		partitions := []string{*table.KeySchema[0].AttributeName}
		for _, index := range table.GlobalSecondaryIndexes {
			partitions = append(partitions, *index.KeySchema[0].AttributeName)
		}
		for _, attribute := range partitions {
			count, all := map[string]int{}, 0
			for _, it := range out.Items {
				if value, ok := it[attribute].(*types.AttributeValueMemberS); ok {
					count[value.Value]++
					all++
				}
			}
			for value, n := range count {
				if n > all/4 {
					t.Errorf("%d of %d items with the attribute %s have the value %q", n, all, attribute, value)
				}
			}
			if all < n || len(count) < 8 {
				t.Errorf("the %d items with the attribute %s have %d values, want more", all, attribute, len(count))
			}
		}
	}
}

// named notes the names of the tables.
type named struct {
	*dynamodb.Client
	app, runs string
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	s, client := openThrough(t, func(c *dynamodb.Client) *named { return &named{Client: c} })
	now := time.Now()
	s.Now = func() time.Time { return now }
	if _, err := s.ClaimRequest(t.Context(), "reports", "key", "digest", "id", now); err != nil {
		t.Fatal(err)
	}
	succeed(t, s.CountAttempt(t.Context(), "ada", now, now.Add(-time.Minute), 3))
	if _, err := s.LeaseSignIn(t.Context(), "token", "me", now, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	storeReport(t, s, newReport("r", now))
	out, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String(client.app)})
	succeed(t, err)
	got := map[string]string{}
	for _, it := range out.Items {
		kind := it["sk"].(*types.AttributeValueMemberS).Value
		got[kind] = "never"
		if at, ok := it[dynamo.TTLAttribute].(*types.AttributeValueMemberN); ok {
			var seconds int64
			if _, err := fmt.Sscan(at.Value, &seconds); err != nil {
				t.Fatal(err)
			}
			got[kind] = time.Unix(seconds, 0).Sub(now.Truncate(time.Second)).String()
		}
	}
	same(t, got, map[string]string{"request": "24h0m0s", "attempts": "24h0m0s", "sign-in": "720h0m0s",
		"connection": "never", "claim": "never", "report": "never"})
}

// TestSitesWithMuchWork has one site with a backlog before others: it costs no
// more to find than one with little.
func TestSitesWithMuchWork(t *testing.T) {
	t.Parallel()
	s, client := openThrough(t, newCounting)
	const backlog = 600
	for i := range backlog {
		succeed(t, s.PutWork(t.Context(), run.Work{Site: "a/b", Kind: run.Probe, Ref: fmt.Sprint("c-", i), NotBefore: start().Add(-time.Duration(i) * time.Minute)}))
	}
	for _, site := range []string{"a", "a/b c", "a#b", "b/", "z"} {
		succeed(t, s.PutWork(t.Context(), run.Work{Site: site, Kind: run.KeepAlive, Ref: "c", NotBefore: start()}))
	}
	succeed(t, s.PutWork(t.Context(), run.Work{Site: "later", Kind: run.KeepAlive, Ref: "c", NotBefore: start().Add(time.Second)}))
	*client = *newCounting(client.Client)
	sites, err := s.WorkSites(t.Context(), start())
	succeed(t, err)
	slices.Sort(sites)
	same(t, sites, []string{"a", "a#b", "a/b", "a/b c", "b/", "z"})
	if client.indexed > backlog*2/3 || client.requests["Query"] > 3*16 {
		t.Errorf("%d entries were read by %d queries, want few of the backlog of %d", client.indexed, client.requests["Query"], backlog)
	}
	work, err := s.Work(t.Context(), "a/b", start(), 100)
	succeed(t, err)
	for i, w := range work {
		if want := fmt.Sprint("c-", backlog-1-i); w.Ref != want || len(work) != 100 {
			t.Fatalf("work %d of %d is %s, want %s: the oldest first", i, len(work), w.Ref, want)
		}
	}
}
