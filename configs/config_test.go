package configs_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"noi-agent/configs"
	"noi-agent/internal/strictyaml"
	"noi-agent/objects"
)

// loadCatalog reads the families once for all tests; a catalog does not change.
var loadCatalog = sync.OnceValues(func() (*objects.Catalog, error) { return objects.LoadCatalog() })

func mustCatalog(tb testing.TB) *objects.Catalog {
	tb.Helper()
	c, err := loadCatalog()
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func mustParse(tb testing.TB, text string) *configs.Config {
	tb.Helper()
	c, faults := configs.Parse([]byte(text), mustCatalog(tb))
	if err := faults.Err(); err != nil {
		tb.Fatalf("%v\nin\n%s", err, text)
	}
	return c
}

func mustFamily(tb testing.TB, slug string) *objects.Family {
	tb.Helper()
	f, ok := mustCatalog(tb).Family(slug)
	if !ok {
		tb.Fatalf("no family %s", slug)
	}
	return f
}

// site is a valid configuration: a line and a slave. Tests add keys to the slave.
func site(slave string) string {
	return "lines:\n- name: rs485\n  port: /dev/ttyUSB0\n  slaves:\n  - id: 1\n    " + slave + "\n"
}

func TestEmptyConfigurationHasTheDefaults(t *testing.T) {
	want := &configs.Config{
		StateDir: "/var/lib/noi-agent", FamiliesDir: "/etc/noi-agent/families.d",
		Log:      configs.Log{Level: "info", Format: "text"},
		Buffer:   configs.Buffer{MaxSize: 268435456, MaxAge: 720 * time.Hour, WhenFull: "drop_oldest", CommitEvery: time.Second},
		Triggers: configs.Triggers{Keep: 1000, FlushEvery: time.Minute},
		Status: configs.Status{Listen: "127.0.0.1:8780", Socket: "/run/noi-agent/agent.sock",
			History: configs.History(24 * time.Hour)},
		Clock: configs.Clock{Source: "auto", MaxWait: time.Hour},
	}
	for _, text := range []string{"", "# nothing yet\n", "log: {}\nbuffer: {}\ntriggers: {}\nstatus: {}\nclock: {}\nlines: []\nintegrations: []\n"} {
		got := mustParse(t, text)
		opts := cmp.Options{cmpopts.IgnoreUnexported(configs.Config{}, configs.Names{}), cmpopts.EquateEmpty()}
		if d := cmp.Diff(want, got, opts); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
}

func TestLineAndSlaveDefaults(t *testing.T) {
	c := mustParse(t, "lines:\n- {name: a, port: /dev/ttyS0, slaves: [{id: 247}]}\n")
	want := configs.Line{
		Name: "a", Enabled: true, Port: "/dev/ttyS0", Baud: 9600, DataBits: 8, Parity: "none", StopBits: 2, Timeout: 500 * time.Millisecond,
		RS485: "off", RS485Polarity: "high", Echo: "auto", LowLatency: "auto", TransactionID: "check",
		Slaves: []configs.Slave{{ID: 247, Model: "auto", ModelCheck: "check", Objects: configs.Names{All: true}}},
	}
	if d := cmp.Diff(want, c.Lines[0], cmpopts.IgnoreUnexported(configs.Names{})); d != "" {
		t.Error(d)
	}
	s := &c.Lines[0].Slaves[0]
	if _, ok := s.Family(mustCatalog(t)); ok || !s.Auto() {
		t.Error("a slave with model auto must be asked")
	}
}

func TestIntegrationDefaults(t *testing.T) {
	c := mustParse(t, `integrations:
- {type: aws, topic_arn: "arn:aws:sns:us-east-2:393221637266:Main.fifo"}
- {type: gcp, topic: projects/test-project/topics/Main}
- {type: gcp, topic: Other, project_id: test-project, attributes: none}
- {type: aws, name: x, enabled: false, region: cn-north-1, topic_arn: "arn:aws-cn:sns:cn-north-1:393221637266:Main", attributes: "object, unit"}
`)
	all := configs.Attributes{"object", "slave", "unit", "device_id", "sample_id"}
	want := []configs.Integration{
		{Enabled: true, Type: "aws", TopicARN: "arn:aws:sns:us-east-2:393221637266:Main.fifo", Region: "us-east-2"},
		{Enabled: true, Type: "gcp", Topic: "projects/test-project/topics/Main", ProjectID: "test-project", Attributes: all},
		{Enabled: true, Type: "gcp", Topic: "projects/test-project/topics/Other", ProjectID: "test-project"},
		{
			Type: "aws", Name: "x", TopicARN: "arn:aws-cn:sns:cn-north-1:393221637266:Main", Region: "cn-north-1",
			Attributes: configs.Attributes{"object", "unit"},
		},
	}
	for i := range want {
		want[i].Objects, want[i].Slaves = configs.Names{All: true}, configs.Names{All: true}
		want[i].CatchUp.Spread = 5 * time.Minute
		want[i].InFlight = 16
		want[i].When, want[i].Heartbeat, want[i].Envelope, want[i].Compress = "every", time.Hour, "single", "none"
	}
	opts := cmp.Options{cmpopts.IgnoreUnexported(configs.Names{}), cmpopts.IgnoreFields(configs.Integration{}, "ID")}
	if d := cmp.Diff(want, c.Integrations, opts); d != "" {
		t.Error(d)
	}
	if got := c.Integrations[0].Destination(); got != want[0].TopicARN {
		t.Error(got)
	}
	if got := c.Integrations[2].Destination(); got != "projects/test-project/topics/Other" {
		t.Error(got)
	}
}

// The ids were calculated by another program (Python's hashlib and big integers). So the test fails if the rule changes:
// with a new id each gateway has a new integration.
func TestIntegrationIDsAreDerivedFromNameOrTopic(t *testing.T) {
	const arn = "arn:aws:sns:us-east-2:393221637266:MainSolarData"
	tests := []struct{ yaml, want string }{
		{"name: main-solar, type: aws, topic_arn: '" + arn + "'", "T0UIAqIaG073JWWxrpaE"},
		{"name: main-solar, type: gcp, topic: projects/p/topics/Main", "T0UIAqIaG073JWWxrpaE"},
		{"type: aws, topic_arn: '" + arn + "'", "igecFwcOzCUq6etUjMiy"},
		{"type: gcp, topic: projects/test-project/topics/MainSolarData", "Z8qZ7pvg9p7BRdoVoByr"},
		{"type: gcp, topic: MainSolarData, project_id: test-project", "Z8qZ7pvg9p7BRdoVoByr"},
		{"id: FFjU28MMaL3W9B9hhhhH, name: x, type: gcp, topic: projects/p/topics/Main", "FFjU28MMaL3W9B9hhhhH"},
	}
	for _, tt := range tests {
		c := mustParse(t, "integrations:\n- {"+tt.yaml+"}\n")
		if got := c.Integrations[0].ID; got != tt.want {
			t.Errorf("%s: id %s, want %s", tt.yaml, got, tt.want)
		}
	}
}

func polledNames(p []configs.Polled) []string {
	var names []string
	for _, one := range p {
		names = append(names, one.Object.Name)
	}
	return names
}

func TestAllIsEverythingLiveAndUndisputed(t *testing.T) {
	f := mustFamily(t, "PSPWM")
	var live []string
	for i := range f.Objects {
		if o := &f.Objects[i]; !o.Setting() && len(o.Choices) == 0 {
			live = append(live, o.Name)
		}
	}
	for _, text := range []string{"model: PSPWM", "objects: all", `objects: "*"`, "objects: ['**']", "objects: [all]"} {
		s := &mustParse(t, site(text)).Lines[0].Slaves[0]
		if d := cmp.Diff(live, polledNames(s.Polled(f))); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
}

func TestSettingsArePolledOnlyByName(t *testing.T) {
	f := mustFamily(t, "PSPWM")
	tests := []struct {
		objects string
		want    []string
	}{
		{"adc_ia", []string{"adc_ia"}},
		{"EV_reg", []string{"EV_reg"}},
		{"[EV_float, adc_ia, adc_ia]", []string{"adc_ia", "EV_float"}}, // in the family's order, each once
		{"EV_eq*, adc_i*", []string{"adc_ia", "adc_il", "adc_ib_f_1m", "EV_eq"}},
	}
	for _, tt := range tests {
		s := &mustParse(t, site("objects: "+tt.objects)).Lines[0].Slaves[0]
		if d := cmp.Diff(tt.want, polledNames(s.Polled(f))); d != "" {
			t.Errorf("%s: %s", tt.objects, d)
		}
	}
	s := &mustParse(t, site("objects: all, EV_reg")).Lines[0].Slaves[0]
	got := polledNames(s.Polled(f))
	if !slices.Contains(got, "EV_reg") || !slices.Contains(got, "adc_ia") || slices.Contains(got, "EV_float") {
		t.Error(got)
	}
}

func TestDisputedObjectIsPolledOnceItsEncodingIsChosen(t *testing.T) {
	f := mustFamily(t, "PSPWM")
	s := &mustParse(t, site("encodings: {kWhc_t: u16}")).Lines[0].Slaves[0]
	polled := s.Polled(f)
	names := polledNames(polled)
	if slices.Contains(names, "kWhc_r") {
		t.Error("kWhc_r is polled although no encoding is chosen")
	}
	i := slices.Index(names, "kWhc_t")
	if i < 0 {
		t.Fatal("kWhc_t is not polled")
	}
	if o := polled[i].Object; o.Encoding != objects.U16 || o.Scale != 0.1 || len(o.Choices) != 0 {
		t.Errorf("%+v", o)
	}
	if o, _ := f.Object("kWhc_t"); len(o.Choices) == 0 {
		t.Error("the choice has changed the family")
	}
}

func TestIntervalsGoByNameThenByTheLongestPattern(t *testing.T) {
	f := mustFamily(t, "PSPWM")
	s := &mustParse(t, site(`intervals: {adc_vbterm: 10s, "*": 1h, "adc_*": 20s, "T_*": 10ms}`)).Lines[0].Slaves[0]
	want := map[string]time.Duration{
		"adc_vbterm": 10 * time.Second, "adc_ia": 20 * time.Second, "T_batt": 10 * time.Millisecond, "charge_state": time.Hour,
	}
	for _, p := range s.Polled(f) {
		if w, ok := want[p.Object.Name]; ok && p.Interval != w {
			t.Errorf("%s: %v, want %v", p.Object.Name, p.Interval, w)
		}
	}
	plain := &mustParse(t, site("model: PSPWM")).Lines[0].Slaves[0]
	for _, p := range plain.Polled(f) {
		if p.Interval != p.Object.Interval || p.Interval <= 0 {
			t.Errorf("%s: %v is not the family's", p.Object.Name, p.Interval)
		}
	}
}

func TestFamilyOfASlave(t *testing.T) {
	cat := mustCatalog(t)
	for _, keys := range []string{
		"model: PSPWM", "model: PS-PWM-30M", "product_code: PS-PWM-15", "product_code: PS-PWM-30M\n    firmware: v1",
	} {
		c := mustParse(t, site(keys))
		f, ok := c.Lines[0].Slaves[0].Family(cat)
		if !ok || f.Slug != "PSPWM" {
			t.Errorf("%s: no family", keys)
		}
	}
}

func TestWants(t *testing.T) {
	names := []string{"battery-shed", "PS-PWM-30M", "PSPWM"}
	tests := []struct {
		slaves, objects []string // nil: all
		object          string
		want            bool
	}{
		{nil, nil, "adc_ia", true},
		{nil, []string{"adc_ia"}, "adc_ia", true},
		{nil, []string{"adc_ia"}, "adc_il", false},
		{nil, []string{"T_*", "adc_i*"}, "adc_il", true},
		{nil, []string{"*"}, "EV_reg", true}, // all polled objects match, settings too
		{[]string{"rs485/1"}, nil, "adc_ia", true},
		{[]string{"rs485/2"}, nil, "adc_ia", false},
		{[]string{"rs485/11"}, nil, "adc_ia", false},
		{[]string{"other/1", "PS-PWM-30M"}, nil, "adc_ia", true},
		{[]string{"battery-shed"}, []string{"adc_ia"}, "adc_ia", true},
		{[]string{"battery-shed"}, []string{"adc_ia"}, "adc_il", false},
		{[]string{"ps-pwm-30m"}, nil, "adc_ia", false},
		{[]string{"*"}, nil, "adc_ia", false}, // patterns are for objects
	}
	for _, tt := range tests {
		in := configs.Integration{
			Slaves:  configs.Names{All: tt.slaves == nil, List: tt.slaves},
			Objects: configs.Names{All: tt.objects == nil, List: tt.objects},
		}
		if got := in.Wants("rs485", 1, names, tt.object); got != tt.want {
			t.Errorf("slaves %v, objects %v, %s: %v", tt.slaves, tt.objects, tt.object, got)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]configs.Size{
		"1": 1, "512KiB": 512 << 10, "256MiB": 256 << 20, "1GiB": 1 << 30, "10MB": 10e6, "3kB": 3000, "2GB": 2e9, "7B": 7,
		"8589934591GiB": 8589934591 << 30,
	} {
		var s configs.Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s: %d, %v", text, s, err)
		}
		var again configs.Size
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%s prints as %s: %v", text, s, err)
		}
	}
	for _, text := range []string{"", "-1", "1.5MiB", "010", "1 MiB", "MiB", "1mib", "1TB", "0x10", "9223372036854775808", "8589934592GiB"} {
		if err := new(configs.Size).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was accepted, want an error", text)
		}
	}
}

func TestNotices(t *testing.T) {
	two := func(a, b string) string {
		return "lines:\n- name: x\n  port: p\n  slaves:\n  - {id: 1" + a + "}\n  - {id: 2" + b + "}\n"
	}
	tests := []struct{ yaml, want string }{
		{"lines: []", "lines[0-9.]*: no line is configured"},
		{"lines:\n- {name: a, port: b}", "^line 2: lines.0.: the line has no slaves"},
		{two("", ""), "^line 6: lines.0..slaves.1.: x/1 and x/2 may publish under the same `slave`"},
		{two(", model: PSPWM", ", product_code: PS-PWM-30M"), "^line 6: .* may publish under the same"},
		{two(", name: a", ", name: a"), "^line 6: .* may publish under the same"},
		{two(", name: a", ", name: b"), ""},
		{two(", name: a", ""), ""},
		{two(", product_code: PS-PWM-30M", ", product_code: PS-PWM-15"), ""},
		{site("model: PSPWM") + "integrations:\n- {type: gcp, topic: projects/p/topics/abc, objects: 'EV_*'}", `^line 8: integrations.0..objects: no slave of this integration polls anything that "EV_\*" matches`},
		{site("model: PSPWM") + "integrations:\n- {type: gcp, topic: projects/p/topics/abc, envelope: batch, compress: gzip}", `^line 8: integrations.0..compress: requests to Pub/Sub travel packed already, and base64`},
	}
	for _, tt := range tests {
		var got []string
		for _, n := range mustParse(t, tt.yaml).Notices() {
			got = append(got, n.Error())
		}
		text := strings.Join(got, "\n")
		if (tt.want == "") != (text == "") || !regexp.MustCompile(tt.want).MatchString(text) {
			t.Errorf("%s\ngives %q, want %q", tt.yaml, text, tt.want)
		}
	}
}

func TestLogLevels(t *testing.T) {
	for word, want := range map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError} {
		if got := mustParse(t, "log: {level: "+word+"}").Log.SlogLevel(); got != want {
			t.Errorf("%s: %v", word, got)
		}
	}
}

