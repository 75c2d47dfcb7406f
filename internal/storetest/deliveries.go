package storetest

import (
	"fmt"
	"testing"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/run"
)

func deliveryChecks() []check {
	return []check{
		{"every field comes back", deliveryFields},
		{"what was given and what came back is not shared", deliveryNotShared},
		{"a key has one delivery", deliveryKeyOnce},
		{"deliveries stored at once are stored once", deliveryRace},
		{"what is missing is not found", deliveryMissing},
		{"an update counts and needs the current Rev", deliveryUpdate},
		{"of claims at once one wins", deliveryClaimRace},
		{"a run's deliveries come in order of key", deliveryOrder},
		{"open notices are listed by key", noticesOpen},
	}
}

func newDelivery(key, runID string) run.Delivery {
	return run.Delivery{Key: key, RunID: runID, Site: "site", DestinationID: "mail", Type: "email",
		To: []string{"a@example.com"}, State: run.Waiting, CreatedAt: start()}
}

func readDelivery(t tester, s Store, key string) run.Delivery {
	t.Helper()
	return must[run.Delivery](t)(s.Delivery(t.Context(), key))
}

// filledDeliveries makes one of a run and a notice, which together have every
// field.
func filledDeliveries(t tester) []run.Delivery {
	ofRun, notice := fill[run.Delivery](t), fill[run.Delivery](t)
	ofRun.Notice, ofRun.State = nil, run.Sending
	notice.Key, notice.RunID, notice.State = "notice."+notice.Key, "", run.Waiting
	return []run.Delivery{ofRun, notice}
}

func deliveryFields(t *testing.T, s Store) {
	deliveries := filledDeliveries(t)
	succeed(t, s.CreateDeliveries(t.Context(), nil, deliveries))
	for _, d := range deliveries {
		want := kept(d)
		want.Rev = 1
		same(t, readDelivery(t, s, d.Key), want)
		if d.RunID != "" {
			same(t, must[[]run.Delivery](t)(s.Deliveries(t.Context(), d.RunID)), []run.Delivery{want})
		}
		d.Rev, d.Message, d.Attempts = 1, "changed", 77
		want = kept(d)
		want.Rev = 2
		same(t, must[run.Delivery](t)(s.UpdateDelivery(t.Context(), nil, d)), want)
		same(t, readDelivery(t, s, d.Key), want)
	}
}

func deliveryNotShared(t *testing.T, s Store) {
	deliveries, before := filledDeliveries(t), filledDeliveries(t) // twice the same
	var want []run.Delivery
	for _, d := range before {
		d = kept(d)
		d.Rev = 1
		want = append(want, d)
	}
	succeed(t, s.CreateDeliveries(t.Context(), nil, deliveries))
	unchanged(t, deliveries, before)
	scribble(deliveries)
	for _, w := range want {
		got := readDelivery(t, s, w.Key)
		same(t, got, w)
		scribble(got)
		if w.RunID != "" {
			scribble(must[[]run.Delivery](t)(s.Deliveries(t.Context(), w.RunID)))
		}
		got = readDelivery(t, s, w.Key)
		scribble(must[run.Delivery](t)(s.UpdateDelivery(t.Context(), nil, got)))
		same(t, got, w)
		scribble(got)
		w.Rev++
		same(t, readDelivery(t, s, w.Key), w)
	}
}

func deliveryKeyOnce(t *testing.T, s Store) {
	succeed(t, s.CreateDeliveries(t.Context(), nil, []run.Delivery{newDelivery("a", "run")}))
	d := readDelivery(t, s, "a")
	same(t, d.Rev, 1)
	d.State = run.Sent
	d = must[run.Delivery](t)(s.UpdateDelivery(t.Context(), nil, d))

	succeed(t, s.CreateDeliveries(t.Context(), nil, []run.Delivery{newDelivery("a", "run"), newDelivery("b", "run")}))
	same(t, readDelivery(t, s, "a"), d)
	same(t, readDelivery(t, s, "b").Rev, 1)
	succeed(t, s.CreateDeliveries(t.Context(), nil, nil))

	// A notice that was sent is not to be sent again.
	succeed(t, s.CreateDeliveries(t.Context(), nil, []run.Delivery{newNotice("notice.a", "site")}))
	n := readDelivery(t, s, "notice.a")
	n.State = run.Sent
	must[run.Delivery](t)(s.UpdateDelivery(t.Context(), nil, n))
	succeed(t, s.CreateDeliveries(t.Context(), nil, []run.Delivery{newNotice("notice.a", "site")}))
	same(t, readDelivery(t, s, "notice.a").State, run.Sent)
	wantWork(t, s, "site", start())
}

func deliveryRace(t *testing.T, s Store) {
	deliveries := []run.Delivery{newDelivery("a", "run"), newDelivery("b", "run"), newNotice("notice", "site")}
	for _, err := range race(4, func(int) error { return s.CreateDeliveries(t.Context(), nil, deliveries) }) {
		succeed(t, err)
	}
	for _, d := range deliveries {
		d.Rev = 1
		same(t, readDelivery(t, s, d.Key), d)
	}
}

