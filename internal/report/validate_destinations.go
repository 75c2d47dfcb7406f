package report

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
)

var destinationID = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

// destinations checks the destinations and gives those without an id one. An
// error means that a named destination could not be read.
func (c *checker) destinations(ctx context.Context, r *Report) error {
	switch {
	case len(r.Destinations) == 0:
		c.wrong.Add("destinations", "Give at least one destination.")
	case len(r.Destinations) > maxDestinations:
		c.wrong.Add("destinations", "A report has at most %d destinations.", maxDestinations)
		return nil
	}
	c.destinationIDs(r.Destinations)
	for i := range r.Destinations {
		d, at := &r.Destinations[i], fmt.Sprintf("destinations[%d]", i)
		switch d.Type {
		case Email:
			c.email(d, at)
		case Slack:
			if err := c.slack(ctx, d, at); err != nil {
				return err
			}
		default:
			c.wrong.Add(at+".type", "Choose one of %s and %s.", Email, Slack)
		}
	}
	return nil
}

func (c *checker) destinationIDs(destinations []Destination) {
	taken := map[string]bool{}
	for i, d := range destinations {
		at := fmt.Sprintf("destinations[%d].id", i)
		switch {
		case d.ID == "":
		case !destinationID.MatchString(d.ID):
			c.wrong.Add(at, "An id is made of at most 32 lower-case letters, digits, hyphens and underscores, and begins with a letter or digit.")
		case taken[d.ID]:
			c.wrong.Add(at, "Another destination of the report has the same id.")
		}
		taken[d.ID] = true
	}
	for i := range destinations {
		d := &destinations[i]
		if d.ID != "" || !slices.Contains([]string{Email, Slack}, d.Type) {
			continue
		}
		d.ID = d.Type
		for n := 2; taken[d.ID]; n++ {
			d.ID = d.Type + "-" + strconv.Itoa(n)
		}
		taken[d.ID] = true
	}
}

func (c *checker) email(d *Destination, at string) {
	if d.DestinationID != "" {
		c.wrong.Add(at+".destination_id", "An email names its recipients; only other types name a kept destination.")
	}
	if d.Text != "" {
		c.wrong.Add(at+".text", "The text of an email is its body.")
	}

	named := len(d.To)
	given := named + len(d.Cc) + len(d.Bcc)
	if given > maxRecipients {
		c.wrong.Add(at+".to", "An email goes to at most %d recipients.", maxRecipients)
	} else {
		d.To = c.recipients(d.To, at+".to")
		d.Cc = c.recipients(d.Cc, at+".cc")
		d.Bcc = c.recipients(d.Bcc, at+".bcc")
	}
	if given == 0 || !d.Together && named == 0 {
		c.wrong.Add(at+".to", "Give at least one recipient.")
	}
	if !d.Together {
		const alone = "Each recipient gets a message of their own. Set together to send one message to all of them."
		if len(d.Cc) > 0 {
			c.wrong.Add(at+".cc", alone)
		}
		if len(d.Bcc) > 0 {
			c.wrong.Add(at+".bcc", alone)
		}
	}

	if utf8.RuneCountInString(d.Subject) > maxSubject {
		c.wrong.Add(at+".subject", "A subject has at most %d characters.", maxSubject)
	} else if _, err := deliver.CompileLine(d.Subject); err != nil {
		c.wrong.AddErr(at+".subject", err)
	}
	if _, err := deliver.CompileTemplate(d.Body); err != nil {
		c.wrong.AddErr(at+".body", err)
	}
}

// slack checks a Slack destination. An error means that the named destination
// could not be read.
func (c *checker) slack(ctx context.Context, d *Destination, at string) error {
	for _, foreign := range []struct {
		name  string
		given bool
	}{
		{"to", len(d.To) > 0}, {"cc", len(d.Cc) > 0}, {"bcc", len(d.Bcc) > 0},
		{"together", d.Together}, {"subject", d.Subject != ""}, {"body", d.Body != ""},
	} {
		if foreign.given {
			c.wrong.Add(at+"."+foreign.name, "This belongs to the type %s.", Email)
		}
	}
	if _, err := deliver.CompileTemplate(d.Text); err != nil {
		c.wrong.AddErr(at+".text", err)
	}
	if d.DestinationID == "" {
		c.wrong.Add(at+".destination_id", "Name the kept destination that the message goes to.")
		return nil
	}
	named, err := c.service.Destinations.Get(ctx, d.DestinationID)
	switch {
	case problem.Is(err, problem.NotFound):
		c.wrong.Add(at+".destination_id", "There is no destination with this id.")
	case err != nil:
		return fmt.Errorf("reading a report's destination: %w", err)
	case named.Type != Slack:
		c.wrong.Add(at+".destination_id", "This destination is not of the type %s.", Slack)
	}
	return nil
}
