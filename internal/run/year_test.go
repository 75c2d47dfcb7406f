//go:build !race

// With the race detector this would take minutes, most of them for what other
// tests do as well, many times over.

package run_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// diary is what people heard of a token, by the day on which they did, counted
// from the beginning.
type diary struct {
	*world
	began time.Time
	told  map[int]string // subjects of mails to the connection's people
	used  time.Time      // when the token was used last
	gap   time.Duration  // the longest time without a use of the token
}

func newDiary(w *world) *diary {
	return &diary{world: w, began: time.Now(), told: map[int]string{}, used: time.Now()}
}

// days lets days go by: every six hours a tick, with a drain for what is rung, and
// a round of care. Nothing is done for the token where care is nil.
func (d *diary) days(n int, care *run.Care) {
	d.Helper()
	for range n {
		before := len(d.mail.to(d.T, ops))
		for range 4 { // at 3:00, 9:00 and so on
			time.Sleep(3 * time.Hour)
			if care != nil {
				d.succeed(care.Run(d.Context()))
			}
			d.live(0)
			time.Sleep(3 * time.Hour)
		}
		time.Sleep(time.Until(d.began.Add(time.Since(d.began).Round(day))))
		for _, mail := range d.mail.to(d.T, ops)[before:] {
			d.told[d.today()-1] += mail.GetHeader("Subject") + "\n"
		}
		used := d.token().LastUsedAt
		d.gap, d.used = max(d.gap, used.Sub(d.used)), used
	}
}

func (d *diary) today() int { return int(time.Since(d.began).Hours()) / 24 }

// wantTold checks on which days people heard of the token since a day, and what.
func (d *diary) wantTold(since int, want map[int]string) {
	d.Helper()
	for on, subjects := range d.told {
		if on < since {
			continue
		}
		if text, ok := want[on]; !ok || strings.Count(subjects, "\n") != 1 || !strings.Contains(subjects, text) {
			d.Errorf("day %d: people were told %q, want %q", on, subjects, text)
		}
	}
	for on, text := range want {
		if d.told[on] == "" {
			d.Errorf("day %d: people were told nothing, want %q", on, text)
		}
	}
}

// wantSignIns bounds the sign-ins since a day: one each week for the token's
// sake, and one for each run, whose session has long ended.
func (d *diary) wantSignIns(since, runs int) {
	d.Helper()
	stats := d.tableau.Stats()
	weeks := (d.today()-since)/7 + 1
	if stats.SignIns < weeks-1 || stats.SignIns > weeks+runs {
		d.Errorf("got %d sign-ins in %d days with %d runs, want about one a week and at most one for each run besides",
			stats.SignIns, d.today()-since, runs)
	}
	d.Logf("%d sign-ins and %d refused ones in %d days with %d runs", stats.SignIns, stats.SignInsFailed, d.today()-since, runs)
}

func (d *diary) token() connection.TokenLife {
	d.Helper()
	c, err := d.connections.Get(d.Context(), "c")
	d.succeed(err)
	return c.TokenLife
}

// TestYear is a year in which a report on the first of each month is the only
// use of a token that lives for a year: it does not die of idleness, and each
// warning of its end comes once, on its day.
func TestYear(t *testing.T) {
	t.Parallel()
	inBubbleWith(t, tableautest.Options{TokenLife: 365 * day}, func(w *world) {
		w.makeReport("monthly", each("0 9 1 * *", report.CatchUpLatest))
		d := newDiary(w)
		d.days(365, w.care)
		runs := w.runsOf("monthly")
		if len(runs) != 12 {
			t.Errorf("got %d runs in a year, want 12", len(runs))
		}
		for _, r := range runs {
			w.wantRun(r.ID, run.Delivered, "")
			if late := r.FinishedAt.Sub(r.ScheduledFor); late > 10*time.Minute || r.Attempts > 0 {
				t.Errorf("the run of %s was delivered %s late, after %d failures", r.ScheduledFor, late, r.Attempts)
			}
		}
		w.wantMail("ana@example.com", 12)
		w.wantMail(owner, 0)
		d.wantTold(0, map[int]string{335: "ends in 30 days", 351: "ends in 14 days", 358: "ends in 7 days", 364: "ends in a day"})
		d.wantSignIns(0, 12)
		if got := w.state(); got != connection.Connected {
			t.Errorf("the connection is %s after a year, want connected", got)
		}
		if d.gap > 8*day || time.Since(d.used) > 8*day {
			t.Errorf("the token was not used for %s, and not since %s; want a use each week", d.gap, d.used)
		}
		w.wantIdle()
	})
}

