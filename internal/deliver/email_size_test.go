package deliver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jhillyerd/enmime/v2"
	"pgregory.net/rapid"

	"github.com/vizpost/vizpost/internal/deliver"
)

func TestLargeFilesLeaveTheEmail(t *testing.T) {
	t.Parallel()
	p := morning(t)
	small := fileOf("small.csv", "csv", "text/csv", bytes.Repeat([]byte("1"), 100_000))
	linked := fileOf("linked.xlsx", "xlsx", "", bytes.Repeat([]byte("2"), 400_000))
	linked.Link = "https://reports.example.com/f/tok"
	local := fileOf("local.pdf", "pdf", "", bytes.Repeat([]byte("3"), 500_000))
	local.Link = "file:///etc/passwd"
	large := fileOf("large.png", "png", "image/png", bytes.Repeat([]byte("4"), 600_000))
	never := func(context.Context) (io.ReadCloser, error) {
		return nil, errors.New("opened a file that is not carried")
	}
	linked.Open, local.Open, large.Open = never, never, never
	p.Files = append(p.Files, small, linked, local, large)
	b := builder()
	b.MaxBytes = 500_000
	e, m := sent(t, b, p)

	if diff := cmp.Diff([]string{"linked.xlsx"}, e.Linked); diff != "" {
		t.Errorf("linked (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"local.pdf", "large.png"}, e.LeftOut); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
	if len(m.Attachments) != 2 || len(m.Inlines) != 1 {
		t.Errorf("%d attachments and %d pictures are there, want 2 and 1", len(m.Attachments), len(m.Inlines))
	}
	for _, said := range []string{
		"linked.xlsx is too large for an email. Follow the link below to open it.",
		"local.pdf and large.png are too large for an email and were left out. Open the view in Tableau to see it, or ask the owner of the report to send less in one message.",
	} {
		if !strings.Contains(m.Text, said) || !strings.Contains(m.HTML, said) {
			t.Errorf("the message does not say %q:\n%s", said, m.Text)
		}
	}
	if !strings.Contains(m.Text, "Download: https://reports.example.com/f/tok") || !strings.Contains(m.HTML, `href="https://reports.example.com/f/tok"`) {
		t.Error("the message has no link to the file")
	}
	if strings.Contains(m.HTML, "passwd") {
		t.Error("the message links to an address that is not of the web")
	}
}

func TestManyFilesLeftOut(t *testing.T) {
	t.Parallel()
	for count, want := range map[int]string{
		1: "1.csv is too large for an email and was left out.",
		3: "1.csv, 2.csv and 3.csv are too large for an email and were left out.",
		5: "1.csv, 2.csv and 3 more are too large for an email and were left out.",
	} {
		p := morning(t)
		p.Files = nil
		for i := range count {
			p.Files = append(p.Files, fileOf(fmt.Sprintf("%d.csv", i+1), "csv", "text/csv", make([]byte, 100_000)))
		}
		b := builder()
		b.MaxBytes = 50_000
		if _, m := sent(t, b, p); !strings.Contains(m.Text, want) {
			t.Errorf("with %d files the message does not say %q:\n%s", count, want, m.Text)
		}
	}
}

// However large its files and texts, an email keeps its limit, and a file is
// carried, linked or named as left out.
func TestEmailKeepsItsLimit(t *testing.T) {
	t.Parallel()
	post := morning(t)
	rapid.Check(t, func(t *rapid.T) {
		p := post
		p.Files = nil
		for i, size := range rapid.SliceOfN(rapid.IntRange(1, 90_000), 0, 8).Draw(t, "sizes") {
			f := fileOf(fmt.Sprintf("file %d", i), rapid.SampledFrom([]string{"png", "pdf"}).Draw(t, "format"), "", make([]byte, size))
			f.Link = rapid.SampledFrom([]string{"", "https://reports.example.com/f/tok"}).Draw(t, "link")
			p.Files = append(p.Files, f)
		}
		p.Body = strings.Repeat(rapid.SampledFrom([]string{"a", "ä", "\n\n<", "\n", "="}).Draw(t, "letter"), rapid.IntRange(0, 5_000).Draw(t, "length"))
		b := builder()
		b.MaxBytes = 200_000 + int64(rapid.IntRange(0, 300_000).Draw(t, "limit"))
		e, err := b.Build(t.Context(), p)
		if err != nil {
			t.Fatalf("Build: %v", err)
		}
		defer e.Release()
		var raw bytes.Buffer
		if _, err := e.WriteTo(&raw); err != nil {
			t.Fatalf("WriteTo: %v", err)
		}
		m, err := enmime.ReadEnvelope(bytes.NewReader(raw.Bytes()))
		if err != nil {
			t.Fatalf("reading the message back: %v", err)
		}
		carried := len(m.Attachments) + len(m.Inlines)
		if int64(raw.Len()) > b.MaxBytes && carried > 0 {
			t.Fatalf("the message has %d bytes, the limit is %d", raw.Len(), b.MaxBytes)
		}
		if got := carried + len(e.Linked) + len(e.LeftOut); got != len(p.Files) {
			t.Fatalf("%d files are carried, linked or left out, want %d", got, len(p.Files))
		}
	})
}

func TestBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := builder()
		b.Budget = deliver.NewBudget(90_000) // for 20,000 bytes of files
		p := morning(t)
		p.Files = []deliver.File{fileOf("a.pdf", "pdf", "application/pdf", pdfOf(12_000))}
		first, err := b.Build(t.Context(), p)
		if err != nil {
			t.Fatalf("Build: %v", err)
		}

		second := make(chan *deliver.Email)
		go func() {
			e, err := b.Build(t.Context(), p)
			if err != nil {
				t.Errorf("Build while waiting: %v", err)
			}
			second <- e
		}()
		synctest.Wait()
		select {
		case <-second:
			t.Fatal("a second email was built beyond the budget")
		default:
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Build(ctx, p); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Build with a deadline gives %v, want %v", err, context.DeadlineExceeded)
		}

		first.Release()
		first.Release()
		if _, err := first.WriteTo(io.Discard); err == nil {
			t.Error("a released email can still be written")
		}
		e := <-second
		if _, err := e.WriteTo(io.Discard); err != nil {
			t.Errorf("WriteTo: %v", err)
		}
		e.Release()

		// One that needs more than there is goes when it is alone.
		p.Files = []deliver.File{fileOf("b.pdf", "pdf", "application/pdf", pdfOf(50_000))}
		alone, err := b.Build(t.Context(), p)
		if err != nil {
			t.Fatalf("Build of a large email: %v", err)
		}
		alone.Release()
	})
}

