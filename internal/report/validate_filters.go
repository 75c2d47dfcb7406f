package report

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/verify"
)

const (
	// longestVerify is how long the filters of a report may take while it is
	// saved, and afterVerify what is kept of the caller's time for the rest. What
	// takes longer is left to the first run.
	longestVerify = 15 * time.Second
	afterVerify   = 5 * time.Second
)

// filters looks whether Tableau applies the filters of the content, but of that
// which is as it was before. The rest of the report is checked already.
func (c *checker) filters(ctx context.Context, r *Report, before []Content) error {
	if c.service.Filters == nil {
		return nil
	}
	limit := longestVerify
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)-afterVerify)
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for i, item := range r.Content {
		if !item.Verified() || slices.ContainsFunc(before, func(b Content) bool { return sameFilters(b, item) }) {
			continue
		}
		at := fmt.Sprintf("content[%d].filters", i)
		result, err := c.verify(limited, r.ConnectionID, item)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("verifying a report's filters: %w", ctx.Err())
		case err != nil && limited.Err() == nil && !ofTableau(err):
			return fmt.Errorf("verifying a report's filters: %w", err)
		case err != nil:
			r.Warnings = append(r.Warnings, Warning{at, tooSlow(err)})
		case result.Verdict == verify.Applied && result.Rows != nil && *result.Rows == 0:
			r.Warnings = append(r.Warnings, Warning{at, "With these filters the view has no data now. Check the spelling of the values if you expect some."})
		case result.Verdict != verify.Applied:
			c.wrong.Add(at, "%s", result.Message())
		}
	}
	return c.err()
}

// warnOfUnverified says where a report's own words name filters that are not
// verified: they are left out of each message.
func warnOfUnverified(r *Report) {
	unverified := func(c Content) bool { return len(c.Filters) > 0 && c.Unverified }
	warn := func(at, text string) {
		if t, err := deliver.CompileTemplate(text); err == nil && t.NamesFilters() {
			r.Warnings = append(r.Warnings, Warning{at, "Filters that are not verified are not named in messages: what the text says of them stays empty."})
		}
	}
	for i, c := range r.Content {
		if unverified(c) {
			warn(fmt.Sprintf("content[%d].file_name", i), c.FileName)
		}
	}
	if !slices.ContainsFunc(r.Content, unverified) {
		return
	}
	for i, d := range r.Destinations {
		at := fmt.Sprintf("destinations[%d].", i)
		warn(at+"subject", d.Subject)
		warn(at+"body", d.Body)
		warn(at+"text", d.Text)
	}
}

func (c *checker) verify(ctx context.Context, connectionID string, item Content) (verify.Result, error) {
	var views [2]tableau.View
	for i, address := range []string{item.Address(), item.CheckView} {
		if address == "" || item.Scope == OfWorkbook {
			continue
		}
		found := c.resolve(ctx, connectionID, address)
		if found.err != nil {
			return verify.Result{}, found.err
		}
		views[i] = found.target.View
	}
	return c.service.Filters.Before(ctx, connectionID, item.Subject(views[0], views[1]))
}

// sameFilters reports whether two contents have the same filters on the same
// thing, verified in the same way.
func sameFilters(a, b Content) bool {
	of := func(c Content) []any {
		return []any{c.Scope, c.View, c.CustomViewID, c.WorkbookURL, c.CheckView, c.Format, c.Language, c.FilterList(), c.Verified()}
	}
	return reflect.DeepEqual(of(a), of(b))
}

// ofTableau reports whether an error says that Tableau could not be asked.
func ofTableau(err error) bool {
	return errors.As(err, new(*tableau.Error)) || errors.As(err, new(*connection.BusyError)) || errors.As(err, new(*connection.BrokenError))
}

func tooSlow(err error) string {
	why := "Tableau was too slow to verify the filters now."
	var (
		failed *tableau.Error
		busy   *connection.BusyError
	)
	switch {
	case errors.As(err, &busy):
		why = "The filters could not be verified now. " + busy.Message
	case errors.As(err, &failed) && failed.Cause != tableau.Interrupted && failed.Cause != tableau.Timeout:
		why = "The filters could not be verified now. " + failed.Message()
	}
	return why + " The first run verifies them, and sends nothing if Tableau does not apply them."
}
