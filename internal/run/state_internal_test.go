package run

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/deliver"
)

var (
	stateNow    = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)
	allStates   = []State{Queued, Running, Held, Delivered, PartlyDelivered, Failed, Skipped}
	allDelivery = []DeliveryState{Waiting, Sending, Sent, Confirmed, Bounced, DeliveryFailed, Unsure, Withdrawn}
)

// runEvents is every method that moves a run, by a name.
var runEvents = map[string]func(*Run) error{
	"take":               func(r *Run) error { return r.take(stateNow, time.Hour) },
	"putBack":            func(r *Run) error { return r.putBack(stateNow, "later") },
	"endAs failed":       func(r *Run) error { return r.endAs(Failed, "why", stateNow) },
	"hold":               func(r *Run) error { return r.hold(stateNow, "why") },
	"release":            func(r *Run) error { return r.release(stateNow) },
	"end delivered":      func(r *Run) error { return r.end(Delivered, "", stateNow) },
	"end partly":         func(r *Run) error { return r.end(PartlyDelivered, "", stateNow) },
	"end failed":         func(r *Run) error { return r.end(Failed, "why", stateNow) },
	"end skipped":        func(r *Run) error { return r.end(Skipped, "why", stateNow) },
	"end queued":         func(r *Run) error { return r.end(Queued, "why", stateNow) },
	"recount delivered":  func(r *Run) error { return r.recount(Delivered, "") },
	"recount partly":     func(r *Run) error { return r.recount(PartlyDelivered, "") },
	"recount failed":     func(r *Run) error { return r.recount(Failed, "") },
	"recount as skipped": func(r *Run) error { return r.recount(Skipped, "") },
	"retry":              func(r *Run) error { return r.retry(stateNow) },
}

// TestRunMoves goes through all states and events.
func TestRunMoves(t *testing.T) {
	t.Parallel()
	open, closed := []State{Queued, Running}, []State{Delivered, PartlyDelivered, Failed}
	from := map[string]struct {
		states []State
		to     State
	}{
		"take":              {open, Running},
		"putBack":           {open, Queued},
		"endAs failed":      {[]State{Queued, Running, Held}, Queued},
		"hold":              {open, Held},
		"release":           {[]State{Held}, Queued},
		"end delivered":     {open, Delivered},
		"end partly":        {[]State{Queued, Running, Held}, PartlyDelivered},
		"end failed":        {[]State{Queued, Running, Held}, Failed},
		"end skipped":       {[]State{Queued, Running, Held}, Skipped},
		"recount delivered": {closed, Delivered},
		"recount partly":    {closed, PartlyDelivered},
		"recount failed":    {closed, Failed},
		"retry":             {[]State{PartlyDelivered, Failed}, Queued},
	}
	for name, event := range runEvents {
		for _, state := range allStates {
			r := Run{ID: "R", State: state}
			err := event(&r)
			want := slices.Contains(from[name].states, state)
			switch {
			case (err == nil) != want:
				t.Errorf("%s of a %s run: got error %v, want it allowed: %v", name, state, err, want)
			case err != nil && r.State != state:
				t.Errorf("%s of a %s run was refused and yet made it %s", name, state, r.State)
			case err == nil && r.State != from[name].to:
				t.Errorf("%s of a %s run made it %s, want %s", name, state, r.State, from[name].to)
			case err == nil && !r.State.Open() && r.Ending != "":
				t.Errorf("%s of a %s run left it %s and yet to end", name, state, r.State)
			}
		}
	}
}

// deliveryEvents is every method that moves a delivery, by a name.
var deliveryEvents = map[string]func(*Delivery) error{
	"claim":     func(d *Delivery) error { return d.claim(stateNow.Add(time.Minute)) },
	"unclaim":   func(d *Delivery) error { return d.unclaim(stateNow) },
	"accept":    func(d *Delivery) error { return d.accept(stateNow, "id", "") },
	"putOff":    func(d *Delivery) error { return d.putOff(stateNow.Add(time.Minute), "busy", "Later.") },
	"refuse":    func(d *Delivery) error { return d.refuse("550", "No.") },
	"leaveOpen": func(d *Delivery) error { return d.leaveOpen(stateNow, time.Minute, codeUnsure, "Nobody answered.") },
	"giveUp":    func(d *Delivery) error { _, err := d.giveUp(stateNow, "It is over."); return err },
	"retry":     func(d *Delivery) error { return d.retry(stateNow) },
	"find":      func(d *Delivery) error { return d.find(stateNow, "id") },
	"confirm":   func(d *Delivery) error { return d.confirm("", "") },
	"withdraw":  func(d *Delivery) error { return d.withdraw("It is over.") },
	"keep":      func(d *Delivery) error { return d.keep(stateNow) },
	"revive":    func(d *Delivery) error { return d.revive(stateNow) },
	"part":      func(d *Delivery) error { return d.part("550", "No.") },
	"acceptSome": func(d *Delivery) error {
		d.To = []string{"a@example.com", "b@example.com"}
		no := []deliver.Rejection{{Recipient: "b@example.com", Outcome: deliver.Refused, Code: "550", Message: "No."}}
		return d.acceptSome(stateNow, "id", "", no, stateNow)
	},
	"bounce": func(d *Delivery) error { return d.bounce([]string{"a@example.com"}, "5.1.1", "No.") },
}

