package drawing

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Measures of the layout, in pixels.
const (
	margin     = 20 * px
	gap        = 12 * px
	padding    = 14 * px
	tileHeight = 88 * px
	footHeight = 24 * px
)

func (p Page) paint(c draw.Canvas) {
	background := white
	if p.Dashboard {
		background = ground
	}
	fill(c, background, c.Rectangle.Path())

	inner := draw.Crop(c, margin, -margin, 0, 0)
	head, rest := splitTop(inner, p.headHeight())
	p.paintHead(head)
	rest, foot := splitBottom(rest, footHeight)
	p.paintFoot(foot)

	// Tiles are left out where they would leave no room for the charts.
	if len(p.Tiles) > 0 && rest.Size().Y > tileHeight+150*px {
		var tiles draw.Canvas
		tiles, rest = splitTop(rest, tileHeight)
		for i, area := range columns(tiles, equal(len(p.Tiles))) {
			p.Tiles[i].paint(area)
		}
		rest = draw.Crop(rest, 0, 0, 0, -gap)
	}
	weights := make([]float64, len(p.Rows))
	for i, row := range p.Rows {
		weights[i] = row.Weight
	}
	for i, area := range rows(rest, weights) {
		shares := make([]float64, len(p.Rows[i].Cards))
		for j, card := range p.Rows[i].Cards {
			shares[j] = card.Weight
		}
		for j, box := range columns(area, shares) {
			p.Rows[i].Cards[j].paint(box, p.Dashboard)
		}
	}
}

func (p Page) headHeight() vg.Length {
	if p.Subtitle == "" {
		return 56 * px
	}
	return 72 * px
}

func (p Page) paintHead(c draw.Canvas) {
	title := bold(22, ink)
	baseline(c, title, c.Min.X, c.Max.Y-38*px, fit(title, p.Title, c.Size().X))
	sub := regular(13, muted)
	baseline(c, sub, c.Min.X, c.Max.Y-58*px, fit(sub, p.Subtitle, c.Size().X))
}

func (p Page) paintFoot(c draw.Canvas) {
	style := regular(10.5, muted)
	stamp := aligned(style, draw.XRight, draw.YBottom)
	y := c.Min.Y + 9*px
	baseline(c, stamp, c.Max.X, y, fit(style, p.Stamp, c.Size().X))
	room := c.Size().X - style.Width(p.Stamp) - 16*px
	baseline(c, style, c.Min.X, y, fit(style, p.Footer, room))
}

func (t Tile) paint(c draw.Canvas) {
	panel(c)
	in := draw.Crop(c, padding, -padding, 0, 0)
	label := regular(12, muted)
	if t.Change == "" {
		in = draw.Crop(in, 0, 0, 0, -11*px) // in the middle
	}
	baseline(in, label, in.Min.X, in.Max.Y-22*px, fit(label, t.Label, in.Size().X))
	value := bold(24, ink)
	baseline(in, value, in.Min.X, in.Max.Y-50*px, fit(value, t.Value, in.Size().X))

	left := in.Min.X + value.Width(t.Value) + 14*px
	if len(t.Trend) > 1 && in.Max.X-left > 40*px {
		spark(c, vg.Rectangle{
			Min: vg.Point{X: max(left, in.Max.X-84*px), Y: in.Max.Y - 52*px},
			Max: vg.Point{X: in.Max.X, Y: in.Max.Y - 26*px},
		}, t.Trend)
	}
	if t.Change == "" {
		return
	}
	tone := bad
	if t.Good {
		tone = good
	}
	y := in.Max.Y - 73*px
	arrow(c, vg.Point{X: in.Min.X + 4*px, Y: y + 3.8*px}, t.Rising, tone)
	change := regular(11, tone)
	baseline(in, change, in.Min.X+13*px, y, fit(change, t.Change, in.Size().X-13*px))
}

// arrow draws a small triangle round at.
func arrow(c draw.Canvas, at vg.Point, up bool, col Color) {
	h := 3.6 * px
	if !up {
		h = -h
	}
	var p vg.Path
	p.Move(vg.Point{X: at.X - 4*px, Y: at.Y - h})
	p.Line(vg.Point{X: at.X + 4*px, Y: at.Y - h})
	p.Line(vg.Point{X: at.X, Y: at.Y + h})
	p.Close()
	fill(c, col, p)
}

