package connection

import (
	"fmt"
	"testing"

	"github.com/vizpost/vizpost/internal/tableau"
)

// Lists of views are remembered up to a size, the newest always.
func TestRememberedViewsAreBounded(t *testing.T) {
	t.Parallel()
	var m memory
	small := viewList{views: make([]tableau.View, 10), text: 1000}
	for i := range 20 {
		m.rememberViews(fmt.Sprint("small", i), small)
	}
	if len(m.views) != 20 {
		t.Errorf("%d of 20 small lists are remembered", len(m.views))
	}
	for i := range 20 {
		key := fmt.Sprint("large", i)
		m.rememberViews(key, viewList{views: make([]tableau.View, 1000), text: 60 << 20})
		m.rememberViews(key, viewList{views: make([]tableau.View, 1000), text: 60 << 20})
		all := 0
		for _, list := range m.views {
			all += list.size()
		}
		if _, ok := m.views[key]; !ok || all > maxViewsSize {
			t.Fatalf("after %d large lists: the newest is remembered: %t; %d bytes in all, want at most %d", i+1, ok, all, maxViewsSize)
		}
	}
}
