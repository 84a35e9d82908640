package usage_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostiary"
	"ostiary/internal/usage"
)

// fill counts uses of three tokens, 600 applications of the last.
func fill(now time.Time) func(*usage.Usage) {
	return func(u *usage.Usage) {
		count(u, ostiary.UseKey{Account: 1, Token: 1, App: 1}, now.Add(-time.Hour), ostiary.OK)
		count(u, ostiary.UseKey{Account: 1, Token: 1, App: 2}, now, ostiary.DeniedApp)
		count(u, ostiary.UseKey{Account: 2, Token: 2, App: 3}, now, ostiary.OK)
		for app := range ostiary.ID(600) {
			count(u, ostiary.UseKey{Account: 1, Token: 3, App: 10 + app}, now.Add(-2*time.Hour), ostiary.OK)
		}
	}
}

func TestUseOfSeveralTokensIsThatOfEach(t *testing.T) {
	now := time.Now()
	steps(t, fill(now), fill(now), func(t *testing.T, u *usage.Usage) {
		asked := []ostiary.ID{3, 1, 1, 9}
		total, apps, err := u.TokensUse(t.Context(), asked)
		if err != nil || len(total) != 2 || len(apps) != 602 {
			t.Fatalf("%d tokens, %d applications, %v", len(total), len(apps), err)
		}
		hours, err := u.HoursOf(t.Context(), asked, now)
		if err != nil || len(hours) != 2 {
			t.Fatalf("hours of %d tokens, %v", len(hours), err)
		}
		for _, token := range []ostiary.ID{1, 3} {
			one, of, err := u.Token(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(one, total[token], byValue); diff != "" {
				t.Errorf("token %d (-alone +among others):\n%s", token, diff)
			}
			for app, want := range of {
				if diff := cmp.Diff(want, apps[ostiary.UseKey{Account: 1, Token: token, App: app}], byValue); diff != "" {
					t.Errorf("application %d of token %d (-alone +among others):\n%s", app, token, diff)
				}
			}
			alone, err := hoursOf(t, u, token, now)
			if err != nil || alone != hours[token] {
				t.Errorf("the hours of token %d are %v alone, %v among others (%v)", token, alone, hours[token], err)
			}
		}
	})
}

func TestLastUseOfSeveralIsThatOfEach(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	steps(t, fill(now), fill(now), func(t *testing.T, u *usage.Usage) {
		keys := []ostiary.UseKey{{Account: 1, Token: 1, App: 1}, {Account: 2, Token: 2, App: 3}, {Account: 1, Token: 9, App: 9}}
		want := map[ostiary.ID]time.Time{1: now.Add(-time.Hour), 3: now}
		for app := range ostiary.ID(600) {
			keys = append(keys, ostiary.UseKey{Account: 1, Token: 3, App: 10 + app})
			want[10+app] = now.Add(-2 * time.Hour)
		}
		got, err := u.LastOf(t.Context(), keys)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("by application: %v (-want +got):\n%s", err, diff)
		}
		byToken, err := u.LastByToken(t.Context(), 1)
		want = map[ostiary.ID]time.Time{1: now, 3: now.Add(-2 * time.Hour)}
		if diff := cmp.Diff(want, byToken); err != nil || diff != "" {
			t.Errorf("by token: %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestForgetAfterRemovesWhatHasGreaterNumbers(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		now := time.Now()
		u := open(t, never)
		for token := range ostiary.ID(4) {
			for app := range ostiary.ID(4) {
				count(u, ostiary.UseKey{Account: 1, Token: token, App: app}, now, ostiary.OK)
			}
		}
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
		u = open(t, never)
		if err := u.ForgetAfter(t.Context(), 2, 1); err != nil {
			t.Fatal(err)
		}
		_, pairs, err := u.Account(t.Context(), 1)
		if err != nil || len(pairs) != 6 {
			t.Errorf("got %v, %v; want tokens 0 to 2 with applications 0 and 1", pairs, err)
		}
		for k := range pairs {
			if k.Token > 2 || k.App > 1 {
				t.Errorf("%+v is still there", k)
			}
		}
		for token, want := range map[ostiary.ID]uint32{2: 2, 3: 0} {
			if hours, err := hoursOf(t, u, token, now); err != nil || uint32(hours[167]) != want {
				t.Errorf("token %d has %d in this hour, %v; want %d", token, hours[167], err, want)
			}
		}
	})
}
