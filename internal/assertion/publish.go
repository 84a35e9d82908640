package assertion

import (
	"encoding/json"
	"net/http"
)

// ServeHTTP publishes the public keys (RFC 7517): of the key that signs, of the one before while
// something of it may be verified, and of the one that follows. They are for everybody.
func (k *Keys) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are served here", http.StatusMethodNotAllowed)
		return
	}
	set := struct {
		Keys []jwk `json:"keys"`
	}{}
	for _, one := range published(*k.set.Load(), k.opt.Now()) {
		set.Keys = append(set.Keys, one.public)
	}
	h.Set("Content-Type", "application/jwk-set+json")
	// Far less than the time for which a key is published before it signs.
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	json.NewEncoder(w).Encode(set)
}
