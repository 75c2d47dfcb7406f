package httpapi

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/secret"
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

// digestRounds makes it slow to guess a password by its digest (OWASP, "Password
// Storage"). A request with a key and a secret takes a fraction of a second more.
const digestRounds = 210_000

// secretsOf returns the secrets within a decoded request, in order.
func secretsOf(v reflect.Value) (found []string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			found = secretsOf(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			found = append(found, secretsOf(v.Index(i))...)
		}
	case reflect.Struct:
		if hidden, ok := asSecret(v); ok {
			if hidden.IsZero() {
				return nil
			}
			return []string{hidden.Reveal()}
		}
		for i := range v.NumField() {
			found = append(found, secretsOf(v.Field(i))...)
		}
	}
	return found
}

func asSecret(v reflect.Value) (secret.Text, bool) {
	if !v.CanInterface() {
		return secret.Text{}, false
	}
	hidden, ok := v.Interface().(secretText)
	return hidden.Text, ok
}

// create makes one thing for all requests with the same key. kind names the
// sort of thing; body is the decoded request. Of its secrets, which encode as a
// placeholder, a digest is compared that tells nothing of them.
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
	owner := kind + "/" + callOf(ctx).subject
	digest := sha256.Sum256(text)
	kept, err := a.deps.Requests.ClaimRequest(ctx, owner, key, hex.EncodeToString(digest[:]), id, a.deps.Now())
	if err != nil {
		return none, fmt.Errorf("looking for the same request before: %w", err)
	}
	if kept != id {
		// Making a connection signs in, which would end the session of the one
		// that exists: so it is looked for first.
		known, err := read(kept)
		if err == nil {
			err = a.sameSecrets(ctx, owner, key, kept, body)
		}
		if !problem.Is(err, problem.NotFound) {
			return known, err
		}
	}
	thing, err := build(kept)
	if problem.Is(err, problem.Stale) {
		thing, err = read(kept)
	}
	if err == nil {
		err = a.sameSecrets(ctx, owner, key, kept, body)
	}
	return thing, err
}

// sameSecrets refuses a request with other secrets than those that the thing was
// made with. They are noted once it is made: what failed may be sent again with
// the right one.
func (a *api) sameSecrets(ctx context.Context, owner, key, id string, body any) error {
	hidden := secretsOf(reflect.ValueOf(body))
	if len(hidden) == 0 {
		return nil
	}
	sum, err := pbkdf2.Key(sha512.New, strings.Join(hidden, "\x00"), []byte(owner+"\x00"+key), digestRounds, sha256.Size)
	if err != nil {
		return fmt.Errorf("taking the digest of a request's secrets: %w", err)
	}
	if _, err := a.deps.Requests.ClaimRequest(ctx, owner+"/secrets", key, hex.EncodeToString(sum), id, a.deps.Now()); err != nil {
		return fmt.Errorf("comparing a request's secrets: %w", err)
	}
	return nil
}
