// Package api has the types of every answer of the local endpoint. Package agent fills these types, package status
// serves them, and the command line reads and prints them.
//
// The names and types in the JSON are a contract: a key may be added, and no key is renamed or removed. Times are
// RFC 3339 in UTC. A list is never null.
//
// The package has almost no behaviour and imports no package of the project. In reading order:
//
//   - status.go: the status with its parts, and the latest values
//   - problems.go: a problem, and its kind
//   - catalogue.go: the table of all kinds, which page, command line, metrics, logs and documents share
//   - error.go: an answer that is an error
//   - integrations.go: the configuration of an integration, its cost, and the result of its test
//   - triggers.go: rows of the trigger log, dead letters, and the progress of a replay
//   - history.go, events.go, logs.go, linefaults.go: data of the charts, the stream of events, lines of the log, failed
//     exchanges of a line
//   - login.go, doctor.go, probe.go, build.go: sessions, findings, the answer of a unit, the build
//   - openapi.go: the description of the whole API
package api
