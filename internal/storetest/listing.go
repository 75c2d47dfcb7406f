package storetest

import (
	"slices"
	"testing"
)

// listing is a list that is read page by page.
type listing[T any] struct {
	add    func() string // stores a new item and gives its id, above all before
	page   func(after string, limit int) ([]T, string, error)
	id     func(T) string
	newest bool // the newest id comes first
}

// checkList holds a list to its order, and to losing and doubling nothing while
// items are added.
func checkList[T any](t *testing.T, l listing[T]) {
	t.Helper()
	if items, next, err := l.page("", 3); err != nil || len(items) != 0 || next != "" {
		t.Fatalf("got %d items, next %q, error %v of an empty list, want none", len(items), next, err)
	}
	var want []string
	for range 7 {
		want = append(want, l.add())
	}
	if l.newest {
		slices.Reverse(want)
	}
	all := func(limit int) func(after string) ([]T, string, error) {
		return func(after string) ([]T, string, error) {
			items, next, err := l.page(after, limit)
			if len(items) > limit {
				t.Fatalf("got a page of %d items, want at most %d", len(items), limit)
			}
			return items, next, err
		}
	}
	for _, limit := range []int{1, 2, 3, 6, 7, 8, 1000} {
		eventually(t, func() string { return differs(ids(pages(t, all(limit), nil), l.id), want) })
	}
	eventually(t, func() string {
		items, _, err := l.page(want[3], 1000)
		succeed(t, err)
		return differs(ids(items, l.id), want[4:])
	})

	// While the pages are read, items are added: above the place where an
	// ascending list is read, so that they may come; before the beginning of
	// one that has the newest first, so that they must not.
	var added []string
	got := ids(pages(t, all(2), func(page int) {
		if page < 3 {
			added = append(added, l.add())
		}
	}), l.id)
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Fatalf("got ids %v while items were added, want %v first", got, want)
	}
	for rest := got[len(want):]; len(rest) > 0; rest = rest[1:] {
		if l.newest || !slices.Contains(added, rest[0]) || slices.Contains(rest[1:], rest[0]) {
			t.Fatalf("got ids %v while %v were added to %v: one is lost, doubled or out of place", got, added, want)
		}
	}
}
