package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/run"
)

func workChecks() []check {
	return []check{
		{"a run's work follows its state", workFollowsRun},
		{"a notice's work follows its state", workFollowsNotice},
		{"work comes when it is due, the oldest first", workOrder},
		{"probes and keepalives are put, moved and dropped", workPut},
		{"sites with work are those with some due and no lease", workSites},
		{"work to come is that after a time", futureWork},
		{"the pulse is written by one at a time", pulse},
		{"work follows its model", workModel},
	}
}

// workOf gives the open work of a run.
func workOf(r run.Run) run.Work {
	return run.Work{Site: r.Site, Kind: run.WorkRun, Ref: r.ID, NotBefore: r.NotBefore, Running: r.State == run.Running}
}

func wantWork(t tester, s Store, site string, now time.Time, want ...run.Work) {
	t.Helper()
	eventually(t, func() string {
		work := must[[]run.Work](t)(s.Work(t.Context(), site, now, 1000))
		return differs(work, want)
	})
}

func wantSites(t tester, s Store, now time.Time, want ...string) {
	t.Helper()
	eventually(t, func() string {
		sites := must[[]string](t)(s.WorkSites(t.Context(), now))
		slices.Sort(sites)
		return differs(sites, want)
	})
}

func workFollowsRun(t *testing.T, s Store) {
	now := start()
	r := storeRun(t, s, newRun("r", "site"))
	wantWork(t, s, "site", now, workOf(r))
	wantHeld := func(want ...string) {
		t.Helper()
		eventually(t, func() string {
			return differs(ids(must[[]run.Run](t)(s.HeldRuns(t.Context(), "site", "connection-of-site", "", 10)), runID), want)
		})
	}
	for _, state := range []run.State{run.Running, run.Queued, run.Held, run.Queued, run.Running, run.Delivered, run.Queued,
		run.Failed, run.Queued, run.PartlyDelivered, run.Queued, run.Skipped, run.Held, run.Skipped} {
		r.State = state
		r = updateRun(t, s, r)
		switch state {
		case run.Queued, run.Running:
			wantWork(t, s, "site", now, workOf(r))
			wantSites(t, s, now, "site")
			wantHeld()
		case run.Held:
			wantWork(t, s, "site", now.AddDate(1, 0, 0))
			wantSites(t, s, now.AddDate(1, 0, 0))
			wantHeld("r")
		default:
			wantWork(t, s, "site", now.AddDate(1, 0, 0))
			wantSites(t, s, now.AddDate(1, 0, 0))
			wantHeld()
		}
	}
	// Queued for later, and made in each state.
	r.State, r.NotBefore = run.Queued, now.Add(5*time.Minute)
	r = updateRun(t, s, r)
	wantWork(t, s, "site", now.Add(5*time.Minute-time.Microsecond))
	wantWork(t, s, "site", now.Add(5*time.Minute), workOf(r))
	r.NotBefore = time.Time{}
	r = updateRun(t, s, r)
	wantWork(t, s, "site", now, workOf(r))
	for _, state := range []run.State{run.Held, run.Delivered, run.Skipped} {
		made := newRun("made "+string(state), "site")
		made.State = state
		storeRun(t, s, made)
	}
	wantWork(t, s, "site", now, workOf(r))
	wantHeld("made held")
}

func workFollowsNotice(t *testing.T, s Store) {
	now := start()
	n := newNotice("notice", "site")
	succeed(t, s.CreateDeliveries(t.Context(), nil, []run.Delivery{n, newDelivery("run.mail", "run")}))
	want := run.Work{Site: "site", Kind: run.SendNote, Ref: "notice", NotBefore: n.NotBefore}
	wantWork(t, s, "site", now, want)
	wantSites(t, s, now, "site")

	n = readDelivery(t, s, "notice")
	for _, state := range []run.DeliveryState{run.Sending, run.Unsure, run.Waiting} {
		n.State, n.NotBefore = state, n.NotBefore.Add(time.Minute)
		n = must[run.Delivery](t)(s.UpdateDelivery(t.Context(), nil, n))
		want.NotBefore = n.NotBefore
		wantWork(t, s, "site", n.NotBefore.Add(-time.Second))
		wantWork(t, s, "site", n.NotBefore, want)
	}
	for i, state := range []run.DeliveryState{run.Sent, run.Confirmed, run.Bounced, run.DeliveryFailed, run.Withdrawn} {
		n := newNotice(fmt.Sprint("notice ", i), "settled")
		succeed(t, s.CreateDeliveries(t.Context(), nil, []run.Delivery{n}))
		wantWork(t, s, "settled", now, run.Work{Site: "settled", Kind: run.SendNote, Ref: n.Key, NotBefore: n.NotBefore})
		n.Rev, n.State = 1, state
		must[run.Delivery](t)(s.UpdateDelivery(t.Context(), nil, n))
		wantWork(t, s, "settled", now.AddDate(1, 0, 0))
	}
	n.State = run.Sent
	must[run.Delivery](t)(s.UpdateDelivery(t.Context(), nil, n))
	wantWork(t, s, "site", now.AddDate(1, 0, 0))
	wantSites(t, s, now.AddDate(1, 0, 0))
}

