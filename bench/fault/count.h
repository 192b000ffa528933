/* SPDX-License-Identifier: MIT */
/* What tells count.c where a measured part begins and ends: a NOP that no compiler makes. */
#ifndef BENCH_COUNT_H
#define BENCH_COUNT_H

/* nopl 0x6b726d67(%rax,%rax,1) */
#define MARK_BYTES 0x0f, 0x1f, 0x84, 0x00, 0x67, 0x6d, 0x72, 0x6b

static inline void count_mark(void)
{
	__asm__ volatile(".byte 0x0f, 0x1f, 0x84, 0x00, 0x67, 0x6d, 0x72, 0x6b" ::: "memory");
}

#endif
