package api_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestListsAreChosenFromByEveryField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	for i, name := range []string{"web", "web-2", "db", "Web"} {
		kind, networks := "user", []string{}
		if i > 1 {
			kind, networks = "account", []string{"192.0.2.0/24"}
		}
		alice.newToken(object{"description": name, "kind": kind, "networks": networks, "expires_on": 4102444800 + i})
	}
	for query, want := range map[string]string{
		"": " web web-2 db Web", "f_description=web": "web", "f_description=web&f_description=db": "web db", "f_description=": "",
		"f_description=null": "", "f_description_wildcard=web*": "web web-2", "f_description_wildcard=*eb": "web Web",
		"f_description_wildcard=*e*2": "web-2", "f_description_wildcard=w": "", "f_description_has=eb": "web web-2 Web",
		"f__kind=account": "db Web", "f__kind=account&f_description=web": "-", "f__retired_on=null": " web web-2 db Web",
		"f_expires_on=null": "", "f_expires_on_gt=4102444801": "db Web", "f_expires_on_ge=4102444801": "web-2 db Web",
		"f_expires_on_lt=4102444801": "web", "f_expires_on_le=4102444801": "web web-2", "f_expires_on=4102444802": "db",
		"f_networks_has=192.0.2.0/24": "db Web", "f__owner=/user/1": " web web-2", "f__owner=null": "db Web",
		"order=description": " Web db web web-2", "order=description&dir=desc": "web-2 web db Web ", "order=expires_on": " web web-2 db Web",
		"dir=desc": "Web db web-2 web ", "size=2": " web", "size=2&from=1": "web web-2", "from=4": "Web", "from=5": "-", "from=999": "-",
	} {
		r := alice.get("/v2/token?" + query)
		var names []string
		for _, token := range r.list() {
			names = append(names, token["description"].(string))
		}
		got := strings.Join(names, " ")
		if len(names) == 0 {
			got = "-"
			if strings.TrimSpace(r.text) != "[]" {
				t.Errorf("%s: an empty list is %s", query, r.text)
			}
		}
		if want == "" {
			want = map[bool]string{true: "", false: "-"}[query == "f_description=" || query == "f_expires_on=null"]
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
}

func TestFurtherPageIsToldOnlyWhereThereIsOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	for i := range 20 {
		alice.post("/v2/token/1/app", object{"name": fmt.Sprint("app-", i), "state": "allowed"}).is(403, "Forbidden.Self")
	}
	path, _ := alice.newToken(object{})
	for i := range 21 {
		alice.post(path+"/app", object{"name": fmt.Sprint("app-", i), "state": "allowed"}).ok()
	}
	for query, want := range map[string]string{"": "20 true", "?size=20": "20 true", "?size=21": "21 ", "?from=1": "20 ", "?from=2": "19 ", "?size=1&from=20": "1 "} {
		r := alice.get(path + "/app" + query)
		if got := fmt.Sprint(len(r.list()), " ", r.Header.Get("X-Circonus-More-Items")); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
}
