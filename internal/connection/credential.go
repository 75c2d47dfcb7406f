package connection

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/tableau"
)

// sealed is a credential with the key that seals the sessions it makes. It
// lies in the vault, whole, as one value.
type sealed struct {
	tableau.Credential
	sessionKey []byte // 32 bytes
}

// vaultValue is the form of a credential in the vault.
type vaultValue struct {
	Method     tableau.Method `json:"method"`
	TokenName  string         `json:"token_name,omitempty"`
	Username   string         `json:"username,omitempty"`
	Secret     string         `json:"secret"`
	SessionKey []byte         `json:"session_key"`
}

// newSealed gives a credential a session key of its own.
func newSealed(c tableau.Credential, random io.Reader) (sealed, error) {
	key := make([]byte, 32)
	if _, err := io.ReadFull(random, key); err != nil {
		return sealed{}, fmt.Errorf("making a session key: %w", err)
	}
	return sealed{Credential: c, sessionKey: key}, nil
}

func (s sealed) encode() ([]byte, error) {
	return json.Marshal(vaultValue{Method: s.Method, TokenName: s.TokenName, Username: s.Username,
		Secret: s.Secret.Reveal(), SessionKey: s.sessionKey})
}

func decodeSealed(b []byte) (sealed, error) {
	var v vaultValue
	if err := json.Unmarshal(b, &v); err != nil {
		// The cause could quote the value.
		return sealed{}, fmt.Errorf("the stored credential cannot be read")
	}
	if len(v.SessionKey) != 32 {
		return sealed{}, fmt.Errorf("the stored credential has no session key")
	}
	return sealed{
		Credential: tableau.Credential{Method: v.Method, TokenName: v.TokenName, Username: v.Username, Secret: secret.New(v.Secret)},
		sessionKey: v.SessionKey,
	}, nil
}

// VaultOwner names a connection's secret in the vault.
func VaultOwner(connectionID string) string { return "connection/" + connectionID }

// DecodeCredential reads a value of the vault, for an operator who recovers the
// secret of a deleted connection.
func DecodeCredential(value []byte) (tableau.Credential, error) {
	s, err := decodeSealed(value)
	return s.Credential, err
}

// fingerprint identifies a credential without revealing it. That of a token is
// derived from its secret alone, so that the same token is known again wherever
// it is entered; it has 192 random bits, so the derivation cannot be searched.
// A password could be guessed from such a value, and its sessions may coexist:
// its fingerprint is the credential's version.
func fingerprint(c tableau.Credential, version string) (string, error) {
	if c.Method != tableau.PersonalAccessToken {
		return "password-" + version, nil
	}
	b, err := hkdf.Key(sha256.New, []byte(c.Secret.Reveal()), nil, "vizpost personal access token fingerprint 1", 16)
	if err != nil {
		return "", fmt.Errorf("deriving a token's fingerprint: %w", err)
	}
	return "token-" + hex.EncodeToString(b), nil
}

// sessionValue is the form of a Tableau session before it is sealed.
type sessionValue struct {
	ServerURL      string `json:"server_url"`
	APIVersion     string `json:"api_version"`
	ProductVersion string `json:"product_version"`
	SiteID         string `json:"site_id"`
	Site           string `json:"site"`
	UserID         string `json:"user_id"`
	Token          string `json:"token"`
}

// sealSession encrypts a session so that it can be opened only with the
// credential that made it, for this connection, version and generation.
func (s sealed) sealSession(t tableau.Session, to Session, random io.Reader) (Session, error) {
	plain, err := json.Marshal(sessionValue{ServerURL: t.ServerURL, APIVersion: t.APIVersion, ProductVersion: t.ProductVersion,
		SiteID: t.SiteID, Site: t.SiteContentURL, UserID: t.UserID, Token: t.Token.Reveal()})
	if err != nil {
		return Session{}, fmt.Errorf("encoding a session: %w", err)
	}
	aead, err := s.aead()
	if err != nil {
		return Session{}, err
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return Session{}, fmt.Errorf("sealing a session: %w", err)
	}
	to.Sealed = aead.Seal(nonce, nonce, plain, to.additionalData())
	return to, nil
}

// openSession is the inverse of sealSession.
func (s sealed) openSession(from Session) (tableau.Session, error) {
	aead, err := s.aead()
	if err != nil {
		return tableau.Session{}, err
	}
	if len(from.Sealed) < aead.NonceSize() {
		return tableau.Session{}, fmt.Errorf("the stored session is cut off")
	}
	nonce, box := from.Sealed[:aead.NonceSize()], from.Sealed[aead.NonceSize():]
	plain, err := aead.Open(nil, nonce, box, from.additionalData())
	if err != nil {
		return tableau.Session{}, fmt.Errorf("opening the stored session: %w", err)
	}
	var v sessionValue
	if err := json.Unmarshal(plain, &v); err != nil {
		return tableau.Session{}, fmt.Errorf("the stored session cannot be read")
	}
	return tableau.Session{ServerURL: v.ServerURL, APIVersion: v.APIVersion, ProductVersion: v.ProductVersion,
		SiteID: v.SiteID, SiteContentURL: v.Site, UserID: v.UserID, Token: secret.New(v.Token)}, nil
}

func (s sealed) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(s.sessionKey)
	if err != nil {
		return nil, fmt.Errorf("preparing the session key: %w", err)
	}
	return cipher.NewGCM(block)
}

func (s Session) additionalData() []byte {
	return []byte(s.ConnectionID + "\n" + s.CredentialVersion + "\n" + strconv.FormatInt(s.Generation, 10))
}
