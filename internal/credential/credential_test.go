package credential_test

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"ostiary"
	"ostiary/internal/credential"
)

var format = ostiary.SecretFormat{Prefix: ostiary.DefaultSecretPrefix}

// Two tokens, and one in the other format.
var a, b = format.New().Reveal(), format.New().Reveal()

const uuid = "153fa1f2-e746-4de0-b3f3-6101ffb65b21"

func newReader(t testing.TB, s credential.Settings) *credential.Reader {
	t.Helper()
	s.Format = format
	r, err := credential.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// lines makes headers of "Name: value" lines, as a server would.
func lines(all ...string) http.Header {
	h := http.Header{}
	for _, line := range all {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

// What was found, in words: "nothing", "bad", or the token with its application.
func words(c ostiary.Credential) string {
	switch c.Shown {
	case ostiary.ShownNothing:
		return "nothing"
	case ostiary.ShownToken:
		return c.Token.Reveal() + " by " + c.App
	}
	return "bad"
}

func TestOneCarrierOfATokenCounts(t *testing.T) {
	h := func(lines ...string) []string { return lines }
	token, app, byApp := "X-Circonus-Auth-Token: "+a, "X-Circonus-App-Name: app", a+" by app"
	token2, app2, bearer := "X-Auth-Token: "+a, "X-App-Name: app", "Authorization: Bearer "+a
	byBasic, swapped := "Authorization: "+basic("app", a), a[:8]+swapCase(a[8:])
	for name, tt := range map[string]struct {
		headers []string
		want    string
	}{
		"nothing":               {nil, "nothing"},
		"an application alone":  {h(app), "nothing"},
		"empty headers":         {h("X-Circonus-Auth-Token: ", "Authorization: Bearer "), "nothing"},
		"an empty Basic":        {h("Authorization: " + basic("", "")), "nothing"},
		"Basic without a token": {h("Authorization: " + basic("app", "")), "nothing"},
		"another scheme":        {h("Authorization: Negotiate " + a), "nothing"},
		"a bare token":          {h("Authorization: " + a), "nothing"},
		"a cookie":              {h("Cookie: X-Circonus-Auth-Token=" + a), "nothing"},

		"the pair":       {h(token, app), byApp},
		"the other pair": {h(token2, app2), byApp},
		"no application": {h(token), a + " by "},
		"mixed pairs":    {h(token, app2), a + " by "},
		"Basic":          {h(byBasic), byApp},
		"Basic, lower":   {h("Authorization: basic  " + strings.Fields(basic("app", a))[1]), byApp},
		"Bearer":         {h(bearer, app), byApp},
		"Bearer, other":  {h("Authorization: bearer "+a, app2), byApp},
		"a UUID":         {h("X-Circonus-Auth-Token: "+uuid, app), uuid + " by app"},
		"a UUID for app": {h("Authorization: " + basic(uuid, a)), a + " by " + uuid},

		"Bearer of somebody else": {h(token2, app2, "Authorization: Bearer ey.J.x"), byApp},
		"Basic of somebody else":  {h(token2, app2, "Authorization: "+basic("u", "p")), byApp},
		"broken Basic":            {h(token2, app2, "Authorization: Basic ???"), byApp},
		"pair of somebody else":   {h("X-Auth-Token: session", byBasic), byApp},
		"the same twice":          {h(token, app, byBasic), byApp},
		"the same UUID, other case": {
			h("X-Auth-Token: "+strings.ToUpper(uuid), app2, "Authorization: "+basic("app", uuid)),
			strings.ToUpper(uuid) + " by app",
		},
		"two tokens":               {h(token, app, "Authorization: "+basic("app", b)), "bad"},
		"two tokens, other case":   {h(token, app, "Authorization: "+basic("app", swapped)), "bad"},
		"two applications":         {h(token, app, "Authorization: "+basic("other", a)), "bad"},
		"two pairs":                {h(token, app, "X-Auth-Token: "+b, app2), "bad"},
		"Bearer, two applications": {h(bearer, app2, "X-More-App: other"), "bad"},
		"Bearer, main application": {h(bearer, "X-App-Name: other", app), byApp},
		"nothing of the shape":     {h("X-Circonus-Auth-Token: secret", app), "bad"},
		"swapped":                  {h("Authorization: " + basic(a, "app")), "bad"},
		"Basic without a colon": {
			h("Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(a))), "bad",
		},
		"a name that begins like us": {
			h(token2, "X-App-Name: ostiary_exporter_for_disks"), a + " by ostiary_exporter_for_disks",
		},
		"a cut token as application": {h(token2, "X-App-Name: "+b[:45]), "bad"},
		"Basic that is not base64":   {h("Authorization: Basic " + a), "bad"},
		"Basic, endless":             {h("Authorization: " + basic(strings.Repeat("x", 5000), a)), "bad"},
		"token header twice":         {h(token, token, app), "bad"},
		"application header twice":   {h(token, app, app), "bad"},
		"Authorization twice":        {h(byBasic, byBasic), "bad"},
		"twice beside a good one":    {h("X-Auth-Token: x", "X-Auth-Token: y", byBasic), "bad"},
		"joined":                     {h("X-Circonus-Auth-Token: "+a+", "+a, app), "bad"},
		"a joined application":       {h(token, "X-Circonus-App-Name: app, app"), a + " by app, app"},
		"with an underscore":         {h("X_Circonus_Auth_Token: "+a, "X_Circonus_App_Name: app"), "nothing"},
		"with a dot":                 {h("X.Circonus.Auth.Token: "+a, "X.Circonus.App.Name: app"), "nothing"},
		"the token as application":   {h(token, "X-Circonus-App-Name: "+a), "bad"},
		"another token as app":       {h(token, "X-Circonus-App-Name: my "+b), "bad"},
		"the UUID as application": {
			h("X-Circonus-Auth-Token: "+uuid, "X-Circonus-App-Name: x"+strings.ToUpper(uuid)), "bad",
		},
		"space before the token":     {h("X-Circonus-Auth-Token:  "+a, app), "bad"},
		"application of other bytes": {h(token, "X-Circonus-App-Name: z\u200bx\x01"), a + " by z\u200bx\x01"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReader(t, credential.Settings{MorePairs: [][2]string{{"X-More-Token", "X-More-App"}}})
			if got := words(r.Read(lines(tt.headers...))); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestTokenThatIsChangedIsNone(t *testing.T) {
	r := newReader(t, credential.Settings{})
	changed := map[string]string{
		"cut at the end": a[:len(a)-1], "cut at the start": a[1:], "longer": a + "0", "longer in front": "0" + a,
		"upper case": strings.ToUpper(a), "lower case": strings.ToLower(a),
		"its hash": ostiary.ReadSecret(a).Hash().String(),
		"cut UUID": uuid[:35], "UUID without hyphens": strings.ReplaceAll(uuid, "-", ""),
		"UUID in braces": "{" + uuid + "}",
		"urn":            "urn:uuid:" + uuid, "quoted": `"` + a + `"`,
		"with NUL": a + "\x00", "no prefix": strings.TrimPrefix(a, "ostiary_"),
	}
	for i := len("ostiary_"); i < len(a); i++ {
		digit := byte('0')
		if a[i] == digit {
			digit = '1'
		}
		changed["digit "+a[i:]] = a[:i] + string(digit) + a[i+1:]
	}
	for name, token := range changed {
		for carrier, headers := range map[string][]string{
			"pair":   {"X-Circonus-Auth-Token: " + token, "X-Circonus-App-Name: app"},
			"Basic":  {"Authorization: " + basic("app", token)},
			"Bearer": {"Authorization: Bearer " + token, "X-Circonus-App-Name: app"},
		} {
			if c := r.Read(lines(headers...)); c.Shown != ostiary.ShownBad || c.Token.Reveal() != "" {
				t.Errorf("%s in %s: got %s, want bad", name, carrier, words(c))
			}
		}
	}
}

func TestAccountHeaderIsReadStrictly(t *testing.T) {
	for _, own := range []string{"", "X-Tenant"} {
		r := newReader(t, credential.Settings{Account: own})
		name := own
		if name == "" {
			name = "X-Circonus-Account-ID"
		}
		for value, want := range map[string]ostiary.ID{
			"42": 42, "/account/42": 42, "": ostiary.UnclearAccount, "0": ostiary.UnclearAccount,
			"-1": ostiary.UnclearAccount, "042": ostiary.UnclearAccount, "42 ": ostiary.UnclearAccount,
			"/account/": ostiary.UnclearAccount, "/account//account/42": ostiary.UnclearAccount,
			"account/42": ostiary.UnclearAccount, "42,43": ostiary.UnclearAccount,
			"social_networks":      ostiary.UnclearAccount,
			"18446744073709551615": ostiary.UnclearAccount, "٤٢": ostiary.UnclearAccount,
		} {
			if got := r.Read(lines(name + ": " + value)).Account; got != want {
				t.Errorf("%s: %q names account %d, want %d", name, value, got, want)
			}
		}
		if got := r.Read(lines(name+": 42", name+": 42")).Account; got != ostiary.UnclearAccount {
			t.Errorf("%s twice names account %d", name, got)
		}
		if got := r.Read(http.Header{}).Account; got != ostiary.AnyAccount {
			t.Errorf("no %s names account %d", name, got)
		}
	}
}

func TestHeaderNamesAreSettings(t *testing.T) {
	r := newReader(t, credential.Settings{Token: "x-api-key", App: "X-Client"})
	if got := words(r.Read(lines("X-Api-Key: "+a, "X-Client: app"))); got != a+" by app" {
		t.Errorf("own names: got %s", got)
	}
	if got := words(r.Read(lines("X-Circonus-Auth-Token: "+a, "X-Circonus-App-Name: app"))); got != "nothing" {
		t.Errorf("the names of the contract, which were replaced: got %s", got)
	}
	want := []string{"X-Api-Key", "X-Client", "X-Auth-Token", "X-App-Name", "Authorization"}
	if diff := cmp.Diff(want, r.Headers()); diff != "" {
		t.Errorf("headers that carry credentials (-want +got):\n%s", diff)
	}
	r = newReader(t, credential.Settings{Token: "X-Auth-Token", App: "X-Client"})
	if slices.Contains(r.Headers(), "X-App-Name") {
		t.Errorf("X-Auth-Token is in two pairs: %v", r.Headers())
	}

	for _, s := range []credential.Settings{
		{Token: "X_Token"},
		{Token: "X.Token"},
		{Token: "X Token"},
		{Token: "Authorization"},
		{App: "Cookie"},
		{Token: "X-Same", App: "x-same"},
		{Account: "X-Circonus-App-Name"},
		{Token: "X-Ostiary-Token"},
		{App: "User-Agent"},
		{App: "X-Forwarded-For"},
		{Token: "x-original-uri"},
		{MorePairs: [][2]string{{"", "X-App"}}},
		{MorePairs: [][2]string{{"X-Token", "X-Circonus-App-Name"}}},
		{App: "X-Nämé"},
		{App: "X-App\r\n"},
	} {
		if _, err := credential.New(s); err == nil {
			t.Errorf("%+v: accepted", s)
		}
	}
}

func TestSecretsAreConcealed(t *testing.T) {
	r := newReader(t, credential.Settings{})
	shown, upper := ostiary.ReadSecret(uuid), strings.ToUpper(uuid)
	for text, want := range map[string]string{
		"":                         "",
		"/plain/path":              "/plain/path",
		"/v2/" + a + "/x":          "/v2/ostiary_…/x",
		a + b:                      "ostiary_…",
		a[:20] + " " + a[:30]:      "ostiary_… ostiary_…",
		"ostiary_short":            "ostiary_short",
		"/x/" + uuid + "/" + upper: "/x/153…5b21/153…5b21",
	} {
		got := r.Conceal(text, shown)
		for i := len("ostiary_"); i+12 <= len(a); i++ {
			if strings.Contains(got, a[i:i+12]) || strings.Contains(got, b[i:i+12]) {
				t.Fatalf("%q still shows a secret: %q", text, got)
			}
		}
		if got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestReadingThePairAllocatesNothing(t *testing.T) {
	r := newReader(t, credential.Settings{})
	h := lines("X-Circonus-Auth-Token: "+a, "X-Circonus-App-Name: app", "Accept: */*")
	if n := testing.AllocsPerRun(100, func() { r.Read(h) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRead(b *testing.B) {
	r := newReader(b, credential.Settings{})
	h := lines("X-Circonus-Auth-Token: "+a, "X-Circonus-App-Name: app", "Accept: */*")
	b.ReportAllocs()
	for b.Loop() {
		r.Read(h)
	}
}
