package api

import "time"

// Build is the build of the running agent, in a support bundle.
type Build struct {
	Version   string    `json:"version"`
	Go        string    `json:"go"`
	Platform  string    `json:"platform"` // "linux/arm64"
	DeviceID  string    `json:"device_id"`
	StartedAt time.Time `json:"started_at"`
	UptimeS   int64     `json:"uptime_s"`
	Run       uint64    `json:"run"` // counts the starts with this store
}
