package content

import (
	"bytes"
	"slices"
)

// What of a picture shows on white paper, and whether it is more than nearly
// nothing. The rules are of distances from white, from 0 to 255, after what is
// transparent was laid on white.
//
// A pixel is a mark when it is further from white than its ground:
//
//   - nearWhite where the ground is white or nearly so;
//   - paleMark where the ground is pale: at least nine tenths of the picture have
//     one pale grey, up to paleGround from white, give or take two, or that grey and
//     white; or at least nine tenths of its squares of blockSide pixels are uneven
//     and of one pale mean, which is how noise and dithered paper look.
//
// The marks along the picture's edges are a border and do not count. Of the
// others, those that touch one another, also at corners, are one part. The picture
// is blank unless
//
//   - its largest part has minPart pixels, or a thirty-second of a tiny picture's,
//     but at least tinyPart; or the parts of more than two pixels have surePart
//     together: dots are content;
//   - and, where most of the marks are specks of one or two pixels, which is how
//     noise looks, its largest part has surePart pixels;
//   - and the marks are more than the lines of a frame, a grid or a pair of axes.
//
// So a line across a picture, a label or a tile of a single color is content, and
// a frame, a grid, dust or a faint pattern is not.
const (
	nearWhite  = 8
	paleGround = 16
	paleMark   = 24

	minPart  = 8
	tinyPart = 4
	surePart = 40

	blockSide = 8
)

// borderOf is how many pixels along each edge are border: a hundred-and-fiftieth of
// the shorter side, but from four to eight, and of a tiny picture an eighth.
func borderOf(width, height int) int {
	short := min(width, height)
	return min(max(short/150, 4), 8, short/8)
}

// ink looks at a picture row by row.
type ink struct {
	width, height int
	faint, strong inkParts          // by nearWhite and by paleMark
	pale          [paleMark + 1]int // greys near white, by their distance
	blocks        inkBlocks
	white         []byte // a row of nothing else
}

func newInk(width, height int) *ink {
	i := &ink{width: width, height: height}
	i.faint = inkParts{over: nearWhite, border: borderOf(width, height), width: width, height: height}
	i.faint.lines.thin = max(3, min(width, height)/500)
	i.strong = i.faint
	i.strong.over = paleMark
	i.blocks.columns = make([]inkBlock, width/blockSide)
	i.white = make([]byte, width)
	return i
}

// decided reports that something shows, whatever follows.
func (i *ink) decided() bool { return i.strong.sure && i.strong.lines.other }

// row takes the distances from white of the next row.
func (i *ink) row(distances []byte) {
	white := bytes.Equal(distances, i.white) // as most rows of sparse pictures are
	i.faint.row(distances, white)
	i.strong.row(distances, white)
	i.blocks.row(distances, white)
}

// grey counts a pixel of a shade of grey, or as good as one.
func (i *ink) grey(distance byte) {
	if distance <= paleMark {
		i.pale[distance]++
	}
}

// shows reports, after the last row, whether the picture has content.
func (i *ink) shows() bool {
	i.faint.finish()
	i.strong.finish()
	need := min(max(i.width*i.height/32, tinyPart), minPart)
	if i.onPaleGround() || i.blocks.uneven() {
		return i.strong.shows(need)
	}
	return i.faint.shows(need)
}

// onPaleGround reports whether nearly all is of one pale grey, or of white and
// enough of one pale grey to be a ground.
func (i *ink) onPaleGround() bool {
	white, all := 0, i.width*i.height
	for _, n := range i.pale[:nearWhite+1] {
		white += n
	}
	for ground := nearWhite - 2; ground <= paleGround; ground++ {
		near, with := 0, white
		for d := ground - 2; d <= ground+2; d++ {
			near += i.pale[d]
			if d > nearWhite {
				with += i.pale[d]
			}
		}
		if near*10 >= all*9 || near*10 >= all && with*10 >= all*9 {
			return true
		}
	}
	return false
}

// inkBlocks looks at a picture in squares.
type inkBlocks struct {
	y       int
	columns []inkBlock // of the current row of squares
	all     int
	means   [paleGround + 1]int // of uneven squares
}

type inkBlock struct {
	sum       int32
	low, high byte
}

func (b *inkBlocks) row(distances []byte, white bool) {
	for i := range b.columns {
		c := &b.columns[i]
		if b.y == 0 {
			*c = inkBlock{low: 255}
		}
		if white {
			c.low = 0
			continue
		}
		for _, d := range distances[i*blockSide : (i+1)*blockSide] {
			c.sum += int32(d)
			c.low, c.high = min(c.low, d), max(c.high, d)
		}
	}
	if b.y++; b.y < blockSide {
		return
	}
	b.y = 0
	b.all += len(b.columns)
	for _, c := range b.columns {
		if mean := c.sum / (blockSide * blockSide); c.low < c.high && mean <= paleGround {
			b.means[mean]++
		}
	}
}

// uneven reports whether nearly all squares are uneven and of one pale mean.
func (b *inkBlocks) uneven() bool {
	for mean := range b.means {
		near := 0
		for _, n := range b.means[max(mean-2, 0):min(mean+3, len(b.means))] {
			near += n
		}
		if near > 0 && near*10 >= b.all*9 {
			return true
		}
	}
	return false
}

