package report

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vizpost/vizpost/internal/address"
	"github.com/vizpost/vizpost/internal/problem"
)

// Bounds of a report.
const (
	maxName         = 200 // characters
	maxSubject      = 500 // characters, as a template
	maxFileName     = 300 // characters, as a template
	maxContent      = 20
	maxDestinations = 50
	maxRecipients   = 500
	maxNotify       = 20
	maxAge          = 240 // minutes
)

// checker checks and completes the parts of one report, and collects what is
// wrong with all of them. The fields are named as in the API.
type checker struct {
	service *Service
	now     time.Time
	wrong   problem.Fields
	failed  error // the first error that says nothing about the report itself
	found   map[pasted]found
}

// err gives the problem of all wrong fields; if there are none, the failure of
// something else that kept a part from being checked.
func (c *checker) err() error {
	if err := c.wrong.Err(); err != nil {
		return err
	}
	return c.failed
}

func (c *checker) name(r *Report) {
	r.Name = strings.TrimSpace(r.Name)
	switch {
	case r.Name == "":
		c.wrong.Add("name", "Give the report a name.")
	case !utf8.ValidString(r.Name) || strings.ContainsFunc(r.Name, unicode.IsControl):
		c.wrong.Add("name", "A name is one line of text without control characters.")
	case utf8.RuneCountInString(r.Name) > maxName:
		c.wrong.Add("name", "A name has at most %d characters.", maxName)
	}
}

func (c *checker) schedule(r *Report) {
	if r.Schedule == nil {
		return
	}
	if err := r.Schedule.Validate(c.now); err != nil {
		c.wrong.AddErr("schedule", err)
		return
	}
	if r.Schedule.CatchUp == "" {
		r.Schedule.CatchUp = CatchUpLatest
	}
}

func (c *checker) notify(r *Report) {
	if len(r.Notify) > maxNotify {
		c.wrong.Add("notify", "At most %d people are told of failures.", maxNotify)
		return
	}
	r.Notify = c.recipients(r.Notify, "notify")
}

// recipients gives addresses in their plain form, each once, and notes those
// that are none.
func (c *checker) recipients(given []string, at string) []string {
	addresses, err := address.List(given)
	if err != nil {
		c.wrong.AddErr(at, err)
	}
	return addresses
}
