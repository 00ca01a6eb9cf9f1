package inspect_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wiretrue/websocket/cmd/internal/flow"
	"github.com/wiretrue/websocket/cmd/internal/inspect"
	"github.com/wiretrue/websocket/cmd/internal/packet"
	"github.com/wiretrue/websocket/cmd/internal/story"
	"github.com/wiretrue/websocket/cmd/internal/synth"
	"github.com/wiretrue/websocket/wire/frame"
)

var update = flag.Bool("update", false, "write the golden files anew")

// brokenConnection is the capture that the README shows the transcript of: a
// server with the Accept of a widely copied article, a client library that
// forgets to mask its second frame, and a proxy that cuts the idle connection
// after a minute.
func brokenConnection(t testing.TB) []byte {
	t.Helper()
	var file bytes.Buffer
	w := synth.NewWriter(&file)
	w.Now = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)
	c := w.Conn(clientAddr, serverAddr)
	say := func(from flow.Dir, line string) {
		b, err := frame.AppendNotation(nil, line)
		if err != nil {
			t.Fatal(err)
		}
		c.Send(from, b)
	}
	c.Open()
	c.Send(flow.ToServer, []byte("GET /prices HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c3SkgVxVCDhVCp69PJFf3A==\r\n\r\n"))
	c.Send(flow.ToClient, []byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Accept: YzgwZjRlZTcxMThiYTdjNDliYzAyNTdmZmNlN2E5MzBmYzNiYTQ0Mg==\r\n\r\n"))
	say(flow.ToServer, `81 92 37fa213d "{\"follow\":\"apple\"}"^37fa213d`)
	say(flow.ToClient, `81 0e "{\"apple\":1.20}"`)
	say(flow.ToServer, `81 11 "{\"follow\":\"pear\"}"`)
	w.Now = w.Now.Add(60 * time.Second)
	c.RST(flow.ToClient)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// golden holds got against what a file holds.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%.4000q\nbut %s is\n%.4000q\n(go test -update writes it anew)", got, file, want)
	}
}

// The transcript in the README is what inspect says. The capture is kept for
// the tests of the command.
func TestTranscript(t *testing.T) {
	file := brokenConnection(t)
	golden(t, "testdata/broken.pcap", file)
	src, err := packet.NewReader(bytes.NewReader(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	out.WriteString("$ wiretrue inspect capture.pcap\n")
	stories := inspect.NewStories(&out, story.Options{}, true, false)
	if err := inspect.New(inspect.Options{}, stories).Run(src, nil); err != nil {
		t.Fatal(err)
	}
	if err := stories.Close(); err != nil {
		t.Fatal(err)
	}
	golden(t, "../../../docs/inspect.txt", []byte(strings.TrimRight(out.String(), "\n")+"\n"))
}
