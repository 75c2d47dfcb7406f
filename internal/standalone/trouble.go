package standalone

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/health"
	"github.com/vizpost/vizpost/internal/local"
)

const (
	checkEvery      = 15 * time.Second
	checkPagesEvery = time.Hour
	tellAfter       = time.Minute // a trouble that passes sooner is not worth a mail
)

// Parts of vizpost that a trouble is noted under.
const (
	partStore = "store"
	partPages = "pages"
	partRoom  = "room"
)

// saw notes what an error of a round shows to be wrong with all of vizpost.
func (v *Vizpost) saw(err error) {
	t := local.Trouble(err)
	switch {
	case t == nil:
	case t.Code == health.DatabaseDamaged:
		v.Health.Set(partPages, t)
	default:
		v.Health.Set(partStore, t)
	}
}

// Check looks whether the database and the disk can be written to, and tells the
// administrators of what is wrong. The store may not be able to keep a notice
// then: what was told is kept in a file of its own.
func (v *Vizpost) Check(ctx context.Context) {
	v.Health.Set(partStore, v.Store.Check(ctx))
	v.Health.Set(partRoom, local.CheckRoom(v.dataDir))
	now := v.now()
	if now.Sub(v.pagesChecked) >= checkPagesEvery {
		v.Health.Set(partPages, v.Store.CheckPages(ctx))
		v.pagesChecked = now
	}
	v.tellTroubles(ctx)
}

// note is what the administrators were told of a trouble. It outlives the
// process: a restart repeats nothing, and loses nothing that nobody was told.
type note struct {
	Code  string
	Since time.Time
	Over  time.Time // zero while it goes on
	Told  []string  // who was told of it, and not yet that it is over
	Done  []string  // who needs not be told of it any more: told, or their server refuses it
	Tries int       // that did not reach everybody
	Next  time.Time // try, not before
}

// tellPauses are the pauses after tries that did not reach everybody.
var tellPauses = [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// remember reads what was told before the process began.
func (v *Vizpost) remember() {
	var notes []*note
	text, err := v.memo.Read()
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, &notes)
	}
	if err == nil {
		err = v.memo.Make()
	}
	if err != nil {
		v.log.Warn("what the administrators were told before cannot be read, or not be kept", "error", err)
	}
	for _, n := range notes {
		v.notes[n.Code] = n
		if n.Code == health.DatabaseDamaged {
			v.pagesChecked = time.Time{} // whether it still is shows at once
		}
	}
}

// tellTroubles mails each administrator each trouble once, and that it is over.
func (v *Vizpost) tellTroubles(ctx context.Context) {
	before, _ := json.Marshal(v.sortedNotes()) // plain data
	now := v.now()
	there := map[string]bool{}
	for _, t := range v.Health.Troubles(ctx) {
		there[t.Code] = true
		if !v.logged[t.Code] {
			v.logged[t.Code] = true
			v.log.Error("vizpost cannot do its work", "code", t.Code, "problem", t.Message, "to_do", t.ToDo)
		}
		if t.Code == health.Mail {
			continue
		}
		n := v.notes[t.Code]
		switch {
		case n == nil, !n.Over.IsZero() && len(n.Done) > 0:
			n = &note{Code: t.Code, Since: t.Since}
			v.notes[t.Code] = n
		case !n.Over.IsZero(): // nobody was told that it was over, and it is not
			n.Over, n.Done = time.Time{}, slices.Clone(n.Told)
		}
		if now.Sub(n.Since) < tellAfter {
			continue
		}
		v.tell(ctx, n, v.Drain.Administrators, fmt.Sprintf("trouble.%s.%d", t.Code, n.Since.Unix()), "vizpost needs attention: "+t.Message, func(to string) {
			n.Told = append(n.Told, to)
		},
			deliver.Section{Heading: "What happened", Text: t.Message + " It began on " + v.local(n.Since) + "."},
			deliver.Section{Heading: "What to do", Text: t.ToDo})
	}
	for code := range v.logged {
		if !there[code] {
			delete(v.logged, code)
			v.log.Info("vizpost can do its work again", "code", code)
		}
	}
	for code, n := range v.notes {
		if there[code] {
			continue
		}
		if n.Over.IsZero() {
			n.Over, n.Done, n.Tries, n.Next = now, nil, 0, time.Time{}
		}
		over := v.tell(ctx, n, n.Told, fmt.Sprintf("trouble.%s.over.%d", code, n.Over.Unix()), "vizpost works again", nil,
			deliver.Section{Text: "What you were told of is over since " + v.local(n.Over) + ". Reports that were due run now."})
		if over {
			delete(v.notes, code)
		}
	}
	after, err := json.Marshal(v.sortedNotes())
	if err == nil && !bytes.Equal(before, after) {
		err = v.memo.Write(after)
	}
	if err != nil {
		v.log.Warn("what the administrators were told is not kept over a restart", "error", err)
	}
}

func (v *Vizpost) sortedNotes() []*note {
	return slices.SortedFunc(maps.Values(v.notes), func(a, b *note) int { return cmp.Compare(a.Code, b.Code) })
}

// tell mails those of some people who do not have a message yet, if it is time,
// and reports whether nobody is left.
func (v *Vizpost) tell(ctx context.Context, n *note, people []string, key, subject string, told func(to string), sections ...deliver.Section) bool {
	now, failed := v.now(), false
	for _, to := range people {
		if slices.Contains(n.Done, to) {
			continue
		}
		if now.Before(n.Next) {
			return false
		}
		err := v.mail(ctx, fmt.Sprintf("%s.%d", key, slices.Index(people, to)), to, subject, sections...)
		if failure, ok := errors.AsType[*deliver.SendError](err); ok && failure.Outcome == deliver.Refused {
			v.log.Error("an administrator cannot be told: correct VIZPOST_ADMINS", "subject", subject, "error", err)
			n.Done = append(n.Done, to)
			continue
		}
		if err != nil {
			v.log.Warn("an administrator could not be told yet", "subject", subject, "error", err)
			failed = true
			continue
		}
		n.Done = append(n.Done, to)
		if told != nil {
			told(to)
		}
	}
	if failed {
		n.Next = now.Add(tellPauses[min(n.Tries, len(tellPauses)-1)])
		n.Tries++
	}
	return !failed
}

func (v *Vizpost) local(t time.Time) string {
	location, err := time.LoadLocation(v.timeZone)
	if err != nil {
		location = time.UTC
	}
	return t.In(location).Format("Monday, 2 January 2006 at 15:04 MST")
}

// mail writes to an administrator.
func (v *Vizpost) mail(ctx context.Context, key, to, subject string, sections ...deliver.Section) error {
	post := deliver.Post{Key: key, From: v.Drain.MailFrom, To: []string{to}, Subject: deliver.Literal(subject),
		Sections: sections, Because: "You receive this message because you are an administrator of vizpost."}
	if v.Drain.PublicURL != "" {
		post.Link, post.LinkText = v.Drain.PublicURL+"/", "Open vizpost"
	}
	email, err := v.Drain.Emails.Build(ctx, post)
	if err != nil {
		return err
	}
	defer email.Release()
	_, err = v.Drain.Mail.Send(ctx, email.Envelope(post.Key, nil))
	return err
}
