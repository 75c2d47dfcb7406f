package connection

import (
	"context"
	"fmt"
	"time"

	"github.com/vizpost/vizpost/internal/problem"
)

// editLasts is longer than an edit takes from the moment at which it puts a
// credential to that at which the connection names it.
const editLasts = time.Hour

// TidySecrets drops the versions of a connection's credential that nothing names:
// what interrupted edits left, replaced credentials among it. One that an edit
// may have put just now stays, and so does everything while the version that the
// connection names is not there: an operator may be bringing it back.
func (s *Service) TidySecrets(ctx context.Context, id string) error {
	versions, err := s.Vault.SecretVersions(ctx, VaultOwner(id))
	if err != nil || len(versions) < 2 {
		return err
	}
	// Read after the versions were listed: what it does not name then was put
	// by an edit that is over, or by one that began lately.
	c, err := s.Store.Connection(ctx, id)
	if problem.Is(err, problem.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	named := false
	for _, v := range versions {
		named = named || v.Name == c.CredentialVersion
	}
	if !named {
		return nil
	}
	before := s.Now().Add(-editLasts)
	for _, v := range versions {
		if v.Name == c.CredentialVersion || !v.PutAt.Before(before) {
			continue
		}
		if err := s.Vault.DropSecret(ctx, VaultOwner(id), v.Name); err != nil {
			return fmt.Errorf("dropping a credential that nothing names: %w", err)
		}
		s.Log.Info("a credential was dropped that an interrupted edit left", "connection", id)
	}
	return nil
}
