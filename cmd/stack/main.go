// Stack deploys vizpost's template to an AWS account that an emulator pretends
// to be on this machine, so that the whole of it runs without one: the API
// behind its authorizer, the schedules, the queue, and the functions with what
// their roles allow.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

const usage = `stack runs vizpost's template in an emulated AWS account on this machine.

Usage:

  stack up     builds and deploys it, and prints its address and a token
  stack down   ends it; nothing of it is kept

"stack up --help" shows the flags.
`

const stackName = "vizpost"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := execute(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "stack: %v\n", err)
		os.Exit(1)
	}
}

func execute(ctx context.Context, args []string) error {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	if command != "up" && command != "down" {
		return fmt.Errorf("there is no command %q\n\n%s", command, usage)
	}
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	f := flag.NewFlagSet("stack "+command, flag.ExitOnError)
	dir := f.String("dir", filepath.Join(root, "build", "stack"), "folder of the emulator's log and of what is built")
	s := stack{root: root, parameters: parameters{"Architecture": architecture(), "PrivateNetworks": "127.0.0.0/8",
		"SesIdentity": "example.com", "SenderAddress": "reports@example.com", "AdminEmail": "admin@example.com"}}
	if command == "up" {
		f.IntVar(&s.port, "port", 4566, "port of the emulator; 0 means a free one")
		f.Var(s.parameters, "parameter", "parameter of the template, as `Name=value`; may be given more than once")
		f.BoolVar(&s.attached, "attached", false, "stay until standard input ends, and then end the stack")
	}
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	if s.emulator.dir, err = filepath.Abs(*dir); err != nil {
		return err
	}
	if command == "down" {
		return s.down()
	}
	return s.up(ctx)
}

type stack struct {
	root       string
	emulator   emulator
	port       int
	parameters parameters
	attached   bool
}

// up builds, deploys and signs in, and prints what one needs to use the stack.
// When it fails, nothing is left running.
func (s stack) up(ctx context.Context) (err error) {
	python, err := tool(s.root, ".venv-stack", "python")
	if err != nil {
		return err
	}
	if _, running := s.emulator.running(); running {
		return errors.New("it is up already; make stack-down ends it")
	}
	artifacts := filepath.Join(s.emulator.dir, "artifacts")
	build := exec.CommandContext(ctx, "make", "--no-print-directory", "build", "BUILD_DIR="+artifacts, "ARCHITECTURE="+s.parameters["Architecture"])
	if err := s.run("building the functions", build, nil); err != nil {
		return err
	}
	endpoint, err := s.emulator.start(ctx, python, s.port)
	if err != nil {
		return fmt.Errorf("starting the emulator: %w", err)
	}
	defer func() {
		if err != nil || s.attached {
			err = errors.Join(err, s.down())
		}
	}()
	a := account{endpoint}
	if err := a.verify(ctx, s.parameters["SesIdentity"]); err != nil {
		return fmt.Errorf("verifying the sender: %w", err)
	}
	if err := s.deploy(ctx, endpoint, filepath.Join(artifacts, "template.yaml")); err != nil {
		return err
	}
	resources, err := a.resources(ctx, stackName)
	if err != nil {
		return err
	}

	password := rand.Text() + "-aA1"
	token, err := a.signIn(ctx, resources["Users"], resources["SignInClient"], s.parameters["AdminEmail"], password)
	if err != nil {
		return err
	}
	facts := facts{
		API:      fmt.Sprintf("http://%s.execute-api.localhost:%s", resources["Api"], endpoint[strings.LastIndex(endpoint, ":")+1:]),
		User:     s.parameters["AdminEmail"],
		Password: password, Token: token, Emulator: endpoint, Log: s.emulator.log(), Resources: resources,
	}
	b, err := json.MarshalIndent(facts, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.factsFile(), b, 0o600); err != nil {
		return err
	}
	// The sign-in page's address is one of AWS's: here the address brings the
	// token.
	fmt.Printf("api: %s\npage: %s/#token=%s\nuser: %s\npassword: %s\nlog: %s\naws: %s\ntoken: %s\n", facts.API, facts.API, facts.Token,
		facts.User, facts.Password, facts.Log, strings.Join(clients(endpoint), " "), facts.Token)
	if s.attached {
		return untilEnd(ctx, os.Stdin)
	}
	return nil
}

// down ends the stack.
func (s stack) down() error { return errors.Join(s.emulator.stop(), os.RemoveAll(s.factsFile())) }

func (s stack) factsFile() string { return filepath.Join(s.emulator.dir, "stack.json") }

// facts are what is kept of a stack that is up, for those that use it by
// program, in stack.json.
type facts struct {
	API       string            `json:"api"`
	User      string            `json:"user"`
	Password  string            `json:"password"`
	Token     string            `json:"token"`
	Emulator  string            `json:"emulator"`
	Log       string            `json:"log"`
	Resources map[string]string `json:"resources"` // by their names in the template, their names in the account
}

// deploy does what make deploy does, with the emulator in AWS's place.
func (s stack) deploy(ctx context.Context, endpoint, template string) error {
	sam, err := tool(s.root, ".venv-sam", "sam")
	if err != nil {
		return err
	}
	args := []string{"deploy", "--template-file", template, "--stack-name", stackName, "--region", region, "--resolve-s3",
		"--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar", "--parameter-overrides"}
	for _, name := range slices.Sorted(maps.Keys(s.parameters)) {
		args = append(args, name+"="+s.parameters[name])
	}
	return s.run("deploying the template", exec.CommandContext(ctx, sam, args...), append(clients(endpoint), "SAM_CLI_TELEMETRY=0"))
}

// run runs a command in the module's folder. What it prints is shown when it
// fails.
func (s stack) run(what string, cmd *exec.Cmd, env []string) error {
	fmt.Fprintf(os.Stderr, "stack: %s\n", what)
	cmd.Dir, cmd.Env = s.root, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", what, err, out)
	}
	return nil
}

// untilEnd waits until a reader ends, or the context.
func untilEnd(ctx context.Context, r io.Reader) error {
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, r)
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
}

// parameters are those of the template, and a flag that sets one.
type parameters map[string]string

func (p parameters) String() string { return "" }

func (p parameters) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return errors.New("it must be Name=value")
	}
	p[name] = value
	return nil
}

// architecture is this machine's, in Lambda's words: the emulator runs the
// functions as they are.
func architecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}

// moduleRoot is the nearest folder above with a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("there is no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}
