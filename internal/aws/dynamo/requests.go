package dynamo

import (
	"context"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
)

// requestsKept is how long a claim of [Store.ClaimRequest] holds.
const requestsKept = 24 * time.Hour

// Attributes of a claim.
const (
	digestAttribute = "digest"
	madeAttribute   = "made" // id of what the request makes
	createdAt       = "created_at"
)

// ClaimRequest makes a request that comes more than once make one thing. The
// first claim of a key within its scope keeps the id of the thing to be made
// and gives it back; a later one with the same digest of the request gives the
// id that the first one kept. Conflict with the code idempotency_key_reused
// when the digest differs. A claim is kept for 24 hours.
func (s *Store) ClaimRequest(ctx context.Context, scope, key, digest, id string, now time.Time) (string, error) {
	var made string
	err := s.retry(ctx, func() (err error) {
		made, err = s.claimRequest(ctx, hash(scope, key), digest, id, utc(now))
		return err
	})
	if err != nil {
		return "", storeError("claiming a request", err)
	}
	return made, nil
}

func (s *Store) claimRequest(ctx context.Context, name, digest, id string, now time.Time) (string, error) {
	it, found, err := s.get(ctx, s.app, key("request"+separator+name, "request"))
	if err != nil {
		return "", err
	}
	free := condition{"attribute_not_exists(pk)", nil, overtaken}
	if found {
		created, err := unstamp(textOf(it, createdAt))
		if err != nil {
			return "", err
		}
		if now.Before(created.Add(requestsKept)) {
			if textOf(it, digestAttribute) != digest {
				return "", problem.KeyReused()
			}
			return textOf(it, madeAttribute), nil
		}
		free = condition{"created_at = :seen", item{":seen": it[createdAt]}, overtaken}
	}
	claim := key("request"+separator+name, "request")
	claim[digestAttribute], claim[madeAttribute] = text(digest), text(id)
	claim[createdAt], claim[TTLAttribute] = text(stamp(now)), s.expiry(requestsKept)
	return id, s.transact(ctx, put(s.app, claim, free))
}
