package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/standalone"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

const demoText = `
vizpost demo runs all of vizpost on this machine: a stand-in for Tableau, a
receiver in place of Slack, a connection with a personal access token, and a
report that is delivered at once and then each minute. Nothing leaves the
machine.
`

const (
	demoConnection  = "Demo site"
	demoDestination = "Demo channel"
	demoReport      = "Superstore overview"
	demoView        = "Superstore/sheets/Overview"

	demoPatience = 3 * time.Minute // for one run with --once
)

func demo(ctx context.Context, c command) (err error) {
	f := c.flags("demo", demoText)
	addr := f.String("addr", "127.0.0.1:8080", "address of the page and the API")
	data := f.String("data", "", "folder of what the demo makes (default a new one among the temporary files)")
	once := f.Bool("once", false, "exit after the first run: with 0 and the paths of what was delivered, else with 1 and the reason")
	if err := c.parse(f); err != nil {
		return err
	}
	if *data, err = demoFolder(*data); err != nil {
		return err
	}
	token, err := operatorToken(c.getenv("VIZPOST_TOKEN"), filepath.Join(*data, "token"))
	if err != nil {
		return err
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()

	server := tableautest.New(tableautest.Options{})
	slack := &slackReceiver{dir: filepath.Join(*data, "slack"), now: time.Now}
	tableauURL, err := background(ctx, &group, c, server)
	if err != nil {
		return err
	}
	slackURL, err := background(ctx, &group, c, slack)
	if err != nil {
		return err
	}
	v, err := standalone.Open(ctx, standalone.Config{
		DataDir: *data, WebhookOrigins: []string{slackURL},
		PrivateNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		TimeZone:        local.TimeZone(c.getenv("TZ"), "/etc/localtime"),
		Random:          rand.Reader, Log: c.log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()

	sample, err := makeSample(ctx, v, server, tableauURL, slackURL+"/services/T000/B000/demo")
	if err != nil {
		return fmt.Errorf("making the sample: %w", err)
	}
	first, err := v.Runs.Start(ctx, sample.ID, run.Start{})
	if err != nil {
		return fmt.Errorf("running the sample: %w", err)
	}
	if *once {
		return c.showOnce(ctx, v, first.ID, *data)
	}

	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w; choose another with --addr", *addr, err)
	}
	page := pageURL(listener.Addr())
	c.printAddress(page, token, filepath.Join(*data, "token"))
	c.printf("tableau: %s (the stand-in, site %q)\n", tableauURL, server.Site())
	c.printf("data:    %s\n", *data)
	group.Go(func() {
		if err := c.show(ctx, v, first.ID, *data); err != nil && ctx.Err() == nil {
			c.log.Error("the first run", "error", err)
		}
	})
	return serveUntil(ctx, v, listener, standalone.Web{Token: token, Hosts: hosts(listener.Addr(), nil)})
}

// demoFolder makes the demo's data folder, and gives its whole path.
func demoFolder(dir string) (string, error) {
	if dir == "" {
		made, err := os.MkdirTemp("", "vizpost-demo-")
		if err != nil {
			return "", fmt.Errorf("making a folder for the demo: %w", err)
		}
		return made, nil
	}
	if err := makeDataFolder(dir); err != nil {
		return "", err
	}
	whole, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("finding the demo's folder: %w", err)
	}
	return whole, nil
}

// background serves a handler on a free port of this machine until the context
// ends, and gives its address.
func background(ctx context.Context, group *sync.WaitGroup, c command, h http.Handler) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listening on this machine: %w", err)
	}
	group.Go(func() {
		if err := standalone.Serve(ctx, l, h); err != nil {
			c.log.Error("a part of the demo ended", "error", err)
		}
	})
	return pageURL(l.Addr()), nil
}

