package sample

import (
	"slices"
	"time"
)

// DataSource is a data source that was published for workbooks to share.
type DataSource struct {
	ID          string
	Name        string
	ContentURL  string
	Description string
	Project     *Project
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// dataSource publishes the shop's orders.
func (b *builder) dataSource(p *Project, name, description string) {
	n := len(b.site.DataSources)
	contentURL := unique(urlName(name), func(taken string) bool {
		return slices.ContainsFunc(b.site.DataSources, func(d *DataSource) bool { return d.ContentURL == taken })
	})
	b.site.DataSources = append(b.site.DataSources, &DataSource{
		ID: ID("datasource", b.site.ContentURL, contentURL), Name: name, ContentURL: contentURL, Description: description, Project: p,
		CreatedAt: time.Date(2025, time.January, 20+n, 8, 40, 0, 0, time.UTC),
		UpdatedAt: time.Date(2026, time.November, 1+n, 5, 10, 0, 0, time.UTC),
	})
}
