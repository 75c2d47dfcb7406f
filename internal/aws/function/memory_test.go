package function_test

import (
	"runtime/debug"
	"testing"

	"github.com/vizpost/vizpost/internal/aws/function"
)

// The limit is one of the whole process, so this test runs alone.
func TestKeepToMemory(t *testing.T) {
	was := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(was) })
	for name, tt := range map[string]struct {
		environment map[string]string
		want        int64
	}{
		"Lambda's":           {map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1000"}, 943718400},
		"somebody's":         {map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1000", "GOMEMLIMIT": "2GiB"}, was},
		"none":               {nil, was},
		"what is no number":  {map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "much"}, was},
		"what cannot be one": {map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "-5"}, was},
	} {
		t.Run(name, func(t *testing.T) {
			debug.SetMemoryLimit(was)
			function.KeepToMemory(func(setting string) string { return tt.environment[setting] })
			if got := debug.SetMemoryLimit(-1); got != tt.want {
				t.Errorf("the limit is %d, want %d", got, tt.want)
			}
		})
	}
}
