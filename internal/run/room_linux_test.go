package run_test

import "syscall"

// hasRoom reports whether a folder is there and its disk has room.
func hasRoom(dir string, bytes uint64) bool {
	var s syscall.Statfs_t
	return syscall.Statfs(dir, &s) == nil && s.Bavail*uint64(s.Bsize) >= bytes
}
