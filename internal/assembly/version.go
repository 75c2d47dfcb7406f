package assembly

import "runtime/debug"

// Version is that of the program, as Go noted it in the build: "development"
// for one that was not built from a released version.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "development"
	}
	return info.Main.Version
}
