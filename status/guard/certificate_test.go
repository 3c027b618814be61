package guard_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"noi-agent/status/guard"
)

func TestTheOwnCertificateIsMadeOnceAndNamesTheGateway(t *testing.T) {
	dir, built := t.TempDir(), time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	hosts := []string{"main-solar-gw", "main-solar-gw.local", "10.0.0.1", "::1"}
	made, missing, err := guard.EnsureCertificate(dir, hosts, built)
	if err != nil || len(missing) != 0 {
		t.Fatal(missing, err)
	}
	leaf := made.Leaf
	if !leaf.NotBefore.Equal(built) || !leaf.NotAfter.Equal(built.AddDate(10, 0, 0)) || leaf.IsCA {
		t.Errorf("from %v to %v, CA %v", leaf.NotBefore, leaf.NotAfter, leaf.IsCA)
	}
	print := guard.Fingerprint(made)
	if !regexp.MustCompile(`^([0-9A-F]{2}:){31}[0-9A-F]{2}$`).MatchString(print) {
		t.Errorf("fingerprint %q", print)
	}
	path := filepath.Join(dir, guard.CertificateFile)
	if st, err := os.Stat(path); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	again, missing, err := guard.EnsureCertificate(dir, append(hosts, "10.0.0.2", "gw7"), built.AddDate(1, 0, 0))
	if err != nil || guard.Fingerprint(again) != print || !slices.Equal(missing, []string{"10.0.0.2", "gw7"}) {
		t.Errorf("with another address: %s, missing %v, %v", guard.Fingerprint(again), missing, err)
	}
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = guard.EnsureCertificate(dir, hosts, built)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "restart the agent for a new one") {
		t.Errorf("damaged: %v", err)
	}
}

func TestABuildWithoutADateMakesACertificateToo(t *testing.T) {
	made, _, err := guard.EnsureCertificate(t.TempDir(), []string{"localhost"}, time.Time{})
	if err != nil || made.Leaf.NotBefore.Year() != 2026 {
		t.Error(made.Leaf.NotBefore, err)
	}
}
