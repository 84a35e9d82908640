package config_test

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"ostiary"
	"ostiary/internal/config"
)

var update = flag.Bool("update", false, "write the golden pages anew")

// load reads settings as a command does. A file's text is put where FILE stands in the arguments.
func load(t *testing.T, file string, environ []string, args ...string) (*config.Config, []string, error) {
	t.Helper()
	if file != "" {
		path := filepath.Join(t.TempDir(), "ostiary.conf")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	c := config.Register(fs)
	if err := fs.Parse(args); err != nil {
		return nil, nil, err
	}
	warnings, err := c.Load(fs, environ)
	return c, warnings, err
}

func TestFlagWinsOverVariableAndVariableOverFile(t *testing.T) {
	t.Parallel()
	const file = "listen = :1\nadmin-listen = :1\npublic-url = https://file.example.com"
	environ := []string{"OSTIARY_LISTEN=:2", "OSTIARY_ADMIN_LISTEN=:2"}
	c, _, err := load(t, file, environ, "--listen", ":3")
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.Listen, c.AdminListen, c.PublicURL, c.TrustedPeers}
	want := []string{":3", ":2", "https://file.example.com", "loopback"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flag, variable, file, default (-want +got):\n%s", diff)
	}
}

func TestFlagWithItsDefaultStillWins(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, "listen = :1", []string{"OSTIARY_ACCESS_LOG=true"}, "--listen", "127.0.0.1:8700", "--access-log=false")
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:8700" || c.AccessLog {
		t.Errorf("listen %s, access-log %t; want what the flags say", c.Listen, c.AccessLog)
	}
}

func TestVariableMayNameTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c")
	if err := os.WriteFile(path, []byte("log-level = debug"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := load(t, "", []string{"OSTIARY_CONFIG=" + path})
	if err != nil {
		t.Fatal(err)
	}
	if c.LogLevel != slog.LevelDebug {
		t.Errorf("log-level %s, want DEBUG", c.LogLevel)
	}
}

func TestFileHasCommentsSpacesAndEverySetting(t *testing.T) {
	t.Parallel()
	c, warnings, err := load(t, `
# what people write
  data=/srv/o
use-flush = 500ms
rate-limit = 2.5
more-headers = X-A:X-B, X-C:X-D
max-tokens-per-user = 7
access-log = true
public-url = https://tokens.example.com/
`, nil)
	if err != nil || warnings != nil {
		t.Fatal(err, warnings)
	}
	want := [][2]string{{"X-A", "X-B"}, {"X-C", "X-D"}}
	if diff := cmp.Diff(want, c.MoreHeaders); diff != "" {
		t.Errorf("more-headers (-want +got):\n%s", diff)
	}
	if c.Data != "/srv/o" || c.UseFlush != 500*time.Millisecond || c.RateLimit != 2.5 || c.MaxTokensPerUser != 7 ||
		!c.AccessLog || c.PublicURL != "https://tokens.example.com" {
		t.Errorf("got %+v", *c)
	}
}

func TestUnknownSettingIsAnErrorThatNamesFileAndLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, want string }{
		{"data = /a\n\nlissten = :1", `ostiary.conf:3: there is no setting "lissten"`},
		{"# x\nlisten", "ostiary.conf:2: a line is: name = value"},
		{"use-flush = soon", "ostiary.conf:1: use-flush: not a duration"},
		{"data = /a\ndata = /b", "ostiary.conf:2: data was set on line 1 already"},
		{"config = other", "ostiary.conf:1: one file cannot name another"},
		{"--data = /a", "ostiary.conf:1: there is no setting"},
		{"listen = ", "ostiary.conf:1: listen: not an address"},
	} {
		if _, _, err := load(t, c.file, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got the error %v, want %q in it", c.file, err, c.want)
		}
	}
}

func TestUnknownVariableIsAWarning(t *testing.T) {
	t.Parallel()
	environ := []string{
		"OSTIARY_SERVICE_PORT=1", "OSTIARY_LISTEN=:1", "OSTIARY_URL=x", "OSTIARY_TOKEN=secret", "OSTIARY_APP=x",
		"ostiary_data=x", "OSTIARY_lISTEN=x", "OTHER=x",
	}
	_, warnings, err := load(t, "", environ)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"OSTIARY_SERVICE_PORT is no setting of ours", "OSTIARY_lISTEN is no setting of ours"}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestBadVariableNamesItself(t *testing.T) {
	t.Parallel()
	_, _, err := load(t, "", []string{"OSTIARY_USE_FLUSH=0"})
	if err == nil || !strings.HasPrefix(err.Error(), "OSTIARY_USE_FLUSH: ") {
		t.Errorf("got %v", err)
	}
}

func TestValueThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{
		"--lissten=:1", "--listen=8700", "--listen=:99999", "--listen=:http", "--listen=", "--data=",
		"--public-url=tokens.example.com", "--public-url=ftp://x", "--public-url=https://a:b@x", "--public-url=https://x/ostiary", "--api-url=https://x/?a=b",
		"--token-format=guid", "--token-prefix=", "--token-prefix=a-b", "--token-prefix=" + strings.Repeat("a", 33),
		"--token-header=", "--token-header=X Token", "--app-header=X_App", "--more-headers=X-A", "--more-headers=X-A:",
		"--rate-limit=-1", "--rate-limit=NaN", "--rate-limit=Inf", "--rate-limit=x",
		"--max-apps-per-token=0", "--max-apps-per-token=-1", "--max-apps-per-token=1e3",
		"--use-flush=3", "--use-flush=1ms", "--use-flush=2h", "--access-log=maybe", "--log-level=loud", "--tls-cert=x",
	} {
		if c, _, err := load(t, "", nil, arg); err == nil {
			t.Errorf("%s is accepted: %+v", arg, *c)
		}
	}
}

// The pages' links begin at the root of a name; an API may lie anywhere.
func TestAPIAloneCanHaveAPath(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, "", nil, "--public-url=https://x/", "--api-url=https://x/ostiary/")
	if err != nil || c.PublicURL != "https://x" || c.APIURL != "https://x/ostiary" {
		t.Errorf("got %v and %q, %q", err, c.PublicURL, c.APIURL)
	}
}

func TestACommandWithFewFlagsLeavesOtherSettingsAlone(t *testing.T) {
	t.Parallel()
	fs := pflag.NewFlagSet("init", pflag.ContinueOnError)
	c := config.Register(fs, "data")
	path := filepath.Join(t.TempDir(), "c")
	if err := os.WriteFile(path, []byte("data = /srv/o\nlisten = :1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := fs.Parse([]string{"--config", path}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Load(fs, []string{"OSTIARY_ACCESS_LOG=true"}); err != nil {
		t.Fatal(err)
	}
	if c.Data != "/srv/o" || c.Listen != "127.0.0.1:8700" || c.AccessLog {
		t.Errorf("got %+v", *c)
	}
}

func TestRulesAreReadInOrder(t *testing.T) {
	t.Parallel()
	got, err := rules(t, "# rules\nDELETE,PUT /a/** Admin\n\n*  /one/*/x  Read Only\nGET * normal\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []ostiary.Rule{
		{Methods: []string{"DELETE", "PUT"}, Path: "/a/**", Role: ostiary.Admin},
		{Path: "/one/*/x", Role: ostiary.ReadOnly},
		{Methods: []string{"GET"}, Role: ostiary.Normal},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

func TestRuleThatWouldNotMeanWhatItSaysIsRefused(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"GET /a", "get /a Admin", "GET,, /a Admin", "GET a Admin", "GET /a* Admin", "GET /**/a Admin", "GET /a Owner",
		"GET /caf%C3%A9 Admin",
	} {
		_, err := rules(t, "# first\n"+line)
		if err == nil || !strings.Contains(err.Error(), "rules:2: ") {
			t.Errorf("%q: got the error %v, want one with rules:2", line, err)
		}
	}
}

func TestEveryLineThatIsNoRuleIsNamed(t *testing.T) {
	t.Parallel()
	_, err := rules(t, "GET /a Owner\nGET /b Admin\nGET c Admin\n")
	if err == nil || !strings.Contains(err.Error(), "rules:1: ") || !strings.Contains(err.Error(), "rules:3: ") ||
		strings.Contains(err.Error(), "rules:2: ") {
		t.Errorf("got the error %v, want the lines 1 and 3 in it", err)
	}
}

func rules(t *testing.T, text string) ([]ostiary.Rule, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.LoadRules(path)
}

func TestEverySettingStandsOnItsPage(t *testing.T) {
	const path = "../../docs/guide/configuration.md"
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(config.Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), config.Reference()); diff != "" {
		t.Errorf("the settings are not those of %s (-want +got); -update writes it anew:\n%s", path, diff)
	}
}

// The URL of the database holds a password: no message about a setting repeats it.
func TestURLOfTheDatabaseIsNotRepeated(t *testing.T) {
	t.Parallel()
	const url = "postgres://u:hunter2@db/ostiary?sslmode=verify-full"
	path := filepath.Join(t.TempDir(), "database")
	if err := os.WriteFile(path, []byte(url+"\nnot this\n"), 0o604); err != nil {
		t.Fatal(err)
	}
	c, warnings, err := load(t, "", []string{"OSTIARY_DATABASE_FILE=" + path})
	if err != nil || c.Database.Reveal() != url {
		t.Fatalf("from a file: got %q, %v", c.Database.Reveal(), err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "chmod 600") {
		t.Errorf("a file that everybody can read: got the warnings %q", warnings)
	}
	shown := fmt.Sprintf("%v %+v %#v %s", *c, *c, *c, warnings)
	for _, bad := range []string{"database " + url, "database: " + url, url, "data = /a\n" + url + " = x"} {
		if _, _, err := load(t, bad, nil); err != nil {
			shown += err.Error()
		} else {
			t.Errorf("%q is a file of settings", bad)
		}
	}
	_, _, err = load(t, "", []string{"OSTIARY_DATABASE_FILE=" + path}, "--database", url)
	shown += fmt.Sprint(err)
	if strings.Contains(shown, "hunter2") {
		t.Errorf("the password is in %s", shown)
	}
	if err == nil {
		t.Error("the URL and a file with it were taken together")
	}
}
