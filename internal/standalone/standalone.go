// Package standalone is all of vizpost in one process on one machine: the
// nouns wired to a database file, a folder of files, and SMTP or a folder of
// mails.
package standalone

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/vizpost/vizpost/internal/address"
	"github.com/vizpost/vizpost/internal/assembly"
	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/health"
	"github.com/vizpost/vizpost/internal/httpapi"
	"github.com/vizpost/vizpost/internal/httpapi/mailview/parse"
	"github.com/vizpost/vizpost/internal/httpapi/page"
	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/outbound"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
	"github.com/vizpost/vizpost/internal/scratch"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/verify"
)

// Config is what one installation is told.
type Config struct {
	DataDir         string         // made if it does not exist
	SMTPURL         secret.Text    // where mail goes; empty: to the outbox
	MailFrom        string         // sender; required with SMTPURL
	Administrators  []string       // who is told of what goes wrong where nobody else is named
	PublicURL       string         // where the page is, that notices link to; "": none
	WebhookOrigins  []string       // further origins that Slack-like webhooks may have
	PrivateNetworks []netip.Prefix // that Tableau servers and webhooks may lie in
	RootCAs         *x509.CertPool // authorities of their certificates; nil: the system's
	Proxy           *url.URL       // that carries the requests to them; nil: none
	Exports         int            // at once on a site; 0: run.DefaultExports
	TimeZone        string         // IANA name, that new schedules begin with; "": UTC
	TickEvery       time.Duration  // 0: DefaultTick
	ExportTimeout   time.Duration  // that Tableau may take; 0: the client's
	MaxEmail        int64          // bytes of an email as it is sent; 0: what the mail server takes, of the outbox [deliver.DefaultMaxEmail]
	MaxTemporary    int64          // bytes of the exports' temporary files at once; 0: DefaultMaxTemporary
	Retention       time.Duration  // how long what is finished is kept; 0: local.DefaultRetention, negative: for ever

	Now    func() time.Time // nil: time.Now
	Random io.Reader        // for keys, ids and sealing
	Log    *slog.Logger
}

const (
	// DefaultTick is shorter than the minute that schedules are made of, so
	// that a report runs when its minute begins.
	DefaultTick = 5 * time.Second

	careEvery = time.Hour

	// attachmentMemory bounds what emails in flight hold together.
	attachmentMemory = 64 << 20

	// DefaultMaxTemporary is what the temporary files of exports take at once at
	// most: eight exports of the largest that a Tableau server may send.
	DefaultMaxTemporary = 4 << 30

	outboxSender = "vizpost <vizpost@localhost.localdomain>"
)

// Vizpost is one installation, open.
type Vizpost struct {
	Store        *local.Store
	Connections  *connection.Service
	Reports      *report.Service
	Destinations *deliver.Destinations
	Runs         *run.Service
	Tick         *run.Tick
	Care         *run.Care
	Drain        *run.Drain
	Outbox       *local.Outbox // nil where mail goes by SMTP

	retention *local.Retention
	keeps     local.RetentionNotice

	// Health is what keeps all of it from its work.
	Health *health.Registry

	timeZone  string
	dataDir   string
	bell      *local.Bell
	every     time.Duration
	transport *http.Transport
	now       func() time.Time
	newID     func() string
	log       *slog.Logger

	// Of the troubles: when the pages were last checked, which codes are logged, and
	// who was told of them, which is kept in the memo. One round after the other
	// uses them.
	pagesChecked time.Time
	logged       map[string]bool
	notes        map[string]*note
	memo         local.Memo
}

// Open opens the installation in a data folder, or makes it.
func Open(ctx context.Context, c Config) (*Vizpost, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.TickEvery == 0 {
		c.TickEvery = DefaultTick
	}
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	store, err := local.OpenStore(ctx, filepath.Join(c.DataDir, "vizpost.db"))
	if err != nil {
		return nil, err
	}
	now := assembly.Clock(c.Now)
	v := &Vizpost{Health: health.New(now), dataDir: c.DataDir, logged: map[string]bool{}, notes: map[string]*note{}, pagesChecked: now(),
		memo:  local.Memo{Path: filepath.Join(c.DataDir, "troubles.json")},
		Store: store, timeZone: cmp.Or(c.TimeZone, "UTC"), bell: local.NewBell(), every: c.TickEvery, now: now, newID: assembly.NewIDs(now, c.Random), log: c.Log}
	if err := v.wire(c); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	if v.keeps, err = v.retention.Begin(ctx); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	v.remember()
	return v, nil
}

