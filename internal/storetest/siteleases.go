package storetest

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/run"
)

func siteLeaseChecks() []check {
	return []check{
		{"a lease is one drain's until it ends", siteLease},
		{"of leases taken at once one wins", siteLeaseRace},
		{"a lease is renewed", siteRenew},
		{"a lease is released", siteRelease},
		{"a lease of a clock far ahead does not hold", siteClockAhead},
		{"a late drain writes nothing", siteFence},
		{"a drain races with its successor", siteFenceRace},
		{"leases follow their model", siteLeaseModel},
	}
}

func leaseSite(t tester, s Store, site, holder string, now time.Time) run.Lease {
	t.Helper()
	return must[run.Lease](t)(s.LeaseSite(t.Context(), site, holder, now, now.Add(time.Minute)))
}

func siteLease(t *testing.T, s Store) {
	now := start()
	first := leaseSite(t, s, "site", "a", now)
	same(t, first, run.Lease{Site: "site", Holder: "a", Fence: first.Fence, Until: now.Add(time.Minute)})
	for _, at := range []time.Time{now, now.Add(time.Minute - time.Microsecond)} {
		_, err := s.LeaseSite(t.Context(), "site", "b", at, at.Add(time.Minute))
		wantError(t, err, run.ErrLeaseHeld)
	}
	leaseSite(t, s, "other site", "b", now)
	second := leaseSite(t, s, "site", "a", now.Add(time.Second)) // its own may be taken again
	third := leaseSite(t, s, "site", "b", now.Add(2*time.Minute))
	fourth := leaseSite(t, s, "site", "c", third.Until) // ended at this moment
	if first.Fence >= second.Fence || second.Fence >= third.Fence || third.Fence >= fourth.Fence {
		t.Errorf("got the fences %d, %d, %d, %d, want each above the one before", first.Fence, second.Fence, third.Fence, fourth.Fence)
	}
	wantError(t, s.RenewSite(t.Context(), first, now.Add(time.Hour)), run.ErrFenced)
}

func siteLeaseRace(t *testing.T, s Store) {
	now, fence := start(), int64(0)
	for range 5 {
		leases := make([]run.Lease, 4)
		winner := oneWins(t, race(len(leases), func(i int) (err error) {
			leases[i], err = s.LeaseSite(t.Context(), "site", fmt.Sprint("holder ", i), now, now.Add(time.Minute))
			return err
		}), isError(run.ErrLeaseHeld))
		if leases[winner].Fence <= fence {
			t.Errorf("got the fence %d after %d", leases[winner].Fence, fence)
		}
		fence, now = leases[winner].Fence, now.Add(time.Minute)
	}
}

func siteRenew(t *testing.T, s Store) {
	now := start()
	l := leaseSite(t, s, "site", "a", now)
	succeed(t, s.RenewSite(t.Context(), l, now.Add(2*time.Minute)))
	_, err := s.LeaseSite(t.Context(), "site", "b", now.Add(90*time.Second), now.Add(time.Hour))
	wantError(t, err, run.ErrLeaseHeld)
	// Late, but nobody has taken the site in between.
	succeed(t, s.RenewSite(t.Context(), l, now.Add(10*time.Minute)))
	_, err = s.LeaseSite(t.Context(), "site", "b", now.Add(9*time.Minute), now.Add(time.Hour))
	wantError(t, err, run.ErrLeaseHeld)
	storeRun(t, s, newRun("r", "site"))
	wantSites(t, s, now.Add(9*time.Minute))

	next := leaseSite(t, s, "site", "b", now.Add(11*time.Minute))
	wantError(t, s.RenewSite(t.Context(), l, now.Add(time.Hour)), run.ErrFenced)
	_, err = s.LeaseSite(t.Context(), "site", "c", now.Add(13*time.Minute), now.Add(time.Hour)) // l's renewal did not lengthen it
	succeed(t, err)
	wantError(t, s.RenewSite(t.Context(), next, now.Add(time.Hour)), run.ErrFenced)
	wantError(t, s.RenewSite(t.Context(), run.Lease{Site: "never leased", Holder: "a", Fence: 1}, now), run.ErrFenced)
}

