package serve

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The test runs itself as another user, who speaks to a socket whose mode lets everybody in.
func TestAnotherUserIsTurnedAwayWhateverTheModeSays(t *testing.T) {
	if path := os.Getenv("SPEAK_TO"); path != "" {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Skip(err)
		}
		defer c.Close()
		c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		if n, _ := c.Read(make([]byte, 10)); n > 0 {
			t.Error("another user is answered")
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can try this")
	}
	t.Parallel()
	r := start(t, nil)
	path := filepath.Join(r.data, SocketName)
	for name, mode := range map[string]os.FileMode{r.data: 0o755, path: 0o777} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(r.data, "test")
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Dir, cmd.Env = r.data, []string{"SPEAK_TO=" + path}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
	if !strings.Contains(r.log.all(), "turned away") {
		t.Errorf("the log does not say so: %s", r.log.all())
	}
}
