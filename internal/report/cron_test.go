package report_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/report"
)

func TestValidateRefusesCron(t *testing.T) {
	t.Parallel()
	tests := []struct {
		cron string
		want string // in the message
	}{
		{"", "Give five fields"},
		{"   ", "Give five fields"},
		{"* * * *", "five fields, not 4"},
		{"0 0 9 * * *", "Leave out the seconds"},
		{"0 9 * * * 2026", "Leave the year out"},
		{"0 9 * * * 2026-2028", "Leave the year out"},
		{"0 0 9 * * * 2026", "five fields, not 7"},
		{"@daily", "0 0 * * * instead of @daily"},
		{"@Hourly", "0 * * * * instead of @hourly"},
		{"@midnight", "0 0 * * * instead of @midnight"},
		{"@weekly", "0 0 * * SUN instead of @weekly"},
		{"@monthly", "0 0 1 * * instead of @monthly"},
		{"@annually", "0 0 1 1 * instead of @annually"},
		{"@everysecond", "Shorthands are not taken"},
		{"@5minutes", "Shorthands are not taken"},
		{"@every 1h", "Shorthands are not taken"},
		{"TZ=UTC 0 9 * * *", "time_zone"},
		{"CRON_TZ=UTC 0 9 * * *", "time_zone"},
		{"60 9 * * *", "minute, use numbers from 0 to 59"},
		{"0 24 * * *", "hour, use numbers from 0 to 23"},
		{"0 9 0 * *", "day of month, use numbers from 1 to 31"},
		{"0 9 32 * *", "day of month, use numbers from 1 to 31"},
		{"0 9 * 0 *", "month, use numbers from 1 to 12 or names from JAN to DEC"},
		{"0 9 * 13 *", "month, use numbers from 1 to 12"},
		{"0 9 * * 8", "day of week, use numbers from 0 to 7 or names from SUN to SAT"},
		{"-1 9 * * *", "minute, use numbers"},
		{"+1 9 * * *", "minute, use numbers"},
		{"1.5 9 * * *", "minute, use numbers"},
		{"000 9 * * *", "minute, use numbers"},
		{"1e1 9 * * *", "minute, use numbers"},
		{"٣ 9 * * *", "minute, use numbers"},
		{"H 9 * * *", "minute, use numbers"},
		{"JAN 9 * * *", "minute, use numbers"},
		{"0 MON * * *", "hour, use numbers"},
		{"0 9 * MON *", "month, use numbers"},
		{"0 9 * * JAN", "day of week, use numbers"},
		{"0 9 * * MONDAY", "day of week, use numbers"},
		{"0 9 * JANUARY *", "month, use numbers"},
		{"0 9 * * 1MON", "day of week, use numbers"},
		{"? 9 * * *", "write * instead of ?"},
		{"0 9 ? * MON", "write * instead of ?"},
		{"0 9 * * ?", "write * instead of ?"},
		{"0 9 ?/2 * *", "write * instead of ?"},
		{",1 9 * * *", "beside a comma"},
		{"1, 9 * * *", "beside a comma"},
		{"1,,2 9 * * *", "beside a comma"},
		{", 9 * * *", "beside a comma"},
		{"*,1 9 * * *", "* already means all"},
		{"0 9 1,* * *", "* already means all"},
		{"** 9 * * *", "minute, use numbers"},
		{"*1 9 * * *", "minute, use numbers"},
		{"*-5 9 * * *", "minute, use numbers"},
		{"1-* 9 * * *", "minute, use numbers"},
		{"*/0 9 * * *", "a step is a number from 1 to 59"},
		{"*/60 9 * * *", "a step is a number from 1 to 59"},
		{"*/90 9 * * *", "a step is a number from 1 to 59"},
		{"*/100 9 * * *", "a step is a number from 1 to 59"},
		{"*/-5 9 * * *", "a step is a number"},
		{"*/ 9 * * *", "a step is a number"},
		{"*/5/2 9 * * *", "a step is a number"},
		{"*/x 9 * * *", "a step is a number"},
		{"/5 9 * * *", "minute, use numbers"},
		{"0 */24 * * *", "a step is a number from 1 to 23"},
		{"0 9 0/5 * *", "day of month, use numbers"},
		{"5-1 9 * * *", "a range runs upwards"},
		{"0 22-6 * * *", "a range runs upwards"},
		{"0 9 * * FRI-MON", "a range runs upwards"},
		{"0 9 * * 7-3", "a range runs upwards"},
		{"0 9 * * 6-0", "a range runs upwards"},
		{"1-60 9 * * *", "minute, use numbers"},
		{"1- 9 * * *", "minute, use numbers"},
		{"-5 9 * * *", "minute, use numbers"},
		{"1-2-3 9 * * *", "minute, use numbers"},
		{"0 9 0W * *", "L is the last day"},
		{"0 9 32W * *", "L is the last day"},
		{"0 9 W * *", "L is the last day"},
		{"0 9 WL * *", "L is the last day"},
		{"0 9 LW/2 * *", "day of month, use numbers"},
		{"0 9 L-3 * *", "L is the last day"},
		{"0 9 3L * *", "L is the last day"},
		{"0 9 15Wx * *", "L is the last day"},
		{"0 9 1-5W * *", "L is the last day"},
		{"0 9 -1W * *", "L is the last day"},
		{"0 9 15W/2 * *", "day of month, use numbers"},
		{"0 9 5#2 * *", "day of month, use numbers"},
		{"L 9 * * *", "minute, use numbers"},
		{"0 9 * L *", "month, use numbers"},
		{"0 9 * * L", "day of week, use numbers"},
		{"0 9 * * 8L", "day of week, use numbers"},
		{"0 9 * * 5Lx", "day of week, use numbers"},
		{"0 9 * * 5W", "day of week, use numbers"},
		{"0 9 * * 1-5L", "day of week, use numbers"},
		{"0 9 * * 5#0", "one from 1 to 5"},
		{"0 9 * * 5#6", "one from 1 to 5"},
		{"0 9 * * 5#", "one from 1 to 5"},
		{"0 9 * * 5#2#3", "one from 1 to 5"},
		{"0 9 * * 5#-1", "one from 1 to 5"},
		{"0 9 * * 8#2", "day of week, use numbers"},
		{"0 9 * * #2", "day of week, use numbers"},
		{"0 9 * * 1#2/2", "day of week, use numbers"},
		{"0 9 * * 1,99", "day of week, use numbers"},
		{strings.Repeat("0,", 130) + "0 9 * * *", "longer than 256"},
		{"0 9 * * *" + strings.Repeat(" ", 256), "longer than 256"},
	}
	for _, test := range tests {
		t.Run(test.cron, func(t *testing.T) {
			t.Parallel()
			s := report.Schedule{Cron: test.cron, TimeZone: "UTC"}
			now := instant(t, "2026-11-23T00:00:00Z")
			var p *problem.Error
			if err := s.Validate(now); !errors.As(err, &p) || len(p.Fields) != 1 || p.Fields[0].Name != "cron" {
				t.Fatalf("Validate() = %v, want a problem of cron alone", err)
			}
			if got := p.Fields[0].Message; !strings.Contains(got, test.want) {
				t.Errorf("message %q does not say %q", got, test.want)
			}
			if at, ok := s.Next(now); ok {
				t.Errorf("Next() = %v, want none", at)
			}
		})
	}
}
