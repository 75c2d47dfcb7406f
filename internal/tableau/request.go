package tableau

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vizpost/vizpost/internal/content"
	"github.com/vizpost/vizpost/internal/problem"
)

// Format is what is exported.
type Format string

// The formats. Which of them a view, a custom view and a workbook have is said
// at [Client.Export].
const (
	PNG  Format = "png"
	SVG  Format = "svg"
	PDF  Format = "pdf"
	CSV  Format = "csv"  // the view's summary data; of a dashboard, its first worksheet by name
	XLSX Format = "xlsx" // the crosstab as an Excel workbook; of a dashboard, as CSV
	PPTX Format = "pptx" // PowerPoint, a slide for each sheet of a workbook
)

// ExportRequest says what to export, and how.
type ExportRequest struct {
	// What to export: the id of one of these, and only one.
	ViewID       string
	WorkbookID   string
	CustomViewID string

	Format   Format
	Filters  []Filter     // combined with one another; their values are alternatives
	MaxAge   int          // minutes that a result in Tableau's cache may be old, at least 1; 0 means 1
	Image    ImageOptions // with PNG; Width and Height also with SVG and PDF
	PDF      PDFOptions   // with PDF
	Language string       // of the labels and number formats, such as "de" or "en_GB"; "" means the user's own
}

// ImageOptions are the options of an image.
type ImageOptions struct {
	HighResolution bool // twice the pixels in each direction
	Width, Height  int  // in pixels; both or neither. Views of fixed size ignore them
}

func (o ImageOptions) sized() bool { return o.Width != 0 || o.Height != 0 }

// pixels is how many a picture of the size that is asked for has. The sides are
// at most maxImageSide, or they are refused for that.
func (o ImageOptions) pixels() int {
	n := min(o.Width, maxImageSide) * min(o.Height, maxImageSide)
	if o.HighResolution {
		n *= 4
	}
	return n
}

// PDFOptions are the options of a PDF.
type PDFOptions struct {
	PageSize    string // such as "A4", "Letter" or "Unspecified" (the view's own size), in any case; "" means "A4"
	Orientation string // "Portrait" or "Landscape", in any case; "" means "Portrait"
}

// subject is the kind of thing that is exported.
type subject int

const (
	aView subject = iota
	aWorkbook
	aCustomView
)

// subject gives what the request names. A request that names nothing is taken
// for one of a view.
func (r ExportRequest) subject() subject {
	switch {
	case r.WorkbookID != "":
		return aWorkbook
	case r.CustomViewID != "":
		return aCustomView
	default:
		return aView
	}
}

// formats are those that Tableau has endpoints for, and what to do instead of
// the others. Source: Tableau REST API reference, "Workbooks and Views Methods".
func (s subject) formats() (formats []Format, message string) {
	switch s {
	case aWorkbook:
		return []Format{PDF, PPTX}, "Tableau exports a whole workbook as pdf or pptx only. For another format choose one of its views."
	case aCustomView:
		return []Format{PNG, SVG, PDF, CSV}, "Tableau exports a custom view as png, svg, pdf or csv only. For xlsx choose the published view with filters, for pptx its workbook."
	default:
		return []Format{PNG, SVG, PDF, CSV, XLSX}, "Choose one of png, svg, pdf, csv and xlsx. PowerPoint (pptx) is for whole workbooks: Tableau has none of a single view."
	}
}

// pageSizes are the values of the parameter type, by their lower-case form.
// Source: Tableau REST API reference, "Query View PDF"; B4 and Unspecified are
// taken as well.
var pageSizes = map[string]string{
	"a3": "A3", "a4": "A4", "a5": "A5", "b4": "B4", "b5": "B5", "executive": "Executive",
	"folio": "Folio", "ledger": "Ledger", "legal": "Legal", "letter": "Letter", "note": "Note",
	"quarto": "Quarto", "tabloid": "Tabloid", "unspecified": "Unspecified",
}

var orientations = map[string]string{"portrait": "Portrait", "landscape": "Landscape"}

var languagePattern = regexp.MustCompile(`^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$`)

const (
	maxImageSide  = 10_000 // pixels, the most that is asked for
	maxMaxAge     = 7 * 24 * 60
	defaultPage   = "A4"
	defaultOrient = "Portrait"
)

