package api

import (
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"ostiary"
)

// Fields are the keys of a JSON object, as a request sent it. Whoever takes a field says by that
// which there may be. The first thing that is wrong is kept, and told by done.
type fields struct {
	at     string // the name of the object, for messages
	values map[string]any
	asked  []string
	err    error
}

// take gives a field's value; nil where it was not sent or is wrong.
func take[T any](f *fields, name string, read func(any) (T, error)) *T {
	f.asked = append(f.asked, name)
	v, sent := f.values[name]
	if !sent || f.err != nil {
		return nil
	}
	value, err := read(v)
	if err != nil {
		f.fail(name, err)
		return nil
	}
	return &value
}

// must gives a field that has to be sent.
func must[T any](f *fields, name string, read func(any) (T, error)) (value T) {
	at := take(f, name, read)
	if at == nil && f.err == nil {
		f.err = ostiary.RefuseField(join(f.at, name), "This field is needed.")
	}
	return or(at, value)
}

// or gives what a field said, or what stands where it was not sent.
func or[T any](at *T, otherwise T) T {
	if at == nil {
		return otherwise
	}
	return *at
}

func (f *fields) fail(name string, err error) {
	var w wrong
	if errors.As(err, &w) {
		err = ostiary.RefuseField(join(f.at, name), err.Error())
	}
	f.err = err
}

// done says what is wrong with the fields: first what take found, then keys that nobody took. Keys
// that begin with _ are what we said ourselves, and are ignored.
func (f *fields) done() error {
	if f.err != nil {
		return f.err
	}
	var unknown []string
	for name := range f.values {
		if !strings.HasPrefix(name, "_") && !slices.Contains(f.asked, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	f.err = ostiary.RefuseField(join(f.at, slices.Min(unknown)), "There is no such field here that can be set.")
	return f.err
}

// within reads an object that stands in a field.
func within[T any](name string, read func(*fields) T) func(any) (T, error) {
	return func(v any) (out T, err error) {
		values, ok := v.(map[string]any)
		if !ok {
			return out, wrong("This is a JSON object.")
		}
		f := &fields{at: name, values: values}
		out = read(f)
		return out, f.done()
	}
}

// each reads a list of objects that stands in a field.
func each[T any](name string, read func(*fields) T) func(any) ([]T, error) {
	one := within(name, read)
	return func(v any) ([]T, error) {
		list, ok := v.([]any)
		if !ok {
			return nil, wrong("This is a list of JSON objects.")
		}
		out := make([]T, 0, len(list))
		for _, v := range list {
			element, err := one(v)
			if err != nil {
				return nil, err
			}
			out = append(out, element)
		}
		return out, nil
	}
}

// Wrong says what a value has to be.
type wrong string

func (w wrong) Error() string { return string(w) }

// The readers of values. Their messages never repeat a value: it may be a secret in the wrong place.

func text(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", wrong("This is a text.")
	}
	return s, nil
}

// note is a text that reads null as empty, as clients of the original send it.
func truth(v any) (bool, error) {
	b, ok := v.(bool)
	if !ok {
		return false, wrong("This is true or false.")
	}
	return b, nil
}

func note(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	return text(v)
}

func role(v any) (ostiary.Role, error) {
	s, _ := v.(string)
	r, err := ostiary.ParseRole(s)
	if err != nil {
		return r, wrong("This is one of Read Only, Normal and Admin.")
	}
	return r, nil
}

func defaultState(v any) (ostiary.DefaultAppState, error) {
	s, _ := v.(string)
	d, err := ostiary.ParseDefaultAppState(s)
	if err != nil {
		return d, wrong("This is one of Allow, Pending and Deny.")
	}
	return d, nil
}

func appState(v any) (ostiary.AppState, error) {
	s, _ := v.(string)
	state, err := ostiary.ParseAppState(s)
	if err != nil {
		return state, wrong("This is allowed or denied.")
	}
	return state, nil
}

func kind(v any) (ostiary.Kind, error) {
	s, _ := v.(string)
	k, err := ostiary.ParseKind(s)
	if err != nil {
		return k, wrong("This is user or account.")
	}
	return k, nil
}

// reference reads an id: "/token/12", "12" or 12.
func reference(prefix string) func(any) (ostiary.ID, error) {
	return func(v any) (ostiary.ID, error) {
		var s string
		switch v := v.(type) {
		case string:
			s = strings.TrimPrefix(v, prefix)
		case json.Number:
			s = v.String()
		}
		id, err := ostiary.ParseID(s)
		if err != nil {
			return 0, wrong("This is " + prefix + "ID, with the ID decimal.")
		}
		return id, nil
	}
}

// lastSecond is the end of the year 9999: what is later was meant in milliseconds.
const lastSecond = 253402300799

// moment reads epoch seconds; null is the zero time: never.
func moment(v any) (time.Time, error) {
	if v == nil {
		return time.Time{}, nil
	}
	n, _ := v.(json.Number)
	s, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil || s <= 0 || s > lastSecond {
		return time.Time{}, wrong("This is a time in whole seconds since 1970, or null.")
	}
	return time.Unix(s, 0).UTC(), nil
}

const maxNetworks = 100

// networks reads a list of networks, such as "10.0.0.0/8". An address alone is a network of one.
func networks(v any) ([]netip.Prefix, error) {
	bad := wrong("This is a list of at most 100 networks, such as 192.0.2.0/24 or 2001:db8::/32.")
	list, ok := v.([]any)
	if !ok || len(list) > maxNetworks {
		return nil, bad
	}
	var out []netip.Prefix
	for _, v := range list {
		s, _ := v.(string)
		n, err := netip.ParsePrefix(s)
		if addr, bare := netip.ParseAddr(s); bare == nil && addr.Zone() == "" {
			n, err = addr.Prefix(addr.BitLen())
		}
		if err != nil || n.Addr().Is4In6() {
			return nil, bad
		}
		out = append(out, n.Masked())
	}
	return out, nil
}
