package follow

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"ostiary"
)

// followers are the nodes that follow this one, in a small file. It is written before one of them learns that the
// others know of it, and so before it decides; and when something of it changes that a receipt says. It is not
// written at each beat.
type followers struct {
	path string // empty: nothing is remembered

	mu      sync.Mutex
	written map[string]follower
}

// A follower is what a receipt needs to know of a node of which nothing was heard.
type follower struct {
	ID      string        `json:"id"`
	Name    string        `json:"name"`
	Version string        `json:"version"`
	Via     string        `json:"via"`
	Lease   time.Duration `json:"lease_ns"`
	Tail    time.Duration `json:"tail_ns"`
	Signs   time.Duration `json:"signs_ns"`
	Stale   bool          `json:"serves_stale"`
	Stopped bool          `json:"stopped"`
}

func followerOf(n ostiary.Node) follower {
	return follower{n.ID, n.Name, n.Version, n.Via, n.Lease, n.Tail, n.Signs, n.Stale, n.Stopped}
}

func (f follower) node() ostiary.Node {
	return ostiary.Node{
		ID: f.ID, Name: f.Name, Version: f.Version, Via: f.Via, Lease: f.Lease, Tail: f.Tail, Signs: f.Signs,
		Stale: f.Stale, Stopped: f.Stopped,
	}
}

// open reads the file. Without it nobody has followed yet; one that cannot be read may name nodes that decide.
func (f *followers) open() (nodes []ostiary.Node, err error) {
	f.written = map[string]follower{}
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []follower
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("reading which nodes follow this one, in %s: %w; without that file no receipt names them "+
			"before they are heard of", f.path, err)
	}
	for _, one := range all {
		f.written[one.ID] = one
		nodes = append(nodes, one.node())
	}
	return nodes, nil
}

// keep has nodes that follow in the file. Those that decide no more leave it when it is written.
func (f *followers) keep(nodes []ostiary.Node, gone func(id string) bool) error {
	if f.path == "" {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	wanted, given := maps.Clone(f.written), map[string]bool{}
	for _, n := range nodes {
		if n.Via != "" {
			wanted[n.ID], given[n.ID] = followerOf(n), true
		}
	}
	same := maps.Equal(wanted, f.written)
	maps.DeleteFunc(wanted, func(id string, _ follower) bool { return gone(id) && !given[id] })
	if err := f.write(wanted); err != nil && !same {
		return err // who stands there too long does no harm
	}
	return nil
}

func (f *followers) drop(id string) error {
	if f.path == "" {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	wanted := maps.Clone(f.written)
	delete(wanted, id)
	return f.write(wanted)
}

// write writes the file whole, if anything is different.
func (f *followers) write(wanted map[string]follower) error {
	if maps.Equal(wanted, f.written) {
		return nil
	}
	all := slices.SortedFunc(maps.Values(wanted), func(a, b follower) int { return strings.Compare(a.ID, b.ID) })
	text, err := json.MarshalIndent(all, "", "\t")
	if err == nil {
		err = replaceFile(f.path, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("writing which nodes follow this one: %w", err)
	}
	f.written = wanted
	return nil
}

// replaceFile writes a file that is there whole, or as it was before, whatever happens to the machine.
func replaceFile(path string, text []byte) error {
	fresh := path + ".new"
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		os.Remove(fresh) // it is written over the next time
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
