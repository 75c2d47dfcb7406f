package main

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// slice is what became of the cases that one process tried.
type slice struct {
	tried  int
	failed []int  // seeds
	broken string // why not all were tried
}

// read finds what became of each case in what a test printed: each is a subtest
// that is named by its seed.
func read(test, output string) slice {
	var s slice
	for line := range strings.SplitSeq(output, "\n") {
		result, rest, ok := strings.Cut(strings.TrimSpace(line), ": "+test+"/")
		if !ok || result != "--- PASS" && result != "--- FAIL" {
			continue
		}
		name, _, _ := strings.Cut(rest, " ")
		seed, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		s.tried++
		if result == "--- FAIL" {
			s.failed = append(s.failed, seed)
		}
	}
	return s
}

// outcome is what became of a part.
type outcome struct {
	part   part
	tried  int
	failed []int
	broken []string
	took   time.Duration
}

func (o *outcome) add(s slice) {
	o.tried += s.tried
	o.failed = append(o.failed, s.failed...)
	if s.broken != "" {
		o.broken = append(o.broken, s.broken)
	}
}

func (o outcome) good() bool {
	return len(o.failed) == 0 && len(o.broken) == 0 && o.tried == o.part.cases
}

// report gives the table of outcomes, with how each failure is repeated.
func report(outcomes []outcome) (table string, good bool) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "part\twhat\ttried\tof\tfailed\ttook")
	good = true
	for _, o := range outcomes {
		good = good && o.good()
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\n", o.part.name, o.part.says, o.tried*o.part.each, o.part.cases*o.part.each, len(o.failed), o.took.Round(time.Second))
	}
	_ = w.Flush()
	for _, o := range outcomes {
		for _, seed := range o.failed {
			fmt.Fprintf(&b, "\n%s, seed %d: VIZPOST_FIRST=%d VIZPOST_CHECKS=1 go test ./%s -run '^%s$'", o.part.name, seed, seed, o.part.pkg, o.part.test)
		}
		for _, why := range o.broken {
			fmt.Fprintf(&b, "\n%s: %s", o.part.name, why)
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n", good
}
