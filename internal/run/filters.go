package run

import (
	"context"
	"errors"
	"fmt"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/verify"
)

// showsRows reports whether an export of content shows by itself whether its
// filters were applied.
func showsRows(what report.Content) bool {
	return what.Format == tableau.CSV || what.Format == tableau.XLSX
}

// current gives content with the names and ids that it has in Tableau now, and
// its view. Where they cannot be had, they are those of the day on which the
// report was saved: what is wrong shows when it is exported.
func (d *drain) current(ctx context.Context, c connection.Connection, what report.Content) (report.Content, tableau.View) {
	if what.Scope == report.OfWorkbook {
		book, err := d.Connections.Workbook(ctx, c.ID, what.WorkbookURL, connection.NameAge)
		if err != nil {
			d.Log.Info("a workbook goes by the name that it had", "connection", c.ID, "error", err)
			return what, tableau.View{}
		}
		what.WorkbookID, what.WorkbookName = book.ID, book.Name
		if what.WorkbookPage != "" {
			what.WorkbookPage = book.WebpageURL
		}
		return what, tableau.View{}
	}
	age := connection.NameAge
	if what.Verified() {
		age = connection.VersionAge
	}
	view, err := d.Connections.View(ctx, c.ID, what.View, age)
	if err != nil {
		d.Log.Info("a view goes by the name that it had", "connection", c.ID, "error", err)
		return what, tableau.View{ID: what.ViewID, Name: what.ViewName, ContentURL: what.View, WorkbookName: what.WorkbookName}
	}
	what.ViewID, what.ViewName = view.ID, view.Name
	if view.WorkbookName != "" {
		what.WorkbookName = view.WorkbookName
	}
	return what, view
}

// verify looks whether Tableau applies the filters of content, of data in its
// export. That it does not is a failure for good. Where it cannot be told, the
// people of the report are told so once, and messages say nothing of filters.
func (d *drain) verify(ctx context.Context, r Run, c connection.Connection, what report.Content, view tableau.View, e *exported) (verify.Result, error) {
	var check tableau.View
	if what.CheckView != "" {
		var err error
		if check, err = d.Connections.View(ctx, c.ID, what.CheckView, connection.VersionAge); err != nil {
			d.Log.Info("the view that filters are verified on cannot be had", "connection", c.ID, "error", err)
			check = tableau.View{}
		}
	}
	subject := what.Subject(view, check)
	do := func(ctx context.Context, call connection.Call) error {
		return d.tryOften(ctx, c, func() error { return d.inSlot(ctx, c.ID, call) })
	}
	var got verify.Result
	var err error
	if e == nil {
		got, err = d.Filters.Check(ctx, c, do, subject)
	} else {
		got, err = d.Filters.CheckFile(ctx, c, do, subject, e.file, e.size)
	}
	var never *neverError
	switch {
	case errors.As(err, &never) && ctx.Err() == nil:
		// What Tableau refuses of the check need not keep the export from its
		// readers; what it refuses of the view does that itself.
		got = verify.Result{Verdict: verify.Unknown, Evidence: "It could not be checked: " + never.message}
		for _, f := range subject.Filters {
			got.Wrong = append(got.Wrong, f.Field)
		}
	case err != nil:
		return verify.Result{}, err
	}
	switch {
	case got.Verdict == verify.NotApplied:
		return got, &neverError{
			message: got.Message() + " Nothing was sent, since it could hold numbers that its readers must not see. " +
				"Edit the filters in the report; if it is right as it is, turn off Verify filters there (verify_filters).",
			err: fmt.Errorf("the filters are %s", got.Verdict),
		}
	case got.Verdict == verify.Unknown && what.RequireFilterProof:
		return got, &neverError{
			message: got.Message() + " The report requires that, so nothing was sent.",
			err:     fmt.Errorf("the filters are %s", got.Verdict),
		}
	case got.Verdict == verify.Unknown && (got.Rows == nil || *got.Rows > 0): // without a row, a filter says nothing
		return got, d.noteUnverified(ctx, r, what, got)
	}
	return got, nil
}

// noteUnverified tells a report's people once that nobody knows whether the
// filters of a content are applied.
func (d *drain) noteUnverified(ctx context.Context, r Run, what report.Content, got verify.Result) error {
	c := what
	c.ViewID, c.WorkbookID, c.CheckViewID, c.WorkbookName = "", "", "", ""
	return d.notices(ctx, r.ReportID, ExportKey(c), "filters_unknown", r.Notify, Notice{
		Kind: FiltersUnknown, ConnectionID: r.ConnectionID, ReportID: r.ReportID, RunID: r.ID, Level: OfReport,
		Subject: fmt.Sprintf("The filters of the report %q cannot be verified", r.ReportName),
		Text: fmt.Sprintf("The report %q for %s is sent with %s, and its messages do not name the filters. %s",
			r.ReportName, timeWords(r.ScheduledFor, r.TimeZone), named(what), got.Message()),
		ToDo: "Look at the files in the run. If the filters are right, give the report a view that they can be verified on, or turn off Verify filters in it. You are told of this once.",
	})
}
