// Package webtest has example states of gateways, for tests and pictures of the pages. Each scene is one moment of a
// gateway. No agent runs behind it.
//
// In reading order: scene.go (the scenes), triggers.go, history.go, journal.go, book.go, linefaults.go (their parts).
package webtest
