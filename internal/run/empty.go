package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vizpost/vizpost/internal/content"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/scratch"
	"github.com/vizpost/vizpost/internal/tableau"
)

// errNoData is the cause of a failure that content without data is set to be.
var errNoData = errors.New("there is no data")

// rows returns how many rows of data an export has, nil where its format does
// not tell. err is what the export ended with. Where that means that there is no
// data, and the content says what is to be done then, it is no failure.
func (d *drain) rows(ctx context.Context, connectionID string, e *exported, err error) (*int, error) {
	tells := e.what.Format == tableau.CSV || e.what.Format == tableau.XLSX
	if err == nil {
		if !tells {
			return nil, nil
		}
		return &e.facts.DataRows, nil
	}
	if e.what.IfEmpty == "" || e.what.IfEmpty == report.SendEmpty {
		return nil, err // there is nothing that could be sent
	}
	none := 0
	var (
		refused *content.Error
		failed  *tableau.Error
	)
	switch {
	case is[*neverError](err) && errors.As(err, &refused) && tells && (refused.Reason == content.Empty || refused.Reason == content.Blank):
		// Tableau answers with an empty text or a blank line where a view has no
		// data: the file is what it sent, also when it was asked once more.
		return &none, nil
	case errors.As(err, &failed) && failed.Cause == tableau.NoData:
		empty, askErr := d.noRows(ctx, connectionID, e, failed)
		switch {
		case errors.Is(askErr, scratch.ErrFull): // nothing is known yet
			return nil, noRoom(askErr)
		case askErr != nil:
			return nil, errors.Join(err, askErr)
		}
		if !empty {
			return nil, &neverError{message: "Tableau does not export this view as " + strings.ToUpper(string(e.what.Format)) +
				", although it has data. Choose another format.", err: failed}
		}
		e.size, e.sum = 0, emptySum()
		if err := e.file.Reset(); err != nil {
			return nil, err
		}
		return &none, nil
	}
	return nil, err
}

// emptySum is the checksum of no bytes.
func emptySum() string { return hex.EncodeToString(sha256.New().Sum(nil)) }

// noRows reports whether a refusal of Tableau means that a view is empty. One
// code says so; another, which an Excel file is refused with, has other meanings
// too, so the view's data are asked for.
func (d *drain) noRows(ctx context.Context, connectionID string, e *exported, failed *tableau.Error) (bool, error) {
	const emptyOrUnsupported = "400130"
	if failed.Code != emptyOrUnsupported {
		return true, nil
	}
	tmp, err := d.Scratch.Create(ctx)
	if err != nil {
		return false, err
	}
	defer discard(tmp)
	data := exported{request: e.request, file: tmp, what: e.what}
	data.request.Format = tableau.CSV
	err = d.exportOnce(ctx, connectionID, &data)
	var (
		refused *content.Error
		again   *tableau.Error
	)
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err == nil:
		return data.facts.DataRows == 0, nil
	case errors.As(err, &refused):
		return refused.Reason == content.Empty, nil
	case errors.As(err, &again):
		return again.Cause == tableau.NoData && again.Code != emptyOrUnsupported, nil
	}
	return false, err
}

// named names content in a sentence.
func named(what report.Content) string {
	name := fmt.Sprintf("%q of the workbook %q", what.Title(), what.WorkbookName)
	if what.Scope == report.OfWorkbook {
		name = fmt.Sprintf("the workbook %q", what.WorkbookName)
	}
	return name + " as " + strings.ToUpper(string(what.Format))
}

// capital begins a sentence.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// maxNoDataNamed is how many contents without data a reason names.
const maxNoDataNamed = 5

// noDataReason says that all of a run's content is left out, since it has no
// data; "" unless that is so.
func noDataReason(r Run) string {
	var names []string
	for _, what := range r.Content {
		key := ExportKey(what)
		for _, f := range r.Files {
			if f.Export != key {
				continue
			}
			if !r.LeftOut(f) {
				return ""
			}
			names = append(names, named(what))
			break
		}
	}
	if len(names) < len(r.Content) {
		return ""
	}
	if more := len(names) - maxNoDataNamed; more > 0 {
		names = append(names[:maxNoDataNamed], fmt.Sprintf("and %d more", more))
	}
	has := "has"
	if len(names) > 1 {
		has = "have"
	}
	return fmt.Sprintf("%s %s no data, so nothing was sent.", capital(strings.Join(names, ", ")), has)
}

// skipEmpty ends a run of which nothing is left to send. Its people are told of
// the first one in a row.
func (d *drain) skipEmpty(ctx context.Context, r Run, reason string) error {
	if r.DryRun {
		return d.finish(ctx, r, Skipped, "A dry run: "+reason)
	}
	r.NoData = true
	if len(r.OnlyTo) == 0 {
		first, err := d.firstEmpty(ctx, r)
		if err != nil {
			return err
		}
		if first {
			// The notice comes first: a crash in between tells it once all the same.
			if err := d.notices(ctx, noticesOfRun(r), "", "empty", r.Notify, emptyNotice(r, reason)); err != nil {
				return err
			}
		}
	}
	return d.finish(ctx, r, Skipped, reason)
}

// Of a report's earlier runs, so many are looked at in search of the last one
// that was delivered or had no data.
const (
	emptyPage  = 50
	emptyPages = 10
)

// firstEmpty reports whether no run of the report that was made before ended
// without data since one was delivered. Tests and dry runs do not count, and
// what failed says nothing of data.
func (d *drain) firstEmpty(ctx context.Context, r Run) (bool, error) {
	after := r.ID
	for range emptyPages {
		runs, next, err := d.Store.Runs(ctx, Filter{ReportID: r.ReportID}, after, emptyPage)
		if err != nil {
			return false, fmt.Errorf("reading the report's runs: %w", err)
		}
		for _, earlier := range runs {
			switch {
			case earlier.DryRun || len(earlier.OnlyTo) > 0:
			case earlier.State == Skipped && earlier.NoData:
				return false, nil
			case earlier.State == Delivered || earlier.State == PartlyDelivered:
				return true, nil
			}
		}
		if next == "" {
			break
		}
		after = next
	}
	return true, nil
}

func emptyNotice(r Run, reason string) Notice {
	return Notice{
		Kind: RunEmpty, ConnectionID: r.ConnectionID, ReportID: r.ReportID, RunID: r.ID, Level: OfReport,
		Subject: fmt.Sprintf("The report %q had no data and was not sent", r.ReportName),
		Text: fmt.Sprintf("The report %q of %s was not sent. %s\n\nYou are not told again while it stays without data.",
			r.ReportName, timeWords(r.ScheduledFor, r.TimeZone), reason),
		ToDo: "If you expected this, there is nothing to do. Otherwise open the view in Tableau and check that it shows data with the report's filters. " +
			"To have the report sent even without data, edit its content and choose Send under “If there is no data”.",
	}
}
