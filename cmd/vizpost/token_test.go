package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// serving runs "vizpost serve" until it has said where the API is, and returns
// what it printed until then.
func serving(t *testing.T, env map[string]string, stdout io.Writer, printed io.Reader) string {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	status := make(chan int, 1)
	stderr := &strings.Builder{}
	go func() {
		status <- execute(ctx, []string{"serve", "--addr", "127.0.0.1:0", "--data", data}, func(name string) string { return env[name] }, stdout, stderr)
	}()
	out := ""
	for lines := bufio.NewScanner(printed); lines.Scan(); {
		out += lines.Text() + "\n"
		if strings.HasPrefix(lines.Text(), "api:") {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, printed) }()
	cancel()
	if got := <-status; got != 0 {
		t.Fatalf("exit status %d: %s", got, stderr)
	}
	if kept, err := os.ReadFile(filepath.Join(data, "token")); err == nil {
		out = strings.ReplaceAll(out, strings.TrimSpace(string(kept)), "TOKEN")
	}
	return strings.ReplaceAll(out, data, "DATA")
}

// What is printed to a pipe or a file is kept, in the journal of a service say:
// there it names the place of the token and not the token.
func TestTokenIsPrintedOnATerminalAlone(t *testing.T) {
	t.Parallel()
	const chosen = "chosen-token-of-the-operator"
	for name, env := range map[string]map[string]string{"made": nil, "chosen": {"VIZPOST_TOKEN": chosen}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			where, token := "in the file "+filepath.Join("DATA", "token"), "TOKEN"
			if env != nil {
				where, token = "in VIZPOST_TOKEN", chosen
			}
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			got := serving(t, env, write, read)
			if strings.Contains(got, token) || !strings.Contains(got, "\ntoken:   "+where) {
				t.Errorf("to a pipe it printed:\n%s\nwant no token, and that it is %s", got, where)
			}
			screen, terminal := openTerminal(t)
			got = serving(t, env, terminal, screen)
			if !strings.Contains(got, "/#token="+token) {
				t.Errorf("to a terminal it printed:\n%s\nwant /#token=%s", got, token)
			}
		})
	}
}

// openTerminal returns the two ends of a pseudo terminal.
func openTerminal(t *testing.T) (screen, terminal *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("this machine has no pseudo terminals: ", err)
	}
	var number, unlock uint32
	for request, argument := range map[uintptr]*uint32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		if _, _, failed := syscall.Syscall(syscall.SYS_IOCTL, screen.Fd(), request, uintptr(unsafe.Pointer(argument))); failed != 0 {
			t.Fatal(failed)
		}
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = terminal.Close(), screen.Close() })
	return screen, terminal
}

func TestTokensThatAreTaken(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]string{
		"choose-a-long-random-token":                       "",
		"83291047561029384756":                             "",
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c": "",
		"operator-token-of-the-tests":                      "",
		"too-short":                                        "at least 20 characters",
		"with a space in it, alas":                         "no spaces",
		"aaaaaaaaaaaaaaaaaaaaaaaa":                         "easy to guess",
		"abababababababababababab":                         "easy to guess",
		"secret!secret!secret!secret!":                     "easy to guess",
		"123456712345671234567123":                         "easy to guess",
		"11111111111111111111111112345":                    "easy to guess",
	} {
		got, err := operatorToken(token, filepath.Join(t.TempDir(), "none"))
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), token)) {
			t.Errorf("%s: error %v, want %q in it", token, err, want)
		}
		if err == nil && got.Reveal() != token {
			t.Errorf("%s was read as %s", token, got.Reveal())
		}
	}
}

// A file that others can read is named in the log; nothing else changes, since
// files of container secrets are like that.
func TestTokenFileOfOthersIsWarnedOf(t *testing.T) {
	t.Parallel()
	for mode, want := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o644: true, 0o640: true} {
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte("chosen-token-of-the-operator\n"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		log := &strings.Builder{}
		c := command{getenv: func(string) string { return "" }, log: slog.New(slog.NewTextHandler(log, nil))}
		c.warnOpenToken(file)
		if got := strings.Contains(log.String(), "chmod 600"); got != want {
			t.Errorf("mode %04o: warned %t, want %t: %s", mode, got, want, log)
		}
		if token, err := operatorToken("", file); err != nil || token.Reveal() != "chosen-token-of-the-operator" {
			t.Errorf("mode %04o: got error %v", mode, err)
		}
	}
}
