package websocket

import "github.com/wiretrue/websocket/wire/rfc"

// StatusCode says in the closing handshake why a connection ends (RFC 6455
// 7.4). Its String is the number and IANA's name.
type StatusCode = rfc.StatusCode

// The status codes with IANA's names.
const (
	StatusNormalClosure      = rfc.NormalClosure
	StatusGoingAway          = rfc.GoingAway
	StatusProtocolError      = rfc.ProtocolError
	StatusUnsupportedData    = rfc.UnsupportedData
	StatusNoStatusReceived   = rfc.NoStatusReceived // the peer's Close had no code
	StatusAbnormalClosure    = rfc.AbnormalClosure  // there was no Close
	StatusInvalidPayloadData = rfc.InvalidPayloadData
	StatusPolicyViolation    = rfc.PolicyViolation
	StatusMessageTooBig      = rfc.MessageTooBig
	StatusMandatoryExtension = rfc.MandatoryExtension
	StatusInternalError      = rfc.InternalError
	StatusServiceRestart     = rfc.ServiceRestart
	StatusTryAgainLater      = rfc.TryAgainLater
	StatusBadGateway         = rfc.BadGateway
	StatusUnauthorized       = rfc.Unauthorized
	StatusForbidden          = rfc.Forbidden
	StatusTimeout            = rfc.Timeout
)
