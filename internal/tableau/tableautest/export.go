package tableautest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/drawing"
	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

// Content types of exports.
const (
	typePNG  = "image/png"
	typeSVG  = "image/svg+xml"
	typePDF  = "application/pdf"
	typeCSV  = "text/csv;charset=UTF-8"
	typeXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	typePPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
)

const (
	// defaultMaxAge is how old a result may be where the client does not say.
	defaultMaxAge = time.Hour
	// maxSide and maxPixels bound the memory that one picture can take.
	maxSide   = 4000
	maxPixels = 16_000_000
)

// export is what one export call asks for.
type export struct {
	format  string
	views   []*sample.View
	query   sample.Query
	size    drawing.Size // zero for the view's own
	scale   int
	paper   string // page type, and below whether it lies
	lying   bool
	maxAge  time.Duration
	subject string // what errors name
	whole   bool   // a workbook rather than a view
}

// key is the same for exports whose results are the same.
func (e export) key() string {
	ids := make([]string, len(e.views))
	for i, v := range e.views {
		ids[i] = v.ID
	}
	// In the syntax of Go, which quotes all that a value can hold, and of the whole
	// query, so that nothing that it has or will have is left out.
	return fmt.Sprintf("%s %s %#v %v %d %s %t", e.format, ids, e.query, e.size, e.scale, e.paper, e.lying)
}

func (c *call) viewImage() reply {
	e, refused := c.viewExport("png")
	if refused.status != 0 {
		return refused
	}
	if !c.version.before(version{3, 23}) {
		if e.size, refused = c.vizSize(2); refused.status != 0 {
			return refused
		}
	}
	return c.image(e)
}

// image reads what only pictures have, and exports.
func (c *call) image(e export) reply {
	switch value := c.query.Get("resolution"); value {
	case "":
	case "high":
		e.scale = 2
	default:
		return failure(400010, "The value '%s' of the parameter resolution is not valid.", value)
	}
	svgSince := version{3, 29}
	switch format := strings.ToLower(c.query.Get("format")); {
	// Servers that do not know the parameter ignore it.
	case format == "" || format == "png" || c.server.version.before(svgSince):
	case format == "svg" && c.version.before(svgSince):
		return failure(400000, "SVG export requires API version 3.29 or later")
	case format == "svg":
		e.format = "svg"
	case !c.version.before(svgSince):
		return failure(400010, "The value '%s' of the parameter format is not valid.", format)
	}
	return c.server.export(c.request.Context(), e)
}

func (c *call) viewPDF() reply {
	e, refused := c.viewExport("pdf")
	if refused.status != 0 {
		return refused
	}
	return c.pdf(e)
}

// pdf reads what only PDFs have, and exports.
func (c *call) pdf(e export) reply {
	var refused reply
	if e.size, refused = c.vizSize(1); refused.status != 0 {
		return refused
	}
	if e.paper = strings.ToLower(c.query.Get("type")); e.paper == "" {
		e.paper = "letter"
	}
	if _, known := papers()[e.paper]; !known && e.paper != unspecified {
		return failure(400010, "The value '%s' of the parameter type is not valid.", e.paper)
	}
	switch orientation := strings.ToLower(c.query.Get("orientation")); orientation {
	case "", "portrait":
	case "landscape":
		e.lying = true
	default:
		return failure(400010, "The value '%s' of the parameter orientation is not valid.", orientation)
	}
	return c.server.export(c.request.Context(), e)
}

const unspecified = "unspecified"

// papers are the page types in points, upright.
func papers() map[string]drawing.Paper {
	return map[string]drawing.Paper{
		"a3":        {Width: 842, Height: 1191},
		"a4":        {Width: 595, Height: 842},
		"a5":        {Width: 420, Height: 595},
		"b4":        {Width: 729, Height: 1032},
		"b5":        {Width: 516, Height: 729},
		"executive": {Width: 522, Height: 756},
		"folio":     {Width: 612, Height: 936},
		"ledger":    {Width: 1224, Height: 792},
		"legal":     {Width: 612, Height: 1008},
		"letter":    {Width: 612, Height: 792},
		"note":      {Width: 540, Height: 720},
		"quarto":    {Width: 610, Height: 780},
		"tabloid":   {Width: 792, Height: 1224},
	}
}

func (c *call) viewData() reply {
	e, refused := c.viewExport("csv")
	if refused.status != 0 {
		return refused
	}
	return c.server.export(c.request.Context(), e)
}

func (c *call) viewCrosstab() reply {
	e, refused := c.viewExport("xlsx")
	if refused.status != 0 {
		return refused
	}
	return c.server.export(c.request.Context(), e)
}

func (c *call) workbookPDF() reply {
	e, refused := c.workbookExport("pdf")
	if refused.status != 0 {
		return refused
	}
	if c.version.before(version{3, 23}) {
		e.query = sample.Query{Language: e.query.Language}
	}
	if c.version.before(version{3, 26}) {
		delete(c.query, "vizWidth")
	}
	return c.pdf(e)
}

func (c *call) workbookPowerPoint() reply {
	e, refused := c.workbookExport("pptx")
	if refused.status != 0 {
		return refused
	}
	e.query = sample.Query{}
	return c.server.export(c.request.Context(), e)
}

func (c *call) viewExport(format string) (export, reply) {
	v, refused := c.view()
	if refused.status != 0 {
		return export{}, refused
	}
	return c.newExport(format, v.ID, v)
}

