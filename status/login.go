package status

import (
	"errors"
	"net/http"

	"noi-agent/status/api"
	"noi-agent/status/guard"
)

// routes lists the routes for logging in and out.
func (d *door) routes() []route {
	return []route{
		{"GET", "/api/v1/session", anyone, d.serveSession, ""},
		{"POST", "/api/v1/login", anyone, d.logIn, ""},
		{"POST", "/api/v1/logout", anyone, d.logOut, ""},
		{"POST", "/api/v1/login-code", socketOnly, d.newLoginCode, "noi-agent login"},
		{"POST", "/api/v1/token/rotate", socketOnly, d.rotateToken, "noi-agent token rotate"},
	}
}

// serveSession answers whether the client may change things.
func (d *door) serveSession(w http.ResponseWriter, r *http.Request) {
	by, err := d.who(r)
	if err != nil {
		failOr(w, r, err, http.StatusUnauthorized)
		return
	}
	sendJSON(w, r, sessionBy(by))
}

func sessionBy(by string) api.Session { return api.Session{MayChange: by != byNothing, By: by} }

// loginRequest is the body of POST /api/v1/login.
type loginRequest struct {
	Secret string `json:"secret"` // the admin token or a one-time code
}

// logIn gives the client a session.
func (d *door) logIn(w http.ResponseWriter, r *http.Request) {
	var q loginRequest
	if err := decodeStrictly(r.Body, &q, `{"secret":"TOKEN OR CODE"}`); err != nil {
		failWith(w, r, badBody(err))
		return
	}
	if err := d.LogIn(w, r, q.Secret); err != nil {
		failOr(w, r, err, http.StatusUnauthorized)
		return
	}
	sendJSON(w, r, sessionBy(bySession))
}

// logOut ends the client's session. A client without a session is already logged out.
func (d *door) logOut(w http.ResponseWriter, r *http.Request) {
	d.LogOut(w, r)
	sendJSON(w, r, sessionBy(byNothing))
}

// newLoginCode makes a one-time code. The code before it becomes invalid.
func (d *door) newLoginCode(w http.ResponseWriter, r *http.Request) {
	sendJSON(w, r, api.LoginCode{Code: d.keeper.NewCode(), ExpiresS: int(guard.CodeLife.Seconds())})
}

// rotateToken replaces the admin token, and ends all sessions. The answer does not have the token: a user with
// permission reads it in its file.
func (d *door) rotateToken(w http.ResponseWriter, r *http.Request) {
	if d.stateDir == "" {
		fail(w, r, http.StatusConflict, errNoStateDir.Error())
		return
	}
	token, err := guard.RotateToken(d.stateDir)
	if err != nil {
		fail(w, r, http.StatusInternalServerError, err.Error())
		return
	}
	sendJSON(w, r, api.TokenRotated{SessionsEnded: d.keeper.SetToken(token)})
}

var errNoStateDir = errors.New("the agent has no state directory to keep an admin token in")
