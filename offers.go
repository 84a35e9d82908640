package ostiary

// Offers are what an actor may do with a token: made by asking May for each, for pages that draw only
// what can be done. Every change asks May again.
type Offers struct {
	Privileges []Role // that may be set, lowest first; empty: none

	Set, Decide, Forget, Retire, Promote bool
}

// OffersFor says what an actor may do with a token as it stands. Of a retired one only applications
// can be forgotten; an account token is not promoted again.
func OffersFor(a Actor, t Token) Offers {
	target := TokenTarget(t)
	may := func(action Action) bool { return May(a, action, target) == nil }
	if !t.RetiredOn.IsZero() {
		return Offers{Forget: may(DecideApp)}
	}
	return Offers{
		Privileges: privileges(a, SetPrivilege, target),
		Set:        may(SetToken),
		Decide:     may(DecideApp),
		Forget:     may(DecideApp),
		Retire:     may(RetireToken),
		Promote:    t.Kind == UserToken && may(PromoteToken),
	}
}

// NewTokenOffers gives the privileges that a new token of each kind may get, lowest first; empty: the
// actor may not make one. A user token is one for oneself: those that the operator makes for others
// depend on their owners.
func NewTokenOffers(a Actor) (user, account []Role) {
	return privileges(a, CreateToken, Target{Kind: UserToken, Owner: a.User}),
		privileges(a, CreateToken, Target{Kind: AccountToken})
}

// privileges are those that the actor may ask for, lowest first.
func privileges(a Actor, action Action, t Target) (out []Role) {
	for t.Privilege = ReadOnly; t.Privilege <= Admin; t.Privilege++ {
		if May(a, action, t) == nil {
			out = append(out, t.Privilege)
		}
	}
	return out
}

// Administers says whether the actor may change the account, its members and their roles.
func Administers(a Actor) bool { return May(a, ChangeAccount, Target{}) == nil }

// Waits says that no person has decided about the application, and that its token's default answers.
func (a App) Waits() bool { return a.State == Waiting }

// IsAllowed says that the application's record lets it in.
func (a App) IsAllowed() bool { return a.State == Allowed }

// LikeName says whether two names differ, and in digits only: "Terraform v0.10.0" and "Terraform
// v0.11.0". A run of digits equals any other.
func LikeName(a, b string) bool {
	if a == b {
		return false
	}
	for a != "" && b != "" {
		if isDigit(a[0]) && isDigit(b[0]) {
			a, b = skipDigits(a), skipDigits(b)
			continue
		}
		if a[0] != b[0] {
			return false
		}
		a, b = a[1:], b[1:]
	}
	return a == b
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func skipDigits(s string) string {
	for s != "" && isDigit(s[0]) {
		s = s[1:]
	}
	return s
}
