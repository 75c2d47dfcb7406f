package outbound

import (
	"fmt"
	"net/netip"
)

// Reason says why an address is refused.
type Reason string

// The reasons.
const (
	Private   Reason = "private"    // a private network that is not configured
	Loopback  Reason = "loopback"   // this machine
	LinkLocal Reason = "link_local" // link-local, unspecified, multicast or an instance metadata service: never allowed
	Reserved  Reason = "reserved"   // another special-purpose range
	Forbidden Reason = "forbidden"  // one of the policy's blocked addresses: never allowed
	PlainHTTP Reason = "plain_http" // http:// to anything but a configured private network
)

// BlockedError is the refusal of an address. No request was sent.
type BlockedError struct {
	Host   string     // as it was asked for, without port; may be empty
	Addr   netip.Addr // the address it has
	Reason Reason
}

// Error gives the text for logs; it names the address. See
// [BlockedError.Message] for the user's.
func (e *BlockedError) Error() string {
	if e.Host == "" || e.Host == e.Addr.String() {
		return fmt.Sprintf("address %s is refused: %s", e.Addr, e.Reason)
	}
	return fmt.Sprintf("host %q is refused: its address %s is %s", e.Host, e.Addr, e.Reason)
}

// Message says to the user what is wrong with the address and what to do. It
// does not tell what a name resolves to.
func (e *BlockedError) Message() string {
	switch e.Reason {
	case Private:
		return "This address lies in a private network. vizpost goes there only when the administrator has listed the network in VIZPOST_PRIVATE_NETWORKS."
	case Loopback:
		return "This address is the machine that vizpost itself runs on. vizpost goes there only when the administrator has listed it in VIZPOST_PRIVATE_NETWORKS."
	case PlainHTTP:
		return "This address is not encrypted. Use https://; http:// is only for private networks that the administrator has listed in VIZPOST_PRIVATE_NETWORKS."
	case Reserved:
		return "This address is in a reserved range that is not part of the public internet. Use the address that people open in their browser."
	default:
		return "This address is one that vizpost never connects to. Use the address that people open in their browser."
	}
}
