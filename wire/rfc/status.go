package rfc

import "strconv"

// StatusCode says in a Close frame why a connection ends (RFC 6455 7.4).
type StatusCode uint16

// The codes that IANA's registry names, with its names.
const (
	NormalClosure      StatusCode = 1000
	GoingAway          StatusCode = 1001
	ProtocolError      StatusCode = 1002
	UnsupportedData    StatusCode = 1003
	NoStatusReceived   StatusCode = 1005 // never on the wire: a Close frame without a code
	AbnormalClosure    StatusCode = 1006 // never on the wire: no Close frame at all
	InvalidPayloadData StatusCode = 1007
	PolicyViolation    StatusCode = 1008
	MessageTooBig      StatusCode = 1009
	MandatoryExtension StatusCode = 1010
	InternalError      StatusCode = 1011
	ServiceRestart     StatusCode = 1012
	TryAgainLater      StatusCode = 1013
	BadGateway         StatusCode = 1014
	TLSHandshake       StatusCode = 1015 // never on the wire: TLS failed
	Unauthorized       StatusCode = 3000
	Forbidden          StatusCode = 3003
	Timeout            StatusCode = 3008
)

// StatusInfo describes a status code, or a range of them.
type StatusInfo struct {
	From, To StatusCode
	Name     string // IANA's name, or what the range is for
	Meaning  string // who sends it, and when
}

var statuses = []StatusInfo{
	{0, 999, "Unused", "Never used; a Close frame that carries one breaks the protocol."},
	{1000, 1000, "Normal Closure", "The purpose of the connection is fulfilled."},
	{1001, 1001, "Going Away", "A server shuts down, or a browser leaves the page."},
	{1002, 1002, "Protocol error", "The other side broke a rule of the protocol."},
	{1003, 1003, "Unsupported Data", "The other side sent a type of data that this endpoint does not take, such as binary to a text-only service."},
	{1004, 1004, "Reserved", "Has no meaning and must not be sent."},
	{1005, 1005, "No Status Rcvd", "A local value for a Close frame that had no code. Must not be sent."},
	{1006, 1006, "Abnormal Closure", "A local value for a connection that ended without a Close frame: a reset, a crash, an idle timeout on the way. Must not be sent."},
	{1007, 1007, "Invalid frame payload data", "A message did not fit its type: text that is not UTF-8, or compressed data that cannot be inflated."},
	{1008, 1008, "Policy Violation", "A message broke a policy of the receiver; the general code when no other fits."},
	{1009, 1009, "Message Too Big", "A message is larger than the receiver takes."},
	{1010, 1010, "Mandatory Ext.", "A client needed an extension that the server did not accept."},
	{1011, 1011, "Internal Error", "A server met a condition that keeps it from going on."},
	{1012, 1012, "Service Restart", "The service restarts; connect again after a random wait."},
	{1013, 1013, "Try Again Later", "The service is overloaded; connect to another address or wait."},
	{1014, 1014, "Bad Gateway", "A gateway got an invalid answer from the server behind it."},
	{1015, 1015, "TLS handshake", "A local value for a TLS handshake that failed. Must not be sent."},
	{1016, 2999, "Unassigned", "Reserved for the protocol and its extensions; none is assigned, none may be sent."},
	{3000, 3000, "Unauthorized", "Like HTTP 401: the client must authenticate."},
	{3003, 3003, "Forbidden", "Like HTTP 403: the client may not do this."},
	{3008, 3008, "Timeout", "Like HTTP 408: a time ran out."},
	{3001, 3999, "Registered", "For libraries, frameworks and applications that registered it with IANA."},
	{4000, 4999, "Private Use", "Means what this client and this server agreed on."},
	{5000, 65535, "Undefined", "Outside every range; a Close frame that carries one breaks the protocol."},
}

// Info describes the code.
func (c StatusCode) Info() StatusInfo {
	for _, s := range statuses {
		if s.From <= c && c <= s.To {
			return s
		}
	}
	panic("rfc: the status table has a hole") // every value is covered; tested
}

// Statuses returns the table of status codes and ranges, in ascending order
// but for the registered codes, which stand before the range that holds them.
func Statuses() []StatusInfo { return append([]StatusInfo(nil), statuses...) }

// Sendable reports whether a Close frame may carry the code (RFC 6455 7.4).
func (c StatusCode) Sendable() bool {
	return 1000 <= c && c <= 1003 || 1007 <= c && c <= 1014 || 3000 <= c && c <= 4999
}

// String returns the number and the name: "1001 Going Away".
func (c StatusCode) String() string {
	return strconv.Itoa(int(c)) + " " + c.Info().Name
}
