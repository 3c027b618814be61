package store_test

import (
	"errors"
	"io"
	"os"
	"testing"

	"noi-agent/store"
)

func TestVerifyTakesWhatTheStoreGoesOnWithAndRefusesTheRest(t *testing.T) {
	for what, c := range map[string]struct {
		spoil func(path string)
		want  error
	}{
		"sound":            {func(string) {}, nil},
		"a damaged sweep":  {func(path string) { damage(t, path, "sweeps", key(1), flip) }, nil},
		"a damaged name":   {func(path string) { damage(t, path, "names", key(3), flip) }, store.ErrDamaged},
		"a damaged cursor": {func(path string) { damage(t, path, "cursors", []byte("aws"), flip) }, store.ErrDamaged},
		"damaged totals":   {func(path string) { damage(t, path, "meta", []byte("totals"), flip) }, store.ErrDamaged},
		"two bytes":        {func(path string) { must(t, os.WriteFile(path, []byte("no"), 0o600)) }, store.ErrDamaged},
		"no file":          {func(path string) { must(t, os.Remove(path)) }, os.ErrNotExist},
	} {
		path := filled(t)
		c.spoil(path)
		if err := store.Verify(path); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
		wantCode := map[error]int{nil: 0, store.ErrDamaged: 2, os.ErrNotExist: 3}[c.want]
		if code := store.Verdict(path, io.Discard); code != wantCode {
			t.Errorf("%s: the child exits with %d", what, code)
		}
	}
}
