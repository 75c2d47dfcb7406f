package runtimetest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/vizpost/vizpost/internal/aws/runtimetest"
)

// asFunction has the test binary itself be the function.
const asFunction = "RUNTIMETEST_FUNCTION"

func TestMain(m *testing.M) {
	switch os.Getenv(asFunction) {
	case "":
		os.Exit(m.Run())
	case "ends":
		fmt.Println("no setting")
		os.Exit(3)
	}
	lambda.Start(answer)
}

func answer(ctx context.Context, event string) (string, error) {
	deadline, _ := ctx.Deadline()
	switch event {
	case "fail":
		return "", errors.New("it failed")
	case "panic":
		panic("a defect")
	case "exit":
		os.Exit(4)
	case "hang":
		fmt.Println("hanging")
		<-make(chan struct{})
	case "large":
		return strings.Repeat("x", 6<<20), nil
	}
	call, _ := lambdacontext.FromContext(ctx)
	return fmt.Sprintf("%s, %s, %s MB, %v", event, call.AwsRequestID, os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
		time.Until(deadline).Round(time.Minute)), nil
}

func start(t *testing.T, mode string, change ...func(*runtimetest.Options)) *runtimetest.Function {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := runtimetest.Options{Binary: self, Env: map[string]string{asFunction: mode}, Timeout: 3 * time.Minute, Memory: 256}
	for _, change := range change {
		change(&o)
	}
	f, err := runtimetest.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return f
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	f := start(t, "answers")
	for n, want := range []string{`"hello, call-1, 256 MB, 3m0s"`, `"hello, call-2, 256 MB, 3m0s"`} {
		if got, err := f.Invoke(t.Context(), []byte(`"hello"`)); err != nil || string(got) != want {
			t.Errorf("call %d: got %s, error %v; want %s", n+1, got, err, want)
		}
	}
	_, err := f.Invoke(t.Context(), []byte(`"fail"`))
	var failure *runtimetest.Error
	if !errors.As(err, &failure) || failure.Message != "it failed" {
		t.Errorf("got error %v, want the function's own", err)
	}
	if _, err := f.Invoke(t.Context(), []byte(`"large"`)); !errors.As(err, &failure) || failure.Type != "Function.ResponseSizeTooLarge" {
		t.Errorf("got error %v, want one that the response is too large", err)
	}
	if _, err := f.Invoke(t.Context(), []byte(`7`)); !errors.As(err, &failure) {
		t.Errorf("got error %v, want one that the event is not decoded", err)
	}
	if got, err := f.Invoke(t.Context(), []byte(`"still here"`)); err != nil || !strings.HasPrefix(string(got), `"still here`) {
		t.Errorf("got %s, error %v after errors", got, err)
	}
}

func TestProcessesThatEnd(t *testing.T) {
	t.Parallel()
	f := start(t, "ends")
	if err := f.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got error %v, want its exit status", err)
	}
	if _, err := f.Invoke(t.Context(), []byte(`"hello"`)); err == nil || !strings.Contains(err.Error(), "no setting") {
		t.Errorf("got error %v, want what it printed", err)
	}
	for _, event := range []string{"exit", "panic"} {
		f := start(t, "answers")
		if _, err := f.Invoke(t.Context(), []byte(`"`+event+`"`)); err == nil {
			t.Errorf("%s: got no error", event)
		}
		if err := f.Wait(t.Context()); err == nil {
			t.Errorf("%s: the process ended well", event)
		}
	}
}

func TestCallsThatTakeTooLong(t *testing.T) {
	t.Parallel()
	f := start(t, "answers", func(o *runtimetest.Options) { o.Timeout = 2 * time.Second })
	if _, err := f.Invoke(t.Context(), []byte(`"hang"`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v, want that it took too long", err)
	}
	if _, err := f.Invoke(t.Context(), []byte(`"hello"`)); err == nil {
		t.Error("the process goes on after its time")
	}
}

func TestKill(t *testing.T) {
	t.Parallel()
	f := start(t, "answers")
	done := make(chan error, 1)
	go func() {
		_, err := f.Invoke(context.WithoutCancel(t.Context()), []byte(`"hang"`))
		done <- err
	}()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !strings.Contains(f.Log(), "hanging") {
		select {
		case err := <-done:
			t.Fatalf("the call ended with %v", err)
		case <-look.C:
		}
	}
	if err := f.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil {
		t.Error("got no error of the call that was cut off")
	}
}
