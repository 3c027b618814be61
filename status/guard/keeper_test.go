package guard_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noi-agent/status/guard"
)

const token = "k7qf29mxk7qf29mxk7qf29mxk7qf29mxk7qf29mx"

// watch is a monotonic clock that the test sets.
type watch struct{ now time.Duration }

func (w *watch) elapsed() time.Duration { return w.now }

func keeper() (*guard.Keeper, *watch) {
	w := &watch{time.Hour}
	k := guard.NewKeeper(w.elapsed)
	k.SetToken(token)
	return k, w
}

func mustLogIn(t *testing.T, k *guard.Keeper, secret string) string {
	t.Helper()
	session, err := k.LogIn(secret)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func TestOnlyTheWholeTokenIsRight(t *testing.T) {
	k, w := keeper()
	if err := k.CheckToken(token); err != nil {
		t.Error(err)
	}
	for _, wrong := range []string{"", token[:len(token)-1], token + "x", strings.ToUpper(token), "k"} {
		w.now += time.Hour
		if err := k.CheckToken(wrong); !errors.Is(err, guard.ErrWrong) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	none := guard.NewKeeper(w.elapsed)
	for _, empty := range []string{"", strings.Repeat("\x00", 32)} {
		if _, err := none.LogIn(empty); !errors.Is(err, guard.ErrWrong) {
			t.Errorf("a keeper without a token accepts %q: %v", empty, err)
		}
	}
}

func TestFiveWrongTriesAMinuteForAllAndTheOwnerIsNeverLockedOut(t *testing.T) {
	k, w := keeper()
	code := k.NewCode()
	for i := range 5 {
		if _, err := k.LogIn("wrong"); !errors.Is(err, guard.ErrWrong) {
			t.Fatalf("try %d: %v", i, err)
		}
		w.now += time.Second
	}
	var wait *guard.WaitError
	if _, err := k.LogIn("wrong"); !errors.As(err, &wait) || wait.Seconds() != 55 {
		t.Errorf("the sixth try: %v", err)
	}
	if err := k.CheckToken("wrong"); !errors.As(err, &wait) {
		t.Errorf("another way in: %v", err)
	}
	if _, err := k.LogIn(code); !errors.As(err, &wait) {
		t.Errorf("the right code among the wrong ones: %v", err)
	}
	mustLogIn(t, k, token)
	if err := k.CheckToken(token); err != nil {
		t.Error(err)
	}
	w.now += 55*time.Second - 1
	if _, err := k.LogIn(code); !errors.As(err, &wait) || wait.Seconds() != 1 {
		t.Errorf("a nanosecond early: %v", err)
	}
	w.now++
	mustLogIn(t, k, code)
}

func TestACodeIsGoodOnceAndForFiveMinutes(t *testing.T) {
	k, w := keeper()
	code := k.NewCode()
	if len(code) != 9 || code[4] != '-' || strings.ContainsAny(code, "ILOU") {
		t.Errorf("%q", code)
	}
	typed := " " + strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(code, "0", "o"), "-", " "))
	mustLogIn(t, k, typed)
	if _, err := k.LogIn(code); !errors.Is(err, guard.ErrWrong) {
		t.Errorf("a second time: %v", err)
	}
	code = k.NewCode()
	w.now += guard.CodeLife
	if _, err := k.LogIn(code); !errors.Is(err, guard.ErrWrong) {
		t.Errorf("after five minutes: %v", err)
	}
	first, second := k.NewCode(), k.NewCode()
	if _, err := k.LogIn(first); !errors.Is(err, guard.ErrWrong) {
		t.Errorf("the code before the last one: %v", err)
	}
	mustLogIn(t, k, second)
	if err := k.CheckToken(k.NewCode()); !errors.Is(err, guard.ErrWrong) {
		t.Errorf("a code as a token: %v", err)
	}
}

func TestASessionLastsTwelveHoursAfterItsLastUse(t *testing.T) {
	k, w := keeper()
	session := mustLogIn(t, k, token)
	for range 5 {
		w.now += guard.SessionLife - 1
		if !k.Use(session) {
			t.Fatal("a session has ended although it is used")
		}
	}
	w.now += guard.SessionLife
	if k.Use(session) {
		t.Error("the session lasts too long")
	}
	session = mustLogIn(t, k, token)
	k.LogOut(session)
	if k.Use(session) || k.Use("") {
		t.Error("the session lasts after the logout")
	}
}

func TestSixteenSessionsAndTheOneLongestUnusedMakesRoom(t *testing.T) {
	k, w := keeper()
	var sessions []string
	for range 16 {
		w.now++
		sessions = append(sessions, mustLogIn(t, k, token))
	}
	w.now++
	if !k.Use(sessions[0]) {
		t.Fatal("sixteen is one too many")
	}
	w.now++
	mustLogIn(t, k, token)
	for i, s := range sessions {
		if got, want := k.Use(s), i != 1; got != want {
			t.Errorf("session %d of 16 lasts: %v", i, got)
		}
	}
}

func TestANewTokenEndsSessionsAndTheCode(t *testing.T) {
	k, _ := keeper()
	session, code := mustLogIn(t, k, token), k.NewCode()
	if ended := k.SetToken(strings.Repeat("n", 32)); ended != 1 {
		t.Errorf("%d sessions ended", ended)
	}
	if k.Use(session) {
		t.Error("the session lasts")
	}
	for _, old := range []string{token, code} {
		if _, err := k.LogIn(old); !errors.Is(err, guard.ErrWrong) {
			t.Errorf("%q: %v", old, err)
		}
	}
}

func TestTheTokenIsMadeOnceAndItsFileIsForTheOwner(t *testing.T) {
	dir := t.TempDir()
	if _, err := guard.ReadToken(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	made, exposed, err := guard.EnsureToken(dir)
	if err != nil || exposed || len(made) != 52 {
		t.Fatalf("%q %v %v", made, exposed, err)
	}
	again, _, err := guard.EnsureToken(dir)
	if err != nil || again != made {
		t.Errorf("a second start: %q %v", again, err)
	}
	path := filepath.Join(dir, guard.TokenFile)
	if st, err := os.Stat(path); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, exposed, err = guard.EnsureToken(dir); err != nil || !exposed {
		t.Errorf("readable by all: %v %v", exposed, err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	rotated, err := guard.RotateToken(dir)
	if err != nil || rotated == made {
		t.Errorf("%q %v", rotated, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 1 {
		t.Errorf("%v %v", left, err)
	}
}

func TestATokenThatCanBeGuessedIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, guard.TokenFile)
	for _, text := range []string{"", "\n", "secret\n", "two words of together more than thirty-two letters\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := guard.EnsureToken(dir)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "delete the file") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
