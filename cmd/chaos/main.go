// Chaos tries vizpost's promises at random and at length: the tests that make
// ci runs with few cases, with thousands. It shards them over the cores, writes
// how many failed and with which seeds to build/chaos/outcomes.txt and to the
// terminal, and exits with 1 when one failed or was not tried.
//
// With -part it runs those parts that are named, with -first and -cases other
// cases of them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// part is a test that is tried with many seeds.
type part struct {
	name, says string
	pkg        string // folder of the test's package
	test       string
	cases      int
	each       int // what the test tries in a case, where that is more than one
	slice      int // cases that one process tries
}

func parts() []part {
	const runs = "internal/run"
	return []part{
		{name: "filters", says: "filtered reports", pkg: runs, test: "TestRandomFilters", cases: 40, each: 250, slice: 2},
		{name: "histories", says: "histories on SQLite", pkg: runs, test: "TestHistories", cases: 10_000, each: 1, slice: 100},
		{name: "dynamo", says: "histories on DynamoDB", pkg: runs, test: "TestHistoriesOnDynamoDB", cases: 200, each: 1, slice: 10},
		{name: "weeks", says: "worst weeks", pkg: runs, test: "TestWorstWeek", cases: 50, each: 1, slice: 5},
		{name: "stories", says: "stories of a connection", pkg: runs, test: "TestConnectionStories", cases: 500, each: 1, slice: 50},
		{name: "crashes", says: "runs killed at random writes", pkg: runs, test: "TestKilledAgainAndAgain", cases: 1000, each: 1, slice: 100},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	only := flag.String("part", "", "names of parts, separated by commas; all where none is given")
	first := flag.Int("first", 0, "the first seed")
	cases := flag.Int("cases", 0, "how many cases of each part; 0: as many as it has")
	workers := flag.Int("workers", runtime.NumCPU(), "processes at once")
	flag.Parse()
	*workers = max(*workers, 1)
	chosen, err := choose(*only, *cases)
	if err == nil {
		err = run(ctx, chosen, *first, *workers)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "chaos: %v\n", err)
		os.Exit(1)
	}
}

// choose gives the parts that are named, with a number of cases if one is given.
func choose(names string, cases int) ([]part, error) {
	all := parts()
	if names != "" {
		var chosen []part
		for name := range strings.SplitSeq(names, ",") {
			i := slices.IndexFunc(all, func(p part) bool { return p.name == name })
			if i < 0 {
				var known []string
				for _, p := range all {
					known = append(known, p.name)
				}
				return nil, fmt.Errorf("there is no part %q; the parts are %s", name, strings.Join(known, ", "))
			}
			chosen = append(chosen, all[i])
		}
		all = chosen
	}
	if cases > 0 {
		for i := range all {
			all[i].cases = cases
		}
	}
	return all, nil
}

func run(ctx context.Context, chosen []part, first, workers int) error {
	dir := filepath.Join("build", "chaos")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "Compiling the tests ...")
	binaries := map[string]string{}
	for _, p := range chosen {
		if binaries[p.pkg] != "" {
			continue
		}
		binary := filepath.Join(dir, filepath.Base(p.pkg)+".test")
		build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "./"+p.pkg)
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("compiling %s: %w", p.pkg, err)
		}
		binaries[p.pkg] = binary
	}
	var outcomes []outcome
	for _, p := range chosen {
		outcomes = append(outcomes, p.run(ctx, binaries[p.pkg], dir, first, workers))
	}
	table, good := report(outcomes)
	fmt.Print(table)
	if err := os.WriteFile(filepath.Join(dir, "outcomes.txt"), []byte(table), 0o644); err != nil {
		return err
	}
	if !good {
		return errors.New("not everything held; the logs are in build/chaos")
	}
	return nil
}

// run tries all cases of a part, in slices.
func (p part) run(ctx context.Context, binary, dir string, first, workers int) outcome {
	begun := time.Now()
	o := outcome{part: p}
	step := min(p.slice, (p.cases+workers-1)/workers)
	var mu sync.Mutex
	var group sync.WaitGroup
	next := make(chan int)
	for range workers {
		group.Go(func() {
			for from := range next {
				n := min(step, first+p.cases-from)
				s := p.try(ctx, binary, dir, from, n)
				mu.Lock()
				o.add(s)
				fmt.Fprintf(os.Stderr, "%s: %d of %d tried, %d failed\n", p.says, o.tried*p.each, p.cases*p.each, len(o.failed))
				mu.Unlock()
			}
		})
	}
	for from := first; from < first+p.cases && ctx.Err() == nil; from += step {
		next <- from
	}
	close(next)
	group.Wait()
	slices.Sort(o.failed)
	slices.Sort(o.broken)
	o.took = time.Since(begun)
	return o
}

// try runs a slice in a process of its own. Its log is kept where a case failed.
func (p part) try(ctx context.Context, binary, dir string, from, n int) slice {
	name := fmt.Sprintf("%s-%d.log", p.name, from)
	var out strings.Builder
	log, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return slice{broken: err.Error()}
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, binary, "-test.run", "^"+p.test+"$", "-test.v", "-test.parallel", "1", "-test.timeout", "2h")
	cmd.Dir = p.pkg
	cmd.Env = append(os.Environ(), fmt.Sprint("VIZPOST_FIRST=", from), fmt.Sprint("VIZPOST_CHECKS=", n))
	cmd.Stdout = io.MultiWriter(log, &out)
	cmd.Stderr = cmd.Stdout
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	err = cmd.Run()
	s := read(p.test, out.String())
	switch {
	case ctx.Err() != nil:
		s.broken = "stopped"
	case err != nil && len(s.failed) == 0 || s.tried != n:
		s.broken = fmt.Sprintf("seeds %d to %d: %d of %d were tried: %s", from, from+n-1, s.tried, n, name)
	case err == nil:
		_ = os.Remove(log.Name())
	}
	return s
}
