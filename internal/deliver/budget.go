package deliver

import (
	"context"
	"fmt"

	"golang.org/x/sync/semaphore"
)

// Budget bounds the memory that emails in flight take together. A message
// that alone would need more than all of it waits until it is the only one.
// A nil Budget bounds nothing. It is safe for concurrent use.
type Budget struct {
	size int64
	left *semaphore.Weighted
}

// NewBudget makes a budget of so many bytes of memory.
func NewBudget(bytes int64) *Budget {
	return &Budget{size: bytes, left: semaphore.NewWeighted(bytes)}
}

// weigh gives the memory that attached bytes take on their way: themselves,
// the message with them in base64, and that message in the request of SES,
// once more in base64 and escaped for a form. About 4.5 bytes for each.
func weigh(attached int64) int64 { return attached/2*9 + attached%2*9/2 }

// take waits for the memory of a message. The caller calls release once.
func (b *Budget) take(ctx context.Context, attached int64) (release func(), err error) {
	if b == nil {
		return func() {}, nil
	}
	n := min(weigh(attached), b.size)
	if err := b.left.Acquire(ctx, n); err != nil {
		return nil, fmt.Errorf("waiting for memory for the attachments: %w", err)
	}
	return func() { b.left.Release(n) }, nil
}
