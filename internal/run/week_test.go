//go:build !race

// With the race detector this would take minutes, most of them for what other
// tests do as well, many times over.

package run_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

// TestWorstWeek is a week in which mail is down for 27 hours, vizpost is off for
// a night, MFA is switched on, which ends all tokens, and the clock is a year
// ahead for a minute. Everything that is due is sent once, marked as a possible
// repeat only where nobody can know, and people are told within an hour of the
// first moment at which they can be. The first seed has one trouble after the
// other; with the others they come at random, one in the middle of another too.
func TestWorstWeek(t *testing.T) {
	t.Parallel()
	forSeeds(t, 4, func(t *testing.T, seed uint64) {
		inBubble(t, func(w *world) { newWeek(w, seed).live() })
	})
}

// week is a bad week, what people do in it, and what is known of it.
type week struct {
	*world
	random *rand.Rand
	seed   uint64

	began            time.Time
	mailDown, mailUp time.Time
	mfa, mended      time.Time // mended is zero until somebody has entered a new token
	off, on          time.Time
	wrong            time.Time // the clock is a year ahead for a minute from then on

	failed  map[string][]time.Time // when a run was seen to fail, by its id
	retried map[string]time.Time   // when its people choose to try it again
	read    int                    // of what arrived
	told    []telling
	story   []string
}

// telling is a message to people about what is wrong.
type telling struct {
	letter
	subject string
}

// agenda is a report's schedule, written down twice: the test's own view of it
// says whether the report is due at a minute.
type agenda struct {
	id, cron, zone string
	policy         report.CatchUp
	due            func(utc time.Time) bool
	to             []string
}

func agendas() []agenda {
	return []agenda{
		{"hourly", "0 * * * *", "UTC", report.CatchUpAll, func(t time.Time) bool { return t.Minute() == 0 }, []string{"ana@example.com", "rui@example.com"}},
		{"daily", "30 7 * * *", "Europe/Berlin", report.CatchUpAll, func(t time.Time) bool { return t.Hour() == 6 && t.Minute() == 30 }, []string{"daily@example.com"}},
		{"latest", "*/30 * * * *", "UTC", report.CatchUpLatest, func(t time.Time) bool { return t.Minute()%30 == 0 }, []string{"latest@example.com"}},
		{"none", "20 */3 * * *", "UTC", report.CatchUpNone, func(t time.Time) bool { return t.Hour()%3 == 0 && t.Minute() == 20 }, []string{"none@example.com"}},
		{"chat", "5 * * * *", "UTC", report.CatchUpAll, func(t time.Time) bool { return t.Minute() == 5 }, nil},
	}
}

func newWeek(w *world, seed uint64) *week {
	k := &week{world: w, random: rand.New(rand.NewPCG(seed, 7)), seed: seed, began: time.Now().Truncate(time.Minute),
		failed: map[string][]time.Time{}, retried: map[string]time.Time{}}
	// In minutes from Saturday, 0:00.
	mail, mfa, off, wrong := 34*60, 64*60, 94*60, 130*60-1
	if seed > 0 {
		mail, mfa, wrong = 60+k.random.IntN(90*60), 60+k.random.IntN(110*60), 60+k.random.IntN(120*60)
		off = (1+k.random.IntN(5))*24*60 - k.random.IntN(4*60)
	}
	at := func(minutes int) time.Time { return k.began.Add(time.Duration(minutes) * time.Minute) }
	k.mailDown, k.mailUp = at(mail), at(mail).Add(27*time.Hour)
	k.mfa, k.off, k.wrong = at(mfa).Add(10*time.Second), at(off), at(wrong).Add(30*time.Second)
	k.on = k.off.Add(9*time.Hour + time.Duration(k.random.IntN(60))*time.Minute)
	for k.wrong.Add(-time.Hour).Before(k.on) && k.wrong.Add(time.Hour).After(k.off) {
		k.wrong = k.wrong.Add(3 * time.Hour) // vizpost has to be there to see it
	}
	return k
}

func (k *week) note(format string, args ...any) {
	k.story = append(k.story, time.Now().UTC().Format("Mon 15:04:05 ")+fmt.Sprintf(format, args...))
}

