package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/vizpost/vizpost/internal/standalone"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

const standInText = `
vizpost tableau runs the stand-in for a Tableau server alone: a small sales site
that speaks Tableau's REST API. It prints its address and how to sign in.

  GET  /-/stats          calls by route, sign-ins and ended sessions, as JSON
  GET  /-/faults         what goes wrong on purpose; POST adds to it, DELETE ends it
  POST /-/revoke-tokens  deletes the personal access tokens
  POST /-/new-token      makes one: {"name": "…"}
  POST /-/enable-mfa     refuses passwords and deletes all tokens
  POST /-/clock          moves the server's clock: {"advance": "360h"}
`

func standIn(ctx context.Context, c command) error {
	f := c.flags("tableau", standInText)
	addr := f.String("addr", "127.0.0.1:8081", "address to listen on")
	version := f.String("api-version", "3.29", "REST API version of the server")
	latency := f.Duration("latency", 0, "how long each export takes")
	if err := c.parse(f); err != nil {
		return err
	}
	if *latency < 0 || *latency > time.Hour {
		return usageError{fmt.Errorf("vizpost tableau: --latency must lie between 0s and 1h")}
	}
	if !tableautest.ValidAPIVersion(*version) {
		return usageError{fmt.Errorf("vizpost tableau: --api-version must be one such as 3.6 or 3.29")}
	}
	server := tableautest.New(tableautest.Options{APIVersion: *version, Latency: *latency})
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w; choose another with --addr", *addr, err)
	}
	name, tokenSecret := server.PAT()
	user, password := server.Password()
	c.printf("url: %s\nsite: %s\ntoken name: %s\ntoken secret: %s\nuser: %s\npassword: %s\n",
		pageURL(listener.Addr()), server.Site(), name, tokenSecret, user, password)
	return standalone.Serve(ctx, listener, server)
}
