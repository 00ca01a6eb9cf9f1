//go:build !purego

#include "textflag.h"

// func avx2() bool
TEXT ·avx2(SB), NOSPLIT, $0-1
	MOVB $0, ret+0(FP)

	XORL AX, AX
	XORL CX, CX
	CPUID
	CMPL AX, $7
	JLT  no

	// AVX, and XGETBV to be asked.
	MOVL $1, AX
	XORL CX, CX
	CPUID
	ANDL $(1<<28 | 1<<27), CX
	CMPL CX, $(1<<28 | 1<<27)
	JNE  no

	// The operating system keeps the registers.
	XORL CX, CX
	XGETBV
	ANDL $6, AX
	CMPL AX, $6
	JNE  no

	MOVL  $7, AX
	XORL  CX, CX
	CPUID
	TESTL $(1<<5), BX
	JZ    no
	MOVB  $1, ret+0(FP)

no:
	RET
