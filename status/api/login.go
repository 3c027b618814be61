package api

// Session says whether a client may change things: GET /api/v1/session, and the answers of login and logout.
type Session struct {
	MayChange bool   `json:"may_change"`
	By        string `json:"by"` // socket | token | session | none
}

// LoginCode is the answer of POST /api/v1/login-code.
type LoginCode struct {
	Code     string `json:"code"`      // "K7QF-29MX": for one login
	ExpiresS int    `json:"expires_s"` // seconds for which the code is valid
}

// TokenRotated is the answer of POST /api/v1/token/rotate. The token is in its file only.
type TokenRotated struct {
	SessionsEnded int `json:"sessions_ended"`
}
