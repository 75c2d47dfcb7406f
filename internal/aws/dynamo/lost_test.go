package dynamo_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/aws/dynamo"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/run"
)

// TestAWriteWhoseAnswerWasLostIsNoRefusal has each writer's transaction applied,
// its answer lost, and its repeat cancelled by throttling or without an answer.
// The writer has succeeded, once.
func TestAWriteWhoseAnswerWasLostIsNoRefusal(t *testing.T) {
	t.Parallel()
	s, client := openThrough(t, newLossy)
	n := 0
	id := func(what string) string { return fmt.Sprintf("%s-%d", what, n) }
	succeed(t, s.CreateConnection(t.Context(), newConnection("c"), nil))
	lease, err := s.LeaseSite(t.Context(), "tableau.example.com/acme", "me", start(), start().Add(time.Minute))
	succeed(t, err)

	madeConnection := func() connection.Connection {
		c := newConnection(id("connection"))
		succeed(t, s.CreateConnection(t.Context(), c, nil))
		c.Rev = 1
		return c
	}
	madeDestination := func() deliver.Destination {
		d := deliver.Destination{ID: id("destination"), Name: "#sales", SecretVersion: "1"}
		succeed(t, s.CreateDestination(t.Context(), d))
		d.Rev = 1
		return d
	}
	madeRun := func() run.Run {
		r, err := s.CreateRun(t.Context(), newRun(id("run"), id("report"), start()))
		succeed(t, err)
		return r
	}
	madeDelivery := func() run.Delivery {
		d := run.Delivery{Key: id("delivery"), RunID: id("run"), Site: lease.Site, State: run.Waiting}
		succeed(t, s.CreateDeliveries(t.Context(), &lease, []run.Delivery{d}))
		d.Rev = 1
		return d
	}

	// prepare makes what is written, and gives the write and a look at what came of it.
	for name, prepare := range map[string]func() (write func() error, check func() error){
		"a new connection": func() (func() error, func() error) {
			c := newConnection(id("connection"))
			return func() error { return s.CreateConnection(t.Context(), c, nil, connection.Event{ID: "1", Slot: "1"}) },
				func() error { return wantRev(connectionRev(s, t, c.ID))(1) }
		},
		"an edited connection": func() (func() error, func() error) {
			c := madeConnection()
			c.CredentialVersion, c.Fingerprint = "2", c.Fingerprint+"-2"
			return func() error {
				return s.UpdateConnection(t.Context(), c, &connection.Session{ConnectionID: c.ID}, connection.Event{ID: "1", Slot: "1"})
			}, func() error { return wantRev(connectionRev(s, t, c.ID))(2) }
		},
		"a deleted connection": func() (func() error, func() error) {
			c := madeConnection()
			return func() error { return s.DeleteConnection(t.Context(), c.ID, 1) }, func() error { return gone(connectionRev(s, t, c.ID)) }
		},
		"a new destination": func() (func() error, func() error) {
			d := deliver.Destination{ID: id("destination")}
			return func() error { return s.CreateDestination(t.Context(), d) },
				func() error { return wantRev(destinationRev(s, t, d.ID))(1) }
		},
		"an edited destination": func() (func() error, func() error) {
			d := madeDestination()
			return func() error { return s.UpdateDestination(t.Context(), d) },
				func() error { return wantRev(destinationRev(s, t, d.ID))(2) }
		},
		"a deleted destination": func() (func() error, func() error) {
			d := madeDestination()
			return func() error { return s.DeleteDestination(t.Context(), d.ID, 1) },
				func() error { return gone(destinationRev(s, t, d.ID)) }
		},
		"a new report": func() (func() error, func() error) {
			r := newReport(id("report"), start())
			return func() error { return s.CreateReport(t.Context(), r) }, func() error { return wantRev(reportRev(s, t, r.ID))(1) }
		},
		"an edited report": func() (func() error, func() error) {
			r := storeReport(t, s, newReport(id("report"), start()))
			return func() error { return s.UpdateReport(t.Context(), r) }, func() error { return wantRev(reportRev(s, t, r.ID))(2) }
		},
		"a deleted report": func() (func() error, func() error) {
			r := storeReport(t, s, newReport(id("report"), start()))
			return func() error { return s.DeleteReport(t.Context(), r.ID, 1) }, func() error { return gone(reportRev(s, t, r.ID)) }
		},
		"a report that fires": func() (func() error, func() error) {
			r := storeReport(t, s, newReport(id("report"), start()))
			return func() error {
				return s.Fire(t.Context(), r, start().Add(time.Hour), []run.Run{newRun(id("fired"), r.ID, start())})
			}, func() error { return wantRev(reportRev(s, t, r.ID))(2) }
		},
		"a new run": func() (func() error, func() error) {
			return func() error {
				r, err := s.CreateRun(t.Context(), newRun(id("run"), id("report"), start()))
				if err == nil && r.ID != id("run") {
					err = fmt.Errorf("got the run %q", r.ID)
				}
				return err
			}, func() error { return nil }
		},
		"an edited run": func() (func() error, func() error) {
			r := madeRun()
			return func() error { _, err := s.UpdateRun(t.Context(), &lease, r); return err },
				func() error { got, err := s.Run(t.Context(), r.ID); return wantRev(got.Rev, err)(2) }
		},
		"new deliveries": func() (func() error, func() error) {
			d := run.Delivery{Key: id("delivery"), RunID: id("run"), Site: lease.Site, State: run.Waiting}
			return func() error { return s.CreateDeliveries(t.Context(), &lease, []run.Delivery{d}) },
				func() error { got, err := s.Delivery(t.Context(), d.Key); return wantRev(got.Rev, err)(1) }
		},
		"a claimed delivery": func() (func() error, func() error) {
			d := madeDelivery()
			d.State = run.Sending
			return func() error {
				kept, err := s.UpdateDelivery(t.Context(), &lease, d)
				if err == nil && kept.Rev != 2 {
					err = fmt.Errorf("got revision %d, want 2", kept.Rev)
				}
				return err
			}, func() error { got, err := s.Delivery(t.Context(), d.Key); return wantRev(got.Rev, err)(2) }
		},
		"a sign-in's lease": func() (func() error, func() error) {
			return func() error {
				in, err := s.LeaseSignIn(t.Context(), id("token"), "me", start(), start().Add(time.Minute))
				if err == nil && in.Fence != 1 {
					err = fmt.Errorf("got fence %d, want 1", in.Fence)
				}
				return err
			}, func() error { return nil }
		},
		"an attempt": func() (func() error, func() error) {
			return func() error { return s.CountAttempt(t.Context(), id("user"), start(), start().Add(-time.Minute), 5) },
				func() error {
					got, err := s.Attempts(t.Context(), id("user"), start().Add(-time.Minute))
					return wantRev(int64(got), err)(1)
				}
		},
		"a request's claim": func() (func() error, func() error) {
			return func() error {
				_, err := s.ClaimRequest(t.Context(), "reports", id("key"), "digest", "made", start())
				return err
			}, func() error { return nil }
		},
	} {
		for how, lost := range map[string]error{"throttled": nil, "unanswered": errors.New("connection reset by peer")} {
			n++
			write, check := prepare()
			client.next(lost)
			if err := write(); err != nil {
				t.Errorf("%s, %s: got error %v, want none: it was written", name, how, err)
			}
			if client.lost != 1 {
				t.Errorf("%s, %s: %d answers were lost, want 1", name, how, client.lost)
			}
			if err := check(); err != nil {
				t.Errorf("%s, %s: %v", name, how, err)
			}
		}
	}
}

func connectionRev(s *dynamo.Store, t *testing.T, id string) (int64, error) {
	c, err := s.Connection(t.Context(), id)
	return c.Rev, err
}

func destinationRev(s *dynamo.Store, t *testing.T, id string) (int64, error) {
	d, err := s.Destination(t.Context(), id)
	return d.Rev, err
}

func reportRev(s *dynamo.Store, t *testing.T, id string) (int64, error) {
	r, err := s.Report(t.Context(), id)
	return r.Rev, err
}

func wantRev(got int64, err error) func(want int64) error {
	return func(want int64) error {
		if err == nil && got != want {
			err = fmt.Errorf("got revision %d, want %d", got, want)
		}
		return err
	}
}

func gone(rev int64, err error) error {
	if !problem.Is(err, problem.NotFound) {
		return fmt.Errorf("got revision %d, error %v, want that it is gone", rev, err)
	}
	return nil
}