// spark draws a course without axes, with a dot at its end.
func spark(c draw.Canvas, r vg.Rectangle, values []float64) {
	low, high := span(values)
	if high == low {
		high = low + 1
	}
	at := func(i int) vg.Point {
		return vg.Point{
			X: r.Min.X + r.Size().X*vg.Length(i)/vg.Length(len(values)-1),
			Y: r.Min.Y + r.Size().Y*vg.Length((values[i]-low)/(high-low)),
		}
	}
	var p vg.Path
	p.Move(at(0))
	for i := 1; i < len(values); i++ {
		p.Line(at(i))
	}
	stroke(c, Blue.mix(white, 0.35), 1.5*px, p)
	dot(c, at(len(values)-1), 2.6*px, Blue)
}

func dot(c draw.Canvas, at vg.Point, radius vg.Length, col Color) {
	r := vg.Point{X: radius, Y: radius}
	fill(c, col, roundRect(vg.Rectangle{Min: at.Sub(r), Max: at.Add(r)}, radius))
}

// panel draws the white ground of a tile or card.
func panel(c draw.Canvas) {
	shape := roundRect(c.Rectangle, 6*px)
	fill(c, white, shape)
	stroke(c, edge, 1*px, shape)
}

func (card Card) paint(c draw.Canvas, framed bool) {
	in := c
	if framed {
		panel(c)
		in = draw.Crop(c, padding, -padding, padding-2*px, -padding)
	}
	head, body := splitTop(in, 24*px)
	if card.Title == "" {
		head, body = splitTop(in, 18*px)
	}
	x, y := head.Min.X, head.Max.Y-11*px
	if card.Title != "" {
		title := bold(13.5, ink)
		txt := fit(title, card.Title, head.Size().X)
		baseline(head, title, x, y, txt)
		x += title.Width(txt) + 8*px
	}
	right := head.Max.X
	if keys := card.Chart.keys(); keysWidth(keys) <= right-x {
		right -= keysWidth(keys)
		paintKeys(head, keys, right, y)
	} else {
		for _, line := range keyLines(keys, body.Size().X) {
			var row draw.Canvas
			row, body = splitTop(body, 17*px)
			paintKeys(row, line, row.Min.X, row.Max.Y-9*px)
		}
	}
	sub := regular(11, muted)
	if card.Subtitle != "" && x+sub.Width(card.Subtitle) < right-8*px {
		baseline(head, sub, x, y, card.Subtitle)
	}

	if card.Chart.empty() {
		note := aligned(regular(13, muted), draw.XCenter, draw.YBottom)
		middle(body, note, body.Center().X, body.Center().Y, "No data for this selection")
		return
	}
	card.Chart.paint(body)
}

// splitTop cuts a canvas height below its top.
func splitTop(c draw.Canvas, height vg.Length) (top, rest draw.Canvas) {
	all := c.Size().Y
	return draw.Crop(c, 0, 0, all-height, 0), draw.Crop(c, 0, 0, 0, -height)
}

// splitBottom cuts a canvas height above its bottom.
func splitBottom(c draw.Canvas, height vg.Length) (rest, bottom draw.Canvas) {
	all := c.Size().Y
	return draw.Crop(c, 0, 0, height, 0), draw.Crop(c, 0, 0, 0, height-all)
}

// columns divides a canvas from left to right by weight, with gaps.
func columns(c draw.Canvas, weights []float64) []draw.Canvas {
	parts := share(c.Size().X, weights)
	out := make([]draw.Canvas, len(parts))
	x := vg.Length(0)
	for i, width := range parts {
		out[i] = draw.Crop(c, x, x+width-c.Size().X, 0, 0)
		x += width + gap
	}
	return out
}

// rows divides a canvas from top to bottom by weight, with gaps.
func rows(c draw.Canvas, weights []float64) []draw.Canvas {
	parts := share(c.Size().Y, weights)
	out := make([]draw.Canvas, len(parts))
	y := vg.Length(0)
	for i, height := range parts {
		out[i] = draw.Crop(c, 0, 0, c.Size().Y-y-height, -y)
		y += height + gap
	}
	return out
}

func share(whole vg.Length, weights []float64) []vg.Length {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	room := whole - gap*vg.Length(len(weights)-1)
	out := make([]vg.Length, len(weights))
	for i, w := range weights {
		out[i] = room * vg.Length(w/sum)
	}
	return out
}

func equal(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = 1
	}
	return out
}