func workOrder(t *testing.T, s Store) {
	now := start()
	var want []run.Work
	for i, notBefore := range []time.Time{{}, now.Add(-time.Hour), now.Add(-time.Minute), now.Add(-time.Second), now, now.Add(time.Microsecond)} {
		r := newRun(fmt.Sprint("run-", 9-i), "site")
		r.NotBefore = notBefore
		if i%2 == 1 {
			r.State = run.Running
		}
		want = append(want, workOf(storeRun(t, s, r)))
	}
	storeRun(t, s, newRun("other", "other site"))
	wantWork(t, s, "site", now, want[:5]...)
	wantWork(t, s, "site", now.Add(time.Hour), want...)
	same(t, must[[]run.Work](t)(s.Work(t.Context(), "site", now, 2)), want[:2])
	wantWork(t, s, "no such site", now)
}

func workPut(t *testing.T, s Store) {
	now := start()
	probe := run.Work{Site: "site", Kind: run.Probe, Ref: "c", NotBefore: now.Add(time.Minute)}
	keep := run.Work{Site: "site", Kind: run.KeepAlive, Ref: "c", NotBefore: now}
	elsewhere := run.Work{Site: "other site", Kind: run.Probe, Ref: "c", NotBefore: now}
	for _, w := range []run.Work{probe, keep, elsewhere} {
		succeed(t, s.PutWork(t.Context(), w))
	}
	wantWork(t, s, "site", now, keep)
	wantWork(t, s, "site", now.Add(time.Minute), keep, probe)
	wantWork(t, s, "other site", now, elsewhere)
	wantSites(t, s, now, "other site", "site")

	probe.NotBefore = now.Add(-time.Minute)
	succeed(t, s.PutWork(t.Context(), probe))
	wantWork(t, s, "site", now, probe, keep)
	probe.NotBefore = now.Add(time.Hour)
	succeed(t, s.PutWork(t.Context(), probe))
	wantWork(t, s, "site", now, keep)

	succeed(t, s.DropWork(t.Context(), run.Work{Site: "site", Kind: run.Probe, Ref: "c"}))
	succeed(t, s.DropWork(t.Context(), run.Work{Site: "site", Kind: run.Probe, Ref: "c"}))
	wantWork(t, s, "site", now.Add(time.Hour), keep)
	succeed(t, s.DropWork(t.Context(), keep))
	wantWork(t, s, "site", now.Add(time.Hour))
	wantSites(t, s, now, "other site")
}

func workSites(t *testing.T, s Store) {
	now := start()
	wantSites(t, s, now)
	for i := range 3 { // several pieces of work name their site once
		storeRun(t, s, newRun(fmt.Sprint("due-", i), "due"))
	}
	future := newRun("future", "future")
	future.NotBefore = now.Add(time.Minute)
	storeRun(t, s, future)
	held := newRun("held", "held")
	held.State = run.Held
	storeRun(t, s, held)
	crashed := newRun("crashed", "crashed")
	crashed.State = run.Running
	storeRun(t, s, crashed)
	storeRun(t, s, newRun("leased", "leased"))
	must[run.Lease](t)(s.LeaseSite(t.Context(), "leased", "me", now, now.Add(30*time.Second)))
	must[run.Lease](t)(s.LeaseSite(t.Context(), "without work", "me", now, now.Add(time.Second)))

	wantSites(t, s, now, "crashed", "due")
	wantSites(t, s, now.Add(30*time.Second-time.Microsecond), "crashed", "due")
	wantSites(t, s, now.Add(30*time.Second), "crashed", "due", "leased")
	wantSites(t, s, now.Add(time.Minute), "crashed", "due", "future", "leased")
	wantSites(t, s, now.Add(-time.Hour))
}