func TestLoadSaysWhatIsWrongWithTheFile(t *testing.T) {
	cat := mustCatalog(t)
	dir := t.TempDir()
	_, err := configs.Load(filepath.Join(dir, "none.yaml"), cat)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "--config FILE") || !strings.Contains(err.Error(), "config.yaml.example") {
		t.Errorf("missing file: %v", err)
	}
	if _, err = configs.Load(dir, cat); err == nil || !strings.Contains(err.Error(), "read the configuration: ") {
		t.Errorf("directory: %v", err)
	}
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte("state_dir: x\nlog: {level: loud}\n\nbuffer: {max_size: 0}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = configs.Load(file, cat)
	var typed *configs.Error
	var faults strictyaml.Faults
	if !errors.As(err, &typed) || !errors.As(err, &faults) || len(faults) != 2 {
		t.Fatalf("got %v", err)
	}
	want := file + `:2: log.level: "loud" is not known; want debug, info, warn or error` + "\n" +
		file + ":4: buffer.max_size: want more than 0; without room no sample reaches a cloud"
	if d := cmp.Diff(want, err.Error()); d != "" {
		t.Error(d)
	}
}

func TestExamplesAreValid(t *testing.T) {
	// With model: auto the three controllers could have the same product code. The simulated ones of demo-many.yaml do not.
	for name, notices := range map[string]int{"noi-agent.yaml": 0, "demo.yaml": 0, "demo-many.yaml": 2} {
		c, err := configs.Load(name, mustCatalog(t))
		if err != nil {
			t.Fatal(err)
		}
		if n := c.Notices(); len(n) != notices {
			t.Errorf("%s: %v", name, n)
		}
	}
}

