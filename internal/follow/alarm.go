package follow

import "time"

// alarmEvery is how often an alarm is told again while it lasts.
const alarmEvery = time.Minute

// An alarm is told at once, again every minute, and once when it is over.
type alarm struct {
	on   bool
	told time.Duration // on the clock of its owner
}

// due says whether to tell that something is wrong, or that it is over.
func (a *alarm) due(wrong bool, now time.Duration) (tell, over bool) {
	switch {
	case wrong && (!a.on || now-a.told >= alarmEvery):
		a.on, a.told = true, now
		return true, false
	case !wrong && a.on:
		a.on = false
		return false, true
	}
	return false, false
}
