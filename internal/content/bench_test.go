package content_test

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/content"
)

// BenchmarkCheck checks files of about 50 MB on disk and reports by how much the
// heap grows meanwhile, garbage included.
func BenchmarkCheck(b *testing.B) {
	const size = 50 << 20
	for _, format := range formats() {
		b.Run(format, func(b *testing.B) {
			name := filepath.Join(b.TempDir(), "file")
			var whole bytes.Buffer
			large(b, &whole, format, size)
			if err := os.WriteFile(name, whole.Bytes(), 0o600); err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			file, err := os.Open(name)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = file.Close() }()
			info, err := file.Stat()
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(info.Size())
			peak := watchHeap()
			for b.Loop() {
				if _, err := content.Check(b.Context(), file, info.Size(), format); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(peak(), "heap-MB")
		})
	}
}

// BenchmarkPNG checks pictures of 4000 by 3000 pixels: one that shows something at
// its top, and ones that have to be looked at to their end.
func BenchmarkPNG(b *testing.B) {
	const width, height = 4000, 3000
	noise := rand.New(rand.NewPCG(1, 2))
	rows := map[string]func(y int, row []byte){
		"content": func(y int, row []byte) {
			if y > 100 && y < 140 {
				clear(row[4*400 : 4*3000])
			}
		},
		"white": func(int, []byte) {},
		"grain": func(_ int, row []byte) {
			for i := range row {
				row[i] = byte(255 - noise.IntN(12))
			}
		},
		"a digit at its end": func(y int, row []byte) {
			if y > 2900 && y < 2914 {
				clear(row[4*3900 : 4*3904])
			}
		},
	}
	for name, paint := range rows {
		b.Run(name, func(b *testing.B) {
			p := picture{width: width, height: height, colour: rgbAlpha, depth: 8, level: 6}
			row := make([]byte, 1+4*width)
			p.rows = func(y int) []byte {
				for i := range row {
					row[i] = 255
				}
				row[0] = 0
				paint(y, row[1:])
				for x := range width {
					row[4+4*x] = 255
				}
				return row
			}
			file := p.encode(b)
			want := name == "white" || name == "grain"
			for b.Loop() {
				if facts, err := check(b, file, content.PNG); facts.Blank != want {
					b.Fatalf("%+v, %v", facts, err)
				}
			}
			b.ReportMetric(float64(len(file))/(1<<20), "file-MB")
		})
	}
}

// watchHeap looks at the heap until the function that it gives is called, which
// gives by how many MB the heap grew at most.
func watchHeap() func() float64 {
	heap := func() float64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		return float64(sample[0].Value.Uint64()) / (1 << 20)
	}
	before := heap()
	stop, grown := make(chan struct{}), make(chan float64)
	go func() {
		look := time.NewTicker(time.Millisecond)
		defer look.Stop()
		peak := before
		for {
			peak = max(peak, heap())
			select {
			case <-stop:
				grown <- peak - before
				return
			case <-look.C:
			}
		}
	}()
	return func() float64 {
		close(stop)
		return <-grown
	}
}

// The check of a file of 50 MB takes at most 4 MB, so that eight at once stay far
// below what a function has. What is allocated in all, garbage included, is the
// measure, since it does not depend on when the collector runs.
//
// It runs by itself: other tests would allocate at the same time.
func TestCheckMemory(t *testing.T) {
	const size = 50 << 20
	type file struct {
		name, format string
		fill         func(*bytes.Buffer)
	}
	tests := []file{
		{"csv of one value", content.CSV, func(b *bytes.Buffer) {
			b.WriteString("a,b\n\"" + strings.Repeat("value, ", size/7) + "\",2\n")
		}},
		{"svg of one value", content.SVG, func(b *bytes.Buffer) {
			b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg"><image href="data:image/png;base64,` + strings.Repeat("QUJD", size/4) + `"/></svg>`)
		}},
		{"svg of one text", content.SVG, func(b *bytes.Buffer) {
			b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg"><text>` + strings.Repeat("QUJD", size/4) + `</text></svg>`)
		}},
		{"png of white down to the last rows", content.PNG, func(b *bytes.Buffer) {
			const width, height = 4096, size / 4 / 4096
			p := picture{width: width, height: height, colour: rgbAlpha, depth: 8, level: zlib.NoCompression}
			row := bytes.Repeat([]byte{255}, 1+4*width)
			row[0] = 0
			p.rows = func(y int) []byte {
				if y == height-20 {
					clear(row[1000:1200])
				}
				return row
			}
			p.write(t, b)
		}},
	}
	for _, format := range formats() {
		tests = append(tests, file{format, format, func(b *bytes.Buffer) { large(t, b, format, size) }})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			b.Grow(size + 2<<20)
			tt.fill(&b)
			file := bytes.NewReader(b.Bytes())
			if file.Size() < size-1<<20 {
				t.Fatalf("the file has %d bytes, want about %d", file.Size(), size)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := content.Check(t.Context(), file, file.Size(), tt.format)
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Errorf("Check: %v", err)
			}
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 4<<20 {
				t.Errorf("a check allocates %d KB, want at most 4 MB", allocated>>10)
			}
		})
	}
}

// large writes a file of about a size, as like an export as can be.
func large(t testing.TB, out *bytes.Buffer, format string, size int) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	switch format {
	case content.CSV:
		head, rows, _ := bytes.Cut(standIn(t).full[content.CSV], []byte("\n"))
		out.Write(append(bytes.Clone(head), '\n'))
		for out.Len() < size {
			out.Write(rows)
		}
	case content.PDF:
		file := pdfFile(500)
		out.Write(file[:bytes.LastIndex(file, []byte("xref\n0"))])
		out.WriteString("9999 0 obj\n<</Length 1>>stream\n")
		for out.Len() < size {
			out.Write(noise)
		}
		const end = "\nendstream\nendobj\n"
		fmt.Fprintf(out, "%sxref\n0 0\ntrailer<<>>\nstartxref\n%d\n%%%%EOF", end, out.Len()+len(end))
	case content.SVG:
		out.WriteString(`<svg xmlns="http://www.w3.org/2000/svg">`)
		for i := 0; out.Len() < size; i++ {
			fmt.Fprintf(out, "<g fill=\"#4e79a7\" fill-opacity=\"1\" stroke=\"none\" transform=\"matrix(1,0,0,1,0,%d)\">\n<path vector-effect=\"none\" fill-rule=\"evenodd\" d=\"M%d,7.5 L12,7.5 L12,%d L1.5,30 L1.5,7.5\"/>\n</g>\n", i, i, i)
		}
		out.WriteString("</svg>")
	case content.PNG:
		p := picture{width: 4096, height: size / 4 / 4096, colour: rgbAlpha, depth: 8, level: 1}
		row := make([]byte, 1+4*p.width)
		p.rows = func(y int) []byte {
			copy(row[1:], noise[y%50*4*p.width:])
			return row
		}
		p.write(t, out)
	default:
		small, err := zip.NewReader(bytes.NewReader(standIn(t).full[format]), int64(len(standIn(t).full[format])))
		if err != nil {
			t.Fatal(err)
		}
		w := zip.NewWriter(out)
		for _, entry := range small.File {
			if err := w.Copy(entry); err != nil {
				t.Fatal(err)
			}
		}
		entry, err := w.CreateHeader(&zip.FileHeader{Name: "media/large.bin", Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		for range size >> 20 {
			must(t)(entry.Write(noise))
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
