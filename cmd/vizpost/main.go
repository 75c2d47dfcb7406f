// Vizpost sends Tableau views into inboxes and Slack, on one machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// How the command speaks
//
// What a person or a script may want goes to standard output, one fact a line;
// everything else, the log included, goes to standard error. An error says what
// happened and what to do, in one sentence, begins with "vizpost:" and ends the
// command with status 1. Wrong arguments end it with status 2.

const usage = `vizpost sends Tableau views into inboxes and Slack, on schedule.

Usage:

  vizpost demo     the whole thing on this machine, with a stand-in for Tableau
  vizpost serve    the real thing on this machine
  vizpost tableau  the stand-in for Tableau alone
  vizpost backup   a copy of an installation, also while it runs
  vizpost restore  a data folder from a backup; it starts paused
  vizpost resume   ends the pause of a restored installation
  vizpost recover  the credential of a connection that was deleted

"vizpost COMMAND --help" shows a command's flags and settings.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(execute(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// execute runs one command and gives its exit status.
func execute(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	commands := map[string]func(context.Context, command) error{"demo": demo, "serve": serve, "tableau": standIn, "recover": recoverDeleted,
		"backup": backup, "restore": restore, "resume": resume}
	name := ""
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	if _, ok := commands[strings.Join(args, " ")]; name == "help" && ok {
		name, args = args[0], []string{"--help"}
	}
	run, ok := commands[name]
	switch {
	case ok:
	case name == "" || name == "help" || name == "-h" || name == "--help":
		_, _ = io.WriteString(stdout, usage)
		return 0
	default:
		_, _ = fmt.Fprintf(stderr, "vizpost: there is no command %q\n\n%s", name, usage)
		return 2
	}
	level, err := logLevel(getenv)
	if err == nil {
		err = run(ctx, command{
			args: args, getenv: getenv, stdout: stdout, stderr: stderr,
			log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})),
		})
	}
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	for line := range strings.Lines(err.Error()) { // of several errors, each has one
		_, _ = fmt.Fprintf(stderr, "vizpost: %s\n", strings.TrimSpace(line))
	}
	if errors.As(err, new(usageError)) {
		return 2
	}
	return 1
}

// command is what a command is given.
type command struct {
	args           []string
	getenv         func(string) string
	stdout, stderr io.Writer
	log            *slog.Logger
}

// usageError says that the command was called wrongly.
type usageError struct{ error }

// flags makes a flag set whose help begins with text.
func (c command) flags(name, text string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard) // of what is wrong, parse gives the error
	f.Usage = func() { _, _ = fmt.Fprintf(f.Output(), "%s\n\nFlags:\n\n", strings.TrimSpace(text)); f.PrintDefaults() }
	return f
}

// parse reads the arguments, which are all flags.
func (c command) parse(f *flag.FlagSet) error {
	err := f.Parse(c.args)
	if errors.Is(err, flag.ErrHelp) {
		f.SetOutput(c.stdout)
		f.Usage()
		return err
	}
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if err != nil {
		return usageError{fmt.Errorf("%s: %w (see --help)", f.Name(), err)}
	}
	return nil
}

func (c command) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(c.stdout, format, args...)
}
