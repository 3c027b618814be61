package file

import (
	"log/slog"
	"time"
)

// Options are the options of making a file sound.
type Options struct {
	MaxSize int64            // bytes of records that the outbox may hold
	Now     func() time.Time // for rows about lost samples
	Logger  *slog.Logger
}