func TestExampleHasOneCloudAndShowsTheOther(t *testing.T) {
	one, err := configs.Load("noi-agent.yaml", mustCatalog(t))
	if err != nil || len(one.Integrations) != 1 {
		t.Fatalf("%+v, %v; want one integration: a user with one cloud need not delete the other one", one.Integrations, err)
	}
	both, faults := configs.Parse(wholeExample(t), mustCatalog(t))
	if len(faults) > 0 || len(both.Integrations) != 2 || both.Integrations[1].Type != configs.GCP {
		t.Errorf("without the comment signs: %v, %d integrations", faults, len(both.Integrations))
	}
}

func TestExampleStatesTheDefaults(t *testing.T) {
	c, err := configs.Load("noi-agent.yaml", mustCatalog(t))
	if err != nil {
		t.Fatal(err)
	}
	line := configs.Line{}
	line.SetDefaults()
	given := c.Lines[0]
	line.Name, line.Port, line.Slaves = given.Name, given.Port, given.Slaves
	if d := cmp.Diff(line, given, cmpopts.IgnoreUnexported(configs.Names{})); d != "" {
		t.Errorf("a line of the example has other values than the defaults in its comments: %s", d)
	}
	plain := mustParse(t, "")
	c.Lines, c.Integrations = nil, nil
	if d := cmp.Diff(plain, c, cmpopts.IgnoreUnexported(configs.Config{})); d != "" {
		t.Errorf("the example has other values than the defaults in its comments: %s", d)
	}
}

