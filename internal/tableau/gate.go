package tableau

import (
	"fmt"
	"strings"
)

// gate is something that servers have from a version of the REST API on.
type gate struct {
	version string // of the REST API
	release string // of Tableau that brought it
	what    string // it is, as the object of "cannot"
	instead string // what to do without it
}

// supportedBy gives the error of an export, or of one of its options, that the
// session's server does not have. A server answers what it does not know with
// an error in some cases; in most it leaves the option out.
func (r ExportRequest) supportedBy(s Session) error {
	for _, g := range r.gates() {
		if !s.has(g) {
			return g.refusal(r.op(), s)
		}
	}
	return nil
}

// SupportedBy returns the error that an export has on a server of these versions
// of the REST API and of Tableau: nil where it can be asked for, or where nothing
// is known of the server.
func (r ExportRequest) SupportedBy(apiVersion, productVersion string) error {
	if _, _, ok := parseVersion(apiVersion); !ok {
		return nil
	}
	return r.supportedBy(Session{APIVersion: apiVersion, ProductVersion: productVersion})
}

// has reports whether the session's server has something.
func (s Session) has(g gate) bool {
	if g.version == lateVersion && earlyProduct(s.ProductVersion) {
		return false
	}
	return compareVersions(s.APIVersion, g.version) >= 0
}

// earlyProduct reports whether a server speaks version 3.23 and has none of what
// was added to that version later: the first releases of 2024.2. Sizes were
// seen to be ignored by 2024.2.2.
func earlyProduct(product string) bool {
	fix, found := strings.CutPrefix(product, "2024.2.")
	return found && (fix == "0" || fix == "1" || fix == "2")
}

func (g gate) refusal(op string, s Session) *Error {
	return &Error{
		Op: op, Cause: NotSupported,
		Detail: fmt.Sprintf("server speaks REST API %s, needs %s", bounded(s.APIVersion, 16), g.version),
		hint: fmt.Sprintf("This Tableau server cannot %s: that came with Tableau %s (REST API %s), and it speaks REST API %s. %s",
			g.what, g.release, g.version, bounded(s.APIVersion, 16), g.instead),
	}
}

const (
	lateRelease     = "2024.3 on Tableau Cloud and an update of 2024.2 on Tableau Server"
	customRelease   = "2022.4 on Tableau Cloud and 2023.1 on Tableau Server"
	sizedPDFRelease = "2025.2 on Tableau Cloud and 2025.3 on Tableau Server"
	orUpgrade       = ", or ask the administrator to upgrade Tableau."
)

// gates are what a request needs. Source: Tableau REST API reference, the
// "Version" lines of each method and parameter.
func (r ExportRequest) gates() []gate {
	var gates []gate
	need := func(version, release, what, instead string) {
		gates = append(gates, gate{version, release, what, instead + orUpgrade})
	}
	what := r.subject()
	switch {
	case what == aCustomView && (r.Format == PDF || r.Format == CSV):
		need(lateVersion, lateRelease, "export a custom view as pdf or csv", "Choose png, or the published view with filters")
	case what == aCustomView:
		need(customViewVersion, customRelease, "export custom views", "Choose the published view with filters")
	case what == aWorkbook && r.Format == PDF:
		need(workbookPDFVersion, "2019.2", "export a whole workbook as pdf", "Export its views one by one")
	case what == aWorkbook:
		need(powerPointVersion, "2020.2", "export a workbook as PowerPoint", "Choose pdf")
	case r.Format == XLSX:
		need(excelVersion, "2020.3", "export Excel files", "Choose csv")
	}
	if r.Format == XLSX && len(r.Filters) > 0 {
		need(filteredExcelVersion, "2023.1", "filter an Excel file", "Choose csv")
	}
	if r.Format == SVG {
		need(svgVersion, "2026.2", "export svg", "Choose png in high resolution")
	}
	switch {
	case !r.Image.sized():
	case what == aWorkbook:
		need(sizedWorkbookVersion, sizedPDFRelease, "size the views in the pdf of a workbook", "Leave width and height out")
	case r.Format == PNG || r.Format == SVG:
		need(lateVersion, lateRelease, "size an image", "Leave width and height out")
	}
	if what == aWorkbook && len(r.Filters) > 0 {
		need(lateVersion, lateRelease, "filter the pdf of a workbook", "Leave the filters out, or export one of its views")
	}
	return gates
}
