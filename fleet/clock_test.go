package fleet

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// shifted is the program with a date of its own: package time adds to the machine's date what a file says, while
// the program runs. The other clocks are the machine's.
var shifted = sync.OnceValues(func() (string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	at := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(at)
	if err != nil {
		return "", err
	}
	const read = "sec, nsec, mono := runtimeNow()\n"
	source := strings.Replace(string(text), read, read+"\tsec += shift()\n", 1) + `
var shiftFile = func() []byte {
	name, _ := syscall.Getenv("OSTIARY_TEST_DATE")
	fd, err := syscall.Open(name, syscall.O_RDONLY, 0)
	if err != nil {
		return nil
	}
	file, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("the date cannot be read: " + err.Error())
	}
	return file
}()

func shift() (seconds int64) {
	if shiftFile != nil {
		for i := range 8 {
			seconds |= int64(shiftFile[i]) << (8 * i)
		}
	}
	return seconds
}
`
	source = strings.Replace(source, "import (\n", "import (\n\t\"syscall\"\n", 1)
	if !strings.Contains(source, "sec += shift()") {
		return "", fmt.Errorf("package time of %s reads the date in another way", runtime.Version())
	}
	folder := filepath.Dir(program)
	replaced, overlay := filepath.Join(folder, "time.go"), filepath.Join(folder, "overlay.json")
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{at: replaced}})
	if err != nil {
		return "", err
	}
	for file, text := range map[string][]byte{replaced: []byte(source), overlay: list} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return "", err
		}
	}
	out := filepath.Join(folder, "ostiary-shifted")
	// The first time it takes a minute, on every processor: other tests come first.
	build := exec.Command("nice", "-n", "19", "go", "build", "-overlay", overlay, "-o", out, "../cmd/ostiary")
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program with a date of its own: %w\n%s", err, said)
	}
	return out, nil
})

// A date is that of one node.
type date struct{ file string }

// addWithDate starts a node whose date the test sets.
func (f *fleet) addWithDate(name string, args ...string) (*node, date) {
	f.Helper()
	path, err := shifted()
	if err != nil {
		f.Fatal(err)
	}
	d := date{filepath.Join(f.TempDir(), "date")}
	if err := os.WriteFile(d.file, make([]byte, 8), 0o600); err != nil {
		f.Fatal(err)
	}
	n := f.prepare(name, args...)
	n.args[0] = path
	n.args = append(n.args, "--listen", "127.0.0.1:0")
	n.env = append(n.env, "OSTIARY_TEST_DATE="+d.file)
	return f.launch(n), d
}

// set moves the node's date away from the machine's.
func (d date) set(f *fleet, by time.Duration) {
	f.Helper()
	file, err := os.OpenFile(d.file, os.O_WRONLY, 0)
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Write(binary.LittleEndian.AppendUint64(nil, uint64(by/time.Second))); err != nil {
		f.Fatal(err)
	}
}

// Nothing but what people read as a date depends on a node's date: decisions, leases and receipts go by a clock
// that nobody can set.
func TestTheDateOfANodeJumps(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a"}, "--lease", "5s")
	b, d := f.addWithDate("b", "--lease", "5s")
	f.add("c", "--lease", "5s")
	a := f.nodes[0]
	s := f.storm(2, 3, 2*time.Millisecond)
	said := map[uint64]time.Time{}
	for i, by := range []time.Duration{time.Hour, -time.Hour, 0, time.Hour, -time.Hour, -8 * time.Hour, 0} {
		d.set(f, by)
		made := s.made(b, "POST", "/v2/token", map[string]any{"kind": "account"})
		receipt, ok := readReceipt(made)
		if !ok {
			t.Fatalf("with its date off by %v, b makes no changes", by)
		}
		said[receipt.Revision] = time.Now().Add(by)
		s.repeatedAtOnce(fmt.Sprint("key ", i), a, b)
		s.repeatedAtOnce(fmt.Sprint("other key ", i), b, a)
		time.Sleep(800 * time.Millisecond)
	}
	s.end(within)
	s.verify()
	for _, c := range f.changes {
		if len(c.receipt.Confirmed) != 3 || len(c.receipt.Unconfirmed) != 0 {
			t.Fatalf("the receipt of revision %d says %+v", c.receipt.Revision, c.receipt)
		}
	}
	if s.late.Load() > 0 || s.away.Load() > 0 || s.failed.Load() > 0 {
		t.Errorf("%d answers are 503, %d did not come, and %d changes failed",
			s.late.Load(), s.away.Load(), s.failed.Load())
	}
	for _, c := range f.history() {
		if at, ok := said[c.Revision]; ok && c.At.Sub(at).Abs() > 3*time.Second {
			t.Errorf("the log says %v of revision %d, and b's date was %v", c.At, c.Revision, at.UTC())
		}
	}
}

