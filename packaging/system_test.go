package packaging_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// configuration has integrations for both clouds, and a third one whose cloud does not run, so that its samples wait.
const configuration = `lines:
  - name: rs485
    port: /run/noi-sim/ttyNOI
    slaves: [{id: 1, model: PSPWM, objects: "adc_vbterm, adc_ia", intervals: {"*": 1s}}]
integrations:
  - {name: sns, type: aws, profile: noi, topic_arn: "arn:aws:sns:us-east-2:393221637266:MainSolarData", endpoint: "http://127.0.0.1:4100"}
  - {name: pubsub, type: gcp, topic: projects/test-project/topics/MainSolarData, endpoint: "127.0.0.1:8085"}
  - {name: later, type: aws, profile: noi, topic_arn: "arn:aws:sns:us-east-2:393221637266:MainSolarData", endpoint: "http://127.0.0.1:4199"}
clock: {source: system}
`

// credentials are passed to the daemon as docs/install.md describes.
const credentials = `[Service]
LoadCredential=aws:/etc/noi-agent/secrets/aws
LoadCredential=gcp.json:/etc/noi-agent/secrets/gcp.json
LoadCredential=device.pem:/etc/noi-agent/secrets/device.pem
LoadCredential=device.key:/etc/noi-agent/secrets/device.key
Environment=AWS_SHARED_CREDENTIALS_FILE=/run/credentials/noi-agent.service/aws
`

// TestPackageOnABootedDebian tests all steps in the life of a package on a gateway: it is installed, configured,
// upgraded while the store is in use, disabled, removed, installed again, and purged.
func TestPackageOnABootedDebian(t *testing.T) {
	onlyWithPackages(t)
	m := boot(t)
	for _, step := range []struct {
		name string
		do   func(*testing.T, *machine)
	}{
		{"installed without a configuration", installed},
		{"set up by init", setUp},
		{"configured", configured},
		{"the service", hardened},
		{"upgraded with samples that wait", upgraded},
		{"disabled and upgraded", disabled},
		{"removed and installed again", removed},
		{"purged", purged},
		{"installed from a tarball", fromTarball},
	} {
		if !t.Run(step.name, func(t *testing.T) { m.t = t; step.do(t, m) }) {
			break // each step begins with the result of the step before
		}
	}
	m.t = t
}

func installed(t *testing.T, m *machine) {
	m.deb("0.0.1")
	m.want("enabled", "systemctl", "is-enabled", "noi-agent")
	m.want("inactive", "systemctl", "is-active", "noi-agent")
	m.want("no", "systemctl", "show", "-P", "ConditionResult", "noi-agent")
	m.want("running", "systemctl", "is-system-running") // "degraded" would mean that a unit has failed
	m.want("2750 root noi-agent", "stat", "-c", "%a %U %G", "/etc/noi-agent")
	m.want("families.d", "ls", "/etc/noi-agent")
	if groups := m.do("id", "-Gn", "noi-agent"); !strings.Contains(groups, "dialout") {
		t.Errorf("the user is in the groups %s", groups)
	}
	if left := m.sh("dpkg --verify noi-agent; dpkg-query -W -f '${Conffiles}' noi-agent"); left != "" {
		t.Errorf("dpkg says: %s", left)
	}
	// Another user may not read /etc/noi-agent, but can practise with the demo and look at the families.
	m.do("runuser", "-u", "nobody", "--", "noi-agent", "objects", "PSPWM")
	m.do("runuser", "-u", "nobody", "--", "noi-agent", "check", "--config", "/usr/share/doc/noi-agent/configs/demo.yaml")
}

// setUp starts the simulated clouds and the simulated line, and follows docs/install.md from the package to the first
// message. The permissions of the simulated port are those of a real port.
func setUp(t *testing.T, m *machine) {
	m.do("systemd-run", "--unit=noi-sim", "noi-sim", "run", "--dir", "/run/noi-sim", "--", "sh", "-c",
		"env | grep ^AWS_ >/run/noi-sim/env; exec sleep infinity")
	m.until("the simulator has a port", func() bool { _, err := m.try("test", "-s", "/run/noi-sim/env"); return err == nil })
	m.sh(`port=$(readlink -f /run/noi-sim/ttyNOI); chgrp dialout $port; chmod 0660 $port
		install -d -m 0700 /etc/noi-agent/secrets; umask 077
		. /run/noi-sim/env
		printf '[noi]\naws_access_key_id=%s\naws_secret_access_key=%s\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" >/etc/noi-agent/secrets/aws
		echo '{}' >/etc/noi-agent/secrets/gcp.json; echo none >/etc/noi-agent/secrets/device.pem
		echo none >/etc/noi-agent/secrets/device.key`)
	m.write("/etc/systemd/system/noi-agent.service.d/credentials.conf", credentials)
	m.do("systemctl", "daemon-reload")
	t.Log(m.sh(`AWS_SHARED_CREDENTIALS_FILE=/etc/noi-agent/secrets/aws noi-agent init --port /run/noi-sim/ttyNOI --units 1-3 \
		--topic arn:aws:sns:us-east-2:393221637266:MainSolarData --endpoint http://127.0.0.1:4100 --profile noi`))
	m.want("640 root noi-agent", "stat", "-c", "%a %U %G", "/etc/noi-agent/config.yaml")
	m.do("systemctl", "start", "noi-agent")
	m.until("the first message", func() bool { return m.status(t).integration("main-solar").Sent > 0 })
}

