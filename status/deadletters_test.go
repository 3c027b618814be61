package status_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"noi-agent/status"
	"noi-agent/status/api"
)

// lettersWorld has one integration, "x". It records the calls.
type lettersWorld struct{ did string }

func (w *lettersWorld) DeadLetters(id string) (api.DeadLetters, error) {
	if id != "" && id != "x" {
		return api.DeadLetters{}, api.NewError(http.StatusNotFound, fmt.Sprintf("no such integration: %q", id), "")
	}
	return api.DeadLetters{DeadLetters: []api.Trigger{{ID: 17, State: api.StateSetAside, CompletedAt: "2022-06-28T08:20:29.000Z"}}}, nil
}

func (w *lettersWorld) RetryDeadLetters(_ context.Context, id string, ids []uint64, report func(any) error) error {
	w.did += fmt.Sprint("retry ", id, ids)
	return report(api.Replay{State: "done"})
}

func (w *lettersWorld) DropDeadLetters(id string, ids []uint64) (int, error) {
	w.did += fmt.Sprint("drop ", id, ids)
	_, err := w.DeadLetters(id)
	return len(ids), err
}

func TestDeadLettersAreReadByAllAndTouchedOverTheSocketOnly(t *testing.T) {
	w := &lettersWorld{}
	o := options(quiet())
	o.Socket, o.DeadLetters = shortDir(t)+"/agent.sock", w
	s := status.New(o)
	serve(t, s)
	const path = "http://agent/api/v1/deadletters"
	overTCP := "http://" + s.Addr() + "/api/v1/deadletters"
	for _, c := range []struct {
		method, url, body string
		code              int
		want              string // part of the answer
		did               string
	}{
		{"GET", overTCP + "?integration=x", "", http.StatusOK, `{"dead_letters":[{"id":17,`, ""},
		{"GET", path, "", http.StatusOK, `{"dead_letters":[{"id":17,`, ""},
		{"GET", path + "?integration=y", "", http.StatusNotFound, "no such integration", ""},
		{"GET", path + "?limit=3", "", http.StatusBadRequest, "one parameter is known", ""},
		{"POST", path + "/retry", `{"integration":"x","ids":[17,18]}`, http.StatusOK, `"state":"done"`, "retry x[17 18]"},
		{"POST", path + "/drop", `{"integration":"x","ids":[17]}`, http.StatusOK, `{"dropped":1}`, "drop x[17]"},
		{"POST", path + "/drop", `{"integration":"y"}`, http.StatusNotFound, "no such integration", "drop y[]"},
		{"POST", path + "/drop", `{"integration":"x","id":17}`, http.StatusBadRequest, "id", ""},
		{"POST", path + "/retry", `{"ids":[17]}`, http.StatusBadRequest, "integration: want", ""},
		{"POST", overTCP + "/retry", `{"integration":"x"}`, http.StatusUnauthorized, "Log in to change things.", ""},
		{"POST", overTCP + "/drop", `{"integration":"x"}`, http.StatusUnauthorized, "Log in to change things.", ""},
		{"GET", path + "/drop", "", http.StatusMethodNotAllowed, "", ""},
	} {
		w.did = ""
		socket := o.Socket
		if strings.HasPrefix(c.url, overTCP) {
			socket = ""
		}
		var a answer
		if c.method == "POST" {
			a = post(t, client(socket), c.url, c.body)
		} else {
			a = ask(t, client(socket), c.method, c.url, nil)
		}
		if a.code != c.code || w.did != c.did {
			t.Errorf("%s %s %s: %d, did %q: %s", c.method, c.url, c.body, a.code, w.did, a.body)
		}
		mustContain(t, a.body, c.want)
	}
}

