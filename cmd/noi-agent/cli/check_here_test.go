package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/configs"
	"noi-agent/objects"
)

// The most frequent mistakes are notices with their line. The configuration is still valid.
func TestCheckNoticesWhatThisMachineLacks(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_CONFIG_FILE", "")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "")
	path := clitest.WriteConfig(t, `lines:
  - {name: a, slaves: [{id: 1, model: PSPWM, name: a}],
     port: /dev/ttyUSBO}
  - {name: b, slaves: [{id: 1, model: PSPWM, name: b}], port: /dev}
integrations:
  - {name: x, type: aws, objects: adc_vbterm,
     profile: nosuch,
     ca_file: /nope.pem,
     topic_arn: "arn:aws:sns:us-eats-2:123456789012:T"}
  - {name: y, type: gcp, objects: adc_vbterm, project_id: test-project,
     credentials_file: /no-key.json,
     topic: Main}
  - {name: z, type: aws, objects: adc_vbterm,
     topic_arn: "arn:aws:sns:us-east-2:393221637266:MainSolarData"}
`)
	code, stdout, stderr := run1("check", "--config", path)
	if code != ExitDone {
		t.Fatalf("exit %d: %s%s", code, stdout, stderr)
	}
	var notices []string
	for _, line := range strings.Split(stdout, "\n") {
		if strings.HasPrefix(line, "notice: ") {
			notices = append(notices, strings.TrimPrefix(line, "notice: "+path+":"))
		}
	}
	for i, want := range []string{
		"3: lines[0].port: this machine has no /dev/ttyUSBO now; ",
		"4: lines[1].port: /dev is a directory; write the path of a device in it",
		"7: integrations[0].profile: there is no profile nosuch in ",
		"8: integrations[0].ca_file: open /nope.pem: no such file or directory",
		"9: integrations[0].topic_arn: us-eats-2 is no AWS region that this version knows; did you mean us-east-2?",
		"11: integrations[1].credentials_file: open /no-key.json: no such file or directory",
		"12: integrations[1].topic: this is the value of the example; write your own",
		"14: integrations[2].topic_arn: this is the value of the example; write your own",
	} {
		if i >= len(notices) || !strings.HasPrefix(notices[i], want) {
			t.Fatalf("notice %d is not %q:\n%s", i, want, strings.Join(notices, "\n"))
		}
	}
	if len(notices) != 8 {
		t.Errorf("%d notices:\n%s", len(notices), strings.Join(notices, "\n"))
	}
	_, stdout, _ = run1("check", "--config", path, "--json")
	clitest.MustHold(t, stdout, `"valid": true`, `"path": "integrations[0].ca_file"`)
}

func TestCheckNoticesThatNothingIsReadOrSent(t *testing.T) {
	code, stdout, _ := run1("check", "--config", clitest.WriteConfig(t, ""))
	if code != ExitDone || !strings.Contains(stdout, "no line is configured") || !strings.Contains(stdout, "no integration is configured") {
		t.Errorf("exit %d: %s", code, stdout)
	}
}

func TestCheckNoticesTheExampleAsItCame(t *testing.T) {
	text, err := os.ReadFile("../../../configs/noi-agent.yaml")
	if err != nil {
		t.Fatal(err)
	}
	whole := strings.NewReplacer("\n  #- ", "\n  - ", "\n  #  ", "\n    ").Replace(string(text)) // both clouds
	code, stdout, _ := run1("check", "--config", clitest.WriteConfig(t, whole))
	if n := strings.Count(stdout, stillExample); code != ExitDone || n != 3 {
		t.Errorf("exit %d, %d notices about the example's values, want those of the port and two topics:\n%s", code, n, stdout)
	}
}

func TestAProfileIsFoundInEitherFile(t *testing.T) {
	h := here{home: t.TempDir()}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(h.home, "c"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(h.home, "d"))
	for file, text := range map[string]string{"c": "[default]\nregion = x\n  [profile solar] # ours\n", "d": "[wind]\naws_access_key_id = solar2\n"} {
		if err := os.WriteFile(filepath.Join(h.home, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{"solar": true, "wind": true, "default": true, "solar2": false, "profile": false} {
		if h.hasProfile(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

// usbTree makes the files of an adapter at ttyUSB0, as the kernel and udev show them.
func usbTree(t *testing.T, byID string, serial bool) (root string) {
	t.Helper()
	root = t.TempDir()
	device := filepath.Join(root, "sys/devices/usb1/1-1")
	for _, dir := range []string{device + "/1-1:1.0/ttyUSB0", root + "/dev/serial/by-id", root + "/dev/serial/by-path", root + "/sys/class/tty/ttyUSB0"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	files := []string{root + "/dev/ttyUSB0", device + "/idVendor", root + "/sys/devices/usb1/idVendor", root + "/sys/devices/usb1/serial"}
	if serial {
		files = append(files, device+"/serial")
	}
	for _, file := range files {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{
		"/dev/serial/by-id/" + byID: "../../ttyUSB0", "/dev/serial/by-path/pci-usb-0:1:1.0-port0": "../../ttyUSB0",
		"/sys/class/tty/ttyUSB0/device": device + "/1-1:1.0/ttyUSB0",
	} {
		if err := os.Symlink(to, root+link); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestCheckNoticesANameThatTwoAdaptersWouldShare(t *testing.T) {
	const ch340, pl2303 = "usb-1a86_USB_Serial-if00-port0", "usb-Prolific_Technology_Inc._USB-Serial_Controller_D-if00-port0"
	const ftdi, odd = "usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0", "usb-Acme_Thing-if00-port0"
	for _, c := range []struct {
		name         string
		here, serial bool // here: the adapter is plugged in; serial: it has a serial number
		shared       bool
	}{
		{ch340, false, false, true}, {pl2303, false, false, true}, {ftdi, false, false, false},
		{ch340, true, false, true}, {ftdi, true, true, false}, {odd, true, false, true}, {odd, true, true, false},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			root := usbTree(t, "other", c.serial)
			if c.here {
				root = usbTree(t, c.name, c.serial)
			}
			catalog, err := objects.LoadCatalog()
			if err != nil {
				t.Fatal(err)
			}
			config, faults := configs.Parse([]byte("lines: [{name: a, port: /dev/serial/by-id/"+c.name+", slaves: [{id: 1}]}]\n"), catalog)
			if faults.Err() != nil {
				t.Fatal(faults)
			}
			var text strings.Builder
			for _, n := range (&here{config: config, root: root}).look() {
				fmt.Fprintln(&text, n)
			}
			if got := strings.Contains(text.String(), "/dev/serial/by-path"); strings.Contains(text.String(), "has no serial number") != c.shared {
				t.Errorf("the by-path name is shown: %v\n%s", got, &text)
			}
			if absent := strings.Contains(text.String(), "this machine has no"); absent == c.here || absent && !strings.Contains(text.String(), "by-path/pci-usb-0:1:1.0-port0") {
				t.Errorf("the missing port and the existing ones:\n%s", &text)
			}
		})
	}
}
