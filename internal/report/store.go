package report

import "context"

// Store keeps reports. All methods are safe for concurrent use by many
// processes; what they return is the caller's.
//
// Where a comment names NotFound, Stale or Invalid, the error is a
// [problem.Error] of that kind.
type Store interface {
	// CreateReport stores a new report with Rev 1 and counts it as a use of
	// its connection and its named destinations, in one transaction; a use
	// does not change their Rev. Invalid with the field connection_id or
	// destinations when one of them is gone; Stale when the id exists.
	CreateReport(ctx context.Context, r Report) error

	// Report reads one, consistently. NotFound when there is none.
	Report(ctx context.Context, id string) (Report, error)

	// Reports lists in order of id, beginning behind the id after; only those
	// of one connection when connectionID is not "". The second result is the
	// id to go on behind, "" at the end.
	Reports(ctx context.Context, connectionID, after string, limit int) ([]Report, string, error)

	// UpdateReport replaces the stored report if its Rev is still r.Rev, stores
	// Rev+1, and moves the uses of connection and named destinations. Errors
	// as of CreateReport; NotFound when the report is gone.
	UpdateReport(ctx context.Context, r Report) error

	// DeleteReport removes a report and its uses if its Rev is still rev.
	// Stale, NotFound.
	DeleteReport(ctx context.Context, id string, rev int64) error
}
