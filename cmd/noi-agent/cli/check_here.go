package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"noi-agent/configs"
	"noi-agent/internal/strictyaml"
	"noi-agent/modbus"
)

// here checks a valid configuration against this machine. Its findings are only notices, because the file may be meant
// for another machine.
type here struct {
	config *configs.Config
	root   string // root of the file system, "/"
	home   string // home directory of the user, with the files of the AWS profiles; "": not known
	found  []strictyaml.Fault
}

// noticesHere returns notices about the most frequent mistakes, in the order of the file.
func noticesHere(config *configs.Config) []strictyaml.Fault {
	home, _ := os.UserHomeDir() // without one there are no profiles
	h := here{config: config, root: "/", home: home}
	return h.look()
}

func (h *here) look() []strictyaml.Fault {
	for i := range h.config.Lines {
		if line := &h.config.Lines[i]; line.Enabled {
			h.port(strictyaml.Index("lines", i)+".port", line)
		}
	}
	if len(h.config.Integrations) == 0 {
		h.notice("integrations", "no integration is configured: nothing is kept and nothing is sent")
	}
	for i := range h.config.InFile() {
		h.integration(strictyaml.Index("integrations", i), &h.config.Integrations[i])
	}
	slices.SortStableFunc(h.found, func(a, b strictyaml.Fault) int { return a.Line - b.Line })
	return h.found
}

func (h *here) notice(path, format string, args ...any) {
	h.found = append(h.found, h.config.At(path, fmt.Sprintf(format, args...)))
}

// The values of the example, configs/noi-agent.yaml, that no real site has.
const (
	examplePort    = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10K5XYZ-if00-port0"
	exampleAccount = ":393221637266:"
	exampleProject = "test-project"

	stillExample = "this is the value of the example; write your own"
)

func (h *here) port(path string, line *configs.Line) {
	if scheme, _ := line.Network(); scheme != "" {
		return
	}
	if line.Port == examplePort {
		h.notice(path, stillExample)
		return
	}
	switch info, err := os.Stat(h.file(line.Port)); {
	case err == nil && info.IsDir():
		h.notice(path, "%s is a directory; write the path of a device in it", line.Port)
	case err != nil:
		there := "no serial port is here"
		if ports := modbus.Ports(h.root); len(ports) > 0 {
			there = "the ports here are " + strings.Join(ports, ", ")
		}
		h.notice(path, "this machine has no %s now; %s", line.Port, there)
	}
	if h.shared(line.Port) {
		h.notice(path, "the name has no serial number: a second adapter of this kind would get the same name, and the "+
			"name points to the one that was plugged in last; "+
			"use the name under /dev/serial/by-path, which goes by the USB socket")
	}
}

// file returns a path of the configuration below root.
func (h *here) file(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Join(h.root, path)
	}
	return path
}

// withoutSerial matches the udev names of common adapters without a serial number: CH340 and CH341 (vendor 1a86),
// PL2303.
var withoutSerial = regexp.MustCompile(`^usb-(1a86_USB[A-Za-z0-9._]*|QinHeng_Electronics_USB[A-Za-z0-9._]*|Prolific_Technology_Inc\._USB-Serial_Controller(_[A-Z])?)-if`)

// shared reports whether two adapters can have the same name under by-id, because they have no serial number.
func (h *here) shared(port string) bool {
	if !strings.Contains(port, "/serial/by-id/") {
		return false
	}
	behind, err := filepath.EvalSymlinks(h.file(port))
	if err != nil {
		return withoutSerial.MatchString(filepath.Base(port))
	}
	device, err := filepath.EvalSymlinks(filepath.Join(h.root, "sys/class/tty", filepath.Base(behind), "device"))
	if err != nil {
		return withoutSerial.MatchString(filepath.Base(port))
	}
	for ; len(device) > len(h.root); device = filepath.Dir(device) {
		if exists(filepath.Join(device, "idVendor")) { // the USB device; above it is its hub
			return !exists(filepath.Join(device, "serial"))
		}
	}
	return false
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (h *here) integration(path string, in *configs.Integration) {
	h.needs(path+".ca_file", in.CAFile)
	h.needs(path+".credentials_file", in.CredentialsFile)
	h.needs(path+".iot.certificate", in.IoT.Certificate)
	h.needs(path+".iot.key", in.IoT.Key)
	if in.Profile != "" && !h.hasProfile(in.Profile) {
		h.notice(path+".profile", "there is no profile %s in %s; the daemon may run as another user, with other files",
			in.Profile, strings.Join(h.profileFiles(), " and "))
	}
	if in.Type == configs.AWS && in.Endpoint == "" && !slices.Contains(awsRegions(), in.Region) {
		near := ""
		if n := strictyaml.Nearest(in.Region, awsRegions()); n != "" {
			near = "; did you mean " + n + "?"
		}
		h.notice(path+".topic_arn", "%s is no AWS region that this version knows%s", in.Region, near)
	}
	if in.Endpoint != "" {
		return // an emulator takes any topic
	}
	if strings.Contains(in.TopicARN, exampleAccount) {
		h.notice(path+".topic_arn", stillExample)
	}
	if in.ProjectID == exampleProject {
		h.notice(path+".topic", stillExample)
	}
}

// needs adds a notice if a file that the configuration names cannot be read.
func (h *here) needs(path, file string) {
	if file == "" {
		return
	}
	if f, err := os.Open(h.file(file)); err != nil {
		h.notice(path, "%v", err)
	} else {
		_ = f.Close() // nothing was written
	}
}

// profileFiles returns the files in which the AWS SDK looks for profiles.
func (h *here) profileFiles() []string {
	files := []string{os.Getenv("AWS_CONFIG_FILE"), os.Getenv("AWS_SHARED_CREDENTIALS_FILE")}
	for i, name := range []string{"config", "credentials"} {
		if files[i] == "" {
			files[i] = filepath.Join(h.home, ".aws", name)
		}
	}
	return files
}

// hasProfile reports whether there is a section for a profile: [profile NAME], or [NAME] in the credentials file.
func (h *here) hasProfile(name string) bool {
	for _, file := range h.profileFiles() {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			section, ok := strings.CutPrefix(strings.TrimSpace(line), "[")
			section, _, closed := strings.Cut(section, "]")
			words := strings.Fields(section)
			if ok && closed && len(words) > 0 && words[len(words)-1] == name {
				return true
			}
		}
	}
	return false
}

// awsRegions lists the regions in the partitions of the AWS SDK for Go, v1.47.7 of its core.
func awsRegions() []string {
	return strings.Fields(`
		af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2
		ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1
		eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2
		us-west-1 us-west-2 cn-north-1 cn-northwest-1 eusc-de-east-1 us-gov-east-1 us-gov-west-1 us-iso-east-1 us-iso-west-1 us-isob-east-1
		us-isob-west-1 eu-isoe-west-1 us-isof-east-1 us-isof-south-1`)
}
