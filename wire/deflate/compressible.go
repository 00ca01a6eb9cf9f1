package deflate

// Compressible guesses from a sample of a message whether compression can make
// it smaller. Noise, and what is compressed or encrypted already, cannot: it is
// better sent as it is (RFC 7692, 6.1).
func Compressible(p []byte) bool { return !looksRandom(p) }
