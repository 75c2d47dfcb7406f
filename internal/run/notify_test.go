package run_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

const admin = "admin@example.com"

// A token dies while no mail leaves for 27 hours. Once it does, the connection's
// people hear of it, once.
func TestTokenDiesWhileMailIsDown(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		w.mail.answer = func(string, int) (bool, error) { return false, deferred(0) }
		w.tableau.RevokeTokens("")
		w.start("r")
		w.liveEach(10*time.Minute, 27*time.Hour)
		w.mail.answer = nil
		w.liveEach(10*time.Minute, time.Hour)
		w.wantMail(ops, 1)
		w.liveEach(time.Hour, 6*day)
		w.wantMail(ops, 1)
	})
}

// vizpost is off for a day after the token died.
func TestOffAfterTheTokenDied(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		w.mail.answer = func(string, int) (bool, error) { return false, deferred(0) }
		w.tableau.RevokeTokens("")
		w.start("r")
		w.work()
		w.mail.answer = nil
		time.Sleep(30 * time.Hour)
		w.live(time.Minute)
		w.wantMail(ops, 1)
	})
}

// Notices that an earlier version gave up are made again while the connection
// is broken.
func TestNoticesGivenUpAreMadeAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		w.mail.answer = func(string, int) (bool, error) { return false, deferred(0) }
		w.tableau.RevokeTokens("")
		w.start("r")
		w.work()
		w.mail.answer = nil
		old := w.notices()[0]
		old.State, old.Message = run.DeliveryFailed, "It could not be sent within a day."
		old.Notice = &run.Notice{Subject: "Old", Text: "Old"}
		_, err := w.store.UpdateDelivery(w.Context(), nil, old)
		w.succeed(err)
		w.live(2 * time.Hour)
		w.wantMail(ops, 0)
		w.succeed(w.care.Run(w.Context()))
		w.live(time.Minute)
		if got := w.wantMail(ops, 1)[0]; !strings.Contains(got.Text, "refuses the personal access token") {
			w.Errorf("got %q, want what is wrong", got.Text)
		}
		w.succeed(w.care.Run(w.Context()))
		w.live(time.Hour)
		w.wantMail(ops, 1)
	})
}

// notices returns those that are open, but for what waits for a connection to
// work again.
func (w *world) notices() []run.Delivery {
	w.Helper()
	list, _, err := w.store.OpenNotices(w.Context(), "notice.", "", 100)
	w.succeed(err)
	return slices.DeleteFunc(list, func(d run.Delivery) bool { return d.Notice.Kind == run.ConnectionMended })
}

// A connection is mended before mail leaves again: nobody is told of what is
// over, neither that it broke nor that it works again.
func TestNoticeIsWithdrawnWhenItsReasonIsGone(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		w.mail.answer = func(to string, _ int) (bool, error) {
			if to == ops {
				return false, deferred(0)
			}
			return true, nil
		}
		w.tableau.RevokeTokens("")
		w.start("r")
		w.live(2 * time.Hour)
		_, err := w.connections.Edit(w.Context(), "c", w.newCredential())
		w.succeed(err)
		w.live(time.Minute)
		w.mail.answer = nil
		w.live(2 * time.Hour)
		if got := w.mail.all(w.T, ops); len(got) > 0 {
			w.Errorf("got %d mails, want none", len(got))
		}
		w.wantIdle()
	})
}

// Who was told of the break is told once that the connection works again, with
// what becomes of the runs; who was not is not.
func TestWorksAgainIsToldOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		notify := []string{ops, "second@example.com"}
		_, err := w.connections.Edit(w.Context(), "c", connection.Edit{Notify: &notify})
		w.succeed(err)
		w.mail.answer = func(to string, _ int) (bool, error) {
			if to == "second@example.com" {
				return false, deferred(0)
			}
			return true, nil
		}
		w.makeReport("r", each("0 * * * *", report.CatchUpAll))
		w.tableau.RevokeTokens("")
		w.live(4 * time.Hour)
		w.wantMail(ops, 1)
		_, err = w.connections.Edit(w.Context(), "c", w.newCredential())
		w.succeed(err)
		w.live(30 * time.Minute)
		mails := w.mail.all(w.T, ops)
		if len(mails) != 2 || !saysMended(mails[1]) {
			w.Fatalf("got %d mails, want the break and that it works again", len(mails))
		}
		for _, want := range []string{"4 runs that were held are being sent now", "Numbers of r: next due"} {
			if !strings.Contains(mails[1].Text, want) {
				w.Errorf("got %q, want it to say %q", mails[1].Text, want)
			}
		}
		w.mail.answer = nil
		w.live(3 * time.Hour)
		if got := len(w.mail.all(w.T, "second@example.com")); got != 0 {
			w.Errorf("got %d mails to who had not been told, want none", got)
		}
		if got := len(w.mail.all(w.T, ops)); got != 2 {
			w.Errorf("got %d mails in all, want no more than 2", got)
		}
		w.wantIdle()

		// It breaks and is mended again: both are told of anew.
		w.tableau.RevokeTokens("")
		w.live(time.Hour + time.Minute)
		_, err = w.connections.Edit(w.Context(), "c", w.newCredential())
		w.succeed(err)
		w.live(10 * time.Minute)
		if got := len(w.mail.all(w.T, ops)); got != 4 {
			w.Errorf("got %d mails, want 4", got)
		}
	})
}

