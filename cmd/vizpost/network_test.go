package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAddressesThatTheNetworkReachesAreToldOf(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:8080": false, "127.0.0.5:80": false, "[::1]:8080": false,
		"0.0.0.0:8080": true, "[::]:8080": true, "192.168.1.5:8080": true, "[2001:db8::1]:80": true,
	} {
		a, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		got := openToTheNetwork(a)
		if (got != "") != want || want && !strings.Contains(got, "VIZPOST_PUBLIC_URL") {
			t.Errorf("%s: got %q, want a warning with what to do: %t", address, got, want)
		}
	}
}

func TestADataFolderThatIsOpenToOthersIsClosed(t *testing.T) {
	t.Parallel()
	for mode, told := range map[os.FileMode]bool{0o700: false, 0o755: true, 0o777: true, 0o710: true} {
		dir := filepath.Join(t.TempDir(), "data")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		stderr := &strings.Builder{}
		if err := (command{stderr: stderr}).closeDataFolder(dir); err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		}
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("mode %04o: it has %v now, error %v; want 0700", mode, info.Mode(), err)
		}
		if got := strings.Contains(stderr.String(), dir); got != told {
			t.Errorf("mode %04o: told %t, want %t: %s", mode, got, told, stderr)
		}
	}
}
