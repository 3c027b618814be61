// Package guard has the rules that decide which client may use the local endpoint.
//
// It has only the rules: no handler, no listener, and no clock of its own. Times are monotonic, since the start of the
// agent, so that a wrong wall clock neither admits nor refuses a client. Package status applies the rules to each
// request.
//
//	hosts.go         host names under which the endpoint answers: against forged names (DNS rebinding)
//	origin.go        which pages in a browser may send a request
//	token.go         the admin token and its file
//	keeper.go        which client may change things: token, one-time code, sessions
//	tries.go         how often a wrong token or code may be tried
//	connections.go   which connection is closed if there are too many
//	certificate.go   the endpoint's own certificate
package guard