// workbookExport takes all sheets that the user may read, or the first where the
// workbook does not show its sheets as tabs.
func (c *call) workbookExport(format string) (export, reply) {
	w, refused := c.workbook()
	if refused.status != 0 {
		return export{}, refused
	}
	views := c.viewsOf(w)
	if len(views) == 0 { // hidden since the workbook was found
		return export{}, failure(403004, "The user is not authorized to perform this operation on workbook '%s'.", w.ID)
	}
	if !w.ShowTabs {
		views = views[:1]
	}
	e, refused := c.newExport(format, w.ID, views...)
	e.whole = true
	return e, refused
}

func (c *call) newExport(format, subject string, views ...*sample.View) (export, reply) {
	e := export{format: format, views: views, subject: subject, scale: 1, maxAge: defaultMaxAge}
	if text := c.query.Get("maxAge"); text != "" {
		minutes, err := strconv.Atoi(text)
		if err != nil || minutes < 0 {
			return export{}, failure(400008, "The value '%s' of the parameter maxAge is not valid.", text)
		}
		e.maxAge = time.Duration(max(1, minutes)) * time.Minute
	}
	if !c.server.trouble(views[0]).IgnoresFilters {
		var equal bool
		if e.query, equal = viewQuery(c.query); !equal && !c.server.unequal {
			return export{}, failure(400000, "The filters do not all have the same number of values.")
		}
	}
	e.query.Language = sample.LanguageOf(c.query.Get("language"))
	return e, reply{}
}

// vizSize reads vizWidth and vizHeight, which count only together.
func (c *call) vizSize(scale int) (drawing.Size, reply) {
	if c.query.Get("vizWidth") == "" || c.query.Get("vizHeight") == "" {
		return drawing.Size{}, reply{}
	}
	var sides [2]int
	for i, name := range []string{"vizWidth", "vizHeight"} {
		n, err := strconv.Atoi(c.query.Get(name))
		if err != nil || n < 1 || n > maxSide {
			return drawing.Size{}, failure(400010, "The value '%s' of the parameter %s is not valid.", c.query.Get(name), name)
		}
		sides[i] = n
	}
	if sides[0]*sides[1]*scale*scale > maxPixels {
		return drawing.Size{}, failure(400010, "The picture would be larger than this server draws.")
	}
	return drawing.Size{Width: sides[0], Height: sides[1]}, reply{}
}

// export makes the file, or takes it from the cache where that has one that is
// young enough. It refuses where something is wrong with the views.
func (s *Server) export(ctx context.Context, e export) reply {
	if refused := s.troubled(e); refused.status != 0 {
		return refused
	}
	return s.make(ctx, e)
}

// make makes the file whatever is wrong with its views.
func (s *Server) make(ctx context.Context, e export) reply {
	now := s.clock()
	if body, ok := s.cache.get(e.key(), now, e.maxAge); ok {
		out := e.reply(body)
		out.file.cached = true
		return out
	}
	select {
	case s.drawing <- struct{}{}:
		defer func() { <-s.drawing }()
	case <-ctx.Done():
		return failure(500000, "The request was given up.")
	}
	var out bytes.Buffer
	if e.format == "xlsx" && len(e.views[0].Table(s.orders, e.query).Rows) == 0 {
		return failure(400130, "There was a problem querying the crosstab for view '%s'.", e.subject)
	}
	if err := s.render(&out, e, now); err != nil {
		return failure(500000, "The export failed.")
	}
	s.cache.put(e.key(), now, out.Bytes())
	return e.reply(out.Bytes())
}

func (e export) reply(body []byte) reply {
	types := map[string]string{"png": typePNG, "svg": typeSVG, "pdf": typePDF, "csv": typeCSV, "xlsx": typeXLSX, "pptx": typePPTX}
	out := answer()
	out.file = &file{format: e.format, contentType: types[e.format], body: body}
	return out
}

// render writes the file as it looks at the given time.
func (s *Server) render(w io.Writer, e export, at time.Time) error {
	first := e.views[0]
	switch e.format {
	case "csv":
		return first.Table(s.orders, e.query).CSV(w)
	case "xlsx":
		return first.Table(s.orders, e.query).XLSX(w)
	case "svg":
		return drawing.SVG(w, first.Page(s.orders, e.query, at), e.sizeOf(first))
	case "pdf":
		return s.renderPDF(w, e, at)
	case "pptx":
		sheets := make([]drawing.Sheet, len(e.views))
		for i, v := range e.views {
			sheets[i] = drawing.Sheet{Page: v.Page(s.orders, e.query, at), Size: v.Size}
		}
		return drawing.PPTX(w, first.Workbook.Name, sheets)
	default:
		return drawing.PNG(w, first.Page(s.orders, e.query, at), e.sizeOf(first), e.scale)
	}
}

// sizeOf is the size of a view in pixels: that of a dashboard is fixed, that of
// a worksheet as asked.
func (e export) sizeOf(v *sample.View) drawing.Size {
	if v.Fixed || e.size == (drawing.Size{}) {
		return v.Size
	}
	return e.size
}

func (s *Server) renderPDF(w io.Writer, e export, at time.Time) error {
	paper, known := papers()[e.paper]
	if !known {
		paper = drawing.PaperFor(e.sizeOf(e.views[0]))
	} else if e.lying {
		paper = drawing.Paper{Width: paper.Height, Height: paper.Width}
	}
	title := e.views[0].Name
	if len(e.views) > 1 {
		title = e.views[0].Workbook.Name
	}
	sheets := make([]drawing.Sheet, len(e.views))
	for i, v := range e.views {
		size := e.sizeOf(v)
		// A worksheet without a size of its own fills the page.
		if known && !v.Fixed && e.size == (drawing.Size{}) {
			size = paper.Printable()
		}
		sheets[i] = drawing.Sheet{Page: v.Page(s.orders, e.query, at), Size: size}
	}
	return drawing.PDF(w, drawing.Titled{Title: title, Made: at}, paper, sheets)
}
