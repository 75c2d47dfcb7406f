package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/standalone"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

const standInText = `
vizpost tableau runs the stand-in for a Tableau server alone: a small sales site
that speaks Tableau's REST API. It prints its address and how to sign in; the
page at that address shows its views.

These steer it. Bodies and answers are JSON; a duration is a text such as "90s",
"24h" or "15d".

  GET  /-/stats          calls by route, sign-ins, ended sessions and exports;
                         DELETE sets the counts to zero
  GET  /-/faults         what goes wrong on purpose; DELETE ends it
  POST /-/faults         adds one or an array of them:
                         {"kind": "error", "route": "image", "code": 400074}
                         kind: error (code, detail, status), session_ended,
                         too_many_requests (retry_after, as_date, html),
                         html (status), login_page, redirect (location, status),
                         reset, hang, slow (delay), truncated, blank,
                         size (bytes), no_charset
                         route: as /-/stats names them, "export" or "any"
                         view, skip, times: which answers; times -1 is all
  GET  /-/troubles       views that are broken for good; DELETE sets them right
  POST /-/troubles       {"view": "Superstore/sheets/Overview",
                         "no_credentials": true}, "ignores_filters", "hidden"
  POST /-/new-token      makes a personal access token: {"user": "…", "name": "…"}
  POST /-/revoke-tokens  deletes a user's tokens, or all: {"user": "…"}
  POST /-/enable-mfa     refuses passwords and deletes all tokens: {"user": "…"}
  POST /-/clock          moves the server's clock: {"advance": "16d"}
  POST /-/latency        makes exports take their time: {"latency": "2s"}
`

func standIn(ctx context.Context, c command) error {
	f := c.flags("tableau", standInText)
	addr := f.String("addr", "127.0.0.1:8081", "address to listen on")
	version := f.String("api-version", "3.29", "REST API version of the server")
	latency := f.Duration("latency", 0, "how long each export takes")
	cloud := f.Bool("cloud", false, "be a Tableau Cloud rather than a Tableau Server")
	certificate := f.String("https", "", "serve https, with a new certificate that is written to this `file`; name it in VIZPOST_CA_BUNDLE")
	if err := c.parse(f); err != nil {
		return err
	}
	if *latency < 0 || *latency > time.Hour {
		return usageError{fmt.Errorf("tableau: --latency must lie between 0s and 1h")}
	}
	if !tableautest.ValidAPIVersion(*version) {
		return usageError{fmt.Errorf("tableau: --api-version must be one such as 3.6 or 3.29")}
	}
	server := tableautest.New(tableautest.Options{APIVersion: *version, Latency: *latency, Cloud: *cloud})
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w; choose another with --addr", *addr, err)
	}
	address := pageURL(listener.Addr())
	if *certificate != "" {
		if listener, err = withCertificate(listener, *certificate); err != nil {
			return err
		}
		address = "https" + strings.TrimPrefix(address, "http")
	}
	name, tokenSecret := server.PAT()
	user, password := server.Password()
	c.printf("url: %s\nsite: %s\ntoken name: %s\ntoken secret: %s\nuser: %s\npassword: %s\n",
		address, server.Site(), name, tokenSecret, user, password)
	return standalone.Serve(ctx, listener, server)
}
