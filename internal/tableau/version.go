package tableau

import (
	"cmp"
	"strconv"
	"strings"
)

// Versions of the REST API that vizpost decides by. Source: Tableau REST API
// reference, "What's new" and each method's "Version" line.
const (
	newestVersion     = "3.29" // Tableau 2026.2, the newest that the reference describes
	serverInfoVersion = "2.4"  // the first with Server Info; every later server still answers it
	oldestVersion     = "2.8"  // Tableau 10.5: the first with view PDF and view data
	tokenVersion      = "3.6"  // Tableau 2019.4: personal access tokens
	encodedVersion    = "3.7"  // Tableau 2020.1: the first that reads a percent-encoded filter of a list

	workbookPDFVersion   = "3.4"  // Tableau 2019.2: workbook PDF
	powerPointVersion    = "3.8"  // Tableau 2020.2: workbook PowerPoint
	excelVersion         = "3.9"  // Tableau 2020.3: crosstab as Excel
	customViewVersion    = "3.18" // Tableau Cloud 2022.4, Server 2023.1: custom views and their images
	filteredExcelVersion = "3.19" // Tableau 2023.1: filters of a crosstab, which servers of 2022 were seen to leave out
	tokenListVersion     = "3.21" // Tableau Cloud 2023.3: the list of personal access tokens
	lateVersion          = "3.23" // added to 3.23 after its release: custom view PDF and data, image sizes, filters of a workbook PDF
	sizedWorkbookVersion = "3.26" // Tableau Cloud 2025.2, Server 2025.3: sizes of a workbook PDF
	svgVersion           = "3.29" // Tableau 2026.2: SVG
)

// compareVersions orders versions of the REST API by number, so that 3.10 comes
// after 3.9. What is not a version counts as 0.0.
func compareVersions(a, b string) int {
	aMajor, aMinor, _ := parseVersion(a)
	bMajor, bMinor, _ := parseVersion(b)
	return cmp.Or(cmp.Compare(aMajor, bMajor), cmp.Compare(aMinor, bMinor))
}

func parseVersion(s string) (major, minor int, ok bool) {
	first, second, found := strings.Cut(s, ".")
	if !found {
		return 0, 0, false
	}
	major, majorOK := parseDigits(first)
	minor, minorOK := parseDigits(second)
	if !majorOK || !minorOK {
		return 0, 0, false
	}
	return major, minor, true
}

// parseDigits reads a number of one to four digits, without a sign.
func parseDigits(s string) (int, bool) {
	if len(s) == 0 || len(s) > 4 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// speakVersion picks the version to speak with a server: the server's own, or
// the client's where that is lower.
func speakVersion(server, client string) string {
	if compareVersions(server, client) < 0 {
		return server
	}
	return client
}
