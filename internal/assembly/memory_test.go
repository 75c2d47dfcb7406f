package assembly_test

import (
	"runtime/debug"
	"testing"

	"github.com/vizpost/vizpost/internal/assembly"
)

// The limit is one of the whole process, so this test runs alone.
func TestKeepToMemory(t *testing.T) {
	was := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(was) })
	for name, tt := range map[string]struct {
		environment string
		want        int64
	}{
		"nothing set":    {"", 512 << 20},
		"GOMEMLIMIT set": {"2GiB", was},
	} {
		t.Run(name, func(t *testing.T) {
			debug.SetMemoryLimit(was)
			assembly.KeepToMemory(func(setting string) string {
				if setting != "GOMEMLIMIT" {
					t.Errorf("it asks for %s", setting)
				}
				return tt.environment
			}, 512<<20)
			if got := debug.SetMemoryLimit(-1); got != tt.want {
				t.Errorf("the limit is %d, want %d", got, tt.want)
			}
		})
	}
}
