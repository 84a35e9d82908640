package main

import (
	"ostiary"
)

// Flags that take a word of ours are checked before anything is sent: a wrong one is wrong usage.

// A roleFlag takes a role, and hands on how the API spells it.
type roleFlag struct{ role ostiary.Role }

func (f *roleFlag) Set(s string) (err error) {
	f.role, err = ostiary.ParseRole(s)
	return err
}
func (f *roleFlag) Type() string { return "ROLE" }
func (f *roleFlag) String() string {
	if f.role == ostiary.NoRole {
		return ""
	}
	return f.role.Label()
}

// A defaultFlag takes a default app state.
type defaultFlag struct {
	state ostiary.DefaultAppState
	set   bool
}

func (f *defaultFlag) Set(s string) (err error) {
	f.state, err = ostiary.ParseDefaultAppState(s)
	f.set = err == nil
	return err
}
func (f *defaultFlag) Type() string { return "STATE" }
func (f *defaultFlag) String() string {
	if !f.set {
		return ""
	}
	return f.state.String()
}

// A decisionFlag takes a decision about an application.
type decisionFlag struct{ state ostiary.AppState }

func (f *decisionFlag) Set(s string) (err error) {
	f.state, err = ostiary.ParseAppState(s)
	return err
}
func (f *decisionFlag) Type() string { return "DECISION" }
func (f *decisionFlag) String() string {
	if f.state == ostiary.Waiting {
		return ""
	}
	return f.state.String()
}
