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
	// mostSessions is the most sessions at once. One more ends the session that was not used for the longest time.
	mostSessions = 16
	// SessionLife is the time after the last request at which a session ends.
	SessionLife = 12 * time.Hour
	// CodeLife is the time for which a one-time code is valid.
	CodeLife = 5 * time.Minute
)

// ErrWrong is returned for a wrong token or code, and for a code that is used or expired.
var ErrWrong = errors.New("this is not the admin token, and not a valid one-time code")

// WaitError is returned instead of ErrWrong after too many wrong tries. Left is the time to wait.
type WaitError struct{ Left time.Duration }

func (e *WaitError) Error() string {
	return fmt.Sprintf("too many wrong tries: try again in %d s", e.Seconds())
}

// Seconds returns the seconds to wait, rounded up.
func (e *WaitError) Seconds() int { return int((e.Left + time.Second - 1) / time.Second) }

// digest is the SHA-256 of a secret. Secrets are kept and compared as digests: all have the same length, so the time of
// a comparison gives no information about the secret.
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
	sessions map[digest]time.Duration // time of the last use, by the digest of the id
	tries    tries
}

// NewKeeper returns a keeper without a token. elapsed returns monotonic time.
func NewKeeper(elapsed func() time.Duration) *Keeper {
	return &Keeper{elapsed: elapsed, sessions: map[digest]time.Duration{}}
}

// SetToken sets the admin token. It ends all sessions and the one-time code, and returns the number of ended sessions.
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

// CheckToken returns nil for the admin token. Errors are ErrWrong and *WaitError. The right token never has to wait:
// its 256 bits cannot be guessed, and otherwise a stranger could lock out the owner of the token by sending wrong ones.
func (k *Keeper) CheckToken(token string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.isToken(token) {
		return nil
	}
	return k.miss(k.elapsed())
}

// LogIn checks the admin token or a one-time code, and returns the id of a new session. Errors are ErrWrong and
// *WaitError. Unlike the token, even a right code has to wait after too many wrong tries.
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

// miss counts a wrong try, and returns its error. k.mu is locked.
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

// open begins a session, and returns its id. If there are mostSessions, it ends the one that was unused for longest.
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
	_, _ = rand.Read(id) // never returns an error: if it fails, it ends the program
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

// Use reports whether the session with this id is valid, and extends it to SessionLife from now on. It searches for the
// digest of the id, so its duration gives no information about existing ids.
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

// Lasts reports whether the session with this id is valid. Unlike Use, it does not extend the session.
func (k *Keeper) Lasts(session string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	used, ok := k.sessions[sha256.Sum256([]byte(session))]
	return ok && k.elapsed()-used < SessionLife
}

// IsToken reports whether this is the admin token. Unlike CheckToken, it counts no wrong try.
func (k *Keeper) IsToken(token string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.isToken(token)
}

// LogOut ends a session. It does nothing if there is no such session.
func (k *Keeper) LogOut(session string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.sessions, sha256.Sum256([]byte(session)))
}

// codeLetters are the letters of a code, five bits each. I, L, O and U are not among them, because people mistake them
// for other letters.
const codeLetters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewCode returns a one-time code of 40 bits, such as "K7QF-29MX". It is valid for one login within CodeLife. The code
// before it becomes invalid.
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

// plainCode returns a typed code for a comparison. It accepts small letters, spaces, O for 0, and I or L for 1.
func plainCode(typed string) string {
	spelling := strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1")
	return spelling.Replace(strings.ToUpper(strings.TrimSpace(typed)))
}
