package content

// What of a picture shows on white paper, and whether it is more than nearly
// nothing. The rules are of distances from white, from 0 to 255, after what is
// transparent was laid on white.
//
// A pixel is a mark when it is further from white than its ground:
//
//   - nearWhite where the ground is white or nearly so;
//   - paleMark where at least nine tenths of the picture have one pale grey, up to
//     paleGround from white, give or take two.
//
// The marks along the picture's edges are a border and do not count. Of the
// others, those that touch one another, also at corners, are one part. The picture
// is blank unless its largest part has
//
//   - minPart pixels, or a thirty-second of a tiny picture's, but at least tinyPart;
//   - or surePart pixels, where most of the marks are specks of one or two pixels,
//     which is how noise looks.
//
// So a line across a picture, a label or a tile of a single color is content, and
// a frame, dust or a faint pattern is not.
const (
	nearWhite  = 8
	paleGround = 16
	paleMark   = 24

	minPart  = 8
	tinyPart = 4
	surePart = 40
)

// borderOf is how many pixels along each edge are border: a fiftieth of the
// shorter side, but from four to eight, and of a tiny picture an eighth.
func borderOf(width, height int) int {
	short := min(width, height)
	return min(max(short/50, 4), 8, short/8)
}

// ink looks at a picture row by row.
type ink struct {
	width, height int
	faint, strong inkParts          // by nearWhite and by paleMark
	pale          [paleMark + 1]int // greys near white, by their distance
}

func newInk(width, height int) *ink {
	i := &ink{width: width, height: height}
	i.faint = inkParts{over: nearWhite, border: borderOf(width, height), width: width, height: height}
	i.strong = i.faint
	i.strong.over = paleMark
	return i
}

// decided reports that something shows, whatever follows.
func (i *ink) decided() bool { return i.strong.sure }

// row takes the distances from white of the next row.
func (i *ink) row(distances []byte) {
	i.faint.row(distances)
	i.strong.row(distances)
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
	if i.onPaleGround() {
		return i.strong.shows(need)
	}
	return i.faint.shows(need)
}

// onPaleGround reports whether nearly all is of one pale grey.
func (i *ink) onPaleGround() bool {
	for ground := nearWhite - 2; ground <= paleGround; ground++ {
		near := 0
		for d := ground - 2; d <= ground+2; d++ {
			near += i.pale[d]
		}
		if near*10 >= i.width*i.height*9 {
			return true
		}
	}
	return false
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

func (p *inkParts) row(distances []byte) {
	if p.sure {
		return
	}
	p.here = p.here[:0]
	if p.y >= p.border && p.y < p.height-p.border {
		p.mark(distances)
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
	return p.sure || p.largest >= surePart || p.largest >= need && p.specks*2 <= p.marks
}
