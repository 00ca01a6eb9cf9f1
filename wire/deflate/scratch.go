package deflate

// Pool lends memory that is needed only while a message is under way, so that
// very many Compressors or Decompressors, of which few are in the middle of a
// message, share a few pieces of it. Get returns one that was Put, or nil; what
// it returns is fit for use as it is. A *sync.Pool whose New is nil is a Pool.
//
// One Pool may serve all Compressors of one window, another all Decompressors.
type Pool interface {
	Get() any
	Put(any)
}

// borrow returns what the pool has, if there is a pool and it has a T, or nil.
func borrow[T any](pool Pool) *T {
	if pool == nil {
		return nil
	}
	v, _ := pool.Get().(*T)
	return v
}
