package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"ostiary"
)

// A table is printed aligned, two spaces between its columns.
type table struct {
	head []string
	rows [][]string
}

func newTable(head ...string) *table { return &table{head: head} }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{t.head}, t.rows...) {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	tw.Flush()
}

// printJSON prints an object of the API as the server sent it, indented.
func printJSON(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err = b.WriteTo(w)
	return err
}

// printList prints a list of the API's objects; an empty one is [].
func printList(w io.Writer, texts []json.RawMessage) error {
	if texts == nil {
		texts = []json.RawMessage{}
	}
	return printJSON(w, texts)
}

// when is a time of the API for people: RFC 3339, UTC.
func when(epoch *int64) string {
	if epoch == nil || *epoch == 0 {
		return "-"
	}
	return time.Unix(*epoch, 0).UTC().Format(time.RFC3339)
}

// label is a role of the API for people: Read-Only.
func label(role string) string {
	r, err := ostiary.ParseRole(role)
	if err != nil {
		return "-"
	}
	return r.Label()
}

// plain makes a text fit for a terminal: what is not printed shows as �.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || unicode.IsGraphic(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// orDash fills an empty cell.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return plain(s)
}

// number is the id at the end of a cid: "12" of "/token/12".
func number(cid string) string { return cid[strings.LastIndexByte(cid, '/')+1:] }

// printed prints a list: the API's objects with --json, else a row of the table for each.
func printed[T any](cmd *cobra.Command, to *reach, texts []json.RawMessage,
	t *table, row func(T) []string,
) error {
	if to.json {
		return printList(cmd.OutOrStdout(), texts)
	}
	all, err := decodeAll[T](texts)
	if err != nil {
		return err
	}
	for _, one := range all {
		t.row(row(one)...)
	}
	if len(t.rows) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "There is nothing to list.")
		return nil
	}
	t.print(cmd.OutOrStdout())
	return nil
}

// said prints what was done: the API's object with --json, else a sentence about it.
func said[T any](cmd *cobra.Command, to *reach, text json.RawMessage, say func(T) string) error {
	if to.json {
		return printJSON(cmd.OutOrStdout(), text)
	}
	one, err := decode[T](text)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), say(one))
	return err
}
