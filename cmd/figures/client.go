package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/vizpost/vizpost/internal/content"
	"github.com/vizpost/vizpost/internal/outbound"
	"github.com/vizpost/vizpost/internal/tableau"
)

const (
	clientRounds = 121
	hugeExport   = 200 << 20 // bytes
)

// clientOverhead measures what it costs that an export is checked: the time of
// 50 MB through the client into a file, checked while they arrive as a run does
// it, over that of a bare HTTP request whose body is copied to a file. The
// formats are those of which a file of 50 MB exists, a CSV and a PDF; the figure
// is of both together, and each is told. (A PNG is decoded, which takes as long
// as decoding it takes; one of 50 MB would have hundreds of megapixels.)
// Rendering takes Tableau seconds and here nothing: only the transfer is
// compared, by https as always with a credential. Both sides take turns, from
// the same stand-in in a process of its own, and their medians count.
func clientOverhead(ctx context.Context, b bench) ([]figure, error) {
	e, err := b.exporter(ctx, bigExport)
	if err != nil {
		return nil, err
	}
	var bareSum, oursSum time.Duration
	for _, format := range []tableau.Format{tableau.CSV, tableau.PDF} {
		bare, ours, err := e.compare(ctx, format)
		if err != nil {
			return nil, errors.Join(err, e.stop())
		}
		bareSum, oursSum = bareSum+bare, oursSum+ours
		_, _ = fmt.Fprintf(b.stderr, "figures: 50 MB as %s: bare %s, client and check %s, ratio %.3f\n", format, bare, ours, ours.Seconds()/bare.Seconds())
	}
	return []figure{{"client_overhead", oursSum.Seconds() / bareSum.Seconds(), "ratio", 1.10}}, e.stop()
}

// compare gives the medians of both sides. Which of them begins alternates, so
// that neither always comes after the other.
func (e *exporter) compare(ctx context.Context, format tableau.Format) (bare, ours time.Duration, err error) {
	sides := []func(context.Context, tableau.Format, *os.File) error{e.fetch, e.export}
	took := make([][]time.Duration, len(sides))
	for round := range clientRounds + 1 {
		for turn := range sides {
			side := (round + turn) % len(sides)
			t, err := e.timed(func(file *os.File) error { return sides[side](ctx, format, file) })
			if err != nil {
				return 0, 0, err
			}
			if round > 0 { // the first opens connections and draws the view
				took[side] = append(took[side], t)
			}
		}
	}
	return median(took[0]), median(took[1]), nil
}

// clientHeap measures how much the heap grows at most while 200 MB pass through
// client and check: live and dead objects, above what there was before. The
// figure is that of the worst format.
func clientHeap(ctx context.Context, b bench) ([]figure, error) {
	e, err := b.exporter(ctx, hugeExport)
	if err != nil {
		return nil, err
	}
	worst := 0.0
	for _, format := range []tableau.Format{tableau.CSV, tableau.PDF, tableau.PNG, tableau.XLSX} {
		growth, err := heapGrowth(func() error {
			_, err := e.timed(func(file *os.File) error { return e.export(ctx, format, file) })
			return err
		})
		if err != nil {
			return nil, errors.Join(err, e.stop())
		}
		_, _ = fmt.Fprintf(b.stderr, "figures: 200 MB as %s: the heap grows by %.1f MB\n", format, growth)
		worst = max(worst, growth)
	}
	return []figure{{"client_heap_mb", worst, "MB", 8}}, e.stop()
}

// heapGrowth gives by how many MB the heap grows at most while something runs.
func heapGrowth(what func() error) (float64, error) {
	heap := func() float64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		return float64(sample[0].Value.Uint64()) / (1 << 20)
	}
	runtime.GC()
	before := heap()
	peak := before
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		look := time.NewTicker(time.Millisecond)
		defer look.Stop()
		for {
			peak = max(peak, heap())
			select {
			case <-done:
				return
			case <-look.C:
			}
		}
	})
	err := what()
	close(done)
	watching.Wait()
	return peak - before, err
}

// exporter exports a view of the stand-in, whose files are blown up to a size.
type exporter struct {
	tableauServer
	dir     string
	size    int64
	client  *tableau.Client
	session tableau.Session
	view    tableau.View
	bare    *http.Client
}

func (b bench) exporter(ctx context.Context, size int64) (*exporter, error) {
	certificate := filepath.Join(b.dir, "certificate.pem")
	server, err := b.standIn(ctx, "--https", certificate)
	if err != nil {
		return nil, err
	}
	roots, err := outbound.LoadRoots(certificate)
	if err != nil {
		return nil, errors.Join(err, server.stop())
	}
	server.transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	e := &exporter{tableauServer: server, dir: b.dir, size: size, bare: &http.Client{Transport: server.transport}}
	if err := e.connect(ctx, roots); err != nil {
		return nil, errors.Join(err, server.stop())
	}
	return e, nil
}

func (e *exporter) connect(ctx context.Context, roots *x509.CertPool) error {
	policy := outbound.Policy{PrivateNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, RootCAs: roots}
	var err error
	e.client, err = tableau.NewClient(e.url, tableau.Options{Transport: outbound.NewTransport(policy)})
	if err != nil {
		return err
	}
	if e.session, err = e.client.SignIn(ctx, e.credential(), e.site); err != nil {
		return err
	}
	if e.view, err = e.client.FindView(ctx, e.session, "Superstore/sheets/Overview"); err != nil {
		return err
	}
	fault := map[string]any{"kind": "size", "route": "export", "times": -1, "bytes": e.size}
	return e.control(ctx, http.MethodPost, "/-/faults", fault, nil)
}

// timed gives how long it takes to fill a new file.
func (e *exporter) timed(fill func(*os.File) error) (took time.Duration, err error) {
	file, err := os.CreateTemp(e.dir, "export-*")
	if err != nil {
		return 0, fmt.Errorf("making a file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	begun := time.Now()
	if err := fill(file); err != nil {
		return 0, err
	}
	took = time.Since(begun)
	info, err := file.Stat()
	if err == nil && (info.Size() < e.size*9/10 || info.Size() > e.size*11/10) {
		err = fmt.Errorf("the export has %d bytes instead of about %d", info.Size(), e.size)
	}
	return took, err
}

// export is the way of a run, without the sum that it makes of the file.
func (e *exporter) export(ctx context.Context, format tableau.Format, file *os.File) error {
	_, err := content.Receive(ctx, file, string(format), func(w io.Writer) error {
		_, err := e.client.Export(ctx, e.session, tableau.ExportRequest{ViewID: e.view.ID, Format: format}, w)
		return err
	})
	return err
}

// fetch is the same request with nothing around it.
func (e *exporter) fetch(ctx context.Context, format tableau.Format, file *os.File) error {
	path := map[tableau.Format]string{tableau.CSV: "data", tableau.PDF: "pdf"}[format]
	address := fmt.Sprintf("%s/api/%s/sites/%s/views/%s/%s", e.url, e.session.APIVersion, e.session.SiteID, e.view.ID, path)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-Tableau-Auth", e.session.Token.Reveal())
	resp, err := e.bare.Do(req)
	if err != nil {
		return fmt.Errorf("making a bare request: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("a bare request: %s", resp.Status)
	}
	_, err = io.Copy(file, resp.Body)
	return err
}
