package api

import (
	"ostiary"
	"ostiary/internal/authority"
)

func allApps(c *call) ([]authority.AppView, error) {
	return c.authority.AllApps(c.r.Context(), c.caller)
}

func apps(c *call) ([]authority.AppView, error) {
	token, err := c.id(0)
	if err != nil {
		return nil, err
	}
	return c.authority.Apps(c.r.Context(), c.caller, token)
}

func app(c *call) (out authority.AppView, err error) {
	token, id, err := c.appIDs()
	if err != nil {
		return out, err
	}
	return c.authority.App(c.r.Context(), c.caller, token, id)
}

func (c *call) appIDs() (token, app ostiary.ID, err error) {
	if token, err = c.id(0); err != nil {
		return 0, 0, err
	}
	app, err = c.id(1)
	return token, app, err
}

// A verdict is what a person decides about an application.
type verdict struct {
	name  string
	state ostiary.AppState
}

func decodeName(c *call) verdict {
	return verdict{name: must(c.body, "name", text), state: must(c.body, "state", appState)}
}

func decideName(c *call, v verdict) (out authority.AppView, rev uint64, err error) {
	token, err := c.id(0)
	if err != nil {
		return out, 0, err
	}
	return c.authority.DecideName(c.r.Context(), c.caller, token, v.name, v.state)
}

// decodeState reads a change of an application's state. The name may be repeated, as it is part of
// the object that was read.
func decodeState(c *call) verdict {
	return verdict{name: or(take(c.body, "name", text), ""), state: must(c.body, "state", appState)}
}

func decideApp(c *call, v verdict) (out authority.AppView, rev uint64, err error) {
	token, id, err := c.appIDs()
	if err != nil {
		return out, 0, err
	}
	if v.name != "" {
		was, err := c.authority.App(c.r.Context(), c.caller, token, id)
		if err != nil {
			return out, 0, err
		}
		if was.Name != v.name {
			return out, 0, ostiary.RefuseField("name", "The name of an application cannot be changed.")
		}
	}
	return c.authority.DecideApp(c.r.Context(), c.caller, token, id, v.state)
}

func forgetApp(c *call, _ struct{}) (string, uint64, error) {
	token, id, err := c.appIDs()
	if err != nil {
		return "", 0, err
	}
	rev, err := c.authority.ForgetApp(c.r.Context(), c.caller, token, id)
	return appCID(token, id).(string), rev, err
}

func encodeForgotten(_ *call, cid string) object { return object{"_cid": cid} }

// mayDecide finds out whether the caller may decide about applications of the token, and sees this one.
func mayDecide(c *call) error {
	if err := maySetToken(c); err != nil || len(c.args) < 2 {
		return err
	}
	_, err := app(c)
	return err
}
