// Package assembly is what every installation of vizpost is put together from in
// the same way, whether it is one process or a set of functions: its ids, its
// clock, its version, and its way to Tableau.
package assembly

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/vizpost/vizpost/internal/outbound"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// Clock tells the time as stores keep it: what is answered before it is stored
// must not differ from what is read later.
func Clock(now func() time.Time) func() time.Time {
	return func() time.Time { return now().UTC().Truncate(time.Microsecond) }
}

// NewIDs makes ULIDs that rise within the process.
func NewIDs(now func() time.Time, random io.Reader) func() string {
	var mu sync.Mutex
	entropy := ulid.Monotonic(random, 0)
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return ulid.MustNew(ulid.Timestamp(now()), entropy).String()
	}
}

// Jitter gives a random duration below d.
func Jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}

// Tableau is the way to Tableau servers, at addresses that somebody typed in.
type Tableau struct {
	Policy    outbound.Policy
	Transport *http.Transport // of the policy
	Now       func() time.Time

	ExportTimeout time.Duration // 0: the client's
}

// Dial gives a client for a server.
func (t Tableau) Dial(serverURL string) (*tableau.Client, error) {
	return tableau.NewClient(serverURL, tableau.Options{Transport: t.Transport, Now: t.Now, ExportTimeout: t.ExportTimeout,
		AllowPlainHTTP: func(host string) bool { return t.Policy.AllowsPlainHTTP(context.Background(), host) }})
}

// CheckServer says why vizpost does not call a server. One with http:// whose
// host may not be called so is called by https://, as the client does.
func (t Tableau) CheckServer(ctx context.Context, serverURL string) error {
	u, err := url.Parse(serverURL)
	if err != nil {
		return problem.InvalidField("server_url", "This is not an address.")
	}
	port := uint64(443)
	if u.Scheme == "http" && t.Policy.AllowsPlainHTTP(ctx, u.Hostname()) {
		port = 80
	}
	if p := u.Port(); p != "" {
		if port, err = strconv.ParseUint(p, 10, 16); err != nil {
			return problem.InvalidField("server_url", "This address has a port that does not exist.")
		}
	}
	err = t.Policy.CheckAddress(ctx, u.Hostname(), uint16(port))
	var blocked *outbound.BlockedError
	if err != nil && !errors.As(err, &blocked) {
		return problem.InvalidField("server_url", "The host of this address cannot be found. Check its spelling.")
	}
	return err
}
