package uring

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Ring is an io_uring (io_uring(7)): two rings of memory that is shared with
// the kernel, one of what it is to do (SQEs), one of what it has done (CQEs). It
// belongs to one thread.
//
// The kernel writes the completions' tail and reads the submissions'; each side
// publishes by a store with release and looks with acquire, which sync/atomic
// gives.
type Ring struct {
	fd      int
	rings   []byte
	sqeMem  []byte
	sqHead  *uint32
	sqTail  *uint32
	sqFlags *uint32
	sqMask  uint32
	sqes    unsafe.Pointer
	entries uint32
	tail    uint32 // what is prepared; sqTail is what is published

	cqHead *uint32
	cqTail *uint32
	cqMask uint32
	cqes   unsafe.Pointer

	// What enter passes by address; the stack may move.
	timeout syscall.Timespec
	arg     struct { // io_uring_getevents_arg
		sigmask   uint64
		sigmaskSz uint32
		minWait   uint32
		ts        uint64
	}
}

// SQE is struct io_uring_sqe.
type SQE struct {
	Opcode   uint8
	Flags    uint8
	IOPrio   uint16
	FD       int32
	Off      uint64
	Addr     uint64
	Len      uint32
	OpFlags  uint32
	UserData uint64
	BufGroup uint16 // or buf_index
	_        uint16
	_        int32
	_        [2]uint64
}

// CQE is struct io_uring_cqe.
type CQE struct {
	UserData uint64
	Res      int32
	Flags    uint32
}

// From the kernel's include/uapi/linux/io_uring.h.
const (
	sysSetup    = 425
	sysEnter    = 426
	sysRegister = 427

	setupClamp        = 1 << 4
	setupCQSize       = 1 << 3
	setupSubmitAll    = 1 << 7
	setupTaskrunFlag  = 1 << 9
	setupSingleIssuer = 1 << 12
	setupDeferTaskrun = 1 << 13

	featSingleMmap = 1 << 0
	featExtArg     = 1 << 8

	sqTaskrun = 1 << 2

	enterGetEvents = 1 << 0
	enterExtArg    = 1 << 3

	offSQRing = 0
	offCQRing = 0x8000000
	offSQEs   = 0x10000000

	OpPollAdd     = 6
	OpAccept      = 13
	OpAsyncCancel = 14
	OpRead        = 22
	OpSend        = 26
	OpRecv        = 27

	SQEBufferSelect = 1 << 5

	PollIn = 1 << 0

	AcceptMultishot = 1 << 0
	RecvMultishot   = 1 << 1

	CancelAll = 1 << 0
	CancelFD  = 1 << 1

	CQEBuffer      = 1 << 0
	CQEMore        = 1 << 1
	CQEBufferShift = 16

	registerPbufRing = 22
)

// uringParams is struct io_uring_params.
type uringParams struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32
	_                                                                      [3]uint32
	sq                                                                     struct {
		head, tail, ringMask, ringEntries, flags, dropped, array, _ uint32
		userAddr                                                    uint64
	}
	cq struct {
		head, tail, ringMask, ringEntries, overflow, cqes, flags, _ uint32
		userAddr                                                    uint64
	}
}

