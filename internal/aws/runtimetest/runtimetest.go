// Package runtimetest runs the binary of a Lambda function as Lambda does: as a
// process that asks a server, the Runtime API, for its next event.
package runtimetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options say what to run and how.
type Options struct {
	Binary  string            // of the function
	Env     map[string]string // the function's settings and credentials; it gets nothing else
	Timeout time.Duration     // of one call; 0 is a minute
	Memory  int               // MB that the function is told to have; 0 is 512
}

// Function is a process of a function. It answers one call at a time, as on
// Lambda; others wait.
type Function struct {
	options Options
	server  *http.Server
	process *exec.Cmd
	calls   chan *call
	ended   chan struct{} // closed when the process has ended

	mu      sync.Mutex
	output  bytes.Buffer // what the process printed
	current *call
	exit    error // of the process, once it has ended
	number  int   // of calls
}

type call struct {
	id       string
	event    []byte
	deadline time.Time
	answer   chan answer // has room for one
}

type answer struct {
	body []byte
	err  error
}

// Error is what a function reports instead of an answer.
type Error struct {
	Message string `json:"errorMessage"`
	Type    string `json:"errorType"`
}

// Error gives the text.
func (e *Error) Error() string { return e.Type + ": " + e.Message }

// Start starts the process. It ends with the context, at the latest.
func Start(ctx context.Context, o Options) (*Function, error) {
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.Memory == 0 {
		o.Memory = 512
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the function: %w", err)
	}
	f := &Function{options: o, calls: make(chan *call), ended: make(chan struct{})}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /2018-06-01/runtime/invocation/next", f.next)
	routes.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", f.response)
	routes.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", f.failure)
	f.server = &http.Server{Handler: routes, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = f.server.Serve(listener) }() // ends with Close

	f.process = exec.CommandContext(ctx, o.Binary)
	f.process.Stdout, f.process.Stderr = f, f
	f.process.WaitDelay = time.Second
	f.process.Env = []string{
		"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String(), "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(o.Memory),
		"AWS_LAMBDA_FUNCTION_NAME=function", "AWS_LAMBDA_LOG_FORMAT=JSON", "AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
	}
	for name, value := range o.Env {
		f.process.Env = append(f.process.Env, name+"="+value)
	}
	if err := f.process.Start(); err != nil {
		_ = f.server.Close()
		return nil, fmt.Errorf("starting the function: %w", err)
	}
	go func() {
		err := f.process.Wait()
		f.mu.Lock()
		f.exit = err
		f.mu.Unlock()
		close(f.ended)
	}()
	return f, nil
}

// Invoke has the function answer an event. The error is an [*Error] when the
// function reports one, and another when the call took too long, which ends
// the process as it does on Lambda, or the process has ended.
func (f *Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, f.options.Timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	f.mu.Lock()
	f.number++
	c := &call{id: fmt.Sprintf("call-%d", f.number), event: event, deadline: deadline, answer: make(chan answer, 1)}
	f.mu.Unlock()
	select {
	case f.calls <- c:
	case <-f.ended:
		return nil, f.gone()
	case <-ctx.Done():
		return nil, f.late(ctx)
	}
	select {
	case a := <-c.answer:
		return a.body, a.err
	case <-f.ended:
		return nil, f.gone()
	case <-ctx.Done():
		return nil, f.late(ctx)
	}
}

func (f *Function) gone() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Errorf("the function's process has ended (%v):\n%s", f.exit, strings.TrimSpace(f.output.String()))
}

func (f *Function) late(ctx context.Context) error {
	_ = f.Close()
	return fmt.Errorf("the function did not answer in time: %w\n%s", ctx.Err(), f.Log())
}

// Wait waits for the process to end and gives its exit error, as [exec.Cmd.Wait]
// does.
func (f *Function) Wait(ctx context.Context) error {
	select {
	case <-f.ended:
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.exit
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill ends the process in the middle of whatever it does.
func (f *Function) Kill() error {
	if err := f.process.Process.Kill(); err != nil {
		return fmt.Errorf("killing the function: %w", err)
	}
	<-f.ended
	return nil
}

// Close ends the process and what it talks to.
func (f *Function) Close() error {
	err := f.process.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	<-f.ended
	return errors.Join(err, f.server.Close())
}

// Log is what the process has printed.
func (f *Function) Log() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.output.String()
}

// Write takes what the process prints.
func (f *Function) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.output.Write(p)
}

// next gives the process its next event. (AWS Lambda developer guide, Using the
// Lambda runtime API.)
func (f *Function) next(w http.ResponseWriter, r *http.Request) {
	var c *call
	select {
	case c = <-f.calls:
	case <-r.Context().Done():
		return
	}
	f.mu.Lock()
	f.current = c
	f.mu.Unlock()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", c.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(c.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:function")
	_, _ = w.Write(c.event) // a process that is gone is noticed by its end
}

func (f *Function) response(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil && len(body) > maxResponse {
		err = &Error{Type: "Function.ResponseSizeTooLarge", Message: "the response is larger than 6 MB"}
	}
	f.finish(w, r, answer{body, err})
}

func (f *Function) failure(w http.ResponseWriter, r *http.Request) {
	failure := &Error{}
	if err := json.NewDecoder(r.Body).Decode(failure); err != nil {
		f.finish(w, r, answer{nil, err})
		return
	}
	f.finish(w, r, answer{nil, failure})
}

// maxResponse is what Lambda takes of an answer (AWS Lambda quotas).
const maxResponse = 6 << 20

func (f *Function) finish(w http.ResponseWriter, r *http.Request, a answer) {
	f.mu.Lock()
	c := f.current
	f.current = nil
	f.mu.Unlock()
	if c == nil || c.id != r.PathValue("id") {
		http.Error(w, "there is no such call", http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	c.answer <- a
}
