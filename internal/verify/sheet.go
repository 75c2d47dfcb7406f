package verify

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	maxSharedTexts = 4 << 20  // bytes that are kept
	maxSheetBytes  = 64 << 20 // of a part of the workbook, unpacked
)

var errSheetTooLarge = errors.New("the workbook has more than can be compared")

// readSheet reads the rows of a crosstab's first sheet: those below the first
// row that has one of the fields. A cell without a value, as Tableau leaves it
// where it is that of the row above, counts as that. Source for the format:
// ECMA-376, part 1 (SpreadsheetML).
func readSheet(ctx context.Context, file io.ReaderAt, size int64, fields []string) (digest, error) {
	d := digest{Values: map[string]*values{}}
	archive, err := zip.NewReader(file, size)
	if err != nil {
		return d, fmt.Errorf("opening the workbook: %w", err)
	}
	var sheet, shared *zip.File
	for _, f := range archive.File {
		folder, name := path.Split(f.Name)
		switch {
		case f.Name == "xl/sharedStrings.xml":
			shared = f
		case folder == "xl/worksheets/" && path.Ext(name) == ".xml" && sheet != nil:
			return digest{}, errors.New("the workbook has several sheets")
		case folder == "xl/worksheets/" && path.Ext(name) == ".xml":
			sheet = f
		}
	}
	if sheet == nil {
		return d, errors.New("the workbook has no sheet")
	}
	texts, err := sharedTexts(ctx, shared)
	if err != nil {
		return d, err
	}
	hasher := sha256.New()
	kept := 0
	var above []string
	err = eachRow(ctx, sheet, texts, func(row []string) {
		if d.Header == nil {
			if slices.ContainsFunc(fields, func(name string) bool { return slices.Contains(row, name) }) {
				d.Header = slices.Clone(row)
				for _, name := range fields {
					if slices.Contains(row, name) {
						d.Values[name] = &values{Seen: map[string]bool{}}
					}
				}
			}
			return
		}
		for len(row) < len(d.Header) {
			row = append(row, "")
		}
		for i, value := range row {
			if value == "" && i < len(above) {
				row[i] = above[i]
			}
			if i < len(d.Header) && d.Values[d.Header[i]] != nil {
				d.Values[d.Header[i]].add(row[i], &kept)
			}
		}
		d.Rows++
		d.add(hasher, row)
		above = slices.Clone(row)
	})
	return d, err
}

// elements decodes a part of a workbook, with a bound on what it takes.
func elements(ctx context.Context, f *zip.File, each func(*xml.Decoder, xml.StartElement) error) (err error) {
	r, err := f.Open()
	if err != nil {
		return fmt.Errorf("opening %s: %w", f.Name, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	limited := &recordReader{r: contextReader{ctx, io.LimitReader(r, maxSheetBytes+1)}}
	decoder := xml.NewDecoder(limited)
	read := int64(0)
	for {
		read += int64(limited.since)
		limited.since = 0
		if read > maxSheetBytes {
			return errSheetTooLarge
		}
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", f.Name, err)
		}
		if start, ok := token.(xml.StartElement); ok {
			if err := each(decoder, start); err != nil {
				return err
			}
		}
	}
}

// richText is a text in a cell or shared by several, in one or more runs.
type richText struct {
	Text string `xml:"t"`
	Runs []struct {
		Text string `xml:"t"`
	} `xml:"r"`
}

func (t richText) String() string {
	var b strings.Builder
	b.WriteString(t.Text)
	for _, r := range t.Runs {
		b.WriteString(r.Text)
	}
	return b.String()
}

func sharedTexts(ctx context.Context, f *zip.File) ([]string, error) {
	if f == nil {
		return nil, nil
	}
	var texts []string
	kept := 0
	err := elements(ctx, f, func(decoder *xml.Decoder, start xml.StartElement) error {
		if start.Name.Local != "si" {
			return nil
		}
		var t richText
		if err := decoder.DecodeElement(&t, &start); err != nil {
			return fmt.Errorf("reading the shared texts: %w", err)
		}
		text := t.String()
		if kept += len(text) + 16; kept > maxSharedTexts {
			return errSheetTooLarge
		}
		texts = append(texts, text)
		return nil
	})
	return texts, err
}

func eachRow(ctx context.Context, f *zip.File, texts []string, row func([]string)) error {
	return elements(ctx, f, func(decoder *xml.Decoder, start xml.StartElement) error {
		if start.Name.Local != "row" {
			return nil
		}
		var r struct {
			Cells []struct {
				Ref    string   `xml:"r,attr"`
				Kind   string   `xml:"t,attr"`
				Value  string   `xml:"v"`
				Inline richText `xml:"is"`
			} `xml:"c"`
		}
		if err := decoder.DecodeElement(&r, &start); err != nil {
			return fmt.Errorf("reading a row: %w", err)
		}
		var out []string
		for i, c := range r.Cells {
			column := i
			if c.Ref != "" {
				column = columnOf(c.Ref)
			}
			if column < 0 || column >= maxColumns {
				return errSheetTooLarge
			}
			for len(out) <= column {
				out = append(out, "")
			}
			switch c.Kind {
			case "s":
				n, err := strconv.Atoi(c.Value)
				if err != nil || n < 0 || n >= len(texts) {
					return errors.New("reading a row: there is no such shared text")
				}
				out[column] = texts[n]
			case "inlineStr":
				out[column] = c.Inline.String()
			default:
				out[column] = c.Value
			}
		}
		if len(out) > 0 {
			row(out)
		}
		return nil
	})
}

// columnOf gives the number of a cell's column, from 0: that of "AB12" is 27.
func columnOf(ref string) int {
	n := 0
	for _, r := range ref {
		if r < 'A' || r > 'Z' {
			break
		}
		if n = 26*n + int(r-'A') + 1; n > maxColumns {
			return -1
		}
	}
	return n - 1
}
