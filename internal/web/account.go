package web

import "ostiary/internal/authority"

// An accountForm is what an admin says of the account on the page of the team.
type accountForm struct{ Name, Description, Timezone, Wrong string }

// setAccount changes name, description and time zone.
func setAccount(v *visit) (reply, error) {
	form := accountForm{Name: v.field("name"), Description: v.field("description"), Timezone: v.field("timezone")}
	_, rev, err := v.authority.SetAccount(v.r.Context(), v.caller, authority.AccountPatch{Fields: map[string]string{
		"name": form.Name, "description": form.Description, "timezone": form.Timezone,
	}})
	if say, status, ok := v.wrong(err); ok {
		form.Wrong = say
		return v.teamScreen(teamView{About: form}, status)
	}
	if err != nil {
		return nil, err
	}
	return to(v.link("/team?done=" + doneAt(rev, rev))), nil
}
