package drawing

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strconv"
	"time"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"codeberg.org/go-pdf/fpdf"
	xfont "golang.org/x/image/font"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// pdfMargin is the white border of a printed page.
const pdfMargin = 36 * vg.Length(1)

// Sheet is one page of a PDF: what it shows, and the size in pixels at which
// it is laid out before it is fitted to the paper.
type Sheet struct {
	Page Page
	Size Size
}

// Paper is the size of the paper in points of 1/72 inch, upright or lying as
// it is to be printed.
type Paper struct{ Width, Height float64 }

// PaperFor returns the paper on which a picture of the given size fits without
// scaling: 0.75 points a pixel and half an inch of margin on each side. It is
// what Tableau does for the page type Unspecified.
func PaperFor(size Size) Paper {
	return Paper{
		Width:  0.75*float64(size.Width) + float64(2*pdfMargin),
		Height: 0.75*float64(size.Height) + float64(2*pdfMargin),
	}
}

// Printable returns the size in pixels of the paper within its margins, for
// sheets that fill the page that they are printed on.
func (p Paper) Printable() Size {
	return Size{
		Width:  int((p.Width - float64(2*pdfMargin)) / 0.75),
		Height: int((p.Height - float64(2*pdfMargin)) / 0.75),
	}
}

// Titled says what a document is called and when it was made.
type Titled struct {
	Title string
	Made  time.Time
}

// PDF writes one page for each sheet, each on the same paper, scaled down to
// fit. Text stays text, and lines stay lines.
func PDF(w io.Writer, about Titled, paper Paper, sheets []Sheet) error {
	size := fpdf.SizeType{Wd: paper.Width, Ht: paper.Height}
	doc := fpdf.NewCustom(&fpdf.InitType{UnitStr: "pt", Size: size})
	doc.SetAutoPageBreak(false, 0)
	doc.SetCatalogSort(true)
	doc.SetTitle(about.Title, true)
	doc.SetProducer("Tableau stand-in", true)
	doc.SetCreationDate(about.Made)
	doc.SetModificationDate(about.Made)
	doc.AddUTF8FontFromBytes(pdfFont, "", liberationsansregular.TTF)
	doc.AddUTF8FontFromBytes(pdfFont, "B", liberationsansbold.TTF)

	for _, sheet := range sheets {
		doc.AddPageFormat("P", size)
		canvas := &pdfCanvas{doc: doc, height: paper.Height, states: []pdfState{{color: color.Black}}}
		width, height := vg.Length(sheet.Size.Width)*px, vg.Length(sheet.Size.Height)*px
		scale := min(1,
			(vg.Length(paper.Width)-2*pdfMargin)/width,
			(vg.Length(paper.Height)-2*pdfMargin)/height)
		canvas.Push()
		canvas.Translate(vg.Point{
			X: (vg.Length(paper.Width) - width*scale) / 2,
			Y: vg.Length(paper.Height) - pdfMargin - height*scale,
		})
		canvas.Scale(float64(scale), float64(scale))
		paint(canvas, sheet.Page, sheet.Size)
		canvas.Pop()
	}
	if err := doc.Output(w); err != nil {
		return fmt.Errorf("writing the PDF: %w", err)
	}
	return nil
}

const pdfFont = "liberation"

// pdfCanvas draws into a PDF. Unlike gonum's own PDF canvas it embeds the
// fonts as subsets with Unicode text, so accented names and bold text come out
// right and a page takes kilobytes rather than half a megabyte.
type pdfCanvas struct {
	doc    *fpdf.Fpdf
	height float64 // of the page: fpdf counts downwards from its top
	states []pdfState
	images int
}

type pdfState struct {
	color  color.Color
	width  vg.Length
	dashes []float64
	offset float64
}

var _ vg.Canvas = (*pdfCanvas)(nil)

func (c *pdfCanvas) state() *pdfState { return &c.states[len(c.states)-1] }

func (c *pdfCanvas) SetLineWidth(w vg.Length) { c.state().width = w }

func (c *pdfCanvas) SetLineDash(pattern []vg.Length, offset vg.Length) {
	dashes := make([]float64, len(pattern))
	for i, d := range pattern {
		dashes[i] = d.Points()
	}
	c.state().dashes, c.state().offset = dashes, offset.Points()
}

func (c *pdfCanvas) SetColor(col color.Color) {
	if col == nil {
		col = color.Black
	}
	c.state().color = col
}

func (c *pdfCanvas) Rotate(rad float64) {
	sin, cos := math.Sincos(rad)
	c.doc.Transform(fpdf.TransformMatrix{A: cos, B: sin, C: -sin, D: cos})
}

func (c *pdfCanvas) Translate(pt vg.Point) {
	c.doc.Transform(fpdf.TransformMatrix{A: 1, D: 1, E: pt.X.Points(), F: pt.Y.Points()})
}

func (c *pdfCanvas) Scale(x, y float64) {
	c.doc.Transform(fpdf.TransformMatrix{A: x, D: y})
}

func (c *pdfCanvas) Push() {
	c.states = append(c.states, *c.state())
	c.doc.TransformBegin()
}

func (c *pdfCanvas) Pop() {
	c.doc.TransformEnd()
	c.states = c.states[:len(c.states)-1]
}

