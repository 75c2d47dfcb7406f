package connection

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// live is a session that is known in this process.
type live struct {
	version    string // of the credential
	generation int64
	signedInAt time.Time
	session    tableau.Session
}

// memory is what a process remembers between calls, so that a session costs no
// look-up in store and vault each time. All of it can be lost.
type memory struct {
	mu          sync.Mutex
	sessions    map[string]live          // by connection id
	credentials map[string]sealed        // by connection id and version
	renewals    map[string]chan struct{} // by fingerprint: one renewal at a time in a process
	views       map[string]viewList      // by connection id and version
	current     map[string]current       // views and workbooks, by connection id, version and content URL
}

// memoryLimit bounds each part of memory; what is over is forgotten at random.
const memoryLimit = 256

func remember[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	for k := range *m {
		if len(*m) < memoryLimit {
			break
		}
		delete(*m, k)
	}
	(*m)[key] = value
}

// maxViewsSize bounds the lists of views that are remembered, in bytes: those of
// some large sites, or the longest that one server can send.
const maxViewsSize = 128 << 20

// rememberViews remembers a list, and forgets others at random where all of them
// are too large.
func (m *memory) rememberViews(key string, list viewList) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.views, key)
	all := list.size()
	for _, other := range m.views {
		all += other.size()
	}
	for k, other := range m.views {
		if all <= maxViewsSize {
			break
		}
		all -= other.size()
		delete(m.views, k)
	}
	remember(&m.views, key, list)
}

// renewal gives a lock with room for one, which can be waited for under a
// context.
func (m *memory) renewal(fingerprint string) chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if lock, ok := m.renewals[fingerprint]; ok {
		return lock
	}
	lock := make(chan struct{}, 1)
	remember(&m.renewals, fingerprint, lock)
	return lock
}

// do is Do for any use.
func (s *Service) do(ctx context.Context, id string, use use, call Call) error {
	var ended live // the session that Tableau has ended
	for attempt := 0; ; attempt++ {
		c, err := s.Store.Connection(ctx, id)
		if err != nil {
			return fmt.Errorf("reading the connection: %w", err)
		}
		if !c.State.Works() && c.State != use.despite {
			return &BrokenError{Connection: c}
		}
		var dead int64
		if ended.version == c.CredentialVersion {
			dead = ended.generation
		}
		if c.State == NeedsCredentials && c.Problem != nil {
			old, err := s.signedInBefore(ctx, c)
			if err != nil {
				return err
			}
			dead = max(dead, old)
		}
		l, err := s.session(ctx, c, dead, use)
		if errors.Is(err, errNoSecret) {
			// What was put a moment ago may not be seen at once.
			if attempt < noSecretTries {
				if sleep(ctx, noSecretPause) != nil {
					return err
				}
				continue
			}
			return s.secretGone(ctx, c)
		}
		if errors.Is(err, ErrFenced) && attempt < 2 {
			continue // the credential was edited meanwhile: begin again with the new one
		}
		if err != nil {
			return err
		}
		client, err := s.Dial(l.session.ServerURL)
		if err != nil {
			return fmt.Errorf("preparing the call to Tableau: %w", err)
		}
		err = call(ctx, client, l.session)
		if hasCause(err, tableau.SessionEnded) && ended.version == "" {
			ended = l
			continue
		}
		if err == nil {
			err = s.worked(ctx, c, l)
		}
		return err
	}
}

// signedInBefore gives the generation of a session that was made before the
// credential was refused. It may live on for hours, and says nothing of the
// credential.
func (s *Service) signedInBefore(ctx context.Context, c Connection) (int64, error) {
	row, err := s.Store.SignIn(ctx, c.Fingerprint)
	if err != nil {
		return 0, fmt.Errorf("looking for a session: %w", err)
	}
	if row.Session.CredentialVersion != c.CredentialVersion || row.Session.SignedInAt.After(c.Problem.Since) {
		return 0, nil
	}
	return row.Session.Generation, nil
}

// errNoSecret says that the vault has no secret of a credential.
var errNoSecret = errors.New("there is no such secret")

const (
	noSecretTries = 4
	noSecretPause = 500 * time.Millisecond
)

// secretGone notes that the secret of a connection's present credential is not
// there, which only somebody outside of vizpost can have brought about.
func (s *Service) secretGone(ctx context.Context, c Connection) error {
	broken, err := s.refuse(ctx, c, secretMissing(c, s.Now()))
	if err != nil {
		return err
	}
	return &BrokenError{Connection: broken}
}

// remembered gives the session that this process knows, if it is of the
// connection's present credential and later than dead.
func (s *Service) remembered(c Connection, dead int64) (live, bool) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	l, ok := s.memory.sessions[c.ID]
	return l, ok && l.version == c.CredentialVersion && l.generation > dead
}

// open gives the stored session, on the same conditions.
func (s *Service) open(c Connection, credential sealed, stored Session, dead int64) (live, bool) {
	if stored.Generation <= dead || stored.ConnectionID != c.ID || stored.CredentialVersion != c.CredentialVersion {
		return live{}, false
	}
	session, err := credential.openSession(stored)
	if err != nil {
		s.Log.Warn("the stored session is of no use; signing in anew", "connection", c.ID, "error", err)
		return live{}, false
	}
	l := live{version: c.CredentialVersion, generation: stored.Generation, signedInAt: stored.SignedInAt, session: session}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	remember(&s.memory.sessions, c.ID, l)
	return l, true
}

func (s *Service) forget(id string) {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	delete(s.memory.sessions, id)
}

// credential reads the connection's credential from the vault. A version never
// changes, so it is read once.
func (s *Service) credential(ctx context.Context, c Connection) (sealed, error) {
	key := c.ID + "/" + c.CredentialVersion
	s.memory.mu.Lock()
	known, ok := s.memory.credentials[key]
	s.memory.mu.Unlock()
	if ok {
		return known, nil
	}
	b, err := s.Vault.Secret(ctx, VaultOwner(c.ID), c.CredentialVersion)
	if problem.Is(err, problem.NotFound) {
		// Mostly it was dropped after an edit, and whoever asks has an old row.
		return sealed{}, fmt.Errorf("the credential was replaced: %w", errors.Join(errNoSecret, ErrFenced))
	}
	if err != nil {
		return sealed{}, fmt.Errorf("reading the credential: %w", err)
	}
	credential, err := decodeSealed(b)
	if err != nil {
		return sealed{}, err
	}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	remember(&s.memory.credentials, key, credential)
	return credential, nil
}
