package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/content"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/scratch"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/verify"
)

// mediaTypes are what the formats are sent and stored as.
var mediaTypes = map[tableau.Format]string{
	tableau.PNG:  "image/png",
	tableau.PDF:  "application/pdf",
	tableau.CSV:  "text/csv; charset=utf-8",
	tableau.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	tableau.SVG:  "image/svg+xml",
	tableau.PPTX: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}

const (
	maxTries = 3 // of one export within a run, where trying again may help

	// longestPause is how long a run waits in place to try again; a longer one
	// is spent in the store.
	longestPause = 30 * time.Second
)

// export makes one file: it is exported to a temporary file, checked while it
// arrives there, and stored, if its filters are not found not to be applied.
// A failure is a [connection.BrokenError], a neverError, a laterError, or one
// inside vizpost.
func (d *drain) export(ctx context.Context, r Run, what report.Content, c connection.Connection) (File, error) {
	key := ExportKey(what)
	what, view := d.current(ctx, c, what)
	var filters verify.Result
	if what.Verified() && !showsRows(what) {
		var err error
		if filters, err = d.verify(ctx, r, c, what, view, nil); err != nil {
			return File{}, err
		}
	}
	empty := filters.Rows != nil && *filters.Rows == 0 && what.IfEmpty != "" && what.IfEmpty != report.SendEmpty
	tmp, err := d.Scratch.Create(ctx)
	if err != nil {
		return File{}, noRoom(err)
	}
	defer discard(tmp)

	e := exported{request: exportRequest(what), file: tmp, what: what}
	var rows *int
	if empty { // of which nothing is to be sent, so it is not exported
		e.sum = emptySum()
	} else {
		err = d.tryOften(ctx, c, func() error { return d.exportOnce(ctx, c.ID, &e) })
		if rows, err = d.rows(ctx, c.ID, &e, err); err != nil {
			return File{}, err
		}
	}
	if (empty || rows != nil && *rows == 0) && what.IfEmpty == report.FailEmpty {
		return File{}, &neverError{message: capital(named(what)) + " has no data, and the report is set to fail then.", err: errNoData}
	}
	if what.Verified() && showsRows(what) {
		if filters, err = d.verify(ctx, r, c, what, view, &e); err != nil {
			return File{}, err
		}
	}
	if what.EscapeFormulas { // after the check, which looks at what Tableau exported
		escaped, err := d.escape(ctx, &e)
		if err != nil {
			return File{}, noRoom(err)
		}
		defer discard(escaped)
		tmp = escaped
	}

	file := File{
		ID: d.NewID(), Export: key, Format: string(what.Format), Rows: rows, Escaped: what.EscapeFormulas, ContentType: mediaTypes[what.Format],
		Size: e.size, SHA256: e.sum, Width: e.facts.Width, Height: e.facts.Height,
		View: what.Title(), Workbook: what.WorkbookName, ViewURL: openAt(c, what),
		Filters: what.Filters, ExportedAt: d.Now(),
		FilterVerdict: filters.Verdict, FilterEvidence: filters.Evidence, VerifiedOn: filters.On, CheckedRows: filters.Rows,
	}
	file.Object = "runs/" + r.ID + "/" + file.ID + "." + file.Format
	if file.Name, err = fileName(r, c, what, file); err != nil {
		return File{}, err
	}
	if err := d.Files.Put(ctx, file.Object, file.ContentType, tmp.Reader(), file.Size); err != nil {
		return File{}, fmt.Errorf("storing the export: %w", err)
	}
	return file, nil
}

// tryOften makes tries until one succeeds or the rest is in vain, with pauses
// in between. The connection is as it was before the first.
func (d *drain) tryOften(ctx context.Context, c connection.Connection, once func() error) error {
	tries := tries{}
	for {
		err := once()
		if err == nil {
			return nil
		}
		tries.add(err)
		pause, verdict := d.judge(ctx, c, err, tries)
		if verdict != nil {
			return verdict
		}
		if err := wait(ctx, pause+d.Jitter(pause/4)); err != nil {
			return err
		}
	}
}

// tries are those that have failed so far, and of them those whose failure is
// worth a single further try: a rendering that fails right after Tableau was
// busy has not had it yet.
type tries struct{ all, narrow int }

func (t *tries) add(err error) {
	t.all++
	var (
		refused *content.Error
		failed  *tableau.Error
	)
	if errors.As(err, &refused) && !passing(refused) || errors.As(err, &failed) && askOnceMore(failed) {
		t.narrow++
	}
}

// askOnceMore reports whether a single further try may help: Tableau says so of
// a rendering that failed, and of what is there and permitted it has been seen
// to say for a moment that it is not, such as while it is published again.
func askOnceMore(failed *tableau.Error) bool {
	switch failed.Cause {
	case tableau.NotPermitted, tableau.ViewNotFound, tableau.WorkbookNotFound, tableau.CustomViewNotFound:
		return true
	}
	return failed.RetryOnce
}