func deliveryMissing(t *testing.T, s Store) {
	_, err := s.Delivery(t.Context(), "none")
	wantKind(t, err, problem.NotFound)
	_, err = s.UpdateDelivery(t.Context(), nil, newDelivery("none", "run"))
	wantKind(t, err, problem.NotFound)
	_, err = s.UpdateDelivery(t.Context(), nil, newNotice("none", "site"))
	wantKind(t, err, problem.NotFound)
	same(t, must[[]run.Delivery](t)(s.Deliveries(t.Context(), "run")), nil)
	wantWork(t, s, "site", start())
}

func deliveryUpdate(t *testing.T, s Store) {
	succeed(t, s.CreateDeliveries(t.Context(), nil, []run.Delivery{newDelivery("a", "run")}))
	d := readDelivery(t, s, "a")
	d.State, d.Attempts = run.Sending, 1
	want := d
	want.Rev = 2
	same(t, must[run.Delivery](t)(s.UpdateDelivery(t.Context(), nil, d)), want)
	for _, rev := range []int64{0, 1, 3} {
		late := newDelivery("a", "run")
		late.Rev = rev
		_, err := s.UpdateDelivery(t.Context(), nil, late)
		wantKind(t, err, problem.Stale)
	}
	same(t, readDelivery(t, s, "a"), want)
}

func deliveryClaimRace(t *testing.T, s Store) {
	succeed(t, s.CreateDeliveries(t.Context(), nil, []run.Delivery{newDelivery("a", "run")}))
	d := readDelivery(t, s, "a")
	oneWins(t, race(4, func(i int) error {
		claim := d
		claim.State, claim.ProviderID = run.Sending, fmt.Sprint(i)
		_, err := s.UpdateDelivery(t.Context(), nil, claim)
		return err
	}), isKind(problem.Stale))
	same(t, readDelivery(t, s, "a").Rev, 2)
}

func deliveryOrder(t *testing.T, s Store) {
	var deliveries []run.Delivery
	var want []string
	for i := range 60 {
		want = append(want, fmt.Sprintf("run.mail.%02d", i))
		deliveries = append(deliveries, newDelivery(fmt.Sprintf("run.mail.%02d", 59-i), "run"))
	}
	succeed(t, s.CreateDeliveries(t.Context(), nil, append(deliveries[:30:30], newDelivery("other.mail", "other"))))
	succeed(t, s.CreateDeliveries(t.Context(), nil, append(deliveries[30:], newDelivery("run2.mail", "run2"), newNotice("run.notice", "site"))))
	got := must[[]run.Delivery](t)(s.Deliveries(t.Context(), "run"))
	same(t, ids(got, func(d run.Delivery) string { return d.Key }), want)
}

func noticesOpen(t *testing.T, s Store) {
	var notices []run.Delivery
	var keys []string
	for _, what := range []string{"A", "AB", "B"} {
		for i := range 12 {
			n := newNotice(fmt.Sprintf("%sbroken.%02d", run.NoticesOf(what), i), "site")
			notices, keys = append(notices, n), append(keys, n.Key)
		}
	}
	succeed(t, s.CreateDeliveries(t.Context(), nil, append(notices[:3:3], newDelivery("notice.A.mail", "run"))))
	succeed(t, s.CreateDeliveries(t.Context(), nil, notices))
	list := func(prefix, after string, limit int) ([]string, string) {
		list, next, err := s.OpenNotices(t.Context(), prefix, after, limit)
		succeed(t, err)
		return ids(list, func(d run.Delivery) string { return d.Key }), next
	}
	want := func(prefix string, want []string) {
		t.Helper()
		eventually(t, func() string {
			got, next := list(prefix, "", 100)
			if next != "" {
				return "there is more"
			}
			return differs(got, want)
		})
	}
	want("notice.", keys)
	want(run.NoticesOf("A"), keys[:12])
	want(run.NoticesOf("AB"), keys[12:24])
	want(run.NoticesOf("C"), nil)

	// By pages, and with a field that comes back.
	var paged []string
	for after, more := "", true; more; more = after != "" {
		var some []string
		some, after = list("notice.", after, 5)
		paged = append(paged, some...)
	}
	same(t, paged, keys)
	got, _, err := s.OpenNotices(t.Context(), run.NoticesOf("A"), keys[10], 1)
	succeed(t, err)
	same(t, got, []run.Delivery{readDelivery(t, s, keys[11])})

	for i, state := range []run.DeliveryState{run.Sent, run.Withdrawn, run.DeliveryFailed, run.Sending, run.Unsure} {
		n := readDelivery(t, s, keys[i])
		n.State = state
		must[run.Delivery](t)(s.UpdateDelivery(t.Context(), nil, n))
	}
	want(run.NoticesOf("A"), keys[3:12])
}
