package sample

import "time"

// CustomView is a view as somebody has filtered and kept it.
type CustomView struct {
	ID   string
	Name string
	View *View
	// Reader says that the reader of the site made it, and not its publisher.
	Reader bool
	Shared bool // others than its owner see it too
	// Selection is what it is filtered to.
	Selection Selection
	CreatedAt time.Time
	UpdatedAt time.Time
}

// customView keeps the view named last under a name of its own.
func (b *builder) customView(name string, reader, shared bool, selection Selection) {
	v := b.book.Views[len(b.book.Views)-1]
	n := len(b.site.CustomViews)
	b.site.CustomViews = append(b.site.CustomViews, &CustomView{
		ID: ID("customview", v.ID, name), Name: name, View: v, Reader: reader, Shared: shared, Selection: selection,
		CreatedAt: time.Date(2026, time.March, 2+n, 14, 20, 0, 0, time.UTC),
		UpdatedAt: time.Date(2026, time.October, 5+n, 8, 5, 0, 0, time.UTC),
	})
}
