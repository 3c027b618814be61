package configs

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"noi-agent/internal/strictyaml"
	"noi-agent/objects"
)

// validator checks a decoded configuration and collects the faults.
type validator struct {
	config  *Config
	doc     *strictyaml.Document
	cat     *objects.Catalog
	faults  strictyaml.Faults
	notices strictyaml.Faults
	index   *slaveIndex
	decode  []string // paths that could not be decoded; their fields have defaults

	beside []Integration // integrations of the other file, with which names and ids are compared; nil: no other file
}

// The codes of errors that programs may want to distinguish. All other errors are CodeInvalid. Package strictyaml has
// the codes for decoding.
const (
	CodeInvalid       = "invalid"
	CodeRequired      = "required"          // the key is missing
	CodeForeign       = "foreign_key"       // the key belongs to the other type
	CodeAlone         = "needs_other_key"   // the key needs another key
	CodeTaken         = "taken"             // another integration has the name or the id
	CodeRegion        = "region_mismatch"   // region and topic contradict each other
	CodeProject       = "project_mismatch"  // project_id and topic contradict each other
	CodeUnknownObject = "unknown_object"    // no family has it
	CodeUnknownSlave  = "unknown_slave"     // no configured slave has this name
	CodeNotPolled     = "object_not_polled" // no slave of the integration is sampled for it
)

func newValidator(c *Config, doc *strictyaml.Document, cat *objects.Catalog, faults strictyaml.Faults) *validator {
	v := &validator{config: c, doc: doc, cat: cat, faults: faults}
	for _, f := range faults {
		v.decode = append(v.decode, f.Path)
	}
	return v
}

