package serve

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"time"

	"ostiary"
	"ostiary/internal/answer"
)

// A RequestLog writes one JSON line for each request that was refused or failed, and counts all.
type RequestLog struct {
	out     io.Writer
	access  bool
	metrics *Metrics
	tags    tags
	flood   flood
}

// NewRequestLog writes to out, one Write a line. With access every request has its line.
func NewRequestLog(out io.Writer, access bool, m *Metrics) *RequestLog {
	l := &RequestLog{out: out, access: access, metrics: m, tags: newTags()}
	l.flood.init(l)
	return l
}

// Record counts a request, and gives the tag of its line. A request that was let through has no line
// without the access log, and no tag unless the event has one; it costs next to nothing.
func (l *RequestLog) Record(e *answer.Event) (tag string) {
	l.metrics.count(e)
	if e.Answer.Status >= 400 {
		return l.flood.record(e)
	}
	if !l.access {
		return e.Tag
	}
	tag = l.tag(e)
	var b bytes.Buffer
	render(&b, slog.LevelInfo, "answered", attrs(e, tag))
	l.out.Write(b.Bytes())
	return tag
}

// tag is the one that was chosen before the answer, or a new one.
func (l *RequestLog) tag(e *answer.Event) string {
	if e.Tag != "" {
		return e.Tag
	}
	return l.tags.next()
}

// Close writes the counts that are still open.
func (l *RequestLog) Close() { l.flood.close() }

// refusal is the line of a request that was refused or failed.
func refusal(b *bytes.Buffer, e *answer.Event, tag string) {
	if e.Answer.Status >= 500 {
		render(b, slog.LevelError, "failed", attrs(e, tag))
		return
	}
	render(b, slog.LevelWarn, "refused", attrs(e, tag))
}

func render(b *bytes.Buffer, level slog.Level, message string, attrs []slog.Attr) {
	r := slog.NewRecord(time.Now().UTC().Truncate(time.Millisecond), level, message, 0)
	r.AddAttrs(attrs...)
	// A buffer takes every line, and the attributes are texts and numbers: there is no error.
	slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}).Handle(context.Background(), r)
}

// Longest texts in a line, in bytes. Doors cut theirs shorter; this holds whatever they do.
const (
	maxText  = 500
	maxError = 4000
)

func attrs(e *answer.Event, tag string) []slog.Attr {
	list := make([]slog.Attr, 0, 20)
	list = append(list,
		slog.String("tag", tag), slog.String("door", e.Door), slog.Int("status", e.Answer.Status),
		slog.String("reason", e.Answer.Reason.String()),
	)
	text := func(key, value string) {
		if value != "" {
			list = append(list, slog.String(key, value[:min(len(value), maxText)]))
		}
	}
	id := func(key string, value ostiary.ID) {
		if value != 0 {
			list = append(list, slog.Uint64(key, uint64(value)))
		}
	}
	text("code", e.Answer.Code)
	text("method", e.Method)
	text("path", e.Path)
	text("from", e.From)
	text("agent", e.Agent)
	id("account", e.Account)
	id("token", e.Token)
	text("hint", e.Hint)
	id("app", e.App)
	text("app_name", e.AppName)
	text("field", e.Answer.Field)
	id("revision", ostiary.ID(e.Revision))
	list = append(list, slog.Float64("took_ms", float64(e.Took.Microseconds())/1000))
	if e.Err != nil {
		message := e.Err.Error()
		list = append(list, slog.String("error", message[:min(len(message), maxError)]))
	}
	return list
}
