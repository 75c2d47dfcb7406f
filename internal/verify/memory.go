package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/vizpost/vizpost/internal/tableau"
)

// maxRemembered bounds what is stored under one key: DynamoDB takes 400 KB.
const maxRemembered = 100_000

// nameAndKind names a filter's field, for one kind of values.
func nameAndKind(f tableau.Filter) string { return kind(f) + " " + f.Field }

// kinds gives filters with the kind of their values in the place of these.
func kinds(filters []tableau.Filter) []tableau.Filter {
	out := make([]tableau.Filter, len(filters))
	for i, f := range filters {
		out[i] = tableau.Filter{Field: f.Field, Values: []string{kind(f)}}
	}
	return out
}

// key names what is known of some filters on a source, for the user and the
// version of the workbook.
func (k *check) key(from source, what string, base, filters []tableau.Filter) string {
	sorted := func(filters []tableau.Filter) []tableau.Filter {
		filters = slices.Clone(filters)
		for i := range filters {
			filters[i].Values = slices.Clone(filters[i].Values)
			slices.Sort(filters[i].Values)
		}
		slices.SortFunc(filters, func(a, b tableau.Filter) int { return strings.Compare(a.Field, b.Field) })
		return filters
	}
	doc, err := json.Marshal([]any{what, k.user, from.view.ID, from.customViewID, from.view.UpdatedAt.UnixMicro(), k.subject.Language, sorted(base), sorted(filters)})
	if err != nil {
		panic(fmt.Sprintf("verify: filters cannot be encoded: %v", err)) // plain data: a defect
	}
	sum := sha256.Sum256(doc)
	return hex.EncodeToString(sum[:16])
}

// recall reads what is remembered under a key; false if there is nothing. What
// cannot be read any more is nothing.
func (k *check) recall(ctx context.Context, key string, into any) (bool, error) {
	now := k.Now()
	doc, made, err := k.Store.Verdict(ctx, key, now.Add(-Kept))
	if err != nil || doc == nil || made.After(now.Add(unfilteredFresh)) { // of a clock that was ahead
		return false, err
	}
	if err := json.Unmarshal(doc, into); err != nil {
		k.Log.Warn("what was learned of filters cannot be read; they are looked at anew", "error", err)
		return false, nil
	}
	return true, nil
}

func (k *check) remember(ctx context.Context, key string, what any) error {
	doc, err := json.Marshal(what)
	if err != nil {
		return fmt.Errorf("encoding what was learned of filters: %w", err)
	}
	if all, ok := what.(unfiltered); ok && len(doc) > maxRemembered {
		if smaller, ok := all.smaller(); ok {
			return k.remember(ctx, key, smaller)
		}
	}
	if len(doc) > maxRemembered {
		return nil // it is found out again
	}
	return k.Store.PutVerdict(ctx, key, doc, k.Now())
}

// smaller gives the same without the values of the columns that have the most;
// false when there is nothing left to leave out.
func (u unfiltered) smaller() (unfiltered, bool) {
	most := 0
	for _, v := range u.Data.Values {
		most = max(most, len(v.Seen))
	}
	if most == 0 {
		return u, false
	}
	kept := map[string]*values{}
	for name, v := range u.Data.Values {
		if kept[name] = v; 2*len(v.Seen) > most {
			kept[name] = &values{More: true}
		}
	}
	u.Data.Values = kept
	return u, true
}

// hold lets nobody else of this process find out the same until the lock is
// released.
func (s *Service) hold(ctx context.Context, key string) (release func(), err error) {
	s.mu.Lock()
	if s.locks == nil {
		s.locks = map[string]*lock{}
	}
	l := s.locks[key]
	if l == nil {
		l = &lock{held: make(chan struct{}, 1)}
		s.locks[key] = l
	}
	l.users++
	s.mu.Unlock()
	leave := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(s.locks, key)
		}
	}
	select {
	case l.held <- struct{}{}:
		return func() { <-l.held; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
