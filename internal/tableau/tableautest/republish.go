package tableautest

import (
	"fmt"
	"time"
)

// Republish publishes a view's workbook anew under the names given; an empty one
// stays as it is. It is for tests, and not to be called while requests are under
// way.
func (s *Server) Republish(view, viewName, workbookName string) error {
	v := s.anyView(view)
	if v == nil {
		return fmt.Errorf("there is no view %q", view)
	}
	if viewName != "" {
		v.Name = viewName
	}
	if workbookName != "" {
		v.Workbook.Name = workbookName
	}
	v.Workbook.UpdatedAt = v.Workbook.UpdatedAt.Add(time.Hour)
	return nil
}