// New makes a ring with room for so many entries to be submitted, and for eight
// times as many completions. It fails where the kernel is too old for it or
// forbids it.
func New(entries uint32) (*Ring, error) {
	p := uringParams{
		flags:     setupClamp | setupCQSize | setupSubmitAll | setupTaskrunFlag | setupSingleIssuer | setupDeferTaskrun,
		cqEntries: 8 * entries,
	}
	fd, _, errno := syscall.RawSyscall(sysSetup, uintptr(entries), uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("io_uring_setup", errno)
	}
	r := &Ring{fd: int(fd)}
	syscall.CloseOnExec(r.fd)
	if p.features&(featSingleMmap|featExtArg) != featSingleMmap|featExtArg {
		r.Close()
		return nil, fmt.Errorf("io_uring lacks features: it has %#x", p.features)
	}
	size := max(p.sq.array+p.sqEntries*4, p.cq.cqes+p.cqEntries*uint32(unsafe.Sizeof(CQE{})))
	var err error
	if r.rings, err = r.mmap(offSQRing, size); err == nil {
		r.sqeMem, err = r.mmap(offSQEs, p.sqEntries*uint32(unsafe.Sizeof(SQE{})))
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	at := func(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.rings[off])) }
	r.sqHead, r.sqTail, r.sqFlags = at(p.sq.head), at(p.sq.tail), at(p.sq.flags)
	r.sqMask, r.entries = *at(p.sq.ringMask), p.sqEntries
	r.cqHead, r.cqTail, r.cqMask = at(p.cq.head), at(p.cq.tail), *at(p.cq.ringMask)
	r.cqes, r.sqes = unsafe.Pointer(&r.rings[p.cq.cqes]), unsafe.Pointer(&r.sqeMem[0])
	for i := range p.sqEntries { // each entry of the ring stands for itself
		*at(p.sq.array + 4*i) = i
	}
	return r, nil
}

func (r *Ring) mmap(off int64, size uint32) ([]byte, error) {
	b, err := syscall.Mmap(r.fd, off, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED|syscall.MAP_POPULATE)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return b, nil
}

// Close ends all that the kernel does for the ring.
func (r *Ring) Close() {
	syscall.Close(r.fd)
	if r.rings != nil {
		syscall.Munmap(r.rings)
	}
	if r.sqeMem != nil {
		syscall.Munmap(r.sqeMem)
	}
}

// Prepare returns a cleared entry to be filled. When the ring is full the
// kernel takes what is there first.
func (r *Ring) Prepare() *SQE {
	for r.tail-atomic.LoadUint32(r.sqHead) == r.entries {
		r.Submit()
	}
	e := (*SQE)(unsafe.Add(r.sqes, uintptr(r.tail&r.sqMask)*unsafe.Sizeof(SQE{})))
	*e = SQE{}
	r.tail++
	return e
}

// Enter submits what is prepared and waits for a completion, for so long at most.
// A negative time is without end.
//
// What is submitted the kernel does in the call, which for many sends takes a
// while. The runtime is told of a call only when there is nothing but to wait: it
// would else take the processor away in the midst of the work.
func (r *Ring) Enter(d time.Duration) error {
	if r.tail != atomic.LoadUint32(r.sqHead) || atomic.LoadUint32(r.sqFlags)&sqTaskrun != 0 {
		if err := r.Submit(); err != nil {
			return err
		}
	}
	if d == 0 || r.Next() != nil {
		return nil
	}
	if r.arg.ts = 0; d > 0 {
		r.timeout = syscall.NsecToTimespec(int64(d))
		r.arg.ts = uint64(uintptr(unsafe.Pointer(&r.timeout)))
	}
	_, _, errno := syscall.Syscall6(sysEnter, uintptr(r.fd), 0, 1, enterGetEvents|enterExtArg,
		uintptr(unsafe.Pointer(&r.arg)), unsafe.Sizeof(r.arg))
	return enterError(errno)
}

// Submit gives the kernel what is prepared, and takes the completions that there
// are.
func (r *Ring) Submit() error {
	atomic.StoreUint32(r.sqTail, r.tail)
	_, _, errno := syscall.RawSyscall6(sysEnter, uintptr(r.fd), uintptr(r.tail-atomic.LoadUint32(r.sqHead)), 0, enterGetEvents, 0, 0)
	return enterError(errno)
}

func enterError(errno syscall.Errno) error {
	switch errno {
	case 0, syscall.EINTR, syscall.ETIME, syscall.EBUSY, syscall.EAGAIN: // it is called again
		return nil
	}
	return os.NewSyscallError("io_uring_enter", errno)
}

