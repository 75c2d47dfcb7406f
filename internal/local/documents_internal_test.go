package local

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

// TestStoredDocumentsStayReadable reads documents as databases hold them. The
// names of Go fields are names in stored documents: who renames or removes one
// must migrate what is stored, and then may change these files.
func TestStoredDocumentsStayReadable(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"connection":  &connection.Connection{},
		"session":     &connection.Session{},
		"report":      &report.Report{},
		"destination": &deliver.Destination{},
		"run":         &run.Run{},
		"delivery":    &run.Delivery{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stored, err := os.ReadFile(filepath.Join("testdata", "documents", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			d := json.NewDecoder(bytes.NewReader(stored))
			d.DisallowUnknownFields()
			if err := d.Decode(value); err != nil {
				t.Fatalf("reading a stored %s: %v", name, err)
			}

			// What was read is written again with all that was in it.
			written, err := encode(value)
			if err != nil {
				t.Fatal(err)
			}
			if missing := missingFrom(parse(t, []byte(written)), parse(t, stored), name); missing != "" {
				t.Error(missing)
			}
		})
	}
}

func parse(t *testing.T, document []byte) any {
	t.Helper()
	var value any
	if err := json.Unmarshal(document, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// missingFrom tells what of a wanted document is not in another, which may have
// more fields; "" when nothing is missing.
func missingFrom(got, want any, path string) string {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		for name, value := range want {
			if _, there := got[name]; !ok || !there {
				return path + "." + name + " is missing"
			}
			if missing := missingFrom(got[name], value, path+"."+name); missing != "" {
				return missing
			}
		}
		return ""
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			return path + " is not as it was stored"
		}
		for i, value := range want {
			if missing := missingFrom(got[i], value, path); missing != "" {
				return missing
			}
		}
		return ""
	default:
		if got != want {
			return path + " is not as it was stored"
		}
		return ""
	}
}