// workModel does to two sites whatever may be done, and keeps book.
func workModel(t *testing.T, s Store) {
	var name names
	rapid.Check(t, func(t *rapid.T) {
		mark := name.next() // the store is not empty after the first round
		sites := []string{mark + "/a", mark + "/b"}
		now := start()
		runs := map[string]run.Run{}
		notices := map[string]run.Delivery{}
		put := map[string]run.Work{}
		leases := map[string]run.Lease{}

		site := func(t *rapid.T) string { return rapid.SampledFrom(sites).Draw(t, "site") }
		later := func(t *rapid.T) time.Time {
			return now.Add(time.Duration(rapid.IntRange(-2, 3).Draw(t, "minutes")) * time.Minute)
		}
		state := func(t *rapid.T) run.State {
			return rapid.SampledFrom([]run.State{run.Queued, run.Running, run.Held, run.Delivered, run.Skipped}).Draw(t, "state")
		}
		t.Repeat(map[string]func(*rapid.T){
			"create run": func(t *rapid.T) {
				r := newRun(name.next(), site(t))
				r.State, r.NotBefore = state(t), later(t)
				runs[r.ID] = storeRun(t, s, r)
			},
			"update run": func(t *rapid.T) {
				if len(runs) == 0 {
					t.Skip()
				}
				r := runs[rapid.SampledFrom(keys(runs)).Draw(t, "run")]
				r.State, r.NotBefore = state(t), later(t)
				var by *run.Lease
				if l, ok := leases[r.Site]; ok && rapid.Bool().Draw(t, "as drain") {
					by = &l
				}
				runs[r.ID] = must[run.Run](t)(s.UpdateRun(t.Context(), by, r))
			},
			"create notice": func(t *rapid.T) {
				n := newNotice("notice."+name.next(), site(t))
				n.NotBefore = later(t)
				succeed(t, s.CreateDeliveries(t.Context(), nil, []run.Delivery{n}))
				n.Rev = 1
				notices[n.Key] = n
			},
			"update notice": func(t *rapid.T) {
				if len(notices) == 0 {
					t.Skip()
				}
				n := notices[rapid.SampledFrom(keys(notices)).Draw(t, "notice")]
				n.State = rapid.SampledFrom([]run.DeliveryState{run.Waiting, run.Sending, run.Unsure, run.Sent, run.DeliveryFailed}).Draw(t, "state")
				n.NotBefore = later(t)
				notices[n.Key] = must[run.Delivery](t)(s.UpdateDelivery(t.Context(), nil, n))
			},
			"put work": func(t *rapid.T) {
				w := run.Work{Site: site(t), Kind: rapid.SampledFrom([]run.WorkKind{run.Probe, run.KeepAlive}).Draw(t, "kind"),
					Ref: mark + "c", NotBefore: later(t)}
				succeed(t, s.PutWork(t.Context(), w))
				put[w.Site+string(w.Kind)] = w
			},
			"drop work": func(t *rapid.T) {
				w := run.Work{Site: site(t), Kind: rapid.SampledFrom([]run.WorkKind{run.Probe, run.KeepAlive}).Draw(t, "kind"), Ref: mark + "c"}
				succeed(t, s.DropWork(t.Context(), w))
				delete(put, w.Site+string(w.Kind))
			},
			"lease": func(t *rapid.T) {
				l := must[run.Lease](t)(s.LeaseSite(t.Context(), site(t), "me", now, now.Add(time.Minute)))
				leases[l.Site] = l
			},
			"release": func(t *rapid.T) {
				if l, ok := leases[site(t)]; ok {
					succeed(t, s.ReleaseSite(t.Context(), l))
					l.Until = time.Time{}
					leases[l.Site] = l
				}
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 120).Draw(t, "seconds")) * time.Second)
			},
			"": func(t *rapid.T) {
				open := map[string][]run.Work{}
				held := map[string][]string{}
				for _, r := range runs {
					if r.State == run.Held {
						held[r.Site] = append(held[r.Site], r.ID)
					} else if r.State.Open() {
						open[r.Site] = append(open[r.Site], workOf(r))
					}
				}
				for _, n := range notices {
					if !n.State.Settled() {
						open[n.Site] = append(open[n.Site], run.Work{Site: n.Site, Kind: run.SendNote, Ref: n.Key, NotBefore: n.NotBefore})
					}
				}
				for _, w := range put {
					open[w.Site] = append(open[w.Site], w)
				}
				var ringing []string
				for _, site := range sites {
					work := slices.DeleteFunc(open[site], func(w run.Work) bool { return w.NotBefore.After(now) })
					slices.SortFunc(work, byAge)
					eventually(t, func() string {
						got := must[[]run.Work](t)(s.Work(t.Context(), site, now, 1000))
						if !slices.IsSortedFunc(got, func(a, b run.Work) int { return a.NotBefore.Compare(b.NotBefore) }) {
							return fmt.Sprintf("the work is not in order of age: %v", got)
						}
						slices.SortFunc(got, byAge)
						return differs(got, work)
					})
					slices.Sort(held[site])
					eventually(t, func() string {
						return differs(ids(must[[]run.Run](t)(s.HeldRuns(t.Context(), site, "connection-of-"+site, "", 1000)), runID), held[site])
					})
					if len(work) > 0 && !leases[site].Until.After(now) {
						ringing = append(ringing, site)
					}
				}
				eventually(t, func() string {
					got := must[[]string](t)(s.WorkSites(t.Context(), now))
					got = slices.DeleteFunc(got, func(site string) bool { return !strings.HasPrefix(site, mark) })
					slices.Sort(got)
					return differs(got, ringing)
				})
			},
		})
	})
}

