package connection

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/tableau"
)

// Resolve finds what a pasted address, or a content URL such as
// Superstore/sheets/Overview, means on the connection's site: a view, a custom
// view with the view that it is of, or a workbook. Invalid, with the field
// "view", when it means nothing that the connection's user can see, or
// something of another server or site.
func (s *Service) Resolve(ctx context.Context, id, pasted string) (tableau.Target, tableau.Address, error) {
	c, err := s.Store.Connection(ctx, id)
	if err != nil {
		return tableau.Target{}, tableau.Address{}, err
	}
	address, err := c.address(pasted)
	if err != nil {
		return tableau.Target{}, tableau.Address{}, err
	}
	if address.ContentURL != "" && address.CustomView == "" {
		all, err := s.views(ctx, c)
		if err != nil {
			return tableau.Target{}, tableau.Address{}, answerUse(err)
		}
		if v, ok := viewAt(all, address.ContentURL); ok {
			return tableau.Target{View: v}, address, nil
		}
		// It may have been published since the list was read.
	}
	var target tableau.Target
	err = s.Do(ctx, id, func(ctx context.Context, client *tableau.Client, session tableau.Session) error {
		target, err = client.Resolve(ctx, session, address)
		return err
	})
	if err == nil {
		return target, address, nil
	}
	if message := c.nothingThere(err); message != "" {
		err = problem.InvalidField("view", message)
	}
	return tableau.Target{}, tableau.Address{}, answerUse(err)
}

// Supports returns what keeps a connection's server from an export: a
// [*tableau.Error] with the cause NotSupported where it is too old, as of the
// last sign-in. NotFound when there is no such connection.
func (s *Service) Supports(ctx context.Context, id string, r tableau.ExportRequest) error {
	c, err := s.Store.Connection(ctx, id)
	if err != nil {
		return err
	}
	return r.SupportedBy(c.Server.RESTAPIVersion, c.Server.ProductVersion)
}

// address reads a pasted address, which must be of the connection's site.
func (c Connection) address(pasted string) (tableau.Address, error) {
	address, err := tableau.ParseAddress(pasted)
	switch {
	case err != nil:
		return tableau.Address{}, fieldNamed("view", err)
	case address.ServerURL != "" && !sameServer(address.ServerURL, c.ServerURL):
		return tableau.Address{}, problem.InvalidField("view", fmt.Sprintf("This address is of another server than the connection %q, which is of %s.", c.Name, c.ServerURL))
	case address.SiteKnown && !strings.EqualFold(address.Site, c.Site):
		return tableau.Address{}, problem.InvalidField("view", fmt.Sprintf("This address is of another site than the connection %q, which is of %s.", c.Name, siteName(c.Site)))
	}
	return address, nil
}

// sameServer reports whether two addresses are of one server, as far as they
// tell. Tableau Cloud's address without a pod leads to whichever the site is on.
func sameServer(a, b string) bool {
	return sameHost(a, b) || onCloud(a) && onCloud(b) && (noPod(a) || noPod(b))
}

// nothingThere says to people that an address leads to nothing; "" if that is
// not what the error means.
func (c Connection) nothingThere(err error) string {
	var t *tableau.Error
	if !errors.As(err, &t) {
		return ""
	}
	what := ""
	switch t.Cause {
	case tableau.ViewNotFound:
		what = "view"
	case tableau.WorkbookNotFound:
		what = "workbook"
	case tableau.CustomViewNotFound, tableau.NotSupported:
		return t.Message()
	default:
		return ""
	}
	return fmt.Sprintf("There is no such %s on this site that %s can see. Check the address, and that this user has permission to view it.", what, c.Identity.UserName)
}

// viewAt finds the view with a content URL: the exact one before one that
// differs in upper and lower case.
func viewAt(views []tableau.View, contentURL string) (tableau.View, bool) {
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		for _, v := range views {
			if same(v.ContentURL, contentURL) {
				return v, true
			}
		}
	}
	return tableau.View{}, false
}
