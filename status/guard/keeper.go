package guard

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	// mostSessions are logged in at once. One more ends the one that was not used for the longest time.
	mostSessions = 16
	// SessionLife is how long a session lasts without a request.
	SessionLife = 12 * time.Hour
	// CodeLife is how long a one-time code is good for.
	CodeLife = 5 * time.Minute
)

// ErrWrong is returned for a token or code that is not the right one, or is no longer.
var ErrWrong = errors.New("this is not the admin token, and not a one-time code that is still good")

// WaitError is returned instead of ErrWrong when there were too many wrong tries.
type WaitError struct{ Left time.Duration }

func (e *WaitError) Error() string {
	return fmt.Sprintf("too many wrong tries: try again in %d s", e.Seconds())
}

// Seconds is how long to wait, rounded up.
func (e *WaitError) Seconds() int { return int((e.Left + time.Second - 1) / time.Second) }

// digest is what is kept of a secret: all have the same length, so that comparing says nothing by its time.
type digest = [sha256.Size]byte

// Keeper knows which clients may change things: those with the admin token, a one-time code, or a session. It may be
// used by all requests at once.
type Keeper struct {
	elapsed func() time.Duration

	mu       sync.Mutex
	token    digest
	hasToken bool
	code     digest
	codeEnds time.Duration            // 0: there is no code
	sessions map[digest]time.Duration // when each was used last
	tries    tries
}

// NewKeeper returns a keeper that knows no token yet. elapsed is monotonic time.
func NewKeeper(elapsed func() time.Duration) *Keeper {
	return &Keeper{elapsed: elapsed, sessions: map[digest]time.Duration{}}
}

// SetToken has this token count from now on, and ends all sessions and the code. It returns how many sessions there
// were.
func (k *Keeper) SetToken(token string) (ended int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	ended = len(k.sessions)
	clear(k.sessions)
	k.token, k.hasToken, k.codeEnds = sha256.Sum256([]byte(token)), true, 0
	return ended
}

// HasToken reports whether there is a token to log in with.
func (k *Keeper) HasToken() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.hasToken
}

// CheckToken returns nil for the admin token. Errors are ErrWrong and *WaitError. The right token never waits: its 256
// bits cannot be guessed, and otherwise a stranger with wrong tokens would lock its owner out.
func (k *Keeper) CheckToken(token string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.isToken(token) {
		return nil
	}
	return k.miss(k.elapsed())
}

// LogIn takes the admin token or a one-time code, and returns the id of a new session. Errors are as of CheckToken; a
// code waits like a wrong token.
func (k *Keeper) LogIn(secret string) (session string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.elapsed()
	if !k.isToken(secret) {
		if wait := k.tries.wait(now); wait > 0 {
			return "", &WaitError{wait}
		}
		if !k.isCode(secret, now) {
			return "", k.miss(now)
		}
		k.codeEnds = 0
	}
	return k.open(now), nil
}

// miss counts a wrong try, with the mutex held.
func (k *Keeper) miss(now time.Duration) error {
	if wait := k.tries.wait(now); wait > 0 {
		return &WaitError{wait}
	}
	k.tries.miss(now)
	return ErrWrong
}

func (k *Keeper) isToken(secret string) bool {
	given := sha256.Sum256([]byte(strings.TrimSpace(secret)))
	return subtle.ConstantTimeCompare(given[:], k.token[:]) == 1 && k.hasToken
}

func (k *Keeper) isCode(secret string, now time.Duration) bool {
	given := sha256.Sum256([]byte(plainCode(secret)))
	return subtle.ConstantTimeCompare(given[:], k.code[:]) == 1 && now < k.codeEnds
}

// open begins a session. There is room for it afterwards, whatever was there.
func (k *Keeper) open(now time.Duration) string {
	k.expire(now)
	for len(k.sessions) >= mostSessions {
		var oldest digest
		at := now + 1
		for id, used := range k.sessions {
			if used < at {
				oldest, at = id, used
			}
		}
		delete(k.sessions, oldest)
	}
	id := make([]byte, 32)
	_, _ = rand.Read(id) // never fails: it ends the program instead
	text := base64.RawURLEncoding.EncodeToString(id)
	k.sessions[sha256.Sum256([]byte(text))] = now
	return text
}

func (k *Keeper) expire(now time.Duration) {
	for id, used := range k.sessions {
		if now-used >= SessionLife {
			delete(k.sessions, id)
		}
	}
}

// Use reports whether a session with this id lasts, and has it last SessionLife from now on. The id is looked up by its
// digest, so the time that takes says nothing about ids that exist.
func (k *Keeper) Use(session string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.elapsed()
	k.expire(now)
	id := sha256.Sum256([]byte(session))
	if _, ok := k.sessions[id]; !ok {
		return false
	}
	k.sessions[id] = now
	return true
}

// Lasts reports whether a session with this id lasts. Unlike Use it does not have it last any longer.
func (k *Keeper) Lasts(session string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	used, ok := k.sessions[sha256.Sum256([]byte(session))]
	return ok && k.elapsed()-used < SessionLife
}

// IsToken reports whether this is the admin token. Unlike CheckToken it counts no wrong try.
func (k *Keeper) IsToken(token string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.isToken(token)
}

// LogOut ends a session. One that there is not is ended already.
func (k *Keeper) LogOut(session string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.sessions, sha256.Sum256([]byte(session)))
}

// codeLetters are those of a code, five bits each, without the ones that are mistaken for others (I, L, O, U).
const codeLetters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewCode returns a one-time code such as "K7QF-29MX": 40 bits, good for CodeLife, and once. The code before ends.
func (k *Keeper) NewCode() string {
	random := make([]byte, 8)
	_, _ = rand.Read(random)
	for i, b := range random {
		random[i] = codeLetters[b%byte(len(codeLetters))]
	}
	code := string(random)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.code, k.codeEnds = sha256.Sum256([]byte(code)), k.elapsed()+CodeLife
	return code[:4] + "-" + code[4:]
}

// plainCode is a code as it is compared: as a person may type it, in small letters, with spaces, or with an O for 0.
func plainCode(typed string) string {
	spelling := strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1")
	return spelling.Replace(strings.ToUpper(strings.TrimSpace(typed)))
}
