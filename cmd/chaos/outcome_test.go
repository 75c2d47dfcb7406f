package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		output string
		tried  int
		failed []int
	}{
		"nothing": {"testing: warning: no tests to run\nPASS\n", 0, nil},
		"some": {"=== RUN   TestX\n=== RUN   TestX/7\n    x_test.go:3: --- FAIL: of the story\n--- FAIL: TestX (0.00s)\n" +
			"    --- PASS: TestX/7 (1.00s)\n    --- FAIL: TestX/8 (0.20s)\n    --- FAIL: TestX/12 (0.20s)\nFAIL\n", 3, []int{8, 12}},
		"another test": {"--- PASS: TestXY (0.00s)\n    --- PASS: TestXY/7 (1.00s)\n", 0, nil},
		"a crash":      {"=== RUN   TestX/7\npanic: deadlock\n", 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := read("TestX", test.output); got.tried != test.tried || !slices.Equal(got.failed, test.failed) {
				t.Errorf("got %+v, want %d tried and %v failed", got, test.tried, test.failed)
			}
		})
	}
}

// Nothing is good that failed, or that was not tried.
func TestReport(t *testing.T) {
	t.Parallel()
	p := part{name: "p", says: "things", pkg: "internal/run", test: "TestX", cases: 4, each: 10}
	for name, test := range map[string]struct {
		o    outcome
		good bool
		says string
	}{
		"all":     {outcome{part: p, tried: 4}, true, "p     things  40     40  0       3s"},
		"failed":  {outcome{part: p, tried: 4, failed: []int{2}}, false, "p, seed 2: VIZPOST_FIRST=2 VIZPOST_CHECKS=1 go test ./internal/run -run '^TestX$'"},
		"too few": {outcome{part: p, tried: 3}, false, "30     40"},
		"broken":  {outcome{part: p, tried: 4, broken: []string{"seeds 0 to 3: a crash"}}, false, "p: seeds 0 to 3: a crash"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.o.took = 3 * time.Second
			table, good := report([]outcome{test.o})
			if good != test.good || !strings.Contains(table, test.says) {
				t.Errorf("got good %v and\n%s\nwant %v and %q", good, table, test.good, test.says)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	if _, err := choose("histories,none", 0); err == nil || !strings.Contains(err.Error(), "dynamo") {
		t.Errorf("got error %v, want one that names the parts", err)
	}
	got, err := choose("dynamo,filters", 3)
	if err != nil || len(got) != 2 || got[0].name != "dynamo" || got[1].cases != 3 {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := choose("", 0); err != nil || len(got) != len(parts()) || got[1].cases != 10_000 {
		t.Errorf("got %+v, %v, want all", got, err)
	}
}

// Each part names a test that there is.
func TestParts(t *testing.T) {
	t.Parallel()
	for _, p := range parts() {
		files, err := filepath.Glob(filepath.Join("..", "..", p.pkg, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := slices.ContainsFunc(files, func(file string) bool {
			source, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(source), "func "+p.test+"(t *testing.T)")
		})
		if !found {
			t.Errorf("%s: there is no test %s in %s", p.name, p.test, p.pkg)
		}
	}
}
