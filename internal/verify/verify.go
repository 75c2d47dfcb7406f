// Package verify finds out whether Tableau applied the filters of an export.
package verify

// Verdict says whether Tableau applied the filters of an export. The values are
// stored and shown by the API.
type Verdict string

// The verdicts.
const (
	Applied    Verdict = "applied"
	NotApplied Verdict = "not_applied"
	Unknown    Verdict = "unknown" // it cannot be told
)
