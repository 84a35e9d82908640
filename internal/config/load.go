package config

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// envPrefix begins the variable of every setting: OSTIARY_ADMIN_LISTEN for --admin-listen.
const envPrefix = "OSTIARY_"

// clients names the variables that only the commands read. They are no settings of a server, and no
// reason for a warning.
func clients(variable string) bool {
	switch variable {
	case envPrefix + "URL", envPrefix + "TOKEN", envPrefix + "APP":
		return true
	}
	return false
}

// Load adds what the environment and the file say to flags that were parsed already: a flag wins
// over a variable, a variable over the file. Variables that begin with OSTIARY_ and name no setting
// are warnings, since platforms inject their own. A setting of another command may stand in the
// file and the environment, and is left alone.
func (c *Config) Load(fs *pflag.FlagSet, environ []string) (warnings []string, err error) {
	all := map[string]bool{}
	for _, s := range settings(&Config{}) {
		all[s.name] = true
	}
	given := map[string]bool{}
	fs.Visit(func(f *pflag.Flag) { given[f.Name] = true })

	for _, e := range environ {
		key, value, _ := strings.Cut(e, "=")
		rest, ours := strings.CutPrefix(key, envPrefix)
		if !ours || clients(key) {
			continue
		}
		name := strings.ToLower(strings.ReplaceAll(rest, "_", "-"))
		if !all[name] || key != Variable(name) {
			warnings = append(warnings, key+" is no setting of ours")
			continue
		}
		if err := set(fs, given, name, value); err != nil {
			return warnings, fmt.Errorf("%s: %w", key, err)
		}
	}
	if c.File != "" {
		was := c.Database
		if err := c.loadFile(fs, given, all); err != nil {
			return warnings, err
		}
		if c.Database != was {
			warnings = append(warnings, openToAll(c.File)...)
		}
	}
	more, err := c.readDatabaseFile()
	if warnings = append(warnings, more...); err != nil {
		return warnings, err
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return warnings, errors.New("tls-cert and tls-key go together: one of them is missing")
	}
	if (c.ProxyListen == "") != (c.Upstream == "") {
		return warnings, errors.New("proxy-listen and upstream go together: one of them is missing")
	}
	return warnings, nil
}

// readDatabaseFile reads the URL of the database, which stands in a file so that nobody else sees it.
func (c *Config) readDatabaseFile() (warnings []string, err error) {
	if c.DatabaseFile == "" {
		return nil, nil
	}
	if c.Database.text != "" {
		return nil, errors.New("database and database-file say the same thing twice: one of them is needed")
	}
	text, err := os.ReadFile(c.DatabaseFile)
	if err != nil {
		return nil, fmt.Errorf("reading the database's URL: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	if c.Database.text = strings.TrimSpace(first); c.Database.text == "" {
		return nil, fmt.Errorf("the first line of %s is empty; it is the database's URL", c.DatabaseFile)
	}
	return openToAll(c.DatabaseFile), nil
}

// openToAll warns of a file with a secret that every user of the machine can read.
func openToAll(path string) []string {
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
		return []string{path + " holds the database's password, and everybody on this machine can read it; chmod 600 it"}
	}
	return nil
}

// word is what a name that is no setting begins with. The rest may be a secret that was misplaced.
func word(name string) string {
	end := strings.IndexFunc(name, func(r rune) bool {
		return r != '-' && r != '_' && !('a' <= r|0x20 && r|0x20 <= 'z') && !('0' <= r && r <= '9')
	})
	if end < 0 {
		return name
	}
	return name[:end] + "…"
}

// Variable is the environment variable of a setting.
func Variable(name string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// set gives a setting its value unless something stronger has.
func set(fs *pflag.FlagSet, given map[string]bool, name, value string) error {
	f := fs.Lookup(name)
	if f == nil || given[name] {
		return nil
	}
	given[name] = true
	return f.Value.Set(value)
}

func (c *Config) loadFile(fs *pflag.FlagSet, given, all map[string]bool) error {
	f, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("reading the settings: %w", err)
	}
	defer f.Close()

	lines := bufio.NewScanner(f)
	first := map[string]int{}
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, found := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !found:
			err = errors.New("a line is: name = value")
		case name == configName:
			err = errors.New("one file cannot name another")
		case !all[name]:
			err = fmt.Errorf("there is no setting %q", word(name))
		case first[name] != 0:
			err = fmt.Errorf("%s was set on line %d already", name, first[name])
		default:
			if err = set(fs, given, name, value); err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", c.File, n, err)
		}
		first[name] = n
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the settings in %s: %w", c.File, err)
	}
	return nil
}
