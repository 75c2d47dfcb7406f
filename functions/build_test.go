package functions_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// tags are those that the functions are built with; see the target build of the
// Makefile.
const tags = "-tags=lambda.norpc"

var binaries string // folder of the built functions

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "vizpost-functions-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaries = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// buildAll builds all functions, once.
var buildAll = sync.OnceValue(func() error {
	cmd := exec.Command("go", "build", tags, "-o", binaries+string(filepath.Separator), "./...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the functions: %w\n%s", err, out)
	}
	return nil
})

// binary gives the built function of a name.
func binary(t testing.TB, name string) string {
	t.Helper()
	if err := buildAll(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(binaries, name)
}

// No function links the embedded database, what only tests need, or a service
// of AWS that it has no part in.
func TestWhatFunctionsLink(t *testing.T) {
	t.Parallel()
	services := map[string][]string{
		"api":       {"dynamodb", "secretsmanager", "sqs"},
		"public":    {},
		"admission": {},
		"tick":      {"dynamodb", "sqs"},
		"export":    {"dynamodb", "s3", "secretsmanager", "ses", "sqs"},
		"care":      {"dynamodb", "secretsmanager", "sqs"},
		"receipts":  {"dynamodb"},
	}
	const service = "github.com/aws/aws-sdk-go-v2/service/"
	never := []string{"modernc.org/sqlite", "github.com/jhillyerd/enmime", "github.com/chromedp", "gonum.org/v1/plot",
		"github.com/xuri/excelize", "net/rpc", "github.com/aws/aws-sdk-go-v2/config",
		"github.com/vizpost/vizpost/internal/local", "github.com/vizpost/vizpost/internal/standalone", "github.com/vizpost/vizpost/internal/tableau/tableautest"}
	for _, f := range newStack(t, nil).functions() {
		want, known := services[f.name]
		if !known {
			t.Errorf("say which services the function %s links", f.name)
			continue
		}
		delete(services, f.name)
		out, err := exec.Command("go", "list", "-deps", tags, "./"+f.name).Output()
		if err != nil {
			t.Fatalf("listing what %s links: %v", f.name, err)
		}
		var got []string
		for dep := range strings.Lines(string(out)) {
			dep = strings.TrimSpace(dep)
			if name, ok := strings.CutPrefix(dep, service); ok && !strings.Contains(name, "/") {
				got = append(got, name)
			}
			if slices.ContainsFunc(never, func(n string) bool { return dep == n || strings.HasPrefix(dep, n+"/") }) {
				t.Errorf("%s links %s", f.name, dep)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s links the services %q, want %q", f.name, got, want)
		}
	}
	for name := range services {
		t.Errorf("the template has no function %s", name)
	}
}
