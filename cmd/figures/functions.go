package main

import (
	"archive/zip"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/aws/runtimetest"
)

const (
	exportFunction = "export"
	deployedFor    = "arm64" // the template's default Architecture
	startRounds    = 20
)

// functions measures the Lambda functions: the size of what is deployed for the
// template's default architecture, and how much longer a function takes from the start of its process to its first
// answer than one that does nothing. That answer needs no AWS: a refusal, or a
// page.
func functions(ctx context.Context, b bench) ([]figure, error) {
	folders, err := filepath.Glob("functions/*/main.go")
	if err != nil || len(folders) == 0 {
		return nil, errors.Join(errors.New("there are no functions below the working directory"), err)
	}
	var export, others float64
	binaries := map[string]string{}
	for _, main := range folders {
		name := filepath.Base(filepath.Dir(main))
		if binaries[name], err = b.build(ctx, "./functions/"+name, name, runtime.GOARCH); err != nil {
			return nil, err
		}
		deployed, err := b.build(ctx, "./functions/"+name, name+"-deployed", deployedFor)
		if err != nil {
			return nil, err
		}
		size, err := zipped(deployed)
		if err != nil {
			return nil, err
		}
		if name == exportFunction {
			export = size
		} else {
			others = max(others, size)
		}
	}
	empty, err := b.build(ctx, "./cmd/figures/testdata/empty", "empty", runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	slowest := 0.0
	for name, event := range map[string]string{"api": "events/api-list-runs.json", "public": "events/public-page.json"} {
		over, err := startOver(ctx, binaries[name], empty, event)
		if err != nil {
			return nil, fmt.Errorf("starting %s: %w", name, err)
		}
		slowest = max(slowest, over)
	}
	return []figure{
		{"zip_mb_export", export, "MB", 10},
		{"zip_mb_others", others, "MB", 6},
		{"start_ms_over_empty", slowest, "ms", 15},
	}, nil
}

// build builds a function as the template has it built.
func (b bench) build(ctx context.Context, folder, name, architecture string) (string, error) {
	binary := filepath.Join(b.dir, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=", "-o", binary, folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS=linux", "GOARCH="+architecture)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", folder, err, out)
	}
	return binary, nil
}

// zipped is the size in MB of a binary as it is deployed.
func zipped(binary string) (float64, error) {
	f, err := os.Open(binary)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	var size countingWriter
	archive := zip.NewWriter(&size)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	w, err := archive.Create("bootstrap")
	if err == nil {
		_, err = io.Copy(w, f)
	}
	if err = errors.Join(err, archive.Close()); err != nil {
		return 0, fmt.Errorf("packing %s: %w", binary, err)
	}
	return float64(size) / (1 << 20), nil
}

type countingWriter int64

func (c *countingWriter) Write(p []byte) (int, error) {
	*c += countingWriter(len(p))
	return len(p), nil
}

// startOver is the difference, in milliseconds, of the medians of starts taken
// in turn.
func startOver(ctx context.Context, binary, empty, eventFile string) (float64, error) {
	event, err := os.ReadFile(eventFile)
	if err != nil {
		return 0, err
	}
	// Without its claims the request is refused before anything else happens.
	event = []byte(strings.Replace(string(event), `"authorizer"`, `"none"`, 1))
	var ours, theirs []time.Duration
	for range startRounds {
		for _, side := range []struct {
			binary string
			event  []byte
			times  *[]time.Duration
		}{{binary, event, &ours}, {empty, []byte("{}"), &theirs}} {
			took, err := firstAnswer(ctx, side.binary, side.event)
			if err != nil {
				return 0, err
			}
			*side.times = append(*side.times, took)
		}
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	return float64((ours[startRounds/2] - theirs[startRounds/2]).Microseconds()) / 1000, nil
}

// firstAnswer is the time from the start of a function's process to its first
// answer.
func firstAnswer(ctx context.Context, binary string, event []byte) (time.Duration, error) {
	begun := time.Now()
	f, err := runtimetest.Start(ctx, runtimetest.Options{Binary: binary, Env: map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "none", "AWS_SESSION_TOKEN": "none",
		"VIZPOST_APP_TABLE": "app", "VIZPOST_RUNS_TABLE": "runs", "VIZPOST_FILES_BUCKET": "files", "VIZPOST_SECRETS_PREFIX": "vizpost",
		"VIZPOST_BELL_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/1/bells", "VIZPOST_MAIL_FROM": "reports@example.com",
		"VIZPOST_CONFIGURATION_SET": "vizpost", "VIZPOST_PUBLIC_URL": "https://vizpost.example.com",
		"VIZPOST_SIGN_IN_DOMAIN": "https://vizpost.auth.eu-central-1.amazoncognito.com", "VIZPOST_SIGN_IN_CLIENT": "client",
		"VIZPOST_SIGN_IN_ISSUER": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Example", "VIZPOST_SIGN_IN_PROVIDERS": "cognito",
	}})
	if err != nil {
		return 0, err
	}
	_, err = f.Invoke(ctx, event)
	took := time.Since(begun)
	return took, errors.Join(err, f.Close())
}