// Validate says what cannot be sent to any server, as a [*problem.Error] with
// the fields "format", "filters", "max_age_minutes", "image",
// "image.high_resolution", "pdf", "pdf.page_size", "pdf.orientation" and
// "language". An option that Tableau would ignore for this format, and a format
// that it does not have for what the request names, are refused. It does not
// look at the ids, but for which of them is there: without one the request is
// taken for one of a view.
func (r ExportRequest) Validate() error {
	var wrong problem.Fields
	formats, message := r.subject().formats()
	known := slices.Contains(formats, r.Format)
	if !known {
		wrong.Add("format", "%s", message)
	}
	validateFilters(r.Filters, &wrong)
	if r.MaxAge < 0 || r.MaxAge > maxMaxAge {
		wrong.Add("max_age_minutes", "Give whole minutes from 1 to %d.", maxMaxAge)
	}
	if (r.Image.Width == 0) != (r.Image.Height == 0) {
		wrong.Add("image", "Give both width and height, or neither.")
	}
	if min(r.Image.Width, r.Image.Height) < 0 || max(r.Image.Width, r.Image.Height) > maxImageSide {
		wrong.Add("image", "Width and height are pixels, from 1 to %d.", maxImageSide)
	}
	if known {
		r.validateFit(&wrong)
	}
	if _, ok := pageSizes[strings.ToLower(r.PDF.PageSize)]; !ok && r.PDF.PageSize != "" {
		wrong.Add("pdf.page_size", "Choose one of A3, A4, A5, B4, B5, Executive, Folio, Ledger, Legal, Letter, Note, Quarto, Tabloid and Unspecified.")
	}
	if _, ok := orientations[strings.ToLower(r.PDF.Orientation)]; !ok && r.PDF.Orientation != "" {
		wrong.Add("pdf.orientation", "Choose portrait or landscape.")
	}
	if r.Language != "" && !languagePattern.MatchString(r.Language) {
		wrong.Add("language", "Give a language as Tableau names it, such as de or en_GB.")
	}
	return wrong.Err()
}

// validateFit notes options that the endpoint does not have: Tableau ignores
// what it does not know. Source: Tableau REST API reference, the parameters of
// each export.
func (r ExportRequest) validateFit(wrong *problem.Fields) {
	what := r.subject()
	if r.PDF != (PDFOptions{}) && r.Format != PDF {
		wrong.Add("pdf", "These options belong to the format pdf.")
	}
	if r.Image.HighResolution && r.Format != PNG {
		wrong.Add("image.high_resolution", "High resolution belongs to the format png.")
	}
	if r.Image.sized() {
		switch {
		case r.Format != PNG && r.Format != SVG && r.Format != PDF:
			wrong.Add("image", "Width and height belong to the formats png, svg and pdf.")
		case r.Format == PNG && r.Image.pixels() > content.MaxPixels:
			wrong.Add("image", "A picture of this size has more than %d million pixels, which vizpost does not take. High resolution has four for each. Give a smaller width and height.", content.MaxPixels/1_000_000)
		case what == aCustomView && r.Format != PDF:
			wrong.Add("image", "Tableau has no width and height for the image of a custom view, only for its pdf. Leave them out.")
		}
	}
	if r.Format == PPTX && len(r.Filters) > 0 {
		wrong.Add("filters", "Tableau does not filter a PowerPoint. Choose pdf, or export a view.")
	}
	if r.Format == PPTX && r.Language != "" {
		wrong.Add("language", "Tableau has no language for a PowerPoint. Leave it out, or choose pdf.")
	}
}

// validateSubject says that not exactly one thing is named.
func (r ExportRequest) validateSubject() error {
	named := 0
	for _, id := range []string{r.ViewID, r.WorkbookID, r.CustomViewID} {
		if id != "" {
			named++
		}
	}
	if named != 1 {
		return problem.InvalidField("view", "Name one view, one workbook or one custom view.")
	}
	return nil
}

// path is the endpoint's path below the site.
func (r ExportRequest) path() string {
	base := "/views/" + url.PathEscape(r.ViewID)
	switch r.subject() {
	case aWorkbook:
		base = "/workbooks/" + url.PathEscape(r.WorkbookID)
	case aCustomView:
		base = "/customviews/" + url.PathEscape(r.CustomViewID)
	}
	switch r.Format {
	case PDF:
		return base + "/pdf"
	case CSV:
		return base + "/data"
	case XLSX:
		return base + "/crosstab/excel"
	case PPTX:
		return base + "/powerpoint"
	default:
		return base + "/image"
	}
}

// query is the endpoint's query. What can be said is said, since the defaults
// differ between servers and from the reference: without maxAge a result may be
// hours old, without type a page is Letter or Legal.
func (r ExportRequest) query() string {
	query := url.Values{"maxAge": {strconv.Itoa(max(r.MaxAge, 1))}}
	if r.Format == PNG && r.Image.HighResolution {
		query.Set("resolution", "high")
	}
	if r.Format == SVG {
		query.Set("format", "svg")
	}
	if r.Format == PDF {
		query.Set("type", pageSizes[strings.ToLower(cmp.Or(r.PDF.PageSize, defaultPage))])
		query.Set("orientation", orientations[strings.ToLower(cmp.Or(r.PDF.Orientation, defaultOrient))])
	}
	if r.Image.sized() {
		query.Set("vizWidth", strconv.Itoa(r.Image.Width))
		query.Set("vizHeight", strconv.Itoa(r.Image.Height))
	}
	if r.Language != "" {
		query.Set("language", r.Language)
	}
	encoded := query.Encode()
	if filters := encodeFilters(r.Filters); filters != "" {
		encoded += "&" + filters
	}
	return encoded
}
