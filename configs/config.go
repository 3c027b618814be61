package configs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"noi-agent/internal/strictyaml"
	"noi-agent/objects"
)

// Config is one configuration file. Parse fills in every default.
type Config struct {
	DeviceID string `yaml:"device_id"` // 24 lower-case hex digits; "": derived once and kept by the agent
	StateDir string `yaml:"state_dir"` // directory of the store; /var/lib/noi-agent
	// the user's own families, *.yaml; /etc/noi-agent/families.d; "": none
	FamiliesDir  string        `yaml:"families_dir"`
	Log          Log           `yaml:"log"`
	Lines        []Line        `yaml:"lines"`
	Integrations []Integration `yaml:"integrations"`
	Buffer       Buffer        `yaml:"buffer"`
	Triggers     Triggers      `yaml:"triggers"`
	Status       Status        `yaml:"status"`
	Clock        Clock         `yaml:"clock"`

	notices strictyaml.Faults
	doc     *strictyaml.Document
	added   int // the last so many integrations are of another file
}

// InFile returns the number of integrations in the file. The integrations that With has added follow them.
func (c *Config) InFile() int { return len(c.Integrations) - c.added }

// SetDefaults implements strictyaml.Defaulter.
func (c *Config) SetDefaults() {
	c.StateDir, c.FamiliesDir = "/var/lib/noi-agent", ownFamilies
}

// ownFamilies is the default of families_dir.
const ownFamilies = "/etc/noi-agent/families.d"

// Log sets what the agent writes to standard error.
type Log struct {
	Level  string `yaml:"level"`  // debug, info (default), warn, error
	Format string `yaml:"format"` // text (default), json
}

// SetDefaults implements strictyaml.Defaulter.
func (l *Log) SetDefaults() { l.Level, l.Format = "info", "text" }

