package httpapi

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/vizpost/vizpost/internal/address"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

// What viewers are not shown. A Bcc is hidden from those who receive the
// message, and a viewer may be one of them; so its addresses are left out, and
// so they are of what a mail server said of one.

// seesBcc reports whether the caller may know who gets a message as Bcc.
func seesBcc(ctx context.Context) bool { return callOf(ctx).who.Role >= Editor }

// reportFor returns a report as its reader may see it.
func reportFor(ctx context.Context, r report.Report) reportJSON {
	out := reportOut(r)
	if !seesBcc(ctx) {
		for i := range out.Destinations {
			out.Destinations[i].Bcc = nil
		}
	}
	return out
}

// runListedFor returns a run of a list as its reader may see it.
func runListedFor(ctx context.Context, r run.Run) runJSON {
	out := runOut(r)
	if !seesBcc(ctx) {
		hide := newHidden(r, nil)
		out.Reason = hide.in(out.Reason)
	}
	return out
}

// runFor returns a run with its deliveries as its reader may see them.
func runFor(ctx context.Context, r run.Run, deliveries []run.Delivery) runJSON {
	out := runWithDeliveries(r, deliveries)
	if seesBcc(ctx) {
		return out
	}
	hide := newHidden(r, deliveries)
	out.Reason = hide.in(out.Reason)
	for i := range out.Deliveries {
		d := &out.Deliveries[i]
		d.Missing = slices.DeleteFunc(d.Missing, func(to string) bool { return !address.Contains(d.To, to) && !address.Contains(d.Cc, to) })
		d.Bcc = nil
		d.Message = hide.in(d.Message)
	}
	return out
}

// hidden takes the addresses that are Bcc alone out of texts.
type hidden map[string]bool

func newHidden(r run.Run, deliveries []run.Delivery) hidden {
	h := hidden{}
	mark := func(addresses []string, value bool) {
		for _, a := range addresses {
			h[bare(a)] = value
		}
	}
	for _, d := range r.Destinations {
		mark(d.Bcc, true)
	}
	for _, d := range deliveries {
		mark(d.Bcc, true)
	}
	for _, d := range r.Destinations {
		mark(slices.Concat(d.To, d.Cc), false)
	}
	for _, d := range deliveries {
		mark(slices.Concat(d.To, d.Cc), false)
	}
	return h
}

// addressIn finds what may be an address in the words of a mail server.
var addressIn = regexp.MustCompile(`[^\s<>"'(),;:\[\]]+@[^\s<>"'(),;:\[\]]*[^\s<>"'(),;:\[\].]`)

func (h hidden) in(text string) string {
	return addressIn.ReplaceAllStringFunc(text, func(found string) string {
		if h[bare(found)] {
			return "a Bcc recipient"
		}
		return found
	})
}

// bare is an address without the name before it, in small letters.
func bare(address string) string {
	if i := strings.LastIndexByte(address, '<'); i >= 0 {
		address = strings.TrimSuffix(address[i+1:], ">")
	}
	return strings.ToLower(strings.TrimSpace(address))
}
