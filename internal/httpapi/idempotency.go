package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/vizpost/vizpost/internal/problem"
)

// Idempotent is the input of what makes something.
type Idempotent struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"200" doc:"A text of your choosing that is the same each time the same request is sent again, such as a UUID. However often it comes within 24 hours, one thing is made; with another request it is refused (409, code idempotency_key_reused)." example:"3f2b8c1e-5b0e-4a57-9a0e-0c1d2e3f4a5b"`
}

var idempotencyKey = regexp.MustCompile(`^[!-~]{1,200}$`)

// checked gives the key, or "" if there is none.
func (in Idempotent) checked() (string, error) {
	if in.IdempotencyKey != "" && !idempotencyKey.MatchString(in.IdempotencyKey) {
		return "", problem.InvalidField("Idempotency-Key", "The key has at most 200 letters, digits and signs without spaces.")
	}
	return in.IdempotencyKey, nil
}

// create makes one thing for all requests with the same key. kind names the
// sort of thing; body is the decoded request, whose secrets encode as a
// placeholder and so are not part of what is compared and kept.
func create[T any](ctx context.Context, a *api, kind string, in Idempotent, body any,
	build func(id string) (T, error), read func(id string) (T, error)) (T, error) {
	var none T
	key, err := in.checked()
	if err != nil {
		return none, err
	}
	id := a.deps.NewID()
	if key == "" {
		return build(id)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return none, fmt.Errorf("taking the digest of a request: %w", err)
	}
	digest := sha256.Sum256(text)
	kept, err := a.deps.Requests.ClaimRequest(ctx, kind+"/"+callOf(ctx).subject, key, hex.EncodeToString(digest[:]), id, a.deps.Now())
	if err != nil {
		return none, fmt.Errorf("looking for the same request before: %w", err)
	}
	if kept != id {
		// Making a connection signs in, which would end the session of the one
		// that exists: so it is looked for first.
		if known, err := read(kept); !problem.Is(err, problem.NotFound) {
			return known, err
		}
	}
	thing, err := build(kept)
	if problem.Is(err, problem.Stale) {
		return read(kept)
	}
	return thing, err
}
