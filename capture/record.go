package capture

import (
	"time"

	"github.com/wiretrue/websocket/wire"
	"github.com/wiretrue/websocket/wire/frame"
	"github.com/wiretrue/websocket/wire/rfc"
)

// Version is that of the schema of records and reports in JSON.
const Version = 1

// Kind says what a Record tells.
type Kind string

// The kinds. A Record's field of the same name is set, and no other.
const (
	KindStart     Kind = "start"     // what the bytes turned out to be, when no handshake begins them
	KindNet       Kind = "net"       // a fact from below, as it was passed to Net
	KindHTTP      Kind = "http"      // a plain HTTP exchange
	KindHandshake Kind = "handshake" // an attempt to open, granted or refused
	KindFrame     Kind = "frame"     // a frame has ended
	KindMessage   Kind = "message"   // a message has ended
	KindPing      Kind = "ping"      // a Pong has answered a Ping
	KindClose     Kind = "close"     // a Close frame, after its own frame record
	KindGap       Kind = "gap"       // bytes are missing, or were not understood
	KindEnd       Kind = "end"       // one side sends no more
	KindEnding    Kind = "ending"    // the connection is over: how and why
	KindFinding   Kind = "finding"   // something was wrong; after the record that it is about
)

// Record is one thing that happened. What its pointers and slices lead to is
// valid until the function that got the Record returns.
type Record struct {
	V      int       `json:"v"`
	Kind   Kind      `json:"kind"`
	At     time.Time `json:"at"`               // when it was complete
	Packet int64     `json:"packet,omitempty"` // in which packet
	From   Party     `json:"from,omitempty"`   // who sent the bytes

	Start     *Start     `json:"start,omitempty"`
	Net       *NetEvent  `json:"net,omitempty"`
	HTTP      *Exchange  `json:"http,omitempty"`
	Handshake *Handshake `json:"handshake,omitempty"`
	Frame     *Frame     `json:"frame,omitempty"`
	Message   *Message   `json:"message,omitempty"`
	Ping      *Ping      `json:"ping,omitempty"`
	Close     *Close     `json:"close,omitempty"`
	Gap       *Gap       `json:"gap,omitempty"`
	End       *End       `json:"end,omitempty"`
	Ending    *Ending    `json:"ending,omitempty"`
	Finding   *Finding   `json:"finding,omitempty"`
}

// Party is one who takes part in a connection, or may be at fault.
type Party string

// The parties.
const (
	Client  Party = "client"
	Server  Party = "server"
	Between Party = "in between" // a proxy, a load balancer, a firewall
	Unknown Party = "unknown"
)

func partyOf(r wire.Role) Party {
	if r == wire.Client {
		return Client
	}
	return Server
}

// Start says what a direction that does not begin with HTTP is taken for.
type Start struct {
	As         string  `json:"as"`               // "frames", "tls", "http2" or "unknown"
	Confidence float64 `json:"confidence"`       // 0 to 1
	Evidence   string  `json:"evidence"`         // what it rests on
	Skipped    int64   `json:"skipped"`          // bytes before the first frame
	Offset     int64   `json:"stream_offset"`    // in the direction's stream, where the frames begin
	Server     string  `json:"server,omitempty"` // of TLS, the name that the client asked for
}

// Exchange is an HTTP request and its response. Of a response without a known
// request, the request's fields are empty; of a request without a response,
// Status is 0.
type Exchange struct {
	Method         string              `json:"method,omitempty"`
	Target         string              `json:"target,omitempty"`
	Host           []string            `json:"host,omitempty"`
	RequestProto   string              `json:"request_proto,omitempty"`
	RequestHeader  map[string][]string `json:"request_header,omitempty"` // by canonical name, without Host
	RequestBody    *Excerpt            `json:"request_body,omitempty"`
	Requested      time.Time           `json:"requested,omitzero"` // first byte of the request
	Status         int                 `json:"status,omitempty"`
	Reason         string              `json:"reason,omitempty"`
	ResponseProto  string              `json:"response_proto,omitempty"`
	ResponseHeader map[string][]string `json:"response_header,omitempty"`
	ResponseBody   *Excerpt            `json:"response_body,omitempty"`
	Responded      time.Time           `json:"responded,omitzero"` // last byte of the response's head
	RequestPacket  int64               `json:"request_packet,omitempty"`
	ResponsePacket int64               `json:"response_packet,omitempty"`
	Cut            bool                `json:"cut,omitempty"`     // a head or a body did not come whole
	GotTLS         bool                `json:"got_tls,omitempty"` // TLS came in place of the request
}

