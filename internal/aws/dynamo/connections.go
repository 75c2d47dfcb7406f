package dynamo

import (
	"context"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// Attributes of connections and of the claims on tokens.
const (
	connectionPrefix = "connection"
	fingerprints     = "fingerprint"

	credentialVersion = "credential_version"
	usesAttribute     = "report_uses" // of connections and destinations: reports that use it
	claimedBy         = "claimed_by"
)

func connectionKey(id string) item { return key(connectionPrefix+separator+id, connectionPrefix) }

func claimKey(fingerprint string) item { return key(fingerprints+separator+fingerprint, "claim") }

// CreateConnection implements [connection.Store].
func (s *Store) CreateConnection(ctx context.Context, c connection.Connection, session *connection.Session, events ...connection.Event) error {
	return storeError("storing a connection", s.createConnection(ctx, c, session, events))
}

func (s *Store) createConnection(ctx context.Context, c connection.Connection, session *connection.Session, events []connection.Event) error {
	doc, err := encode(keptConnection(c))
	if err != nil {
		return err
	}
	it := connectionKey(c.ID)
	it[revAttribute], it[docAttribute], it[credentialVersion] = number(1), doc, text(c.CredentialVersion)
	lists.file(it, shard(connectionPrefix, c.ID), c.ID)
	actions := []action{put(s.app, it, absent(problem.Changed("connection")))}
	if claims(c) {
		actions = append(actions, s.claim(c))
	}
	if session != nil {
		a, err := s.setSession(c.Fingerprint, session)
		if err != nil {
			return err
		}
		actions = append(actions, a)
	}
	noted, err := s.putEvents(c.ID, events)
	if err != nil {
		return err
	}
	return s.transact(ctx, append(actions, noted...)...)
}

// claims reports whether a connection has its token for itself.
func claims(c connection.Connection) bool { return c.Auth.Method == tableau.PersonalAccessToken }

func (s *Store) claim(c connection.Connection) action {
	it := claimKey(c.Fingerprint)
	it[claimedBy] = text(c.ID)
	return put(s.app, it, condition{"attribute_not_exists(pk) OR claimed_by = :id", item{":id": text(c.ID)}, func(item) error {
		return problem.New(problem.Conflict, problem.CodeTokenInUse,
			"Another connection uses this personal access token. Tableau gives a token one session at a time: make a token of its own for each connection.")
	}})
}

// unclaim gives a token up. The condition holds: only the connection itself
// gives it up, and each write of a connection is conditional on its Rev.
func (s *Store) unclaim(c connection.Connection) action {
	return remove(s.app, claimKey(c.Fingerprint), condition{expression: "attribute_not_exists(pk) OR claimed_by = :id",
		values: item{":id": text(c.ID)}})
}

// keptConnection gives a connection as its doc has it. Its Rev stands beside.
func keptConnection(c connection.Connection) connection.Connection {
	c.Rev = 0
	c.TokenLife.ExpiresAt, c.TokenLife.LastUsedAt = utc(c.TokenLife.ExpiresAt), utc(c.TokenLife.LastUsedAt)
	c.ProbeAt, c.CreatedAt, c.UpdatedAt = utc(c.ProbeAt), utc(c.CreatedAt), utc(c.UpdatedAt)
	if c.Problem != nil {
		p := *c.Problem
		p.Since = utc(p.Since)
		c.Problem = &p
	}
	return c
}

func viewConnection(it item) (connection.Connection, bool, error) {
	c, err := decode[connection.Connection](it, docAttribute)
	c.Rev = numberOf(it, revAttribute)
	return c, true, err
}

// Connection implements [connection.Store].
func (s *Store) Connection(ctx context.Context, id string) (connection.Connection, error) {
	c, err := s.connection(ctx, id)
	return c, storeError("reading a connection", err)
}

func (s *Store) connection(ctx context.Context, id string) (connection.Connection, error) {
	it, found, err := s.get(ctx, s.app, connectionKey(id))
	if err != nil {
		return connection.Connection{}, err
	}
	if !found {
		return connection.Connection{}, problem.Missing("connection", id)
	}
	c, _, err := viewConnection(it)
	return c, err
}

// connectionAt reads a connection that must have a Rev.
func (s *Store) connectionAt(ctx context.Context, id string, rev int64) (connection.Connection, error) {
	c, err := s.connection(ctx, id)
	if err == nil && c.Rev != rev {
		err = problem.Changed("connection")
	}
	return c, err
}

// Connections implements [connection.Store].
func (s *Store) Connections(ctx context.Context, after string, limit int) ([]connection.Connection, string, error) {
	list, next, err := collectPage(ctx, s, span{table: s.app, index: lists, partitions: sharded(connectionPrefix), above: after},
		limit, nil, viewConnection, func(c connection.Connection) string { return c.ID })
	return list, next, storeError("listing connections", err)
}

// UpdateConnection implements [connection.Store].
func (s *Store) UpdateConnection(ctx context.Context, c connection.Connection, session *connection.Session, events ...connection.Event) error {
	return storeError("storing a connection", s.updateConnection(ctx, c, session, events))
}

func (s *Store) updateConnection(ctx context.Context, c connection.Connection, session *connection.Session, events []connection.Event) error {
	old, err := s.connectionAt(ctx, c.ID, c.Rev)
	if err != nil {
		return err
	}
	doc, err := encode(keptConnection(c))
	if err != nil {
		return err
	}
	// Not put: the count of the reports that use it stays as it is.
	actions := []action{update(s.app, connectionKey(c.ID), "SET rev = :new, doc = :doc, credential_version = :version",
		item{":new": number(c.Rev + 1), ":doc": doc, ":version": text(c.CredentialVersion)}, at(c.Rev, "connection", c.ID))}
	moved := old.Fingerprint != c.Fingerprint
	if claims(c) && (moved || !claims(old)) {
		actions = append(actions, s.claim(c))
	}
	if claims(old) && (moved || !claims(c)) {
		actions = append(actions, s.unclaim(old))
	}
	if moved {
		actions = append(actions, s.forgetSession(old.Fingerprint))
	}
	if session != nil {
		a, err := s.setSession(c.Fingerprint, session)
		if err != nil {
			return err
		}
		actions = append(actions, a)
	}
	noted, err := s.putEvents(c.ID, events)
	if err != nil {
		return err
	}
	return s.transact(ctx, append(actions, noted...)...)
}

// DeleteConnection implements [connection.Store].
func (s *Store) DeleteConnection(ctx context.Context, id string, rev int64, events ...connection.Event) error {
	return storeError("deleting a connection", s.deleteConnection(ctx, id, rev, events))
}

func (s *Store) deleteConnection(ctx context.Context, id string, rev int64, events []connection.Event) error {
	old, err := s.connectionAt(ctx, id, rev)
	if err != nil {
		return err
	}
	actions := []action{
		remove(s.app, connectionKey(id), unused(rev, "connection", id,
			"Reports use this connection. Move them to another connection or delete them first.")),
		s.forgetSession(old.Fingerprint),
	}
	if claims(old) {
		actions = append(actions, s.unclaim(old))
	}
	noted, err := s.putEvents(id, events)
	if err != nil {
		return err
	}
	return s.transact(ctx, append(actions, noted...)...)
}

// ReportCounts implements [connection.Store].
func (s *Store) ReportCounts(ctx context.Context, ids []string) (map[string]int, error) {
	keys := make([]item, 0, len(ids))
	for _, id := range ids {
		keys = append(keys, connectionKey(id))
	}
	found, err := s.getMany(ctx, s.app, keys, usesAttribute)
	if err != nil {
		return nil, storeError("counting a connection's reports", err)
	}
	counts := map[string]int{}
	for _, id := range ids {
		counts[id] = int(numberOf(found[keyName(connectionKey(id))], usesAttribute))
	}
	return counts, nil
}

// unused holds when an item has a Rev and no report uses it.
func unused(rev int64, what, id, inUse string) condition {
	c := at(rev, what, id)
	changed := c.refused
	c.expression += " AND (attribute_not_exists(report_uses) OR report_uses = :none)"
	c.values[":none"] = number(0)
	c.refused = func(old item) error {
		if len(old) > 0 && numberOf(old, revAttribute) == rev {
			return problem.New(problem.Conflict, problem.CodeInUse, inUse)
		}
		return changed(old)
	}
	return c
}

// FingerprintOwner implements [connection.Store].
func (s *Store) FingerprintOwner(ctx context.Context, fingerprint string) (string, error) {
	it, found, err := s.get(ctx, s.app, claimKey(fingerprint))
	if err == nil && !found {
		err = problem.New(problem.NotFound, problem.CodeNotFound, "No connection uses this personal access token.")
	}
	return textOf(it, claimedBy), storeError("looking for a token's connection", err)
}