// backoff is the pause after them: 2, 8, 32 s.
func (t tries) backoff() time.Duration { return 2 * time.Second << (2 * (t.all - 1)) }

// passing reports whether a file was refused for what may pass.
func passing(refused *content.Error) bool {
	return refused.Reason == content.Truncated || refused.Reason == content.HTML || refused.Reason == content.TableauError
}

// openAt gives the address at which a person opens what was exported; "" where
// it is not known. A view opens with the filters that it was exported with.
func openAt(c connection.Connection, what report.Content) string {
	page := tableau.OwnURL(what.WorkbookPage, c.ServerURL) // it came from an answer
	view := tableau.ViewURL(c.ServerURL, c.Site, what.View)
	switch {
	case what.Scope == report.OfWorkbook && (page != "" || what.View == ""):
		return page // which takes no filters
	case what.CustomViewID != "":
		view += "/" + url.PathEscape(what.CustomViewID) + "/" + url.PathEscape(what.CustomViewName)
	}
	return tableau.FilteredURL(view, what.FilterList())
}

// exported is an export on its way into a temporary file.
type exported struct {
	request tableau.ExportRequest
	file    *scratch.File
	what    report.Content
	size    int64
	sum     string // SHA-256 in hex
	facts   content.Facts
	refused error // by the check, or the check's own
}

// inSlot runs a call to Tableau in one of the site's export slots.
func (d *drain) inSlot(ctx context.Context, connectionID string, call connection.Call) error {
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return d.Connections.Do(ctx, connectionID, call)
}

// exportOnce makes one try.
func (d *drain) exportOnce(ctx context.Context, connectionID string, e *exported) error {
	err := d.inSlot(ctx, connectionID, func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
		return withCurrentID(ctx, client, session, e.what, &e.request, func() error { return e.fetch(ctx, client, session) })
	})
	if err != nil {
		return err
	}
	return e.refused
}

// withCurrentID makes a call with a request for content, and once more with the
// id that the content's address has now where Tableau does not know the one in
// the request: a workbook that was deleted and published again has new ids
// under the old addresses.
func withCurrentID(ctx context.Context, client *tableau.Client, session tableau.Session, what report.Content, r *tableau.ExportRequest, call func() error) error {
	err := call()
	if !notFound(err) {
		return err
	}
	again, findErr := found(ctx, client, session, what, *r)
	if findErr != nil || again.ViewID == r.ViewID && again.WorkbookID == r.WorkbookID {
		return err
	}
	*r = again
	return call()
}

func notFound(err error) bool {
	var t *tableau.Error
	return errors.As(err, &t) && (t.Cause == tableau.ViewNotFound || t.Cause == tableau.WorkbookNotFound)
}

// found gives the request with the id that the content's address has now. A
// custom view ends with the view that it was of.
func found(ctx context.Context, client *tableau.Client, session tableau.Session, what report.Content, r tableau.ExportRequest) (tableau.ExportRequest, error) {
	switch {
	case r.WorkbookID != "":
		book, err := client.FindWorkbook(ctx, session, what.WorkbookURL)
		r.WorkbookID = book.ID
		return r, err
	case r.ViewID != "":
		view, err := client.FindView(ctx, session, what.View)
		r.ViewID = view.ID
		return r, err
	}
	return r, nil
}

// fetch exports into the file, from its beginning, and checks it. What the check
// finds is kept: it is no error of the connection.
func (e *exported) fetch(ctx context.Context, client *tableau.Client, session tableau.Session) error {
	if err := e.file.Reset(); err != nil {
		return err
	}
	sum := sha256.New()
	var size counter
	var err error
	e.facts, e.refused = content.Receive(ctx, e.file, string(e.request.Format), func(w io.Writer) error {
		_, err = client.Export(ctx, session, e.request, io.MultiWriter(w, sum, &size))
		return err
	}, blankAllowed(e.what)...)
	if err != nil {
		return err
	}
	e.size, e.sum = int64(size), hex.EncodeToString(sum.Sum(nil))
	return nil
}

