package connection

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// viewsFresh is how long a site's list of views is taken from memory.
const viewsFresh = 5 * time.Minute

type viewList struct {
	views []tableau.View
	read  time.Time
}

// Views lists the views that the connection's user can see, in the order of
// workbook and view, those whose name, workbook or project contains the search
// if it is not "". The list may be some minutes old.
func (s *Service) Views(ctx context.Context, id, search string) ([]tableau.View, error) {
	c, err := s.Store.Connection(ctx, id)
	if err != nil {
		return nil, err
	}
	all, err := s.views(ctx, c)
	if err != nil {
		return nil, answerUse(err)
	}
	search = strings.ToLower(strings.TrimSpace(search))
	var found []tableau.View
	for _, v := range all {
		if search == "" || strings.Contains(strings.ToLower(v.Name+"\n"+v.WorkbookName+"\n"+v.ProjectName+"\n"+v.ContentURL), search) {
			found = append(found, v)
		}
	}
	return found, nil
}

func (s *Service) views(ctx context.Context, c Connection) ([]tableau.View, error) {
	s.memory.mu.Lock()
	known, ok := s.memory.views[viewsKey(c)]
	s.memory.mu.Unlock()
	if ok && s.Now().Sub(known.read) < viewsFresh {
		return known.views, nil
	}
	return s.readViews(ctx, c)
}

func viewsKey(c Connection) string { return c.ID + "/" + c.CredentialVersion }

// readViews reads the list of views from Tableau, page by page.
func (s *Service) readViews(ctx context.Context, c Connection) ([]tableau.View, error) {
	list := viewList{read: s.Now()}
	err := s.Do(ctx, c.ID, func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
		list.views = nil
		for v, err := range client.AllViews(ctx, session) {
			if err != nil {
				return err
			}
			list.views = append(list.views, v)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the list of views: %w", err)
	}
	slices.SortFunc(list.views, func(a, b tableau.View) int {
		return strings.Compare(a.WorkbookName+"\n"+a.Name+"\n"+a.ID, b.WorkbookName+"\n"+b.Name+"\n"+b.ID)
	})
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	remember(&s.memory.views, viewsKey(c), list)
	return list.views, nil
}

// Preview writes a small picture (PNG) of a view.
func (s *Service) Preview(ctx context.Context, id, viewID string, w io.Writer) error {
	c, err := s.Store.Connection(ctx, id)
	if err != nil {
		return err
	}
	all, err := s.views(ctx, c)
	if err != nil {
		return answerUse(err)
	}
	i := slices.IndexFunc(all, func(v tableau.View) bool { return v.ID == viewID })
	if i < 0 {
		return problem.Missing("view", viewID)
	}
	err = s.Do(ctx, id, func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
		return client.PreviewImage(ctx, session, all[i].WorkbookID, viewID, w)
	})
	if err != nil {
		return answerUse(err)
	}
	return nil
}

// siteName names a site in a sentence.
func siteName(site string) string {
	if site == "" {
		return "the default site"
	}
	return fmt.Sprintf("site %q", site)
}

// sameHost compares server addresses; a typed http:// means the same server.
func sameHost(a, b string) bool { return SiteKey(a, "") == SiteKey(b, "") }
