package store_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"noi-agent/store"
	"noi-agent/store/storetest"
)

func TestIdentityIsKeptAndRunsAreCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{})
	id := s.ID()
	if !regexp.MustCompile(`^[0-9a-f]{8}$`).MatchString(id) {
		t.Errorf("id %q is not 8 hex digits", id)
	}
	if s.Run() != 1 || s.DeviceID() != "" {
		t.Errorf("a new store has run %d and device %q", s.Run(), s.DeviceID())
	}
	must(t, s.SetDeviceID("5300520006504b5957343920"))
	early := copyOf(t, path) // the file before Close
	must(t, s.Close())
	for run := uint64(2); run <= 3; run++ {
		s := openAt(t, early, store.Options{})
		if s.ID() != id || s.Run() != run || s.DeviceID() != "5300520006504b5957343920" {
			t.Errorf("start %d: id %q run %d device %q", run, s.ID(), s.Run(), s.DeviceID())
		}
		must(t, s.Close())
	}
}

func TestTwoStoresHaveTwoIDs(t *testing.T) {
	a, b := storetest.MustOpen(t, store.Options{}), storetest.MustOpen(t, store.Options{})
	if a.ID() == b.ID() {
		t.Errorf("both are %s", a.ID())
	}
}

func TestSecondAgentIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "noi.db")
	s := openAt(t, path, store.Options{})
	_, err := store.Open(path, store.Options{})
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), "state_dir") {
		t.Errorf("got %v, want ErrLocked and the way out", err)
	}
	if err := store.Check(path); !errors.Is(err, store.ErrLocked) {
		t.Errorf("check: %v", err)
	}
	add(t, s, storetest.Sweep(1, 1, 3, "aws")) // the first store still works
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	_, err := store.Open(filepath.Join(dir, "absent", "noi.db"), store.Options{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "create the directory") {
		t.Errorf("no directory: %v", err)
	}
	text := filepath.Join(dir, "text.db")
	must(t, os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 2000)), 0o600))
	_, err = store.Open(text, store.Options{})
	if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), "move the file aside") {
		t.Errorf("no database: %v", err)
	}
}

func TestInterruptedCreationIsMadeGood(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "noi.db")
	must(t, os.WriteFile(path, nil, 0o600)) // an empty file, as an old version or touch leaves it
	must(t, os.WriteFile(path+".new-123", []byte("half a page"), 0o600))
	s := openAt(t, path, store.Options{})
	must(t, s.Close())
	entries, err := os.ReadDir(dir)
	must(t, err)
	for i, want := range []string{"noi.db", "noi.db.clean", "noi.db.names"} {
		if len(entries) != 3 || entries[i].Name() != want {
			t.Fatalf("files are left: %v", entries)
		}
	}
}

func TestCallsAfterCloseFail(t *testing.T) {
	s := open(t, store.Options{})
	must(t, s.Close())
	changed := s.Changed("aws")
	<-changed // Close closes the channel, so the waiter looks again
	_, errPending := s.Pending("aws", 1, nil)
	_, _, errTriggers := s.Triggers(store.TriggerQuery{})
	for what, err := range map[string]error{
		"append":           s.Append(context.Background(), storetest.Sweep(1, 1, 1, "aws")),
		"settle":           s.Settle("aws", nil),
		"pending":          errPending,
		"triggers":         errTriggers,
		"set integrations": s.SetIntegrations(nil),
		"set device id":    s.SetDeviceID("x"),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if s.Err() != nil {
		t.Errorf("a closed store is not a failed one: %v", s.Err())
	}
}

func TestCheckFindsAFileThatIsNone(t *testing.T) {
	if err := store.Check(filepath.Join(t.TempDir(), "absent.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