// use writes the colour into the document. The document restores its own state
// at the end of each transformation and forgets that it did, so the state is
// written before each mark.
func (c *pdfCanvas) use() {
	n := color.NRGBAModel.Convert(c.state().color).(color.NRGBA)
	r, g, b := int(n.R), int(n.G), int(n.B)
	c.doc.SetFillColor(r, g, b)
	c.doc.SetDrawColor(r, g, b)
	c.doc.SetTextColor(r, g, b)
	c.doc.SetAlpha(float64(n.A)/255, "Normal")
}

func (c *pdfCanvas) Stroke(p vg.Path) {
	if c.state().width <= 0 {
		return
	}
	c.use()
	c.doc.SetLineWidth(c.state().width.Points())
	c.doc.SetDashPattern(c.state().dashes, c.state().offset)
	c.trace(p)
	c.doc.DrawPath("D")
}

func (c *pdfCanvas) Fill(p vg.Path) {
	c.use()
	c.trace(p)
	c.doc.DrawPath("F")
}

func (c *pdfCanvas) trace(p vg.Path) {
	drawn := false
	for _, part := range p {
		x, y := c.at(part.Pos)
		switch part.Type {
		case vg.MoveComp:
			c.doc.MoveTo(x, y)
			drawn = true
		case vg.LineComp:
			c.doc.LineTo(x, y)
		case vg.CurveComp:
			x0, y0 := c.at(part.Control[0])
			if len(part.Control) == 1 {
				// The quadratic curve as a cubic one.
				from := vg.Point{X: vg.Length(c.doc.GetX()), Y: vg.Length(c.height - c.doc.GetY())}
				third := func(end vg.Point) vg.Point { return end.Add(part.Control[0].Sub(end).Scale(2. / 3)) }
				ax, ay := c.at(third(from))
				bx, by := c.at(third(part.Pos))
				c.doc.CurveBezierCubicTo(ax, ay, bx, by, x, y)
				continue
			}
			x1, y1 := c.at(part.Control[1])
			c.doc.CurveBezierCubicTo(x0, y0, x1, y1, x, y)
		case vg.ArcComp:
			c.arc(part, drawn)
			drawn = true
		case vg.CloseComp:
			c.doc.ClosePath()
		}
	}
}

// arc draws part of a circle as Bézier curves of at most a quarter each.
func (c *pdfCanvas) arc(part vg.PathComp, drawn bool) {
	on := func(angle float64) vg.Point {
		sin, cos := math.Sincos(angle)
		return part.Pos.Add(vg.Point{X: vg.Length(cos), Y: vg.Length(sin)}.Scale(part.Radius))
	}
	x, y := c.at(on(part.Start))
	if drawn {
		c.doc.LineTo(x, y)
	} else {
		c.doc.MoveTo(x, y)
	}
	n := int(math.Ceil(math.Abs(part.Angle) / (math.Pi / 2)))
	step := part.Angle / float64(n)
	handle := part.Radius * vg.Length(4./3*math.Tan(step/4))
	tangent := func(angle float64) vg.Point {
		sin, cos := math.Sincos(angle)
		return vg.Point{X: vg.Length(-sin), Y: vg.Length(cos)}.Scale(handle)
	}
	for i := range n {
		a, b := part.Start+float64(i)*step, part.Start+float64(i+1)*step
		x0, y0 := c.at(on(a).Add(tangent(a)))
		x1, y1 := c.at(on(b).Sub(tangent(b)))
		x, y := c.at(on(b))
		c.doc.CurveBezierCubicTo(x0, y0, x1, y1, x, y)
	}
}

func (c *pdfCanvas) FillString(face font.Face, pt vg.Point, txt string) {
	if face.Font.Size <= 0 {
		return
	}
	style := ""
	if face.Font.Weight >= xfont.WeightBold {
		style = "B"
	}
	c.use()
	c.doc.SetFont(pdfFont, style, face.Font.Size.Points())
	x, y := c.at(pt)
	c.doc.Text(x, y, txt)
}

func (c *pdfCanvas) DrawImage(rect vg.Rectangle, img image.Image) {
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		c.doc.SetError(fmt.Errorf("encoding a picture of the page: %w", err))
		return
	}
	c.images++
	name := strconv.Itoa(c.doc.PageNo()) + "-" + strconv.Itoa(c.images)
	options := fpdf.ImageOptions{ImageType: "png"}
	c.doc.RegisterImageOptionsReader(name, options, &buf)
	x, y := c.at(vg.Point{X: rect.Min.X, Y: rect.Max.Y})
	c.doc.ImageOptions(name, x, y, rect.Size().X.Points(), rect.Size().Y.Points(), false, options, 0, "")
}

// at turns a point, counted from the lower left, into fpdf's coordinates.
func (c *pdfCanvas) at(pt vg.Point) (x, y float64) {
	return pt.X.Points(), c.height - pt.Y.Points()
}

// EmptyPDF writes a document of one page with nothing on it.
func EmptyPDF(w io.Writer, paper Paper) error {
	doc := fpdf.NewCustom(&fpdf.InitType{UnitStr: "pt", Size: fpdf.SizeType{Wd: paper.Width, Ht: paper.Height}})
	doc.AddPage()
	if err := doc.Output(w); err != nil {
		return fmt.Errorf("writing the PDF: %w", err)
	}
	return nil
}
