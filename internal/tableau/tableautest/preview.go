package tableautest

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"slices"
	"time"

	xdraw "golang.org/x/image/draw"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

func (c *call) viewPreview() reply {
	w, refused := c.workbook()
	if refused.status != 0 {
		return refused
	}
	v, refused := c.view()
	if refused.status != 0 {
		return refused
	}
	if !slices.Contains(w.Views, v) {
		return failure(404011, "View '%s' could not be found.", v.ID)
	}
	return c.server.preview(c.request.Context(), v)
}

func (c *call) workbookPreview() reply {
	w, refused := c.workbook()
	if refused.status != 0 {
		return refused
	}
	return c.server.preview(c.request.Context(), w.Views[0])
}

// preview is the view's picture of a day ago at most, reduced to the square of
// Tableau's thumbnails, which do not need the view's data sources.
func (s *Server) preview(ctx context.Context, v *sample.View) reply {
	const side = 192
	key, now := "preview "+v.ID, s.clock()
	e := export{format: "png", views: []*sample.View{v}, scale: 1, maxAge: 24 * time.Hour}
	if body, ok := s.cache.get(key, now, e.maxAge); ok {
		return e.reply(body)
	}
	out := s.make(ctx, e)
	if out.file == nil {
		return out
	}
	full, err := png.Decode(bytes.NewReader(out.file.body))
	if err != nil {
		return failure(400048, "There was a problem querying the preview image for view '%s'.", v.ID)
	}
	small := image.NewRGBA(image.Rect(0, 0, side, side))
	xdraw.Draw(small, small.Bounds(), image.NewUniform(color.White), image.Point{}, xdraw.Src)
	width, height := full.Bounds().Dx(), full.Bounds().Dy()
	to := image.Rect(0, 0, side, side*height/width)
	to = to.Add(image.Pt(0, (side-to.Dy())/2))
	xdraw.CatmullRom.Scale(small, to, full, full.Bounds(), xdraw.Src, nil)
	var buf bytes.Buffer
	if err := png.Encode(&buf, small); err != nil {
		return failure(400048, "There was a problem querying the preview image for view '%s'.", v.ID)
	}
	s.cache.put(key, now, buf.Bytes())
	return e.reply(buf.Bytes())
}
