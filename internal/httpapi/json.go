package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// Texts of [jsonFormat]'s errors, by which the transformer knows them again.
const (
	notUTF8   = "The body is not valid UTF-8."
	notJSON   = "The body is not valid JSON."
	tooMany   = "The body has more values than any request needs: at most 50,000 are possible, and 5,000 in one list or object."
	wrongType = "This value has the wrong type or size."
	twice     = "This field is there more than once. Give it once."
	nullList  = "Null is not taken here. Give a list, or leave the field out."
	nullMap   = "Null is not taken here. Give an object, or leave the field out."
	nullBody  = "Null is not taken here. Send an object, or no body."
	atField   = "\n" // stands between the field and one of those below wrongType
)

// shapeError is one of these texts. It goes to people as it is.
type shapeError string

func (e shapeError) Error() string { return string(e) }

// jsonFormat reads and writes JSON. Its errors hold nothing of what was read
// but the names of fields.
func jsonFormat() huma.Format {
	return huma.Format{
		Marshal: func(w io.Writer, v any) error {
			e := json.NewEncoder(w)
			e.SetEscapeHTML(false)
			return e.Encode(v)
		},
		Unmarshal: readJSON,
	}
}

// readJSON decodes one value. huma calls it twice for a body: first into an
// any, whose shape it checks, then into the operation's own type.
func readJSON(data []byte, v any) error {
	if !utf8.Valid(data) {
		return shapeError(notUTF8)
	}
	if !json.Valid(data) {
		return shapeError(notJSON)
	}
	if crowded(data) {
		return shapeError(tooMany)
	}
	if tree, ok := v.(*any); ok {
		return readTree(data, tree)
	}
	if err := noNullLists(data, v); err != nil {
		return err
	}
	err := json.Unmarshal(data, v)
	var mismatch *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mismatch):
		return shapeError(mismatch.Field + atField + wrongType)
	default:
		return shapeError(notJSON)
	}
}

// readTree decodes a value of any shape. Numbers stay as they are written, so
// that one that no type holds is refused where it stands.
func readTree(data []byte, tree *any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(tree); err != nil {
		return shapeError(notJSON)
	}
	d = json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if path := repeated(d, false); path != nil {
		slices.Reverse(path)
		return shapeError(strings.TrimPrefix(strings.Join(path, ""), ".") + atField + twice)
	}
	return nil
}

// What a body may hold, far beyond what any request needs: each value that cannot
// be used costs a hundred times its bytes to be found and told.
const (
	maxValues  = 50_000
	maxEntries = 5_000 // of one list or object
)

// crowded reports whether valid JSON has more values than a body may hold.
func crowded(data []byte) bool {
	var (
		entries  []int // of the lists and objects around, from the outermost
		all      int
		inString bool
	)
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case inString && b == '\\':
			i++
		case b == '"':
			inString = !inString
		case inString:
		case b == '[' || b == '{':
			entries = append(entries, 1)
			all++
		case b == ']' || b == '}':
			entries = entries[:len(entries)-1]
		case b == ',':
			entries[len(entries)-1]++
			all++
			if entries[len(entries)-1] > maxEntries {
				return true
			}
		}
	}
	return all > maxValues
}

// repeated finds a field that an object has more than once, and gives the parts
// of its path from the last to the first; nil if there is none. Of several, Go
// would take the last, and other readers the first: nobody can mean that. Go
// takes fields in any case, so two are the same that differ in it alone; but not
// where the names are those of Tableau's fields. The decoder stands before a
// value that is known to be valid.
func repeated(d *json.Decoder, ofTableau bool) (path []string) {
	token, _ := d.Token()
	switch token {
	case json.Delim('['):
		for i := 0; d.More(); i++ {
			if path = repeated(d, false); path != nil {
				return append(path, "["+strconv.Itoa(i)+"]")
			}
		}
	case json.Delim('{'):
		names := map[string]bool{}
		for d.More() {
			token, _ := d.Token()
			name, _ := token.(string)
			same := name
			if !ofTableau {
				same = strings.ToLower(strings.ToUpper(name)) // both: of some letters there are three
			}
			if names[same] {
				return []string{"." + name}
			}
			names[same] = true
			if path = repeated(d, same == "filters"); path != nil {
				return append(path, "."+name)
			}
		}
	default:
		return nil
	}
	_, _ = d.Token() // the closing one
	return nil
}

// noNullLists refuses null in place of a list or of an object of free names. Go
// would take it for a field that is left out, and what is left out means all of
// something, or what is stored: a client whose list came out as null means
// neither. huma lets null pass wherever a field may be left out.
func noNullLists(data []byte, v any) error {
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		return shapeError(notJSON)
	}
	t := reflect.TypeOf(v).Elem()
	if tree == nil {
		if t.Kind() == reflect.Pointer {
			return shapeError(atField + nullBody)
		}
		return nil
	}
	if path, message := nullIn(tree, t); message != "" {
		return shapeError(strings.TrimPrefix(path, ".") + atField + message)
	}
	return nil
}

// holder is a type of this package that reads another type's JSON.
type holder interface{ holds() reflect.Type }

// nullIn returns the path of the first null that stands in place of a list or
// map of type t or within it, and the message about it; "" if there is none.
func nullIn(value any, t reflect.Type) (path, message string) {
	for {
		if h, ok := reflect.Zero(t).Interface().(holder); ok && value != nil {
			t = h.holds()
		} else if t.Kind() == reflect.Pointer {
			t = t.Elem()
		} else {
			break
		}
	}
	switch t.Kind() {
	case reflect.Slice:
		items, ok := value.([]any)
		if value == nil {
			return "", nullList
		}
		for i := 0; ok && i < len(items); i++ {
			if path, message = nullIn(items[i], t.Elem()); message != "" {
				return "[" + strconv.Itoa(i) + "]" + path, message
			}
		}
	case reflect.Map:
		members, _ := value.(map[string]any)
		if value == nil {
			return "", nullMap
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if path, message = nullIn(members[name], t.Elem()); message != "" {
				return "." + name + path, message
			}
		}
	case reflect.Struct:
		members, _ := value.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(members)) {
			for i := range t.NumField() {
				tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
				if tag == "" || !strings.EqualFold(tag, name) {
					continue
				}
				if path, message = nullIn(members[name], t.Field(i).Type); message != "" {
					return "." + tag + path, message
				}
			}
		}
	}
	return "", ""
}
