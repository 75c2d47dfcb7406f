package report

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
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

var destinationID = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

// checker checks and completes the parts of one report, and collects what is
// wrong with all of them. The fields are named as in the API.
type checker struct {
	service *Service
	now     time.Time
	wrong   problem.Fields
	failed  error // the first error that says nothing about the report itself
	found   map[pasted]found
}

// pasted is a view as it was given, found what became of it.
type pasted struct{ connectionID, view string }

type found struct {
	target  tableau.Target
	address tableau.Address
	err     error
}

// err gives the problem of all wrong fields; if there are none, the failure of
// something else that kept a part from being checked.
func (c *checker) err() error {
	if err := c.wrong.Err(); err != nil {
		return err
	}
	return c.failed
}

// apply makes an edit's changes to a report and checks the parts that it
// changes.
func (c *checker) apply(ctx context.Context, r *Report, e Edit) error {
	c.wrong, c.failed = nil, nil
	if e.Name != nil {
		r.Name = *e.Name
		c.name(r)
	}
	if e.Enabled != nil {
		r.Enabled = *e.Enabled
	}
	if e.ConnectionID != nil {
		r.ConnectionID = *e.ConnectionID
	}
	if e.Content != nil {
		r.Content = CloneContent(*e.Content)
	}
	if e.Content != nil || e.ConnectionID != nil {
		if err := c.content(ctx, r); err != nil {
			return err
		}
	}
	switch {
	case e.NoSchedule:
		r.Schedule = nil
	case e.Schedule != nil:
		var before Schedule
		if r.Schedule != nil {
			before = *r.Schedule
		}
		schedule := e.Schedule.Apply(before)
		r.Schedule = &schedule
		c.schedule(r)
	}
	if e.Destinations != nil {
		r.Destinations = CloneDestinations(*e.Destinations)
		if err := c.destinations(ctx, r); err != nil {
			return err
		}
	}
	if e.Notify != nil {
		r.Notify = slices.Clone(*e.Notify)
		c.notify(r)
	}
	return c.err()
}

