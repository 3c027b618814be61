package status

import (
	"errors"
	"net/http"

	"noi-agent/status/api"
	"noi-agent/status/guard"
)

// doorRoutes are those with which one logs in and out.
func (s *Server) doorRoutes() []route {
	return []route{
		{"GET", "/api/v1/session", anyone, s.serveSession, ""},
		{"POST", "/api/v1/login", anyone, s.logIn, ""},
		{"POST", "/api/v1/logout", anyone, s.logOut, ""},
		{"POST", "/api/v1/login-code", socketOnly, s.newLoginCode, "noi-agent login"},
		{"POST", "/api/v1/token/rotate", socketOnly, s.rotateToken, "noi-agent token rotate"},
	}
}

// serveSession says whether the client may change things.
func (s *Server) serveSession(w http.ResponseWriter, r *http.Request) {
	by, err := s.door.who(r)
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
func (s *Server) logIn(w http.ResponseWriter, r *http.Request) {
	var q loginRequest
	if err := decodeStrictly(r.Body, &q, `{"secret":"TOKEN OR CODE"}`); err != nil {
		fail(w, r, bodyStatus(err), err.Error())
		return
	}
	if err := s.door.LogIn(w, r, q.Secret); err != nil {
		failOr(w, r, err, http.StatusUnauthorized)
		return
	}
	sendJSON(w, r, sessionBy(bySession))
}

// logOut ends the client's session. One who has none is logged out already.
func (s *Server) logOut(w http.ResponseWriter, r *http.Request) {
	s.door.LogOut(w, r)
	sendJSON(w, r, sessionBy(byNothing))
}

// newLoginCode makes a one-time code, which ends the one before.
func (s *Server) newLoginCode(w http.ResponseWriter, r *http.Request) {
	sendJSON(w, r, api.LoginCode{Code: s.door.keeper.NewCode(), ExpiresS: int(guard.CodeLife.Seconds())})
}

// rotateToken puts a new admin token in the place of the one there is, and ends all sessions. The answer has no token:
// who may read the file reads it there.
func (s *Server) rotateToken(w http.ResponseWriter, r *http.Request) {
	if s.o.StateDir == "" {
		fail(w, r, http.StatusConflict, errNoStateDir.Error())
		return
	}
	token, err := guard.RotateToken(s.o.StateDir)
	if err != nil {
		fail(w, r, http.StatusInternalServerError, err.Error())
		return
	}
	sendJSON(w, r, api.TokenRotated{SessionsEnded: s.door.keeper.SetToken(token)})
}

var errNoStateDir = errors.New("the agent has no state directory to keep an admin token in")
