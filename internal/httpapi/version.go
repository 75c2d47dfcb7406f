package httpapi

import (
	"strconv"
	"strings"

	"github.com/vizpost/vizpost/internal/problem"
)

// ByVersion is the input of what changes one thing.
type ByVersion struct {
	ByID
	IfMatch string `header:"If-Match" doc:"The version that the change was made from, as the header ETag gave it, such as \"3\". Without it, whichever version there is is changed." example:"\"3\""`
}

// version reads the header If-Match: 0 when any version is meant.
func (in ByVersion) version() (int64, error) {
	value := strings.TrimSpace(in.IfMatch)
	if value == "" || value == "*" {
		return 0, nil
	}
	if strings.HasPrefix(value, "W/") {
		// RFC 9110, section 13.1.1.
		return 0, problem.New(problem.Stale, problem.CodeStale,
			`The header If-Match holds a weak tag, which never matches. Send the version without W/, such as "3".`)
	}
	quoted, ok := strings.CutPrefix(value, `"`)
	quoted, closed := strings.CutSuffix(quoted, `"`)
	if n, err := strconv.ParseInt(quoted, 10, 64); ok && closed && err == nil && n > 0 {
		return n, nil
	}
	return 0, problem.New(problem.BadRequest, problem.CodeBadRequest,
		`The header If-Match holds one version in quotes, such as "3", as the header ETag gave it.`)
}

// etag gives a version as a header.
func etag(version int64) string { return strconv.Quote(strconv.FormatInt(version, 10)) }

// one is the answer of what concerns one thing that people edit.
type one[T any] struct {
	ETag string `header:"ETag" doc:"The version, for If-Match."`
	Body T
}

// made is the answer of what made a thing.
type made[T any] struct {
	ETag     string `header:"ETag" doc:"The version, for If-Match."`
	Location string `header:"Location" doc:"Address of what was made."`
	Body     T
}

// plain is an answer without a version.
type plain[T any] struct{ Body T }