// The limit of a message is the least of what is set, what its carrier takes and
// what the post itself says; where none of them says anything, there is none.
func TestLimitOfAnEmail(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		set, carrier, post int64
		asked              bool // whether the carrier is
		fits               bool // 12 MB
	}{
		"nothing set, not asked":        {0, 0, 0, false, false},
		"nothing set, no limit":         {0, 0, 0, true, true},
		"nothing set, a high limit":     {0, 50_000_000, 0, true, true},
		"nothing set, a low limit":      {0, 10_000_000, 0, true, false},
		"set below the carrier's":       {10_000_000, 50_000_000, 0, true, false},
		"set above the carrier's":       {50_000_000, 10_000_000, 0, true, false},
		"set, and the carrier has none": {10_000_000, 0, 0, true, false},
		"set, not asked":                {50_000_000, 0, 0, false, true},
		"said by the post":              {50_000_000, 50_000_000, 10_000_000, true, false},
		"more said by the post":         {10_000_000, 0, 50_000_000, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := builder()
			b.MaxBytes = test.set
			if test.asked {
				b.Limit = func(context.Context) int64 { return test.carrier }
			}
			p := morning(t)
			p.MaxBytes = test.post
			p.Files = []deliver.File{fileOf("large.csv", "csv", "text/csv", bytes.Repeat([]byte("1"), 12_000_000))}
			e, err := b.Build(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Release()
			if got := e.Carried == 1 && len(e.LeftOut) == 0; got != test.fits {
				t.Errorf("got %d files carried and %q left out, want the file carried: %v", e.Carried, e.LeftOut, test.fits)
			}
		})
	}
}
