package dynamo

import (
	"context"

	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
)

const destinationPrefix = "destination"

func destinationKey(id string) item { return key(destinationPrefix+separator+id, destinationPrefix) }

// CreateDestination implements [deliver.DestinationStore].
func (s *Store) CreateDestination(ctx context.Context, d deliver.Destination) error {
	doc, err := encode(keptDestination(d))
	if err != nil {
		return storeError("storing a destination", err)
	}
	it := destinationKey(d.ID)
	it[revAttribute], it[docAttribute] = number(1), doc
	lists.file(it, shard(destinationPrefix, d.ID), d.ID)
	return storeError("storing a destination", s.transact(ctx, put(s.app, it, absent(problem.Changed("destination")))))
}

// keptDestination gives a destination as its doc has it. Its Rev stands beside.
func keptDestination(d deliver.Destination) deliver.Destination {
	d.Rev = 0
	d.BrokenAt, d.CreatedAt, d.UpdatedAt = utc(d.BrokenAt), utc(d.CreatedAt), utc(d.UpdatedAt)
	return d
}

func viewDestination(it item) (deliver.Destination, bool, error) {
	d, err := decode[deliver.Destination](it, docAttribute)
	d.Rev = numberOf(it, revAttribute)
	return d, true, err
}

// Destination implements [deliver.DestinationStore].
func (s *Store) Destination(ctx context.Context, id string) (deliver.Destination, error) {
	it, found, err := s.get(ctx, s.app, destinationKey(id))
	if err == nil && !found {
		err = problem.Missing("destination", id)
	}
	if err != nil {
		return deliver.Destination{}, storeError("reading a destination", err)
	}
	d, _, err := viewDestination(it)
	return d, storeError("reading a destination", err)
}

// Destinations implements [deliver.DestinationStore].
func (s *Store) Destinations(ctx context.Context, after string, limit int) ([]deliver.Destination, string, error) {
	list, next, err := collectPage(ctx, s, span{table: s.app, index: lists, partitions: sharded(destinationPrefix), above: after},
		limit, nil, viewDestination, func(d deliver.Destination) string { return d.ID })
	return list, next, storeError("listing destinations", err)
}

// UpdateDestination implements [deliver.DestinationStore].
func (s *Store) UpdateDestination(ctx context.Context, d deliver.Destination) error {
	doc, err := encode(keptDestination(d))
	if err != nil {
		return storeError("storing a destination", err)
	}
	// Not put: the count of the reports that use it stays as it is.
	return storeError("storing a destination", s.transact(ctx, update(s.app, destinationKey(d.ID), "SET rev = :new, doc = :doc",
		item{":new": number(d.Rev + 1), ":doc": doc}, at(d.Rev, "destination", d.ID))))
}

// DeleteDestination implements [deliver.DestinationStore].
func (s *Store) DeleteDestination(ctx context.Context, id string, rev int64) error {
	return storeError("deleting a destination", s.transact(ctx, remove(s.app, destinationKey(id), unused(rev, "destination", id,
		"Reports use this destination. Take it out of them first."))))
}
