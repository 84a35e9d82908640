package serve

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ostiary"
	"ostiary/internal/answer"
)

// memory keeps what was logged.
type memory struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (m *memory) Write(line []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.Write(line)
}

func (m *memory) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.Len()
}

func (m *memory) all() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.String()
}

type line map[string]any

// lines reads what was logged; every line must be JSON with a time in UTC.
func (m *memory) lines(t *testing.T) []line {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []line
	scan := bufio.NewScanner(bytes.NewReader(m.text.Bytes()))
	for scan.Scan() {
		var l line
		if err := json.Unmarshal(scan.Bytes(), &l); err != nil {
			t.Fatalf("a line is not JSON: %v\n%s", err, scan.Text())
		}
		at, _ := l["time"].(string)
		if _, err := time.Parse(time.RFC3339, at); err != nil || !strings.HasSuffix(at, "Z") {
			t.Fatalf("the time of a line is not RFC 3339 in UTC: %s", scan.Text())
		}
		all = append(all, l)
	}
	return all
}

func (l line) tag() string { tag, _ := l["tag"].(string); return tag }

func (l line) count() int { n, _ := l["count"].(float64); return int(n) }

func newLog(access bool) (*RequestLog, *memory) {
	m := &memory{}
	return NewRequestLog(m, access, NewMetrics("test")), m
}

func refusedEvent(reason ostiary.Reason, status int) *answer.Event {
	return &answer.Event{
		Door: "auth", Answer: answer.Answer{Status: status, Code: "Code", Reason: reason},
		Method: "GET", Path: "/check/12", From: "192.0.2.7", Agent: "curl/8.0", Hint: "k3X…9fQ2",
		AppName: "collector", Took: 40 * time.Microsecond,
	}
}

func TestRefusalHasItsLineAndTag(t *testing.T) {
	t.Parallel()
	log, out := newLog(false)
	e := refusedEvent(ostiary.PendingApp, 401)
	e.Account, e.Token, e.App, e.Revision = 1, 2, 3, 4
	tag := log.Record(e)
	lines := out.lines(t)
	if len(lines) != 1 || tag == "" || lines[0].tag() != tag {
		t.Fatalf("got the tag %q and the lines %v, want one line with that tag", tag, lines)
	}
	for key, want := range map[string]any{
		"level": "WARN", "msg": "refused", "door": "auth", "status": 401.0, "reason": "pending app", "code": "Code",
		"method": "GET", "path": "/check/12", "from": "192.0.2.7", "agent": "curl/8.0", "account": 1.0, "token": 2.0,
		"hint": "k3X…9fQ2", "app": 3.0, "app_name": "collector", "revision": 4.0, "took_ms": 0.04,
	} {
		if lines[0][key] != want {
			t.Errorf("%s is %v, want %v", key, lines[0][key], want)
		}
	}
}

func TestFailureSaysWhatWentWrong(t *testing.T) {
	t.Parallel()
	log, out := newLog(false)
	e := refusedEvent(ostiary.Unavailable, 503)
	e.Err = errors.New("the disk is full")
	log.Record(e)
	l := out.lines(t)[0]
	if l["level"] != "ERROR" || l["msg"] != "failed" || l["error"] != "the disk is full" {
		t.Errorf("got %v", l)
	}
}

func TestSuccessIsLoggedOnlyWithAccessLog(t *testing.T) {
	t.Parallel()
	e := &answer.Event{Door: "auth", Answer: answer.Answer{Status: 200, Reason: ostiary.OK}}
	log, out := newLog(false)
	if tag := log.Record(e); tag != "" || out.size() != 0 {
		t.Errorf("without the access log: tag %q, %d bytes", tag, out.size())
	}
	log, out = newLog(true)
	for range 50 {
		if tag := log.Record(e); tag == "" {
			t.Error("no tag with the access log")
		}
	}
	if n := len(out.lines(t)); n != 50 {
		t.Errorf("%d lines for 50 requests", n)
	}
}

func TestTagThatWasChosenBeforeIsKept(t *testing.T) {
	t.Parallel()
	e := &answer.Event{Door: "api", Tag: "chosen", Answer: answer.Answer{Status: 200, Reason: ostiary.OK}}
	log, _ := newLog(false)
	if tag := log.Record(e); tag != "chosen" {
		t.Errorf("the tag of a change is %q", tag)
	}
	e.Answer = answer.Answer{Status: 409, Reason: ostiary.Conflict}
	log, out := newLog(false)
	if tag := log.Record(e); tag != "chosen" || out.lines(t)[0].tag() != "chosen" {
		t.Errorf("the tag of a refused change is %q, its line %v", tag, out.lines(t)[0])
	}
}

func TestTagsDifferAcrossRestartsAndNoneBeginsAnother(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 3 {
		tags := newTags()
		for range 100_000 {
			tag := tags.next()
			if seen[tag] || len(tag) != runDigits+countDigits {
				t.Fatalf("the tag %q came before, or has another width", tag)
			}
			seen[tag] = true
		}
	}
}

var (
	longPath  = strings.Repeat("\x01", 10_000)
	longAgent = strings.Repeat("<", 10_000)
	errLong   = errors.New(strings.Repeat("\u2028", 10_000))
)

