package dynamo

import (
	"context"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/run"
)

func pulseKey() item { return key("pulse", "pulse") }

// Pulse implements [run.Store].
func (s *Store) Pulse(ctx context.Context) (run.Pulse, error) {
	it, found, err := s.get(ctx, s.runs, pulseKey())
	if err != nil || !found {
		return run.Pulse{}, storeError("reading the pulse", err)
	}
	p, err := decode[run.Pulse](it, docAttribute)
	return p, storeError("reading the pulse", err)
}

// PutPulse implements [run.Store].
func (s *Store) PutPulse(ctx context.Context, p run.Pulse) error {
	same := absent(problem.Changed("pulse"))
	if p.Rev > 0 {
		same = at(p.Rev, "pulse", "")
	}
	p.Rev++
	p.At, p.HealedAt = utc(p.At), utc(p.HealedAt)
	p.Since, p.From, p.Before = utc(p.Since), utc(p.From), utc(p.Before)
	doc, err := encode(p)
	if err != nil {
		return err
	}
	it := pulseKey()
	it[revAttribute], it[docAttribute] = number(p.Rev), doc
	return storeError("writing the pulse", s.transact(ctx, put(s.runs, it, same)))
}