// TestDeliveryMoves goes through all states and events, each with and without an
// earlier send that nobody answered for, and before and after the end of the
// claim and of the wait for evidence.
func TestDeliveryMoves(t *testing.T) {
	t.Parallel()
	type moves map[DeliveryState]DeliveryState
	want := map[string]moves{
		"claim":     {Waiting: Sending, Sending: Sending, Unsure: Sending},
		"unclaim":   {Sending: Waiting},
		"accept":    {Waiting: Sent, Sending: Sent, Unsure: Sent, DeliveryFailed: Sent, Withdrawn: Sent},
		"putOff":    {Sending: Waiting},
		"refuse":    {Waiting: DeliveryFailed, Sending: DeliveryFailed, Unsure: DeliveryFailed},
		"leaveOpen": {Sending: Unsure},
		// The end of a run: what may be under way or turn up stays as it is.
		"giveUp": {Waiting: DeliveryFailed, Sending: Sending, Unsure: Unsure,
			Sent: Sent, Confirmed: Confirmed, Bounced: Bounced, DeliveryFailed: DeliveryFailed, Withdrawn: Withdrawn},
		"retry":      {DeliveryFailed: Waiting, Bounced: Waiting},
		"find":       {Waiting: Sent, Sending: Sent, Unsure: Sent, Bounced: Sent, DeliveryFailed: Sent, Withdrawn: Sent},
		"part":       {Waiting: Bounced, Sending: Bounced, Unsure: Bounced, DeliveryFailed: Bounced},
		"acceptSome": {Waiting: Bounced, Sending: Bounced, Unsure: Bounced, DeliveryFailed: Bounced},
		"confirm":    {Sent: Confirmed, Confirmed: Confirmed},
		"bounce":     {Sent: Bounced, Confirmed: Bounced, Bounced: Bounced},
		// Of notices.
		"withdraw": {Waiting: Withdrawn, Sending: Withdrawn, Unsure: Withdrawn},
		"keep":     {Waiting: Waiting, Sending: Waiting, Unsure: Waiting},
		"revive":   {Withdrawn: Waiting, DeliveryFailed: Waiting, Bounced: Waiting},
	}
	late := moves{Waiting: DeliveryFailed, Sending: Unsure, Unsure: DeliveryFailed,
		Sent: Sent, Confirmed: Confirmed, Bounced: Bounced, DeliveryFailed: DeliveryFailed, Withdrawn: Withdrawn}
	for name, event := range deliveryEvents {
		for _, state := range allDelivery {
			for _, unanswered := range []int{0, 1, 3} {
				for _, over := range []bool{false, true} {
					d := Delivery{Key: "D", State: state, Attempts: 1, Unanswered: unanswered}
					if !over {
						d.ClaimedUntil, d.NotBefore = stateNow.Add(time.Minute), stateNow.Add(time.Minute)
					}
					open := d.mayHaveArrived()
					err := event(&d)
					to, allowed := want[name][state]
					if over && name == "giveUp" {
						to, allowed = late[state]
					}
					switch {
					case (err == nil) != allowed:
						t.Errorf("%s of a %s delivery: got error %v, want it allowed: %v", name, state, err, allowed)
					case err != nil && d.State != state:
						t.Errorf("%s of a %s delivery was refused and yet made it %s", name, state, d.State)
					case err == nil && d.State != to:
						t.Errorf("%s of a %s delivery (over: %v) made it %s, want %s", name, state, over, d.State, to)
					case err == nil && unanswered > 0 && !d.mayHaveArrived():
						t.Errorf("%s of a %s delivery forgot that it may have arrived", name, state)
					case err == nil && open && (name == "claim" || name == "retry") && !d.PossibleRepeat:
						t.Errorf("%s of a %s delivery that may have arrived left it unmarked", name, state)
					case err == nil && name == "giveUp" && d.State == DeliveryFailed && open && state != DeliveryFailed &&
						!(d.PossibleRepeat && strings.Contains(d.Message, "may have arrived")):
						t.Errorf("a %s delivery that may have arrived was given up as %+v, want it said and marked", state, d)
					}
				}
			}
		}
	}
}

// No chain of events that begins with a send without an answer leads to a claim
// without the mark.
func TestNoChainForgetsTheMark(t *testing.T) {
	t.Parallel()
	type place struct {
		state DeliveryState
		mark  bool
	}
	begin := Delivery{Key: "D", State: Sending, Attempts: 1}
	if err := begin.leaveOpen(stateNow.Add(-2*time.Hour), time.Minute, codeUnsure, ""); err != nil {
		t.Fatal(err)
	}
	seen := map[place]bool{}
	for todo := []Delivery{begin}; len(todo) > 0; todo = todo[1:] {
		d := todo[0]
		at := place{d.State, d.mayHaveArrived()}
		if seen[at] {
			continue
		}
		seen[at] = true
		if !at.mark {
			t.Errorf("a %s delivery has forgotten that it may have arrived", d.State)
		}
		for name, event := range deliveryEvents {
			next := d
			if event(&next) != nil {
				continue
			}
			if next.State == Sending && !next.PossibleRepeat {
				t.Errorf("%s of a %s delivery: a claim without the mark", name, d.State)
			}
			todo = append(todo, next)
		}
	}
	if len(seen) < len(allDelivery) {
		t.Errorf("only the states %v were reached, want all", seen)
	}
}

// TestStatesAreMovedInOnePlace holds that only state.go assigns a State.
func TestStatesAreMovedInOnePlace(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	looked := 0
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || name == "state.go" {
			continue
		}
		looked++
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, left := range n.Lhs {
					if field, ok := left.(*ast.SelectorExpr); ok && field.Sel.Name == "State" {
						t.Errorf("%s assigns a State; a method in state.go has to", files.Position(n.Pos()))
					}
				}
			case *ast.KeyValueExpr:
				if field, ok := n.Key.(*ast.Ident); ok && field.Name == "State" {
					t.Errorf("%s sets a State; a method in state.go has to", files.Position(n.Pos()))
				}
			}
			return true
		})
	}
	if looked < 5 {
		t.Errorf("looked at %d files, want all of the package", looked)
	}
}
