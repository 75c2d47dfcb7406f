package local_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vizpost/vizpost/internal/local"
)

func TestTimeZone(t *testing.T) {
	t.Parallel()
	etc := t.TempDir()
	zones := filepath.Join(etc, "share", "zoneinfo")
	write := func(path, text string) string {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := func(dir, target string) string {
		t.Helper()
		path := filepath.Join(etc, dir, "localtime")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	berlin := link("linked", write(filepath.Join(zones, "Europe", "Berlin"), "TZif"))
	copied := write(filepath.Join(etc, "copied", "localtime"), "TZif")
	write(filepath.Join(etc, "copied", "timezone"), "America/New_York\n")
	for _, test := range []struct{ name, tz, localtime, want string }{
		{"TZ", "Asia/Tokyo", berlin, "Asia/Tokyo"},
		{"TZ with a colon", ":Asia/Tokyo", berlin, "Asia/Tokyo"},
		{"TZ that is a file", "/usr/share/zoneinfo/Asia/Tokyo", berlin, "Asia/Tokyo"},
		{"TZ that is no name", "EST5EDT4,M3.2.0", berlin, "Europe/Berlin"},
		{"a link", "", berlin, "Europe/Berlin"},
		{"a copy", "", copied, "America/New_York"},
		{"nothing", "", filepath.Join(etc, "none", "localtime"), "UTC"},
		{"a link to no zone", "", link("odd", write(filepath.Join(zones, "posixrules-of-ours"), "TZif")), "UTC"},
	} {
		if got := local.TimeZone(test.tz, test.localtime); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
