package httpapi_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// However much of a request is wrong, the answer names some of it, counts the
// rest, and costs no more than the request does. The test does not run beside
// others, whose memory would be counted too.
func TestManyWrongFields(t *testing.T) {
	const (
		maxAnswer = 16 << 10
		maxMemory = 64 << 20 // bytes allocated, for bodies of up to a megabyte
	)
	many := func(open, item, end string, n int) string {
		var b strings.Builder
		b.WriteString(open)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.ReplaceAll(item, "#", fmt.Sprint(i)))
		}
		return b.String() + end
	}
	const (
		preview = `{"cron":"0 9 * * *","time_zone":"UTC",`
		report  = `{"name":"x","connection_id":"x",`
	)
	w := newWorld(t)
	for _, tt := range []struct{ name, method, path, body string }{
		{"unknown fields", "POST", "/v1/schedules/preview", many(preview, `"f#":1`, `}`, 95_000)},
		{"unknown fields of a report", "POST", "/v1/reports", many(report, `"f#":1`, `}`, 95_000)},
		{"unknown fields, long", "POST", "/v1/reports", many(report, `"`+strings.Repeat("f", 900)+`#":1`, `}`, 1000)},
		{"unknown fields, spread", "POST", "/v1/reports", many(report+`"content":[`, `{"a":1,"b":1,"c":1}`, `]}`, 50_000)},
		{"contents that are numbers", "POST", "/v1/reports", many(report+`"content":[`, `1`, `]}`, 500_000)},
		{"contents without anything", "POST", "/v1/reports", many(report+`"content":[`, `{}`, `]}`, 300_000)},
		{"formats that are none", "POST", "/v1/reports", many(report+`"content":[`, `{"format":"x","view":"y"}`, `]}`, 35_000)},
		{"contents with wrong options", "POST", "/v1/reports", many(report+`"content":[`, `{"view":"a/b","format":"pdf","pdf":{"page_size":"x"}}`, `]}`, 18_000)},
		{"filters that are numbers", "POST", "/v1/reports", many(report+`"content":[{"view":"a/b","format":"pdf","filters":{`, `"f#":1`, `}}]}`, 90_000)},
		{"filters without values", "POST", "/v1/reports", many(report+`"content":[{"view":"a/b","format":"pdf","filters":{`, `"f#":[]`, `}}]}`, 80_000)},
		{"filters with many values", "POST", "/v1/reports", many(report+`"content":[{"view":"a/b","format":"pdf","filters":{"f":[`, `""`, `]}}]}`, 300_000)},
		{"destinations without anything", "POST", "/v1/reports", many(report+`"destinations":[`, `{}`, `]}`, 300_000)},
		{"recipients that are none", "POST", "/v1/reports", many(report+`"destinations":[{"type":"email","to":[`, `"x"`, `]}]}`, 250_000)},
		{"recipients of many mails", "POST", "/v1/reports", many(report+`"destinations":[`, `{"type":"email","to":["x"],"cc":["x"],"bcc":["x"]}`, `]}`, 18_000)},
		{"people to notify that are none", "POST", "/v1/reports", many(report+`"notify":[`, `"x"`, `]}`, 250_000)},
		{"the same person often", "POST", "/v1/reports", many(report+`"notify":[`, `"a@example.com"`, `]}`, 60_000)},
		{"people of a connection", "POST", "/v1/connections/test", many(`{"name":"x","server_url":"https://t.example","notify":[`, `"x"`, `]}`, 250_000)},
		{"whom alone to send to", "POST", "/v1/reports/R/runs", many(`{"only_to":[`, `"x"`, `]}`, 250_000)},
		{"nothing whom alone to send to", "POST", "/v1/reports/R/runs", many(`{"only_to":[`, `1`, `]}`, 500_000)},
		// What is below the limits of a body, too.
		{"fewer unknown fields", "POST", "/v1/schedules/preview", many(preview, `"f#":1`, `}`, 4900)},
		{"fewer contents that are numbers", "POST", "/v1/reports", many(report+`"content":[`, `1`, `]}`, 4900)},
		{"fewer contents with unknown fields", "POST", "/v1/reports", many(report+`"content":[`, `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1}`, `]}`, 4900)},
		{"fewer recipients", "POST", "/v1/reports", many(report+`"destinations":[{"type":"email","to":[`, `"x"`, `]}]}`, 4900)},
		{"fewer destinations", "POST", "/v1/reports", many(report+`"destinations":[`, `{"type":"email","to":["x"],"cc":["x"],"bcc":["x"]}`, `]}`, 4900)},
		{"filters of values that are none", "POST", "/v1/reports", many(report+`"content":[{"view":"a/b","format":"pdf","filters":{`, `"f#":["","","","","","","",""]`, `}}]}`, 4900)},
		{"deep in lists", "POST", "/v1/reports", many(report+`"content":`, strings.Repeat("[", 5000)+strings.Repeat("]", 5000), `}`, 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if len(tt.body) > 1<<20 {
				t.Fatalf("the body has %d bytes, more than are read", len(tt.body))
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a := w.call(t, tt.method, tt.path, tt.body)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > maxMemory {
				t.Errorf("a body of %d KB took %d MiB, want at most %d", len(tt.body)>>10, took>>20, maxMemory>>20)
			} else {
				t.Logf("a body of %d KB took %d MiB", len(tt.body)>>10, took>>20)
			}
			var told struct {
				Detail string
				Errors []struct{ Field, Message string }
			}
			if err := json.Unmarshal(a.Body.Bytes(), &told); err != nil {
				t.Fatal(err)
			}
			if a.Code != 400 && a.Code != 422 || a.Body.Len() > maxAnswer || len(told.Errors) > 51 {
				t.Errorf("status %d, %d bytes, %d fields; want few", a.Code, a.Body.Len(), len(told.Errors))
			}
			t.Log(told.Detail, len(told.Errors), told.Errors[max(0, len(told.Errors)-1):])
		})
	}
}