func siteRelease(t *testing.T, s Store) {
	now := start()
	storeRun(t, s, newRun("r", "site"))
	first := leaseSite(t, s, "site", "a", now)
	wantSites(t, s, now)
	succeed(t, s.ReleaseSite(t.Context(), first))
	wantSites(t, s, now, "site")
	// A renewal that comes too late must not take the site back.
	wantError(t, s.RenewSite(t.Context(), first, now.Add(time.Hour)), run.ErrFenced)
	wantSites(t, s, now, "site")

	second := leaseSite(t, s, "site", "b", now)
	if second.Fence <= first.Fence {
		t.Errorf("got the fence %d after %d was released", second.Fence, first.Fence)
	}
	succeed(t, s.ReleaseSite(t.Context(), first))
	_, err := s.LeaseSite(t.Context(), "site", "c", now, now.Add(time.Minute))
	wantError(t, err, run.ErrLeaseHeld)
	succeed(t, s.RenewSite(t.Context(), second, now.Add(time.Minute)))
	succeed(t, s.ReleaseSite(t.Context(), second))
	succeed(t, s.ReleaseSite(t.Context(), second))
	succeed(t, s.ReleaseSite(t.Context(), run.Lease{Site: "never leased", Holder: "a", Fence: 1}))
	leaseSite(t, s, "never leased", "a", now)
}

// A machine's clock was set back by an hour after its process died.
func siteClockAhead(t *testing.T, s Store) {
	now := start()
	storeRun(t, s, newRun("r", "site"))
	dead := leaseSite(t, s, "site", "dead", now.Add(time.Hour))
	wantSites(t, s, now, "site")
	next := leaseSite(t, s, "site", "b", now)
	if next.Fence <= dead.Fence {
		t.Errorf("got the fence %d after %d", next.Fence, dead.Fence)
	}
	wantError(t, s.RenewSite(t.Context(), dead, now.Add(time.Hour)), run.ErrFenced)
	wantSites(t, s, now)
	// Clocks that differ a little do not take a lease from one another.
	_, err := s.LeaseSite(t.Context(), "site", "c", now.Add(-time.Minute), now)
	wantError(t, err, run.ErrLeaseHeld)
	wantSites(t, s, now.Add(-time.Minute))
}

func siteFence(t *testing.T, s Store) {
	now := start()
	r := storeRun(t, s, newRun("r", "site"))
	succeed(t, s.CreateDeliveries(t.Context(), nil, []run.Delivery{newDelivery("d", "r"), newNotice("n", "site")}))
	d, n := readDelivery(t, s, "d"), readDelivery(t, s, "n")

	late := leaseSite(t, s, "site", "late", now)
	r = must[run.Run](t)(s.UpdateRun(t.Context(), &late, r))
	now = now.Add(2 * time.Minute)
	r = must[run.Run](t)(s.UpdateRun(t.Context(), &late, r)) // run out, but nobody has taken the site
	current := leaseSite(t, s, "site", "current", now)

	edit := r
	edit.State = run.Failed
	refused := func(lease run.Lease) {
		t.Helper()
		for _, rev := range []int64{r.Rev, r.Rev - 1} { // whatever else is wrong
			edit.Rev = rev
			_, err := s.UpdateRun(t.Context(), &lease, edit)
			wantError(t, err, run.ErrFenced)
		}
		gone := newRun("none", "site")
		_, err := s.UpdateRun(t.Context(), &lease, gone)
		wantError(t, err, run.ErrFenced)
		for _, delivery := range []run.Delivery{d, n} {
			delivery.State = run.Sent
			_, err := s.UpdateDelivery(t.Context(), &lease, delivery)
			wantError(t, err, run.ErrFenced)
		}
		wantError(t, s.CreateDeliveries(t.Context(), &lease, []run.Delivery{newDelivery("d", "r"), newDelivery("new", "r"), newNotice("new notice", "site")}), run.ErrFenced)
		wantError(t, s.RenewSite(t.Context(), lease, now.Add(time.Hour)), run.ErrFenced)
		succeed(t, s.ReleaseSite(t.Context(), lease))
	}
	refused(late)
	refused(run.Lease{Site: "never leased", Holder: "late", Fence: 1})
	same(t, readRun(t, s, "r"), r)
	same(t, readDelivery(t, s, "d"), d)
	same(t, readDelivery(t, s, "n"), n)
	for _, key := range []string{"new", "new notice"} {
		_, err := s.Delivery(t.Context(), key)
		wantKind(t, err, problem.NotFound)
	}
	wantWork(t, s, "site", now, run.Work{Site: "site", Kind: run.SendNote, Ref: "n", NotBefore: n.NotBefore}, workOf(r))

	// The current drain, and who is no drain, may write.
	edit.Rev = r.Rev
	edit = must[run.Run](t)(s.UpdateRun(t.Context(), &current, edit))
	succeed(t, s.CreateDeliveries(t.Context(), &current, []run.Delivery{newDelivery("new", "r")}))
	d = must[run.Delivery](t)(s.UpdateDelivery(t.Context(), &current, d))
	must[run.Run](t)(s.UpdateRun(t.Context(), nil, edit))
	must[run.Delivery](t)(s.UpdateDelivery(t.Context(), nil, d))
	succeed(t, s.CreateDeliveries(t.Context(), nil, []run.Delivery{newDelivery("newer", "r")}))
}

