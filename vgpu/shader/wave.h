/* SPDX-License-Identifier: MIT */
/*
 * One wavefront of gfx906 (Vega 7 nm), and the function that executes its instructions.
 *
 * This folder is the instruction set alone. It knows nothing of queues, page tables or groups: the
 * caller sets up a struct wave, gives it memory, and decides what an event means.
 */
#ifndef VGPU_SHADER_WAVE_H
#define VGPU_SHADER_WAVE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define WAVE_LANES 64

/* Why wave_run() returned. */
enum wave_event {
	WAVE_BUDGET,  /* as many instructions were executed as the caller allowed */
	WAVE_END,     /* s_endpgm */
	WAVE_SAVED,   /* s_endpgm_saved: ended by the trap handler, context is in memory */
	WAVE_BARRIER, /* s_barrier; the program counter is past it */
	WAVE_FAULT,   /* memory is absent: nothing of the instruction at pc took effect; run it again */
	WAVE_MESSAGE, /* s_sendmsg; the program counter is past it */
	WAVE_SLEEP,   /* s_sleep: others should run; the program counter is past it */
	WAVE_HALT,    /* STATUS.HALT is set; the program counter is at the next instruction */
	WAVE_ILLEGAL, /* the instruction at pc is unknown or not executed: see encoding, reason */
};

/* Kinds of access that memory is asked for; atomics are WAVE_READ | WAVE_WRITE. */
enum wave_access {
	WAVE_READ = 1,
	WAVE_WRITE = 2,
	WAVE_EXECUTE = 4, /* instruction fetch */
	WAVE_SCALAR = 8,  /* with WAVE_READ or WAVE_WRITE: through the scalar cache */
};

enum wave_span {
	WAVE_PRESENT, /* *host and *bytes are set */
	WAVE_ABSENT,  /* retry: wave_run() returns WAVE_FAULT */
	WAVE_REFUSED, /* no retry: reads give zeros, writes are dropped, TRAPSTS.MEM_VIOL is set */
};

struct wave;

struct wave_memory {
	/*
	 * Where the host has va: *bytes contiguous bytes at *host, at least up to the end of the
	 * 4 KiB page. Called on the thread that runs the wave, for all lanes of an instruction before
	 * any of its effects; what it returns stays valid until the instruction is through.
	 */
	enum wave_span (*span)(struct wave *wave, uint64_t va, unsigned int access, void **host,
			       uint64_t *bytes);
	/* The counter of s_memtime, or of s_memrealtime if real (100 MHz). */
	uint64_t (*time)(struct wave *wave, bool real);
};

/*
 * Scalar registers are numbered as operands name them. All of them are in one array, so that a pair
 * is a pair wherever it is.
 */
enum wave_scalar {
	SGPR_FLAT_SCRATCH = 102, /* 64 bits: base of the wave's scratch */
	SGPR_XNACK_MASK = 104,
	SGPR_VCC = 106,
	SGPR_TTMP = 108, /* 16 of them; zero and not written unless STATUS.PRIV */
	SGPR_M0 = 124,
	SGPR_EXEC = 126,
};

#define STATUS_SCC	  (1u << 0)
#define STATUS_PRIV	  (1u << 5)
#define STATUS_TRAP_EN	  (1u << 6)
#define STATUS_EXECZ	  (1u << 9)
#define STATUS_VCCZ	  (1u << 10)
#define STATUS_HALT	  (1u << 13)
#define STATUS_VALID	  (1u << 16)
#define TRAPSTS_MEM_VIOL  (1u << 8)
#define TRAPSTS_SAVECTX	  (1u << 10)
#define TRAPSTS_ILLEGAL	  (1u << 11)
#define MODE_ROUND_32(m)  ((m) & 3)
#define MODE_ROUND_64(m)  ((m) >> 2 & 3)  /* and 16 bits */
#define MODE_DENORM_32(m) ((m) >> 4 & 3)
#define MODE_DENORM_64(m) ((m) >> 6 & 3)  /* and 16 bits */
#define MODE_DX10_CLAMP	  (1u << 8)
#define MODE_IEEE	  (1u << 9)
#define MODE_EXCP_MEM	  (1u << 20)
#define MODE_FP16_OVFL	  (1u << 23)
#define MODE_GPR_IDX_EN	  (1u << 27)

struct code_cache;

/* Whoever starts the wave fills this in; unused members are zero. */
struct wave {
	uint64_t pc;
	uint32_t s[128] __attribute__((aligned(64))); /* by operand number, see enum wave_scalar */
	uint32_t (*v)[WAVE_LANES];		      /* num_vgprs rows, aligned to 64 bytes */
	uint32_t num_vgprs;
	uint32_t scc;
	/* SCC, EXECZ and VCCZ are not kept in status: wave_status() has them. */
	uint32_t status, mode, trapsts;
	uint32_t hw_id, gpr_alloc, lds_alloc, ib_sts; /* what s_getreg reads */
	uint64_t tba, tma;			      /* trap handler's code and data; addresses */
	uint64_t shared_base, private_base;	      /* flat apertures of 4 GiB */
	/* A group's waves share it and do not run at the same time; aligned to 8 bytes. */
	uint8_t *lds;
	uint32_t lds_bytes;

	const struct wave_memory *memory;
	void *context;		 /* the caller's */
	struct code_cache *code; /* of one host thread and one address space */

	/* Set with the event. */
	uint64_t fault_va;
	uint32_t fault_access;
	uint32_t message;     /* immediate of s_sendmsg; its data is in M0 */
	uint32_t encoding[3]; /* of an illegal instruction */
	const char *reason;   /* why it is illegal: a constant string */
	uint64_t executed;    /* instructions, ever */

	uint32_t float_state; /* wave_run()'s own: what the host's rounding is set to */
};

static inline uint64_t wave_s64(const struct wave *wave, unsigned int reg)
{
	uint64_t value;

	memcpy(&value, &wave->s[reg], 8);
	return value;
}

static inline void wave_set_s64(struct wave *wave, unsigned int reg, uint64_t value)
{
	memcpy(&wave->s[reg], &value, 8);
}

/*
 * Runs the wave until there is an event, at most limit instructions. Memory, code, v and lds must be
 * valid. The host's floating-point environment is restored on return.
 */
enum wave_event wave_run(struct wave *wave, unsigned int limit);

/* STATUS as s_getreg reads it. */
uint32_t wave_status(const struct wave *wave);

/*
 * Enters the trap handler at tba before the next instruction: TTMP0-1 get the program counter, the
 * trap's number and whether the host asked for it. False, and nothing done, without a handler
 * (STATUS.TRAP_EN is clear or tba is zero).
 */
bool wave_trap(struct wave *wave, unsigned int trap, bool host);

/*
 * Decoded instructions by address. Not for two threads at once. It must be cleared when the code in
 * memory or its translation may have changed: what invalidates the instruction cache on hardware.
 * s_icache_inv clears the wave's own.
 */
struct code_cache *code_cache_new(void); /* NULL: no memory */
void code_cache_clear(struct code_cache *code);
void code_cache_free(struct code_cache *code);

#endif