// wholeExample returns the example with its second integration, which is commented out in the file.
func wholeExample(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("noi-agent.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^  #([- ] )`).ReplaceAll(text, []byte("  $1"))
}

// optional matches a key that the example has as a comment: a # directly before its name.
var optional = regexp.MustCompile(`(?m)^( *)#([a-z_]+:)`)

func TestExampleKeysThatAreCommentedOutAreValidToo(t *testing.T) {
	text := wholeExample(t)
	if n := len(optional.FindAll(text, -1)); n != 16 {
		t.Errorf("%d optional keys, want 16: does one have a blank after its #?", n)
	}
	whole := optional.ReplaceAll(text, []byte("$1$2"))
	_, faults := configs.Parse(whole, mustCatalog(t))
	if err := faults.Err(); err != nil {
		t.Error(err)
	}
	// Each key is also tested alone: it must not need another key.
	for _, at := range optional.FindAllIndex(text, -1) {
		one := slices.Concat(text[:at[0]], optional.ReplaceAll(text[at[0]:at[1]], []byte("$1$2")), text[at[1]:])
		if _, faults := configs.Parse(one, mustCatalog(t)); len(faults) > 0 {
			t.Errorf("%s alone: %v", text[at[0]:at[1]], faults)
		}
	}
}

func TestExampleShowsEveryKey(t *testing.T) {
	text := wholeExample(t)
	whole := optional.ReplaceAll(text, []byte("$1$2"))
	doc, faults := strictyaml.Decode(whole, new(configs.Config))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for _, path := range keysOf(reflect.TypeFor[configs.Config](), "") {
		second := strings.Replace(path, "integrations[0]", "integrations[1]", 1)
		if !doc.Has(path) && !doc.Has(second) {
			t.Errorf("%s is not in the example", path)
		}
	}
}

// keysOf lists the key paths of a struct, lists by their first item.
func keysOf(t reflect.Type, path string) []string {
	switch {
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return keysOf(t.Elem(), strictyaml.Index(path, 0))
	case t.Kind() != reflect.Struct || t == reflect.TypeFor[configs.Names]():
		return []string{path}
	}
	var paths []string
	for i := range t.NumField() {
		if key, ok := t.Field(i).Tag.Lookup("yaml"); ok {
			paths = append(paths, keysOf(t.Field(i).Type, strictyaml.Key(path, key))...)
		}
	}
	return paths
}