func (k *week) live() {
	k.mail.answer = k.answer
	for _, a := range agendas() {
		k.makeReport(a.id, func(r *report.Report) {
			r.Schedule = &report.Schedule{Cron: a.cron, TimeZone: a.zone, CatchUp: a.policy}
			r.Destinations = []report.Destination{{ID: "chat", Type: report.Slack, DestinationID: "slack", Text: "of {{ run.scheduled_for }}"}}
			if a.to != nil {
				r.Destinations = []report.Destination{email("mail", a.to...)}
			}
		})
	}
	k.note("mail is down from %s to %s, MFA on %s, off from %s to %s, the clock wrong on %s", k.mailDown.Format("Mon 15:04"),
		k.mailUp.Format("Mon 15:04"), k.mfa.Format("Mon 15:04"), k.off.Format("Mon 15:04"), k.on.Format("Mon 15:04"), k.wrong.Format("Mon 15:04:05"))
	enabled := false
	for end := k.began.Add(7 * day); time.Now().Before(end); {
		now := time.Now()
		if !enabled && !now.Before(k.mfa.Truncate(time.Minute)) {
			enabled = true
			time.Sleep(time.Until(k.mfa))
			k.tableau.EnableMFA("")
		}
		switch {
		case now.Equal(k.off):
			k.die()
			time.Sleep(time.Until(k.on))
		case now.Equal(k.wrong.Truncate(time.Minute)):
			k.world.live(0)
			time.Sleep(time.Until(k.wrong))
			k.skewedMinute()
		default:
			k.world.live(0)
			if now.Minute() == 17 {
				k.succeed(k.care.Run(k.Context()))
			}
		}
		k.people()
		time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)))
	}
	k.check()
	if k.Failed() {
		k.Logf("week %d:\n%s", k.seed, strings.Join(k.story, "\n"))
	}
}

// answer is what becomes of a mail.
func (k *week) answer(to string, n int) (bool, error) {
	now := time.Now()
	if now.Before(k.mailDown) || !now.Before(k.mailUp) {
		return true, nil
	}
	// A server that goes down may leave the first ones without an answer.
	if now.Before(k.mailDown.Add(25 * time.Minute)) {
		return (len(to)+n)%2 == 0, unknown()
	}
	if (len(to)+n)%3 == 0 {
		return false, deferred(0)
	}
	return false, unreachableMail()
}

// die ends the process at some write.
func (k *week) die() {
	s := &failing{store: k.store, after: k.random.IntN(2) == 0, forever: true}
	s.left.Store(int64(1 + k.random.IntN(25)))
	k.wire(s)
	_, _ = k.tick.Run(k.Context())
	for _, site := range append(k.bell.take(), site) {
		_ = k.drain.Site(k.Context(), site)
	}
	k.note("the process dies, after: %v, %d writes early", s.after, -s.left.Load())
	k.wire(k.store)
	k.noteSending()
}

// skewedMinute has the clock a year ahead for a minute, and put right again.
func (k *week) skewedMinute() {
	k.skewed(366 * day)
	for range 6 {
		_, err := k.tick.Run(k.Context())
		k.succeed(err)
		for _, site := range k.bell.take() {
			k.succeed(k.drain.Site(k.Context(), site))
		}
		k.succeed(k.care.Run(k.Context()))
		time.Sleep(10 * time.Second)
	}
	k.skewed(0)
}

// people do what they are told: of a dead token, enter a new one an hour later;
// of a run that was not delivered, try it again.
func (k *week) people() {
	for _, l := range k.mail.arrived[k.read:] {
		if l.to != owner && l.to != ops {
			continue
		}
		subject, _, _ := strings.Cut(l.raw[strings.Index(l.raw, "Subject: ")+len("Subject: "):], "\r\n")
		k.told = append(k.told, telling{l, subject})
	}
	k.read = len(k.mail.arrived)
	if at, _ := k.toldOf(k.mfa, ops, "attention"); k.mended.IsZero() && !at.IsZero() && time.Since(at) >= time.Hour {
		k.note("a new token")
		_, err := k.connections.Edit(k.Context(), "c", connection.Edit{Credential: k.newToken("after MFA")})
		k.succeed(err)
		k.mended = time.Now()
	}
	if time.Now().Minute()%5 > 0 {
		return
	}
	bad, _, err := k.runs.List(k.Context(), run.Filter{States: []run.State{run.Failed, run.PartlyDelivered}}, "", 1000)
	k.succeed(err)
	for _, r := range bad {
		if times := k.failed[r.ID]; len(times) == 0 || !times[len(times)-1].Equal(r.FinishedAt) {
			k.failed[r.ID] = append(times, r.FinishedAt)
		}
		if at, _ := k.toldOf(r.FinishedAt, owner, r.ID+"."+string(r.State)); !at.IsZero() && k.retried[r.ID].Before(r.FinishedAt) {
			k.retried[r.ID] = time.Now()
			_, err := k.runs.Retry(k.Context(), r.ID)
			k.succeed(err)
		}
	}
}

// toldOf returns when somebody was first told of something, from a time on: of
// what the notice's name or subject says.
func (k *week) toldOf(since time.Time, who, what string) (at time.Time, n int) {
	for _, l := range k.told {
		if l.to == who && !l.at.Before(since) && (strings.Contains(l.key, what) || strings.Contains(l.subject, what)) {
			if n == 0 {
				at = l.at
			}
			n++
		}
	}
	return at, n
}

