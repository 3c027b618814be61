// Package budget predicts what a configuration needs: the share of a line's time (Bus), bytes written to flash (Flash),
// and bytes at the sockets of each integration (Uplink). `noi-agent check` and `noi-agent plan` print the figures.
//
// The figures follow from the log intervals. Retries, identification, alarms and backlogs are not included. A slave
// with `model: auto` counts nothing, because its objects are not known yet.
//
// In reading order: bus.go, flash.go, uplink.go.
package budget
