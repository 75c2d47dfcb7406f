package sample

import (
	"math"
	"strconv"
	"strings"
)

// Kind says how a column's values are written.
type Kind int

// The kinds of columns.
const (
	Text    Kind = iota
	Dollars      // $12,346
	Number       // 12,346
	Percent      // 12.3%, of a value of 0.123
	Decimal      // 4.1
)

// Format writes a value in full, as Tableau's exports of data do.
func (k Kind) Format(v float64, in Language) string {
	switch k {
	case Percent:
		return in.separate(strconv.FormatFloat(v*100, 'f', 1, 64)) + "%"
	case Decimal:
		return in.separate(strconv.FormatFloat(v, 'f', 1, 64))
	}
	text := grouped(math.Abs(v))
	sign := ""
	if v < 0 && text != "0" {
		sign = "-"
	}
	if k == Dollars {
		sign += "$"
	}
	return sign + in.separate(text)
}

// Pattern is the number format of a spreadsheet cell.
func (k Kind) Pattern() string {
	switch k {
	case Dollars:
		return `"$"#,##0;-"$"#,##0`
	case Percent:
		return "0.0%"
	case Decimal:
		return "0.0"
	}
	return "#,##0"
}

// grouped writes a whole number with commas between thousands.
func grouped(v float64) string {
	digits := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	var out strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(d)
	}
	return out.String()
}

// short writes a number with three figures at most: 12.3K.
func short(v float64) string {
	unit := ""
	for _, next := range []string{"K", "M", "B"} {
		if math.Abs(v) < 999.5 {
			break
		}
		v, unit = v/1000, next
	}
	places := 0
	if unit != "" && math.Abs(v) < 9.995 {
		places = 2
	} else if unit != "" && math.Abs(v) < 99.95 {
		places = 1
	}
	// A round number, such as one on an axis, needs no decimals.
	for places > 0 && v*10 == math.Trunc(v*10) && (places > 1 || v == math.Trunc(v)) {
		places--
	}
	return strconv.FormatFloat(v, 'f', places, 64) + unit
}

// money writes dollars as pictures show them: $12.3K.
func (l Language) money(v float64) string {
	if math.Abs(v) < 0.5 {
		return "$0"
	}
	if v < 0 {
		return "−$" + l.separate(short(-v))
	}
	return "$" + l.separate(short(v))
}

func (l Language) percent(v float64) string {
	return strings.Replace(Percent.Format(v, l), "-", "−", 1)
}

// wholePercent leaves out the decimals, for axes.
func (l Language) wholePercent(v float64) string {
	return strings.Replace(strconv.FormatFloat(v*100, 'f', 0, 64), "-", "−", 1) + "%"
}

func (l Language) count(v float64) string { return l.separate(grouped(v)) }
