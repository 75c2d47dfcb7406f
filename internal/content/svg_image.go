package content

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"strings"
)

// svgImage looks at the picture in an element's address while the address is
// read. One that is no PNG, or of whose pixels too many were looked at, counts as
// one that shows something; one that is damaged is refused.
type svgImage struct {
	ctx    context.Context
	shown  bool // something was seen: of pictures, only that they are whole
	pixels int  // that may still be looked at

	blank bool // the picture shows nothing
	head  int  // bytes of the address that are no data and have been read
	out   *io.PipeWriter
	found chan finding
}

const pngAddress = "data:image/png;base64,"

// read takes a piece of an address; begun is its beginning with this piece.
func (i *svgImage) read(begun, piece []byte, first, last bool) error {
	if first {
		i.blank, i.head = false, 0
		if err := i.close(); err != nil {
			return err
		}
	}
	if i.head < len(pngAddress) {
		n := min(len(piece), len(pngAddress)-i.head)
		i.head, piece = i.head+n, piece[n:]
		if i.head < len(pngAddress) || i.pixels <= 0 || !strings.EqualFold(string(begun[:len(pngAddress)]), pngAddress) {
			return nil
		}
		i.open()
	}
	if i.out == nil {
		return nil
	}
	// The reader ends with an error of its own, which is its finding.
	_, _ = i.out.Write(piece)
	if !last {
		return nil
	}
	return i.close()
}

func (i *svgImage) open() {
	in, out := io.Pipe()
	i.out, i.found = out, make(chan finding, 1)
	go func() {
		facts, err := lookAtPicture(i.ctx, base64.NewDecoder(base64.StdEncoding, withoutSpaces{in}), !i.shown)
		_, _ = io.Copy(io.Discard, in)
		i.found <- finding{facts, err}
	}()
}

// close waits for what was found.
func (i *svgImage) close() error {
	if i.out == nil {
		return nil
	}
	_ = i.out.Close()
	i.out = nil
	found := <-i.found
	i.blank = found.facts.Blank
	var corrupt base64.CorruptInputError
	if errors.As(found.err, &corrupt) { // written in a way that other readers may know
		return nil
	}
	i.pixels -= found.facts.Width * found.facts.Height
	return found.err
}

// withoutSpaces passes on all but spaces, which base64 may be broken by.
type withoutSpaces struct{ in io.Reader }

func (w withoutSpaces) Read(p []byte) (int, error) {
	n, err := w.in.Read(p)
	kept := 0
	for _, b := range p[:n] {
		if b != ' ' {
			p[kept] = b
			kept++
		}
	}
	return kept, err
}
