package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"ostiary"
)

//go:embed static
var staticFiles embed.FS

// static are the files beside the pages. Their names hold a piece of their digest, so that a browser
// may keep them for good.
type static struct {
	files map[string]file   // by the name with its digest
	named map[string]string // "style.css" → "/static/style.1f2e3d4c.css"
}

func newStatic() (static, error) {
	s := static{files: map[string]file{}, named: map[string]string{}}
	entries, err := fs.ReadDir(staticFiles, "static")
	if err != nil {
		return s, err
	}
	for _, e := range entries {
		text, err := fs.ReadFile(staticFiles, "static/"+e.Name())
		if err != nil {
			return s, err
		}
		sum := sha256.Sum256(text)
		kind := path.Ext(e.Name())
		name := strings.TrimSuffix(e.Name(), kind) + "." + hex.EncodeToString(sum[:4]) + kind
		s.files[name] = file{kind: contentTypes[kind], text: text, kept: "public, max-age=31536000, immutable"}
		s.named[e.Name()] = "/static/" + name
	}
	return s, nil
}

var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

func staticFile(v *visit) (reply, error) {
	f, ok := v.static.files[v.r.PathValue("name")]
	if !ok {
		return nil, ostiary.ErrNotFound
	}
	if v.r.Method != http.MethodGet && v.r.Method != http.MethodHead {
		return nil, &ostiary.Refusal{Reason: ostiary.WrongMethod}
	}
	return f, nil
}
