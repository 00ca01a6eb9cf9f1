package handshake_test

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/wiretrue/websocket/vectors"
	"github.com/wiretrue/websocket/wire/handshake"
)

const articleKey = "c3SkgVxVCDhVCp69PJFf3A=="

func TestAccept(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		sampleKey:  "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", // RFC 6455 1.3
		articleKey: "yA9O5xGLp8SbwCV//OepMPw7pEI=",
	} {
		if got := handshake.Accept(key); got != want {
			t.Errorf("Accept(%q) = %q, want %q", key, got, want)
		}
		if got := handshake.Diagnose(key, want); got != handshake.NoMistake {
			t.Errorf("Diagnose of the right value for %q: %s", key, got)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	if got := handshake.Key([16]byte([]byte("the sample nonce"))); got != sampleKey {
		t.Errorf("Key = %q", got)
	}
	for _, tt := range []struct {
		key  string
		want bool
	}{
		{sampleKey, true},
		{articleKey, true},
		{"AAAAAAAAAAAAAAAAAAAAAA==", true},
		{"//////////////////////8=", false}, // 17 bytes
		{"/////////////////////w==", true},
		{"", false},
		{"abc", false},
		{strings.TrimRight(sampleKey, "="), false},
		{sampleKey + "=", false},
		{" " + sampleKey, false},
		{sampleKey + "\r", false},
		{sampleKey[:10] + "\r\n" + sampleKey[10:], false},
		{sampleKey[:10] + "\n" + sampleKey[10:22], false},
		{"dGhlIHNhbXBsZSBub25jZR==", false}, // stray bits
		{"_-hlIHNhbXBsZSBub25jZQ==", false},
		{"0123456789abcdef01234567", false},
		{"dGhlIHNhbXBsZSBub25jZQ=a", false},
	} {
		if got := handshake.ValidKey(tt.key); got != tt.want {
			t.Errorf("ValidKey(%q) = %v", tt.key, got)
		}
	}
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func sha(s string) []byte { sum := sha1.Sum([]byte(s)); return sum[:] }

// mistakes makes each of the mistakes, in the way in which it is made.
var mistakes = map[string]struct {
	mistake handshake.Mistake
	made    []func(key string) string
}{
	"NoMistake": {handshake.NoMistake, []func(string) string{func(key string) string { return b64(sha(key + handshake.GUID)) }}},
	"HexDigest": {handshake.HexDigest, []func(string) string{
		func(key string) string { return b64([]byte(hex.EncodeToString(sha(key + handshake.GUID)))) },
		func(key string) string {
			return b64([]byte(strings.ToUpper(hex.EncodeToString(sha(key + handshake.GUID)))))
		},
	}},
	"BareHex": {handshake.BareHex, []func(string) string{
		func(key string) string { return hex.EncodeToString(sha(key + handshake.GUID)) },
		func(key string) string { return strings.ToUpper(hex.EncodeToString(sha(key + handshake.GUID))) },
	}},
	"BareKey":   {handshake.BareKey, []func(string) string{func(key string) string { return key }}},
	"NotHashed": {handshake.NotHashed, []func(string) string{func(key string) string { return b64([]byte(key + handshake.GUID)) }}},
	"DecodedKey": {handshake.DecodedKey, []func(string) string{
		func(key string) string { return b64(sha(decoded(key) + handshake.GUID)) },
		func(key string) string { return b64(sha(decoded(key))) },
	}},
	"NoGUID": {handshake.NoGUID, []func(string) string{
		func(key string) string { return b64(sha(key)) },
		func(key string) string { return b64([]byte(hex.EncodeToString(sha(key)))) },
	}},
	"GUIDFirst":    {handshake.GUIDFirst, []func(string) string{func(key string) string { return b64(sha(handshake.GUID + key)) }}},
	"LowerGUID":    {handshake.LowerGUID, []func(string) string{func(key string) string { return b64(sha(key + strings.ToLower(handshake.GUID))) }}},
	"KeyWithCR":    {handshake.KeyWithCR, []func(string) string{func(key string) string { return b64(sha(key + "\r" + handshake.GUID)) }}},
	"KeyWithLF":    {handshake.KeyWithLF, []func(string) string{func(key string) string { return b64(sha(key + "\n" + handshake.GUID)) }}},
	"KeyWithCRLF":  {handshake.KeyWithCRLF, []func(string) string{func(key string) string { return b64(sha(key + "\r\n" + handshake.GUID)) }}},
	"KeyWithSpace": {handshake.KeyWithSpace, []func(string) string{func(key string) string { return b64(sha(key + " " + handshake.GUID)) }, func(key string) string { return b64(sha(" " + key + handshake.GUID)) }}},
	"EmptyKey":     {handshake.EmptyKey, []func(string) string{func(string) string { return b64(sha(handshake.GUID)) }}},
	"URLAlphabet": {handshake.URLAlphabet, []func(string) string{
		func(key string) string { return base64.URLEncoding.EncodeToString(sha(key + handshake.GUID)) },
		func(key string) string { return base64.RawURLEncoding.EncodeToString(sha(key + handshake.GUID)) },
	}},
	"NoPadding":  {handshake.NoPadding, []func(string) string{func(key string) string { return base64.RawStdEncoding.EncodeToString(sha(key + handshake.GUID)) }}},
	"Quoted":     {handshake.Quoted, []func(string) string{func(key string) string { return `"` + handshake.Accept(key) + `"` }}},
	"FoldedCase": {handshake.FoldedCase, []func(string) string{func(key string) string { return strings.ToLower(handshake.Accept(key)) }, func(key string) string { return strings.ToUpper(handshake.Accept(key)) }}},
	"SHA256": {handshake.SHA256, []func(string) string{func(key string) string {
		sum := sha256.Sum256([]byte(key + handshake.GUID))
		return b64(sum[:])
	}}},
	"MD5": {handshake.MD5, []func(string) string{func(key string) string {
		sum := md5.Sum([]byte(key + handshake.GUID))
		return b64(sum[:])
	}}},
	"SampleValue": {handshake.SampleValue, []func(string) string{func(string) string { return "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" }}},
	"OtherKey":    {handshake.OtherKey, []func(string) string{func(string) string { return handshake.Accept("AAAAAAAAAAAAAAAAAAAAAA==") }}},
	"UnknownReason": {handshake.UnknownReason, []func(string) string{
		func(string) string { return "" },
		func(string) string { return "x" },
		func(string) string { return b64(make([]byte, 20)) },
		func(key string) string { return handshake.Accept(key) + " " },
	}},
}

func decoded(key string) string {
	b, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Whoever makes the mistake is told that it was this one.
func TestDiagnose(t *testing.T) {
	t.Parallel()
	for name, m := range mistakes {
		for i, made := range m.made {
			for _, key := range []string{articleKey, "AQIDBAUGBwgJCgsMDQ4PEA==", "/////////////////////w=="} {
				got := made(key)
				if d := handshake.Diagnose(key, got, "CCCCCCCCCCCCCCCCCCCCCA==", "AAAAAAAAAAAAAAAAAAAAAA=="); d != m.mistake {
					if name == "URLAlphabet" && d == handshake.NoPadding || name == "URLAlphabet" && d == handshake.NoMistake {
						continue // the digest has neither of the two letters in which the forms differ
					}
					t.Errorf("%s, way %d, key %s: %q is said to be %q", name, i, key, got, d)
				}
			}
		}
	}
	// Without the other keys it cannot be known.
	if d := handshake.Diagnose(articleKey, handshake.Accept("AAAAAAAAAAAAAAAAAAAAAA==")); d != handshake.UnknownReason {
		t.Errorf("the value for an unknown key is said to be %q", d)
	}
	// The article's own value.
	if d := handshake.Diagnose(articleKey, "YzgwZjRlZTcxMThiYTdjNDliYzAyNTdmZmNlN2E5MzBmYzNiYTQ0Mg=="); d != handshake.HexDigest {
		t.Errorf("the article's value is said to be %q", d)
	}
}

// Every constant of type Mistake has a way to be made.
func TestEveryMistakeIsMade(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "accept.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || spec.Type == nil {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); ok && id.Name == "Mistake" {
			n++
			if len(mistakes[spec.Names[0].Name].made) == 0 {
				t.Errorf("nobody makes the mistake %s", spec.Names[0].Name)
			}
		}
		return true
	})
	if n != len(mistakes) {
		t.Errorf("%d mistakes in accept.go, %d here", n, len(mistakes))
	}
}