// makeSample makes the demo's connection, destination and report. In a folder
// of an earlier demo it gives them the addresses and the token of this one, and
// the report goes on as it is.
func makeSample(ctx context.Context, v *standalone.Vizpost, server *tableautest.Server, tableauURL, slackURL string) (report.Report, error) {
	name, tokenSecret := server.PAT()
	credential := tableau.Credential{Method: tableau.PersonalAccessToken, TokenName: name, Secret: secret.New(tokenSecret)}
	site := server.Site()

	connections, _, err := v.Connections.List(ctx, "", 1)
	if err != nil {
		return report.Report{}, err
	}
	var c connection.Connection
	if len(connections) > 0 {
		c, err = v.Connections.Edit(ctx, connections[0].ID, connection.Edit{ServerURL: &tableauURL, Site: &site,
			Credential: &credential, AcceptIdentityChange: true})
	} else {
		c, err = v.Connections.Create(ctx, v.NewID(), connection.Settings{Name: demoConnection, ServerURL: tableauURL, Site: site,
			Credential: credential, Notify: []string{"ops@example.com"}})
	}
	if err != nil {
		return report.Report{}, err
	}

	destinations, _, err := v.Destinations.List(ctx, "", 1)
	if err != nil {
		return report.Report{}, err
	}
	var channel deliver.Destination
	address := secret.New(slackURL)
	if len(destinations) > 0 {
		channel, err = v.Destinations.Edit(ctx, destinations[0].ID, deliver.DestinationEdit{URL: &address})
	} else {
		channel, err = v.Destinations.Create(ctx, v.NewID(), demoDestination, report.Slack, address)
	}
	if err != nil {
		return report.Report{}, err
	}

	reports, _, err := v.Reports.List(ctx, "", "", 1)
	if err != nil || len(reports) > 0 {
		return first(reports), err
	}
	view := tableau.ViewURL(tableauURL, site, demoView)
	return v.Reports.Create(ctx, v.NewID(), report.Report{
		Name: demoReport, ConnectionID: c.ID, Enabled: true,
		Content: []report.Content{
			{View: view, Format: tableau.PNG, Image: tableau.ImageOptions{HighResolution: true}},
			{View: view, Format: tableau.PDF, PDF: tableau.PDFOptions{PageSize: "a4", Orientation: "landscape"}},
			{View: view, Format: tableau.CSV, Filters: map[string][]string{"Region": {"West"}}, FileName: "{{ view }} West"},
		},
		Schedule: &report.Schedule{Cron: "* * * * *", TimeZone: "UTC"},
		Destinations: []report.Destination{
			{ID: "mail", Type: report.Email, To: []string{"ana@example.com"}},
			{ID: "channel", Type: report.Slack, DestinationID: channel.ID, Text: "The shop at a glance."},
		},
		Notify: []string{"owner@example.com"},
	})
}

func first[T any](list []T) T {
	var zero T
	if len(list) == 0 {
		return zero
	}
	return list[0]
}

// showOnce works until a run has ended, and shows what came of it.
func (c command) showOnce(ctx context.Context, v *standalone.Vizpost, runID, data string) error {
	working, stop := context.WithCancel(ctx)
	var worker sync.WaitGroup
	worker.Go(func() { v.Run(working) })
	err := c.show(ctx, v, runID, data)
	stop()
	worker.Wait()
	return err
}

// show waits for a run to end and prints what came of it, with the paths. The
// error says why it was not delivered.
func (c command) show(ctx context.Context, v *standalone.Vizpost, runID, data string) error {
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		r, deliveries, err := v.Runs.Get(ctx, runID)
		if err != nil {
			return fmt.Errorf("looking at the run: %w", err)
		}
		if !r.State.Open() {
			c.printf("run:     %s of %q: %s\n", r.ID, r.ReportName, r.State)
			for _, f := range r.Files {
				c.printf("file:    %s (%s, %d bytes)\n", filepath.Join(data, "files", filepath.FromSlash(f.Object)), f.Name, f.Size)
			}
			for _, d := range deliveries {
				switch {
				case d.State.Arrived() && d.Where != "":
					c.printf("mail:    %s\n", filepath.Join(data, filepath.FromSlash(d.Where)))
				case d.State.Arrived():
					c.printf("slack:   %s\n", filepath.Join(data, "slack"))
				default:
					c.printf("failed:  %s: %s\n", d.DestinationID, d.Message)
				}
			}
			if r.State != run.Delivered {
				return fmt.Errorf("the run is %s: %s", r.State, r.Reason)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the run is still %s: %s", r.State, r.Reason)
		case <-look.C:
		}
	}
}
