package secret

import "time"

// Version is one version of a secret in a vault; what it holds is not in it.
type Version struct {
	Name  string
	PutAt time.Time
}
