package tableau

import (
	"errors"
	"fmt"
	"iter"
)

const (
	// maxPageSize is the most that Tableau takes. Source: Tableau REST API
	// reference, "Paginating results".
	maxPageSize = 1000

	// smallPageSize is for lists whose items are so large that a page of the
	// most is longer than an answer may be: workbooks with long descriptions.
	smallPageSize = 100
)

// What a server can make of a list: as many pages, and of all of them together
// as many items with as many bytes of text.
const (
	maxPages    = 2000
	maxListed   = 200_000
	maxListText = 64 << 20
)

// isLast reports whether a page of the size that was asked for is the last:
// nothing came, or all has come. An answer without pagination is all there is.
func (p pagination) isLast(page, asked, received int) bool {
	total := p.TotalAvailable.int()
	size := p.PageSize.int()
	if size <= 0 {
		size = asked
	}
	return total < 0 || received == 0 || page*size >= total
}

// onePage is what one request for a page of a list brings.
type onePage[T any] struct {
	items []T
	total int // of all pages, as far as Tableau says
	last  bool
}

// pages goes through all pages of the list that a call is for.
func pages[T interface{ TextSize() int }](op string, read func(page, size int) (onePage[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var (
			none           T
			items, text    int
			page, pageSize = 1, maxPageSize
		)
		tooLarge := func(what string) {
			yield(none, &Error{Op: op, Cause: TooLarge, Detail: "more than " + what,
				hint: fmt.Sprintf("The site has more than vizpost lists (%s). Sign in with a user of Tableau who sees only what is to be exported.", what)})
		}
		for range maxPages {
			got, err := read(page, pageSize)
			switch e, ok := asError(err); {
			case ok && e.Code == codeBeyondLastPage && page > 1:
				return
			case pageSize > smallPageSize && errors.Is(err, errTooLong):
				page, pageSize = (page-1)*(pageSize/smallPageSize)+1, smallPageSize
				continue
			case err != nil:
				yield(none, err)
				return
			}
			for _, item := range got.items {
				items++
				text += item.TextSize()
				switch {
				case items > maxListed:
					tooLarge(fmt.Sprintf("%d items", maxListed))
					return
				case text > maxListText:
					tooLarge(fmt.Sprintf("%d MiB of names", maxListText>>20))
					return
				case !yield(item, nil):
					return
				}
			}
			if got.last {
				return
			}
			page++
		}
		tooLarge(fmt.Sprintf("%d pages", maxPages))
	}
}

// all gathers what a list has.
func all[T any](list iter.Seq2[T, error]) ([]T, error) {
	var items []T
	for item, err := range list {
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// codeBeyondLastPage answers a page that does not exist (any more).
const codeBeyondLastPage = "400006"
