// Figures measures what vizpost holds itself to and prints one line for each:
//
//	figure: NAME VALUE UNIT limit LIMIT ok
//
// or "over" in place of "ok". It exits with 1 when a figure is over its limit
// or could not be measured. With -only it measures those that are named, and
// what is measured together with them.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/standalone"
	"github.com/vizpost/vizpost/internal/tableau"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	vizpost := flag.String("vizpost", "build/vizpost", "the vizpost command, which runs the stand-in")
	only := flag.String("only", "", "names of figures, separated by commas; all where none is given")
	flag.Parse()
	wanted, err := chosen(*only)
	if err != nil {
		_, _ = fmt.Fprintf(os.Stderr, "figures: %v\n", err)
		os.Exit(2)
	}
	os.Exit(measure(ctx, wanted, *vizpost, os.Stdout, os.Stderr))
}

// measurement gives one or more figures.
type measurement struct {
	figures []string
	measure func(context.Context, bench) ([]figure, error)
}

func measurements() []measurement {
	return []measurement{
		{[]string{"export_memory_mb"}, memory},
		{[]string{"client_overhead"}, clientOverhead},
		{[]string{"client_heap_mb"}, clientHeap},
		{[]string{"pipeline_ratio", "tableau_calls_per_report"}, pipeline},
		{[]string{"tableau_calls_per_filtered_png", "tableau_calls_per_filtered_csv"}, filtered},
		{[]string{"tick_ratio", "tick_rows_over_due"}, tick},
		{[]string{"zip_mb_export", "zip_mb_others", "start_ms_over_empty"}, functions},
		{[]string{"dynamo_tick_items_over_due"}, dynamoTick},
	}
}

// chosen gives the measurements of the figures that are named.
func chosen(names string) ([]measurement, error) {
	if names == "" {
		return measurements(), nil
	}
	var all []string
	var out []measurement
	for _, m := range measurements() {
		all = append(all, m.figures...)
		if slices.ContainsFunc(strings.Split(names, ","), func(name string) bool { return slices.Contains(m.figures, name) }) {
			out = append(out, m)
		}
	}
	for name := range strings.SplitSeq(names, ",") {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("there is no figure %q; there are %s", name, strings.Join(all, ", "))
		}
	}
	return out, nil
}

// figure is one measured value.
type figure struct {
	name  string
	value float64
	unit  string
	limit float64
}

func measure(ctx context.Context, wanted []measurement, vizpost string, stdout, stderr io.Writer) int {
	status := 0
	for _, m := range wanted {
		dir, err := os.MkdirTemp("", "vizpost-figures-")
		if err != nil {
			_, _ = fmt.Fprintf(stderr, "figures: %v\n", err)
			return 1
		}
		figures, err := m.measure(ctx, bench{vizpost: vizpost, dir: dir, stderr: stderr})
		err = errors.Join(err, os.RemoveAll(dir))
		for _, f := range figures {
			verdict := "ok"
			if f.value > f.limit {
				verdict, status = "over", 1
			}
			_, _ = fmt.Fprintf(stdout, "figure: %s %.3f %s limit %g %s\n", f.name, f.value, f.unit, f.limit, verdict)
		}
		if err != nil {
			_, _ = fmt.Fprintf(stderr, "figures: %v\n", err)
			status = 1
		}
	}
	return status
}

// bench is where a measurement runs.
type bench struct {
	vizpost string
	dir     string // empty
	stderr  io.Writer
}

// tableauServer is the stand-in in a process of its own, so that what it costs
// is not counted as vizpost's.
type tableauServer struct {
	url, site, tokenName, tokenSecret string

	transport http.RoundTripper // to call it with; nil means the usual one
	stop      func() error
}

// standIn starts the stand-in and waits until it answers.
func (b bench) standIn(ctx context.Context, flags ...string) (tableauServer, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, b.vizpost, append([]string{"tableau", "--addr", "127.0.0.1:0"}, flags...)...)
	cmd.Stderr = b.stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return tableauServer{}, fmt.Errorf("starting the stand-in: %w", err)
	}
	s := tableauServer{stop: func() error {
		cancel()
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			return fmt.Errorf("stopping the stand-in: %w", err)
		}
		return nil
	}}
	facts := map[string]*string{"url": &s.url, "site": &s.site, "token name": &s.tokenName, "token secret": &s.tokenSecret}
	lines := bufio.NewScanner(out)
	for lines.Scan() && (s.url == "" || s.site == "" || s.tokenName == "" || s.tokenSecret == "") {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		if fact, ok := facts[name]; ok {
			*fact = value
		}
	}
	if s.tokenSecret == "" {
		return s, errors.Join(errors.New("the stand-in did not say how to sign in"), s.stop())
	}
	return s, nil
}

func (s tableauServer) credential() tableau.Credential {
	return tableau.Credential{Method: tableau.PersonalAccessToken, TokenName: s.tokenName, Secret: secret.New(s.tokenSecret)}
}

// control calls one of the stand-in's control addresses.
func (s tableauServer) control(ctx context.Context, method, path string, body, answer any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(string(encoded)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: 10 * time.Second, Transport: s.transport}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("asking the stand-in: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the stand-in answered %s to %s %s", resp.Status, method, path)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}

// open opens an installation of its own in the measurement's folder.
func (b bench) open(ctx context.Context, now func() time.Time) (*standalone.Vizpost, error) {
	return standalone.Open(ctx, standalone.Config{
		DataDir: b.dir, PrivateNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Now: now, Random: rand.Reader,
		Log: slog.New(slog.NewTextHandler(b.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
}
