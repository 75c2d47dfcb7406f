package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/report"
	"github.com/vizpost/vizpost/internal/run"
)

// TestFillLeavesNothingOut: a field that stays empty would not be missed.
func TestFillLeavesNothingOut(t *testing.T) {
	t.Parallel()
	for _, value := range []any{fill[connection.Connection](t), fill[connection.Session](t), fill[report.Report](t),
		fill[deliver.Destination](t), fill[run.Run](t), fill[run.Delivery](t)} {
		if empty := emptyIn(reflect.ValueOf(value), reflect.TypeOf(value).String()); empty != "" {
			t.Errorf("%s is empty", empty)
		}
	}
}

func emptyIn(v reflect.Value, path string) string {
	if v.IsZero() {
		return path
	}
	if _, ok := v.Interface().(time.Time); ok {
		return ""
	}
	switch v.Kind() {
	case reflect.Pointer:
		return emptyIn(v.Elem(), path)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("json") == "-" {
				continue // no store keeps it
			}
			if empty := emptyIn(v.Field(i), path+"."+v.Type().Field(i).Name); empty != "" {
				return empty
			}
		}
	case reflect.Slice:
		if v.Len() < 2 {
			return path
		}
		for i := range v.Len() {
			if empty := emptyIn(v.Index(i), fmt.Sprintf("%s[%d]", path, i)); empty != "" && v.Type() != reflect.TypeFor[[]byte]() {
				return empty
			}
		}
	case reflect.Map:
		if v.Len() < 2 {
			return path
		}
		for _, key := range v.MapKeys() {
			if empty := emptyIn(v.MapIndex(key), path); empty != "" {
				return empty
			}
		}
	}
	return ""
}

func TestKept(t *testing.T) {
	t.Parallel()
	r := fill[run.Run](t)
	before := r.Clone()
	got := kept(r)
	if diff := cmp.Diff(before, r); diff != "" {
		t.Errorf("kept changes what it is given:\n%s", diff)
	}
	want := r.Files[1].ExportedAt.UTC().Truncate(time.Microsecond)
	if at := got.Files[1].ExportedAt; at != want || at.Location() != time.UTC {
		t.Errorf("got the time %v of a file, want %v", at, want)
	}
	if wrong := notUTC(got); wrong != "" {
		t.Error(wrong)
	}
	if notUTC(r) == "" {
		t.Error("a time in another zone, with nanoseconds, passes")
	}
}

// TestScribble: what shares anything with a value must be changed by it.
func TestScribble(t *testing.T) {
	t.Parallel()
	r := fill[run.Run](t)
	shared := r
	before := r.Clone()
	scribble(r)
	for name, diff := range map[string]string{
		"content":      cmp.Diff(before.Content, shared.Content),
		"destinations": cmp.Diff(before.Destinations, shared.Destinations),
		"notify":       cmp.Diff(before.Notify, shared.Notify),
		"files":        cmp.Diff(before.Files, shared.Files),
		"filters":      cmp.Diff(before.Files[0].Filters, shared.Files[0].Filters),
	} {
		if diff == "" {
			t.Errorf("%s can be reached and were not scribbled on", name)
		}
	}
	d := fill[run.Delivery](t)
	notice, text := d.Notice, *d.Notice
	scribble(d)
	if *notice == text {
		t.Error("what a pointer leads to was not scribbled on")
	}
}
