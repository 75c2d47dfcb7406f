package content_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"unicode/utf16"

	"github.com/vizpost/vizpost/internal/content"
)

// compoundFile is a compound file (MS-CFB) with streams of some names, its
// directory behind so many other sectors.
func compoundFile(sectors int, names ...string) []byte {
	const sector = 512
	file := make([]byte, sector*(1+sectors))
	copy(file, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")
	binary.LittleEndian.PutUint16(file[26:], 3)
	binary.LittleEndian.PutUint16(file[28:], 0xFFFE)
	binary.LittleEndian.PutUint16(file[30:], 9)
	binary.LittleEndian.PutUint32(file[48:], uint32(sectors))
	for _, name := range append([]string{"Root Entry"}, names...) {
		entry := make([]byte, 128)
		for i, unit := range utf16.Encode([]rune(name)) {
			binary.LittleEndian.PutUint16(entry[2*i:], unit)
		}
		binary.LittleEndian.PutUint16(entry[64:], uint16(2*len(name)+2))
		file = append(file, entry...)
	}
	return file
}

// What Office encrypts is named so, wherever its directory is, and other compound
// files are another format.
func TestCompoundFiles(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file []byte
		want content.Reason
	}{
		"encrypted":                           {compoundFile(1, "EncryptionInfo", "EncryptedPackage"), content.Encrypted},
		"encrypted, with rights":              {compoundFile(9, "\x06DataSpaces", "EncryptedPackage"), content.Encrypted},
		"encrypted, its directory at the end": {compoundFile(1000, "EncryptionInfo", "EncryptedPackage"), content.Encrypted},
		"an old workbook":                     {compoundFile(300, "Workbook"), content.NotFormat},
		"an old presentation":                 {compoundFile(3, "PowerPoint Document"), content.NotFormat},
		"the first bytes alone":               {[]byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), content.NotFormat},
	} {
		for _, format := range []string{content.XLSX, content.PPTX} {
			_, err := content.Check(t.Context(), bytes.NewReader(tt.file), int64(len(tt.file)), format, content.AllowBlank)
			if got := reason(t, err); got != tt.want {
				t.Errorf("%s as %s: %v, want %s", name, format, err, tt.want)
			}
			if _, err := receive(t, tt.file, 777, format); reason(t, err) != tt.want {
				t.Errorf("%s as %s, in pieces: %v, want %s", name, format, err, tt.want)
			}
		}
	}
}
