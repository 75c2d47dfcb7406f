package connection

import (
	"context"
	"fmt"
	"time"

	"github.com/vizpost/vizpost/internal/tableau"
)

// current is a view or workbook as it was a moment ago.
type current struct {
	view tableau.View
	book tableau.Workbook
	read time.Time
}

// How old what is known of a view or workbook may be: where a verdict is
// remembered for it as it was published, and where nothing but its name is asked
// for.
const (
	VersionAge = viewsFresh
	NameAge    = 2 * time.Hour
)

// View finds the view with a content URL as it was in Tableau at most the given
// time ago. Of those who ask at the same time one asks Tableau. Errors as of
// [Service.Do] and [tableau.Client.FindView].
func (s *Service) View(ctx context.Context, id, contentURL string, age time.Duration) (tableau.View, error) {
	c, err := s.Store.Connection(ctx, id)
	if err != nil {
		return tableau.View{}, err
	}
	s.memory.mu.Lock()
	listed, ok := s.memory.views[viewsKey(c)]
	s.memory.mu.Unlock()
	if ok && s.Now().Sub(listed.read).Abs() < age {
		if view, ok := viewAt(listed.views, contentURL); ok {
			return view, nil
		}
	}
	found, err := s.current(ctx, c, "view/"+contentURL, age, func(ctx context.Context, client *tableau.Client, session tableau.Session, into *current) (err error) {
		into.view, err = client.FindView(ctx, session, contentURL)
		return err
	})
	return found.view, err
}

// Workbook is the same for a workbook.
func (s *Service) Workbook(ctx context.Context, id, contentURL string, age time.Duration) (tableau.Workbook, error) {
	c, err := s.Store.Connection(ctx, id)
	if err != nil {
		return tableau.Workbook{}, err
	}
	found, err := s.current(ctx, c, "workbook/"+contentURL, age, func(ctx context.Context, client *tableau.Client, session tableau.Session, into *current) (err error) {
		into.book, err = client.FindWorkbook(ctx, session, contentURL)
		return err
	})
	return found.book, err
}

func (s *Service) current(ctx context.Context, c Connection, what string, age time.Duration,
	find func(context.Context, *tableau.Client, tableau.Session, *current) error) (current, error) {
	key := viewsKey(c) + "/" + what
	known := func() (current, bool) {
		s.memory.mu.Lock()
		defer s.memory.mu.Unlock()
		found, ok := s.memory.current[key]
		return found, ok && s.Now().Sub(found.read).Abs() < age
	}
	if found, ok := known(); ok {
		return found, nil
	}
	lock := s.memory.renewal(key)
	select {
	case lock <- struct{}{}:
		defer func() { <-lock }()
	case <-ctx.Done():
		return current{}, ctx.Err()
	}
	if found, ok := known(); ok {
		return found, nil
	}
	found := current{read: s.Now()}
	if err := s.Do(ctx, c.ID, func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
		return find(ctx, client, session, &found)
	}); err != nil {
		return current{}, fmt.Errorf("reading what a view or workbook is called now: %w", err)
	}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	remember(&s.memory.current, key, found)
	return found, nil
}
