package feed

import (
	"time"
)

func (s *stream) sendJSON(kind byte, v any) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.control.SetWriteDeadline(time.Now().Add(sendWithin))
	if err := writeJSON(s.out, kind, v); err != nil {
		return err
	}
	return s.flushed()
}

func (s *stream) send(kind byte, payload []byte) error {
	if err := s.put(kind, payload); err != nil {
		return err
	}
	return s.flush()
}

// put writes a frame that flush sends.
func (s *stream) put(kind byte, payload []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.control.SetWriteDeadline(time.Now().Add(sendWithin))
	return writeFrame(s.out, kind, payload)
}

func (s *stream) flush() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.flushed()
}

func (s *stream) flushed() error {
	if err := s.out.Flush(); err != nil {
		return err
	}
	return s.control.Flush()
}
