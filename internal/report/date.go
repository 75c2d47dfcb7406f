package report

import (
	"errors"
	"fmt"
	"time"
)

const maxYear = 9999 // the last that JSON's times can carry

// Date is a day of the calendar, written "2026-01-31". The zero Date is no
// day.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// String gives the date as year-month-day.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day) }

// MarshalText implements [encoding.TextMarshaler], which JSON uses too. It
// fails when there is no such day.
func (d Date) MarshalText() ([]byte, error) {
	if !d.valid() {
		return nil, fmt.Errorf("writing a date: there is no %s", d)
	}
	return []byte(d.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler], which JSON uses too. It
// takes only days that exist.
func (d *Date) UnmarshalText(text []byte) error {
	day, err := time.Parse(time.DateOnly, string(text))
	if err != nil || day.Year() < 1 {
		return errors.New("a date is written year-month-day, such as 2026-01-31, and must exist in the calendar")
	}
	d.Year, d.Month, d.Day = day.Date()
	return nil
}

// midnight gives the wall-clock time at which the day begins.
func (d Date) midnight() time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)
}

func (d Date) valid() bool {
	year, month, day := d.midnight().Date()
	return 1 <= year && year <= maxYear && d == Date{year, month, day}
}
