// Command ostiary is the doorkeeper, and what its operator speaks to it with.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exits of every command. Serve has some of its own.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run runs one command, and gives its exit code.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	var ran *failure
	if !errors.As(err, &ran) {
		err = &usageError{err}
	}
	var usage *usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(errs, "%s: %s\nSee '%s --help'.\n", cmd.CommandPath(), usage.Error(), cmd.CommandPath())
		return exitUsage
	}
	if text := ran.Error(); text != "" {
		fmt.Fprintf(errs, "%s: %s\n", cmd.CommandPath(), text)
	}
	return exitCode(ran.error)
}

// A usageError says that the command was called in a way that it does not understand.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

func wrongUsage(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// A failure is an error of a command that ran. Whatever else Execute returns is about the call.
type failure struct{ error }

func (e *failure) Unwrap() error { return e.error }

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "ostiary",
		Short: "The doorkeeper of an HTTP API",
		Long: "Ostiary keeps the door of an HTTP API: every request shows a token and the name of the\n" +
			"application that sends it, and is let through, told to wait, or refused.",
		Example: "  ostiary demo                  See it run, with nothing to set up\n" +
			"  ostiary init --data DIR --account NAME --email ADDRESS\n" +
			"  ostiary serve --data DIR",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
		demoCommand(), initCommand(), serveCommand(),
		accountCommand(), userCommand(), tokenCommand(), appCommand(), nodeCommand(), edgeCommand(),
		explainCommand(), rulesCommand(), auditCommand(), backupCommand(), restoreCommand(), versionCommand(),
	)
	root.SetUsageTemplate(usageText(root.UsageTemplate()))
	strict(root)
	return root
}

// usageText is cobra's text, but lines end in time, and a command of commands, which runs only to say that
// one is missing, shows one way to call it.
func usageText(template string) string {
	return strings.NewReplacer(
		"{{if .Runnable}}", "{{if not .HasAvailableSubCommands}}",
		".FlagUsages ", ".FlagUsagesWrapped 110 ",
	).Replace(template)
}

// strict makes a command of commands ask for one, and marks the errors of those that ran.
func strict(cmd *cobra.Command) {
	cmd.DisableFlagsInUseLine = true
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := run(cmd, args); err != nil {
				return &failure{err}
			}
			return nil
		}
		return
	}
	if !cmd.HasSubCommands() {
		return
	}
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return wrongUsage("there is no command %q; there is %s", args[0], names(cmd))
		}
		return wrongUsage("say which: %s", names(cmd))
	}
}

func names(cmd *cobra.Command) string {
	var all []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			all = append(all, sub.Name())
		}
	}
	return strings.Join(all, ", ")
}

// takes says how many arguments a command has, and what they are.
func takes(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return wrongUsage("%s is missing", names[len(args)])
		}
		if len(args) > len(names) {
			return wrongUsage("one argument too many: %q", args[len(names)])
		}
		return nil
	}
}

// takesAtMost is takes for arguments that may be left out.
func takesAtMost(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > len(names) {
			return wrongUsage("one argument too many: %q", args[len(names)])
		}
		return nil
	}
}
