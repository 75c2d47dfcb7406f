package tableautest

import (
	"fmt"
	"regexp"
	"strconv"
)

// version is a version of the REST API.
type version struct{ major, minor int }

var versionPattern = regexp.MustCompile(`^(\d{1,3})\.(\d{1,3})$`)

func parseVersion(text string) (version, error) {
	m := versionPattern.FindStringSubmatch(text)
	if m == nil {
		return version{}, fmt.Errorf("%q is not an API version such as 3.29", text)
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	return version{major, minor}, nil
}

func (v version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

func (v version) before(other version) bool {
	return v.major < other.major || v.major == other.major && v.minor < other.minor
}

// release is the year and quarter of the product that came with an API version
// (Tableau REST API reference, What's New: version matrix).
func (v version) release() (year, part int) {
	switch {
	case v.major != 3:
		return 2018, 1
	case v.minor < 3:
		return 2018, v.minor + 1
	case v.minor < 19:
		return 2019 + (v.minor-3)/4, (v.minor-3)%4 + 1
	default:
		return 2023 + (v.minor-19)/3, (v.minor-19)%3 + 1
	}
}

func (v version) product() string {
	year, part := v.release()
	return fmt.Sprintf("%d.%d", year, part)
}

func (v version) build() string {
	year, part := v.release()
	return fmt.Sprintf("%d%d.%02d.0115.1010", year, part, year%100)
}

// kind is where a server runs, which decides on some of its endpoints.
type kind int

const (
	both kind = iota // of an endpoint that all servers have
	onPremises
	cloud
)

func (k kind) String() string {
	if k == cloud {
		return "Tableau Cloud"
	}
	return "Tableau Server"
}
