package outbound

import (
	"fmt"
	"net/netip"
	"strings"
)

// ParseNetworks reads a comma-separated list of networks in CIDR form, such as
// the value of VIZPOST_PRIVATE_NETWORKS. An address without a length is that
// one address. An empty list is no network.
func ParseNetworks(s string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		network, err := parseNetwork(part)
		if err != nil {
			return nil, err
		}
		networks = append(networks, network)
	}
	return networks, nil
}

func parseNetwork(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no network: write it like 10.0.0.0/8 or fd00::/8", s)
	}
	if network.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is an IPv4 network in IPv6 form: write it like 10.0.0.0/8", s)
	}
	if network != network.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has address bits beyond its length: did you mean %s?", s, network.Masked())
	}
	return network, nil
}
