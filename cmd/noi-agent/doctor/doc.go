// Package doctor looks at a gateway and says what is wrong: configuration, ports, disk, clock, clouds, the daemon and
// its unit.
//
// A check is a small function over a Site. It changes nothing. Everything that it looks at is below Site.Root or a
// field of the Site, so a test plants a fault in a directory. What the daemon owns, the daemon reports: its problems
// become findings under their own codes.
//
// Reading order: doctor.go, then checks_setup.go, checks_port.go, checks_line.go, checks_disk.go, checks_flash.go,
// checks_daemon.go, checks_service.go.
package doctor
