package web

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"noi-agent/objects"
	"noi-agent/status/api"
	"noi-agent/status/wording"
)

// valueView is the value of an object, prepared for people.
type valueView struct {
	Object   string
	About    string    // meaning of the object; "": not known
	Key      string    // "rs485/1/adc_vbterm", for the script
	Path     string    // address of the object's page
	Shown    string    // the value, rounded; "–": there is none
	Exact    string    // the value as it is sent
	Unit     string    // unit of measurement; "": none
	Age      int64     // seconds since the reading; -1: there is no value
	At       time.Time // time of the reading
	Interval string    // log interval: "1 min"
	Late     bool      // older than three log intervals
	Alarm    bool      // a fault or an alarm is active
	Why      string    // why there is no value; "": there is one
	Group    string    // groupNow, groupTotals, groupToday or groupSettings
	Number   bool      // the value is a number
	Spark    markup    // small chart of the last 24 h; "": there is none
}

// The groups of a controller's values, in their order.
const (
	groupNow      = "Now"
	groupTotals   = "Totals"
	groupToday    = "Today"
	groupSettings = "Settings"
)

// valuesView is the data of the page of values: all values of one controller, or the results of a search.
type valuesView struct {
	frame
	Query  string       // the search; "": none
	Unit   string       // the controller that is shown, "rs485/1"; "": all controllers
	Others []controller // all controllers
	Units  []unitValues
	Found  int // number of values that match
	Hidden int // number of values that match and are not shown
}

// mostFound is the most values that a search shows. Ten controllers have 520.
const mostFound = 40

// unitValues are the values of a controller.
type unitValues struct {
	Controller controller
	Groups     []valueGroup
}

// valueGroup is a group of a controller's values.
type valueGroup struct {
	Name   string
	Values []valueView
}

// values shows the values of one controller, of the first one by default. A search without a controller covers all
// controllers.
func (s *Site) values(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r, "q", "unit") {
		return
	}
	v := &valuesView{frame: s.frame("Values", "/values")}
	v.Query, v.Unit = r.URL.Query().Get("q"), r.URL.Query().Get("unit")
	latest := s.o.Source.Objects().Objects
	v.Others = s.controllers(&v.Status, latest)
	switch {
	case v.Unit == "" && v.Query == "" && len(v.Others) > 0:
		v.Unit = v.Others[0].Unit
	case v.Unit != "" && !slices.ContainsFunc(v.Others, func(c controller) bool { return c.Unit == v.Unit }):
		s.say(w, http.StatusNotFound, "There is no such controller", "No controller "+v.Unit+" is configured.")
		return
	}
	for i := range v.Others {
		if c := &v.Others[i]; v.Unit == "" || c.Unit == v.Unit {
			s.addUnit(v, c, latest)
		}
	}
	s.render(w, http.StatusOK, v)
}

// addUnit adds the values of a controller that match the search.
func (s *Site) addUnit(v *valuesView, c *controller, latest []api.Latest) {
	u := unitValues{Controller: *c}
	for _, g := range grouped(s.valuesOf(c, latest), v.Query) {
		room := len(g.Values)
		if v.Query != "" {
			room = min(room, mostFound-(v.Found-v.Hidden))
		}
		v.Found, v.Hidden = v.Found+len(g.Values), v.Hidden+len(g.Values)-room
		if g.Values = g.Values[:room]; room > 0 {
			u.Groups = append(u.Groups, g)
		}
		for i := range g.Values {
			if value := &g.Values[i]; value.Number {
				value.Spark = s.dayOf(c, value.Object, smallColumns).Line
			}
		}
	}
	if len(u.Groups) > 0 || v.Query == "" {
		v.Units = append(v.Units, u)
	}
}

// valuesOf returns the objects of a controller: first those with a value, then those without one, with the reason.
func (s *Site) valuesOf(c *controller, latest []api.Latest) []valueView {
	var list []valueView
	seen := map[string]bool{}
	for i := range latest {
		if l := &latest[i]; l.Line == c.Line && l.UnitID == c.UnitID {
			seen[l.Object] = true
			list = append(list, s.valueOf(l, s.objectOf(c.Family, l.Object)))
		}
	}
	missing := maps.Clone(c.NoValue)
	if missing == nil {
		missing = map[string]string{}
	}
	for _, name := range c.Refused {
		missing[name] = "refused"
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		if !seen[name] {
			list = append(list, s.noValue(c, name, missing[name]))
		}
	}
	return list
}

