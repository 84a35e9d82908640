package docs_test

import (
	"testing"
)

// What SECURITY.md says about a whole folder that is put back in time: with the mark inside, a
// retired token works again; with the mark elsewhere, serve refuses with exit 4.
func TestRollbackIsNoticedOnlyByAMarkElsewhere(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program and starts servers")
	}
	const setUp = `
		printf 'correct horse battery\n' > password
		up() { ostiary serve --data data "$@" 2>> serve.log & server=$!
			until curl -fs http://127.0.0.1:8700/readyz > ready.json; do kill -0 $server; sleep 0.1; done; }
		down() { kill $server; wait $server; }
		ask() { curl -s -o answer -w '%{http_code}\n' -u app:$(cat secret) 'http://127.0.0.1:8700/auth?need=Read-Only'; }
		live_and_die() {
			ostiary init --data data --account acme --email alice@example.com --password-file password "$@" > init.txt
			up "$@"
			ostiary token new --data data --owner alice@example.com --default-app-state Allow > secret 2> said
			down
			cp -a data yesterday
			up "$@"
			ostiary token retire --data data 1 > said
			ask
			down
			mv data today && mv yesterday data
		}
	`
	bin := build(t)
	runPage(t, bin, []block{
		{run: setUp + "live_and_die\n", wants: "401", shown: true},
		{run: "up; ask\n", wants: "200", shown: true},
	})
	runPage(t, bin, []block{
		{run: setUp + "live_and_die --mark $PWD/mark\n", wants: "401", shown: true},
		{run: "ostiary serve --data data --mark $PWD/mark 2> refused || echo $?\n", wants: "4", shown: true},
		{run: "up --mark $PWD/mark --accept-rollback; ask\n", wants: "401", shown: true},
	})
}