func (v *Vizpost) wire(c Config) error {
	policy := outbound.Policy{PrivateNetworks: c.PrivateNetworks, RootCAs: c.RootCAs, Proxy: c.Proxy}
	v.transport = outbound.NewTransport(policy)
	server := assembly.Tableau{Policy: policy, Transport: v.transport, Now: v.now, ExportTimeout: c.ExportTimeout}
	mail, from, err := v.mailer(c)
	if err != nil {
		return err
	}
	files := local.Files{Dir: filepath.Join(c.DataDir, "files")}
	v.retention = &local.Retention{Store: v.Store, Files: files, Outbox: v.Outbox, Keep: cmp.Or(c.Retention, local.DefaultRetention),
		Now: v.now, Log: v.log}
	slack := deliver.NewSlackPoster(&http.Client{Transport: v.transport}, v.now)
	temporary := scratch.New("", cmp.Or(c.MaxTemporary, DefaultMaxTemporary))
	v.sweep(temporary)

	v.Connections = &connection.Service{
		Store: v.Store, Vault: v.Store, Holds: &run.Holds{Store: v.Store, Bell: v.bell, Now: v.now},
		Dial: server.Dial, CheckServer: server.CheckServer,
		Hold: v.hold, Now: v.now, NewID: v.newID, Random: c.Random, Log: v.log,
	}
	v.Destinations = &deliver.Destinations{
		Store: v.Store, Vault: v.Store, Poster: slack, AllowedOrigins: c.WebhookOrigins,
		Notices: &run.Holds{Store: v.Store, Bell: v.bell, Now: v.now},
		Now:     v.now, NewID: v.newID, Log: v.log,
	}
	v.Runs = &run.Service{Store: v.Store, Reports: v.Store, Connections: v.Store, Files: files, Bell: v.bell,
		Now: v.now, NewID: v.newID, Log: v.log}
	filters := &verify.Service{Store: v.Store, Connections: v.Connections, Now: v.now, Log: v.log}
	v.Reports = &report.Service{Store: v.Store, Connections: v.Connections, Filters: filters, Destinations: v.Destinations, Runs: v.Runs,
		Now: v.now}
	v.Tick = &run.Tick{Store: v.Store, Connections: v.Store, Repeats: v.Store, Bell: v.bell, Now: v.now, NewID: v.newID, Log: v.log}
	v.Care = &run.Care{Store: v.Store, Connections: v.Connections, Destinations: v.Destinations, Bell: v.bell, Now: v.now, Log: v.log}
	v.Drain = &run.Drain{
		Store: v.Store, Reports: v.Store, Connections: v.Connections, Filters: filters, Destinations: v.Destinations, Files: files, Bell: v.bell,
		Mail: &health.Mailer{Mailer: mail, Registry: v.Health}, MailRepeats: v.Outbox != nil, MailFrom: from, Slack: slack,
		Administrators: c.Administrators, PublicURL: c.PublicURL,
		Emails:  &deliver.EmailBuilder{MaxBytes: c.MaxEmail, Budget: deliver.NewBudget(attachmentMemory), Now: v.now},
		Exports: c.Exports, Scratch: temporary, Now: v.now, NewID: v.newID, Jitter: assembly.Jitter, Log: v.log,
	}
	if smtp, ok := mail.(*local.SMTP); ok {
		v.Drain.MailTimeout, v.Drain.Emails.Limit = local.SMTPTimeout, smtp.Limit
	}
	_, v.Drain.Unsubscribe, err = address.ParseNamed(from)
	return err
}

// sweep removes what a process left that ended before it could. Where that fails,
// vizpost works all the same.
func (v *Vizpost) sweep(temporary *scratch.Space) {
	n, err := temporary.Sweep()
	if n > 0 {
		v.log.Warn("temporary files of exports were removed, which a process before this one left", "files", n)
	}
	if v.Outbox != nil {
		err = errors.Join(err, v.Outbox.Sweep(v.now().Add(-time.Hour)))
	}
	if err != nil {
		v.log.Warn("not all temporary files could be removed that processes before this one left", "error", err)
	}
}

func (v *Vizpost) mailer(c Config) (deliver.Mailer, string, error) {
	if c.SMTPURL.IsZero() {
		from := c.MailFrom
		if from == "" {
			from = outboxSender
		}
		v.Outbox = &local.Outbox{Dir: filepath.Join(c.DataDir, "outbox")}
		return v.Outbox, from, nil
	}
	if c.MailFrom == "" {
		return nil, "", errors.New("there is an SMTP server, and no sender of mail")
	}
	mailer, err := local.NewSMTP(c.SMTPURL)
	if err != nil {
		return nil, "", err
	}
	mailer.Now = v.now
	return mailer, c.MailFrom, nil
}

// Web says how the installation is reached.
type Web struct {
	Token secret.Text // of the one operator
	Hosts []string    // values of the Host header that are ours
}

