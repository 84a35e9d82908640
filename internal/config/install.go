package config

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// An InstallCommand is shown beside a new token, ready to paste: "{token}", "{app}" and "{api}" in its
// template stand for the secret, the application's name and the address of the API.
type InstallCommand struct{ Name, Template string }

// LoadInstallCommands reads the file that --install-commands names: NAME = TEMPLATE a line. A line that
// ends with a backslash goes on in the next. No file gives no commands.
func LoadInstallCommands(file string) ([]InstallCommand, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading the install commands: %w", err)
	}
	defer f.Close()
	all, err := readInstallCommands(f)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", file, err)
	}
	return all, nil
}

// readInstallCommands begins its errors with the number of the line.
func readInstallCommands(r io.Reader) (all []InstallCommand, err error) {
	lines := bufio.NewScanner(r)
	goesOn := false
	n := 1
	for ; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), " \t\r")
		if goesOn {
			last := &all[len(all)-1]
			last.Template += "\n" + line
		} else if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		} else if err := addInstallCommand(&all, line); err != nil {
			return nil, fmt.Errorf("%d: %w", n, err)
		}
		goesOn = strings.HasSuffix(line, `\`)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%d: %w", n, err)
	}
	for _, one := range all {
		if !strings.Contains(one.Template, "{token}") {
			return nil, fmt.Errorf(" the command %q does not use {token}", one.Name)
		}
	}
	return all, nil
}

func addInstallCommand(all *[]InstallCommand, line string) error {
	name, template, found := strings.Cut(line, "=")
	name, template = strings.TrimSpace(name), strings.TrimSpace(template)
	if !found || name == "" || template == "" {
		return errors.New("a line is: NAME = TEMPLATE")
	}
	*all = append(*all, InstallCommand{name, template})
	return nil
}
