package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ostiary/internal/config"
)

func TestGalleryIsForThisMachineAlone(t *testing.T) {
	t.Parallel()
	for address, own := range map[string]bool{
		"127.0.0.1:0": true, "[::1]:8700": true, "localhost:8700": true, "[::ffff:127.0.0.1]:1": true,
		":8700": false, "0.0.0.0:8700": false, "[::]:8700": false, "192.0.2.1:8700": false, "tokens.example.com:8700": false,
		"127.0.0.1.example.com:1": false, "8700": false, "": false,
	} {
		if got := isOwnMachine(address); got != own {
			t.Errorf("%q is of this machine alone: %v, want %v", address, got, own)
		}
	}
	cmd := serveCommand()
	var wrong *usageError
	if err := serveGallery(cmd, &config.Config{Listen: "0.0.0.0:0"}); !errors.As(err, &wrong) {
		t.Errorf("a gallery for everybody: %v", err)
	}
}

// A gallery that wrote the mark of real records would make them look put back in time.
func TestGalleryLeavesTheMarkOfRealRecordsAlone(t *testing.T) {
	t.Parallel()
	mark := filepath.Join(t.TempDir(), "mark")
	cmd := exec.CommandContext(t.Context(), "ostiary", "serve", "--gallery", "--mark", mark,
		"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	open := false
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if strings.Contains(lines.Text(), "/gallery") {
			open = true
			cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	if err := cmd.Wait(); err != nil || !open {
		t.Fatalf("the gallery opens: %v; it ended with %v", open, err)
	}
	if _, err := os.Stat(mark); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the mark was written (%v)", err)
	}
}
