package httpapi

import (
	"encoding/base64"

	"github.com/vizpost/vizpost/internal/problem"
)

// Paging is the input of a list.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many to give at most."`
	Cursor string `query:"cursor" maxLength:"400" doc:"Where to go on: next_cursor of the answer before. It has no meaning of its own."`
}

// after reads the cursor.
func (p Paging) after() (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err != nil {
		return "", problem.InvalidField("cursor", "Send the next_cursor of the answer before, unchanged.")
	}
	return string(b), nil
}

// maxLimit is the most that a list gives at once.
const maxLimit = 200

// cursor gives where to go on; nil at the end.
func cursor(after string) *string {
	if after == "" {
		return nil
	}
	s := base64.RawURLEncoding.EncodeToString([]byte(after))
	return &s
}
