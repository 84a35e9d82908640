package gate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
)

// relay gives the caller the answer that the API has begun. An error says that the API broke off.
func (x *exchange) relay() (again bool, err error) {
	if length, ok := x.plainAnswer(); ok {
		return x.relayPlain(length)
	}
	r, err := readAnswer(x.api, &http.Request{Method: x.plainHead.method}, x.relayEarly)
	if err != nil {
		return false, err
	}
	removeHops(r.Header)
	return x.relayRest(r)
}

// relayEarly gives the caller an answer that comes before the answer.
func (x *exchange) relayEarly(r *http.Response) error {
	removeHops(r.Header)
	x.writeHead(r)
	if err := x.w.Flush(); err != nil {
		x.end(errLeft)
		return err
	}
	return nil
}

// relayPlain gives the caller a head that was written already, and a body of a length. What is there goes
// out before more is waited for.
func (x *exchange) relayPlain(length int64) (again bool, err error) {
	again = x.mayGoOn()
	x.said = true
	x.w.Write(x.out)
	for length > 0 {
		r := x.api.r
		if r.Buffered() == 0 {
			if err := x.w.Flush(); err != nil {
				return false, err
			}
			if _, err := r.Peek(1); err != nil {
				return false, err
			}
		}
		part, _ := r.Peek(int(min(length, int64(r.Buffered()))))
		if _, err := x.w.Write(part); err != nil {
			return false, err
		}
		r.Discard(len(part))
		length -= int64(len(part))
	}
	x.giveBack()
	return again, x.w.Flush()
}

// relayRest gives the caller any other answer, as net/http's parser read it.
func (x *exchange) relayRest(r *http.Response) (again bool, err error) {
	x.begins()
	x.p.open.begun(&x.stream, r)
	forItsCaller(r.Header, &x.job)
	again = x.mayGoOn()
	chunked := x.writeHead(r)
	if err := x.copyBody(r, chunked); err != nil {
		x.w.Flush()
		return false, err
	}
	if r.Close {
		x.drop()
	}
	x.giveBack() // before the caller can send the next request
	return again, x.w.Flush()
}

// writeHead writes a head of an answer, and says whether its body goes in chunks.
func (x *exchange) writeHead(r *http.Response) (chunked bool) {
	h := r.Header
	code := r.StatusCode
	hasBody := code >= 200 && code != http.StatusNoContent && code != http.StatusNotModified
	forHead := x.plainHead.method == http.MethodHead
	chunked = hasBody && r.ContentLength < 0 && !forHead
	switch {
	case !hasBody || chunked:
		h.Del("Content-Length")
	case !forHead:
		h["Content-Length"] = []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	if chunked {
		h["Transfer-Encoding"] = []string{"chunked"}
	}
	for name := range r.Trailer {
		h.Add("Trailer", name)
	}
	fmt.Fprintf(x.w, "HTTP/1.1 %03d %s\r\n", code, http.StatusText(code))
	h.Write(x.w)
	if code < 200 {
		x.w.WriteString("\r\n")
		return false
	}
	x.said = true
	x.w.Write(x.finishHead(x.out[:0], h["Date"] != nil))
	return chunked
}

// copyBody copies a body as it comes.
func (x *exchange) copyBody(r *http.Response, chunked bool) error {
	to, room := io.Writer(x.w), x.p.buffers.Get()
	defer x.p.buffers.Put(room)
	if chunked {
		to = httputil.NewChunkedWriter(x.w)
	}
	if r.Body != http.NoBody && !x.hasPart(chunked) {
		if err := x.w.Flush(); err != nil {
			return err
		}
	}
	for {
		n, err := r.Body.Read(room)
		if n > 0 {
			if _, err := to.Write(room[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err := errors.Join(err, x.w.Flush()); err != nil {
			return err
		}
	}
	if !chunked {
		return nil
	}
	x.w.WriteString("0\r\n")
	removeHops(r.Trailer)
	r.Trailer.Del("Content-Length")
	r.Trailer.Write(x.w)
	_, err := x.w.WriteString("\r\n")
	return err
}

// hasPart says that the body can be read on without waiting, so that the head need not go first. Chunks
// are read whole, so all of them must be there.
func (x *exchange) hasPart(chunked bool) bool {
	b, _ := x.api.r.Peek(x.api.r.Buffered())
	if chunked {
		return bytes.HasSuffix(b, []byte("0\r\n\r\n"))
	}
	return len(b) > 0
}

var hops = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te",
	"Trailer", "Transfer-Encoding", "Upgrade",
}

// removeHops removes what concerns one connection alone.
func removeHops(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hops {
		delete(h, name)
	}
}
