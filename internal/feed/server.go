package feed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"ostiary"
)

// A Source is the memory that is fed from.
type Source interface {
	Head() ostiary.Head
	Changed() <-chan struct{}
	Edge(credential ostiary.Hash) (ostiary.EdgeFact, bool) // one that is not revoked
	// Stream writes everything, and gives the head that it stands at.
	Stream(ctx context.Context, w io.Writer) (ostiary.Head, error)
}

// A Contact is an application that turned up at a follower.
type Contact = contact

// Options of a Server.
type Options struct {
	Name  string // of this node
	Lease func() (age, limit time.Duration)
	// Vouch puts a follower on record among the nodes. Said is the last stamp of it that the others know of.
	Vouch func(n ostiary.Node, stamp int64)
	Said  func(id string) int64
	Meet  func(ctx context.Context, c Contact) (revision uint64, err error)
	Use   func(ctx context.Context, rows []byte) error
	Log   *slog.Logger
}

// A Server feeds followers.
type Server struct {
	source Source
	ring   *Ring
	opt    Options
	ends   context.Context // when the server stops
	stop   context.CancelFunc
}

// NewServer makes it. The ring is told of each change after the source holds it.
func NewServer(s Source, r *Ring, o Options) *Server {
	ends, stop := context.WithCancel(context.Background())
	return &Server{source: s, ring: r, opt: o, ends: ends, stop: stop}
}

// Close ends every stream.
func (s *Server) Close() { s.stop() }

const (
	// helloWithin is how long a follower may take to say who it is.
	helloWithin = 5 * time.Second
	// sendWithin is how long a follower may take to read what it is sent.
	sendWithin = 10 * time.Second
	// silentFor is how long a follower may say nothing: it pings twice a second.
	silentFor = 15 * time.Second
	// contactsAtOnce is how many contacts of one follower are put on record at a time.
	contactsAtOnce = 32
)

// ServeHTTP feeds one follower until it goes, or is cut off.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	if err := control.EnableFullDuplex(); err != nil && r.ProtoMajor < 2 {
		http.Error(w, "this server cannot stream both ways", http.StatusInternalServerError)
		return
	}
	secret, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	credential := ostiary.ReadSecret(secret).Hash()
	if _, known := s.source.Edge(credential); !bearer || !known {
		w.Header().Set("Www-Authenticate", `Bearer realm="Ostiary feed"`)
		refuse(w, control, http.StatusUnauthorized, "this needs the credential of an edge: ostiary node issue makes one")
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, control, http.StatusMethodNotAllowed, "a follower opens the stream with POST")
		return
	}
	ctx, end := context.WithCancelCause(r.Context())
	defer end(nil)
	defer context.AfterFunc(s.ends, func() { end(errors.New("the server stops")) })()
	defer context.AfterFunc(ctx, func() { control.SetReadDeadline(time.Now()) })() // whoever reads stops waiting
	st := &stream{
		Server: s, credential: credential, control: control, in: bufio.NewReaderSize(r.Body, 32<<10),
		out: bufio.NewWriterSize(w, 64<<10), ctx: ctx, end: end, pinged: make(chan struct{}, 1),
		meeting: make(chan struct{}, contactsAtOnce), nodes: map[string]bool{},
	}
	err := st.run(w)
	st.working.Wait()
	s.opt.Log.Info("a follower has gone", "node", st.node.Name, "why", errors.Join(err, context.Cause(ctx)))
}

// refuse answers a request whose body goes on for ever: net/http would wait for its end.
func refuse(w http.ResponseWriter, control *http.ResponseController, status int, say string) {
	w.Header().Set("Connection", "close")
	http.Error(w, say, status)
	control.Flush()
	control.SetReadDeadline(time.Now())
}

