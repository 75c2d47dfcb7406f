package httpapi_test

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vizpost/vizpost/internal/httpapi"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/secret"
)

// guard is an authentication that slows wrong tokens down, in a bubble of time.
func guard() (tried func(token, from string) (time.Duration, error), log *syncBuffer) {
	log = &syncBuffer{}
	authenticate := httpapi.SlowWrongTokens(httpapi.BearerToken(secret.New("right")), time.Now, slog.New(slog.NewTextHandler(log, nil)))
	return func(token, from string) (time.Duration, error) {
		r := httptest.NewRequest("GET", "/v1/me", nil)
		r.RemoteAddr = from
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		began := time.Now()
		_, err := authenticate(r)
		return time.Since(began), err
	}, log
}

func TestWrongTokensAreSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tried, log := guard()
		var first, all time.Duration
		for i := range 100 {
			took, err := tried("wrong", fmt.Sprintf("198.51.100.7:%d", 1000+i))
			if !problem.Is(err, problem.Unauthenticated) {
				t.Fatalf("wrong token %d: error %v, want it refused", i, err)
			}
			if i < 10 {
				first += took
			}
			all += took
		}
		if first != 0 || all < 2*time.Minute {
			t.Errorf("the first 10 wrong tokens took %v, want no time; 100 took %v, want minutes", first, all)
		}
		if took, err := tried("right", "198.51.100.7:9"); took != 0 || err != nil {
			t.Errorf("the right token took %v with error %v; want it taken at once", took, err)
		}
		if took, err := tried("", "198.51.100.7:9"); took != 0 || !problem.Is(err, problem.Unauthenticated) {
			t.Errorf("no token took %v with error %v; want it refused at once", took, err)
		}
		if took, _ := tried("wrong", "198.51.100.8:9"); took != 0 {
			t.Errorf("another address waited %v", took)
		}
		if got := strings.Count(log.String(), "many wrong tokens"); got != 1 || !strings.Contains(log.String(), "198.51.100.7") || strings.Contains(log.String(), "wrong\"") {
			t.Errorf("the log tells of it %d times, want once with the address:\n%s", got, log)
		}
		time.Sleep(time.Minute)
		if took, _ := tried("wrong", "198.51.100.7:9"); took != 0 {
			t.Errorf("after a minute of rest a wrong token waited %v", took)
		}
	})
}

// Of many wrong tokens at once few wait and the rest get 429; one IPv6 network
// counts as one address. The right token passes them all.
func TestManyWrongTokensAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tried, _ := guard()
		var mu sync.Mutex
		var group sync.WaitGroup
		got := map[string]int{}
		for i := range 200 {
			group.Go(func() {
				_, err := tried("wrong", fmt.Sprintf("[2001:db8::%x]:80", i+1))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case problem.Is(err, problem.TooMany):
					got["429"]++
				case problem.Is(err, problem.Unauthenticated):
					got["401"]++
				}
			})
		}
		synctest.Wait()
		if took, err := tried("right", "[2001:db8::7]:80"); took != 0 || err != nil {
			t.Errorf("the right token took %v with error %v; want it taken at once", took, err)
		}
		group.Wait()
		if got["401"] != 18 || got["429"] != 182 {
			t.Errorf("got %v, want 18 refused, 8 of them after a wait, and 182 times 429", got)
		}
	})
}

// However many addresses send wrong tokens, as many are remembered as fit, and
// one that goes on is not forgotten for those that come after.
func TestWrongTokensOfManyAddresses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tried, _ := guard()
		for i := range 20_000 {
			if _, err := tried("wrong", fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255)); !problem.Is(err, problem.Unauthenticated) {
				t.Fatalf("address %d: error %v", i, err)
			}
			if i%500 == 0 {
				_, _ = tried("wrong", "198.51.100.7:1")
				time.Sleep(time.Millisecond)
			}
		}
		if took, _ := tried("wrong", "198.51.100.7:1"); took == 0 {
			t.Error("an address that went on was forgotten")
		}
	})
}
