package feed

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"ostiary"
)

// A Source is the memory that is fed from.
type Source interface {
	Head() ostiary.Head
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
	// Differs says at which revision a follower held something else than this node, if it did; and whether it is
	// to be sent everything.
	Differs func(id string) (at uint64, anew bool)
	// Chain is that of the log at a revision; nil where there is no log to ask.
	Chain func(ctx context.Context, revision uint64) (ostiary.Hash, error)
	Meet  func(ctx context.Context, c Contact) (revision uint64, err error)
	Use   func(ctx context.Context, rows []byte) error
	Log   *slog.Logger
	// Folder is where copies are written that are on their way to followers; empty: where the system has such files.
	Folder string
}

// A Server feeds followers.
type Server struct {
	source Source
	ring   *Ring
	opt    Options
	ends   context.Context // when the server stops
	stop   context.CancelFunc
	books  books
	copies *copies

	transfer func(size int64) time.Duration // how long a follower may take for a copy
}

// NewServer makes it. The ring is told of each change after the source holds it.
func NewServer(s Source, r *Ring, o Options) *Server {
	ends, stop := context.WithCancel(context.Background())
	return &Server{
		source: s, ring: r, opt: o, ends: ends, stop: stop, books: books{by: map[ostiary.ID]*book{}},
		copies: &copies{source: s, ring: r, folder: o.Folder, ends: ends}, transfer: transferWithin,
	}
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
	edge, known := s.source.Edge(credential)
	if !bearer || !known {
		w.Header().Set("Www-Authenticate", `Bearer realm="Ostiary feed"`)
		refuse(w, control, http.StatusUnauthorized, "this needs the credential of an edge: ostiary node issue makes one")
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, control, http.StatusMethodNotAllowed, "a follower opens the stream with POST")
		return
	}
	if err := s.books.enter(edge.ID); err != nil {
		refuse(w, control, http.StatusTooManyRequests, err.Error())
		return
	}
	ctx, end := context.WithCancelCause(r.Context())
	defer end(nil)
	defer context.AfterFunc(s.ends, func() { end(errors.New("the server stops")) })()
	defer context.AfterFunc(ctx, func() { control.SetReadDeadline(time.Now()) })() // whoever reads stops waiting
	st := &stream{
		Server: s, credential: credential, edge: edge.ID, control: control, in: bufio.NewReaderSize(r.Body, 32<<10),
		out: bufio.NewWriterSize(w, 64<<10), ctx: ctx, end: end, pinged: make(chan struct{}, 1),
		meeting: make(chan struct{}, contactsAtOnce), nodes: map[string]ostiary.Node{},
	}
	defer st.left()
	err := st.run(w)
	end(err) // whoever reads, and whoever puts something on record, stops
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