// The page and the API do the same for the same filter and count.
func TestSetAsidePageAsksTheAgent(t *testing.T) {
	w := &lettersWorld{}
	o := options(quiet())
	o.Socket, o.DeadLetters = shortDir(t)+"/agent.sock", w
	s := status.New(o)
	serve(t, s)
	c := client(o.Socket)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, form := range []struct {
		path, expect string
		code         int
		did          string
	}{
		{"retry", "1", http.StatusSeeOther, "retry x[17]"},
		{"retry", "2", http.StatusConflict, ""},
		{"drop", "2", http.StatusConflict, ""},
		{"drop", "1", http.StatusSeeOther, "drop x[17]"},
	} {
		w.did = ""
		a, err := c.PostForm("http://agent/system/set-aside/"+form.path, url.Values{"integration": {"x"}, "expect": {form.expect}})
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.StatusCode != form.code || w.did != form.did {
			t.Errorf("%+v: %d, did %q", form, a.StatusCode, w.did)
		}
	}
}

// manyLetters has three dead letters of two objects.
type manyLetters struct{ lettersWorld }

func (w *manyLetters) DeadLetters(string) (api.DeadLetters, error) {
	row := func(id uint64, at, object string) api.Trigger {
		return api.Trigger{ID: id, IntegrationID: "x", State: api.StateSetAside, CompletedAt: at,
			PublishedData: json.RawMessage(`{"object":"` + object + `"}`)}
	}
	return api.DeadLetters{DeadLetters: []api.Trigger{
		row(17, "2022-06-28T08:20:00.000Z", "adc_vbterm"), row(18, "2022-06-28T08:21:00.000Z", "T_amb"), row(19, "2022-06-28T08:22:00.000Z", "T_hs"),
	}}, nil
}

// TestDeadLettersAreChosenByAFilterAndCounted: a filter that matches nothing does nothing, although an empty list
// means all for the agent. If the number has changed, nothing is done.
func TestDeadLettersAreChosenByAFilterAndCounted(t *testing.T) {
	w := &manyLetters{}
	o := options(quiet())
	o.Socket, o.DeadLetters = shortDir(t)+"/agent.sock", w
	s := status.New(o)
	serve(t, s)
	for _, c := range []struct {
		filter string // in addition to the integration
		code   int
		ids    string // chosen; "": nothing is done
	}{
		{``, http.StatusOK, "[]"}, // an empty list means all for the agent
		{`,"object":"T_*"`, http.StatusOK, "[18 19]"},
		{`,"object":"T_hs"`, http.StatusOK, "[19]"},
		{`,"object":"*","ids":[17,18]`, http.StatusOK, "[17 18]"},
		{`,"from":"2022-06-28T08:21:00Z"`, http.StatusOK, "[18 19]"},
		{`,"to":"2022-06-28T08:21:00Z"`, http.StatusOK, "[17]"},
		{`,"object":"T_*","to":"2022-06-28T08:22:00Z"`, http.StatusOK, "[18]"},
		{`,"object":"adc_ib"`, http.StatusOK, ""},
		{`,"expect":3`, http.StatusOK, "[17 18 19]"},
		{`,"object":"T_*","expect":2`, http.StatusOK, "[18 19]"},
		{`,"object":"T_*","expect":3`, http.StatusConflict, ""},
		{`,"ids":[17],"expect":0`, http.StatusConflict, ""},
		{`,"object":"adc_ib","expect":0`, http.StatusOK, ""},
		{`,"from":"yesterday"`, http.StatusBadRequest, ""},
		{`,"expect":"2"`, http.StatusBadRequest, ""},
	} {
		for _, act := range []string{"retry", "drop"} {
			w.did = ""
			a := post(t, client(o.Socket), "http://agent/api/v1/deadletters/"+act, `{"integration":"x"`+c.filter+`}`)
			want := ""
			if c.ids != "" {
				want = act + " x" + c.ids
			}
			if a.code != c.code || w.did != want {
				t.Errorf("%s %s: %d, did %q, want %d %q: %s", act, c.filter, a.code, w.did, c.code, want, a.body)
			}
			if c.code == http.StatusConflict {
				mustContain(t, a.body, "messages are set aside by this filter now", "nothing was done")
			}
		}
	}
}
