package main

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal makes a terminal: what is written to its keyboard is typed at it, and what it shows
// is read there.
func openTerminal(t *testing.T) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("this system makes no terminals: ", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	screen, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	return keyboard, screen
}

func echoes(t *testing.T, f *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(f.Fd()), readTermios)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

func TestTerminalDoesNotShowAPassword(t *testing.T) {
	keyboard, screen := openTerminal(t)
	tty, ok := terminal(screen)
	if !ok {
		t.Fatal("a terminal is not taken for one")
	}
	got := make(chan string)
	go func() {
		line, _ := tty.ask(context.Background(), screen, "Password: ")
		got <- line
	}()
	waitUntil(t, "hiding what is typed", func() bool { return !echoes(t, screen) })
	io.WriteString(keyboard, "correct horse\n")
	if line := <-got; line != "correct horse" {
		t.Errorf("typed %q, read %q", "correct horse", line)
	}
	if !echoes(t, screen) {
		t.Error("the terminal goes on hiding what is typed")
	}
	shown := make([]byte, 1000)
	n, err := keyboard.Read(shown)
	if err != nil || strings.Contains(string(shown[:n]), "horse") || !strings.HasPrefix(string(shown[:n]), "Password: ") {
		t.Errorf("the terminal shows %q, %v", shown[:n], err)
	}
}

func TestTerminalShowsAgainAfterCtrlC(t *testing.T) {
	_, screen := openTerminal(t)
	tty, _ := terminal(screen)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := tty.ask(ctx, io.Discard, "Password: ")
		done <- err
	}()
	waitUntil(t, "hiding what is typed", func() bool { return !echoes(t, screen) })
	stop()
	if err := <-done; err == nil {
		t.Error("a password that nobody typed was read")
	}
	if !echoes(t, screen) {
		t.Error("the terminal goes on hiding what is typed")
	}
}

func TestFileIsNoTerminal(t *testing.T) {
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, ok := terminal(f); ok {
		t.Error("/dev/null is taken for a terminal")
	}
	if _, ok := terminal(strings.NewReader("")); ok {
		t.Error("a text is taken for a terminal")
	}
}
