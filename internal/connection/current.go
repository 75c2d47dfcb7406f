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

// View finds the view with a content URL as it is in Tableau, at most some
// minutes ago. Of those who ask at the same time one asks Tableau. Errors as of
// [Service.Do] and [tableau.Client.FindView].
func (s *Service) View(ctx context.Context, id, contentURL string) (tableau.View, error) {
	found, err := s.current(ctx, id, "view/"+contentURL, func(ctx context.Context, client *tableau.Client, session tableau.Session, into *current) (err error) {
		into.view, err = client.FindView(ctx, session, contentURL)
		return err
	})
	return found.view, err
}

// Workbook is the same for a workbook.
func (s *Service) Workbook(ctx context.Context, id, contentURL string) (tableau.Workbook, error) {
	found, err := s.current(ctx, id, "workbook/"+contentURL, func(ctx context.Context, client *tableau.Client, session tableau.Session, into *current) (err error) {
		into.book, err = client.FindWorkbook(ctx, session, contentURL)
		return err
	})
	return found.book, err
}

func (s *Service) current(ctx context.Context, id, what string, find func(context.Context, *tableau.Client, tableau.Session, *current) error) (current, error) {
	c, err := s.Store.Connection(ctx, id)
	if err != nil {
		return current{}, err
	}
	key := viewsKey(c) + "/" + what
	known := func() (current, bool) {
		s.memory.mu.Lock()
		defer s.memory.mu.Unlock()
		found, ok := s.memory.current[key]
		return found, ok && s.Now().Sub(found.read).Abs() < viewsFresh
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
	if err := s.Do(ctx, id, func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
		return find(ctx, client, session, &found)
	}); err != nil {
		return current{}, fmt.Errorf("reading what a view or workbook is called now: %w", err)
	}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	remember(&s.memory.current, key, found)
	return found, nil
}
