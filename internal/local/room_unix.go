//go:build unix && !solaris && !netbsd && !aix

package local

import "syscall"

// roomOf returns how many bytes are left on a folder's disk for vizpost.
func roomOf(dir string) (bytes uint64, known bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return uint64(s.Bavail) * uint64(s.Bsize), true
}