// floods are requests of strangers, each flood varying something else.
var floods = map[string]func(i int) *answer.Event{
	"equal": func(int) *answer.Event { return refusedEvent(ostiary.BadToken, 401) },
	"tokens": func(i int) *answer.Event {
		e := refusedEvent(ostiary.PendingApp, 401)
		e.Account, e.Token, e.App = 1, ostiary.ID(i+1), ostiary.ID(i+1)
		return e
	},
	"addresses": func(i int) *answer.Event {
		e := refusedEvent(ostiary.BadToken, 401)
		e.From = fmt.Sprintf("2001:db8::%x:%x", i>>16, i&0xffff)
		return e
	},
	"names": func(i int) *answer.Event {
		e := refusedEvent(ostiary.PendingApp, 401)
		e.Account, e.Token, e.AppName = 1, 2, fmt.Sprintf("collector-%d", i)
		return e
	},
	"long lines": func(i int) *answer.Event {
		e := refusedEvent(ostiary.BadToken, 401)
		e.From = fmt.Sprintf("2001:db8::%x:%x", i>>16, i&0xffff)
		e.Path, e.Agent, e.Err = longPath, longAgent, errLong
		return e
	},
	"every reason at every door": func(i int) *answer.Event {
		reasons := ostiary.Reasons()
		e := refusedEvent(reasons[i%len(reasons)], 401+102*(i%2))
		e.Door = doors[i/len(reasons)%3]
		e.From = fmt.Sprintf("2001:db8::%x:%x", i>>16, i&0xffff)
		return e
	},
}

// Ten seconds pass in no time here: the clock of the bubble stands still while anybody works.
func TestTenSecondsOfFloodWriteLessThanAMegabyte(t *testing.T) {
	for name, event := range floods {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log, out := newLog(false)
				var tags []string
				sent := 0
				for range 10_000 {
					for range 10 {
						tags = append(tags, log.Record(event(sent)))
						sent++
					}
					time.Sleep(time.Millisecond)
				}
				log.Close()
				t.Logf("%d refusals wrote %d bytes", sent, out.size())
				if out.size() > 1_000_000 {
					t.Errorf("they wrote %d bytes", out.size())
				}
				checkTags(t, out.lines(t), tags, sent)
			})
		})
	}
}

// checkTags holds the tags of answers against the log: each is that of a line, or begins with the
// tag of exactly one line that counts it, and all are accounted for.
func checkTags(t *testing.T, lines []line, tags []string, sent int) {
	t.Helper()
	written, counts, total := map[string]bool{}, map[string]int{}, 0
	for _, l := range lines {
		if n := l.count(); n > 0 {
			counts[l.tag()] += n
			total += n
			continue
		}
		if written[l.tag()] {
			t.Fatalf("two lines have the tag %s", l.tag())
		}
		written[l.tag()] = true
	}
	if got := len(written) + total; got != sent {
		t.Errorf("the log accounts for %d refusals of %d", got, sent)
	}
	seen := map[string]bool{}
	for _, tag := range tags {
		if seen[tag] {
			t.Fatalf("two answers have the tag %s", tag)
		}
		seen[tag] = true
		if written[tag] {
			continue
		}
		head, number, _ := strings.Cut(tag, "-")
		n := 0
		fmt.Sscanf(number, "%d", &n)
		if !written[head] || n < 1 || n > counts[head] {
			t.Fatalf("the tag %s leads to no line: line %t, and %d counted", tag, written[head], counts[head])
		}
	}
}

func TestFloodOfOneReasonLeavesOthersTheirLines(t *testing.T) {
	t.Parallel()
	log, out := newLog(false)
	for i := range 50_000 {
		log.Record(floods["names"](i))
	}
	e := refusedEvent(ostiary.DeniedApp, 403)
	e.Token, e.App = 9, 9
	tag := log.Record(e)
	lines := out.lines(t)
	if last := lines[len(lines)-1]; last.tag() != tag || last["token"] != 9.0 {
		t.Errorf("the refusal of another token was not written out: tag %s, last line %v", tag, last)
	}
}

func TestFloodOfNamesTakesNoMemory(t *testing.T) {
	log, _ := newLog(false)
	log.out = discard{}
	before := heap()
	for i := range 100_000 {
		log.Record(floods["names"](i))
		log.Record(floods["addresses"](i))
	}
	if grown := int64(heap()) - int64(before); grown > 4<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	log.Close()
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestCountingASuccessAllocatesNothing(t *testing.T) {
	log, _ := newLog(false)
	e := &answer.Event{Door: "auth", Answer: answer.Answer{Status: 200, Reason: ostiary.OK}, Took: 20 * time.Microsecond}
	if n := testing.AllocsPerRun(1000, func() { log.Record(e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRecordSuccess(b *testing.B) {
	log, _ := newLog(false)
	b.RunParallel(func(p *testing.PB) {
		e := &answer.Event{Door: "auth", Answer: answer.Answer{Status: 200, Reason: ostiary.OK}, Took: 20 * time.Microsecond}
		for p.Next() {
			log.Record(e)
		}
	})
}

func BenchmarkRecordSuccessAlone(b *testing.B) {
	log, _ := newLog(false)
	e := &answer.Event{Door: "auth", Answer: answer.Answer{Status: 200, Reason: ostiary.OK}, Took: 20 * time.Microsecond}
	for b.Loop() {
		log.Record(e)
	}
}

func BenchmarkRecordFlood(b *testing.B) {
	log, _ := newLog(false)
	log.out = discard{}
	e := refusedEvent(ostiary.BadToken, 401)
	for b.Loop() {
		log.Record(e)
	}
}
