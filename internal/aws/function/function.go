// Package function is what all Lambda functions of vizpost have in common: they
// read their settings once, are put together once, and then answer events.
package function

import (
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// Main runs a function, and is all that a main does. build puts it together
// from its settings and gives what answers an event: a function of a context
// and an event that JSON is decoded into. When it cannot be put together, the
// process ends with status 1 and a log entry that says why.
func Main[H any](build func(*Settings, *slog.Logger) (H, error)) {
	log := lambdacontext.NewLogger()
	KeepToMemory(os.Getenv)
	handler, err := Build(build, os.Getenv, log)
	if err != nil {
		log.Error("the function cannot start", "error", err)
		os.Exit(1)
	}
	lambda.Start(handler)
}

// KeepToMemory has the process keep to nine tenths of the function's memory where
// it can: Lambda ends one that takes more than all of it. The rest is for what the
// garbage collector does not see. What somebody has set by GOMEMLIMIT stays.
func KeepToMemory(getenv func(string) string) {
	mb, err := strconv.ParseInt(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), 10, 32)
	if err == nil && mb > 0 && getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(mb << 20 / 10 * 9)
	}
}

// Build puts a function together. It refuses settings that are wrong.
func Build[H any](build func(*Settings, *slog.Logger) (H, error), getenv func(string) string, log *slog.Logger) (H, error) {
	s := NewSettings(getenv)
	handler, err := build(s, log)
	if wrong := s.Err(); wrong != nil {
		return handler, fmt.Errorf("settings in the environment:\n%w", wrong)
	}
	return handler, err
}
