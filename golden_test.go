package ostiary_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden pages anew")

// golden compares a page with the one that people reviewed.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("the rules answer otherwise than %s says; if that is meant, run make golden and review it (-page +now):\n%s", path, diff)
	}
}

// A choice is one of the things that an answer can depend on, with all its values.
type choice struct {
	name   string
	values []string
}

// tree asks for the answer to every combination of the choices, and writes them as a tree. Values
// with the same answers below them share a line, and a choice that makes no difference is left out.
func tree(choices []choice, answer func(at []int) string) string {
	p := &plant{choices: choices, answer: answer, known: map[string]int{}}
	var b strings.Builder
	p.write(&b, p.grow(make([]int, 0, len(choices))), "")
	return b.String()
}

// A plant grows a tree. Parts that are the same are the same node, so that millions of combinations
// take seconds.
type plant struct {
	choices []choice
	answer  func(at []int) string
	known   map[string]int // what a node looks like → its number
	nodes   []node
}

type node struct {
	choice   string
	names    []string // of the values, joined where they lead to the same
	children []int
	leaf     string
}

func (p *plant) grow(at []int) int {
	if len(at) == len(p.choices) {
		leaf := p.answer(at)
		return p.node(leaf, func() node { return node{leaf: leaf} })
	}
	c := p.choices[len(at)]
	children := make([]int, len(c.values))
	look := append(make([]byte, 0, 64), c.name...)
	same := true
	for i := range c.values {
		children[i] = p.grow(append(at, i))
		same = same && children[i] == children[0]
		look = append(look, 0, byte(children[i]>>16), byte(children[i]>>8), byte(children[i]))
	}
	if same {
		return children[0]
	}
	if n, ok := p.known[string(look)]; ok {
		return n
	}
	return p.node(string(look), func() node {
		n := node{choice: c.name}
		for i, child := range children {
			if at := slices.Index(n.children, child); at >= 0 {
				n.names[at] += " or " + c.values[i]
				continue
			}
			n.names, n.children = append(n.names, c.values[i]), append(n.children, child)
		}
		return n
	})
}

func (p *plant) node(look string, grown func() node) int {
	if n, ok := p.known[look]; ok {
		return n
	}
	p.nodes = append(p.nodes, grown())
	p.known[look] = len(p.nodes) - 1
	return len(p.nodes) - 1
}

func (p *plant) write(b *strings.Builder, n int, indent string) {
	for i, child := range p.nodes[n].children {
		head := indent + strings.TrimSpace(p.nodes[n].choice+" "+p.nodes[n].names[i])
		if leaf := p.nodes[child]; leaf.children == nil {
			b.WriteString(head + " → " + leaf.leaf + "\n")
			continue
		}
		b.WriteString(head + "\n")
		p.write(b, child, indent+"    ")
	}
}
