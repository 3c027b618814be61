package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"noi-agent/cmd/noi-agent/cli"
)

// TestReloadReadsExchangedCredentials: a credentials file gets other keys under the same name. After a SIGHUP the
// agent uses them, although the configuration is unchanged and the old keys still work. The other integration is not
// restarted.
func TestReloadReadsExchangedCredentials(t *testing.T) {
	w := newWorld(t, fixedSlave())
	file := filepath.Join(w.dir, "credentials")
	write := func(key string) {
		text := "[default]\naws_access_key_id = " + key + "\naws_secret_access_key = " + os.Getenv("AWS_SECRET_ACCESS_KEY") + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(os.Getenv("AWS_ACCESS_KEY_ID"))
	config := w.config(`intervals: {"*": 50ms}`, "adc_vbterm")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	withoutEnv(t, "AWS_ACCESS_KEY_ID")
	daemon := w.start(config, nil)
	eventually(t, "samples flow", func() bool { return w.sns.Taken() > 3 && w.pubsub.Taken() > 3 && w.listens() })
	write("AKIAOTHERKEY00000000")
	daemon.hangups <- syscall.SIGHUP
	eventually(t, "the new key is used, which the cloud does not know", func() bool {
		return strings.Contains(w.status().Integrations[0].LastError, "InvalidClientTokenId")
	})
	if !strings.Contains(daemon.stderr.String(), "new_integrations=1") {
		t.Errorf("want exactly one restarted integration:\n%s", daemon.stderr)
	}
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
}
