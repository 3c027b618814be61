package web

import (
	"errors"
	"net/http"
	"strings"

	"noi-agent/status/api"
)

// loginView is the data of the login page.
type loginView struct {
	frame
	Wrong    string // error of the last try; "": none
	LoggedIn bool
	Ended    bool   // there was a session, and it has ended
	Next     string // address to go to after the login
}

// loginPages has the handlers for logging in and out.
type loginPages struct{ *Site }

// pages lists them.
func (s loginPages) pages() []Page {
	if s.o.Keeper == nil {
		return nil
	}
	return []Page{
		{Method: "GET", Path: "/login", Handler: s.login, Open: true},
		{Method: "POST", Path: "/login", Handler: s.logIn, Open: true},
		{Method: "POST", Path: "/logout", Handler: s.logOut, Open: true},
	}
}

func (s loginPages) login(w http.ResponseWriter, r *http.Request) {
	if s.accepts(w, r, "next", "ended") {
		s.renderLogin(w, http.StatusOK, &loginView{LoggedIn: s.o.Keeper.LoggedIn(r),
			Next: local(r.URL.Query().Get("next")), Ended: r.URL.Query().Get("ended") == "true"})
	}
}

func (s loginPages) renderLogin(w http.ResponseWriter, status int, v *loginView) {
	v.frame = s.frame("Log in", "")
	v.Refresh = false
	s.render(w, status, v)
}

func (s loginPages) logIn(w http.ResponseWriter, r *http.Request) {
	next := local(r.PostFormValue("next"))
	err := s.o.Keeper.LogIn(w, r, strings.TrimSpace(r.PostFormValue(SecretField)))
	if err == nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	status := http.StatusUnauthorized
	var e *api.Error
	if errors.As(err, &e) {
		status = e.Status
	}
	s.renderLogin(w, status, &loginView{Wrong: err.Error(), Next: next})
}

func (s loginPages) logOut(w http.ResponseWriter, r *http.Request) {
	s.o.Keeper.LogOut(w, r)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// local returns an address on this site unchanged. For any other address it returns the overview's.
func local(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n") {
		return "/"
	}
	return path
}
