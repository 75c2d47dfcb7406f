package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"crypto/tls"

	"github.com/vizpost/vizpost/internal/outbound"
	"github.com/vizpost/vizpost/internal/standalone"
)

// Who trusts the certificate that is written reaches the listener, and nobody
// else does.
func TestWithCertificate(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "certificate.pem")
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := withCertificate(plain, file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- standalone.Serve(ctx, listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "here") }))
	}()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	address := "https://" + listener.Addr().String()
	if resp, err := http.Get(address); err == nil {
		_ = resp.Body.Close()
		t.Error("a client that does not know the certificate got an answer")
	}
	roots, err := outbound.LoadRoots(file)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "here" {
		t.Errorf("got %q, %v", body, err)
	}
}