// TestYearWithoutCare shows what would become of the same token if nothing were
// done for it.
func TestYearWithoutCare(t *testing.T) {
	t.Parallel()
	inBubbleWith(t, tableautest.Options{TokenLife: 365 * day}, func(w *world) {
		w.makeReport("monthly", each("0 9 1 * *", report.CatchUpLatest))
		newDiary(w).days(40, nil)
		if got := w.state(); got != connection.NeedsCredentials {
			t.Errorf("the connection is %s, want needs_credentials: the token was idle for a month", got)
		}
	})
}

// TestTokenEndsWithinTheYear is the same with a token that lives for half a
// year. At its end runs are held and people hear of it once; a new token
// delivers what was held, by each report's policy, and has warnings of its own.
func TestTokenEndsWithinTheYear(t *testing.T) {
	t.Parallel()
	inBubbleWith(t, tableautest.Options{TokenLife: 180 * day}, func(w *world) {
		for _, policy := range []report.CatchUp{report.CatchUpLatest, report.CatchUpAll, report.CatchUpNone} {
			w.makeReport(string(policy), each("0 9 1 * *", policy), to(email("mail", string(policy)+"@example.com")))
		}
		d := newDiary(w)
		d.days(181, w.care)
		if got := w.state(); got != connection.Connected && got != connection.NeedsCredentials {
			t.Errorf("the connection is %s", got)
		}
		d.wantSignIns(0, 6)
		d.days(39, w.care) // the token has been dead for weeks; it is August
		if got := w.state(); got != connection.NeedsCredentials {
			t.Errorf("the connection is %s after its token's end, want needs_credentials", got)
		}
		warned := map[int]string{150: "ends in 30 days", 166: "ends in 14 days", 173: "ends in 7 days", 179: "ends in a day"}
		broken := 0
		for on, subjects := range d.told {
			if strings.Contains(subjects, "needs attention") {
				broken = on
			}
		}
		if broken != 180 {
			t.Errorf("people heard on day %d that the connection is broken, want it on day 180, on which the token ended", broken)
		}
		warned[broken] = "needs attention"
		d.wantTold(0, warned)
		for _, policy := range []string{"latest", "all", "none"} {
			runs := w.runsOf(policy)
			if len(runs) != 8 {
				t.Fatalf("%s: got %d runs until August, want 8", policy, len(runs))
			}
			for _, r := range runs[6:] {
				w.wantRun(r.ID, run.Held, "")
			}
			w.wantMail(policy+"@example.com", 6)
		}
		w.wantMail(owner, 0)

		w.tableau.ResetStats()
		since := d.today()
		credential := w.newToken("second")
		_, err := w.connections.Edit(w.Context(), "c", connection.Edit{Credential: credential})
		w.succeed(err)
		d.days(1, w.care)
		for policy, want := range map[string]struct {
			states []run.State
			mails  int
		}{
			"latest": {[]run.State{run.Skipped, run.Delivered}, 7},
			"all":    {[]run.State{run.Delivered, run.Delivered}, 8},
			"none":   {[]run.State{run.Skipped, run.Skipped}, 6},
		} {
			var got []run.State
			for _, r := range w.runsOf(policy)[6:] {
				got = append(got, r.State)
			}
			if !slices.Equal(got, want.states) {
				t.Errorf("%s: the runs that were held are %v, want %v", policy, got, want.states)
			}
			w.wantMail(policy+"@example.com", want.mails)
		}
		w.wantIdle()

		d.days(178, w.care)
		d.wantTold(since, map[int]string{since + 150: "ends in 30 days", since + 166: "ends in 14 days", since + 173: "ends in 7 days"})
		d.days(1, w.care)
		if d.told[since+179] == "" {
			t.Error("people were not warned on the last day of the second token")
		}
		d.wantSignIns(since, 3*6)
		w.wantMail(owner, 0)
		if got := w.state(); got != connection.Connected {
			t.Errorf("the connection is %s, want connected", got)
		}
	})
}
