package directory

import (
	"encoding/binary"
	"strings"

	"ostiary"
)

// apps are the applications of one token, by name, one after the other in one piece of memory:
// the length of the name, the state, the ID in eight bytes, the name. It is never changed in place.
// A token has two as a rule and a thousand at most, so they are searched from the front.
type apps string

const (
	appHead = 10  // bytes before the name
	maxName = 255 // bytes; no record has more than ostiary.MaxAppName
)

// An app is one element.
type app struct {
	id    ostiary.ID
	name  string
	state ostiary.AppState
}

// first takes the first element off.
func (a apps) first() (app, apps) {
	end := appHead + int(a[0])
	return app{a.id(), string(a[appHead:end]), ostiary.AppState(a[1])}, a[end:]
}

func (a apps) id() ostiary.ID {
	return ostiary.ID(a[2]) | ostiary.ID(a[3])<<8 | ostiary.ID(a[4])<<16 | ostiary.ID(a[5])<<24 |
		ostiary.ID(a[6])<<32 | ostiary.ID(a[7])<<40 | ostiary.ID(a[8])<<48 | ostiary.ID(a[9])<<56
}

// find gives the element with this name.
func (a apps) find(name string) (app, bool) {
	for len(a) >= appHead {
		end := appHead + int(a[0])
		if end-appHead == len(name) && string(a[appHead:end]) == name {
			return app{a.id(), string(a[appHead:end]), ostiary.AppState(a[1])}, true
		}
		a = a[end:]
	}
	return app{}, false
}

// without is a without the element of this name.
func (a apps) without(name string) apps {
	before, _, after := a.around(name)
	return before + after
}

// with is a with this element, in the place of one with its name.
func (a apps) with(e app) apps {
	before, _, after := a.around(e.name)
	var b strings.Builder
	b.Grow(len(before) + appHead + len(e.name) + len(after))
	b.WriteString(string(before))
	var head [appHead]byte
	head[0], head[1] = byte(len(e.name)), byte(e.state)
	binary.LittleEndian.PutUint64(head[2:], uint64(e.id))
	b.Write(head[:])
	b.WriteString(e.name)
	b.WriteString(string(after))
	return apps(b.String())
}

// around cuts a at the place of a name.
func (a apps) around(name string) (before, here, after apps) {
	rest := a
	for len(rest) > 0 {
		e, next := rest.first()
		at := len(a) - len(rest)
		if e.name == name {
			return a[:at], a[at : len(a)-len(next)], next
		}
		if e.name > name {
			return a[:at], "", rest
		}
		rest = next
	}
	return a, "", ""
}

// all gives the elements, in the order of their names.
func (a apps) all(yield func(app) bool) {
	for len(a) > 0 {
		var e app
		if e, a = a.first(); !yield(e) {
			return
		}
	}
}
