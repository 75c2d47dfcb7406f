package report_test

import (
	"testing"

	"github.com/vizpost/vizpost/internal/report"
)

func TestDateText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"2026-01-31", "2024-02-29", "0001-01-01", "9999-12-31"} {
		var d report.Date
		if err := d.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("reading %s: %v", text, err)
			continue
		}
		got, err := d.MarshalText()
		if err != nil || string(got) != text || d.String() != text {
			t.Errorf("reading and writing %s gives %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2026-02-29", "2026-13-01", "2026-00-10", "2026-01-00", "2026-1-1", "26-01-31", "31.01.2026",
		"2026-01-31T00:00:00Z", " 2026-01-31", "0000-01-01", "10000-01-01", "-001-01-01", "today"} {
		d := report.Date{Year: 2000, Month: 1, Day: 1}
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("reading %q gives %v, want an error", text, d)
		}
		if d != (report.Date{Year: 2000, Month: 1, Day: 1}) {
			t.Errorf("reading %q changed the date to %v", text, d)
		}
	}
	for _, d := range []report.Date{{}, {2026, 2, 30}, {2026, 13, 1}, {10000, 1, 1}, {-1, 1, 1}} {
		if text, err := d.MarshalText(); err == nil {
			t.Errorf("writing %v gives %s, want an error", d, text)
		}
	}
}
