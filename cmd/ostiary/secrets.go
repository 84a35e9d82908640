package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"ostiary/internal/login"
)

// maxSecret bounds what is read as a secret, in bytes.
const maxSecret = 4096

// readSecret reads one line from a file, or from standard input where the file is empty or "-".
// On a terminal it asks, and does not show what is typed.
func readSecret(cmd *cobra.Command, file, ask string) (string, error) {
	if file != "" && file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		return oneLine(f, file)
	}
	if tty, ok := terminal(cmd.InOrStdin()); ok {
		return tty.ask(cmd.Context(), cmd.ErrOrStderr(), ask)
	}
	return oneLine(cmd.InOrStdin(), "standard input")
}

func oneLine(r io.Reader, where string) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err != nil {
		return "", err
	}
	line := strings.TrimRight(string(text), "\r\n")
	switch {
	case line == "":
		return "", fmt.Errorf("%s is empty; it must hold the secret", where)
	case len(text) > maxSecret, strings.ContainsAny(line, "\r\n"):
		return "", fmt.Errorf("%s holds more than one line", where)
	}
	return line, nil
}

func passwordFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "password-file", "", "`FILE` with the password; - is standard input")
}

// passwordFor reads a password from a file, or makes one: then made is the same.
func passwordFor(cmd *cobra.Command, file string) (password, made string, err error) {
	if file == "" {
		made = login.NewPassword()
		return made, made, nil
	}
	password, err = readSecret(cmd, file, "Password: ")
	if err != nil {
		return "", "", err
	}
	return password, "", login.Check(password)
}

// askPassword asks on a terminal, twice.
func askPassword(cmd *cobra.Command, tty *tty) (string, error) {
	first, err := tty.ask(cmd.Context(), cmd.ErrOrStderr(), "Password: ")
	if err != nil {
		return "", err
	}
	if err := login.Check(first); err != nil {
		return "", err
	}
	second, err := tty.ask(cmd.Context(), cmd.ErrOrStderr(), "The same again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ; nothing was done")
	}
	return first, nil
}

// withSecret prints what was done. A secret that was made on the way stands alone on standard
// output, or with --json in the object, under a name that begins with _.
func (r *reach) withSecret(cmd *cobra.Command, text json.RawMessage, name, secret, say string) error {
	if r.json {
		object, err := decode[map[string]json.RawMessage](text)
		if err != nil {
			return err
		}
		if secret != "" {
			object["_"+name] = json.RawMessage(fmt.Sprintf("%q", secret))
		}
		return printJSON(cmd.OutOrStdout(), object)
	}
	if secret == "" {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), say)
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s This is the %s; it is not shown again:\n", say, name)
	_, err := fmt.Fprintln(cmd.OutOrStdout(), secret)
	return err
}