// possible returns the first moment from a time on in which vizpost is there and
// mail is up.
func (k *week) possible(at time.Time) time.Time {
	for range 2 {
		if !at.Before(k.off) && at.Before(k.on) {
			at = k.on
		}
		if !at.Before(k.mailDown) && at.Before(k.mailUp) {
			at = k.mailUp
		}
	}
	return at
}

// alive returns for how long vizpost was there between two times.
func (k *week) alive(from, to time.Time) time.Duration {
	off := min(to.Sub(k.off), k.on.Sub(k.off), to.Sub(from), k.on.Sub(from))
	return to.Sub(from) - max(off, 0)
}

func (k *week) check() {
	k.checkTold()
	arrived := map[string][]letter{}
	for _, l := range k.mail.arrived {
		arrived[l.key] = append(arrived[l.key], l)
	}
	for _, a := range agendas() {
		k.checkReport(a, arrived)
	}
	k.wantEachOnce()
	k.checkChat()
	k.wantIdle()
}

// checkReport compares what a report's recipients got with what was due.
func (k *week) checkReport(a agenda, arrived map[string][]letter) {
	runs := map[time.Time]run.Run{} // those that are not skipped
	skipped := map[time.Time]run.Run{}
	stoodFor, unsureOnes := 0, 0
	due := k.due(a)
	for _, r := range k.runsOf(a.id) {
		at := r.ScheduledFor.UTC()
		switch {
		case !slices.Contains(due, at):
			k.Errorf("%s was run for %v, when it was not due", a.id, at)
			continue
		case r.State.Open():
			if time.Since(at) > 10*time.Minute {
				k.Errorf("the run %s of %s for %v is %s at the end: %s", r.ID, a.id, at, r.State, r.Reason)
			}
			continue
		case r.State == run.Skipped:
			if a.policy == report.CatchUpAll || !k.excused(at, r) {
				k.Errorf("the run of %s for %v is skipped: %s", a.id, at, r.Reason)
			}
			if a.policy == report.CatchUpNone {
				stoodFor += r.StandsFor
			}
			skipped[at] = r
			continue
		case runs[at].ID != "":
			k.Errorf("runs %s and %s of %s are both for %v", runs[at].ID, r.ID, a.id, at)
		case r.State != run.Delivered:
			k.Errorf("the run %s of %s for %v is %s: %s", r.ID, a.id, at, r.State, r.Reason)
		}
		runs[at] = r
		stoodFor += r.StandsFor
		_, deliveries := k.get(r.ID)
		if k.checkFailures(a, r, deliveries) {
			unsureOnes += r.StandsFor
		}
		if len(a.to) > 0 && len(deliveries) != len(a.to) {
			k.Errorf("the run of %s for %v has %d messages, want %d", a.id, at, len(deliveries), len(a.to))
		}
		for _, d := range deliveries {
			if d.Type != report.Slack {
				k.checkMessage(a, at, d, arrived[d.Key])
			}
		}
	}
	for _, at := range due {
		if runs[at].ID == "" && !k.excused(at, skipped[at]) && time.Since(at) > 10*time.Minute {
			k.Errorf("the occurrence of %s at %v has no run of its own", a.id, at)
		}
	}
	// A run that may have arrived, and so was not skipped, is stood for all the
	// same. One that was due in the last minutes may still be open.
	if more := stoodFor - len(due); more < -1 || more > unsureOnes {
		k.Errorf("the runs of %s stand for %d occurrences, and %d were due", a.id, stoodFor, len(due))
	}
}

// due returns when a report was due.
func (k *week) due(a agenda) (times []time.Time) {
	for at := k.began.UTC().Add(time.Minute); at.Before(time.Now()); at = at.Add(time.Minute) {
		if a.due(at) {
			times = append(times, at)
		}
	}
	return times
}

// excused reports whether an occurrence had no run of its own, or one that could
// not go on, while vizpost was off or the token dead: then the report's policy
// decides what becomes of it.
func (k *week) excused(at time.Time, own run.Run) bool {
	heldAgain := own.ID != "" && k.dead(k.retried[own.ID])
	return !at.Before(k.off) && at.Before(k.on) || k.dead(at) || heldAgain || k.waitedForMail(at) && k.dead(k.mfa.Add(time.Minute))
}

// dead reports whether the token was dead at a time.
func (k *week) dead(at time.Time) bool {
	return at.After(k.mfa.Add(-time.Minute)) && at.Before(k.mended)
}

// waitedForMail reports whether a run of a time had its messages waiting when the
// token died, which holds it.
func (k *week) waitedForMail(at time.Time) bool {
	return !at.Before(k.mailDown.Add(-time.Minute)) && at.Before(k.mailUp) && at.Before(k.mfa) &&
		k.alive(at, k.mfa) <= report.DefaultDeadline && k.mfa.Before(k.mailUp.Add(pauses))
}