// A stream is one follower.
type stream struct {
	*Server
	credential ostiary.Hash
	control    *http.ResponseController
	in         *bufio.Reader
	ctx        context.Context
	end        context.CancelCauseFunc
	node       ostiary.Node
	at         ostiary.Head // what was sent

	writing sync.Mutex
	out     *bufio.Writer

	mu     sync.Mutex
	last   ping
	nodes  map[string]bool // that it vouches for, itself among them
	pinged chan struct{}

	meeting chan struct{}
	working sync.WaitGroup
}

func (s *stream) run(w http.ResponseWriter) error {
	s.control.SetReadDeadline(time.Now().Add(helloWithin))
	h, err := s.hello()
	if err != nil {
		refuse(w, s.control, http.StatusBadRequest, err.Error())
		return err
	}
	s.node, s.at = h.Node, h.Head
	s.node.Via = s.opt.Name
	s.opt.Log.Info("a follower has come", "node", s.node.Name, "revision", s.at.Revision)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_, held := s.ring.after(s.at, 0)
	if err := s.sendJSON(kindWelcome, welcome{Version: version, Node: s.opt.Name, Whole: !held}); err != nil {
		return err
	}
	s.working.Go(s.listen)
	if !held {
		if err := s.whole(); err != nil {
			return err
		}
	}
	return s.feed()
}

func (s *stream) hello() (h hello, err error) {
	var buffer []byte
	kind, payload, err := readFrame(s.in, &buffer)
	if err != nil {
		return h, fmt.Errorf("a follower that does not say who it is: %w", err)
	}
	if h, err = readJSON[hello](payload); err != nil {
		return h, err
	}
	switch {
	case kind != kindHello:
		return h, errors.New("a follower says first who it is")
	case h.Version != version:
		return h, fmt.Errorf("the follower speaks version %d of the feed, and this server version %d", h.Version, version)
	}
	return h, fit(h.Node)
}

// fit refuses a node whose texts could not be kept, or printed.
func fit(n ostiary.Node) error {
	for _, text := range []string{n.ID, n.Name, n.Version + ".", n.Via + "."} {
		if ostiary.CheckAppName(text) != ostiary.OK {
			return errors.New("a follower has an id and a name, each of 1 to 100 printable characters without a comma")
		}
	}
	return nil
}

// whole sends everything.
func (s *stream) whole() (err error) {
	if s.at, err = s.source.Stream(s.ctx, pieces{s}); err != nil {
		return fmt.Errorf("sending everything: %w", err)
	}
	return s.send(kindCopy, nil)
}

// pieces sends what is written to it.
type pieces struct{ s *stream }

func (p pieces) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n := min(len(rest), 1<<20)
		if err := p.s.send(kindCopy, rest[:n]); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return len(b), nil
}

// feed sends changes as they come, and answers pings.
func (s *stream) feed() error {
	for {
		changed := s.source.Changed()
		if _, known := s.source.Edge(s.credential); !known {
			return errors.New("its credential was revoked")
		}
		if err := s.changes(s.source.Head().Revision); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-s.pinged:
			if err := s.answer(); err != nil {
				return err
			}
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

// changes sends the log up to a revision.
func (s *stream) changes(to uint64) error {
	for s.at.Revision < to {
		some, held := s.ring.after(s.at, 200)
		if !held {
			return errors.New("it fell behind what is held of the log")
		}
		if len(some) == 0 {
			return nil // the ring is told a moment after the source
		}
		for _, c := range some {
			if err := s.put(kindChange, c.text); err != nil {
				return err
			}
			s.at = ostiary.Head{Revision: s.at.Revision + 1, Chain: c.chain}
		}
	}
	return s.flush()
}

// answer says how old what was sent is. The age is read first, and then all is sent that memory holds: so
// nothing is missing that this age promises.
func (s *stream) answer() error {
	last, said := s.said()
	old, _ := s.opt.Lease()
	to := s.source.Head().Revision
	for s.at.Revision < to {
		if err := s.changes(to); err != nil {
			return err
		}
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		if s.at.Revision < to {
			time.Sleep(100 * time.Microsecond) // until the ring has been told
		}
	}
	return s.sendJSON(kindAge, age{Stamp: last.Stamp, Said: said, Age: old, Head: s.at.Revision})
}

// said is the last ping, and what the other nodes know of the follower and of those behind it.
func (s *stream) said() (ping, map[string]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]int64, len(s.nodes))
	for id := range s.nodes {
		all[id] = s.opt.Said(id)
	}
	return s.last, all
}