// Handler serves the HTTP API and the page.
func (v *Vizpost) Handler(w Web) http.Handler {
	deps := httpapi.Deps{
		Connections: v.Connections, Reports: v.Reports, Destinations: v.Destinations, Runs: v.Runs, Requests: v.Store,
		Page: page.Handler(), Hosts: w.Hosts,
		Authenticate: httpapi.SlowWrongTokens(httpapi.BearerToken(w.Token), v.now, v.log),
		Pause:        v.Store,
		Health:       v.Health,
		Installation: httpapi.Installation{Mode: "local", Mail: "smtp", TimeZone: v.timeZone, Administrators: v.Drain.Administrators},
		Now:          v.now, NewID: v.newID, Log: v.log, Version: assembly.Version(),
	}
	if v.keeps.Days > 0 {
		deps.Installation.Retention = &httpapi.Retention{Days: v.keeps.Days, From: v.keeps.From, Upgraded: v.keeps.Upgraded}
	}
	if v.Outbox != nil {
		deps.Outbox, deps.ReadMail, deps.Installation.Mail = v.Outbox, parse.Mail, "outbox"
	}
	return httpapi.New(deps)
}

// errPaused says why nothing signs in by itself.
func errPaused() error {
	return problem.New(problem.Conflict, "paused", "vizpost was restored from a backup and is paused, so it does not sign in to Tableau. "+
		"Resume it first, once no other copy of it works any more.")
}

// hold keeps a paused installation from signing in, which would end the session
// of the one that the backup was made of.
func (v *Vizpost) hold(ctx context.Context) error {
	_, paused, err := v.Store.Paused(ctx)
	if err == nil && paused {
		err = errPaused()
	}
	return err
}

// works reports whether there is anything to do but wait to be resumed. What
// cannot be read is no reason to work.
func (v *Vizpost) works(ctx context.Context) bool {
	_, paused, err := v.Store.Paused(ctx)
	if err != nil && ctx.Err() == nil {
		v.log.Error("whether vizpost is paused cannot be read; it does nothing until it can", "error", err)
	}
	return err == nil && !paused
}

// Run ticks and works off what is due, until the context ends. What is in hand
// then goes back to the queue.
func (v *Vizpost) Run(ctx context.Context) {
	var group sync.WaitGroup
	group.Go(func() {
		v.bell.Run(ctx, func(ctx context.Context, site string) {
			if !v.works(ctx) {
				return // the first tick after it is resumed rings again
			}
			if err := v.Drain.Site(ctx, site); err != nil && ctx.Err() == nil {
				v.saw(err)
				v.log.Error("a site was not worked off; the next tick rings again", "site", site, "error", err)
			}
		})
	})
	group.Go(func() {
		repeat(ctx, v.every, func() {
			if !v.works(ctx) {
				return
			}
			if _, err := v.Tick.Run(ctx); err != nil && ctx.Err() == nil {
				v.saw(err)
				v.log.Error("a tick failed in part; the next picks it up", "error", err)
			}
		})
	})
	group.Go(func() { repeat(ctx, checkEvery, func() { v.Check(ctx) }) })
	group.Go(func() {
		repeat(ctx, careEvery, func() {
			if !v.works(ctx) {
				return
			}
			if err := v.Care.Run(ctx); err != nil && ctx.Err() == nil {
				v.log.Error("looking after the tokens failed in part", "error", err)
			}
			if err := v.Store.PurgeRemovedSecrets(ctx, v.now().Add(-connection.SecretKept)); err != nil && ctx.Err() == nil {
				v.log.Error("removed secrets were not purged", "error", err)
			}
			if err := v.Store.PurgeEvents(ctx, v.now().Add(-connection.HistoryKept)); err != nil && ctx.Err() == nil {
				v.log.Error("old events were not purged", "error", err)
			}
			if err := v.retention.Run(ctx); err != nil && ctx.Err() == nil {
				v.log.Error("what was finished long ago was not all deleted; the next round goes on", "error", err)
			}
		})
	})
	group.Wait()
}

// repeat calls f at once and then each time that the interval has passed.
func repeat(ctx context.Context, every time.Duration, f func()) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		f()
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Close closes the database and idle connections. Run has ended before.
func (v *Vizpost) Close() error {
	v.transport.CloseIdleConnections()
	return v.Store.Close()
}

// RetentionNotice says how long what is finished is kept.
func (v *Vizpost) RetentionNotice() local.RetentionNotice { return v.keeps }

// NewID makes an id for something new.
func (v *Vizpost) NewID() string { return v.newID() }

// Serve serves a handler on a listener until the context ends, and gives the
// requests in hand some seconds to finish.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 5 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- server.Shutdown(ctx)
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving on %s: %w", l.Addr(), err)
	}
	return <-stopped
}
