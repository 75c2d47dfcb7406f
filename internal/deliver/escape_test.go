package deliver_test

import (
	"path"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/deliver"
)

func TestFileName(t *testing.T) {
	t.Parallel()
	family := "👩‍👩‍👧"
	tests := []struct {
		name, in, format, want string
	}{
		{"plain", "Overview", "pdf", "Overview.pdf"},
		{"extension is there", "Overview.PDF", "pdf", "Overview.pdf"},
		{"another extension stays", "Overview.csv", "pdf", "Overview.csv.pdf"},
		{"no format", "Overview.csv", "", "Overview.csv"},
		{"spaces", "  Morning \t numbers\u00a0 ", "png", "Morning numbers.png"},
		{"umlauts", "Übersicht 北京", "xlsx", "Übersicht 北京.xlsx"},
		{"path", "../../etc/passwd", "pdf", "_.._etc_passwd.pdf"},
		{"Windows path", `C:\temp\x`, "pdf", "C__temp_x.pdf"},
		{"signs", `a*b?c"d<e>f|g`, "pdf", "a_b_c_d_e_f_g.pdf"},
		{"control characters", "a\r\nb\x00c\x7fd", "pdf", "a b c d.pdf"},
		{"direction", "Bericht\u202Efdp.exe", "pdf", "Bericht fdp.exe.pdf"},
		{"hidden", ".bashrc", "pdf", "bashrc.pdf"},
		{"option", "-rf", "pdf", "rf.pdf"},
		{"dots at the end", "Sales...", "", "Sales"},
		{"empty", "", "pdf", "file.pdf"},
		{"nothing left", " ./. ", "pdf", "_.pdf"},
		{"only dots", "...", "pdf", "file.pdf"},
		{"reserved", "CON", "csv", "_CON.csv"},
		{"reserved with extension", "nul.txt", "csv", "_nul.txt.csv"},
		{"reserved device", "com1 .x", "", "_com1 .x"},
		{"reserved in the format", "a", "nul", "a._nul"},
		{"not reserved", "CONSOLE COM10", "csv", "CONSOLE COM10.csv"},
		{"an extension of fewer bytes", ".Ⱥ", "ⱥ", "file.ⱥ"},
		{"broken UTF-8", "a\xffb", "csv", "a\uFFFDb.csv"},
		{"long", strings.Repeat("x", 200), "pdf", strings.Repeat("x", 116) + ".pdf"},
		{"long, two bytes each", strings.Repeat("ü", 200), "xlsx", strings.Repeat("ü", 57) + ".xlsx"},
		{"cut before a combining accent", strings.Repeat("x", 115) + "e\u0301", "pdf", strings.Repeat("x", 115) + ".pdf"},
		{"cut before a joined picture", strings.Repeat("x", 112) + family, "pdf", strings.Repeat("x", 112) + ".pdf"},
		{"cut before a dot", strings.Repeat("x", 115) + ". y", "pdf", strings.Repeat("x", 115) + ".pdf"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := deliver.FileName(tt.in, tt.format); got != tt.want {
				t.Errorf("FileName(%q, %q) = %q, want %q", tt.in, tt.format, got, tt.want)
			}
		})
	}
}

// Names that are made unique differ for all file systems, and stay safe.
func TestUniqueName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 100) + ".pdf"
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom([]string{"a.pdf", "A.PDF", "a (2).pdf", "a", "", ".", long}), rapid.String()), 0, 30).Draw(t, "names")
		taken, seen := map[string]bool{}, map[string]string{}
		for _, name := range names {
			got := deliver.UniqueName(name, taken)
			if before, ok := seen[strings.ToLower(got)]; ok {
				t.Fatalf("%q and an earlier name both became %q, %q", name, before, got)
			}
			seen[strings.ToLower(got)] = got
			if len(got) > 120 || deliver.FileName(got, "") != got {
				t.Fatalf("%q became %q, which is not a safe name", name, got)
			}
		}
	})
}

func FuzzFileName(f *testing.F) {
	f.Add("Overview", "pdf")
	f.Add("../../a", "png")
	f.Add("CON", "")
	f.Add(strings.Repeat("é", 70), "xlsx")
	f.Add(".\u0301 -", "c/v")
	f.Fuzz(func(t *testing.T, name, format string) {
		got := deliver.FileName(name, format)
		if len(got) == 0 || len(got) > 120 || !utf8.ValidString(got) {
			t.Fatalf("FileName(%q, %q) = %q of %d bytes", name, format, got, len(got))
		}
		if strings.ContainsAny(got, `/\:*?"<>|`) || strings.ContainsFunc(got, unicode.IsControl) || path.Base(got) != got || got == ".." {
			t.Errorf("FileName(%q, %q) = %q, which is not a safe name", name, format, got)
		}
		if strings.HasPrefix(got, ".") || strings.HasPrefix(got, "-") || strings.HasSuffix(got, ".") || strings.HasSuffix(got, " ") {
			t.Errorf("FileName(%q, %q) = %q, which begins or ends badly", name, format, got)
		}
		if again := deliver.FileName(got, ""); again != got {
			t.Errorf("FileName is not stable: %q becomes %q", got, again)
		}
	})
}