// broken reports whether a path, or a part of it, could not be decoded. Then faults that follow from it are not
// reported: they would only hide the first one.
func (v *validator) broken(path string) bool {
	return slices.ContainsFunc(v.decode, func(p string) bool {
		rest, within := strings.CutPrefix(p, path)
		return within && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// shapeless reports whether an item of a list could not be decoded at all, so its keys need no checks. key is a key
// that every valid item has.
func (v *validator) shapeless(path, key string) bool {
	return slices.Contains(v.decode, path) && !v.doc.Has(path+"."+key)
}

// fault adds a fault at a path, if decoding has not found one there already.
func (v *validator) fault(path, format string, args ...any) {
	v.coded(CodeInvalid, path, format, args...)
}

// coded adds a fault with a code.
func (v *validator) coded(code, path, format string, args ...any) {
	if !v.broken(path) {
		f := v.doc.Fault(path, fmt.Sprintf(format, args...))
		f.Code = code
		v.faults = append(v.faults, f)
	}
}

func (v *validator) notice(path, format string, args ...any) {
	v.notices = append(v.notices, v.doc.Fault(path, fmt.Sprintf(format, args...)))
}

// item returns the path of the i-th word: the path of its item in a list, or of the key if the words are comma
// separated.
func (v *validator) item(path string, n Names, i int) string {
	if own := strictyaml.Index(path, n.places[i]); v.doc.Has(own) {
		return own
	}
	return path
}

// oneOf adds a fault if a word is not one of the allowed words.
func (v *validator) oneOf(path, word string, words ...string) {
	if slices.Contains(words, word) {
		return
	}
	want := strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	near := switchWord(word)
	if !slices.Contains(words, near) {
		near = strictyaml.Nearest(word, words)
	}
	if near != "" {
		want += "; did you mean " + near + "?"
	}
	v.fault(path, "%q is not known; want %s", clip(word), want)
}

// switchWord returns on or off for other words with this meaning in YAML 1.1, because a tool that writes the file again
// may replace one word by another. It returns "" for all other words.
func switchWord(word string) string {
	switch strings.ToLower(word) {
	case "true", "yes", "y":
		return wordOn
	case "false", "no", "n":
		return wordOff
	}
	return ""
}

// between checks the range of a number.
func (v *validator) between(path string, n, least, most int, hint string) {
	if n < least || n > most {
		v.fault(path, "want %d to %d, not %d%s", least, most, n, hint)
	}
}

// span checks the range of a duration.
func (v *validator) span(path string, d, least, most time.Duration) {
	if d < least || d > most {
		v.fault(path, "want %s to %s, not %s", short(least), short(most), short(d))
	}
}

// short returns a duration in Go's format, but without zero units: 1m, not 1m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// all checks the whole configuration, in the order of the example file.
func (v *validator) all() {
	v.root()
	v.lines()
	v.sharedNames()
	v.integrations()
	v.limits()
	v.status()
}

var deviceIDForm = form(`^[0-9a-f]{24}$`)

func (v *validator) root() {
	c := v.config
	if v.doc.Has("device_id") && !deviceIDForm().MatchString(c.DeviceID) {
		hint := "; leave the key out to have one derived and kept"
		if lower := strings.ToLower(c.DeviceID); deviceIDForm().MatchString(lower) {
			hint = "; write " + lower
		}
		v.fault("device_id", "want 24 lower-case hex digits, not %q%s", clip(c.DeviceID), hint)
	}
	if c.StateDir == "" {
		v.fault("state_dir", "want a directory; leave the key out for /var/lib/noi-agent")
	}
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, "text", "json")
}

// Upper limits of durations. A longer one is probably a wrong unit. The limits also prevent overflows in calculations.
const (
	mostAge    = 10 * 365 * 24 * time.Hour
	mostWindow = time.Minute // of buffer.commit_every: a power cut loses the samples of this time
	mostFlush  = time.Hour
	mostWait   = 30 * 24 * time.Hour // default of buffer.max_age
)

func (v *validator) limits() {
	b, t := v.config.Buffer, v.config.Triggers
	if b.MaxSize <= 0 {
		v.fault("buffer.max_size", "want more than 0; without room no sample reaches a cloud")
	}
	v.span("buffer.max_age", b.MaxAge, time.Second, mostAge)
	v.oneOf("buffer.when_full", b.WhenFull, DropOldest, RejectNewest)
	v.span("buffer.commit_every", b.CommitEvery, 0, mostWindow)
	v.span("buffer.retain_after_ack", b.RetainAfterAck, 0, mostAge)
	v.between("triggers.keep", t.Keep, 1, 1_000_000, "")
	v.span("triggers.flush_every", t.FlushEvery, time.Millisecond, mostFlush)
	v.oneOf("clock.source", v.config.Clock.Source, ClockAuto, ClockSystem)
	v.span("clock.max_wait", v.config.Clock.MaxWait, 0, mostWait)
}

// mostHistory is the longest time of the charts. Then a bucket has 21 minutes.
const mostHistory = 7 * 24 * time.Hour

// mostSocketPath is the length of sun_path less its closing zero, unix(7).
const mostSocketPath = 107

func (v *validator) status() {
	s := v.config.Status
	v.endpointNames()
	if s.History != 0 {
		v.span("status.history", time.Duration(s.History), time.Hour, mostHistory)
	}
	if len(s.Socket) > mostSocketPath || strings.ContainsRune(s.Socket, 0) {
		v.fault("status.socket", "the path of a unix socket has at most %d bytes, this one %d; choose a shorter one",
			mostSocketPath, len(s.Socket))
	}
	if s.Listen == "" {
		return
	}
	host, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		v.fault("status.listen", `want "host:port" as in "127.0.0.1:8780", not %q`, clip(s.Listen))
		return
	}
	if !isPort(port) {
		v.fault("status.listen", "%q is not a port; want 0 to 65535, 0 for any that is free", clip(port))
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
		v.fault("status.listen", `want an IP address before the port, not %q: 127.0.0.1 for this gateway only, `+
			"0.0.0.0 for every address it has", clip(host))
	}
}

// endpointNames checks the host names and the certificate of the endpoint.
func (v *validator) endpointNames() {
	s := v.config.Status
	for i, name := range s.Hosts {
		_, err := netip.ParseAddr(name)
		if err != nil && (!hostForm().MatchString(name) || endsInNumber().MatchString(name)) {
			v.fault(fmt.Sprintf("status.hosts[%d]", i),
				"want a name as a browser has it in its address, without https:// and port, such as gw7.example.org, "+
					"not %q", clip(name))
		}
	}
	if (s.TLS.Cert == "") != (s.TLS.Key == "") {
		v.fault("status.tls", "cert and key go together: the key is the file of the certificate's private key")
	}
}

// isPort reports whether text is a TCP port in decimal.
func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == text
}
