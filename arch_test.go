package ostiary_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// deepest is how many of our packages may stand in one chain of imports.
const deepest = 5

// A row of the import table: what a package may import of ours, and from outside.
type row struct {
	ours, outside []string
	all           bool // every one of ours
}

// imports maps a folder of this module to what its files import, standard library left out.
type imports map[string][]string

func TestPackagesImportOnlyWhatTheTableAllows(t *testing.T) {
	t.Parallel()
	table, found := readTable(t), readImports(t)
	for pkg, list := range found {
		allowed, ok := table[pkg]
		if !ok {
			t.Errorf("ARCHITECTURE.md: the import table has no row for %s", pkg)
			continue
		}
		for _, imported := range list {
			ours, isOurs := within(imported)
			switch {
			case isOurs && !slices.Contains(allowed.ours, ours) && !allowed.all:
				t.Errorf("%s imports %s; the table allows it %v", pkg, ours, allowed.ours)
			case !isOurs && !allowed.lets(imported):
				t.Errorf("%s imports %s from outside; the table allows it %v", pkg, imported, allowed.outside)
			}
		}
	}
}

// A row that nothing needs any more would allow what nobody has thought about.
func TestImportTableAllowsNothingThatIsNotUsed(t *testing.T) {
	t.Parallel()
	table, found := readTable(t), readImports(t)
	for pkg, allowed := range table {
		list, ok := found[pkg]
		if !ok {
			t.Errorf("ARCHITECTURE.md: the import table has a row for %s, which is not there", pkg)
		}
		for _, module := range allowed.outside {
			if !slices.ContainsFunc(list, func(imported string) bool { return partOf(module, imported) }) {
				t.Errorf("the import table allows %s to import %s, which it does not use", pkg, module)
			}
		}
		for _, name := range allowed.ours {
			uses := slices.ContainsFunc(list, func(imported string) bool {
				ours, _ := within(imported)
				return ours == name
			})
			if !uses {
				t.Errorf("the import table allows %s to import %s, which it does not use", pkg, name)
			}
		}
	}
}

func TestNoChainOfImportsIsLongerThanFive(t *testing.T) {
	t.Parallel()
	found := readImports(t)
	var longest func(pkg string) []string
	longest = func(pkg string) (chain []string) {
		for _, imported := range found[pkg] {
			if ours, ok := within(imported); ok {
				if c := longest(ours); len(c) > len(chain) {
					chain = c
				}
			}
		}
		return append([]string{pkg}, chain...)
	}
	for pkg := range found {
		if chain := longest(pkg); len(chain) > deepest {
			t.Errorf("%d packages in one chain of imports, %d are allowed: %s",
				len(chain), deepest, strings.Join(chain, " → "))
		}
	}
}

// within gives one of our packages as the table names it: by its folder, the root by its name.
func within(imported string) (string, bool) {
	if imported == "ostiary" {
		return imported, true
	}
	return strings.CutPrefix(imported, "ostiary/")
}

// lets says whether a package from outside stands in the row, by its module.
func (r row) lets(imported string) bool {
	return slices.ContainsFunc(r.outside, func(module string) bool { return partOf(module, imported) })
}

func partOf(module, imported string) bool {
	return imported == module || strings.HasPrefix(imported, module+"/")
}

var quoted = regexp.MustCompile("`([^`]+)`")

// readTable reads the rows "| `package` | `ours`, … | `outside`, … |" of ARCHITECTURE.md.
func readTable(t *testing.T) map[string]row {
	t.Helper()
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]row{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		table[names(cells[1])[0]] = row{
			ours: names(cells[2]), outside: names(cells[3]), all: strings.TrimSpace(cells[2]) == "all",
		}
	}
	if len(table) == 0 {
		t.Fatal("ARCHITECTURE.md has no import table")
	}
	return table
}

func names(cell string) (list []string) {
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		list = append(list, m[1])
	}
	return list
}

// readImports parses every file of this module that is no test.
func readImports(t *testing.T) imports {
	t.Helper()
	found := imports{}
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return enter(file, entry.Name())
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(file))
		if pkg == "." {
			pkg = "ostiary"
		}
		found[pkg] = append(found[pkg], notStandard(parsed.Imports)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// notStandard leaves out the standard library. The list is empty, not nil, where nothing remains.
func notStandard(specs []*ast.ImportSpec) []string {
	list := []string{}
	for _, spec := range specs {
		imported, _ := strconv.Unquote(spec.Path.Value)
		if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") || first == "ostiary" {
			list = append(list, imported)
		}
	}
	return list
}

// enter skips folders that are no part of this module.
func enter(dir, name string) error {
	if dir == "." {
		return nil
	}
	if name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}
