package bundle_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noi-agent/status/bundle"
)

const canary = "CANARY"

func TestSecretsAreTakenOutOfAConfiguration(t *testing.T) {
	for text, want := range map[string]string{
		"role_arn: arn:aws:iam::1:role/x # the password is CANARY": "role_arn: arn:aws:iam::1:role/x",
		"# CANARY":                          "",
		"external_id: CANARY":               "external_id: (removed)",
		"external_id:   'CANARY, it is'   ": "external_id:   (removed)",
		`external_id: "CANARY \" # x"`:      "external_id: (removed)",
		"- {type: aws, external_id: CANARY, region: us-east-2}":                                   "- {type: aws, external_id: (removed), region: us-east-2}",
		`{"external_id":"CANARY"}`:                                                                `{"external_id":(removed)}`,
		"external_id:\n  CANARY\n  CANARY\nregion: x":                                             "external_id:(removed)\n\n\nregion: x",
		"external_id: |\n  CANARY\n\n  CANARY\nregion: x":                                         "external_id: (removed)\n\n\n\nregion: x",
		"external_id: \"CANARY\n  CANARY\"\nregion: x":                                            "external_id: (removed)\n\nregion: x",
		"credentials_file: /etc/noi-agent/gcp.json":                                               "credentials_file: /etc/noi-agent/gcp.json",
		"aws_secret_access_key = x\nPassword: CANARY":                                             "aws_secret_access_key = x\nPassword: (removed)",
		"endpoint: http://user:CANARY@host/x":                                                     "endpoint: http://(removed)@host/x",
		"name: 'a # b' # CANARY":                                                                  "name: 'a # b'",
		"name: it's # CANARY":                                                                     "name: it's",
		"name: 'broken # CANARY":                                                                  "name: 'broken",
		"key: |\n  -----BEGIN PRIVATE KEY-----\n  CANARY\n  -----END PRIVATE KEY-----\nregion: x": "key: |\n(removed)\n(removed)\n(removed)\nregion: x",
		"profile: AKIACANARY123456 x":                                                             "profile: (removed) x",
		"topic_arn: arn:aws:sns:us-east-2:393221637266:MainSolarData\n":                           "topic_arn: arn:aws:sns:us-east-2:393221637266:MainSolarData\n",
	} {
		got, removed := bundle.Redact(text)
		if got != want || strings.Contains(got, canary) {
			t.Errorf("%q\n got %q\nwant %q", text, got, want)
		}
		if (strings.Contains(text, canary)) != (len(removed) > 0) {
			t.Errorf("%q: removed %q", text, removed)
		}
	}
}

func TestTheListSaysWhereSomethingWas(t *testing.T) {
	_, removed := bundle.Redact("# a\nlines: []\nintegrations:\n  - external_id: x # b\n    endpoint: http://u:p@h\n")
	want := []string{":4: external_id", ":5: password in an address", ": 2 comments"}
	if fmt.Sprint(removed) != fmt.Sprint(want) {
		t.Errorf("removed %q, want %q", removed, want)
	}
}

// unzip returns the files of a bundle, by name.
func unzip(t *testing.T, data []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = string(text)
	}
	return out
}

func TestABundleHasItsPartsAndWhatIsMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte("external_id: CANARY\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := bundle.Write(&out, time.Unix(1656404429, 0), []bundle.File{{Name: "config.yaml", Path: path},
		{Name: "integrations.yaml", Path: path + ".absent"}}, []bundle.Part{
		{Name: "log.txt", Make: func() ([]byte, error) { return []byte("http://u:CANARY@h\n"), nil }},
		{Name: "metrics.txt", Make: func() ([]byte, error) { return nil, errors.New("no metrics of http://u:CANARY@h") }},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := unzip(t, out.Bytes())
	want := map[string]string{
		"config.yaml": "external_id: (removed)\n", "log.txt": "http://(removed)@h\n",
		"metrics.txt.error.txt": "no metrics of http://(removed)@h\n",
		bundle.Removed:          "config.yaml:1: external_id\nlog.txt:1: password in an address\n",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// full is a client that accepts no more bytes after the first ones.
type full int

func (f *full) Write(p []byte) (int, error) {
	if *f -= full(len(p)); *f < 0 {
		return 0, errors.New("gone")
	}
	return len(p), nil
}

func TestAClientThatGoesEndsTheBundle(t *testing.T) {
	room := full(10)
	part := bundle.Part{Name: "log.txt", Make: func() ([]byte, error) { return bytes.Repeat([]byte("0123456789abcdef"), 1<<16), nil }}
	if err := bundle.Write(&room, time.Time{}, nil, []bundle.Part{part}); err == nil {
		t.Error("no error")
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("a: 'b\n", "  ")
	f.Add("{", ", c: \"")
	f.Fuzz(func(t *testing.T, before, after string) {
		if strings.Contains(before+after, canary) || strings.ContainsAny(before, "#:\n") {
			return
		}
		for _, text := range []string{before + " # " + canary + "\n" + after, "external_id: " + canary + "\n" + after,
			before + "\nexternal_id: " + canary + after} {
			quoted := strings.ContainsAny(before, `"'`) // a # in quotes does not begin a comment
			if clean, _ := bundle.Redact(text); strings.Contains(clean, canary) && !quoted {
				t.Errorf("%q becomes %q", text, clean)
			}
		}
	})
}