// byAge orders work fully, so that work of the same age can be compared.
func byAge(a, b run.Work) int {
	return cmp.Or(a.NotBefore.Compare(b.NotBefore), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Ref, b.Ref))
}

func keys[T any](m map[string]T) []string {
	list := make([]string, 0, len(m))
	for key := range m {
		list = append(list, key)
	}
	slices.Sort(list)
	return list
}

func futureWork(t *testing.T, s Store) {
	now := start()
	var all []run.Work
	for i, at := range []time.Duration{-time.Hour, 0, time.Microsecond, time.Hour, 366 * 24 * time.Hour} {
		r := newRun(fmt.Sprint("r", i), "site")
		r.NotBefore = now.Add(at)
		all = append(all, workOf(storeRun(t, s, r)))
	}
	elsewhere := newRun("elsewhere", "site-2")
	elsewhere.NotBefore = now.Add(time.Hour)
	storeRun(t, s, elsewhere)
	held := newRun("held", "site")
	held.NotBefore, held.State = now.Add(time.Hour), run.Held
	storeRun(t, s, held)
	probe := run.Work{Site: "site", Kind: run.Probe, Ref: "c", NotBefore: now.Add(2 * time.Hour)}
	succeed(t, s.PutWork(t.Context(), probe))
	for _, test := range []struct {
		after time.Time
		limit int
		want  []run.Work
	}{
		{now.Add(-2 * time.Hour), 10, []run.Work{all[0], all[1], all[2], all[3], probe, all[4]}},
		{now, 10, []run.Work{all[2], all[3], probe, all[4]}},
		{now.Add(time.Hour), 10, []run.Work{probe, all[4]}},
		{now.Add(time.Hour), 1, []run.Work{probe}},
		{now.Add(400 * 24 * time.Hour), 10, nil},
	} {
		eventually(t, func() string {
			return differs(must[[]run.Work](t)(s.FutureWork(t.Context(), "site", test.after, test.limit)), test.want)
		})
	}
}

func pulse(t *testing.T, s Store) {
	if got := must[run.Pulse](t)(s.Pulse(t.Context())); got != (run.Pulse{}) {
		t.Fatalf("got pulse %+v of a new store, want none", got)
	}
	p := fill[run.Pulse](t)
	p.Rev = 0
	succeed(t, s.PutPulse(t.Context(), p))
	wantKind(t, s.PutPulse(t.Context(), p), problem.Stale)
	p = kept(p)
	p.Rev = 1
	if diff := differs(must[run.Pulse](t)(s.Pulse(t.Context())), p); diff != "" {
		t.Error(diff)
	}
	next := p
	next.At, next.Worked, next.HealedAt = start().Add(time.Minute), 2*time.Minute, time.Time{}
	succeed(t, s.PutPulse(t.Context(), next))
	wantKind(t, s.PutPulse(t.Context(), next), problem.Stale)
	next.Rev = 2
	if diff := differs(must[run.Pulse](t)(s.Pulse(t.Context())), next); diff != "" {
		t.Error(diff)
	}
}
