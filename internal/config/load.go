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
		if err := c.loadFile(fs, given, all); err != nil {
			return warnings, err
		}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return warnings, errors.New("tls-cert and tls-key go together: one of them is missing")
	}
	if (c.ProxyListen == "") != (c.Upstream == "") {
		return warnings, errors.New("proxy-listen and upstream go together: one of them is missing")
	}
	return warnings, nil
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
			err = fmt.Errorf("there is no setting %q", name)
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
