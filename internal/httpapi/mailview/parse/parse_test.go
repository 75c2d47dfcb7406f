package parse_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/httpapi/mailview"
	"github.com/vizpost/vizpost/internal/httpapi/mailview/parse"
)

// message makes a mail with an HTML part and another part beside it.
func message(html, part string) string {
	return "From: a@example.com\r\nTo: b@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=r\r\n\r\n" +
		"--r\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + html + "\r\n--r\r\n" + part + "\r\n--r--\r\n"
}

func TestPictures(t *testing.T) {
	t.Parallel()
	const id = "Content-ID: <one@vizpost>\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	tests := []struct{ name, html, part, want string }{
		{"png", `<img src="cid:one@vizpost">`, "Content-Type: image/png\r\n" + id + "iVBO", `<img src="data:image/png;base64,iVBO">`},
		{"escaped reference", `<img src="cid:one%40vizpost">`, "Content-Type: image/png\r\n" + id + "iVBO", `<img src="data:image/png;base64,iVBO">`},
		{"in a style", `<p style="background:url(cid:one@vizpost)">`, "Content-Type: image/gif\r\n" + id + "iVBO", `<p style="background:url(data:image/gif;base64,iVBO)">`},
		{"drawing that may hold a script", `<img src="cid:one@vizpost">`, "Content-Type: image/svg+xml\r\n" + id + "iVBO", `<img src="cid:one@vizpost">`},
		{"page", `<iframe src="cid:one@vizpost">`, "Content-Type: text/html\r\n" + id + "iVBO", `<iframe src="cid:one@vizpost">`},
		{"another part", `<img src="cid:two@vizpost">`, "Content-Type: image/png\r\n" + id + "iVBO", `<img src="cid:two@vizpost">`},
		{"broken reference", `<img src="cid:%zz">`, "Content-Type: image/png\r\n" + id + "iVBO", `<img src="cid:%zz">`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m, err := parse.Mail(strings.NewReader(message(test.html, test.part)))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(m.HTML); got != test.want {
				t.Errorf("HTML %s, want %s", got, test.want)
			}
		})
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	const text = "From: =?utf-8?q?J=C3=BCrgen?= <j@example.com>\r\nTo: =?utf-8?q?J=C3=BCrgen?= <j@example.com>, b@example.com\r\nCc: undisclosed\r\n" +
		"Subject: =?utf-8?b?w5xiZXI=?= all\r\nDate: Mon, 23 Nov 2026 09:00:00 +0100\r\n\r\nbody"
	got, err := mailview.ReadHeader(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := mailview.Header{Subject: "Über all", From: "Jürgen <j@example.com>", To: []string{"Jürgen <j@example.com>", "b@example.com"},
		Cc: []string{"undisclosed"}, Date: time.Date(2026, time.November, 23, 8, 0, 0, 0, time.UTC)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the header (-want +got):\n%s", diff)
	}
	if _, err := mailview.ReadHeader(strings.NewReader("no mail")); err == nil {
		t.Error("what is no mail was read")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(message(`<img src="cid:one@vizpost">`, "Content-Type: image/png\r\nContent-ID: <one@vizpost>\r\n\r\nx"))
	f.Add("Subject: x\r\n\r\nplain")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := parse.Mail(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, forbidden := range []string{"data:image/svg", "data:text/html"} {
			if strings.Contains(m.HTML, forbidden) && !strings.Contains(text, forbidden) {
				t.Errorf("a part became %s", forbidden)
			}
		}
	})
}
