package serve

import (
	"encoding/json"
	"net/http"
	"time"
)

// A State says what the node can do now. Nil errors say that all is well.
type State struct {
	Decisions error
	Changes   error
	Follow    error         // the directory does not follow the log
	Compare   error         // memory differs from that of another node at the same revision
	Stale     error         // decisions are made beyond the lease
	Behind    time.Duration // memory may lack the changes of this time; zero while it is fresh
}

// degraded names the parts that do not work.
func (s State) degraded() []string {
	names := []string{}
	if s.Decisions != nil {
		names = append(names, "decisions")
	}
	if s.Changes != nil {
		names = append(names, "changes")
	}
	if s.Follow != nil || s.Behind > 0 {
		names = append(names, "follow")
	}
	if s.Compare != nil {
		names = append(names, "compare")
	}
	if s.Stale != nil {
		names = append(names, "stale")
	}
	return names
}

// alive says that the process answers.
func alive(w http.ResponseWriter, r *http.Request) {
	reply(w, r, http.StatusOK, map[string]string{"status": "alive"})
}

// ready answers /readyz: 200 while decisions can be made, and with ?for=changes while changes can.
// Why a part does not work is for the operator: it stands in the log, and on the admin listener.
func ready(state func() State, why bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := state()
		ok := s.Decisions == nil
		switch what := r.URL.Query().Get("for"); what {
		case "", "decisions":
		case "changes":
			ok = ok && s.Changes == nil
		default:
			reply(w, r, http.StatusBadRequest, map[string]string{"error": "for is changes or decisions"})
			return
		}
		body := map[string]any{"ready": ok, "degraded": s.degraded()}
		if s.Behind > 0 {
			body["behind_seconds"] = int64(s.Behind.Round(time.Second) / time.Second)
		}
		if why {
			body["why"] = s.why()
		}
		status := http.StatusOK
		if !ok {
			status = http.StatusServiceUnavailable
			w.Header().Set("Retry-After", "1")
		}
		reply(w, r, status, body)
	}
}

func (s State) why() map[string]string {
	why := map[string]string{}
	for part, err := range map[string]error{
		"decisions": s.Decisions, "changes": s.Changes, "follow": s.Follow, "compare": s.Compare, "stale": s.Stale,
	} {
		if err != nil {
			why[part] = err.Error()
		}
	}
	return why
}

func reply(w http.ResponseWriter, r *http.Request, status int, body any) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		status, body = http.StatusMethodNotAllowed, map[string]string{"error": "only GET and HEAD are served here"}
	}
	write(w, status, body)
}

func write(w http.ResponseWriter, status int, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}
