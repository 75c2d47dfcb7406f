package verify

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/vizpost/vizpost/internal/tableau"
)

// pictures looks at filters by what pictures of the view show.
func (k *check) pictures(ctx context.Context, filters []tableau.Filter) (report, error) {
	from := source{view: k.subject.View, customViewID: k.subject.CustomViewID}
	out := report{on: from.view.Name}
	key := k.key(from, "pictures", nil, kinds(filters))
	release, err := k.hold(ctx, key)
	if err != nil {
		return out, err
	}
	defer release()
	var before known
	if _, err := k.recall(ctx, key, &before); err != nil {
		return out, err
	}
	if before.Fields == nil {
		before.Fields = map[string]finding{}
	}
	var open []tableau.Filter
	for _, f := range filters {
		got, ok := before.Fields[nameAndKind(f)]
		if !ok || k.saving && got.Verdict != Applied {
			open = append(open, f)
		}
	}
	if len(open) > 0 {
		seen, err := k.compare(ctx, from, open)
		switch why := (*noData)(nil); {
		case errors.As(err, &why):
			return k.unknown(filters, why.message), nil
		case err != nil:
			return out, err
		}
		for i, f := range open {
			before.Fields[nameAndKind(f)] = seen[i]
		}
		if !slices.ContainsFunc(seen, func(f finding) bool { return f.Verdict == NotApplied }) {
			if err := k.remember(ctx, key, before); err != nil {
				return out, err
			}
		}
	}
	for _, f := range filters {
		out.findings = append(out.findings, before.Fields[nameAndKind(f)])
	}
	return out, nil
}

// compare takes pictures without a filter, with each, and last without one
// again: only if those without are the same, a difference is the filter's.
func (k *check) compare(ctx context.Context, from source, filters []tableau.Filter) ([]finding, error) {
	before, err := k.picture(ctx, from, nil)
	if err != nil {
		return nil, err
	}
	out := make([]finding, len(filters))
	for i, f := range filters {
		with, err := k.picture(ctx, from, []tableau.Filter{f})
		switch {
		case err != nil:
			return nil, err
		case with != before:
			out[i] = found(f, Applied, "The picture is another one with the filter on %s, and the same without it each time.", quoted(f.Field))
			continue
		}
		if out[i], err = k.otherPicture(ctx, from, f, before); err != nil {
			return nil, err
		}
	}
	control, err := k.picture(ctx, from, []tableau.Filter{{Field: controlField, Values: []string{"x"}}})
	switch {
	case err != nil && !refused(err):
		return nil, err
	case err != nil || control != before:
		for i, f := range filters {
			out[i] = found(f, Unknown, "Two pictures of the view without filters differ, so that one with a filter says nothing.")
		}
	}
	return out, nil
}

// otherPicture decides where a picture is the same with and without a filter.
func (k *check) otherPicture(ctx context.Context, from source, f tableau.Filter, before [sha256.Size]byte) (finding, error) {
	what := "filter"
	if f.IsParameter() {
		what = "parameter"
	}
	same := fmt.Sprintf("The picture is the same with the %s and without it.", what)
	if f.IsParameter() {
		same += " The parameter may have this value already, or another name."
	}
	other, ok := another(f)
	if !ok {
		return found(f, Unknown, "%s", same), nil
	}
	with, err := k.picture(ctx, from, []tableau.Filter{other})
	switch {
	case refused(err):
		return found(f, Unknown, "%s Tableau refused another value.", same), nil
	case err != nil:
		return finding{}, err
	case with != before:
		return found(f, Applied, "The picture is the same with the %s, and another one with another value.", what), nil
	case f.IsParameter():
		return found(f, Unknown, "%s", same), nil
	default:
		return found(f, NotApplied, "The picture is the same without the filter, with it, and with another value."), nil
	}
}

// picture takes a picture and gives what tells it from others.
func (k *check) picture(ctx context.Context, from source, filters []tableau.Filter) ([sha256.Size]byte, error) {
	request := k.request(from, filters)
	request.Format = tableau.PNG
	var got [sha256.Size]byte
	var unreadable error
	err := k.do(ctx, func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
		if err := session.Supports(request); err != nil {
			return err
		}
		r, w := io.Pipe()
		done := make(chan error, 1)
		go func() {
			var err error
			got, err = pixels(r)
			_ = r.CloseWithError(err)
			done <- err
		}()
		_, err := client.Export(ctx, session, request, w)
		_ = w.CloseWithError(err)
		unreadable = <-done
		if unreadable != nil && !errors.As(unreadable, new(*tableau.Error)) {
			return nil
		}
		unreadable = nil
		return err
	})
	switch why := (*tableau.Error)(nil); {
	case unreadable != nil:
		return got, &noData{"The view's picture cannot be compared.", unreadable}
	case errors.As(err, &why) && unavailable(why):
		return got, &noData{why.Message(), err}
	}
	return got, err
}

const maxPixelBytes = 1 << 30 // unpacked; a picture of 16,000 by 16,000 has as many

// pixels reads a PNG and gives the sum of what it shows, as it arrives: the
// same for pictures that differ only in what is told about them, such as when
// they were made.
func pixels(r io.Reader) (sum [sha256.Size]byte, err error) {
	const signature = "\x89PNG\r\n\x1a\n"
	begin := make([]byte, len(signature))
	if _, err := io.ReadFull(r, begin); err != nil {
		return sum, fmt.Errorf("reading a picture: %w", err)
	}
	if string(begin) != signature {
		return sum, errors.New("reading a picture: it is no PNG")
	}
	shown := sha256.New()
	data := &chunks{r: r, others: shown}
	inflated, err := zlib.NewReader(data)
	if err != nil {
		return sum, fmt.Errorf("reading a picture: %w", err)
	}
	n, err := io.Copy(shown, io.LimitReader(inflated, maxPixelBytes))
	switch {
	case err != nil:
		return sum, fmt.Errorf("reading a picture: %w", err)
	case n == maxPixelBytes:
		return sum, errors.New("reading a picture: it is too large")
	}
	if _, err := io.Copy(io.Discard, data); err != nil {
		return sum, fmt.Errorf("reading a picture: %w", err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil { // what follows its end
		return sum, fmt.Errorf("reading a picture: %w", err)
	}
	return [sha256.Size]byte(shown.Sum(nil)), nil
}

// chunks reads the image data of a PNG, chunk by chunk, and gives its size,
// palette and transparency to others.
type chunks struct {
	r      io.Reader
	others io.Writer
	left   uint32 // of the chunk of image data that is being read
	within bool
	ended  bool
}

func (c *chunks) Read(p []byte) (int, error) {
	for c.left == 0 {
		if c.ended {
			return 0, io.EOF
		}
		err := c.next()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}
	}
	n, err := c.r.Read(p[:min(len(p), int(c.left))])
	c.left -= uint32(n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (c *chunks) next() error {
	if c.within { // the check sum of the one before
		if _, err := io.CopyN(io.Discard, c.r, 4); err != nil {
			return err
		}
		c.within = false
	}
	var head [8]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return err
	}
	length, kind := binary.BigEndian.Uint32(head[:4]), head[4:]
	switch {
	case bytes.Equal(kind, []byte("IDAT")):
		c.left, c.within = length, true
		return nil
	case bytes.Equal(kind, []byte("IEND")):
		c.ended = true
	}
	into := io.Discard
	if slices.Contains([]string{"IHDR", "PLTE", "tRNS"}, string(kind)) {
		into = c.others
	}
	if _, err := io.CopyN(into, c.r, int64(length)); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, c.r, 4)
	return err
}
