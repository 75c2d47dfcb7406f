package e2e_test

import "testing"

// TestStartTogether starts processes on a data folder that does not exist yet,
// all at the same time: they agree on the operator's token, the key and the
// database.
func TestStartTogether(t *testing.T) {
	t.Parallel()
	for range 5 {
		c := newCrew(t, 8)
		_, want, _ := c.members[0].access()
		for _, m := range c.members {
			_, got, _ := m.access()
			if got != want || len(got) < 20 {
				t.Errorf("process %d has another token", m.number)
			}
			status, answer, err := m.ask(t.Context(), "GET", "/v1/connections", nil)
			if err != nil || status != 200 {
				t.Errorf("process %d: status %d, %v: %v", m.number, status, err, answer)
			}
			m.kill()
		}
	}
}
