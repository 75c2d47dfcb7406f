package report_test

import (
	"testing"

	"github.com/vizpost/vizpost/internal/report"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	tests := []struct{ cron, want string }{
		{"* * * * *", "every minute"},
		{"*/15 * * * *", "every 15 minutes"},
		{"0,30 * * * *", "every 30 minutes"},
		{"0 * * * *", "every hour"},
		{"0 0-23 * * *", "every hour"},
		{"1 * * * *", "every hour at 1 minute past"},
		{"5,35 * * * *", "every hour at 5 and 35 minutes past"},
		{"0 */2 * * *", "every 2 hours"},
		{"30 */6 * * *", "every 6 hours at 30 minutes past"},
		{"0 */13 * * *", "every day at 00:00 and 13:00"},
		{"0 9 * * *", "every day at 09:00"},
		{"0 9 * * MON-FRI", "every weekday at 09:00"},
		{"0 9 * * 5,1-4", "every weekday at 09:00"},
		{"0 9,12,17 * * *", "every day at 09:00, 12:00 and 17:00"},
		{"15,45 9,17 * * *", "every day at 09:15, 09:45, 17:15 and 17:45"},
		{"0 9-17 * * 1-5", "every weekday, every hour from 09:00 to 17:00"},
		{"30 9-17 * * *", "every hour from 09:30 to 17:30"},
		{"*/15 9-17 * * MON", "every Monday, every 15 minutes from 09:00 to 17:45"},
		{"* 9-17 * * *", "every minute from 09:00 to 17:59"},
		{"*/5 9 * * *", "every 5 minutes from 09:00 to 09:55"},
		{"0 9 * * 0", "every Sunday at 09:00"},
		{"0 9 * * SAT-SUN", "every Saturday and Sunday at 09:00"},
		{"0 9 * * SUN,MON,WED", "every Monday, Wednesday and Sunday at 09:00"},
		{"0 9 * * 0-6", "every day at 09:00"},
		{"0 9 * JUN *", "every day in June at 09:00"},
		{"0 9 * 6-8 MON", "every Monday in June, July and August at 09:00"},
		{"0 9 1 * *", "on the 1st of every month at 09:00"},
		{"0 9 2,3,11,22 * *", "on the 2nd, the 3rd, the 11th and the 22nd of every month at 09:00"},
		{"0 9 1-7 * *", "on the 1st to 7th of every month at 09:00"},
		{"0 9 1 1,7 *", "on the 1st of January and July at 09:00"},
		{"0 9 L * *", "on the last day of every month at 09:00"},
		{"0 9 LW * *", "on the last weekday of every month at 09:00"},
		{"0 9 15W * *", "on the weekday nearest the 15th of every month at 09:00"},
		{"0 9 * * FRI#2", "on the second Friday of every month at 09:00"},
		{"0 9 * 12 FRIL", "on the last Friday of December at 09:00"},
		{"0 9 * * MON#1,7#3", "on the first Monday and the third Sunday of every month at 09:00"},
		{"0 9 13 * FRI", "on the 13th of every month and every Friday at 09:00"},

		{"*/7 * * * *", "*/7 * * * *"},
		{"*/15 */2 * * *", "*/15 */2 * * *"},
		{"0 8-12,14-18 * * *", "0 8-12,14-18 * * *"},
		{"3,13,23,33,43,52,59 * * * *", "3,13,23,33,43,52,59 * * * *"},
		{"0 9 */2 * *", "0 9 */2 * *"},
		{"0 9 1,2,3,5,8,13 * *", "0 9 1,2,3,5,8,13 * *"},
		{"0 9 */2 * MON", "0 9 */2 * MON"},
		{"0 9 13 6 FRI", "0 9 13 6 FRI"},
		{"0 9 13 * FRI#2", "0 9 13 * FRI#2"},
		{"0 9 * * MON,FRI#2", "0 9 * * MON,FRI#2"},
		{"0 9 * * 0#1,1#1,2#1,3#1,4#1,5#1", "0 9 * * 0#1,1#1,2#1,3#1,4#1,5#1"},
		{"  0\t9   31-1 * *", "0 9 31-1 * *"},
		{"@daily", "@daily"},
	}
	for _, test := range tests {
		s := report.Schedule{Cron: test.cron, TimeZone: "Europe/Berlin"}
		if got, want := s.Describe(), test.want+" (Europe/Berlin)"; got != want {
			t.Errorf("Describe() of %q = %q, want %q", test.cron, got, want)
		}
	}
	s := report.Schedule{Cron: "0 9 * * *", TimeZone: "UTC", StartsOn: date(2026, 12, 1), EndsOn: date(2027, 1, 31)}
	if got, want := s.Describe(), "every day at 09:00 (UTC), from 2026-12-01, until 2027-01-31"; got != want {
		t.Errorf("Describe() = %q, want %q", got, want)
	}
}