// pauses is the longest time between two tries of a run.
const pauses = 35 * time.Minute

// checkMessage checks that a message arrived, and in time where nothing was in its
// way.
func (k *week) checkMessage(a agenda, at time.Time, d run.Delivery, letters []letter) {
	if len(letters) == 0 {
		k.Errorf("%s of %v did not arrive at %v", a.id, at, d.To)
		return
	}
	most := 3 * time.Minute
	possible := k.possible(at)
	switch {
	case !at.Before(k.mailDown.Add(-most)) && at.Before(k.mailUp):
		if len(k.failed[d.RunID]) > 0 {
			return // whoever was told has tried it again
		}
		possible, most = k.possible(k.mailUp), pauses
	case !at.Before(k.off.Add(-most)) && at.Before(k.on.Add(most)):
		most = 20 * time.Minute // a claim of the process that died has to run out
	}
	if at.After(k.mfa.Add(-most)) && at.Before(k.mended.Add(most)) || k.waitedForMail(at) {
		possible, most = k.possible(k.mended), pauses
	}
	if at.After(k.wrong.Add(-time.Hour)) && at.Before(k.wrong.Add(time.Hour)) {
		most = max(most, 10*time.Minute)
	}
	if late := letters[0].at.Sub(possible); late > most {
		k.Errorf("%s of %v arrived at %v on %v, %v after it could", a.id, at, d.To, letters[0].at, late)
	}
}

// checkFailures checks that a run failed only where mail was down for all the
// time that it has, and that its people heard of it. It reports whether the run
// failed because it may have arrived, instead of being skipped.
func (k *week) checkFailures(a agenda, r run.Run, deliveries []run.Delivery) (instead bool) {
	unsure := slices.ContainsFunc(deliveries, func(d run.Delivery) bool { return k.mail.unsure[d.Key] })
	for _, at := range k.failed[r.ID] {
		down := !at.Before(k.mailDown) && at.Before(k.mailUp.Add(pauses)) && k.alive(r.ScheduledFor, at) >= report.DefaultDeadline-5*time.Minute
		folded := a.policy != report.CatchUpAll && unsure && !at.Before(k.mended)
		if !down && !folded {
			k.Errorf("the run %s of %s for %v failed at %v, now %s: %s", r.ID, a.id, r.ScheduledFor, at, r.State, r.Reason)
		}
		instead = instead || folded
		first := k.possible(at)
		if told, n := k.toldOf(at, owner, r.ID+"."); n == 0 || told.Sub(first) > time.Hour {
			k.Errorf("the owner was told at %v that the run of %s for %v failed at %v, want it within an hour of %v", told, a.id, r.ScheduledFor, at, first)
		}
	}
	return instead
}

// checkTold checks that the connection's people heard of the dead token when they
// could first be told, once, and of nothing else.
func (k *week) checkTold() {
	// It is known when the next report is due.
	known := k.mfa
	for due := agendas()[2].due; !due(known.Truncate(time.Minute).UTC()) || known.Second() > 0; {
		known = known.Truncate(time.Minute).Add(time.Minute)
	}
	if !known.Before(k.off) && known.Before(k.on) {
		known = k.on
	}
	first := k.possible(known)
	told, n := k.toldOf(k.began, ops, "attention")
	if n == 0 || told.Before(k.mfa) || told.Sub(first) > time.Hour {
		k.Errorf("the connection's people were told at %v, want it within an hour of %v", told, first)
	}
	k.note("told of the token at %v, it was possible at %v", told.Format("Mon 15:04"), first.Format("Mon 15:04"))
	subjects := map[string]int{}
	for _, l := range k.told {
		if l.to == ops {
			subjects[l.subject]++
		}
	}
	for _, subject := range slices.Sorted(maps.Keys(subjects)) {
		if n := subjects[subject]; n > 1 || !strings.Contains(subject, "attention") && !strings.Contains(subject, "works again") {
			k.Errorf("the connection's people were told %d times: %q", n, subject)
		}
	}
}

// checkChat checks that each message to Slack arrived once.
func (k *week) checkChat() {
	chat := agendas()[4]
	for _, at := range k.due(chat) {
		n := 0
		for _, body := range k.slack.arrived {
			if strings.Contains(body, at.Format("of 2006-01-02 15:04")) {
				n++
			}
		}
		if n != 1 && time.Since(at) > 10*time.Minute {
			k.Errorf("the message to Slack of %v arrived %d times", at, n)
		}
	}
	if len(k.slack.arrived) > len(k.due(chat)) {
		k.Errorf("got %d messages in Slack, want at most %d", len(k.slack.arrived), len(k.due(chat)))
	}
}
