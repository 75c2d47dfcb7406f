package run_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jhillyerd/enmime/v2"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/secret"
)

// aboutSlack gives the mails to somebody about the Slack destination itself.
func (w *world) aboutSlack(to string) []*enmime.Envelope {
	w.Helper()
	var found []*enmime.Envelope
	for _, e := range w.mail.all(w.T, to) {
		if strings.Contains(e.GetHeader("Subject"), "Slack channel") {
			found = append(found, e)
		}
	}
	return found
}

func (w *world) wantAboutSlack(to string, subjects ...string) []*enmime.Envelope {
	w.Helper()
	var got []string
	found := w.aboutSlack(to)
	for _, e := range found {
		got = append(got, e.GetHeader("Subject"))
	}
	if strings.Join(got, "\n") != strings.Join(subjects, "\n") {
		w.Errorf("%s got %q about Slack, want %q", to, got, subjects)
	}
	return found
}

const (
	slackBroken = `The Slack channel "#sales" needs attention`
	slackWorks  = `The Slack channel "#sales" works again`
)

// A Slack destination that breaks is told once to the people of the report that
// met it and to the administrators, and when it works again, so are they.
func TestDestinationThatBreaks(t *testing.T) {
	t.Parallel()
	gone := func(int) (bool, error) {
		return false, &deliver.SendError{Outcome: deliver.Refused, Code: "no_service", Message: "Slack has removed this webhook.", BreaksDestination: true}
	}
	tests := map[string]struct {
		breaks func(w *world)
		mends  func(w *world)
	}{
		"refused, and its address is entered anew": {
			func(w *world) { w.slack.answer = gone },
			func(w *world) {
				url := secret.New(webhook)
				_, err := w.destinations.Edit(w.Context(), "slack", deliver.DestinationEdit{URL: &url})
				w.succeed(err)
				_, err = w.destinations.Test(w.Context(), "slack")
				w.succeed(err)
			}},
		"refused, and tested": {
			func(w *world) { w.slack.answer = gone },
			func(w *world) {
				_, err := w.destinations.Test(w.Context(), "slack")
				w.succeed(err)
			}},
		"refused, and a report arrives": {
			func(w *world) { w.slack.answer = gone },
			func(w *world) {
				url := secret.New(webhook)
				_, err := w.destinations.Edit(w.Context(), "slack", deliver.DestinationEdit{URL: &url})
				w.succeed(err)
				w.start("r")
			}},
		"its address is gone": {
			func(w *world) { w.succeed(w.store.RemoveSecret(w.Context(), "destination/slack")) },
			func(w *world) {
				url := secret.New(webhook)
				_, err := w.destinations.Edit(w.Context(), "slack", deliver.DestinationEdit{URL: &url})
				w.succeed(err)
				_, err = w.destinations.Test(w.Context(), "slack")
				w.succeed(err)
			}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.drain.Administrators, w.drain.PublicURL = []string{admin}, "https://vizpost.example.com"
				w.makeReport("r", slackToo)
				test.breaks(w)
				for range 3 {
					w.start("r")
					w.live(time.Minute)
				}
				first := w.wantAboutSlack(owner, slackBroken)
				w.wantAboutSlack(admin, slackBroken)
				if len(first) == 1 {
					for _, want := range []string{"Numbers of r", "https://vizpost.example.com/#/settings", "Enter"} {
						if !strings.Contains(first[0].Text, want) {
							t.Errorf("the notice does not say %q:\n%s", want, first[0].Text)
						}
					}
				}
				w.wantNoSecrets("a notice", first[0].Text)
				w.slack.answer = nil
				test.mends(w)
				w.live(2 * time.Minute)
				w.wantAboutSlack(owner, slackBroken, slackWorks)
				w.wantAboutSlack(admin, slackBroken, slackWorks)

				// It breaks once more: that is another time.
				test.breaks(w)
				time.Sleep(time.Minute)
				w.start("r")
				w.live(time.Minute)
				w.wantAboutSlack(owner, slackBroken, slackWorks, slackBroken)
			})
		})
	}
}

// What is over before anybody could be told is not told, and neither is what
// concerns a destination that is gone.
func TestDestinationThatBreaksWhileMailIsDown(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r", slackToo)
		w.mail.answer = func(string, int) (bool, error) { return false, unreachableMail() }
		w.slack.answer = func(int) (bool, error) {
			return false, &deliver.SendError{Outcome: deliver.Refused, Code: "no_service", Message: "Gone.", BreaksDestination: true}
		}
		w.start("r")
		w.live(time.Minute)
		list, _, err := w.runs.Notices(w.Context(), false, "", 10)
		w.succeed(err)
		n := 0
		for _, d := range list {
			if d.Notice.Kind == run.DestinationBroken {
				n++
			}
		}
		if n != 1 {
			t.Errorf("got %d notices of the destination that are open, want 1: %+v", n, list)
		}
		w.slack.answer = nil
		_, err = w.destinations.Test(w.Context(), "slack")
		w.succeed(err)
		w.mail.answer = nil
		w.live(2 * time.Hour)
		w.wantAboutSlack(owner)
		w.wantIdle()
	})
	inBubble(t, func(w *world) {
		r := w.makeReport("r", slackToo)
		w.slack.answer = func(int) (bool, error) {
			return false, &deliver.SendError{Outcome: deliver.Refused, Code: "no_service", Message: "Gone.", BreaksDestination: true}
		}
		w.start("r")
		w.live(time.Minute)
		w.wantAboutSlack(owner, slackBroken)
		mail := []report.Destination{r.Destinations[0]}
		_, err := w.reports.Edit(w.Context(), "r", report.Edit{Destinations: &mail})
		w.succeed(err)
		w.succeed(w.destinations.Delete(w.Context(), "slack", 0))
		w.live(25 * time.Hour)
		w.wantAboutSlack(owner, slackBroken)
		w.wantIdle()
	})
}