// Of several recipients each has a notice of its own. Whom the server refuses
// for good is left out, and the next level is told instead.
func TestRefusedNoticesGoToOthers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		refused []string // whose mail is refused
		told    []string
		stuck   int // notices that nobody can be sent
	}{
		"nobody is refused":       {nil, []string{owner}, 0},
		"the report's owner":      {[]string{owner}, []string{ops}, 0},
		"the connection's people": {[]string{owner, ops}, []string{admin}, 0},
		"everybody":               {[]string{owner, ops, admin}, nil, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.drain.Administrators = []string{admin}
				w.makeReport("r")
				w.mail.answer = func(to string, _ int) (bool, error) {
					if slices.Contains(test.refused, to) || to == "ana@example.com" {
						return false, refused()
					}
					return true, nil
				}
				w.start("r")
				w.live(5 * time.Minute)
				for _, who := range []string{owner, ops, admin} {
					n := 0
					if slices.Contains(test.told, who) {
						n = 1
					}
					for _, mail := range w.wantMail(who, n) {
						if who != owner && !strings.Contains(mail.Text, "meant for") {
							w.Errorf("%s is not told why it came to them:\n%s", who, mail.Text)
						}
					}
				}
				stuck := w.notices()
				if len(stuck) != test.stuck {
					w.Fatalf("got %d open notices, want %d", len(stuck), test.stuck)
				}
				if test.stuck == 0 {
					return
				}
				if !stuck[0].Notice.Undeliverable || !strings.Contains(stuck[0].Message, "no such mailbox") {
					w.Errorf("got %+v, want it to be shown with the reason", stuck[0])
				}
				if n := strings.Count(w.log.String(), "level=ERROR"); n != 1 {
					w.Errorf("got %d errors in the log, want one", n)
				}
				// The mailbox is there the next day.
				w.mail.answer = nil
				w.liveEach(time.Hour, 25*time.Hour)
				w.wantMail(admin, 1)
				w.wantIdle()
			})
		})
	}
}

// Where a report names nobody, its connection's people are told, else the
// administrators; and where there are none, it is shown.
func TestWhoIsToldOfAReport(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		report, connection, administrators []string
		want                               string
		level                              run.Level
	}{
		"its own":            {[]string{owner}, []string{ops}, []string{admin}, owner, run.OfReport},
		"its connection's":   {nil, []string{ops}, []string{admin}, ops, run.OfConnection},
		"the administrators": {nil, nil, []string{admin}, admin, run.OfAdministrators},
		"nobody":             {nil, nil, nil, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.drain.Administrators = test.administrators
				_, err := w.connections.Edit(w.Context(), "c", connection.Edit{Notify: &test.connection})
				w.succeed(err)
				r := w.makeReport("r", func(r *report.Report) { r.Notify = test.report })
				if got := run.AlertsOf(r.Notify, w.stored("c").Notify, test.administrators); got.Level != test.level {
					w.Errorf("got %+v, want the level %q", got, test.level)
				}
				w.mail.answer = func(to string, _ int) (bool, error) {
					if to == "ana@example.com" {
						return false, refused()
					}
					return true, nil
				}
				for range 3 {
					w.start("r")
					w.live(2 * time.Minute)
				}
				for _, who := range []string{owner, ops, admin} {
					n := 0
					if who == test.want {
						n = 3
					}
					w.wantMail(who, n)
				}
				shown := w.notices()
				if test.want != "" {
					w.wantIdle()
					return
				}
				if len(shown) != 1 || !shown[0].Notice.Undeliverable || len(shown[0].To) > 0 {
					w.Fatalf("got %+v, want one that is shown for the three", shown)
				}
				w.mail.answer = nil
				w.start("r") // is delivered: nothing is left to be told
				w.liveEach(time.Hour, 25*time.Hour)
				w.wantIdle()
			})
		})
	}
}

// An address that an earlier version took, and mail does not, counts as none.
func TestStoredAddressesThatMailDoesNotTake(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.drain.Administrators = []string{admin}
		c := w.stored("c")
		c.Notify = []string{"ops@localhost"}
		w.succeed(w.store.UpdateConnection(w.Context(), c, nil))
		w.makeReport("r")
		w.tableau.RevokeTokens("")
		w.start("r")
		w.live(2 * time.Minute)
		w.wantMail(admin, 1)
	})
}

