package tableautest

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Duration is a [time.Duration] that is written in JSON as text, such as
// "1m30s" or "15d".
type Duration time.Duration

// MarshalJSON implements [json.Marshaler].
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON implements [json.Unmarshaler].
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return errors.New(`a duration is a text such as "30s", "24h" or "15d"`)
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil {
			*d = Duration(n * 24 * float64(time.Hour))
			return nil
		}
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return errors.New(`a duration is a text such as "30s", "24h" or "15d"`)
	}
	*d = Duration(parsed)
	return nil
}
