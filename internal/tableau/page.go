package tableau

import "fmt"

// maxPageSize is the most that Tableau takes. Source: Tableau REST API
// reference, "Paginating results".
const maxPageSize = 1000

// maxPages ends the listing of a server that never comes to a last page.
const maxPages = 2000

// isLast reports whether a page is the last: nothing came, or all has come. An
// answer without pagination is all there is.
func (p pagination) isLast(page, received int) bool {
	total := p.TotalAvailable.int()
	size := p.PageSize.int()
	if size <= 0 {
		size = maxPageSize
	}
	return total < 0 || received == 0 || page*size >= total
}

// pages reads all pages of the list that a call is for.
func pages[T any](op string, read func(page int) ([]T, pagination, error)) ([]T, error) {
	var all []T
	for page := 1; page <= maxPages; page++ {
		items, p, err := read(page)
		if e, ok := asError(err); ok && e.Code == codeBeyondLastPage && page > 1 {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		if p.isLast(page, len(items)) {
			return all, nil
		}
	}
	return nil, &Error{Op: op, Cause: TooLarge, Detail: fmt.Sprintf("more than %d pages", maxPages)}
}

// codeBeyondLastPage answers a page that does not exist (any more).
const codeBeyondLastPage = "400006"
