package tableautest

import (
	"fmt"

	"github.com/vizpost/vizpost/internal/tableau/tableautest/sample"
)

// Trouble is what is wrong with a view for good, until it is set right.
type Trouble struct {
	// NoCredentials says that the view's data source has no embedded
	// credentials: no export of it succeeds, nor one of its workbook, since one
	// sheet whose data source cannot be reached spoils all.
	NoCredentials bool `json:"no_credentials,omitempty"`
	// IgnoresFilters says that vf_ parameters change nothing, as on some live
	// connections: the answer looks well and is not what was asked for.
	IgnoresFilters bool `json:"ignores_filters,omitempty"`
	// Hidden says that users who do not administer the site may not read the view:
	// lists and exports of its workbook leave it out, and the workbook whose first
	// view it is cannot be reached.
	Hidden bool `json:"hidden,omitempty"`
}

// SetTrouble makes something wrong with a view, by id or content URL; the zero
// Trouble sets it right. It returns an error where there is no such view.
func (s *Server) SetTrouble(view string, t Trouble) error {
	v := s.anyView(view)
	if v == nil {
		return fmt.Errorf("there is no view %q", view)
	}
	s.troubles.Store(v.ID, t)
	return nil
}

// anyView finds a view of any site by its id, or by its content URL, which the
// first site that has it decides.
func (s *Server) anyView(wanted string) *sample.View {
	for _, site := range s.sites {
		for _, v := range site.Views() {
			if v.ID == wanted || v.ContentURL == wanted {
				return v
			}
		}
	}
	return nil
}

func (s *Server) trouble(v *sample.View) Trouble {
	t, _ := s.troubles.Load(v.ID)
	known, _ := t.(Trouble)
	return known
}

// Troubles returns the views with which something is wrong, by content URL.
func (s *Server) Troubles() map[string]Trouble {
	out := map[string]Trouble{}
	for _, site := range s.sites {
		for _, v := range site.Views() {
			if t := s.trouble(v); t != (Trouble{}) {
				out[v.ContentURL] = t
			}
		}
	}
	return out
}

// ClearTroubles sets all views right.
func (s *Server) ClearTroubles() { s.troubles.Clear() }

// troubled returns the refusal of an export that cannot be made, and has no
// status where it can: what data sources without credentials answer, for each
// format with its code (Tableau REST API reference, error codes).
func (s *Server) troubled(e export) reply {
	broken := false
	for _, v := range e.views[0].Workbook.Views {
		concerned := e.views[0] == v || e.whole
		broken = broken || concerned && s.trouble(v).NoCredentials
	}
	if !broken {
		return reply{}
	}
	code, what, cause := 400074, "image for view", "(0x5CE10192 : ExportViewException: Error: data sources not connected)"
	switch e.format {
	case "pdf":
		code, what = 400080, "PDF for view"
		if e.whole {
			code, what = 400101, "PDF for workbook"
		}
	case "pptx":
		code, what = 400126, "PowerPoint for workbook"
	case "csv":
		code, what, cause = 400081, "data for view", "(FederatedDataSourceException: data sources not connected)"
	case "xlsx":
		code, what = 400130, "crosstab for view"
	}
	return failure(code, "There was a problem querying the %s '%s'. %s", what, e.subject, cause)
}
