//go:build !purego

#include "textflag.h"

// What judge keeps in registers: the tables, and constants in every byte.
#define FIRST_UPPER  Y8
#define FIRST_LOWER  Y9
#define SECOND_UPPER Y10
#define LOWER_HALF   Y11 // 0x0f
#define ABOVE_DF     Y12 // what takes 0xe0 and above to 0x80 and above
#define ABOVE_EF     Y13 // what takes 0xf0 and above to 0x80 and above
#define TOP_BIT      Y14 // 0x80

#define EVERY_BYTE(value, y, x) \
	MOVL         $(value*0x01010101), DX \
	VMOVD        DX, x                   \
	VPBROADCASTD x, y

// JUDGE judges the 32 bytes at p[AX+at:], which are in cur, each with the three
// before it. A byte of wrong is not 0 where one is wrong.
#define JUDGE(at, cur, wrong) \
	VMOVDQU  (at-1)(SI)(AX*1), Y2  \
	VPSRLW   $4, Y2, Y3            \
	VPAND    LOWER_HALF, Y3, Y3    \
	VPAND    LOWER_HALF, Y2, Y2    \
	VPSHUFB  Y3, FIRST_UPPER, Y3   \
	VPSHUFB  Y2, FIRST_LOWER, Y2   \
	VPSRLW   $4, cur, Y4           \
	VPAND    LOWER_HALF, Y4, Y4    \
	VPSHUFB  Y4, SECOND_UPPER, Y4  \
	VPAND    Y2, Y3, Y3            \
	VPAND    Y4, Y3, Y3            \
	VMOVDQU  (at-2)(SI)(AX*1), Y4  \
	VMOVDQU  (at-3)(SI)(AX*1), Y5  \
	VPSUBUSB ABOVE_DF, Y4, Y4      \
	VPSUBUSB ABOVE_EF, Y5, Y5      \
	VPOR     Y4, Y5, Y4            \
	VPAND    TOP_BIT, Y4, Y4       \
	VPXOR    Y4, Y3, wrong

// func judge(p []byte, n int, tables *[3][16]byte) int
TEXT ·judge(SB), NOSPLIT, $0-48
	MOVQ p_base+0(FP), SI
	MOVQ p_len+8(FP), CX
	MOVQ n+24(FP), AX
	SUBQ $64, CX          // where the last block begins
	CMPQ AX, CX
	JGT  done

	MOVQ           tables+32(FP), BX
	VBROADCASTI128 (BX), FIRST_UPPER
	VBROADCASTI128 16(BX), FIRST_LOWER
	VBROADCASTI128 32(BX), SECOND_UPPER
	EVERY_BYTE(0x0f, LOWER_HALF, X11)
	EVERY_BYTE(0x60, ABOVE_DF, X12)
	EVERY_BYTE(0x70, ABOVE_EF, X13)
	EVERY_BYTE(0x80, TOP_BIT, X14)

	// Behind an ASCII byte, where another block of ASCII needs no judgement.
ascii:
	CMPQ      AX, CX
	JGT       last
	VMOVDQU   (SI)(AX*1), Y0
	VMOVDQU   32(SI)(AX*1), Y1
	VPOR      Y0, Y1, Y2
	VPMOVMSKB Y2, DX
	TESTL     DX, DX
	JNZ       judge
	ADDQ      $64, AX
	JMP       ascii

other:
	CMPQ      AX, CX
	JGT       last
	VMOVDQU   (SI)(AX*1), Y0
	VMOVDQU   32(SI)(AX*1), Y1
	VPOR      Y0, Y1, Y2
	VPMOVMSKB Y2, DX

judge:
	JUDGE(0, Y0, Y6)
	JUDGE(32, Y1, Y7)
	VPOR   Y6, Y7, Y6
	VPTEST Y6, Y6
	JNZ    end
	ADDQ   $64, AX
	TESTL  DX, DX
	JNZ    other
	JMP    ascii

	// What is left is judged with bytes before it that were judged already.
last:
	LEAQ    64(CX), DX
	CMPQ    AX, DX
	JEQ     end
	MOVQ    AX, BX
	MOVQ    CX, AX
	VMOVDQU (SI)(AX*1), Y0
	VMOVDQU 32(SI)(AX*1), Y1
	JUDGE(0, Y0, Y6)
	JUDGE(32, Y1, Y7)
	VPOR    Y6, Y7, Y6
	MOVQ    DX, AX
	VPTEST  Y6, Y6
	JZ      end
	MOVQ    BX, AX

end:
	VZEROUPPER

done:
	MOVQ AX, ret+40(FP)
	RET
