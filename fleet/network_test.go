package fleet

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A lane is a network of its own for one node, with one way out of it: to the database.
type lane struct {
	name, node string // of the namespace; the node's address in it
	port       string // of the way to the database
	outside    string // its address
}

// newLane makes a network namespace, and forwards what comes out of it to the database.
func (f *fleet) newLane(number int) *lane {
	f.Helper()
	for _, tool := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(tool); err != nil || os.Getuid() != 0 {
			if os.Getenv("CI") == "true" {
				f.Fatalf("this needs root, ip and nft: %v", err)
			}
			f.Skip("this needs root, ip and nft")
		}
	}
	l := &lane{name: fmt.Sprintf("ostiary-%d-%d", os.Getpid(), number)}
	l.outside, l.node = fmt.Sprintf("10.211.%d.1", number), fmt.Sprintf("10.211.%d.2", number)
	here, there := fmt.Sprintf("osth%d", number), fmt.Sprintf("ostn%d", number)
	f.Cleanup(func() {
		exec.Command("ip", "link", "del", here).Run()
		exec.Command("ip", "netns", "del", l.name).Run()
	})
	for _, line := range []string{
		"ip netns add " + l.name,
		"ip link add " + here + " type veth peer name " + there,
		"ip link set " + there + " netns " + l.name,
		"ip addr add " + l.outside + "/30 dev " + here,
		"ip link set " + here + " up",
		"ip -n " + l.name + " addr add " + l.node + "/30 dev " + there,
		"ip -n " + l.name + " link set " + there + " up",
		"ip -n " + l.name + " link set lo up",
	} {
		f.run(strings.Fields(line)...)
	}
	way, err := net.Listen("tcp", l.outside+":0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { way.Close() })
	_, l.port, _ = net.SplitHostPort(way.Addr().String())
	go forward(way, fmt.Sprintf("127.0.0.1:%d", f.pg.Port))
	return l
}

// forward carries every connection on to an address.
func forward(way net.Listener, to string) {
	for {
		in, err := way.Accept()
		if err != nil {
			return
		}
		go func() {
			defer in.Close()
			out, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			defer out.Close()
			go func() {
				io.Copy(out, in)
				out.Close()
			}()
			io.Copy(in, out)
		}()
	}
}

func (f *fleet) run(args ...string) {
	f.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		f.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// cut drops every packet on the way to the database, in both directions, until it is mended.
func (l *lane) cut(f *fleet) (mend func()) {
	f.Helper()
	rules := fmt.Sprintf(`table inet cut {
		chain out { type filter hook output priority 0; tcp dport %[1]s drop; }
		chain in { type filter hook input priority 0; tcp sport %[1]s drop; }
	}`, l.port)
	cmd := exec.Command("ip", "netns", "exec", l.name, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		f.Fatalf("nft: %v\n%s", err, out)
	}
	return func() { f.run("ip", "netns", "exec", l.name, "nft", "delete", "table", "inet", "cut") }
}

// addOn starts a node in a network of its own.
func (f *fleet) addOn(l *lane, name string, args ...string) *node {
	f.Helper()
	n := f.prepare(name, args...)
	n.before = []string{"ip", "netns", "exec", l.name}
	n.args = append(n.args, "--listen", l.node+":0", "--trusted-peers", l.outside)
	url := strings.Replace(f.url(), fmt.Sprintf("127.0.0.1:%d", f.pg.Port), l.outside+":"+l.port, 1)
	n.env = append(os.Environ(), "OSTIARY_DATABASE="+url)
	return f.launch(n)
}

// Packets that are dropped say nothing: no connection is refused, and none ends.
func TestPacketsToTheDatabaseAreDropped(t *testing.T) {
	long(t)
	t.Parallel()
	lease := []string{"--lease", "6s", "--confirm-within", "300ms"}
	f := newFleet(t, []string{"a", "b"}, lease...)
	l := f.newLane(1)
	far := f.addOn(l, "far", lease...)
	s := f.storm(2, 2, 2*time.Millisecond)
	time.Sleep(time.Second)

	mend := l.cut(f)
	time.Sleep(3 * time.Second)
	mend()
	if s.late.Load() > 0 {
		t.Errorf("within the lease, %d answers were 503", s.late.Load())
	}
	f.eventually("the node follows again", 10*time.Second, func() bool {
		_, header, err := far.ask(s.tokens[0].text, "app0")
		return err == nil && header.Get("X-Ostiary-Behind") == ""
	})

	mend = l.cut(f)
	f.eventually("the node answers 503 once its lease is over", 12*time.Second, func() bool {
		status, _, err := far.ask(s.tokens[0].text, "app0")
		return err == nil && status == 503
	})
	time.Sleep(2 * time.Second)
	mend()
	f.eventually("the node decides again by itself", 15*time.Second, func() bool {
		status, _, err := far.ask(s.tokens[0].text, "app0")
		return err == nil && status != 503
	})
	s.end(within)
	for _, c := range f.changes {
		for _, u := range c.receipt.Unconfirmed {
			if u.Node != "far" {
				t.Fatalf("a receipt names %s", u.Node)
			}
		}
	}
}