// Apply gives a schedule with the changes made. Nothing is checked.
func (e ScheduleEdit) Apply(s Schedule) Schedule {
	if e.Cron != nil {
		s.Cron = *e.Cron
	}
	if e.TimeZone != nil {
		s.TimeZone = *e.TimeZone
	}
	if e.CatchUp != nil {
		s.CatchUp = *e.CatchUp
	}
	for _, date := range []struct {
		from *Date
		to   **Date
	}{{e.StartsOn, &s.StartsOn}, {e.EndsOn, &s.EndsOn}} {
		switch {
		case date.from == nil:
		case *date.from == Date{}:
			*date.to = nil
		default:
			day := *date.from
			*date.to = &day
		}
	}
	return s
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

// content checks the content, resolves its views and fills in what they say.
// An error means that the context ended.
func (c *checker) content(ctx context.Context, r *Report) error {
	if r.ConnectionID == "" {
		c.wrong.Add("connection_id", "Name the connection that the views are exported with.")
	}
	switch {
	case len(r.Content) == 0:
		c.wrong.Add("content", "Give at least one view to export.")
	case len(r.Content) > maxContent:
		c.wrong.Add("content", "A report exports at most %d views.", maxContent)
		return nil
	}
	for i := range r.Content {
		if err := c.item(ctx, r, i); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) item(ctx context.Context, r *Report, i int) error {
	item, at := &r.Content[i], fmt.Sprintf("content[%d]", i)
	c.scope(item, at)
	address, err := c.view(ctx, r.ConnectionID, item, at)
	if err != nil {
		return err
	}
	if item.Format == "" {
		item.Format = address.FormatHint
	}
	if len(item.Filters) == 0 && len(address.Filters) > 0 {
		item.Filters = make(map[string][]string, len(address.Filters))
		for _, f := range address.Filters {
			item.Filters[f.Field] = append(item.Filters[f.Field], f.Values...)
		}
	}
	c.export(item, at)
	c.fileName(item, at)
	return nil
}

// scope notes how much is exported: a PowerPoint is always of a workbook.
func (c *checker) scope(item *Content, at string) {
	switch item.Scope {
	case "", OfView:
		item.Scope = ""
		if item.Format == tableau.PPTX {
			item.Scope = OfWorkbook
		}
	case OfWorkbook:
	default:
		c.wrong.Add(at+".scope", "Choose one of %s and %s.", OfView, OfWorkbook)
		item.Scope = ""
	}
}

// view finds what the item exports and notes it. What was wrong with it is
// noted too; an error means that the context ended.
func (c *checker) view(ctx context.Context, connectionID string, item *Content, at string) (tableau.Address, error) {
	item.View = strings.TrimSpace(item.View)
	if item.View == "" {
		c.wrong.Add(at+".view", "Give the view: its address as the browser shows it in Tableau, or its content URL.")
		return tableau.Address{}, nil
	}
	if connectionID == "" {
		return tableau.Address{}, nil
	}
	key := pasted{connectionID, item.View}
	result, known := c.found[key]
	if !known {
		result.target, result.address, result.err = c.service.Connections.Resolve(ctx, connectionID, item.View)
		if c.found == nil {
			c.found = map[pasted]found{}
		}
		c.found[key] = result
	}
	if result.err != nil {
		return tableau.Address{}, c.viewFailed(ctx, at, result.err)
	}
	if wrong := item.target(result.target); wrong != "" {
		c.wrong.Add(at+".view", "%s", wrong)
	}
	return result.address, nil
}

// target notes what an address led to. It says what is wrong, and "" if
// nothing is.
func (item *Content) target(t tableau.Target) string {
	item.View, item.ViewID, item.ViewName = t.View.ContentURL, t.View.ID, t.View.Name
	item.WorkbookURL, item.WorkbookID, item.WorkbookPage = "", "", ""
	item.CustomViewID, item.CustomViewName = t.CustomView.ID, t.CustomView.Name
	item.WorkbookName = t.View.WorkbookName
	switch {
	case item.Scope != OfWorkbook && t.View.ID == "":
		return "This address names a workbook, not a view. Paste the address of one of its views, or choose the scope workbook to export all of its sheets as pdf or pptx."
	case item.Scope != OfWorkbook:
		return ""
	case t.CustomView.ID != "":
		return "This is a custom view, which is of one view alone. Paste the address of the view or the workbook to export the whole workbook."
	}
	item.ViewID, item.ViewName = "", ""
	item.WorkbookURL, item.WorkbookID, item.WorkbookPage = t.Workbook.ContentURL, t.Workbook.ID, t.Workbook.WebpageURL
	if t.Workbook.ID == "" { // by one of its views
		item.WorkbookURL, item.WorkbookID = t.View.WorkbookContentURL, t.View.WorkbookID
	} else {
		item.WorkbookName = t.Workbook.Name
	}
	return ""
}

func (c *checker) viewFailed(ctx context.Context, at string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("finding a report's view: %w", err)
	}
	var (
		p       *problem.Error
		refused *tableau.Error
	)
	switch {
	case errors.As(err, &p) && p.Code == problem.CodeViewNotFound:
		c.wrong.Add(at+".view", "%s", p.Message)
	case errors.As(err, &p) && p.Kind == problem.Invalid && p.Code == problem.CodeInvalid:
		c.wrong.AddErr(at, p)
	case errors.As(err, &p) && p.Kind == problem.NotFound:
		if !slices.ContainsFunc(c.wrong, func(f problem.Field) bool { return f.Name == "connection_id" }) {
			c.wrong.Add("connection_id", "There is no connection with this id.")
		}
	case !errors.As(err, &p) && errors.As(err, &refused) &&
		(refused.Cause == tableau.ViewNotFound || refused.Cause == tableau.WorkbookNotFound || refused.Cause == tableau.CustomViewNotFound):
		c.wrong.Add(at+".view", "%s", refused.Message())
	case c.failed != nil:
	case p != nil && p.Kind == problem.Invalid:
		// Invalid is what the connection has stored, not this request.
		c.failed = &problem.Error{Kind: problem.Conflict, Code: p.Code, Message: p.Message, Err: err}
	default:
		c.failed = fmt.Errorf("finding a report's view: %w", err)
	}
	return nil
}

func (c *checker) export(item *Content, at string) {
	if item.MaxAgeMinutes == 0 {
		item.MaxAgeMinutes = 1
	}
	item.PDF.PageSize = strings.ToLower(item.PDF.PageSize)
	item.PDF.Orientation = strings.ToLower(item.PDF.Orientation)

	request := tableau.ExportRequest{ViewID: item.ViewID, Format: item.Format, Image: item.Image, PDF: item.PDF, Language: item.Language}
	switch {
	case item.Scope == OfWorkbook:
		request.ViewID, request.WorkbookID = "", orElse(item.WorkbookID, "not found")
	case item.CustomViewID != "":
		request.ViewID, request.CustomViewID = "", item.CustomViewID
	}
	for _, field := range slices.Sorted(maps.Keys(item.Filters)) {
		request.Filters = append(request.Filters, tableau.Filter{Field: field, Values: item.Filters[field]})
	}
	if err := request.Validate(); err != nil {
		c.wrong.AddErr(at, err)
	}
	switch {
	case !item.RequireFilterProof:
	case len(item.Filters) == 0:
		c.wrong.Add(at+".require_filter_proof", "There are no filters to be proven. Add the filters, or leave this out.")
	case item.Scope == OfWorkbook:
		c.wrong.Add(at+".require_filter_proof", "Tableau gives no data of a whole workbook, so nothing can be proven of its filters. Export its views one by one, or leave this out.")
	}
	if item.MaxAgeMinutes < 1 || item.MaxAgeMinutes > maxAge {
		c.wrong.Add(at+".max_age_minutes", "Give whole minutes from 1 to %d.", maxAge)
	}
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func (c *checker) fileName(item *Content, at string) {
	at += ".file_name"
	item.FileName = strings.TrimSpace(item.FileName)
	if utf8.RuneCountInString(item.FileName) > maxFileName {
		c.wrong.Add(at, "A file name has at most %d characters.", maxFileName)
		return
	}
	if _, err := deliver.CompileLine(item.FileName); err != nil {
		c.wrong.AddErr(at, err)
		return
	}
	if strings.ContainsAny(literalText(item.FileName), `/\`) {
		c.wrong.Add(at, `A file name cannot hold / or \: it names a file, not a path.`)
	}
}

// literalText is what a template says outside of its expressions.
func literalText(template string) string {
	var b strings.Builder
	for {
		text, rest, ok := strings.Cut(template, "{{")
		b.WriteString(text)
		if !ok {
			return b.String()
		}
		_, template, _ = strings.Cut(rest, "}}")
	}
}

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
	var addresses []string
	seen := map[string]bool{}
	for i, text := range given {
		address, err := deliver.ParseRecipient(text)
		if err != nil {
			c.wrong.AddErr(fmt.Sprintf("%s[%d]", at, i), err)
			continue
		}
		if key := strings.ToLower(address); !seen[key] {
			seen[key] = true
			addresses = append(addresses, address)
		}
	}
	return addresses
}
