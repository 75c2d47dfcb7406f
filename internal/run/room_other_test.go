//go:build !linux

package run_test

func hasRoom(string, uint64) bool { return false }
