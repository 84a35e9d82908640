package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A typed is a pflag.Value that reads its text once and refuses what is not valid.
type typed[T any] struct {
	at    *T
	shown string
	read  func(string) (T, error)
}

func (v *typed[T]) Set(s string) error {
	read, err := v.read(strings.TrimSpace(s))
	if err != nil {
		return err
	}
	*v.at, v.shown = read, strings.TrimSpace(s)
	return nil
}

func (v *typed[T]) String() string { return v.shown }

func (v *typed[T]) Type() string {
	switch any(v.at).(type) {
	case *int:
		return "number"
	case *time.Duration:
		return "duration"
	}
	return "text"
}

// value makes a setting whose default is valid by construction.
func value[T any](at *T, def string, read func(string) (T, error)) *typed[T] {
	v := &typed[T]{at: at, read: read}
	if err := v.Set(def); err != nil {
		panic("the default " + strconv.Quote(def) + " is not valid: " + err.Error())
	}
	return v
}

// text is a setting that check may change or refuse. An empty default stands for not set.
func text(at *string, def string, check func(string) (string, error)) *typed[string] {
	if check == nil {
		check = func(s string) (string, error) { return s, nil }
	}
	return value(at, def, func(s string) (string, error) {
		if s == "" && def == "" {
			return "", nil
		}
		return check(s)
	})
}

func count(at *int, def int) *typed[int] {
	return value(at, strconv.Itoa(def), func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 1_000_000_000 {
			return 0, errors.New("not a whole number from 1 to 1000000000")
		}
		return n, nil
	})
}

func rate(at *float64, def string) *typed[float64] {
	return value(at, def, func(s string) (float64, error) {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil || !(n >= 0 && n <= 1e9) {
			return 0, errors.New("not a number from 0 to 1000000000")
		}
		return n, nil
	})
}

func span(at *time.Duration, def string) *typed[time.Duration] {
	return value(at, def, func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil || d < 10*time.Millisecond || d > time.Hour {
			return 0, errors.New("not a duration from 10ms to 1h, such as 3s or 500ms")
		}
		return d, nil
	})
}

// lasting is how long something that people notice goes on, for a least time.
func lasting(at *time.Duration, def string, least time.Duration) *typed[time.Duration] {
	return value(at, def, func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil || d < least || d > 366*24*time.Hour {
			from := strings.TrimSuffix(strings.TrimSuffix(least.String(), "0s"), "0m")
			return 0, fmt.Errorf("not a duration from %s to 8784h, such as 12h or 720h", from)
		}
		return d, nil
	})
}

func level(at *slog.Level, def string) *typed[slog.Level] {
	return value(at, def, func(s string) (slog.Level, error) {
		switch strings.ToLower(s) {
		case "debug":
			return slog.LevelDebug, nil
		case "info":
			return slog.LevelInfo, nil
		case "warn":
			return slog.LevelWarn, nil
		case "error":
			return slog.LevelError, nil
		}
		return 0, errors.New("not one of debug, info, warn and error")
	})
}

// onOff is a switch: a flag that needs no value.
type onOff struct{ *typed[bool] }

func toggle(at *bool) *onOff {
	return &onOff{value(at, "false", func(s string) (bool, error) {
		on, err := strconv.ParseBool(s)
		if err != nil {
			return false, errors.New("neither true nor false")
		}
		return on, nil
	})}
}

func (*onOff) Type() string     { return "bool" }
func (*onOff) IsBoolFlag() bool { return true }

// A Secret is a setting that never prints itself.
type Secret struct{ text string }

const concealed = "[concealed]"

// Reveal is the setting itself: for the one place that needs it.
func (s Secret) Reveal() string { return s.text }

func (s Secret) String() string               { return concealed }
func (s Secret) GoString() string             { return concealed }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(concealed) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(concealed), nil }

// hidden reads a Secret. It takes everything: an error would show the value.
type hidden struct{ at *Secret }

func (*hidden) String() string { return "" }
func (*hidden) Type() string   { return "text" }

func (h *hidden) Set(s string) error {
	h.at.text = strings.TrimSpace(s)
	return nil
}

// pairs reads "TOKEN:APP, TOKEN:APP".
type pairs struct {
	at    *[][2]string
	shown string
}

func (p *pairs) String() string { return p.shown }
func (*pairs) Type() string     { return "pairs" }

func (p *pairs) Set(s string) error {
	var all [][2]string
	for part := range strings.SplitSeq(s, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		token, app, _ := strings.Cut(part, ":")
		token, errToken := headerName(strings.TrimSpace(token))
		app, errApp := headerName(strings.TrimSpace(app))
		if err := errors.Join(errToken, errApp); err != nil {
			return errors.New("not pairs of header names such as X-Token:X-App, X-Key:X-Client")
		}
		all = append(all, [2]string{token, app})
	}
	*p.at, p.shown = all, s
	return nil
}

func notEmpty(s string) (string, error) {
	if s == "" {
		return "", errors.New("it is empty")
	}
	return s, nil
}

func printable(s string) (string, error) {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return "", errors.New("only printable ASCII can be in it")
		}
	}
	return s, nil
}

func address(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", errors.New("not an address such as 127.0.0.1:8700 or :8700")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("the port is not a number from 0 to 65535, but %q", port)
	}
	return net.JoinHostPort(host, port), nil
}

func addressOrNone(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	return address(s)
}

// socketOrNone also takes unix:PATH. The system takes no longer path for a socket.
func socketOrNone(s string) (string, error) {
	path, isSocket := strings.CutPrefix(s, "unix:")
	if !isSocket {
		return addressOrNone(s)
	}
	if path == "" || len(path) > 100 {
		return "", errors.New("unix: takes a path of at most 100 bytes")
	}
	return s, nil
}

func baseURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", errors.New("not a URL such as https://tokens.example.com")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("a URL without a user, a query and a fragment is needed")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// originURL takes a URL without a path: of the pages, whose links begin at the root of a name, and of an
// API whose requests keep their own path.
func originURL(s string) (string, error) {
	text, err := baseURL(s)
	if err != nil {
		return "", err
	}
	if u, err := url.Parse(text); err != nil || u.Path != "" {
		return "", errors.New("a URL without a path is needed, such as https://tokens.example.com")
	}
	return text, nil
}

func oneOf(words ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", errors.New("not one of " + strings.Join(words, " and "))
		}
		return s, nil
	}
}

func prefix(s string) (string, error) {
	for i := range len(s) {
		if c := s[i] | 0x20; s[i] != '_' && !('a' <= c && c <= 'z') && !('0' <= s[i] && s[i] <= '9') {
			return "", errors.New("only letters, digits and _ can be in it")
		}
	}
	if s == "" || len(s) > 32 {
		return "", errors.New("it has 1 to 32 characters")
	}
	return s, nil
}

func headerName(s string) (string, error) {
	for i := range len(s) {
		if c := s[i] | 0x20; s[i] != '-' && !('a' <= c && c <= 'z') && !('0' <= s[i] && s[i] <= '9') {
			return "", errors.New("only letters, digits and - can be in a header's name")
		}
	}
	if s == "" {
		return "", errors.New("a header has a name")
	}
	return s, nil
}