// Handshake is an exchange that asks for a WebSocket, or grants one.
type Handshake struct {
	Exchange
	Opened bool `json:"opened"` // the response switches protocols, rightly or not

	Origin         string   `json:"origin,omitempty"`
	Version        string   `json:"version,omitempty"`
	Key            string   `json:"key,omitempty"`
	Accept         string   `json:"accept,omitempty"`          // as the server sent it
	AcceptExpected string   `json:"accept_expected,omitempty"` // as the key asks for it
	Proof          string   `json:"proof"`                     // "right", "wrong", "missing" or "unknown", for want of a key
	Mistake        string   `json:"mistake,omitempty"`         // how a wrong one came to be
	Subprotocols   []string `json:"subprotocols_offered,omitempty"`
	Subprotocol    string   `json:"subprotocol,omitempty"`
	Offered        []string `json:"extensions_offered,omitempty"`
	Agreed         []string `json:"extensions,omitempty"`
	Deflate        bool     `json:"permessage_deflate"` // offered and agreed to: frames may be compressed
	Broken         []string `json:"broken,omitempty"`   // the ids of the rules that it breaks
}

// Frame is a frame of either side.
type Frame struct {
	Number      int64     `json:"number"`            // counted over both sides, in the order in which the headers were whole
	Message     int64     `json:"message,omitempty"` // the Number of its message; 0 for a control frame
	Header      Header    `json:"header"`
	Offset      int64     `json:"offset"`        // of its first byte, from the first byte behind the handshake
	Stream      int64     `json:"stream_offset"` // the same, from the direction's first byte
	First       time.Time `json:"first"`         // its first byte
	Last        time.Time `json:"last"`          // its last byte
	FirstPacket int64     `json:"first_packet,omitempty"`
	LastPacket  int64     `json:"last_packet,omitempty"`
	Payload     Excerpt   `json:"payload"` // unmasked, and not inflated
	Compressed  bool      `json:"compressed,omitempty"`
	Seen        uint64    `json:"seen"`          // bytes of payload that came; less than the header says when Cut
	Cut         bool      `json:"cut,omitempty"` // the bytes end, or are missing, inside it
}

// Header is the header of a frame. In JSON it has its bytes and its
// description in words, too.
type Header struct{ frame.Header }

// Message is a text or binary message, its fragments joined.
type Message struct {
	Number     int64         `json:"number"` // counted over both sides, in the order of their first frames
	Type       string        `json:"type"`   // "text", "binary", or "unknown" when it has no start
	Frames     int           `json:"frames"`
	FirstFrame int64         `json:"first_frame"`
	LastFrame  int64         `json:"last_frame"`
	Size       uint64        `json:"size"`      // bytes of its payload, joined and inflated
	WireSize   uint64        `json:"wire_size"` // the same as they were on the wire
	Payload    Excerpt       `json:"payload"`
	Compressed bool          `json:"compressed,omitempty"`
	Took       time.Duration `json:"took_ns"`       // from its first byte to its last
	Cut        bool          `json:"cut,omitempty"` // it was abandoned, or bytes of it are missing

	// NotInflated says why a compressed message was not inflated to its end.
	// Size and Payload are then what came out before.
	NotInflated string `json:"not_inflated,omitempty"`

	// Of text that is a JSON object with an id. Of a response, the message of
	// the other side that it answers, and the time from that one's last byte to
	// its own first.
	ID      string        `json:"id,omitempty"`
	Answers int64         `json:"answers,omitempty"`
	After   time.Duration `json:"after_ns,omitempty"`
}

// Ping is a Ping and the Pong that answered it. The Record's From sent the
// Ping.
type Ping struct {
	Frame   int64         `json:"frame"`
	Pong    int64         `json:"pong"` // the frame that answered
	Payload Excerpt       `json:"payload"`
	RTT     time.Duration `json:"rtt_ns"` // as it was seen where the capture was made
}

