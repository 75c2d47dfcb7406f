package page_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// Pasted addresses are taken apart as people mean them. Node.js runs the page's
// own module; without it, the page in a browser (make e2e) has to do.
func TestSplitAddresses(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("Node.js is not installed")
	}
	tests := []struct {
		in       string
		want     []string
		complete bool // while it is typed
	}{
		{"a@example.com", []string{"a@example.com"}, false},
		{"a@example.com,", []string{"a@example.com"}, true},
		{"a@example.com; b@example.com", []string{"a@example.com", "b@example.com"}, false},
		{"a@example.com b@example.com\nc@example.com", []string{"a@example.com", "b@example.com", "c@example.com"}, false},
		{"Ana Silva <a@example.com>", []string{"a@example.com"}, true},
		{`"Müller, Anna" <a@example.com>`, []string{"a@example.com"}, true},
		{`Müller, Anna <a@example.com>`, []string{"a@example.com"}, true},
		{`Müller, Anna <a@example.com>; b@example.com`, []string{"a@example.com", "b@example.com"}, false},
		{`b@example.com, Müller, Anna <a@example.com>`, []string{"b@example.com", "a@example.com"}, true},
		{`"Müller, Anna" <a@example.com>, "Weiß; Ben" <b@example.com>;`, []string{"a@example.com", "b@example.com"}, true},
		{"Ana <a@example.com> Ben <b@example.com>", []string{"a@example.com", "b@example.com"}, true},
		{"a@example.com Ben <b@example.com>", []string{"a@example.com", "b@example.com"}, true},
		{"Ana <a@example.com>\nMüller, Ben <b@example.com>", []string{"a@example.com", "b@example.com"}, true},
		{"\u200ba@example.com\u200b", []string{"a@example.com"}, false},
		{"Müller, Anna", []string{"Müller", "Anna"}, false},
		{"Müller,", []string{"Müller"}, false},
		{"ana, b@example.com,", []string{"ana", "b@example.com"}, true},
		{`"Müller, a@example.com`, []string{`"Müller`, "a@example.com"}, false},
		{"a < b, c@example.com", []string{"a", "<", "b", "c@example.com"}, false},
		{" , ;\n", nil, true},
	}
	const script = `
const { splitAddresses, complete } = await import(process.argv[1]);
const texts = JSON.parse(process.argv[2]);
console.log(JSON.stringify(texts.map((text) => ({ split: splitAddresses(text), complete: complete(text) }))));`
	var texts []string
	for _, tt := range tests {
		texts = append(texts, tt.in)
	}
	given, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("static/addresses.js")
	if err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(t.TempDir(), "addresses.mjs")
	if err := os.WriteFile(module, source, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), node, "--input-type=module", "-e", script, module, string(given)).CombinedOutput()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, out)
	}
	var got []struct {
		Split    []string
		Complete bool
	}
	if err := json.Unmarshal(out, &got); err != nil || len(got) != len(tests) {
		t.Fatalf("node answered %s, %v", out, err)
	}
	for i, tt := range tests {
		if !slices.Equal(got[i].Split, tt.want) {
			t.Errorf("splitAddresses(%q) = %q, want %q", tt.in, got[i].Split, tt.want)
		}
		if got[i].Complete != tt.complete {
			t.Errorf("complete(%q) = %t, want %t", tt.in, got[i].Complete, tt.complete)
		}
	}
}
