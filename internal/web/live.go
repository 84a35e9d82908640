package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

// Bounds of what keeps open pages current.
const (
	maxStreams          = 1000 // of a node
	maxStreamsOfUser    = 40   // the oldest makes room
	maxStreamsOfSession = 8    // likewise
	newsApart           = 250 * time.Millisecond
	newsApartOf         = 500 * time.Microsecond // more for each stream that is open
	beatEvery           = 15 * time.Second
	closing             = 500 * time.Millisecond
)

// streams are the answers that stay open.
type streams struct {
	mu     sync.Mutex
	of     map[ostiary.ID][]*stream // by user, the oldest first
	count  int
	closed chan struct{}
	beat   time.Duration // between two comments
}

func newStreams() *streams {
	return &streams{of: map[ostiary.ID][]*stream{}, closed: make(chan struct{}), beat: beatEvery}
}

// Close ends the answers that stay open. Their pages come back by themselves, here or to another node.
func (web *Web) Close() {
	s := web.streams
	s.mu.Lock()
	defer s.mu.Unlock()
	if isDone(s.closed) {
		return
	}
	close(s.closed)
	for _, all := range s.of {
		for _, st := range all {
			st.conn.SetWriteDeadline(time.Now().Add(closing)) // one whose page does not read
		}
	}
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// open takes a stream in. One that is too many for its session or its user takes the place of the oldest.
func (s *streams) open(st *stream) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if isDone(s.closed) || s.count >= maxStreams {
		return ostiary.Refuse(ostiary.Unavailable, "Too many pages are kept current. Reload this one by hand.")
	}
	s.count++
	mine := append(s.of[st.user.ID], st)
	if at := tooMany(mine, st.session); at >= 0 {
		close(mine[at].replaced)
		mine = slices.Delete(mine, at, at+1)
	}
	s.of[st.user.ID] = mine
	return nil
}

// tooMany is which of a user's streams makes room for the last of them; -1: there is room.
func tooMany(mine []*stream, session ostiary.ID) int {
	ofSession, first := 0, -1
	for i, st := range mine {
		if st.session != session {
			continue
		}
		if ofSession++; first < 0 {
			first = i
		}
	}
	switch {
	case ofSession > maxStreamsOfSession:
		return first
	case len(mine) > maxStreamsOfUser:
		return 0
	}
	return -1
}

// apart is the time between two looks of a stream: a thousand of them look no more often than the machine
// can bear, and still within a second.
func (s *streams) apart() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return newsApart + time.Duration(s.count)*newsApartOf
}

func (s *streams) leave(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count--
	mine := slices.DeleteFunc(s.of[st.user.ID], func(other *stream) bool { return other == st })
	s.of[st.user.ID] = mine
	if len(mine) == 0 {
		delete(s.of, st.user.ID)
	}
}

// A stream tells one open page that something happened, in server-sent events. What happened the page
// finds out by asking for itself anew, so that what a person may see is drawn in one place only.
type stream struct {
	*visit
	conn     *http.ResponseController
	session  ostiary.ID
	revision uint64        // up to which the page was told
	replaced chan struct{} // closed when a newer stream of the person took its place
}

// live answers with a stream from the revision on that the page shows, or that the stream before came to.
func live(v *visit) (reply, error) {
	if site := v.r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return nil, ostiary.Refuse(ostiary.CrossSite, "Another site's page asked for this.")
	}
	after := v.r.Header.Get("Last-Event-ID")
	if after == "" {
		after = v.r.URL.Query().Get("after")
	}
	revision, err := strconv.ParseUint(after, 10, 63)
	if err != nil {
		return nil, ostiary.RefuseField("after", "Say from which revision on.")
	}
	return &stream{
		visit: v, conn: http.NewResponseController(v.w), session: v.session.ID, revision: revision,
		replaced: make(chan struct{}),
	}, nil
}

func (s *stream) write(v *visit) error {
	if s.session == 0 || v.seat.Account.ID == 0 {
		s.begin() // nobody, or nobody here: that takes no place from those who may listen
		s.send("event: end\ndata: {}\n\n")
		return nil
	}
	if err := v.streams.open(s); err != nil {
		return err
	}
	defer v.streams.leave(s)
	s.begin()
	if v.r.Method == http.MethodHead {
		return nil
	}
	if s.send("retry: 2000\n\n") == nil {
		s.follow(v.r.Context())
	}
	return nil
}

func (s *stream) begin() {
	v := s.visit
	h := v.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	v.wrote = true
	v.w.WriteHeader(http.StatusOK)
	v.record(v.answered()) // now, since it ends in hours
}

// follow looks whenever the log has grown, a session ended, or it has not looked for long.
func (s *stream) follow(ctx context.Context) {
	beat := time.NewTicker(s.streams.beat)
	defer beat.Stop()
	for {
		ended := s.login.Ended()
		if s.look(ctx) != nil {
			return
		}
		s.pause(ctx)
		if s.wait(ctx, ended, beat.C) != nil {
			return
		}
	}
}

// wait returns when it is time to look again.
func (s *stream) wait(ctx context.Context, ended <-chan struct{}, beat <-chan time.Time) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	select {
	case <-s.grown(ctx):
	case <-ended:
	case <-beat:
		return s.send(": \nid: %d\n\n", s.revision)
	case <-s.replaced:
		s.send("event: replaced\ndata: {}\n\n")
		return errOver
	case <-s.streams.closed:
		return errOver
	case <-ctx.Done():
		return errOver
	}
	return nil
}

// errOver says that nothing more is sent.
var errOver = errors.New("the stream is over")

// grown gives a channel that is closed once the log has more than this page was told.
func (s *stream) grown(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	revision := s.revision
	go func() {
		defer close(done)
		s.authority.Wait(ctx, revision)
	}()
	return done
}

// pause is what keeps a busy log from redrawing pages all the time.
func (s *stream) pause(ctx context.Context) {
	wait := time.NewTimer(s.streams.apart())
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-s.streams.closed:
	case <-ctx.Done():
	}
}

// look tells what is new, and whether the session and the role are still there: both are asked for each
// time. What cannot be found out now is asked again; the page stays as it is.
func (s *stream) look(ctx context.Context) error {
	session, err := s.login.Look(ctx, s.sessionSecret())
	if isUnavailable(err) {
		return nil
	}
	var news authority.News
	if err == nil && session.ID == s.session {
		news, err = s.authority.News(ctx, s.caller, s.revision)
	}
	if isUnavailable(err) {
		return nil
	}
	if err != nil || session.ID != s.session {
		s.send("event: end\ndata: {}\n\n")
		return errOver
	}
	if news.Revision < s.revision {
		news.Kinds = []string{"many"} // the records were put back in time
	}
	s.revision = news.Revision
	if len(news.Kinds) == 0 {
		return nil
	}
	return s.tell(news)
}

func (s *stream) tell(n authority.News) error {
	data, err := json.Marshal(struct {
		Revision uint64   `json:"revision"`
		Kinds    []string `json:"kinds"`
	}{n.Revision, n.Kinds})
	if err != nil {
		return err
	}
	return s.send("id: %d\nevent: news\ndata: %s\n\n", n.Revision, data)
}

// send writes at once. A page that does not read is given up before its next comment would be due.
func (s *stream) send(format string, args ...any) error {
	s.conn.SetWriteDeadline(time.Now().Add(2 * s.streams.beat))
	if _, err := fmt.Fprintf(s.w, format, args...); err != nil {
		return err
	}
	return s.conn.Flush()
}
