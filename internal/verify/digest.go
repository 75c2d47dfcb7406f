package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
)

const (
	maxColumns    = 2000    // of the data that are compared
	maxDistinct   = 1000    // values of a column that are kept
	maxValueBytes = 1 << 10 // of one of them
	maxKept       = 4 << 20 // bytes of values of all columns
	maxRecord     = 1 << 20 // bytes
)

// digest is what is kept of a view's data to compare them with others: a few
// kilobytes, whatever the data's size. Two are of the same data if they are of
// the same rows, in any order.
type digest struct {
	Header []string
	Rows   int
	Sum    [4]uint64 // of the rows' hashes, which does not depend on their order
	Values map[string]*values
}

// values are the distinct ones of a column.
type values struct {
	Seen map[string]bool
	More bool // there are more than are kept
}

func (d digest) same(other digest) bool {
	return d.Rows == other.Rows && d.Sum == other.Sum && slices.Equal(d.Header, other.Header)
}

// readDigest reads data in the form that Tableau writes them: CSV in UTF-8, with
// or without a byte order mark, the columns' captions first. No data at all are
// no rows. It keeps the values of the columns that have the names of fields, or
// of all where fields is nil.
func readDigest(r io.Reader, fields []string) (digest, error) {
	d := digest{Values: make(map[string]*values)}
	bounded := &recordReader{r: r}
	records := csv.NewReader(bounded)
	records.FieldsPerRecord, records.LazyQuotes, records.ReuseRecord = -1, true, true

	header, err := records.Read()
	if errors.Is(err, io.EOF) {
		return d, nil
	}
	if err != nil {
		return d, fmt.Errorf("reading the columns: %w", err)
	}
	if len(header) > maxColumns {
		return d, fmt.Errorf("reading the columns: more than %d", maxColumns)
	}
	columns := make([]*values, len(header))
	for i, name := range header {
		if i == 0 {
			name = strings.TrimPrefix(name, "\uFEFF")
		}
		name = strings.TrimSpace(name)
		d.Header = append(d.Header, strings.Clone(name))
		if (fields == nil || slices.Contains(fields, name)) && d.Values[name] == nil {
			columns[i] = &values{Seen: make(map[string]bool)}
			d.Values[name] = columns[i]
		}
	}
	hasher := sha256.New()
	kept := 0
	for {
		bounded.since = 0
		record, err := records.Read()
		if errors.Is(err, io.EOF) {
			return d, nil
		}
		if err != nil {
			return d, fmt.Errorf("reading a row: %w", err)
		}
		d.Rows++
		d.add(hasher, record)
		for i, value := range record[:min(len(record), len(columns))] {
			if columns[i] != nil {
				columns[i].add(value, &kept)
			}
		}
	}
}

func (d *digest) add(hasher hash.Hash, record []string) {
	hasher.Reset()
	var length [8]byte
	for _, value := range record {
		binary.BigEndian.PutUint64(length[:], uint64(len(value)))
		_, _ = hasher.Write(length[:])
		_, _ = io.WriteString(hasher, value)
	}
	sum := hasher.Sum(nil)
	for i := range d.Sum {
		d.Sum[i] += binary.BigEndian.Uint64(sum[8*i:])
	}
}

// add notes a value. kept is what the values of all columns take.
func (v *values) add(value string, kept *int) {
	value = value[:min(len(value), maxValueBytes)]
	switch {
	case v.Seen[value]:
	case len(v.Seen) < maxDistinct && *kept+len(value) <= maxKept:
		*kept += len(value)
		v.Seen[strings.Clone(value)] = true
	default:
		v.More = true
	}
}

// only reports whether the column holds nothing but the wanted values, and any
// whether it holds one of them.
func (v *values) only(wanted []string) bool {
	for value := range v.Seen {
		if !slices.Contains(wanted, value) {
			return false
		}
	}
	return !v.More
}

// other reports whether there are values that the column did not have before.
func (v *values) other(before *values) bool {
	if v.More || before.More {
		return false
	}
	for value := range v.Seen {
		if !before.Seen[value] {
			return true
		}
	}
	return false
}

func (v *values) any(wanted []string) bool {
	return slices.ContainsFunc(wanted, func(w string) bool { return v.Seen[w] })
}

var errRecordTooLong = errors.New("a row is too long")

// recordReader bounds what one record may take in memory: a quote that is never
// closed would make all that follows a single value.
type recordReader struct {
	r     io.Reader
	since int // bytes since a record began
}

func (r *recordReader) Read(p []byte) (int, error) {
	if r.since > maxRecord {
		return 0, errRecordTooLong
	}
	n, err := r.r.Read(p)
	r.since += n
	return n, err
}

func (v *values) all() func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for value := range v.Seen {
			if !yield(value) {
				return
			}
		}
	}
}
