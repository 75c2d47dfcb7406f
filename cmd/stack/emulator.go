package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed emulator.py
var program string

const (
	starting = time.Minute
	ending   = 10 * time.Second
)

// emulator is MiniStack in a process group of its own, in which it starts the
// functions' processes. All that it stores is in its memory; the folder has its
// program, its log and the functions' code.
type emulator struct {
	dir string
}

func (e emulator) program() string { return filepath.Join(e.dir, "emulator.py") }
func (e emulator) log() string     { return filepath.Join(e.dir, "emulator.log") }
func (e emulator) pidFile() string { return filepath.Join(e.dir, "emulator.pid") }

// start starts the emulator and gives its address once it answers. Port 0 means
// a free one.
func (e emulator) start(ctx context.Context, python string, port int) (string, error) {
	temp := filepath.Join(e.dir, "tmp")
	if err := os.RemoveAll(temp); err != nil {
		return "", err
	}
	if err := os.MkdirAll(temp, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(e.program(), []byte(program), 0o644); err != nil {
		return "", err
	}
	address, err := free(port)
	if err != nil {
		return "", err
	}
	log, err := os.Create(e.log())
	if err != nil {
		return "", err
	}
	defer func() { _ = log.Close() }()
	life, err := os.Create(e.pidFile())
	if err != nil {
		return "", err
	}
	defer func() { _ = life.Close() }()
	if err := syscall.Flock(int(life.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return "", err
	}

	cmd := exec.Command(python, e.program())
	cmd.Dir, cmd.Stdout, cmd.Stderr = e.dir, log, log
	cmd.ExtraFiles = []*os.File{life}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// The functions inherit this environment: nothing of the caller's is in it.
	cmd.Env = append(clients("http://"+address),
		"PATH="+os.Getenv("PATH"), "HOME="+e.dir, "TMPDIR="+temp,
		"BIND_HOST=127.0.0.1", "GATEWAY_PORT="+address[strings.LastIndex(address, ":")+1:],
		"MINISTACK_REGION="+region, "IOT_MTLS_ENABLED=0",
		"AUTH=true",                           // functions may do what their roles allow, and no more
		"CLOUDTRAIL_RECORDING=1",              // all calls are kept, for tests to read
		"MINISTACK_COGNITO_PRETOKEN_STRICT=1", // who is not admitted gets no token
	)
	if err := cmd.Start(); err != nil {
		return "", err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if _, err := life.WriteString(strconv.Itoa(cmd.Process.Pid)); err != nil {
		return "", errors.Join(err, cmd.Process.Kill())
	}

	ctx, cancel := context.WithTimeout(ctx, starting)
	defer cancel()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		if err := answers(ctx, "http://"+address+"/_ministack/health"); err == nil {
			return "http://" + address, nil
		}
		select {
		case err := <-ended:
			return "", fmt.Errorf("it ended at once (%v); see %s", err, e.log())
		case <-ctx.Done():
			return "", fmt.Errorf("it does not answer: %w; see %s", errors.Join(ctx.Err(), e.stop()), e.log())
		case <-look.C:
		}
	}
}

// stop ends the emulator with all of its functions, and does nothing when it is
// not there.
func (e emulator) stop() error {
	pid, running := e.running()
	if !running {
		return nil
	}
	if err := syscall.Kill(-pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("ending process group %d: %w", pid, err)
	}
	for deadline := time.Now().Add(ending); running && time.Now().Before(deadline); _, running = e.running() {
		time.Sleep(50 * time.Millisecond)
	}
	// What is left of the group is a function in the middle of its work.
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("ending process group %d: %w", pid, err)
	}
	return nil
}

// running gives the emulator's process, which alone holds a lock on the file
// with its number for as long as it lives.
func (e emulator) running() (pid int, ok bool) {
	f, err := os.Open(e.pidFile())
	if err != nil {
		return 0, false
	}
	defer func() { _ = f.Close() }()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		return 0, false
	}
	_, err = fmt.Fscan(f, &pid)
	return pid, err == nil && pid > 0
}

// free gives an address of this machine on which nothing listens.
func free(port int) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return "", fmt.Errorf("%w; choose another port with --port", err)
	}
	return l.Addr().String(), l.Close()
}

func answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := direct.Do(req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return errors.Join(err, resp.Body.Close())
}

// tool finds a program of one of the module's virtual environments.
func tool(root, environment, name string) (string, error) {
	path := filepath.Join(root, environment, "bin", name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is not there: run make stack, which installs it", path)
	} else if err != nil {
		return "", err
	}
	return path, nil
}
