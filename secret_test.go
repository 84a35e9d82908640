package ostiary_test

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"log/slog"
	"strings"
	"testing"

	"ostiary"
)

var format = ostiary.SecretFormat{Prefix: ostiary.DefaultSecretPrefix}

func TestNewSecretsHaveTheShapeOfTheContract(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		s := format.New().Reveal()
		if len(s) != len("ostiary_")+43+6 || !format.HasShape(s) || !format.Holds(s) {
			t.Fatalf("a new secret of %d characters is not one", len(s))
		}
		sum := crc32.ChecksumIEEE([]byte(s[:len(s)-6]))
		for i := len(s) - 1; i >= len(s)-6; i-- {
			digit := "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[sum%62]
			if sum /= 62; s[i] != digit {
				t.Fatal("the last six characters are not the CRC-32 of those before")
			}
		}
		if seen[s] {
			t.Fatal("two new secrets are the same")
		}
		seen[s] = true
	}
	uuid := ostiary.SecretFormat{UUID: true}.New().Reveal()
	if len(uuid) != 36 || uuid[14] != '4' || !strings.ContainsAny(uuid[19:20], "89ab") || uuid != strings.ToLower(uuid) {
		t.Errorf("not a lower-case version 4 UUID: %s", uuid)
	}
}

func TestDamagedSecretDoesNotHold(t *testing.T) {
	t.Parallel()
	s := format.New().Reveal()
	for i := len("ostiary_"); i < len(s); i++ {
		for _, c := range []byte("0aZ") {
			damaged := s[:i] + string(c) + s[i+1:]
			if damaged != s && format.Holds(damaged) {
				t.Errorf("a secret with character %d changed still holds", i)
			}
		}
	}
	for _, other := range []string{"", s[:len(s)-1], s + "0", strings.ToUpper(s), strings.ToLower(s), "x" + s, s + " ", s[8:]} {
		if other != s && format.Holds(other) {
			t.Errorf("%d characters hold as a secret", len(other))
		}
	}
}

func TestUUIDCountsWithoutRegardToCase(t *testing.T) {
	t.Parallel()
	const lower = "ec45e8a2-d6d9-624c-c21c-a83f573731c1"
	if ostiary.ReadSecret(lower).Hash() != ostiary.ReadSecret(strings.ToUpper(lower)).Hash() {
		t.Error("the same UUID in capitals is another secret")
	}
	s := format.New().Reveal()
	if ostiary.ReadSecret(s).Hash() == ostiary.ReadSecret(strings.ToLower(s)).Hash() {
		t.Error("our own secrets must count case")
	}
}

func TestSecretNeverPrintsItself(t *testing.T) {
	t.Parallel()
	s := format.New()
	hidden := s.Reveal()[8 : len(s.Reveal())-6]
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", s, "in", struct{ T ostiary.SecretText }{s})
	js, _ := json.Marshal(map[string]any{"a": s, "b": &s})
	printed := fmt.Sprintf("%v %+v %#v %s %q %x %v", s, s, s, s, s, struct{ T ostiary.SecretText }{s}, []ostiary.SecretText{s}) +
		log.String() + string(js)
	for i := 0; i+12 <= len(hidden); i++ {
		if strings.Contains(printed, hidden[i:i+12]) {
			t.Fatalf("a printed secret shows itself: %s", printed)
		}
	}
	if hint := s.Hint(); hint != hidden[:3]+"…"+hidden[len(hidden)-4:] {
		t.Errorf("hint %q", hint)
	}
}

func TestParsersReadTheSpellingsOfTheContract(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"Read Only", "Read-Only", "read-only"} {
		if r, err := ostiary.ParseRole(s); err != nil || r != ostiary.ReadOnly {
			t.Errorf("ParseRole(%q) = %v, %v", s, r, err)
		}
	}
	for _, s := range []string{"", "None", "Owner", "readonly", "Admin "} {
		if r, err := ostiary.ParseRole(s); err == nil {
			t.Errorf("ParseRole(%q) = %v", s, r)
		}
	}
	for _, s := range []string{"0", "-1", "+1", "01", " 1", "1 ", "1.0", "0x1", "9223372036854775808", "99999999999999999999", ""} {
		if id, err := ostiary.ParseID(s); err == nil {
			t.Errorf("ParseID(%q) = %v", s, id)
		}
	}
	if id, err := ostiary.ParseID("9223372036854775807"); err != nil || id != 1<<63-1 {
		t.Errorf("ParseID of the highest id = %v, %v", id, err)
	}
}

func FuzzAppName(f *testing.F) {
	for _, s := range []string{"", "a", " a", "a ", "a,b", "a\tb", "a\u200bb", "ä", strings.Repeat("x", 100), strings.Repeat("x", 101)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ok := s != "" && len(s) <= 100 && strings.Trim(s, " ") == s
		for _, r := range s {
			ok = ok && r >= ' ' && r <= '~' && r != ','
		}
		if got := ostiary.CheckAppName(s) == ostiary.OK; got != ok {
			t.Errorf("CheckAppName(%q) says %v", s, got)
		}
	})
}

func FuzzSecretShape(f *testing.F) {
	f.Add(format.New().Reveal())
	f.Add("ec45e8a2-d6d9-624c-c21c-a83f573731c1")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if format.Holds(s) && !format.HasShape(s) {
			t.Errorf("%q holds without the shape", s)
		}
		ostiary.ReadSecret(s).Hash()
		_ = ostiary.ReadSecret(s).Hint()
	})
}