func siteFenceRace(t *testing.T, s Store) {
	for round := range 10 {
		site := fmt.Sprint("site-", round)
		r := storeRun(t, s, newRun(fmt.Sprint("r-", round), site))
		old := leaseSite(t, s, site, "old", start())
		var next run.Lease
		errs := race(2, func(i int) (err error) {
			if i == 0 {
				next, err = s.LeaseSite(t.Context(), site, "next", old.Until, old.Until.Add(time.Minute))
				return err
			}
			edit := r
			edit.State = run.Running
			_, err = s.UpdateRun(t.Context(), &old, edit)
			return err
		})
		succeed(t, errs[0])
		got := readRun(t, s, r.ID)
		if errs[1] == nil { // before it was fenced
			same(t, got.State, run.Running)
		} else {
			wantError(t, errs[1], run.ErrFenced)
			same(t, got, r)
		}
		must[run.Run](t)(s.UpdateRun(t.Context(), &next, got))
	}
}

func siteLeaseModel(t *testing.T, s Store) {
	var name names
	rapid.Check(t, func(t *rapid.T) {
		site, now := name.next(), start()
		r := storeRun(t, s, newRun(name.next(), site))
		var held run.Lease // zero Until: none
		leases := []run.Lease{{Site: site, Holder: "nobody", Fence: 0}}
		t.Repeat(map[string]func(*rapid.T){
			"lease": func(t *rapid.T) {
				holder := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "holder")
				until := now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
				got, err := s.LeaseSite(t.Context(), site, holder, now, until)
				if held.Holder != holder && held.Until.After(now) {
					wantError(t, err, run.ErrLeaseHeld)
					return
				}
				succeed(t, err)
				if got.Fence <= held.Fence {
					t.Fatalf("got the fence %d after %d", got.Fence, held.Fence)
				}
				held = run.Lease{Site: site, Holder: holder, Fence: got.Fence, Until: until}
				same(t, got, held)
				leases = append(leases, got)
			},
			"renew": func(t *rapid.T) {
				l := rapid.SampledFrom(leases).Draw(t, "lease")
				until := now.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "seconds")) * time.Second)
				err := s.RenewSite(t.Context(), l, until)
				if l.Fence != held.Fence || held.Until.IsZero() {
					wantError(t, err, run.ErrFenced)
					return
				}
				succeed(t, err)
				held.Until = until
			},
			"release": func(t *rapid.T) {
				l := rapid.SampledFrom(leases).Draw(t, "lease")
				succeed(t, s.ReleaseSite(t.Context(), l))
				if l.Fence == held.Fence {
					held.Until = time.Time{}
				}
			},
			"write": func(t *rapid.T) {
				l := rapid.SampledFrom(leases).Draw(t, "lease")
				edit := r
				edit.Attempts++
				got, err := s.UpdateRun(t.Context(), &l, edit)
				if l.Fence != held.Fence || held.Fence == 0 {
					wantError(t, err, run.ErrFenced)
					return
				}
				succeed(t, err)
				edit.Rev++
				same(t, got, edit)
				r = edit
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 120).Draw(t, "seconds")) * time.Second)
			},
			"": func(t *rapid.T) { same(t, readRun(t, s, r.ID), r) },
		})
	})
}
