package connection

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// Wanted is a view that a report exports, or a workbook. The ids are what it
// had when the report was saved.
type Wanted struct {
	ContentURL string // of the view; "" for a workbook
	ViewID     string

	WorkbookURL string // content URL; "" for a view
	WorkbookID  string
}

// Seen says whether the connection's user can see what is wanted: of a workbook,
// any view in it.
type Seen struct {
	Visible bool
	Message string // what is wrong, or to be known; "" when nothing is
}

// SeeViews tells of each view whether the connection's user can see it. It reads
// the site's list of views anew, and makes no call for a single one.
func (s *Service) SeeViews(ctx context.Context, id string, wanted []Wanted) ([]Seen, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	c, err := s.Store.Connection(ctx, id)
	if err != nil {
		return nil, err
	}
	unlock, err := s.lockViews(ctx, c)
	if err != nil {
		return nil, answerUse(err)
	}
	defer unlock()
	views, err := s.readViews(ctx, c)
	if hasCause(err, tableau.Timeout) || errors.Is(err, context.DeadlineExceeded) {
		return nil, &problem.Error{Kind: problem.Timeout, Code: problem.CodeTableauTimeout, Err: err,
			Message: "The connection works, but Tableau did not give its list of views in time, so the reports' views were not checked. Try again."}
	}
	if err != nil {
		return nil, answerUse(err)
	}
	site := newSiteViews(views)
	seen := make([]Seen, len(wanted))
	for i, w := range wanted {
		seen[i] = site.look(w, c.Identity.UserName)
	}
	return seen, nil
}

// siteViews finds views of a site.
type siteViews struct {
	byID      map[string]tableau.View
	byURL     map[string]tableau.View
	byFolded  map[string][]tableau.View // by the address without regard to case
	workbooks map[string]bool           // by id, and by content URL without regard to case
}

func newSiteViews(views []tableau.View) siteViews {
	s := siteViews{byID: map[string]tableau.View{}, byURL: map[string]tableau.View{}, byFolded: map[string][]tableau.View{}, workbooks: map[string]bool{}}
	for _, v := range views {
		if _, twice := s.byID[v.ID]; twice { // the list moved between two pages
			continue
		}
		folded := strings.ToLower(v.ContentURL)
		s.byID[v.ID], s.byURL[v.ContentURL] = v, v
		s.byFolded[folded] = append(s.byFolded[folded], v)
		s.workbooks[v.WorkbookID], s.workbooks[strings.ToLower(v.WorkbookContentURL)] = true, true
	}
	return s
}

// look goes by the view's id first, as an export does.
func (s siteViews) look(w Wanted, user string) Seen {
	if w.WorkbookURL != "" {
		if s.workbooks[w.WorkbookID] || s.workbooks[strings.ToLower(w.WorkbookURL)] {
			return Seen{Visible: true}
		}
		return Seen{Message: fmt.Sprintf("%s can see no view of this workbook, or it was renamed, moved or deleted. Open it in Tableau as this user; "+
			"if it is there, enter its address in the report anew, else ask its owner for permission to view it.", user)}
	}
	if v, ok := s.byID[w.ViewID]; ok && w.ViewID != "" {
		if strings.EqualFold(v.ContentURL, w.ContentURL) {
			return Seen{Visible: true}
		}
		return Seen{Visible: true, Message: fmt.Sprintf("It has another address by now: %s. Reports find it all the same.", v.ContentURL)}
	}
	if _, ok := s.byURL[w.ContentURL]; ok {
		return Seen{Visible: true}
	}
	switch alike := s.byFolded[strings.ToLower(w.ContentURL)]; len(alike) {
	case 0:
		return Seen{Message: fmt.Sprintf("%s cannot see this view, or it was renamed, moved or deleted. Open it in Tableau as this user; "+
			"if it is there, enter its address in the report anew, else ask its owner for permission to view it.", user)}
	case 1:
		return Seen{Visible: true}
	default:
		return Seen{Message: "The addresses of several views differ from this one in capital letters only. " +
			"Open the right one in Tableau and enter its address in the report anew."}
	}
}
