/* SPDX-License-Identifier: MIT */
/* The HSA runtime with one agent of each kind. Functions fail the test on an error. */
#ifndef SELFTESTS_HSA_H
#define SELFTESTS_HSA_H

#include <stddef.h>
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>

struct hsa {
	hsa_agent_t cpu;
	hsa_agent_t gpu;
	hsa_amd_memory_pool_t cpu_pool;
	hsa_amd_memory_pool_t gpu_pool;
};

#define HSA_WAIT_NS 60000000000ull

void hsa_check(hsa_status_t status, const char *what);

/* Initializes the runtime; skips the test if it finds no GPU. */
void hsa_open(struct hsa *hsa);
/* Memory that both agents can reach. */
void *hsa_pool_alloc(const struct hsa *hsa, hsa_amd_memory_pool_t pool, size_t bytes);
/* Copies and waits. */
void hsa_copy(void *dst, hsa_agent_t dst_agent, const void *src, hsa_agent_t src_agent,
	      size_t bytes, const char *what);

#endif
