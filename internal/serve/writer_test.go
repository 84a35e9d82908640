package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ostiary"
)

// stuck is a reader that reads nothing until it is let.
type stuck struct {
	memory
	let chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.let
	return s.memory.Write(p)
}

func TestSlowReaderStallsNobodyAndLearnsWhatItMissed(t *testing.T) {
	t.Parallel()
	out := &stuck{let: make(chan struct{})}
	w := NewWriter(out, "")
	log := NewRequestLog(w, true, NewMetrics("test"))
	e := floods["equal"](0)
	e.Answer.Status, e.Answer.Reason = 200, ostiary.OK

	const sent = 20_000
	began := time.Now()
	for range sent {
		log.Record(e)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("%d requests took %s while nobody read the log", sent, took)
	}
	if w.Dropped() == 0 {
		t.Fatal("nothing was dropped: the test shows nothing")
	}
	close(out.let)
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	written, lost := 0, 0
	for _, l := range out.lines(t) {
		if l["msg"] == "answered" {
			written++
		}
		lost += l.count()
	}
	if written+lost != sent || lost != int(w.Dropped()) {
		t.Errorf("%d lines and %d said to be lost, of %d", written, lost, sent)
	}
}

func TestReaderThatNeverComesBackDoesNotKeepTheServerFromEnding(t *testing.T) {
	t.Parallel()
	out := &stuck{let: make(chan struct{})}
	defer close(out.let)
	w := NewWriter(out, "")
	fmt.Fprintln(w, "{}")
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if err := w.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestSecretThatGetsAsFarAsTheLogIsCut(t *testing.T) {
	t.Parallel()
	out := &memory{}
	w := NewWriter(out, ostiary.DefaultSecretPrefix)
	secret := ostiary.SecretFormat{Prefix: ostiary.DefaultSecretPrefix}.New().Reveal()
	random := strings.TrimPrefix(secret, ostiary.DefaultSecretPrefix)
	log := NewLogger(w, slog.LevelInfo)
	log.Info("panic: "+secret+secret[:25], "error", errors.New("x"+secret+"y"), "b", random[:1]+secret)
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := out.all()
	for i := 0; i+12 <= len(random); i++ {
		if strings.Contains(text, random[i:i+12]) {
			t.Fatalf("a piece of the secret is in the log: %s", text)
		}
	}
	if out.lines(t)[0]["level"] != "INFO" {
		t.Error("the line is broken")
	}
}

func TestRepeatedMessageIsCounted(t *testing.T) { synctest.Test(t, repeatMessages) }

func repeatMessages(t *testing.T) {
	out := &memory{}
	log := NewLogger(out, slog.LevelInfo)
	errors := errorLog(log)
	for i := range 5000 {
		errors.Printf("http: TLS handshake error from 192.0.2.1:%d: EOF", i)
		log.Info(fmt.Sprintf("message %d", i))
	}
	if n := len(out.lines(t)); n > 2*maxMessages {
		t.Errorf("%d lines", n)
	}
	time.Sleep(1100 * time.Millisecond)
	log.With("a", 1).Info("after")
	if !strings.Contains(out.all(), `"message":"trouble with a connection","more":4980`) {
		t.Errorf("the repeated message was not counted:\n%s", out.all())
	}
}

func TestTimesAreInUTCWhereverTheServerStands(t *testing.T) {
	t.Parallel()
	out := &memory{}
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.FixedZone("", 9*3600))
	if err := NewLogger(out, slog.LevelInfo).Handler().Handle(t.Context(), slog.NewRecord(at, slog.LevelInfo, "x", 0)); err != nil {
		t.Fatal(err)
	}
	if got := out.lines(t)[0]["time"]; got != "2026-01-01T18:04:05.678Z" {
		t.Errorf("got %v", got)
	}
}