// escape writes the export to another temporary file, with an apostrophe before
// what a spreadsheet would run. The caller closes it.
func (d *drain) escape(ctx context.Context, e *exported) (*scratch.File, error) {
	to, err := d.Scratch.Create(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	var size counter
	escaper := content.NewFormulaEscaper(io.MultiWriter(to, sum, &size))
	_, err = io.Copy(escaper, io.NewSectionReader(e.file, 0, e.size))
	if err = errors.Join(err, escaper.Close()); err != nil {
		discard(to)
		return nil, fmt.Errorf("escaping the export: %w", err)
	}
	e.size, e.sum = int64(size), hex.EncodeToString(sum.Sum(nil))
	return to, nil
}

// noRoom says of an export for which there is no room among the temporary files
// that it is made later: the others end, and what fills a disk can be removed.
// Any other error is as it was.
func noRoom(err error) error {
	if !errors.Is(err, scratch.ErrFull) {
		return err
	}
	return &laterError{message: "There is not enough room for this export among the temporary files, beside those of other exports or on the disk.",
		after: time.Minute, err: err}
}

// blankAllowed returns the option of a check with which the content is exported.
func blankAllowed(what report.Content) []content.Option {
	if what.AllowBlank {
		return []content.Option{content.AllowBlank}
	}
	return nil
}

// counter counts the bytes that are written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// exportRequest is what Tableau is asked for.
func exportRequest(c report.Content) tableau.ExportRequest {
	req := tableau.ExportRequest{Format: c.Format, MaxAge: c.MaxAgeMinutes, Image: c.Image, PDF: c.PDF, Language: c.Language}
	switch {
	case c.Scope == report.OfWorkbook:
		req.WorkbookID = c.WorkbookID
	case c.CustomViewID != "":
		req.CustomViewID = c.CustomViewID
	default:
		req.ViewID = c.ViewID
	}
	req.Filters = c.FilterList()
	return req
}

// judge says what a failed try means: a pause before the next one, or the
// error that ends the run's present try.
func (d *drain) judge(ctx context.Context, c connection.Connection, err error, tries tries) (time.Duration, error) {
	var (
		broken  *connection.BrokenError
		busy    *connection.BusyError
		refused *content.Error
		failed  *tableau.Error
	)
	switch {
	case ctx.Err() != nil, errors.As(err, &broken):
		return 0, err
	case errors.Is(err, scratch.ErrFull):
		return 0, noRoom(err)
	case errors.As(err, &busy):
		return 0, &laterError{message: busy.Message, after: busy.After, wide: true, err: err}
	case errors.As(err, &refused):
		switch {
		case !passing(refused) && tries.narrow > 1:
			return 0, &neverError{message: refused.Message(), err: err}
		case tries.all >= maxTries:
			return 0, &laterError{message: refused.Message(), err: err}
		}
		return tries.backoff(), nil
	case errors.As(err, &failed):
		return d.judgeTableau(ctx, c, failed, tries)
	case problem.Is(err, problem.NotFound):
		return 0, &neverError{message: "Its connection was deleted.", err: err}
	case problem.Is(err, problem.Invalid): // it cannot be asked for
		return 0, &neverError{message: text(err), err: err}
	}
	return 0, err
}

func (d *drain) judgeTableau(ctx context.Context, c connection.Connection, err *tableau.Error, tries tries) (time.Duration, error) {
	last := tries.all >= maxTries
	switch {
	case unreachable(err) && (last || !err.Retry):
		latest, stateErr := d.Connections.Unreachable(ctx, c, err)
		if stateErr != nil {
			return 0, errors.Join(stateErr, err)
		}
		if latest.State.Works() { // another credential by now
			return 0, &laterError{message: err.Message(), wide: true, err: err}
		}
		return 0, errors.Join(&connection.BrokenError{Connection: latest}, err)
	case err.Limit > 0: // another try takes as long: it is not made in place
		return 0, &laterError{message: err.Message(), slow: true, err: err}
	case err.Cause == tableau.SessionEnded && !last:
		return tries.backoff(), nil
	case err.Cause == tableau.SessionEnded:
		return 0, &laterError{message: err.Message(), wide: true, err: err}
	case !err.Retry && !askOnceMore(err), askOnceMore(err) && tries.narrow > 1:
		return 0, &neverError{message: err.Message(), err: err}
	case last, err.RetryAfter > longestPause:
		return 0, &laterError{message: err.Message(), after: err.RetryAfter, wide: wide(err), err: err}
	}
	return max(tries.backoff(), err.RetryAfter), nil
}

// unreachable reports whether a failure is of the server as a whole.
func unreachable(err *tableau.Error) bool {
	switch err.Cause {
	case tableau.Unreachable, tableau.Certificate, tableau.Blocked:
		return true
	case tableau.NotTableau: // at the sign-in; a page in place of an export passes
		return !err.Retry
	}
	return false
}

// wide reports whether a failure is of the site, and not of what was asked for.
func wide(err *tableau.Error) bool {
	switch err.Cause {
	case tableau.SessionEnded, tableau.TooManyRequests, tableau.Unreachable, tableau.NotTableau:
		return true
	}
	return false
}

// fileName gives the name of a content's file, with its extension.
// View and workbook have the names that they had when it was exported.
func fileName(r Run, c connection.Connection, what report.Content, f File) (string, error) {
	name := f.View
	if what.FileName != "" {
		t, err := deliver.CompileTemplate(what.FileName)
		if err == nil {
			name, err = t.Render(env(r, c, []deliver.File{{View: f.View, Workbook: f.Workbook,
				Format: string(what.Format), Filters: what.Filters, VerifiedOn: f.VerifiedOn}}), deliver.Plain)
		}
		if err != nil {
			return "", &neverError{message: "The file name of the report cannot be made: " + text(err), err: err}
		}
	}
	return deliver.FileName(name, string(what.Format)), nil
}

// text gives what an error says to people.
func text(err error) string {
	p, _ := problem.From(err)
	if len(p.Fields) > 0 {
		return p.Fields[0].Message
	}
	return p.Message
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
