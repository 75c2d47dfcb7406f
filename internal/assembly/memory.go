package assembly

import "runtime/debug"

// KeepToMemory has the process keep to so many bytes of memory where it can: the
// garbage collector works harder as they are reached, and what is needed beyond
// them is taken all the same. What somebody has set by GOMEMLIMIT stays.
func KeepToMemory(getenv func(string) string, bytes int64) {
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytes)
	}
}