// Close is a Close frame of a side.
type Close struct {
	Frame  int64          `json:"frame"`
	Code   rfc.StatusCode `json:"code"` // 1005 when the frame had none
	Name   string         `json:"name"`
	Reason string         `json:"reason,omitempty"`
	Began  bool           `json:"began"`            // the first of the connection: this side began the closing handshake; of both, when the earlier one was read late, behind a gap
	After  time.Duration  `json:"after_ns"`         // since the last frame of either side that was whole before it
	During int64          `json:"during,omitempty"` // the frame of the other side that was on its way
	Answer time.Duration  `json:"answer_ns"`        // of the answer, since the Close that it answers
	Repeat bool           `json:"repeat,omitempty"` // this side had sent one before
}

// Gap says that bytes of a direction are missing, or could not be understood
// until a frame was found again.
type Gap struct {
	Missing   int64  `json:"missing"`       // bytes that did not come; -1: not known how many
	Skipped   int64  `json:"skipped"`       // bytes that came and could not be understood
	Stream    int64  `json:"stream_offset"` // where the missing bytes begin
	Resumed   string `json:"resumed"`       // "frame": behind the frame that the gap is in; "found": a header was found by evidence; "http"; "never"
	ResumedAt int64  `json:"resumed_stream_offset"`
	Evidence  string `json:"evidence,omitempty"`
}

// How says how a side's bytes ended.
type How string

// The ways to end.
const (
	FIN      How = "fin"     // it ended its direction in order
	RST      How = "rst"     // it aborted the connection
	TimedOut How = "timeout" // its end gave up waiting, without a packet that tells
	Stopped  How = "stopped" // the capture stops; the connection may go on
)

// End tells that a side sends no more.
type End struct {
	How    How   `json:"how"`
	Stream int64 `json:"stream_offset"` // the number of bytes that the side sent
}

// NetEvent is a fact from below the bytes, for the diagnosis and the story.
type NetEvent struct {
	Kind     NetKind       `json:"kind"`
	From     wire.Role     `json:"-"` // whom it is about
	At       time.Time     `json:"-"`
	Packet   int64         `json:"-"`
	Duration time.Duration `json:"duration_ns,omitempty"`
	Bytes    int64         `json:"bytes,omitempty"`
	Stream   int64         `json:"stream_offset,omitempty"` // of NetResent, where the bytes stand in the direction's TCP stream
	Text     string        `json:"text,omitempty"`          // for the reader: addresses, the name of an alert
	TLS      *TLSFacts     `json:"tls,omitempty"`
}

// NetKind is a kind of NetEvent.
type NetKind string

// The kinds of NetEvent, with the fields that they use beside From, At, Packet
// and Text.
const (
	NetOpened      NetKind = "opened"         // the connection's first packet was seen: the streams are from their beginning
	NetEstablished NetKind = "established"    // the TCP handshake is done; Duration: its round-trip time
	NetMiddle      NetKind = "middle"         // the capture has no opening: the streams may begin anywhere
	NetResent      NetKind = "retransmission" // Bytes were sent again, from Stream on
	NetZeroWindow  NetKind = "zero-window"    // From takes no more bytes
	NetWindowOpen  NetKind = "window-open"    // From takes bytes again, after Duration
	NetKeepAlive   NetKind = "keep-alive"     // a TCP keep-alive probe
	NetTLS         NetKind = "tls"            // TLS: the facts of its handshake
	NetTLSRecord   NetKind = "tls-record"     // TLS: From sent a record that is not decrypted; Text: its content's type; Bytes: of content, or about
	NetAlert       NetKind = "alert"          // TLS: From sent an alert; Text: its name
)

// TLSFacts is what is known of the TLS below.
type TLSFacts struct {
	Version    string   `json:"version,omitempty"`
	Suite      string   `json:"suite,omitempty"`
	ServerName string   `json:"server_name,omitempty"`
	ALPN       string   `json:"alpn,omitempty"`         // chosen by the server
	Offered    []string `json:"alpn_offered,omitempty"` // by the client
	Resumed    bool     `json:"resumed,omitempty"`
	Decrypted  bool     `json:"decrypted"` // the streams are what was inside
}
