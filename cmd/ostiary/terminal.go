package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A tty is a terminal that a person types at.
type tty struct{ file *os.File }

// terminal says whether this is one.
func terminal(in io.Reader) (*tty, bool) {
	f, ok := in.(*os.File)
	if !ok {
		return nil, false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), readTermios)
	return &tty{f}, err == nil
}

// ask reads one line without showing it. When ctx ends, the terminal shows again what is typed.
func (t *tty) ask(ctx context.Context, prompts io.Writer, prompt string) (string, error) {
	fd := int(t.file.Fd())
	was, err := unix.IoctlGetTermios(fd, readTermios)
	if err != nil {
		return "", err
	}
	hidden := *was
	hidden.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, writeTermios, &hidden); err != nil {
		return "", err
	}
	defer unix.IoctlSetTermios(fd, writeTermios, was)
	fmt.Fprint(prompts, prompt)
	defer fmt.Fprintln(prompts)

	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(t.file).ReadString('\n')
		got <- answer{strings.TrimRight(line, "\r\n"), err}
	}()
	select {
	case a := <-got:
		return a.line, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
