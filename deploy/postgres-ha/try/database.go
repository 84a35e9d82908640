package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// url is how a client reaches the leader, whichever of the three it is.
func (c *cluster) url(user, password, name string) string {
	return c.urlOf(c.machines[:], user, password, name) + "&target_session_attrs=read-write"
}

func (c *cluster) urlOf(machines []*machine, user, password, name string) string {
	var hosts []string
	for _, m := range machines {
		hosts = append(hosts, m.address+":"+strconv.Itoa(c.port+postgresPort))
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(user, password), Host: strings.Join(hosts, ","), Path: name,
		RawQuery: "sslmode=disable", // it never leaves this machine
	}
	return u.String()
}

// makeDatabase makes the role and the database that Ostiary uses, and gives PostgreSQL's version.
func (c *cluster) makeDatabase(ctx context.Context) (version string, err error) {
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	conn, err := pgx.Connect(ctx, c.url("postgres", c.superuser, "postgres"))
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	for _, text := range []string{
		"CREATE ROLE ostiary LOGIN PASSWORD '" + c.database + "'",
		"CREATE DATABASE ostiary OWNER ostiary",
	} {
		if _, err := conn.Exec(ctx, text); err != nil {
			return "", err
		}
	}
	err = conn.QueryRow(ctx, "SHOW server_version").Scan(&version)
	version, _, _ = strings.Cut(version, " ")
	for _, m := range c.machines {
		if err == nil {
			err = c.knows(ctx, m)
		}
	}
	return version, err
}

// knows waits until a machine has the database: a client that is told by the first host that there is none
// does not ask the others.
func (c *cluster) knows(ctx context.Context, m *machine) error {
	for {
		conn, err := pgx.Connect(ctx, c.urlOf([]*machine{m}, "ostiary", c.database, "ostiary"))
		if err == nil {
			return conn.Close(ctx)
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("%s does not have the database: %w", m.name, err)
		}
	}
}