// inkLines asks whether all marks are thin lines across and down that make a
// frame, a grid or a pair of axes: rows of one line, all of the same length, and
// between them rows that are all alike.
type inkLines struct {
	thin  int  // pixels of such a line, at most
	other bool // there is something else

	across  inkRun   // a line across, in pixels; none if it ends where it begins
	thick   int      // rows of the line across that was seen last
	down    []inkRun // the lines down
	downs   int      // rows that have them
	reaches bool     // a line across has been seen
}

// row takes the marks of a row of so many pixels.
func (l *inkLines) row(runs []inkRun, width int) {
	if l.other {
		return
	}
	thick := l.thick
	l.thick = 0
	switch {
	case len(runs) == 0:
	case len(runs) == 1 && int(runs[0].to-runs[0].from)*2 >= width:
		line := inkRun{from: runs[0].from, to: runs[0].to}
		l.thick = thick + 1
		l.other = l.thick > l.thin || l.reaches && l.across != line
		l.across, l.reaches = line, true
	default:
		l.downs++
		alike := func(a, b inkRun) bool { return a.from == b.from && a.to == b.to }
		if l.downs == 1 {
			l.down = append(l.down, runs[:min(len(runs), 256)]...)
		}
		l.other = !slices.EqualFunc(l.down, runs, alike)
		for _, run := range runs {
			l.other = l.other || int(run.to-run.from) > l.thin
		}
	}
}

// only reports that there is nothing else, in a picture of so many rows.
func (l *inkLines) only(height int) bool {
	if l.other || !l.reaches || l.downs*4 < height {
		return false
	}
	return l.down[0].from >= l.across.from && l.down[len(l.down)-1].to <= l.across.to
}

// inkParts finds the parts of a picture: it holds no more of it than the marks of
// two rows.
type inkParts struct {
	over          byte
	border        int
	width, height int

	y        int
	above    []inkRun // of the row before
	here     []inkRun
	parts    []inkPart // of both rows
	carried  []inkPart
	largest  int
	marks    int
	specks   int // marks in parts of one or two
	lines    inkLines
	sure     bool
	finished bool
}

// inkRun is marks side by side.
type inkRun struct{ from, to, part int32 }

type inkPart struct{ size, parent int32 }

func (p *inkParts) root(i int32) int32 {
	for p.parts[i].parent != i {
		p.parts[i].parent = p.parts[p.parts[i].parent].parent
		i = p.parts[i].parent
	}
	return i
}

func (p *inkParts) join(a, b int32) {
	a, b = p.root(a), p.root(b)
	if a == b {
		return
	}
	p.parts[b].parent = a
	p.parts[a].size = min(p.parts[a].size+p.parts[b].size, 1<<30)
}

func (p *inkParts) row(distances []byte, white bool) {
	if p.sure && p.lines.other {
		return
	}
	p.here = p.here[:0]
	if p.y >= p.border && p.y < p.height-p.border {
		if !white {
			p.mark(distances)
		}
		p.lines.row(p.here, p.width-2*p.border)
	}
	p.y++
	p.carry()
}

// mark finds the row's runs of marks and joins them with those above.
func (p *inkParts) mark(distances []byte) {
	next := 0 // of the runs above
	end := p.width - p.border
	for x := p.border; x < end; x++ {
		if distances[x] <= p.over {
			continue
		}
		from := x
		for x < end && distances[x] > p.over {
			x++
		}
		run := inkRun{int32(from), int32(x), int32(len(p.parts))}
		p.parts = append(p.parts, inkPart{size: run.to - run.from, parent: run.part})
		for next < len(p.above) && p.above[next].to < run.from {
			next++
		}
		for i := next; i < len(p.above) && p.above[i].from <= run.to; i++ {
			p.join(p.above[i].part, run.part)
		}
		p.here = append(p.here, run)
	}
}

// carry keeps the parts that the row has, and closes the others.
func (p *inkParts) carry() {
	p.carried = p.carried[:0]
	for i := range p.here {
		root := p.root(p.here[i].part)
		part := &p.parts[root]
		if part.size >= 0 { // seen for the first time: its size is left as its new place
			p.carried = append(p.carried, inkPart{size: part.size, parent: int32(len(p.carried))})
			p.sure = p.sure || part.size >= surePart
			part.size = -int32(len(p.carried))
		}
		p.here[i].part = -part.size - 1
	}
	for i := range p.parts {
		if part := p.parts[i]; part.parent == int32(i) && part.size >= 0 {
			p.close(int(part.size))
		}
	}
	p.parts, p.carried = p.carried, p.parts
	p.above, p.here = p.here, p.above
}

func (p *inkParts) close(size int) {
	p.largest = max(p.largest, size)
	p.marks += size
	if size <= 2 {
		p.specks += size
	}
}

func (p *inkParts) finish() {
	if p.finished {
		return
	}
	p.finished = true
	for i := range p.parts {
		p.close(int(p.parts[i].size))
	}
}

func (p *inkParts) shows(need int) bool {
	switch {
	case p.lines.only(p.height - 2*p.border):
		return false
	case p.sure || p.largest >= surePart:
		return true
	}
	return p.specks*2 <= p.marks && (p.largest >= need || p.marks-p.specks >= surePart)
}
