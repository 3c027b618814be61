package guard

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"noi-agent/internal/wholefile"
)

// TokenFile is the name of the admin token's file in the state directory.
const TokenFile = "admin-token"

// shortestToken is the least length. A token that is made here has 52 letters. An operator may write a shorter one
// for a whole fleet.
const shortestToken = 32

// ReadToken returns the admin token in dir. The error wraps fs.ErrNotExist when there is none.
func ReadToken(dir string) (string, error) {
	path := filepath.Join(dir, TokenFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the admin token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if len(token) < shortestToken || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("read the admin token: %s: want one word of at least %d letters; "+
			"delete the file and restart the agent for a new one", path, shortestToken)
	}
	return token, nil
}

// EnsureToken returns the admin token in dir, and makes one at the first start. Only the owner can read its file
// (0600). If others could read an existing file, EnsureToken removes their permissions and exposed is true.
func EnsureToken(dir string) (token string, exposed bool, err error) {
	token, err = ReadToken(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		token, err = RotateToken(dir)
		return token, false, err
	case err != nil:
		return "", false, err
	}
	path := filepath.Join(dir, TokenFile)
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm()&0o077 == 0 {
		return token, false, err
	}
	return token, true, os.Chmod(path, 0o600)
}

// RotateToken replaces the token in dir by a new random one of 256 bits, and returns it.
func RotateToken(dir string) (string, error) {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails: it ends the program instead
	token := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random))
	if err := wholefile.Write(filepath.Join(dir, TokenFile), []byte(token+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write the admin token: %w", err)
	}
	return token, nil
}