// A run that is delivered after all takes its notice back.
func TestNoticeOfARunThatWasDelivered(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		down := true
		w.mail.answer = func(to string, _ int) (bool, error) {
			switch {
			case to == owner:
				return false, deferred(0)
			case down:
				return false, refused()
			}
			return true, nil
		}
		id := w.start("r")
		w.live(time.Minute)
		w.wantRun(id, run.Failed, "")
		down = false
		_, err := w.runs.Retry(w.Context(), id)
		w.succeed(err)
		w.live(time.Minute)
		w.wantRun(id, run.Delivered, "")
		w.mail.answer = nil
		w.live(2 * time.Hour)
		w.wantMail(owner, 0)
		w.wantIdle()
	})
}

// A mail server that takes notices and never says so gets them again, ever more
// rarely, and marked.
func TestNoticeThatNobodyAnswersFor(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.makeReport("r")
		w.mail.answer = func(to string, n int) (bool, error) { return to == ops, unknown() }
		w.tableau.RevokeTokens("")
		w.start("r")
		w.liveEach(10*time.Minute, 3*day)
		texts := decoded(w, ops)
		if len(texts) < 5 || len(texts) > 9 {
			w.Errorf("got %d notices in three days, want some", len(texts))
		}
		for i, text := range texts {
			if marked := strings.Contains(text, mayBeARepeat); marked != (i > 0) {
				w.Errorf("notice %d is marked as a repeat: %t", i+1, marked)
			}
		}
	})
}

// A notice says when and for whom in the report's own time, leads to the page,
// and reads well as text.
func TestNoticesCanBeActedOn(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.drain.PublicURL = "https://vizpost.example.com"
		w.makeReport("r", func(r *report.Report) {
			r.Schedule = &report.Schedule{Cron: "0 9 * * *", TimeZone: "Europe/Berlin", CatchUp: report.CatchUpLatest}
		})
		w.mail.answer = func(to string, _ int) (bool, error) {
			if to == "ana@example.com" {
				return false, refused()
			}
			return true, nil
		}
		w.live(10 * time.Hour)
		id := w.runsOf("r")[0].ID
		got := w.wantMail(owner, 1)[0]
		w.Log(got.Text)
		for _, want := range []string{"of Saturday, 1 January 2000 at 09:00 CET was not delivered", "next due on Sunday, 2 January 2000 at 09:00 CET",
			"https://vizpost.example.com/#/runs/" + id, "What to do"} {
			if !strings.Contains(got.Text, want) {
				w.Errorf("got %q, want it to say %q", got.Text, want)
			}
		}
		if !strings.Contains(got.HTML, `href="https://vizpost.example.com/#/runs/`+id+`"`) {
			w.Error("the HTML has no link to the run")
		}
		w.makeReport("s")
		w.tableau.RevokeTokens("")
		w.start("s")
		w.live(time.Minute)
		got = w.wantMail(ops, 1)[0]
		w.Log(got.Text)
		for _, want := range []string{"https://vizpost.example.com/#/settings/connections/c", "Numbers of r: next due Sunday, 2 January 2000 at 09:00 CET",
			"Numbers of s: no schedule"} {
			if !strings.Contains(got.Text, want) {
				w.Errorf("got %q, want it to say %q", got.Text, want)
			}
		}
	})
}

// On AWS a mail is taken first, and may come back later: then the next level is
// told. What comes back for now is tried again.
func TestNoticeThatComesBack(t *testing.T) {
	t.Parallel()
	for name, forNow := range map[string]bool{"for good": false, "for now": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbleWithCarrier(t, func(c *carrier) {
				c.drain.Administrators = []string{admin}
				c.makeReport("r")
				c.tableau.RevokeTokens("")
				c.start("r")
				c.live(2 * time.Minute)
				c.wantMail(ops, 1)
				for key, tags := range c.tags {
					if tags["notice"] != "" {
						c.succeed(c.receipts.Take(c.Context(), run.MailEvent{Kind: run.MailBounced, Notice: tags["notice"], ProviderID: "mail-1",
							Passing: forNow, Code: "bounced", Message: "There is no such mailbox."}))
						c.Log(key)
					}
				}
				c.live(2 * time.Minute)
				if forNow {
					c.wantMail(admin, 0)
					c.wantMail(ops, 1)
					c.live(2 * time.Hour)
					c.wantMail(ops, 2)
					return
				}
				mail := c.wantMail(admin, 1)[0]
				if !strings.Contains(mail.Text, "meant for ops@example.com") {
					c.Errorf("got %q, want why it comes to an administrator", mail.Text)
				}
				c.live(2 * time.Hour)
				c.wantMail(admin, 1)
				c.wantMail(ops, 1)
			})
		})
	}
}