// repeatedAtOnce makes a change at one node and repeats it at another, whose date may be another.
func (s *storm) repeatedAtOnce(key string, first, second *node) {
	s.Helper()
	body, header := map[string]any{"kind": "account", "description": key}, "Idempotency-Key: "+key
	var one, other struct {
		CID string `json:"_cid"`
	}
	status, _ := first.operate("POST", "/v2/token", body, &one, header)
	again, _ := second.operate("POST", "/v2/token", body, &other, header)
	if status != 200 || again != 200 || one != other {
		s.Errorf("%s: %s answers %d with %s, and %s %d with %s",
			key, first.name, status, one.CID, second.name, again, other.CID)
	}
}

// What a receipt says about a node that has not confirmed is by the date of the node that answers, at the moment
// when it answers: also where that jumped while the others were waited for.
func TestReceiptsTellTheTimeByTheDateOfTheNodeThatAnswers(t *testing.T) {
	long(t)
	t.Parallel()
	const lease, wait = 8 * time.Second, 1500 * time.Millisecond
	f := newFleet(t, nil, "--lease", "8s")
	b, d := f.addWithDate("b", "--lease", "8s", "--confirm-within", "1500ms")
	c := f.add("c", "--lease", "8s")
	s := f.storm(0, 0, 0)
	tokens := []held{s.apart(b), s.apart(b), s.apart(b), s.apart(b)}
	f.eventually("both say that they are there", 10*time.Second, func() bool {
		body := map[string]any{"description": time.Now().String()}
		receipt, _ := readReceipt(s.made(b, "PUT", "/v2"+tokens[0].cid, body))
		return len(receipt.Confirmed) == 2
	})
	thaw := c.freeze()
	defer thaw()
	jumps := []struct{ before, meanwhile time.Duration }{
		{time.Hour, time.Hour},
		{-time.Hour, -time.Hour},
		{0, time.Hour},
		{time.Hour, -time.Hour},
	}
	for i, jump := range jumps {
		d.set(f, jump.before)
		asked := time.Now()
		moving := time.AfterFunc(wait/2, func() { d.set(f, jump.meanwhile) })
		receipt, _ := readReceipt(s.made(b, "DELETE", "/v2"+tokens[i].cid, nil))
		moving.Stop()
		took := time.Since(asked)
		if len(receipt.Unconfirmed) != 1 || receipt.Unconfirmed[0].Node != "c" {
			t.Fatalf("a node is frozen, and the receipt says %+v", receipt)
		}
		// The true one is between the lease after the call and what a receipt adds to be sure.
		safe := receipt.Unconfirmed[0].SafeAfter.Add(-jump.meanwhile)
		late := asked.Add(took + lease + 4*time.Second)
		if safe.Before(asked.Add(lease)) || safe.After(late) {
			t.Errorf("with a date that went from %v to %v: c is called safe %v after the call; want %v to %v",
				jump.before, jump.meanwhile, safe.Sub(asked), lease, late.Sub(asked))
		}
	}
}

// Whoever is signed in stays so where nodes' dates differ by an hour.
func TestSessionsLiveWhereDatesDiffer(t *testing.T) {
	long(t)
	t.Parallel()
	f := newFleet(t, []string{"a"})
	b, d := f.addWithDate("b")
	a := f.nodes[0]
	const email, password = "bob@example.com", "pw-of-the-tests-1"
	body := map[string]any{"email": email, "firstname": "Bob", "role": "Normal", "password": password}
	if status, text := a.operate("POST", "/v2/user", body, nil); status != 200 {
		t.Fatalf("making a user answers %d %s", status, text)
	}
	for _, by := range []time.Duration{0, time.Hour, -time.Hour} {
		d.set(f, by)
		for _, way := range [][2]*node{{a, b}, {b, a}} {
			cookies := way[0].signIn(t, email, password)
			for _, n := range way {
				if status := n.page(t, cookies); status != 200 {
					t.Errorf("with b's date off by %v, the page of %s answers %d to who signed in at %s",
						by, n.name, status, way[0].name)
				}
			}
		}
	}
}

func (n *node) signIn(t *testing.T, email, password string) []*http.Cookie {
	t.Helper()
	form := url.Values{"email": {email}, "password": {password}}
	r, err := http.NewRequest("POST", n.url+"/login", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", n.url)
	return n.send(t, r).Cookies()
}

func (n *node) page(t *testing.T, cookies []*http.Cookie) int {
	t.Helper()
	r, err := http.NewRequest("GET", n.url+"/tokens", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cookies { // their names say at which port they were given
		at := strings.LastIndexByte(c.Name, '-')
		r.AddCookie(&http.Cookie{Name: c.Name[:at+1] + r.URL.Port(), Value: c.Value})
	}
	return n.send(t, r).StatusCode
}

func (n *node) send(t *testing.T, r *http.Request) *http.Response {
	t.Helper()
	w, err := n.door.Transport.RoundTrip(r) // follows nobody
	if err != nil {
		t.Fatal(err)
	}
	w.Body.Close()
	return w
}
