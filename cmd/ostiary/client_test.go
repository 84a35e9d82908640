package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

func TestTokenDoesNotFollowARedirect(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the request went on to another server, with its token")
	}))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	_, err := newHTTPClient(server.URL, "secret", "ostiary").get(context.Background(), "/v2/token")
	if err == nil || !strings.Contains(err.Error(), "307") || strings.Contains(err.Error(), "secret") {
		t.Errorf("a redirect: %v, want an error that names the answer and not the token", err)
	}
}

func TestListReadsEveryPage(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("f_name") != "x" {
			t.Errorf("a page is asked for without its filter: %s", r.URL)
		}
		switch r.FormValue("from") {
		case "0":
			w.Header().Set("X-Circonus-More-Items", "true")
			w.Write([]byte(`[1,2]`))
		case "2":
			w.Write([]byte(`[3]`))
		default:
			t.Errorf("an unexpected page: %s", r.URL)
		}
	}))
	defer server.Close()
	c := newHTTPClient(server.URL, "secret", "ostiary")
	got, err := c.list(context.Background(), "/v2/token", map[string][]string{"f_name": {"x"}}, everything)
	if text, _ := json.Marshal(got); err != nil || string(text) != "[1,2,3]" {
		t.Errorf("got %s, %v; want [1,2,3]", text, err)
	}
	got, err = c.list(context.Background(), "/v2/token", map[string][]string{"f_name": {"x"}}, 2)
	if len(got) != 2 || err != nil {
		t.Errorf("at most 2: got %d, %v", len(got), err)
	}
}

func TestRefusalSaysMessageExplanationAndTag(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		w.Write([]byte(`{"code":"Conflict","message":"It is\u001b[2J retired.","explanation":"Decide anew.","tag":"t1","status":409}`))
	}))
	defer server.Close()
	_, err := newHTTPClient(server.URL, "secret", "ostiary").delete(context.Background(), "/v2/token/1")
	const want = "It is�[2J retired.\nDecide anew.\nThe answer was 409 Conflict; its tag in the server's log is t1."
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestHintThatFitsTwoTokensNamesNeither(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.FormValue("f__hint"); got != "k3X…9fQ2" {
			t.Errorf("asked for the hint %q, want k3X…9fQ2", got)
		}
		w.Write([]byte(`[{"_cid":"/token/1","_hint":"k3X…9fQ2"},{"_cid":"/token/2","_hint":"k3X…9fQ2"}]`))
	}))
	defer server.Close()
	found, err := findToken(context.Background(), newHTTPClient(server.URL, "secret", "ostiary"), "k3X...9fQ2")
	if err == nil || !strings.Contains(err.Error(), "name it by its id") {
		t.Errorf("found %s, %v; want to be asked for the id", found.CID, err)
	}
}

func TestLogIsReadOnFromItsLastEntry(t *testing.T) {
	t.Parallel()
	const newest = 2500
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before := newest + 1
		if text := r.FormValue("f__revision_lt"); text != "" {
			before, _ = strconv.Atoi(text)
		}
		size, _ := strconv.Atoi(r.FormValue("size"))
		entries := []entry{}
		for rev := before - 1; rev >= 1 && len(entries) < size; rev-- {
			entries = append(entries, entry{Revision: uint64(rev)})
		}
		json.NewEncoder(w).Encode(entries)
	}))
	defer server.Close()
	c := newHTTPClient(server.URL, "secret", "ostiary")
	for limit, want := range map[int]int{1: 1, 1000: 1000, 1001: 1001, 2500: 2500, 9999: 2500} {
		texts, err := readLog(context.Background(), c, url.Values{}, limit)
		if err != nil || len(texts) != want {
			t.Errorf("at most %d: got %d entries, %v; want %d", limit, len(texts), err, want)
			continue
		}
		last, err := decode[entry](texts[want-1])
		if err != nil || last.Revision != uint64(newest+1-want) {
			t.Errorf("at most %d: the last is %d, %v; want %d", limit, last.Revision, err, newest+1-want)
		}
	}
}
