// Package internal_test holds the whole house against its map.
package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/vizpost/vizpost/"

// room is a line of the map in CONTRIBUTING.md: a folder.
var room = regexp.MustCompile(`(?m)^((?:cmd|functions|internal)(?:/[a-z0-9]+)*)/ `)

// rooms gives the folders of the map, from the top down.
func rooms(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, line := range room.FindAllStringSubmatch(string(text), -1) {
		all = append(all, line[1])
	}
	return all
}

// roomOf gives the place of the room that a package is in, -1 if it is in none.
func roomOf(rooms []string, pkg string) int {
	path, best := strings.TrimPrefix(pkg, module), -1
	for i, r := range rooms {
		if (path == r || strings.HasPrefix(path, r+"/")) && (best < 0 || len(r) > len(rooms[best])) {
			best = i
		}
	}
	return best
}

// imports gives what each package of the module imports, its tests left out.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	read := func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "testdata":
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		source, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", file), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := module + path.Dir(file)
		for _, spec := range source.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			all[pkg] = append(all[pkg], imported)
		}
		return nil
	}
	for _, top := range []string{"cmd", "functions", "internal"} {
		if err := fs.WalkDir(os.DirFS(".."), top, read); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestImportsRunDownwards(t *testing.T) {
	t.Parallel()
	rooms := rooms(t)
	for pkg, imported := range imports(t) {
		own := roomOf(rooms, pkg)
		if own < 0 {
			t.Errorf("%s is in no room of the map in CONTRIBUTING.md", pkg)
		}
		for _, path := range imported {
			if strings.HasPrefix(path, module) && roomOf(rooms, path) < own {
				t.Errorf("%s imports %s, which the map has above it", pkg, path)
			}
		}
	}
}

// The nouns know neither how things are kept nor where they run.
func TestNounsImportNoAdapter(t *testing.T) {
	t.Parallel()
	all := imports(t)
	for _, noun := range []string{"connection", "report", "run", "deliver", "content"} {
		imported, ok := all[module+"internal/"+noun]
		if !ok {
			t.Errorf("there is no package for the noun %s", noun)
		}
		for _, foreign := range []string{"database/", "modernc.org/sqlite", "github.com/aws/", "github.com/danielgtaylor/huma", module + "internal/local", module + "internal/aws"} {
			if i := slices.IndexFunc(imported, func(path string) bool { return strings.HasPrefix(path, foreign) }); i >= 0 {
				t.Errorf("%s imports %s", noun, imported[i])
			}
		}
	}
}
