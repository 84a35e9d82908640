package docs_test

import (
	"bufio"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const examples = "examples/signed-identity"

// The programs that the guide shows accept what a real door signs, and nothing else.
func TestAPIsAcceptWhatTheDoorSignsAndNothingElse(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and starts servers")
	}
	bin := build(t)
	d := openDoor(t, bin)
	for name, command := range programs(t, bin) {
		t.Run(name, func(t *testing.T) {
			api := runAPI(t, command, d.url)
			real := d.ask(t)
			api.wants(t, real, 200, "alice@example.com, Admin on social_networks, with collector")
			for what, forged := range d.forgeries(t, real) {
				if text := api.refuses(t, forged); !strings.Contains(text, refusals[what]) {
					t.Errorf("%s is refused as %q, want %q", what, text, refusals[what])
				}
			}
			api.refuses(t)
			api.refuses(t, real, real)
			api.wants(t, real, 200, "alice@example.com")
		})
	}
}

// A key that got into wrong hands is rotated away at once: without its file the server makes another one.
func TestAPIsRefuseAKeyThatIsNoLongerPublished(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and starts servers")
	}
	bin := build(t)
	d := openDoor(t, bin)
	apis := map[string]*api{}
	old := d.ask(t)
	for name, command := range programs(t, bin) {
		apis[name] = runAPI(t, command, d.url)
		apis[name].wants(t, old, 200, "alice@example.com")
	}
	d.stop()
	if err := os.Remove(d.keys()); err != nil {
		t.Fatal(err)
	}
	d.serve(t, bin)
	for name, api := range apis {
		// It looks for unknown keys every ten seconds at most.
		for until := time.Now().Add(20 * time.Second); ; time.Sleep(250 * time.Millisecond) {
			if status, _ := api.send(t, d.ask(t)); status == 200 {
				break
			}
			if time.Now().After(until) {
				t.Fatalf("%s never accepts the new key", name)
			}
		}
		if text := api.refuses(t, old); !strings.Contains(text, "the key is not known") {
			t.Errorf("%s refuses what the old key signed as %q", name, text)
		}
	}
}

func TestGuideShowsTheProgramsThatTheTestsRun(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("guide/signed-identity.md")
	if err != nil {
		t.Fatal(err)
	}
	for file, language := range map[string]string{"main.go": "go", "main.mjs": "js"} {
		text, err := os.ReadFile(filepath.Join(examples, file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), "```"+language+"\n"+string(text)+"```\n") {
			t.Errorf("the guide does not show %s as it is", file)
		}
	}
}

// programs are the examples' commands; node may be missing on a laptop.
func programs(t *testing.T, bin string) map[string][]string {
	t.Helper()
	program := filepath.Join(bin, "api")
	if out, err := exec.Command("go", "build", "-o", program, "./"+examples).CombinedOutput(); err != nil {
		t.Fatalf("building the example: %v\n%s", err, out)
	}
	if _, err := exec.LookPath("node"); err != nil {
		missing(t, "node")
	}
	return map[string][]string{"go": {program}, "node": {"node", examples + "/main.mjs"}}
}

// A signingDoor is a server that signs.
type signingDoor struct {
	url, data, secret string
	cmd               *exec.Cmd
}

func openDoor(t *testing.T, bin string) *signingDoor {
	t.Helper()
	d := &signingDoor{data: filepath.Join(t.TempDir(), "data")}
	cmd := exec.Command(filepath.Join(bin, "ostiary"), "demo", "--json", "--keep", d.data, "--listen", "127.0.0.1:0",
		"--admin-listen", "", "--assertion-audience", "my-api")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.start(t, cmd)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the demo printed no line: %v", err)
	}
	var stage struct {
		URL    string
		Tokens []struct{ Secret string }
	}
	if err := json.Unmarshal([]byte(line), &stage); err != nil {
		t.Fatal(err)
	}
	d.url, d.secret = stage.URL, stage.Tokens[0].Secret
	return d
}

// serve starts the server again, where it was.
func (d *signingDoor) serve(t *testing.T, bin string) {
	t.Helper()
	address := strings.TrimPrefix(d.url, "http://")
	d.start(t, exec.Command(filepath.Join(bin, "ostiary"), "serve", "--data", d.data, "--listen", address,
		"--admin-listen", "", "--assertion-audience", "my-api"))
	waitUntil(t, d.url+"/readyz")
}

func (d *signingDoor) start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	d.cmd = cmd
	begin(t, cmd)
	t.Cleanup(d.stop)
}

func (d *signingDoor) stop() {
	d.cmd.Process.Signal(syscall.SIGTERM)
	d.cmd.Wait()
}

func (d *signingDoor) keys() string { return filepath.Join(d.data, "assertion-keys") }

