package web

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestNumbersAreSaidAsPeopleSayThem(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		times(1): "once", times(2): "twice", times(1204): "1,204 times",
		plural(1, "request"): "1 request", plural(uint64(88310), "request"): "88,310 requests",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTimesAreSaidInTheAccountsZone(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC) // the evening of the third there
	c := clock{now: now, zone: zone}
	for ago, want := range map[time.Duration]string{
		30 * time.Second: "just now", time.Minute: "1 minute ago", 59 * time.Minute: "59 minutes ago",
		3 * time.Hour: "today 18:00", 22 * time.Hour: "yesterday 23:00", 24 * 20 * time.Hour: "11 February 21:00",
		24 * 100 * time.Hour: "23 November 2025", -48 * time.Hour: "5 March 2026 21:00",
	} {
		if got := c.spoken(now.Add(-ago)); got != want {
			t.Errorf("%v ago is %q, want %q", ago, got, want)
		}
	}
}

func TestCommandsAreQuotedForAShell(t *testing.T) {
	t.Parallel()
	i := Install{Template: "curl {api}/install | sh -s -- --key {token} --app {app}"}
	for app, want := range map[string]string{
		"cosi":               "--app cosi",
		"it's; rm -rf $HOME": `--app 'it'\''s; rm -rf $HOME'`,
		"{token}":            "--app '{token}'",
	} {
		if got := i.filled("SECRET", app, "https://api.example.com"); !strings.HasSuffix(got, "--key SECRET "+want) {
			t.Errorf("the command for %q is %s", app, got)
		}
	}
}

func TestPictureOfAWeekHasABarForEachSixHours(t *testing.T) {
	t.Parallel()
	var hours [168]uint64
	hours[0], hours[5], hours[6], hours[167] = 1, 2, 1, 6
	picture := string(spark(hours))
	if !strings.Contains(picture, `aria-label="10 requests in the last 7 days"`) {
		t.Errorf("the picture does not say how many: %s", picture)
	}
	bars := regexp.MustCompile(`M(\d+) (\d+)h4v(\d+)h-4z`).FindAllString(picture, -1)
	if want := "M0 14h4v14h-4z M6 24h4v4h-4z M162 0h4v28h-4z"; strings.Join(bars[:3], " ") != want {
		t.Errorf("the bars are %v, want %s", bars[:3], want)
	}
	if got := string(spark([168]uint64{})); !strings.Contains(got, "No requests in the last 7 days") {
		t.Errorf("a week without requests is %s", got)
	}
}
