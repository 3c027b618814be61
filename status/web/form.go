package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"noi-agent/status/api"
)

// field is one input field of the form of an integration.
type field struct {
	Name    string // the key in the configuration
	Label   string
	Hint    string
	Value   string // as a person typed it
	Error   string // "": none
	List    bool   // the value is a comma-separated list
	Pattern string // example inside the empty field
}

// fieldsOf returns the fields for a type of integration, aws or gcp: the ones that are always shown, and the ones under
// More.
func fieldsOf(cloudType string) (main, more []field) {
	main = []field{
		{Name: "name", Label: "Name",
			Hint: "What you call it. It can be changed later. Left empty: its id."},
		{Name: "objects", Label: "Objects", List: true,
			Hint: "Comma separated: all, names, or patterns such as T_*. Left empty: all."},
	}
	more = []field{
		{Name: "slaves", Label: "Slaves", Hint: "Comma separated: all, line/unit id, names or product codes.",
			List: true},
		{Name: "publish_every", Label: "Publish every", Hint: "0s sends at once; 10m collects, for metered links."},
		{Name: "attributes", Label: "Attributes", List: true,
			Hint: "Comma separated: object, slave, unit, device_id, sample_id."},
	}
	if cloudType == "gcp" {
		main = append(main,
			field{Name: "project_id", Label: "Project ID", Hint: "The id, not the name: test-project."},
			field{Name: "topic", Label: "Topic", Hint: "projects/test-project/topics/MainSolarData, or its bare name."})
		return main, append(more, field{Name: "endpoint", Label: "Endpoint", Hint: "Empty: Google's own."},
			field{Name: "credentials_file", Label: "Credentials file", Hint: "A path on the gateway."})
	}
	main = append(main,
		field{Name: "topic_arn", Label: "Topic ARN",
			Hint: "For example arn:aws:sns:us-east-2:393221637266:MainSolarData"},
		field{Name: "region", Label: "Region", Hint: "Left empty, it is taken from the ARN."})
	return main, append(more, field{Name: "profile", Label: "Profile",
		Hint: "An AWS shared profile; empty: the default."},
		field{Name: "endpoint", Label: "Endpoint", Hint: "Empty: Amazon's own."})
}

// formView is the data of the page with the form of an integration.
type formView struct {
	frame
	Cloud    string
	ID       string // "": a new integration
	ETag     string // version of the integration that the form began with
	Heading  string
	Fields   []field
	More     []field
	MoreOpen bool
	Rest     []string              // errors that belong to no field of the form
	Faults   int                   // number of all errors
	Offers   []offer               // objects to choose from
	Cost     *api.IntegrationCost  // nil: not known
	Tests    bool                  // the page shows the steps of a test without saving
	Newer    *api.IntegrationEntry // the active integration, if it was changed since the form was opened; else nil
	Locked   *api.Error            // why a login is needed; nil: it is not
	typed    map[string]any        // the whole configuration: what was typed, and the keys that the form does not have
}

// offer is an object that an integration may name.
type offer struct{ Name, About, Interval string }

// offers lists the objects that have a value now, each name once.
func (s *Site) offers(status *api.Status) []offer {
	families := map[string]string{}
	for i := range status.Lines {
		for j := range status.Lines[i].Slaves {
			families[unitOf(status.Lines[i].Name, status.Lines[i].Slaves[j].UnitID)] = status.Lines[i].Slaves[j].Family
		}
	}
	var list []offer
	seen := map[string]bool{}
	for _, l := range s.o.Source.Objects().Objects {
		if seen[l.Object] {
			continue
		}
		seen[l.Object] = true
		o := offer{Name: l.Object, Interval: every(l.Interval)}
		if def := s.objectOf(families[unitOf(l.Line, l.UnitID)], l.Object); def != nil {
			o.About = def.About
		}
		list = append(list, o)
	}
	return list
}