// ask gives what the door signs about alice's token.
func (d *signingDoor) ask(t *testing.T) string {
	t.Helper()
	req, err := http.NewRequest("GET", d.url+"/auth?need=Normal", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("collector", d.secret)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text := res.Header.Get("X-Ostiary-Assertion")
	if res.StatusCode != 200 || strings.Count(text, ".") != 2 {
		t.Fatalf("the door says %d %v", res.StatusCode, res.Header)
	}
	return text
}

// refusals say why each forgery is refused.
var refusals = map[string]string{
	"changed claims":             "the signature does not fit",
	"a changed signature":        "the signature does not fit",
	"no signature":               "",
	"another audience":           "it is for another API",
	"another issuer":             "another server signed it",
	"one that has expired":       "it has expired",
	"one from the future":        "it is from the future",
	"no algorithm":               "the algorithm is not EdDSA",
	"no algorithm, no signature": "",
	"the public key as password": "the algorithm is not EdDSA",
	"the algorithm's other case": "the algorithm is not EdDSA",
	"an unknown key":             "the key is not known",
	"a known key's name":         "the signature does not fit",
	"a key in the header":        "the signature does not fit",
	"something critical":         "the algorithm is not EdDSA",
	"two parts":                  "an assertion has three parts",
	"nothing":                    "",
}

// forgeries are made of a real assertion, some with the real key, which no attacker has: they are well
// signed, and yet no longer or not for this API.
func (d *signingDoor) forgeries(t *testing.T, real string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(d.keys())
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []struct{ Kid, X, D string } }
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	key := set.Keys[0]
	seed, _ := base64.RawURLEncoding.DecodeString(key.D)
	ours := ed25519.NewKeyFromSeed(seed)
	_, theirs, _ := ed25519.GenerateKey(nil)
	x, _ := base64.RawURLEncoding.DecodeString(key.X)
	theirX := base64.RawURLEncoding.EncodeToString(theirs.Public().(ed25519.PublicKey))

	parts := strings.Split(real, ".")
	plain, _ := base64.RawURLEncoding.DecodeString(parts[1])
	claims := string(plain)
	header := `{"alg":"EdDSA","typ":"JWT","kid":"` + key.Kid + `"}`
	with := func(from, to string) string {
		if !strings.Contains(claims, from) {
			t.Fatalf("the claims hold no %s: %s", from, claims)
		}
		return strings.Replace(claims, from, to, 1)
	}
	var times struct{ Iat, Exp int64 }
	if err := json.Unmarshal(plain, &times); err != nil || times.Exp-times.Iat != 60 {
		t.Fatalf("the claims are %s, %v; want a life of 60 s", claims, err)
	}
	past, future := `"iat":1,"exp":61,`, `"iat":4000000000,"exp":4000000060,`
	now := claims[strings.Index(claims, `"iat"`):strings.Index(claims, `"account"`)]

	unsigned := signWith(nil, `{"alg":"none"}`, claims)
	mac := hmac.New(sha256.New, x)
	hs256 := strings.TrimSuffix(signWith(nil, strings.Replace(header, "EdDSA", "HS256", 1), claims), ".")
	io.WriteString(mac, hs256)
	admin := base64.RawURLEncoding.EncodeToString([]byte(with("alice@", "root@")))
	return map[string]string{
		"changed claims":             parts[0] + "." + admin + "." + parts[2],
		"a changed signature":        parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
		"no signature":               parts[0] + "." + parts[1] + ".",
		"another audience":           signWith(ours, header, with(`"my-api"`, `"your-api"`)),
		"another issuer":             signWith(ours, header, with(d.url, "http://127.0.0.1:1")),
		"one that has expired":       signWith(ours, header, with(now, past)),
		"one from the future":        signWith(ours, header, with(now, future)),
		"no algorithm":               unsigned + parts[2],
		"no algorithm, no signature": unsigned,
		"the public key as password": hs256 + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
		"the algorithm's other case": signWith(ours, strings.Replace(header, "EdDSA", "eddsa", 1), claims),
		"an unknown key":             signWith(theirs, strings.Replace(header, key.Kid, theirX, 1), claims),
		"a known key's name":         signWith(theirs, header, claims),
		"a key in the header": signWith(theirs, strings.Replace(header, `"typ"`,
			`"jwk":{"kty":"OKP","crv":"Ed25519","x":"`+theirX+`"},"typ"`, 1), claims),
		"something critical": signWith(ours, strings.Replace(header, `"typ"`, `"crit":["exp"],"typ"`, 1), claims),
		"two parts":          parts[0] + "." + parts[1],
		"nothing":            "",
	}
}

// signWith puts an assertion together; without a key its last part is empty.
func signWith(key ed25519.PrivateKey, header, claims string) string {
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(claims))
	if key == nil {
		return signed + "."
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(signed)))
}
