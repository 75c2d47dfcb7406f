package run

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/tableau"
)

// proofs are the proofs of a run's filters. Content that differs only in what
// it is exported as needs one proof.
type proofs struct {
	mu sync.Mutex
	of map[string]*proof
}

type proof struct {
	mu      sync.Mutex // held while it is made: others wait for it
	made    bool
	message string // what was found, for people
}

// get gives the proof for content, which may not be made yet.
func (p *proofs) get(what report.Content) *proof {
	key, err := json.Marshal([]any{what.ViewID, what.CustomViewID, what.Filters, what.Language})
	if err != nil {
		panic(fmt.Sprintf("run: filters cannot be encoded: %v", err)) // plain data: a defect
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		p.of = map[string]*proof{}
	}
	if p.of[string(key)] == nil {
		p.of[string(key)] = &proof{}
	}
	return p.of[string(key)]
}

// prove asks Tableau's own data whether it applies the content's filters, and
// gives what was found, for people. Whatever is less than a proof is a failure
// for good: what might hold other people's numbers is not sent.
func (d *drain) prove(ctx context.Context, c connection.Connection, what report.Content, proofs *proofs) (string, error) {
	p := proofs.get(what)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.made {
		return p.message, nil
	}
	request := exportRequest(what)
	var found tableau.FilterProof
	err := d.tryOften(ctx, c, func() error {
		return d.inSlot(ctx, c.ID, func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
			return withCurrentID(ctx, client, session, what, &request, func() (err error) {
				found, err = client.ProveFilters(ctx, session, request)
				return err
			})
		})
	})
	if err != nil {
		return "", err
	}
	if found.Verdict != tableau.FilterApplied {
		return "", &neverError{
			message: found.Message() + " The report requires a proof of its filters, so nothing was sent.",
			err:     fmt.Errorf("the filters are %s", found.Verdict),
		}
	}
	p.made, p.message = true, found.Message()
	return p.message, nil
}
