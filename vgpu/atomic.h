/* SPDX-License-Identifier: MIT */
/* Memory atomics of SDMA and PM4 packets, by the L2 cache's operation codes (TC_OP_ATOMIC_*). */
#ifndef VGPU_ATOMIC_H
#define VGPU_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes that the operation works on: 4 or 8; 0 if the code is none that is implemented. */
unsigned int atomic_bytes(unsigned int op);
/* Performs it on aligned memory that others may access at the same time. Returns the old value. */
uint64_t atomic_apply(unsigned int op, void *ptr, uint64_t operand, uint64_t compare);
bool atomic_is_cmpswap(unsigned int op);

#endif
