package gate

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"

	"ostiary"
)

// done ends a request: a panic on its way becomes 503, and the job is free again.
func (f *Forward) done(w http.ResponseWriter, j *job) {
	if trouble := recover(); trouble != nil {
		f.recovered(w, j, trouble)
		return
	}
	*j = job{}
	f.jobs.Put(j)
}

// recovered answers 503 where nothing was answered. The identity may be on the answer by then, and
// must not stay on it. The log gets the stack, which shows no text that a request sent.
func (f *Forward) recovered(w http.ResponseWriter, j *job, trouble any) {
	if j.wrote {
		panic(http.ErrAbortHandler)
	}
	clear(w.Header())
	a := f.answers.Route(ostiary.Unavailable, "")
	tag := ""
	defer func() {
		recover() // the request log itself may be what panics
		f.answers.Write(w, a, tag)
	}()
	j.e.Answer = a
	j.e.Err = fmt.Errorf("panic: %s\n%s", kind(trouble), debug.Stack())
	tag = f.record(j, "")
}

// kind says what a panic was about: the text of the runtime's own errors, which are about indexes
// and pointers, and of anything else its type alone, because the text may hold anything.
func kind(trouble any) string {
	if err, ok := trouble.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", trouble)
}
