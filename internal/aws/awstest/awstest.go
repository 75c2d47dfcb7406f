// Package awstest gives tests an AWS of their own: moto, an emulator that keeps
// everything in memory. It knows no permissions, no quotas and no delays, so it
// shows that requests are right and not that they are allowed; each package
// that is tested with it says where else it differs from AWS.
package awstest

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

//go:embed emulator.py
var emulator string

// Region is where the emulator pretends to be.
const Region = "eu-central-1"

// Start gives the configuration of clients that talk to the emulator. There is
// one for each test binary: tests that run side by side choose names of their
// own for what they make. It ends with the process, however that ends.
func Start(t testing.TB) aws.Config {
	t.Helper()
	cfg, err := Serve()
	if err != nil {
		t.Fatalf("starting the AWS emulator: %v", err)
	}
	return cfg
}

// Serve is Start for what is no test.
func Serve() (aws.Config, error) {
	server, err := start()
	if err != nil {
		return aws.Config{}, err
	}
	return aws.Config{
		Region:       Region,
		Credentials:  credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "not-a-secret", ""),
		BaseEndpoint: aws.String(server.endpoint),
	}, nil
}

// server is the running emulator.
type server struct {
	endpoint string
	life     io.Closer // its standard input: the emulator ends when it is closed, or collected as garbage
}

var start = sync.OnceValues(func() (*server, error) {
	python, err := interpreter()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(python, "-c", emulator)
	cmd.Stderr = os.Stderr
	life, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	port, badPort := strconv.Atoi(strings.TrimSpace(line))
	if err := errors.Join(err, badPort); err != nil {
		_ = cmd.Process.Kill()
		return nil, fmt.Errorf("it did not come up: %w", errors.Join(err, cmd.Wait()))
	}
	return &server{endpoint: fmt.Sprintf("http://127.0.0.1:%d", port), life: life}, nil
})

// interpreter finds the Python of the module's virtual environment, in which
// the emulator is installed.
func interpreter() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("there is no go.mod above the working directory")
		}
	}
	python := filepath.Join(dir, ".venv", "bin", "python")
	if _, err := os.Stat(python); errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("the emulator is not installed: run `make test`, which installs it into .venv")
	} else if err != nil {
		return "", err
	}
	return python, nil
}
