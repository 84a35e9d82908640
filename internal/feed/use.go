package feed

import (
	"encoding/json"
	"fmt"

	"ostiary"
)

// A Use is what a follower counted of a pair of token and application in one hour since it last said so.
type Use struct {
	Key  ostiary.UseKey `json:"key"`
	Hour int64          `json:"hour"` // hours since 1970
	Use  ostiary.Use    `json:"use"`
}

// ReadUses reads what Client.Use was given.
func ReadUses(text []byte) (uses []Use, err error) {
	if err := json.Unmarshal(text, &uses); err != nil {
		return nil, fmt.Errorf("uses that cannot be read: %w", err)
	}
	return uses, nil
}
