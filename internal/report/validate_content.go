package report

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// pasted is a view as it was given, found what became of it.
type pasted struct{ connectionID, view string }

type found struct {
	target  tableau.Target
	address tableau.Address
	err     error
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
	switch {
	case item.Filters != nil && len(item.Filters) == 0 && len(address.Filters) > 0:
		c.wrong.Add(at+".filters", "The view's address carries filters, and this says that there are none. Leave this out to use the address's, or take them out of the address.")
	case len(item.Filters) == 0 && len(address.Filters) > 0:
		item.Filters = make(map[string][]string, len(address.Filters))
		for _, f := range address.Filters {
			item.Filters[f.Field] = append(item.Filters[f.Field], f.Values...)
		}
	}
	if err := c.checkView(ctx, r.ConnectionID, item, at+".check_view"); err != nil {
		return err
	}
	request := c.export(item, at)
	c.fileName(item, at)
	return c.supported(ctx, r.ConnectionID, request, at)
}

// supported refuses what the connection's server is too old for: its first run
// would fail. An error means that the context ended.
func (c *checker) supported(ctx context.Context, connectionID string, request tableau.ExportRequest, at string) error {
	if connectionID == "" || request.Validate() != nil {
		return nil
	}
	err := c.service.Connections.Supports(ctx, connectionID, request)
	var refused *tableau.Error
	switch {
	case err == nil || problem.Is(err, problem.NotFound): // which is told of the view
	case ctx.Err() != nil:
		return fmt.Errorf("asking what a server supports: %w", err)
	case errors.As(err, &refused) && refused.Cause == tableau.NotSupported:
		c.wrong.Add(at+".format", "%s", refused.Message())
	case c.failed == nil:
		c.failed = fmt.Errorf("asking what a server supports: %w", err)
	}
	return nil
}

// checkView finds the worksheet that the item's filters are verified on.
func (c *checker) checkView(ctx context.Context, connectionID string, item *Content, at string) error {
	item.CheckView = strings.TrimSpace(item.CheckView)
	if item.CheckView == "" || connectionID == "" {
		item.CheckView, item.CheckViewID, item.CheckViewName = "", "", ""
		return nil
	}
	result := c.resolve(ctx, connectionID, item.CheckView)
	if result.err != nil {
		return c.viewFailed(ctx, at, result.err)
	}
	view := result.target.View
	item.CheckView, item.CheckViewID, item.CheckViewName = view.ContentURL, view.ID, view.Name
	switch {
	case view.ID == "":
		c.wrong.Add(at, "This address names a workbook, not a view. Paste the address of a worksheet.")
	case result.target.CustomView.ID != "":
		c.wrong.Add(at, "This is a custom view, whose own filters would decide. Paste the address of the worksheet as it was published.")
	case view.IsDashboard():
		c.wrong.Add(at, "This is a dashboard, whose data are those of one of its worksheets alone. Publish that worksheet as a view of its own, and paste its address.")
	}
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
	address := item.View
	if item.Scope == OfWorkbook && !strings.ContainsAny(address, "/?#") { // a workbook's content URL
		address = "workbooks/" + url.PathEscape(address) + ".twbx"
	}
	result := c.resolve(ctx, connectionID, address)
	if result.err != nil {
		return tableau.Address{}, c.viewFailed(ctx, at+".view", result.err)
	}
	if wrong := item.target(result.target); wrong != "" {
		c.wrong.Add(at+".view", "%s", wrong)
	}
	return result.address, nil
}

// resolve finds what an address leads to, once for each.
func (c *checker) resolve(ctx context.Context, connectionID, address string) found {
	key := pasted{connectionID, address}
	result, known := c.found[key]
	if !known {
		result.target, result.address, result.err = c.service.Connections.Resolve(ctx, connectionID, address)
		if c.found == nil {
			c.found = map[pasted]found{}
		}
		c.found[key] = result
	}
	return result
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
		c.wrong.Add(at, "%s", p.Message)
	case errors.As(err, &p) && p.Kind == problem.Invalid && p.Code == problem.CodeInvalid:
		message := p.Message
		if len(p.Fields) > 0 { // of the field that it was pasted into, whose name there is its own
			message = p.Fields[0].Message
		}
		c.wrong.Add(at, "%s", message)
	case errors.As(err, &p) && p.Kind == problem.NotFound:
		if !slices.ContainsFunc(c.wrong, func(f problem.Field) bool { return f.Name == "connection_id" }) {
			c.wrong.Add("connection_id", "There is no connection with this id.")
		}
	case !errors.As(err, &p) && errors.As(err, &refused) &&
		(refused.Cause == tableau.ViewNotFound || refused.Cause == tableau.WorkbookNotFound || refused.Cause == tableau.CustomViewNotFound):
		c.wrong.Add(at, "%s", refused.Message())
	case c.failed != nil:
	case p != nil && p.Kind == problem.Invalid:
		// Invalid is what the connection has stored, not this request.
		c.failed = &problem.Error{Kind: problem.Conflict, Code: p.Code, Message: p.Message, Err: err}
	default:
		c.failed = fmt.Errorf("finding a report's view: %w", err)
	}
	return nil
}

// skipIfEmpty has content that was just given left out when it has no data,
// unless it says otherwise. Content that was stored before there was a choice is
// sent, as it was, until it is given anew.
func skipIfEmpty(content []Content) {
	for i := range content {
		if content[i].IfEmpty == "" {
			content[i].IfEmpty = SkipEmpty
		}
	}
}

// export checks how the item is exported, and returns what Tableau will be asked
// for.
func (c *checker) export(item *Content, at string) tableau.ExportRequest {
	switch item.IfEmpty {
	case "", SkipEmpty, SendEmpty, FailEmpty:
	default:
		c.wrong.Add(at+".if_empty", "Choose one of %s, %s and %s.", SkipEmpty, SendEmpty, FailEmpty)
	}
	if item.MaxAgeMinutes == 0 {
		item.MaxAgeMinutes = 1
	}
	if item.EscapeFormulas && item.Format != tableau.CSV && item.Format != "" {
		c.wrong.Add(at+".escape_formulas", "This belongs to the format csv: cells of other formats are never run. Leave it out.")
	}
	if item.AllowBlank && (item.Format == tableau.CSV || item.Format == tableau.XLSX) {
		c.wrong.Add(at+".allow_blank", "This belongs to the formats png, svg, pdf and pptx. For csv and xlsx, choose with if_empty what becomes of a file without data.")
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
	request.Filters = item.FilterList()
	if err := request.Validate(); err != nil {
		c.wrong.AddErr(at, err)
	}
	if item.MaxAgeMinutes < 1 || item.MaxAgeMinutes > maxAge {
		c.wrong.Add(at+".max_age_minutes", "Give whole minutes from 1 to %d.", maxAge)
	}
	return request
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
