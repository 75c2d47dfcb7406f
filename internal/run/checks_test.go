package run_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

// TestMain has the tests keep their databases in memory where there is room for
// them: no test of this package cuts the power, and most of their time would go
// by waiting for the disk.
func TestMain(m *testing.M) {
	os.Exit(inMemory("/dev/shm", m.Run))
}

func inMemory(dir string, run func() int) int {
	const enough = 256 << 20
	if !hasRoom(dir, enough) {
		return run()
	}
	dir, err := os.MkdirTemp(dir, "vizpost-test-")
	if err != nil {
		return run()
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv("TMPDIR", dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return run()
}

// forSeeds runs a test once for each of n random cases, which differ by a seed
// that names the subtest. The variables VIZPOST_CHECKS and VIZPOST_FIRST set
// another number and the first seed.
func forSeeds(t *testing.T, n int, test func(t *testing.T, seed uint64)) {
	t.Helper()
	number := func(name string, or uint64) uint64 {
		value := os.Getenv(name)
		if value == "" {
			return or
		}
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			t.Fatalf("%s is %q, want a number", name, value)
		}
		return n
	}
	first := number("VIZPOST_FIRST", 0)
	for i := range number("VIZPOST_CHECKS", uint64(n)) {
		seed := first + i
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			test(t, seed)
		})
	}
}

// fewer is how many random cases are tried: fewer with the race detector, which
// makes each take ten times as long. It looks at how goroutines meet, and that
// shows in few.
func fewer(usually, raced int) int {
	if raceDetector {
		return raced
	}
	return usually
}
