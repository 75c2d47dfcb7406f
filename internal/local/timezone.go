package local

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// TimeZone gives the IANA name of a machine's time zone: that of tz, which is
// the value of the environment variable TZ, else the one that the link
// localtime, such as /etc/localtime, leads to, else "UTC".
func TimeZone(tz, localtime string) string {
	if name, ok := zone(tz); ok {
		return name
	}
	if target, err := filepath.EvalSymlinks(localtime); err == nil {
		if name, ok := zone(target); ok {
			return name
		}
	}
	// Debian names it in a file beside the link too.
	if text, err := os.ReadFile(filepath.Join(filepath.Dir(localtime), "timezone")); err == nil {
		if name, ok := zone(string(text)); ok {
			return name
		}
	}
	return "UTC"
}

// zone reads a name, or the path of a file that is named as its time zone.
func zone(text string) (string, bool) {
	name := strings.TrimPrefix(strings.TrimSpace(text), ":")
	if _, below, ok := strings.Cut(name, "zoneinfo/"); ok {
		name = below
	}
	if name == "" || name == "Local" {
		return "", false
	}
	_, err := time.LoadLocation(name)
	return name, err == nil
}