// Each vector of a wrong accept value is told apart.
func TestDiagnoseOfTheCorpus(t *testing.T) {
	t.Parallel()
	want := map[string]handshake.Mistake{
		"hex-digest": handshake.HexDigest, "bare-hex": handshake.BareHex, "bare-key": handshake.BareKey,
		"not-hashed": handshake.NotHashed, "key-decoded": handshake.DecodedKey, "without-guid": handshake.NoGUID,
		"guid-first": handshake.GUIDFirst, "lower-guid": handshake.LowerGUID, "key-with-cr": handshake.KeyWithCR,
		"key-with-space": handshake.KeyWithSpace, "empty-key": handshake.EmptyKey, "url-alphabet": handshake.URLAlphabet,
		"unpadded": handshake.NoPadding, "folded-case": handshake.FoldedCase, "sha256": handshake.SHA256, "md5": handshake.MD5,
		"sample": handshake.SampleValue, "of-no-known-mistake": handshake.UnknownReason, "right": handshake.NoMistake,
	}
	corpus, err := vectors.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range corpus {
		name, ok := strings.CutPrefix(v.Name, "6455-4.2.2-accept-")
		if !ok || name == "missing" || name == "twice" {
			continue
		}
		request, _ := handshake.ParseRequest(v.Head("client"), 0)
		offer, _ := request.Offer()
		response, _ := handshake.ParseResponse(v.Head("server"), 0)
		a, _ := response.Agreement(offer)
		if mistake, ok := want[name]; !ok || a.Accept != mistake {
			t.Errorf("%s: %q", v.Name, a.Accept)
		}
		delete(want, name)
	}
	if len(want) != 0 {
		t.Errorf("no vector for %v", want)
	}
}

func FuzzDiagnose(f *testing.F) {
	f.Add(sampleKey, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", articleKey)
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, key, got, other string) {
		d := handshake.Diagnose(key, got, other)
		if (d == handshake.NoMistake) != (got == handshake.Accept(key)) {
			t.Fatalf("key %q, accept %q: %q", key, got, d)
		}
		if d := handshake.Diagnose(key, handshake.Accept(key), other); d != handshake.NoMistake {
			t.Fatalf("key %q: the right value is said to be %q", key, d)
		}
	})
}
