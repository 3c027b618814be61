package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"noi-agent/status/api"
	"noi-agent/status/wording"
)

// overviewView is the data of the overview.
type overviewView struct {
	frame
	Sentence    sentence
	Problems    []problemView
	Controllers []controller
}

// problemView is a problem on the overview. Open is set if its details are shown at once.
type problemView struct {
	api.Problem
	Open    bool
	Waiting uint64 // samples that wait for the integration of the problem
	Zone    zone
}

// overview shows the first page.
func (s *Site) overview(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r) {
		return
	}
	v := &overviewView{frame: s.frame("Overview", "/")}
	v.Problems = problemsOf(&v.Status, v.Zone)
	v.Controllers = s.controllers(&v.Status, s.o.Source.Objects().Objects)
	for i := range v.Controllers {
		if c := &v.Controllers[i]; c.Battery != nil {
			c.Day = s.dayOf(c, c.Battery.Object, sparkColumns)
		}
	}
	v.Sentence = sentenceOf(&v.Status, v.Now.In(s.o.Zone))
	s.render(w, http.StatusOK, v)
}

// problemsOf sorts the problems by severity, and those of the same severity by their effect on the data, the worst
// first. The details of the first problem are shown at once, except if it is a notice.
func problemsOf(status *api.Status, z zone) []problemView {
	list := make([]problemView, 0, len(status.Problems))
	for _, p := range status.Problems {
		v := problemView{Problem: p, Zone: z}
		for i := range status.Integrations {
			if in := &status.Integrations[i]; in.ID == p.Subject {
				v.Waiting = in.Backlog
			}
		}
		list = append(list, v)
	}
	rank := []api.Severity{api.Fault, api.Warning, api.Notice}
	cost := []api.Effect{api.Lost, api.Delayed, api.None}
	slices.SortStableFunc(list, func(a, b problemView) int {
		return cmp.Or(cmp.Compare(slices.Index(rank, a.Severity), slices.Index(rank, b.Severity)),
			cmp.Compare(slices.Index(cost, a.Effect), slices.Index(cost, b.Effect)))
	})
	if len(list) > 0 && list[0].Severity != api.Notice {
		list[0].Open = true
	}
	return list
}

// nameOf returns the name of a problem's subject for people: the name of an integration, or name and unit of a
// controller. A subject without a name is returned unchanged.
func nameOf(status *api.Status, subject string) string {
	for i := range status.Integrations {
		if in := &status.Integrations[i]; in.ID == subject {
			return cmp.Or(in.Name, in.ID)
		}
	}
	for i := range status.Lines {
		for j := range status.Lines[i].Slaves {
			if sl := &status.Lines[i].Slaves[j]; unitOf(status.Lines[i].Name, sl.UnitID) == subject && sl.Slave != "" {
				return sl.Slave + " (" + subject + ")"
			}
		}
	}
	return subject
}

// unitOf returns the name of a slave in the API: "rs485/1".
func unitOf(line string, unit int) string { return fmt.Sprintf("%s/%d", line, unit) }

// controller is a slave with its most important values.
type controller struct {
	api.Slave
	Line    string
	Unit    string // "rs485/1"
	State   saying // of the slave, in words
	Battery *valueView
	Charge  *valueView
	Array   *valueView
	Day     day // history of the battery voltage; on the overview only
}

// controllers returns the slaves of all lines, with their most important values.
func (s *Site) controllers(status *api.Status, values []api.Latest) []controller {
	byUnit := map[string]map[string]*api.Latest{}
	for i := range values {
		unit := unitOf(values[i].Line, values[i].UnitID)
		if byUnit[unit] == nil {
			byUnit[unit] = map[string]*api.Latest{}
		}
		byUnit[unit][values[i].Object] = &values[i]
	}
	var list []controller
	for i := range status.Lines {
		l := &status.Lines[i]
		for j := range l.Slaves {
			c := controller{
				Slave: l.Slaves[j], Line: l.Name, Unit: unitOf(l.Name, l.Slaves[j].UnitID),
			}
			c.State = slaveState(status, c.Unit, c.Slave.State)
			known := byUnit[c.Unit]
			c.Battery = s.first(&c, known, wording.BatteryVoltage())
			c.Charge = s.first(&c, known, wording.ChargeState())
			c.Array = s.first(&c, known, wording.ArrayCurrent())
			list = append(list, c)
		}
	}
	return list
}

// first returns the value of the first of the named objects that has one; nil if none has.
func (s *Site) first(c *controller, known map[string]*api.Latest, names []string) *valueView {
	for _, name := range names {
		if l := known[name]; l != nil {
			v := s.valueOf(l, s.objectOf(c.Family, name))
			return &v
		}
	}
	return nil
}

// Answers reports whether the controller answers, so that its values are current.
func (c *controller) Answers() bool { return c.Slave.State == "ok" }

// About returns model and unit of the controller: "PS-PWM-30M · rs485/1".
func (c *controller) About() string {
	var parts []string
	if model := cmp.Or(c.ProductCode, c.Family); model != "" && model != c.Name() {
		parts = append(parts, model)
	}
	return strings.Join(append(parts, c.Unit), " · ")
}

// Name returns the name of the controller for people, or "unit 1" if it has no name.
func (c *controller) Name() string { return cmp.Or(c.Slave.Slave, "unit "+fmt.Sprint(c.UnitID)) }

// valuesPath returns the address of the page with the controller's values.
func (c *controller) valuesPath() string { return "/values?unit=" + url.QueryEscape(c.Unit) }

// objectPath returns the address of an object's page. It escapes names such as "T_ind[U]".
func objectPath(line string, unit int, object string) string {
	return fmt.Sprintf("/values/%s/%d/%s", url.PathEscape(line), unit, url.PathEscape(object))
}

// UplinkToday returns the bytes that all integrations sent and received today.
func (v *overviewView) UplinkToday() (n uint64) {
	for i := range v.Status.Integrations {
		n += v.Status.Integrations[i].Uplink.TodaySent + v.Status.Integrations[i].Uplink.TodayReceived
	}
	return n
}

// UplinkMonth returns the bytes that all integrations sent and received this month.
func (v *overviewView) UplinkMonth() (n uint64) {
	for i := range v.Status.Integrations {
		n += v.Status.Integrations[i].Uplink.MonthSent + v.Status.Integrations[i].Uplink.MonthReceived
	}
	return n
}
