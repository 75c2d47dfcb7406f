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
	text  int // bytes of text in them
	read  time.Time
}

// size returns about how many bytes of memory the list takes.
func (l viewList) size() int {
	const view = 256 // without its text
	return l.text + view*len(l.views)
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
	known := func() ([]tableau.View, bool) {
		s.memory.mu.Lock()
		defer s.memory.mu.Unlock()
		list, ok := s.memory.views[viewsKey(c)]
		return list.views, ok && s.Now().Sub(list.read) < viewsFresh
	}
	if views, ok := known(); ok {
		return views, nil
	}
	unlock, err := s.lockViews(ctx, c)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if views, ok := known(); ok { // of somebody who asked at the same time
		return views, nil
	}
	return s.readViews(ctx, c)
}

// lockViews waits until no other call of this process reads the connection's
// list of views: it is long, and one at a time is enough.
func (s *Service) lockViews(ctx context.Context, c Connection) (unlock func(), err error) {
	lock := s.memory.renewal("views/" + viewsKey(c))
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func viewsKey(c Connection) string { return c.ID + "/" + c.CredentialVersion }

// readViews reads the list of views from Tableau, page by page. The caller holds
// the lock of the list.
func (s *Service) readViews(ctx context.Context, c Connection) ([]tableau.View, error) {
	list := viewList{read: s.Now()}
	err := s.Do(ctx, c.ID, func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
		list.views, list.text = nil, 0
		for v, err := range client.AllViews(ctx, session) {
			if err != nil {
				return err
			}
			list.views = append(list.views, v)
			list.text += v.TextSize()
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the list of views: %w", err)
	}
	slices.SortFunc(list.views, func(a, b tableau.View) int {
		return strings.Compare(a.WorkbookName+"\n"+a.Name+"\n"+a.ID, b.WorkbookName+"\n"+b.Name+"\n"+b.ID)
	})
	s.memory.rememberViews(viewsKey(c), list)
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