// configured makes the daemon publish to both clouds, and to a third one that does not run.
func configured(t *testing.T, m *machine) {
	m.write("/root/config.yaml", configuration)
	m.do("cp", "/root/config.yaml", "/etc/noi-agent/config.yaml")
	m.do("noi-agent", "check")
	m.do("systemctl", "restart", "noi-agent")
	for _, topic := range []string{"sns", "pubsub"} {
		m.until("a message of "+topic, func() bool { return m.status(t).integration(topic).Sent > 0 })
	}
	m.want("640 root noi-agent", "sh", "-c", "chmod 0640 /etc/noi-agent/config.yaml; stat -c '%a %U %G' /etc/noi-agent/config.yaml")
	m.until("samples wait for the third integration", func() bool { return m.status(t).integration("later").Backlog > 5 })
}

// hardened checks the running service: the settings that systemd shows, and the files that the service can read and
// write.
func hardened(t *testing.T, m *machine) {
	m.until("the state is a sentence", func() bool {
		return strings.Contains(m.do("systemctl", "show", "-P", "StatusText", "noi-agent"), " ")
	})
	t.Log(m.do("systemctl", "show", "-P", "StatusText", "noi-agent"))
	pid := m.do("systemctl", "show", "-P", "MainPID", "noi-agent")
	as := func(script string) string {
		out, _ := m.try("nsenter", "-t", pid, "-m", "setpriv", "--reuid=noi-agent", "--regid=noi-agent", "--init-groups", "--", "sh", "-c", script)
		return out
	}
	for _, name := range []string{"aws", "gcp.json", "device.pem", "device.key"} {
		if got := as("cat /run/credentials/noi-agent.service/" + name); strings.Contains(got, "denied") || got == "" {
			t.Errorf("the daemon reads the credential %s as %q", name, got)
		}
		if got := as("cat /etc/noi-agent/secrets/" + name); !strings.Contains(got, "denied") {
			t.Errorf("the daemon can read the file of the secret %s: %q", name, got)
		}
	}
	for _, path := range []string{"/etc/noi-agent/x", "/usr/x", "/root/x", "/home/x"} {
		if got := as("touch " + path); got == "" {
			t.Errorf("the daemon can write %s", path)
		}
	}
	if n := m.sh("journalctl -u noi-agent -p warning -o cat | wc -l"); n == "0" {
		t.Error("the journal has no entry of priority warning, although a cloud does not answer")
	}
}

// upgraded checks that the new version runs after an upgrade, and that each second has a sample or is in a gap.
func upgraded(t *testing.T, m *machine) {
	before := m.status(t)
	sum := m.do("sha256sum", "/etc/noi-agent/config.yaml")
	m.deb("0.0.2")
	m.until("the new version answers", func() bool { return m.status(t).Version == "0.0.2" })
	m.want("active", "systemctl", "is-active", "noi-agent")
	m.want("enabled", "systemctl", "is-enabled", "noi-agent")
	m.want(sum, "sha256sum", "/etc/noi-agent/config.yaml")
	after := m.status(t)
	if after.DeviceID != before.DeviceID || after.integration("later").Backlog < before.integration("later").Backlog {
		t.Errorf("before the upgrade %+v, after it %+v", before, after)
	}
	m.sh("sed -i s/:4199/:4100/ /etc/noi-agent/config.yaml")
	m.do("systemctl", "reload", "noi-agent")
	m.until("what waited is sent", func() bool { return m.status(t).integration("later").Backlog < 3 })
	everySecond(t, m)
}

// everySecond checks that each second between the first and the last sample of an object has a sample or is counted
// in a gap.
func everySecond(t *testing.T, m *machine) {
	t.Helper()
	id := m.integrationID("later")
	at := map[int64]int{}
	for line := range strings.Lines(m.do("journalctl", "-u", "noi-sim", "-o", "cat", "--no-pager")) {
		var message struct {
			Integration string    `json:"integration_id"`
			Object      string    `json:"object"`
			Sampled     time.Time `json:"sampled_at"`
		}
		if json.Unmarshal([]byte(line), &message) == nil && message.Integration == id && message.Object == "adc_vbterm" {
			at[message.Sampled.Unix()]++
		}
	}
	seconds := make([]int64, 0, len(at))
	for second := range at {
		seconds = append(seconds, second)
	}
	slices.Sort(seconds)
	if len(seconds) < 10 {
		t.Fatalf("only %d samples of the third integration arrived", len(seconds))
	}
	missing := int(seconds[len(seconds)-1]-seconds[0]) + 1 - len(seconds)
	counted := m.gaps(t, "later", "adc_vbterm")
	t.Logf("%d samples of an object, %d seconds without one, %d of them in gaps", len(seconds), missing, counted)
	if missing > counted+1 || counted > missing+2 { // a reply may come in the next second
		t.Errorf("%d seconds without a sample, %d in gaps", missing, counted)
	}
}

