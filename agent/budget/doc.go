// Package budget computes what a configuration will cost: the share of a bus (Bus), bytes to flash (Flash), and bytes
// at the sockets of each integration (Uplink). `noi-agent check` and `noi-agent plan` print it.
//
// The figures are predictions from the log intervals. Retries, identification, alarms and backlogs come on top. A slave
// with `model: auto` counts nothing, since its objects are not known.
//
// In reading order: bus.go, flash.go, uplink.go.
package budget