// listen reads what the follower says.
func (s *stream) listen() {
	var buffer []byte
	for s.ctx.Err() == nil {
		s.control.SetReadDeadline(time.Now().Add(silentFor))
		kind, payload, err := readFrame(s.in, &buffer)
		if err == nil {
			err = s.heard(kind, payload)
		}
		if err != nil {
			s.end(err)
			return
		}
	}
}

func (s *stream) heard(kind byte, payload []byte) error {
	switch kind {
	case kindPing:
		p, err := readJSON[ping](payload)
		if err != nil {
			return err
		}
		return s.heardPing(p)
	case kindContact:
		c, err := readJSON[contact](payload)
		if err != nil {
			return err
		}
		s.heardContact(c)
		return nil
	case kindUse:
		return s.opt.Use(s.ctx, payload)
	case kindVouch:
		v, err := readJSON[vouched](payload)
		if err != nil {
			return err
		}
		return s.vouch(v.Node, v.Stamp)
	}
	return fmt.Errorf("a follower says %q, which means nothing here", kind)
}

func (s *stream) heardPing(p ping) error {
	n := s.node
	n.Applied, n.Stopped = p.Applied, p.Stopped
	if err := s.vouch(n, p.Stamp); err != nil {
		return err
	}
	s.mu.Lock()
	s.last = p
	s.mu.Unlock()
	select {
	case s.pinged <- struct{}{}:
	default:
	}
	return nil
}

// mostVouched bounds how many nodes can lie behind one follower.
const mostVouched = 10_000

// vouch puts a node on record: the follower, or one behind it.
func (s *stream) vouch(n ostiary.Node, stamp int64) error {
	if err := fit(n); err != nil {
		return err
	}
	s.mu.Lock()
	s.nodes[n.ID] = true
	tooMany := len(s.nodes) > mostVouched
	s.mu.Unlock()
	if tooMany {
		return fmt.Errorf("more than %d nodes lie behind it", mostVouched)
	}
	s.opt.Vouch(n, stamp)
	return nil
}

// heardContact puts an application on record beside the stream, where there is room; else the follower is
// told that it could not be done, and tries again.
func (s *stream) heardContact(c contact) {
	reply := func(m met) {
		m.Number = c.Number
		if err := s.sendJSON(kindMet, m); err != nil {
			s.end(err)
		}
	}
	select {
	case s.meeting <- struct{}{}:
	default:
		reply(met{Failed: true})
		return
	}
	s.working.Go(func() {
		defer func() { <-s.meeting }()
		revision, err := s.opt.Meet(s.ctx, c)
		reply(met{Revision: revision, Failed: err != nil})
	})
}

func (s *stream) sendJSON(kind byte, v any) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.control.SetWriteDeadline(time.Now().Add(sendWithin))
	if err := writeJSON(s.out, kind, v); err != nil {
		return err
	}
	return s.flushed()
}

func (s *stream) send(kind byte, payload []byte) error {
	if err := s.put(kind, payload); err != nil {
		return err
	}
	return s.flush()
}

// put writes a frame that flush sends.
func (s *stream) put(kind byte, payload []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.control.SetWriteDeadline(time.Now().Add(sendWithin))
	return writeFrame(s.out, kind, payload)
}

func (s *stream) flush() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.flushed()
}

func (s *stream) flushed() error {
	if err := s.out.Flush(); err != nil {
		return err
	}
	return s.control.Flush()
}
