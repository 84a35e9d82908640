package serve

import (
	"bytes"
	"log/slog"
	"sync"
	"time"

	"ostiary"
	"ostiary/internal/answer"
)

// What refusals may write: 200 KB at once and 40 KB a second, 640 KB in ten seconds. Beyond that
// there is a line and a count a second for each reason, so that no flood reaches a megabyte.
const (
	burst     = 200_000 // bytes
	perSecond = 40_000  // bytes
	window    = time.Second
	perGroup  = 5    // lines that equal refusals have in a window before they are counted
	maxGroups = 4096 // in a window; refusals of further groups are counted by reason
)

// A flood tells the refusals that are written out from those that are counted.
type flood struct {
	log *RequestLog

	mu     sync.Mutex
	groups map[groupKey]*group // of this window
	timer  *time.Timer         // ends the window; nil while there is none
	left   float64             // bytes that may be written
	at     time.Time           // when left was right
	line   bytes.Buffer
	closed bool
}

// A groupKey says which refusals are equal: those of one application of a token, or of one caller
// where no token is known. A group of too many has a door and a reason alone.
type groupKey struct {
	door       string
	reason     ostiary.Reason
	token, app ostiary.ID
	from       string
	many       bool
}

// A group counts equal refusals beyond those that were written out.
type group struct {
	tag     string // of its last line; counted ones begin with it
	lines   int
	counted uint64
}

func (f *flood) init(l *RequestLog) {
	f.log, f.groups, f.left, f.at = l, map[groupKey]*group{}, burst, time.Now()
}

func keyOf(e *answer.Event) groupKey {
	k := groupKey{door: e.Door, reason: e.Answer.Reason, token: e.Token, app: e.App}
	if e.Token == 0 {
		k.from = e.From
	}
	return k
}

// record writes a refusal out or counts it, and gives its tag.
func (f *flood) record(e *answer.Event) (tag string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refill()
	key := keyOf(e)
	g := f.group(key)
	if g != nil && g.lines < perGroup && f.left > 0 {
		g.tag, g.lines = f.log.tag(e), g.lines+1
		refusal(&f.line, e, g.tag)
		f.write()
		return g.tag
	}
	if g == nil || g.tag == "" {
		key = groupKey{door: e.Door, reason: e.Answer.Reason, many: true}
		g = f.group(key)
	}
	if g.tag == "" {
		g.tag = f.log.tags.next()
		render(&f.line, slog.LevelWarn, "too many refusals to write out", key.attrs(g.tag, 0))
		f.write()
		return g.tag
	}
	g.counted++
	f.log.metrics.suppressed.Inc()
	return counted(g.tag, g.counted)
}

// group gives the group of a key, made if there is none; nil where there are too many.
func (f *flood) group(key groupKey) *group {
	g := f.groups[key]
	if g != nil {
		return g
	}
	if len(f.groups) >= maxGroups && !key.many {
		return nil
	}
	g = &group{}
	f.groups[key] = g
	if f.timer == nil && !f.closed {
		f.timer = time.AfterFunc(window, f.end)
	}
	return g
}

func (f *flood) refill() {
	now := time.Now()
	f.left = min(burst, f.left+perSecond*now.Sub(f.at).Seconds())
	f.at = now
}

func (f *flood) write() {
	f.left -= float64(f.line.Len())
	f.log.out.Write(f.line.Bytes())
	f.line.Reset()
}

// end closes the window: a line for each group that counted something.
func (f *flood) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refill()
	for key, g := range f.groups {
		if g.counted > 0 {
			render(&f.line, slog.LevelWarn, "equal refusals were counted", key.attrs(g.tag, g.counted))
			f.write()
		}
	}
	clear(f.groups)
	f.timer = nil
}

func (f *flood) close() {
	f.mu.Lock()
	f.closed = true
	if f.timer != nil {
		f.timer.Stop()
	}
	f.mu.Unlock()
	f.end()
}

func (k groupKey) attrs(tag string, count uint64) []slog.Attr {
	list := []slog.Attr{
		slog.String("tag", tag), slog.String("door", k.door), slog.String("reason", k.reason.String()),
	}
	if count > 0 {
		list = append(list, slog.Uint64("count", count))
	}
	if k.token != 0 {
		list = append(list, slog.Uint64("token", uint64(k.token)))
	}
	if k.app != 0 {
		list = append(list, slog.Uint64("app", uint64(k.app)))
	}
	if k.from != "" {
		list = append(list, slog.String("from", k.from))
	}
	return list
}
