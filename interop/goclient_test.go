package interop_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/circonus-labs/go-apiclient"
)

// goClient is the real client, with a wire tap between it and the server: it shows a caller the
// status and body of an error, and no headers.
func goClient(t *testing.T, s *server, secret, app, prefix string) (*apiclient.API, *tap) {
	t.Helper()
	behind, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	wire := &tap{}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	proxy.ModifyResponse = wire.see
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	api, err := apiclient.New(&apiclient.Config{
		URL: front.URL + prefix, TokenKey: secret, TokenApp: app, DisableRetries: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return api, wire
}

// A tap keeps the headers of the last answer.
type tap struct {
	mu   sync.Mutex
	last http.Header
}

func (w *tap) see(res *http.Response) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = res.Header
	return nil
}

func (w *tap) header(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last.Get(name)
}

func TestGoClientIsRefusedUntilItsApplicationIsApproved(t *testing.T) {
	t.Parallel()
	s := start(t)
	api, wire := goClient(t, s, s.secret("bob@example.com"), "go-client", "/v2")

	_, err := api.FetchUser(nil)
	wantError(t, err, "API response code 401: ", "invalid api application", "go-client")
	page := wire.header("X-Circonus-Token-Approval-Url")
	if !strings.HasPrefix(page, s.URL+"/tokens") {
		t.Errorf("the approval address is %q, not one of %s/tokens", page, s.URL)
	}
	wantError(t, err, page) // the client shows its user the body alone

	s.decide("allow", "go-client")
	user, err := api.FetchUser(nil)
	if err != nil || user.Email != "bob@example.com" {
		t.Fatalf("after approval: %+v, %v", user, err)
	}

	s.decide("deny", "go-client")
	_, err = api.FetchUser(nil)
	wantError(t, err, "API response code 403: ", "App 'go-client' not allowed")

	api, _ = goClient(t, s, "ec45e8a2-d6d9-624c-c21c-a83f573731c1", "go-client", "/v2")
	_, err = api.FetchUser(nil)
	wantError(t, err, "API response code 401: ", `"invalid authentication token"`)
}

func TestGoClientReadsAndUpdatesTheAccount(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, prefix := range []string{"/v2", ""} {
		api, _ := goClient(t, s, s.secret("alice@example.com"), "go-client", prefix)
		account, err := api.FetchAccount(nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(account.Users) != 3 || account.Name == "" || account.OwnerCID == "" ||
			len(account.Usage) == 0 {
			t.Errorf("the account lacks something: %+v", account)
		}

		// It sends the whole object back as it was read.
		same, err := api.UpdateAccount(account)
		if err != nil || same.Name != account.Name {
			t.Fatalf("sending the account back as it is: %+v, %v", same, err)
		}
		text := "read by a real client, " + prefix
		account.Description, account.Timezone = &text, "Europe/Berlin"
		account.Users[2].Role = "Normal"
		if _, err = api.UpdateAccount(account); err != nil {
			t.Fatal(err)
		}
		again, err := api.FetchAccount(apiclient.CIDType(&account.CID))
		if err != nil {
			t.Fatal(err)
		}
		if *again.Description != text || again.Timezone != "Europe/Berlin" ||
			again.Users[2].Role != "Normal" {
			t.Errorf("the account is not what it was changed to: %+v", again)
		}

		all, err := api.FetchAccounts()
		if err != nil || len(*all) != 1 {
			t.Errorf("the list of accounts: %v, %v", all, err)
		}
		found, err := api.SearchAccounts(&apiclient.SearchFilterType{"f_name": {account.Name}})
		if err != nil || len(*found) != 1 {
			t.Errorf("a search for the account's name: %v, %v", found, err)
		}
	}
}

func TestGoClientCannotUpdateTheAccountWithoutAdmin(t *testing.T) {
	t.Parallel()
	s := start(t)
	api, _ := goClient(t, s, s.secret("bob@example.com"), "go-client", "/v2")
	_, err := api.FetchAccount(nil)
	wantError(t, err, "API response code 401: ")
	s.decide("allow", "go-client")
	account, err := api.FetchAccount(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = api.UpdateAccount(account)
	wantError(t, err, "API response code 403: ", "Forbidden.Privilege")
}

func TestGoClientReadsAndUpdatesTheUser(t *testing.T) {
	t.Parallel()
	s := start(t)
	api, _ := goClient(t, s, s.secret("alice@example.com"), "go-client", "/v2")
	user, err := api.FetchUser(nil)
	if err != nil || user.Email != "alice@example.com" {
		t.Fatalf("%+v, %v", user, err)
	}

	// It always sends email, names and contact_info, also when they are as they were.
	if _, err := api.UpdateUser(user); err != nil {
		t.Fatalf("sending the user back as it is: %v", err)
	}
	user.Firstname, user.Lastname, user.ContactInfo.SMS = "Alice", "Liddell", "+15551234"
	if _, err := api.UpdateUser(user); err != nil {
		t.Fatal(err)
	}
	again, err := api.FetchUser(apiclient.CIDType(&user.CID))
	if err != nil || *again != *user {
		t.Errorf("got %+v, %v\nwant %+v", again, err, user)
	}

	user.Email = "somebody@example.com"
	_, err = api.UpdateUser(user)
	wantError(t, err, "API response code 403: ")

	all, err := api.FetchUsers()
	if err != nil || len(*all) != 3 {
		t.Errorf("the list of users: %v, %v", all, err)
	}
}

func TestGoClientMayNameItsAccount(t *testing.T) {
	t.Parallel()
	s := start(t)
	for account, want := range map[string]string{"1": "", "/account/1": "", "2": "API response code 403: "} {
		api, err := apiclient.New(&apiclient.Config{
			URL: s.URL, TokenKey: s.secret("alice@example.com"), TokenApp: "go-client",
			TokenAccountID: account, DisableRetries: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = api.FetchUser(nil)
		if want == "" && err != nil {
			t.Errorf("account %s: %v", account, err)
		}
		if want != "" {
			wantError(t, err, want, "Forbidden.Account")
		}
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q: %v", part, err)
		}
	}
}