// noValue returns an object without a value, and the reason.
func (s *Site) noValue(c *controller, name, reason string) valueView {
	o := s.objectOf(c.Family, name)
	v := valueView{
		Object: name, Key: c.Unit + "/" + name, Path: objectPath(c.Line, c.UnitID, name),
		Shown: "–", Age: -1, Why: reasonOfNone(reason), Group: groupNow,
	}
	if o != nil {
		v.About, v.Unit, v.Group = o.About, o.Unit, groupOf(o)
	}
	return v
}

// reasonOfNone returns in words why an object has no value. An unknown reason is returned unchanged.
func reasonOfNone(reason string) string {
	words, ok := map[string]string{
		"refused": "not on this model", "absent": "no sensor", "out_of_range": "out of range",
		"firmware": "not in this firmware", "not_a_number": "no number: no sensor?",
	}[reason]
	if !ok {
		return reason
	}
	return words
}

// valueOf prepares a value for people. o is the definition of the object, or nil.
func (s *Site) valueOf(l *api.Latest, o *objects.Object) valueView {
	exact, err := text(l.Value)
	if err != nil {
		exact = string(l.Value)
	}
	interval, _ := time.ParseDuration(l.Interval)
	v := valueView{
		Object: l.Object, Key: unitOf(l.Line, l.UnitID) + "/" + l.Object, Path: objectPath(l.Line, l.UnitID, l.Object),
		Shown: rounded(l.Value, l.Unit), Exact: exact, Unit: l.Unit, At: l.SampledAt, Age: l.AgeS,
		Interval: every(l.Interval), Late: interval > 0 && time.Duration(l.AgeS)*time.Second > 3*interval,
		Group:  groupNow,
		Number: isNumber(l.Value),
	}
	if o != nil {
		v.About, v.Group = o.About, groupOf(o)
		v.Alarm = o.Alarm && exact != "none" && exact != "false"
	}
	return v
}

// isNumber reports whether a value, given as JSON, is a number.
func isNumber(raw json.RawMessage) bool {
	var f float64
	return len(raw) > 0 && string(raw) != "null" && json.Unmarshal(raw, &f) == nil
}

// objectOf returns the definition of an object in its family; nil if there is none.
func (s *Site) objectOf(family, name string) *objects.Object {
	if s.o.Families == nil {
		return nil
	}
	f, ok := s.o.Families(family)
	if !ok {
		return nil
	}
	o, ok := f.Object(name)
	if !ok {
		return nil
	}
	return o
}

// groupOf returns the group of an object. Objects in holding registers or coils, and objects that are polled only if
// they are named, are settings. For the others, unit and meaning decide.
func groupOf(o *objects.Object) string {
	about := strings.ToLower(o.About)
	switch {
	case o.ByName || o.Table == objects.Holding || o.Table == objects.Coil:
		return groupSettings
	case strings.Contains(about, "today"), strings.Contains(o.Name, "_daily"):
		return groupToday
	case o.Unit == "Ah", o.Unit == "kWh", o.Unit == "h", strings.Contains(about, "total"):
		return groupTotals
	default:
		return groupNow
	}
}

// rank returns the place of a value in its group: active faults and alarms first, then the values of the overview,
// states, electrical values, and the rest.
func (v *valueView) rank() int {
	switch {
	case v.Alarm:
		return 0
	case slices.Contains(wording.BatteryVoltage(), v.Object), slices.Contains(wording.ChargeState(), v.Object),
		slices.Contains(wording.ArrayCurrent(), v.Object):
		return 1
	case !v.Number && v.Why == "":
		return 2
	case v.Unit == "V" || v.Unit == "A" || v.Unit == "W":
		return 3
	default:
		return 4
	}
}

// grouped returns the values that match the search, in groups. The search finds letters in name, meaning and value. An
// empty search matches all values.
func grouped(values []valueView, query string) []valueGroup {
	query = strings.ToLower(strings.TrimSpace(query))
	var groups []valueGroup
	for _, name := range []string{groupNow, groupTotals, groupToday, groupSettings} {
		g := valueGroup{Name: name}
		for _, v := range values {
			found := strings.Contains(strings.ToLower(v.Object+" "+v.About+" "+v.Exact), query)
			if v.Group == name && found {
				g.Values = append(g.Values, v)
			}
		}
		slices.SortStableFunc(g.Values, func(a, b valueView) int { return a.rank() - b.rank() })
		if len(g.Values) > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}
