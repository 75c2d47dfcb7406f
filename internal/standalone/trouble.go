package standalone

import (
	"context"
	"fmt"
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
// then: these are kept in memory alone.
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

// tellTroubles mails the administrators each trouble once, and that it is over.
func (v *Vizpost) tellTroubles(ctx context.Context) {
	now := v.now()
	there := map[string]bool{}
	for _, t := range v.Health.Troubles() {
		there[t.Code] = true
		if !v.logged[t.Code] {
			v.logged[t.Code] = true
			v.log.Error("vizpost cannot do its work", "code", t.Code, "problem", t.Message, "to_do", t.ToDo)
		}
		if t.Code == health.Mail || v.told[t.Code] || now.Sub(t.Since) < tellAfter {
			continue
		}
		v.told[t.Code] = v.mail(ctx, fmt.Sprintf("trouble.%s.%d", t.Code, t.Since.Unix()), "vizpost needs attention: "+t.Message,
			deliver.Section{Heading: "What happened", Text: t.Message + " It began on " + v.local(t.Since) + "."},
			deliver.Section{Heading: "What to do", Text: t.ToDo})
	}
	for code := range v.logged {
		if there[code] {
			continue
		}
		delete(v.logged, code)
		v.log.Info("vizpost can do its work again", "code", code)
		if v.told[code] {
			delete(v.told, code)
			v.mail(ctx, fmt.Sprintf("trouble.%s.over.%d", code, now.Unix()), "vizpost works again",
				deliver.Section{Text: "What you were told of is over since " + v.local(now) + ". Reports that were due run now."})
		}
	}
}

func (v *Vizpost) local(t time.Time) string {
	location, err := time.LoadLocation(v.timeZone)
	if err != nil {
		location = time.UTC
	}
	return t.In(location).Format("Monday, 2 January 2006 at 15:04 MST")
}

// mail writes to the administrators, and reports whether that needs no other try.
func (v *Vizpost) mail(ctx context.Context, key, subject string, sections ...deliver.Section) bool {
	done := true
	for i, to := range v.Drain.Administrators {
		post := deliver.Post{Key: fmt.Sprintf("%s.%d", key, i), From: v.Drain.MailFrom, To: []string{to}, Subject: deliver.Literal(subject),
			Sections: sections, Because: "You receive this message because you are an administrator of vizpost."}
		if v.Drain.PublicURL != "" {
			post.Link, post.LinkText = v.Drain.PublicURL+"/", "Open vizpost"
		}
		email, err := v.Drain.Emails.Build(ctx, post)
		if err == nil {
			_, err = v.Drain.Mail.Send(ctx, email.Envelope(post.Key, nil))
			email.Release()
		}
		if err != nil {
			v.log.Warn("an administrator could not be told", "subject", subject, "error", err)
			done = false
		}
	}
	return done
}
