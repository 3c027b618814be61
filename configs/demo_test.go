package configs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"noi-agent/configs"
	"noi-agent/objects"
)

func TestDemoNamesTheWorldOfTheSimulator(t *testing.T) {
	c, err := configs.Load("demo.yaml", mustCatalog(t))
	if err != nil {
		t.Fatal(err)
	}
	s := &c.Lines[0].Slaves[0]
	polled := s.Polled(mustFamily(t, "PSPWM"))
	for _, p := range polled {
		if p.Interval != 2*time.Second {
			t.Errorf("%s every %v", p.Object.Name, p.Interval)
		}
	}
	for _, disputed := range []string{"kWhc_r", "kWhc_t"} {
		if !slices.Contains(polledNames(polled), disputed) {
			t.Errorf("%s is not polled", disputed)
		}
	}
	got := fmt.Sprint(c.StateDir, c.Lines[0].Port, c.Status, c.Integrations[0].Name, c.Integrations[0].Endpoint, c.Integrations[0].Destination(),
		c.Integrations[1].Name, c.Integrations[1].Endpoint, c.Integrations[1].Destination(), c.Buffer.CommitEvery)
	want := fmt.Sprint("run/state", "run/ttyNOI", configs.Status{Listen: "127.0.0.1:8780", Socket: "run/agent.sock", History: configs.History(24 * time.Hour)},
		"demo-sns", "http://127.0.0.1:4100", "arn:aws:sns:us-east-2:393221637266:MainSolarData",
		"demo-pubsub", "127.0.0.1:8085", "projects/test-project/topics/MainSolarData", time.Second)
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// checkPolled checks that each polled object has an encoding and an interval: the scheduler needs both.
func checkPolled(t *testing.T, s *configs.Slave, cat *objects.Catalog) {
	t.Helper()
	for _, f := range cat.Families() {
		for _, p := range s.Polled(f) {
			if p.Interval <= 0 || len(p.Object.Choices) > 0 {
				t.Errorf("%s every %v, choices %v", p.Object.Name, p.Interval, p.Object.Choices)
			}
		}
	}
}

func TestFamiliesDirIsKnownBeforeTheRestIsChecked(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want string }{
		"named":             {"families_dir: /srv/families\n", "/srv/families"},
		"none":              {"families_dir: ''\n", ""},
		"not named":         {"log: {level: info}\n", "/etc/noi-agent/families.d"},
		"other faults":      {"families_dir: /srv/families\nlines: 5\nzebra: 1\n", "/srv/families"},
		"a fault of itself": {"families_dir: [a]\n", "/etc/noi-agent/families.d"},
		"no YAML":           {"\t{", "/etc/noi-agent/families.d"},
	} {
		file := filepath.Join(dir, "config.yaml")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := configs.FamiliesDir(file); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := configs.FamiliesDir(filepath.Join(dir, "none.yaml")); got != "/etc/noi-agent/families.d" {
		t.Errorf("without a file: %q", got)
	}
}