// SlogLevel returns the level as a slog.Level.
func (l Log) SlogLevel() slog.Level {
	switch l.Level {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// Line is one port, serial or over the network, and the slaves on it. The controllers ship with 9600 8N2, the default.
type Line struct {
	Name    string `yaml:"name"`    // letters, digits, - _ .; the first half of "line/unit id"
	Enabled bool   `yaml:"enabled"` // default true; false: the port is not opened
	// path of the serial port, tcp://host[:502] or rtu+tcp://host:port; see Network
	Port     string        `yaml:"port"`
	Baud     int           `yaml:"baud"`      // default 9600
	DataBits int           `yaml:"data_bits"` // 8; Modbus RTU has no other
	Parity   string        `yaml:"parity"`    // none (default), even, odd
	StopBits int           `yaml:"stop_bits"` // 1 or 2 (default)
	Timeout  time.Duration `yaml:"timeout"`   // wait for the reply's first byte, 10 ms to 30 s; default 500 ms

	// Of a serial port only: at their defaults on the network. what switches the line between sending and receiving:
	// off (default; the adapter), kernel, rts
	RS485            string        `yaml:"rs485"`
	RS485DelayBefore time.Duration `yaml:"rs485_delay_before"` // from the switch to the first bit, up to 1 s; default 0
	// from the last bit to the switch back, up to 1 s; default 0
	RS485DelayAfter time.Duration `yaml:"rs485_delay_after"`
	RS485Polarity   string        `yaml:"rs485_polarity"` // RTS while sending: high (default; set), low
	// whether requests come back before the reply: auto (default), on, off
	Echo string `yaml:"echo"`
	// level while the port is open: on, off; "" (default): the driver's
	DTR        string `yaml:"dtr"`
	RTS        string `yaml:"rts"`         // the same; must be "" with rs485 kernel or rts, which use RTS
	LowLatency string `yaml:"low_latency"` // auto (default; USB adapters, best effort), on, off

	// Of a network port only. time after connecting without a request, up to 30 s; default 0
	ConnectDelay time.Duration `yaml:"connect_delay"`
	// check (default), ignore; tcp:// only, for devices that answer with id 0 or the next number
	TransactionID string `yaml:"transaction_id"`

	Slaves []Slave `yaml:"slaves"`
}

// SetDefaults implements strictyaml.Defaulter.
func (l *Line) SetDefaults() {
	*l = Line{
		Enabled: true, Baud: 9600, DataBits: 8, Parity: "none", StopBits: 2, Timeout: 500 * time.Millisecond,
		RS485: rs485Off, RS485Polarity: levelHigh, Echo: wordAuto, LowLatency: wordAuto,
		TransactionID: wordCheck,
	}
}

// The words of a line's hardware.
const (
	rs485Off    = "off"
	rs485Kernel = "kernel"
	rs485RTS    = "rts"

	levelHigh = "high"
	levelLow  = "low"

	wordAuto = "auto"
	wordOn   = "on"
	wordOff  = "off"

	wordCheck  = "check"
	wordIgnore = "ignore"
)

// Slave is one controller on a line.
type Slave struct {
	ID    int    `yaml:"id"`    // Modbus unit id, 1 to 247; 0 and 255 too on tcp://
	Model string `yaml:"model"` // "auto" (default), a family slug or a product code
	Name  string `yaml:"name"`  // replaces `slave` of the message; "": product code
	// replaces the product code that the slave reports; "": the slave is asked
	ProductCode string `yaml:"product_code"`
	Firmware    string `yaml:"firmware"` // the same for the firmware, `cc_firmware` of the message
	// reaction to a product code of another family: check (default; no samples), ignore
	ModelCheck string `yaml:"model_check"`
	// most registers in one read, 1 to 125; 0: the family's
	MaxRegisters int       `yaml:"max_registers"`
	Avoid        Registers `yaml:"avoid"` // registers that no read may include; default none
	// longest wait for the first byte of a reply, 10 ms to 30 s; 0 (default): the line's
	Timeout time.Duration `yaml:"timeout"`
	// shortest silence before a request to this slave, up to 5 s; 0 (default): t3.5
	Gap       time.Duration            `yaml:"gap"`
	Objects   Names                    `yaml:"objects"`   // objects that are sampled; default all
	Encodings map[string]string        `yaml:"encodings"` // encoding by object, if the sources contradict each other
	Intervals map[string]time.Duration `yaml:"intervals"` // log interval by name or pattern, from 10 ms up
}

// SetDefaults implements strictyaml.Defaulter.
func (s *Slave) SetDefaults() {
	*s = Slave{Model: modelAuto, ModelCheck: ModelCheck, Objects: Names{All: true}}
}

// The reaction to a slave that reports a product code of another family than the configured one.
const (
	ModelCheck  = "check"  // the slave is not sampled, because its registers have another meaning
	ModelIgnore = "ignore" // the configured model counts: the device is known to report another product code
)

// The types of an integration.
const (
	AWS = "aws" // Amazon SNS
	GCP = "gcp" // Google Pub/Sub
)

// Integration is a destination: which objects go to which topic, with which credentials.
type Integration struct {
	ID         string     `yaml:"id"` // 20 letters and digits; default: derived from the name
	Name       string     `yaml:"name"`
	Enabled    bool       `yaml:"enabled"`    // default true; false: paused, its backlog is kept
	Type       string     `yaml:"type"`       // AWS or GCP
	Objects    Names      `yaml:"objects"`    // which of the sampled objects are sent; default all
	Slaves     Names      `yaml:"slaves"`     // "line/unit id", names or product codes; default all
	Attributes Attributes `yaml:"attributes"` // default none on AWS, all on GCP
	Endpoint   string     `yaml:"endpoint"`   // "": the cloud's own; else a VPC endpoint or an emulator
	CAFile     string     `yaml:"ca_file"`    // PEM file of authorities to trust beside the system's; "": none

	CatchUp CatchUp `yaml:"catch_up"` // how a backlog is sent
	// highest number of requests in flight at once, 1 to 64; default 16; 1: one after the other
	InFlight int  `yaml:"in_flight"`
	Gaps     bool `yaml:"gaps"` // whether gaps are sent as messages too (docs/messages.md); default false

	// New samples wait for the gateway's own share of this time, so that a fleet does not publish all at once; up to 1
	// h; default 0: no wait.
	Pacing time.Duration `yaml:"pacing"`
	// samples of this time are sent together, 1 s to 24 h; default 0: each at once
	PublishEvery time.Duration `yaml:"publish_every"`
	When         string        `yaml:"when"` // which samples are sent: every (default), change
	// largest difference from the last number sent that is no change, in the object's unit, by name or pattern; default
	// 0
	Deadband map[string]float64 `yaml:"deadband"`
	// with when: change, each object is sent at least once in this time, 1 s to 8784 h; default 1 h; 0: never
	Heartbeat time.Duration `yaml:"heartbeat"`
	// content of a message: single (default; one sample), batch (a sweep)
	Envelope string `yaml:"envelope"`
	// compression of a batch: none (default), gzip (and base64url)
	Compress string `yaml:"compress"`

	Profile  string `yaml:"profile"`   // AWS shared profile; "": the SDK's default chain
	TopicARN string `yaml:"topic_arn"` // arn:aws:sns:REGION:ACCOUNT:NAME; .fifo at its end makes it a FIFO topic
	Region   string `yaml:"region"`    // default: from the ARN
	IMDS     bool   `yaml:"imds"`      // use the EC2 metadata service for credentials; default false

	IoT        IoT    `yaml:"iot"`         // credentials for a device's certificate; zero: not used
	RoleARN    string `yaml:"role_arn"`    // role to assume with the credentials found; "": none
	ExternalID string `yaml:"external_id"` // goes with role_arn, 2 to 1,224 characters; "": none

	ProjectID       string `yaml:"project_id"`       // default: from the topic
	Topic           string `yaml:"topic"`            // after Parse projects/PROJECT/topics/NAME
	CredentialsFile string `yaml:"credentials_file"` // any ADC JSON; "": Application Default Credentials
	Ordering        bool   `yaml:"ordering"`         // ordering keys; a request then has only one key; default false
}

// IoT is a device's certificate, and the endpoint of AWS IoT Core that gives credentials for it.
type IoT struct {
	Endpoint    string `yaml:"endpoint"`    // host: ID.credentials.iot.REGION.amazonaws.com
	RoleAlias   string `yaml:"role_alias"`  // letters, digits, _=,@-; 1 to 128
	Certificate string `yaml:"certificate"` // PEM file
	Key         string `yaml:"key"`         // PEM file of its private key
	Thing       string `yaml:"thing"`       // thing name; "": the policy does not need one
}

// Bounds of in_flight. The default carries 1,500 messages a second to SNS at a round trip of 100 ms, ten in each
// request.
const (
	defaultInFlight = 16
	mostInFlight    = 64
)

// SetDefaults implements strictyaml.Defaulter.
func (i *Integration) SetDefaults() {
	*i = Integration{
		Enabled: true, Objects: Names{All: true}, Slaves: Names{All: true}, CatchUp: i.CatchUp,
		When: WhenEvery, Heartbeat: time.Hour, Envelope: EnvelopeSingle, Compress: CompressNone,
		InFlight: defaultInFlight,
	}
}

// The values of the keys when, envelope and compress of an integration.
const (
	WhenEvery  = "every"  // each sample
	WhenChange = "change" // samples that differ from the last sample sent

	EnvelopeSingle = "single" // a message is a sample
	EnvelopeBatch  = "batch"  // a message is the samples of a sweep (docs/messages.md)

	CompressNone = "none"
	CompressGzip = "gzip" // gzip in base64url
)

// CatchUp decides how a backlog is sent when the cloud can be reached again.
type CatchUp struct {
	// most samples per second that are older than a minute or replayed; default 0: no limit
	Rate        int  `yaml:"rate"`
	AlarmsFirst bool `yaml:"alarms_first"` // faults and alarms are sent before all other waiting samples; default false

	// Time over which the gateways of a fleet begin to send their backlogs after an outage: each gateway waits for its
	// own share of it. Never longer than the outage was; up to 1 h, 0: at once; default 5 min.
	Spread time.Duration `yaml:"spread"`
}

// SetDefaults implements strictyaml.Defaulter.
func (c *CatchUp) SetDefaults() { *c = CatchUp{Spread: 5 * time.Minute} }

// The reaction to a full buffer or a full disk.
const (
	DropOldest   = "drop_oldest"   // the oldest samples are deleted for the new ones
	RejectNewest = "reject_newest" // the new samples are not kept
)

// Buffer limits the samples that the store keeps for the clouds.
type Buffer struct {
	MaxSize     Size          `yaml:"max_size"`     // of the waiting samples, above 0; default 256 MiB
	MaxAge      time.Duration `yaml:"max_age"`      // of a sample, above 0; default 720 h
	WhenFull    string        `yaml:"when_full"`    // DropOldest (default) or RejectNewest
	CommitEvery time.Duration `yaml:"commit_every"` // commit window, up to 1 min; 0: each sweep alone; default 1 s

	// how long accepted samples are kept for export and replay; default 0: not kept
	RetainAfterAck time.Duration `yaml:"retain_after_ack"`
}

// SetDefaults implements strictyaml.Defaulter.
func (b *Buffer) SetDefaults() {
	*b = Buffer{MaxSize: 256 << 20, MaxAge: 720 * time.Hour, WhenFull: DropOldest, CommitEvery: time.Second}
}

// Triggers limits the trigger log.
type Triggers struct {
	Keep       int           `yaml:"keep"`        // rows per integration, 1 to 1,000,000; default 1000
	FlushEvery time.Duration `yaml:"flush_every"` // longest time that rows wait for a commit, above 0; default 1 min
}

// SetDefaults implements strictyaml.Defaulter.
func (t *Triggers) SetDefaults() { *t = Triggers{Keep: 1000, FlushEvery: time.Minute} }

// The ways to decide whether the wall clock is right.
const (
	// a time service, the date of the build and the last time known to be right decide
	ClockAuto   = "auto"
	ClockSystem = "system" // the clock always counts as right
)

// Clock decides when the gateway's clock counts as right.
type Clock struct {
	Source string `yaml:"source"` // ClockAuto (default), ClockSystem
	// longest time that a sample waits for the clock, up to 30 days; 0: no wait; default 1 h
	MaxWait time.Duration `yaml:"max_wait"`
}

// SetDefaults implements strictyaml.Defaulter.
func (c *Clock) SetDefaults() { *c = Clock{Source: ClockAuto, MaxWait: time.Hour} }

// Status sets where and how the endpoint is served.
type Status struct {
	// IP address and port; "": no TCP; default 127.0.0.1:8780. Another address than loopback has TLS, and reading needs
	// a login too
	Listen string `yaml:"listen"`
	Socket string `yaml:"socket"` // path of the unix socket; "": none; default /run/noi-agent/agent.sock
	// how far back the charts go, 1h to 168h, in memory; off or 0: no charts; default 24h
	History History `yaml:"history"`
	// more host names of the gateway, besides its own name and its addresses; default none
	Hosts []string `yaml:"hosts"`
	TLS   TLS      `yaml:"tls"` // default: none on loopback, else the gateway's own certificate
}

// TLS is the certificate of the status endpoint. With a certificate the endpoint uses TLS on loopback too.
type TLS struct {
	Cert string `yaml:"cert"` // PEM file, with the certificates up to the authority; "": the agent's own certificate
	Key  string `yaml:"key"`  // PEM file of its private key
}

// SetDefaults implements strictyaml.Defaulter.
func (s *Status) SetDefaults() {
	*s = Status{Listen: "127.0.0.1:8780", Socket: "/run/noi-agent/agent.sock",
		History: History(24 * time.Hour)}
}

// Notices returns what is valid but probably a mistake, in the order of lines: two controllers that would publish under
// one name, a pattern that selects no sampled object.
func (c *Config) Notices() []strictyaml.Fault { return c.notices }

// At returns a fault or a notice about a key path, with its line in the file.
func (c *Config) At(path, text string) strictyaml.Fault { return c.doc.Fault(path, text) }

// Parse decodes and checks a configuration. It returns all errors in the order of lines. If there is any error, do not
// run the Config; it is only for display.
func Parse(data []byte, cat *objects.Catalog) (*Config, strictyaml.Faults) {
	c := new(Config)
	doc, faults := strictyaml.Decode(data, c)
	v := newValidator(c, doc, cat, faults)
	v.all()
	v.faults.Sort()
	v.notices.Sort()
	c.notices, c.doc = v.notices, doc
	return c, v.faults
}

// Error is a configuration file with faults.
type Error struct {
	File   string
	Faults strictyaml.Faults // at least one
}

// Error returns one error per line: "FILE:LINE: path: text".
func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = Locate(e.File, f)
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the faults.
func (e *Error) Unwrap() error { return e.Faults }

// Locate prints a fault or a notice with its file: "FILE:LINE: path: text".
func Locate(file string, f strictyaml.Fault) string {
	at := file
	if f.Line > 0 {
		at = fmt.Sprintf("%s:%d", file, f.Line)
	}
	f.Line = 0
	return at + ": " + f.Error()
}

// FamiliesDir returns the directory of the user's own families in a configuration file, because the catalog is needed
// to check the rest of the file. It reports no error. If the file cannot be read, or the key cannot be decoded, it
// returns the default, and Load then reports the error.
//
// On a gateway only the daemon's group may read the default directory. For other users FamiliesDir returns "", so that
// they can use the built-in families, for example with the configuration of the demo. The daemon's own configuration
// is beside the directory: with it the directory must be readable.
func FamiliesDir(path string) string {
	data, err := read(path)
	c := new(Config)
	strictyaml.Decode(data, c)
	beside := err == nil && filepath.Dir(path) == filepath.Dir(ownFamilies)
	if c.FamiliesDir == ownFamilies && !beside {
		if _, err := os.ReadDir(ownFamilies); errors.Is(err, fs.ErrPermission) {
			return ""
		}
	}
	return c.FamiliesDir
}

// LoadLenient reads a file that may have errors. It is for commands that query the daemon: the daemon keeps running
// with an older state of the file, and these commands need few keys. A key with an error has its default. If the file
// is no YAML, all keys have their defaults. Errors are those of reading the file.
func LoadLenient(path string) (*Config, error) {
	data, err := open(path)
	if err != nil {
		return nil, err
	}
	c := new(Config)
	strictyaml.Decode(data, c)
	return c, nil
}

// Load reads, decodes and checks a file. Errors in its content come as *Error; other errors are those of reading the
// file, with a hint.
func Load(path string, cat *objects.Catalog) (*Config, error) {
	data, err := open(path)
	if err != nil {
		return nil, err
	}
	c, faults := Parse(data, cat)
	if len(faults) > 0 {
		return nil, &Error{File: path, Faults: faults}
	}
	return c, nil
}

// open reads a file; its errors say what to do.
func open(path string) ([]byte, error) {
	data, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the configuration: %w; make one with `noi-agent init`, name another "+
			"with --config FILE, or begin with the example, /usr/share/noi-agent/config.yaml.example "+
			"(configs/noi-agent.yaml of the sources)", err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("read the configuration: %w; use sudo, or join the group of the file (on a gateway "+
			"`sudo usermod -aG noi-agent \"$USER\"`, then log in again)", err)
	case err != nil:
		return nil, fmt.Errorf("read the configuration: %w; name the file with --config FILE", err)
	}
	return data, nil
}

// read reads at most one byte more than the decoder takes: a device or a log named by mistake
// must not fill the memory.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, strictyaml.MaxSize+1))
}
