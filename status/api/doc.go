// Package api has the shape of every answer of the local endpoint, once. Package agent fills these types, package
// status serves them, and the command line reads and prints them.
//
// The names and types in the JSON are a contract (docs/architecture.md): a key may be added, and none is renamed or
// removed. Times are RFC 3339 in UTC. A list is never null.
//
// The package has almost no behaviour and imports nothing of the project. In reading order:
//
//   - status.go: the status with its parts, and the latest values
//   - problems.go: a problem, and the kind that it is of
//   - catalogue.go: the table of all kinds, which page, command line, metrics, logs and documents share
//   - error.go: an answer that is an error
//   - integrations.go: the configuration of an integration, what it costs, and what a test of it finds
//   - triggers.go: rows of the trigger log, dead letters, and the progress of a replay
package api
