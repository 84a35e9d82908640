package feed

import "time"

// TransferWithin sets how long a follower may take for a copy.
func (s *Server) TransferWithin(d time.Duration) { s.transfer = func(int64) time.Duration { return d } }

// ShareFor is how long a copy is shared.
const ShareFor = shareFor