// form returns the form, filled with a configuration. Objects that the configuration names are first in the list of
// offers.
func (s *Site) form(cloudType, id, etag string, config map[string]any) *formView {
	v := &formView{frame: s.frame("", "/integrations/aws"), Cloud: cloudType, ID: id, ETag: etag, typed: config}
	v.Refresh = false
	v.Heading = "New " + cloud(cloudType) + " integration"
	if id != "" {
		v.Heading = cloud(cloudType) + " integration"
	}
	v.Title = v.Heading
	if id != "" {
		v.Title += " " + nameOf(&v.Status, id)
	}
	v.Fields, v.More = fieldsOf(cloudType)
	for _, list := range [][]field{v.Fields, v.More} {
		for i := range list {
			list[i].Value = typedText(config[list[i].Name])
		}
	}
	v.Offers = s.offers(&v.Status)
	ticked := typedText(config["objects"])
	slices.SortStableFunc(v.Offers, func(a, b offer) int { return a.rank(ticked) - b.rank(ticked) })
	return v
}

// rank returns 0 for an object whose name is in the comma-separated list, and 1 for all others.
func (o *offer) rank(ticked string) int {
	for word := range strings.SplitSeq(ticked, ",") {
		if strings.TrimSpace(word) == o.Name {
			return 0
		}
	}
	return 1
}

// typedText returns a value of a configuration as a person would type it: a text, or a list with commas. Other values
// become "".
func typedText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []any:
		words := make([]string, len(v))
		for i := range v {
			words[i], _ = v[i].(string)
		}
		return strings.Join(words, ", ")
	default:
		return ""
	}
}

// blame shows each error of err at its field. Errors that belong to no field of the form go to Rest.
func (v *formView) blame(err error) {
	var e *api.Error
	if !errors.As(err, &e) {
		v.Rest, v.Faults = []string{err.Error()}, 1
		return
	}
	for _, f := range e.Errors {
		if !v.blameField(f) {
			v.Rest = append(v.Rest, strings.TrimPrefix(strings.TrimPrefix(f.Pointer, "#"), "/")+": "+f.Detail)
		}
		v.Faults++
	}
	if len(e.Errors) == 0 {
		v.Rest, v.Faults = append(v.Rest, e.Detail), 1
	}
}

func (v *formView) blameField(f api.FieldError) bool {
	key, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(f.Pointer, "#"), "/"), "/")
	for n, list := range [][]field{v.Fields, v.More} {
		for i := range list {
			if list[i].Name == key {
				list[i].Error = strings.TrimSpace(list[i].Error + " " + ended(f.Detail) + " " + ended(f.Hint))
				v.MoreOpen = v.MoreOpen || n == 1
				return true
			}
		}
	}
	return false
}

// ended makes a text into a sentence, with a capital letter and a full stop.
func ended(text string) string {
	if text == "" {
		return ""
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}

// typedConfig returns a configuration with the values of a form. Keys that the form does not have are copied from over,
// the configuration that is being edited; nil for a new integration.
func typedConfig(r *http.Request, cloudType string, over map[string]any) map[string]any {
	config := map[string]any{}
	for key, value := range over {
		config[key] = value
	}
	config["type"] = cloudType
	main, more := fieldsOf(cloudType)
	for _, f := range append(main, more...) {
		text := strings.TrimSpace(r.PostFormValue(f.Name))
		switch {
		case f.List && text == "" && f.Name == "attributes":
			if _, was := over["attributes"]; was {
				config["attributes"] = []any{}
			}
		case text == "":
			delete(config, f.Name)
		case f.List:
			config[f.Name] = listed(text)
		default:
			config[f.Name] = text
		}
	}
	return config
}

// listed splits a comma-separated list.
func listed(text string) []any {
	var words []any
	for _, word := range strings.Split(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words
}

// loose returns a configuration as a map by the keys of its JSON.
func loose(c api.IntegrationConfig) (map[string]any, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	return m, json.Unmarshal(raw, &m)
}

func (s *Site) newForm(cloudType string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.accepts(w, r) {
			s.render(w, http.StatusOK, s.form(cloudType, "", "", map[string]any{"objects": "all"}))
		}
	}
}

func (s *Site) editForm(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r) {
		return
	}
	entry, err := s.o.Integrations.Get(r.PathValue("id"))
	if err != nil {
		s.fail(w, err)
		return
	}
	if entry.Locked {
		s.sayLocked(w, &entry)
		return
	}
	config, err := loose(entry.Config)
	if err != nil {
		s.fail(w, err)
		return
	}
	v := s.form(entry.Config.Type, entry.Config.ID, entry.ETag, config)
	v.Cost = &entry.Cost
	s.render(w, http.StatusOK, v)
}