func disabled(t *testing.T, m *machine) {
	m.do("systemctl", "disable", "noi-agent")
	m.deb("0.0.1") // a downgrade; the store of both versions has the same format
	m.until("the other version answers", func() bool { return m.status(t).Version == "0.0.1" })
	m.want("disabled", "systemctl", "is-enabled", "noi-agent")
	m.do("systemctl", "stop", "noi-agent")
	m.deb("0.0.2")
	m.want("disabled", "systemctl", "is-enabled", "noi-agent")
	m.want("inactive", "systemctl", "is-active", "noi-agent")
	m.do("systemctl", "enable", "--now", "noi-agent")
	m.until("the new version answers", func() bool { return m.status(t).Version == "0.0.2" })
}

func removed(t *testing.T, m *machine) {
	device := m.status(t).DeviceID
	m.do("dpkg", "--remove", "noi-agent")
	m.sh("! ls -l /proc/*/exe 2>/dev/null | grep /usr/bin/noi-agent")
	m.sh("test -e /etc/noi-agent/config.yaml && test -e /var/lib/noi-agent/noi.db && ! test -e /usr/bin/noi-agent")
	m.deb("0.0.2")
	m.want("enabled", "systemctl", "is-enabled", "noi-agent")
	m.until("it works again", func() bool {
		s, err := m.tryStatus()
		return err == nil && s.DeviceID == device && s.integration("sns").Sent > 0
	})
	report, err := m.try("noi-agent", "doctor") // exit 1 for a fault
	if err != nil || !strings.Contains(report, "No fault was found.") {
		t.Errorf("doctor: %v\n%s", err, report)
	}
}

func purged(t *testing.T, m *machine) {
	m.do("dpkg", "--purge", "noi-agent")
	m.sh("! test -e /etc/noi-agent && ! test -e /var/lib/noi-agent && ! test -e /usr/share/doc/noi-agent")
	m.sh("id noi-agent")
	if left := m.sh("find / -xdev -name '*noi-agent*' -not -path '/root/*' -not -path '/proc/*' -not -path '/sys/*' " +
		"-not -path '/etc/systemd/system/noi-agent.service.d*' -not -path '/tmp/*' -not -path '/var/tmp/*'"); left != "" {
		t.Errorf("files that are left:\n%s", left)
	}
	m.deb("0.0.2")
	m.want("enabled", "systemctl", "is-enabled", "noi-agent")
	m.want("inactive", "systemctl", "is-active", "noi-agent")
}

// fromTarball runs install.sh on the running system, as a user of the tarball and `make install` do.
func fromTarball(t *testing.T, m *machine) {
	m.do("dpkg", "--purge", "noi-agent")
	m.do("rm", "-r", "/etc/systemd/system/noi-agent.service.d") // the drop-in names secrets that the purge has deleted
	m.do("mkdir", "/root/tarball")
	for _, part := range []string{"../packaging", "../configs", "../docs", "../README.md", "../CHANGELOG.md"} {
		run(t, nil, "cp", "-r", part, m.root+"/root/tarball/")
	}
	m.sh("dpkg-deb -x /root/noi-agent.deb /root/x && mv /root/x/usr/bin /root/tarball/bin")
	m.do("sh", "/root/tarball/packaging/install.sh", "install")
	m.want("2750 root noi-agent", "stat", "-c", "%a %U %G", "/etc/noi-agent")
	m.want("disabled", "systemctl", "is-enabled", "noi-agent")
	m.sh("sed 's/profile: noi, //' /root/config.yaml >/etc/noi-agent/config.yaml")
	m.do("systemctl", "enable", "--now", "noi-agent")
	m.until("it publishes", func() bool { return m.status(t).integration("pubsub").Sent > 0 })
	first := m.do("systemctl", "show", "-P", "MainPID", "noi-agent")
	m.do("sh", "/root/tarball/packaging/install.sh", "install") // an upgrade
	if again := m.do("systemctl", "show", "-P", "MainPID", "noi-agent"); again == first {
		t.Error("the service was not restarted")
	}
	m.do("sh", "/root/tarball/packaging/install.sh", "uninstall")
	m.want("inactive", "systemctl", "is-active", "noi-agent")
	m.sh("test -e /etc/noi-agent/config.yaml && test -e /var/lib/noi-agent/noi.db && ! test -e /usr/bin/noi-agent")
}
