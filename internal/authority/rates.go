package authority

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"ostiary"
)

// rates limits how often each token may ask. There is one limiter a token on record, so that
// strangers cannot fill it.
type rates struct {
	perSec   float64
	limiters sync.Map // ostiary.ID → *rate.Limiter
}

// newRates gives nil where there is no limit.
func newRates(perSec float64) *rates {
	if perSec <= 0 {
		return nil
	}
	return &rates{perSec: perSec}
}

func (r *rates) over(token ostiary.ID, at time.Time) bool {
	l, ok := r.limiters.Load(token)
	if !ok {
		burst := max(1, int(r.perSec))
		l, _ = r.limiters.LoadOrStore(token, rate.NewLimiter(rate.Limit(r.perSec), burst))
	}
	return !l.(*rate.Limiter).AllowN(at, 1)
}
