// Package doctor checks a gateway and reports what is wrong: configuration, ports, disk, clock, clouds, the daemon and
// its systemd unit.
//
// A check is a small function over a Site. It changes nothing. It only uses files below Site.Root and fields of the
// Site, so a test can prepare a directory with a fault. The daemon reports about its lines, clouds and store itself:
// its problems become findings under their own codes.
//
// Reading order: doctor.go, then checks_setup.go, checks_port.go, checks_line.go, checks_disk.go, checks_flash.go,
// checks_daemon.go, checks_service.go.
package doctor
