package content_test

import (
	"bytes"
	"encoding/csv"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/content"
)

// escaped writes a CSV through an escaper, in pieces of n bytes.
func escaped(t interface{ Fatal(...any) }, in string, n int) string {
	var out bytes.Buffer
	e := content.NewFormulaEscaper(&out)
	for piece := range slices.Chunk([]byte(in), n) {
		if _, err := e.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestFormulaEscaper(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("1", 100)
	for in, want := range map[string]string{
		"":                                    "",
		"a,b\n1,2\n":                          "a,b\n1,2\n",
		"a\r\n=1+1\r\n":                       "a\r\n'=1+1\r\n",
		"=a":                                  "'=a",
		"\uFEFF=a,b":                          "\uFEFF'=a,b",
		"\uFEFF":                              "\uFEFF",
		"\xEF":                                "\xEF",
		"@SUM(A1),x=1,a@b":                    "'@SUM(A1),x=1,a@b",
		`"=HYPERLINK(""http://x"",""y"")",1`:  `"'=HYPERLINK(""http://x"",""y"")",1`,
		`"""=1",""`:                           `"""=1",""`,
		`"one` + "\n" + `=two",=3`:            `"one` + "\n" + `=two",'=3`,
		"\"\t=1\",\"\r=1\",\"\n=1\"":          "\"'\t=1\",\"'\r=1\",\"'\n=1\"",
		"a;=1;\"=2\";-3":                      "a;'=1;\"'=2\";-3",
		"a\t=1":                               "a\t'=1",
		"-5,+3.2,-1e5,-.5,-5%,-$711.83,-5 €":  "-5,+3.2,-1e5,-.5,-5%,-$711.83,-5 €",
		`"-1,234.5","-1.234,5","+49 170 12"`:  `"-1,234.5","-1.234,5","+49 170 12"`,
		"-,+":                                 "-,+",
		"-1+1,-A1,+cmd|' /C calc'!A0,--1,-5-": "'-1+1,'-A1,'+cmd|' /C calc'!A0,'--1,'-5-",
		"-" + long + ",-" + long + "+1":       "'-" + long + ",'-" + long + "+1",
		"  =1,\" -2\",\"  +a\"":               "'  =1,\" -2\",\"'  +a\"",
		"＝1,＠a,ｅ=1":                           "'＝1,'＠a,ｅ=1",
		"\"a\"=1,\"\"=2":                      "\"a\"=1,\"\"=2",
		"a\r=1":                               "a\r'=1",
		"\"=open":                             "\"'=open",
		"\"-5":                                "\"-5",
	} {
		for _, n := range []int{1, 2, 3, 1000} {
			if got := escaped(t, in, n); got != want {
				t.Errorf("%q in pieces of %d: got %q, want %q", in, n, got, want)
			}
		}
	}
}

// Every value is as it was, or has an apostrophe before it; none is run.
func TestFormulaEscaperRule(t *testing.T) {
	t.Parallel()
	value := rapid.StringOfN(rapid.RuneFrom([]rune("=+-@1.5, \t\n\"';aA%＝")), 0, 8, -1)
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.SliceOfN(rapid.SliceOfN(value, 2, 2), 1, 4).Draw(rt, "rows")
		var in bytes.Buffer
		w := csv.NewWriter(&in)
		if err := w.WriteAll(rows); err != nil {
			rt.Fatal(err)
		}
		out := escaped(rt, in.String(), rapid.IntRange(1, 20).Draw(rt, "pieces"))
		r := csv.NewReader(strings.NewReader(out))
		for _, row := range rows {
			got, err := r.Read()
			if err == io.EOF {
				break // a row of nothing
			}
			if err != nil || len(got) != len(row) {
				rt.Fatalf("%q became %q: %v", in.String(), out, err)
			}
			for i, v := range row {
				first := strings.TrimLeft(got[i], " ")
				if got[i] != v && got[i] != "'"+v && !strings.ContainsAny(v, ";\t") ||
					first != "" && strings.Contains("=@\t", first[:1]) {
					rt.Fatalf("%q became %q", v, got[i])
				}
			}
		}
	})
}
