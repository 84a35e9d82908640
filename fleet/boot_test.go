package fleet

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// inTimeOf gives the line that runs a program where the machine was started so many seconds earlier.
func (f *fleet) inTimeOf(seconds int) []string {
	f.Helper()
	line := []string{"unshare", "--time", "--boottime", fmt.Sprint(seconds)}
	here, err := os.ReadFile("/proc/uptime")
	there, err2 := exec.Command(line[0], append(line[1:], "cat", "/proc/uptime")...).Output()
	if err != nil || err2 != nil || uptime(there)-uptime(here) < float64(seconds)-60 {
		f.without("root, and time namespaces")
	}
	return line
}

func uptime(text []byte) (seconds float64) {
	fmt.Fscan(bytes.NewReader(text), &seconds)
	return seconds
}

// The clock that leases go by is another one in another time namespace, in the same boot of the machine. A copy
// from there says nothing about its age here, whichever of the two clocks is ahead.
func TestACopyByAnotherClockIsRefused(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, nil)
	a := f.prepare("a", "--listen", "127.0.0.1:0")
	a.before = f.inTimeOf(5000)
	f.launch(a)
	s := f.storm(0, 0, 0)
	token := s.apart(a)
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	f.pg.Stop(t)
	for what, line := range map[string][]string{"behind": nil, "a little ahead": f.inTimeOf(5005)} {
		a.before = line
		if err := a.start(); err == nil {
			t.Errorf("a node whose clock is %s of that of its copy begins from it", what)
			a.kill()
		} else if !strings.Contains(err.Error(), "nobody knows how old it is") {
			t.Errorf("it does not say why: %v", err)
		}
	}
	f.pg.Again(t)
	a.before = nil
	if err := a.start(); err != nil {
		t.Fatal(err)
	}
	f.eventually("with the database it decides", 5*time.Second, func() bool {
		status, _, err := a.ask(token.text, "app0")
		return err == nil && status == 200
	})
}