// Next returns the next completion, or nil. It is valid until Done is called.
func (r *Ring) Next() *CQE {
	head := *r.cqHead
	if head == atomic.LoadUint32(r.cqTail) {
		return nil
	}
	return (*CQE)(unsafe.Add(r.cqes, uintptr(head&r.cqMask)*unsafe.Sizeof(CQE{})))
}

// Done takes the completion that Next has returned off the ring.
func (r *Ring) Done() { atomic.StoreUint32(r.cqHead, *r.cqHead+1) }

// Buffers is a ring of buffers that the kernel chooses from to receive into
// (IORING_REGISTER_PBUF_RING).
type Buffers struct {
	ring []byte
	mem  []byte
	size int
	mask uint16
	tail uint16
}

// Of struct io_uring_buf: addr, len, bid; the tail stands where the first one's
// resv is.
const (
	bufEntrySize  = 16
	bufTailOffset = 14
	BufGroup      = 1
)

// NewBuffers gives the kernel count buffers, a power of two, of size bytes each, as
// the group BufGroup of the ring.
func NewBuffers(r *Ring, count, size int) (*Buffers, error) {
	anon := func(n int) ([]byte, error) {
		m, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
		return m, os.NewSyscallError("mmap", err)
	}
	b := &Buffers{size: size, mask: uint16(count - 1)}
	var err error
	if b.ring, err = anon(count * bufEntrySize); err != nil {
		return nil, err
	}
	if b.mem, err = anon(count * size); err != nil {
		b.Close()
		return nil, err
	}
	reg := struct {
		addr    uint64
		entries uint32
		bgid    uint16
		flags   uint16
		_       [3]uint64
	}{addr: uint64(uintptr(unsafe.Pointer(&b.ring[0]))), entries: uint32(count), bgid: BufGroup}
	if _, _, errno := syscall.RawSyscall6(sysRegister, uintptr(r.fd), registerPbufRing, uintptr(unsafe.Pointer(&reg)), 1, 0, 0); errno != 0 {
		b.Close()
		return nil, os.NewSyscallError("io_uring_register", errno)
	}
	for id := range count {
		b.Put(uint16(id))
	}
	b.Publish()
	return b, nil
}

// Get returns the bytes that were received into a buffer.
func (b *Buffers) Get(id uint16, n int) []byte {
	at := int(id) * b.size
	return b.mem[at : at+n : at+n]
}

// Put gives a buffer back; Publish tells the kernel.
func (b *Buffers) Put(id uint16) {
	entry := unsafe.Pointer(&b.ring[int(b.tail&b.mask)*bufEntrySize])
	*(*uint64)(entry) = uint64(uintptr(unsafe.Pointer(&b.mem[int(id)*b.size])))
	*(*uint32)(unsafe.Add(entry, 8)) = uint32(b.size)
	*(*uint16)(unsafe.Add(entry, 12)) = id
	b.tail++
}

// Publish stores the tail with what precedes it in the same word, which is the
// first entry's id and the kernel reads at no other time.
func (b *Buffers) Publish() {
	word := (*uint32)(unsafe.Pointer(&b.ring[bufTailOffset-2]))
	id := *(*uint16)(unsafe.Pointer(word))
	order := [4]byte{byte(id), byte(id >> 8), byte(b.tail), byte(b.tail >> 8)}
	if bigEndian {
		order = [4]byte{byte(id >> 8), byte(id), byte(b.tail >> 8), byte(b.tail)}
	}
	atomic.StoreUint32(word, *(*uint32)(unsafe.Pointer(&order)))
}

var bigEndian = *(*byte)(unsafe.Pointer(&[]uint16{1}[0])) == 0

// Close frees the buffers. The ring is closed before.
func (b *Buffers) Close() {
	if b.ring != nil {
		syscall.Munmap(b.ring)
	}
	if b.mem != nil {
		syscall.Munmap(b.mem)
	}
}
