package storetest

import (
	"fmt"
	"reflect"
	"time"

	"github.com/vizpost/vizpost/internal/report"
)

// fill makes a value of which every field, however deep, holds something of its
// own, so that a field which a store forgets is missed. Its times are in
// another zone and more precise than a store keeps them; [kept] gives them as
// they come back.
func fill[T any](t tester) T {
	t.Helper()
	var value T
	f := filler{t: t}
	f.fill(reflect.ValueOf(&value).Elem(), "value")
	return value
}

type filler struct {
	t tester
	n int64
}

func (f *filler) fill(v reflect.Value, path string) {
	f.n++
	switch v.Interface().(type) {
	case time.Time:
		zone := time.FixedZone("UTC+2", 2*60*60)
		v.Set(reflect.ValueOf(start().Add(time.Duration(f.n)*time.Hour + 789*time.Nanosecond).In(zone)))
		return
	case report.Date: // has values that are no date
		v.Set(reflect.ValueOf(report.Date{Year: 2026, Month: time.November, Day: int(f.n%28) + 1}))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("%s %d <&> \"é\" 日本", path, f.n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1<<20 + f.n)
	case reflect.Uint8:
		v.SetUint(uint64(f.n % 256))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), path)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			f.fill(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, item := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(key, path+" key")
			f.fill(item, path+" item")
			v.SetMapIndex(key, item)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !field.IsExported() {
				f.t.Fatalf("%s.%s is not exported: say in fill how a %s is made", path, field.Name, v.Type())
			}
			if field.Tag.Get("json") == "-" {
				continue // what is not stored by its own word
			}
			f.fill(v.Field(i), path+"."+field.Name)
		}
	default:
		f.t.Fatalf("%s: say in fill how a %s is made", path, v.Type())
	}
}

// kept gives a value as a store gives it back: times in UTC to the microsecond.
func kept[T any](value T) T {
	eachTime(reflect.ValueOf(&value).Elem(), func(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) })
	return value
}

// notUTC tells of a time that is not as a store gives it back, "" if all are.
func notUTC[T any](value T) (wrong string) {
	eachTime(reflect.ValueOf(&value).Elem(), func(t time.Time) time.Time {
		if t.Location() != time.UTC || !t.Equal(t.Truncate(time.Microsecond)) {
			wrong = fmt.Sprintf("got the time %v, want it in UTC to the microsecond", t)
		}
		return t
	})
	return wrong
}

// eachTime replaces the times in a value. Pointers and slices are copied on
// the way, so that what the value was copied from stays as it is.
func eachTime(v reflect.Value, replace func(time.Time) time.Time) {
	if at, ok := v.Interface().(time.Time); ok {
		if !at.IsZero() {
			v.Set(reflect.ValueOf(replace(at)))
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			pointed := reflect.New(v.Type().Elem())
			pointed.Elem().Set(v.Elem())
			eachTime(pointed.Elem(), replace)
			v.Set(pointed)
		}
	case reflect.Slice:
		if !v.IsNil() {
			items := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(items, v)
			for i := range items.Len() {
				eachTime(items.Index(i), replace)
			}
			v.Set(items)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			eachTime(v.Field(i), replace)
		}
	}
}

// scribble writes over all that can be reached from a value through pointers,
// slices and maps: whoever shares it is changed too.
func scribble[T any](value T) { scribbleOn(reflect.ValueOf(&value).Elem()) }

func scribbleOn(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("scribbled")
	case reflect.Uint8:
		v.SetUint(255 - v.Uint())
	case reflect.Int, reflect.Int64:
		v.SetInt(-1)
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Pointer:
		if !v.IsNil() {
			scribbleOn(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			scribbleOn(v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			scribbleOn(v.MapIndex(key)) // a slice: its items are shared
			v.SetMapIndex(key, reflect.Zero(v.Type().Elem()))
		}
	case reflect.Struct:
		if _, ok := v.Interface().(time.Time); ok {
			v.Set(reflect.Zero(v.Type()))
			return
		}
		for i := range v.NumField() {
			scribbleOn(v.Field(i))
		}
	}
}
