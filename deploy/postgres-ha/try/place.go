package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A place is the folder where everything lies, and what is the same for all that runs in it.
type place struct {
	folder  string
	begun   bool   // there is something in it
	passing bool   // nobody asked for it
	program string // Ostiary
	etcd    string
	bin     string // of PostgreSQL
	port    int    // the first of those that are used
	owner   *syscall.Credential
	yard    *yard

	etcdFile, patroniFile string // their text
	superuser, database   string // passwords
	replication, rewind   string
	api                   string
}

// folderMost is the longest name of a folder: sockets lie in it, and their names are short.
const folderMost = 70

func newPlace(o options) (p *place, err error) {
	p = &place{
		superuser: rand.Text(), database: rand.Text(), replication: rand.Text(), rewind: rand.Text(), api: rand.Text(),
	}
	if p.etcd, p.bin, err = need(); err != nil {
		return nil, err
	}
	for name, into := range map[string]*string{"etcd.env": &p.etcdFile, "patroni.yml": &p.patroniFile} {
		text, err := os.ReadFile(filepath.Join(o.files, name))
		if err != nil {
			return nil, fmt.Errorf("%w; run this at the top of the source, or say --files", err)
		}
		*into = string(text)
	}
	if p.owner, err = unprivileged(); err != nil {
		return nil, err
	}
	p.yard = newYard(p.owner)
	if p.port, err = freePorts(o.basePort); err != nil {
		return nil, err
	}
	if err := p.makeFolder(o.folder); err != nil {
		return nil, err
	}
	if err := p.getPrograms(o.ostiary); err != nil {
		p.close(true)
		return nil, err
	}
	return p, nil
}

// need finds the programs of Debian's packages.
func need() (etcd, bin string, err error) {
	if etcd, err = exec.LookPath("etcd"); err != nil {
		return "", "", errors.New("etcd is missing; it is in Debian's package etcd-server")
	}
	if _, err = exec.LookPath("patroni"); err != nil {
		return "", "", errors.New("patroni is missing; it is in Debian's package patroni")
	}
	newest := 0
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	for _, path := range found {
		dir := filepath.Dir(path)
		if n, err := strconv.Atoi(filepath.Base(filepath.Dir(dir))); err == nil && n > newest {
			bin, newest = dir, n
		}
	}
	if bin == "" {
		return "", "", errors.New("PostgreSQL is missing; it is in Debian's package postgresql")
	}
	return etcd, bin, nil
}

// unprivileged is the user that runs everything. PostgreSQL refuses to be root.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("as root, this runs everything as another user: %w", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
}

func (p *place) makeFolder(folder string) (err error) {
	if folder == "" {
		p.folder, err = os.MkdirTemp("", "ostiary-ha-")
	} else if p.folder, err = filepath.Abs(folder); err == nil {
		err = os.MkdirAll(p.folder, 0o700)
	}
	if err != nil {
		return err
	}
	if there, err := os.ReadDir(p.folder); err != nil || len(there) > 0 {
		return errors.Join(err, fmt.Errorf("%s is not empty", p.folder))
	}
	p.begun, p.passing = true, folder == ""
	if len(p.folder) > folderMost {
		return fmt.Errorf("the folder's name, %s, is longer than %d characters, too long for sockets", p.folder, folderMost)
	}
	if err := p.give(p.folder); err != nil {
		return err
	}
	if _, err := p.yard.run(p.folder, "test", "-w", "."); err != nil {
		return fmt.Errorf("the user who runs everything cannot reach %s; choose a folder like /tmp/try", p.folder)
	}
	return nil
}

// getPrograms builds Ostiary, or copies it, to where the user who runs it can reach it.
func (p *place) getPrograms(ostiary string) (err error) {
	if _, err := p.yard.run(p.folder, "test", "-x", p.etcd); err != nil {
		if p.etcd, err = p.copyProgram("etcd.program", p.etcd); err != nil {
			return err
		}
	}
	if ostiary != "" {
		p.program, err = p.copyProgram("ostiary", ostiary)
		return err
	}
	p.program = filepath.Join(p.folder, "ostiary")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", p.program, "./cmd/ostiary").CombinedOutput()
	if err != nil {
		return fmt.Errorf("building Ostiary: %w\n%s", err, out)
	}
	return os.Chmod(p.program, 0o755)
}

func (p *place) copyProgram(name, from string) (to string, err error) {
	to = filepath.Join(p.folder, name)
	text, err := os.ReadFile(from)
	if err != nil {
		return "", err
	}
	return to, errors.Join(os.WriteFile(to, text, 0o755), os.Chmod(to, 0o755))
}

// give makes a file or folder belong to the user who runs everything.
func (p *place) give(name string) error {
	if p.owner == nil {
		return nil
	}
	return os.Chown(name, int(p.owner.Uid), int(p.owner.Gid))
}

// write writes a file that only that user can read.
func (p *place) write(name, text string) (string, error) {
	name = filepath.Join(p.folder, name)
	return name, errors.Join(os.WriteFile(name, []byte(text), 0o600), p.give(name))
}

func (p *place) makeDir(name string) (string, error) {
	name = filepath.Join(p.folder, name)
	return name, errors.Join(os.MkdirAll(name, 0o700), p.give(name))
}

// close removes the folder where nobody wants it, and says otherwise where it is.
func (p *place) close(remove bool) {
	switch {
	case !p.begun:
	case remove && p.passing:
		os.RemoveAll(p.folder)
	default:
		fmt.Fprintln(os.Stderr, "data and logs are in", p.folder)
	}
}

// fill makes of a file of this folder the one of a machine, and tells what is different for trying: the
// addresses and ports, the folders, and that no watchdog resets this machine.
func (p *place) fill(text string, m *machine) string {
	port := func(n int) string { return strconv.Itoa(p.port + n) }
	return strings.NewReplacer(
		"@NAME@", m.name, "@ADDRESS@", m.address,
		"@DB1@", addresses[0], "@DB2@", addresses[1], "@DB3@", addresses[2],
		"@NETWORK@", "127.0.0.0/8", "@NODES@", "127.0.0.0/8",
		"@SUPERUSER_PASSWORD@", p.superuser, "@REPLICATION_PASSWORD@", p.replication,
		"@REWIND_PASSWORD@", p.rewind, "@API_PASSWORD@", p.api,
		":2379", ":"+port(etcdPort), ":2380", ":"+port(peerPort),
		":5432", ":"+port(postgresPort), ":8008", ":"+port(apiPort),
		"/var/lib/etcd/ostiary", m.folder+"/etcd",
		"/var/lib/postgresql/15/ostiary", m.folder+"/data", "/var/lib/postgresql/ostiary.pgpass", m.folder+"/pgpass",
		"/usr/lib/postgresql/15/bin", p.bin,
		"unix_socket_directories: /var/run/postgresql", "unix_socket_directories: "+m.folder+
			"\n    dynamic_shared_memory_type: mmap\n    shared_buffers: 32MB",
		"mode: required", "mode: 'off'",
	).Replace(text)
}
