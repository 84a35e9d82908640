package gate

import (
	"net/http"

	"ostiary"
	"ostiary/internal/answer"
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
// must not stay on it.
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
	j.e.Err = answer.Panicked(trouble)
	tag = f.record(j, "")
}