func (s *Site) lockedNew(cloudType string) func(http.ResponseWriter, *http.Request, *api.Error) {
	return func(w http.ResponseWriter, r *http.Request, why *api.Error) {
		v := s.form(cloudType, "", "", typedConfig(r, cloudType, nil))
		v.Locked = why
		s.render(w, why.Status, v)
	}
}

func (s *Site) lockedEdit(w http.ResponseWriter, r *http.Request, why *api.Error) {
	entry, err := s.o.Integrations.Get(r.PathValue("id"))
	if err != nil {
		s.fail(w, err)
		return
	}
	v := s.form(entry.Config.Type, entry.Config.ID, r.PostFormValue("etag"), typedConfig(r, entry.Config.Type, nil))
	v.Locked = why
	s.render(w, why.Status, v)
}

func (s *Site) submitNew(cloudType string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.submit(w, r, s.form(cloudType, "", "", typedConfig(r, cloudType, nil)))
	}
}

func (s *Site) submitEdit(w http.ResponseWriter, r *http.Request) {
	entry, err := s.o.Integrations.Get(r.PathValue("id"))
	if err != nil {
		s.fail(w, err)
		return
	}
	over, err := loose(entry.Config)
	if err != nil {
		s.fail(w, err)
		return
	}
	config := typedConfig(r, entry.Config.Type, over)
	s.submit(w, r, s.form(entry.Config.Type, entry.Config.ID, r.PostFormValue("etag"), config))
}

// submit tests the configuration or saves it, as the pressed button says.
func (s *Site) submit(w http.ResponseWriter, r *http.Request, v *formView) {
	body, err := json.Marshal(v.typed)
	if err != nil {
		s.fail(w, err)
		return
	}
	if r.PostFormValue("do") == "test" {
		s.tryOut(w, r, v, body)
		return
	}
	var entry api.IntegrationEntry
	if v.ID == "" {
		entry, err = s.o.Integrations.Create(r.Context(), body)
	} else {
		entry, err = s.o.Integrations.Replace(r.Context(), v.ID, v.ETag, body)
	}
	if err != nil {
		s.refuseForm(w, v, err)
		return
	}
	done := "active"
	if !entry.Config.Enabled {
		done = "saved"
	}
	s.back(w, r, entry.Config.Type, done, entry.Config.ID)
}

// tryOut tests the configuration in the form. It saves nothing.
func (s *Site) tryOut(w http.ResponseWriter, r *http.Request, v *formView, body []byte) {
	preview, err := s.o.Integrations.Preview(v.ID, body)
	if err != nil {
		s.refuseForm(w, v, err)
		return
	}
	v.Cost = &preview.Cost
	v.Tests = true
	s.try(w, r, v.ID, body, v)
}

// refuseForm shows the form again, with everything that was typed and the errors. If another person has changed the
// integration meanwhile, it shows both versions.
func (s *Site) refuseForm(w http.ResponseWriter, v *formView, err error) {
	status := http.StatusInternalServerError
	var e *api.Error
	if errors.As(err, &e) {
		status = e.Status
	}
	if status == http.StatusPreconditionFailed {
		if entry, err := s.o.Integrations.Get(v.ID); err == nil {
			v.Newer, v.ETag = &entry, entry.ETag
			v.MoreOpen = len(v.differing(v.More)) > 0
			s.render(w, http.StatusConflict, v)
			return
		}
	}
	v.blame(err)
	v.Title = "Error: " + v.Title
	s.render(w, status, v)
}

// newerValue returns the value that a field has in the active integration, which was changed meanwhile.
func (v *formView) newerValue(f field) string {
	config, err := loose(v.Newer.Config)
	if err != nil {
		return err.Error()
	}
	return cmp.Or(typedText(config[f.Name]), "–")
}

// differing returns the fields whose value differs from the one in the active integration.
func (v *formView) differing(fields []field) []field {
	var list []field
	for _, f := range fields {
		if cmp.Or(f.Value, "–") != v.newerValue(f) {
			list = append(list, f)
		}
	}
	return list
}

// Action returns the address to which the browser sends the form.
func (v *formView) Action() string {
	if v.ID == "" {
		return at("integrations", v.Cloud, "new")
	}
	return at("integrations", v.ID, "edit")
}
