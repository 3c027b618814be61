package file

import (
	"log/slog"
	"time"
)

// Options say how a file is made sound.
type Options struct {
	MaxSize int64            // bytes of records that the outbox may hold
	Now     func() time.Time // for rows about what is lost
	Logger  *slog.Logger
}
