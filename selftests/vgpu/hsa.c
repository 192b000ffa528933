// SPDX-License-Identifier: MIT
#include "hsa.h"

#include <stdbool.h>
#include <string.h>

#include "ksft.h"

void hsa_check(hsa_status_t status, const char *what)
{
	const char *text = "?";

	if (status == HSA_STATUS_SUCCESS)
		return;
	hsa_status_string(status, &text);
	ksft_fail(__FILE__, __LINE__, "%s: %s", what, text);
}

static hsa_status_t find_agents(hsa_agent_t agent, void *data)
{
	struct hsa *hsa = data;
	hsa_device_type_t type;

	hsa_check(hsa_agent_get_info(agent, HSA_AGENT_INFO_DEVICE, &type), "agent's type");
	if (type == HSA_DEVICE_TYPE_GPU && !hsa->gpu.handle)
		hsa->gpu = agent;
	else if (type == HSA_DEVICE_TYPE_CPU && !hsa->cpu.handle)
		hsa->cpu = agent;
	return HSA_STATUS_SUCCESS;
}

static hsa_status_t find_pool(hsa_amd_memory_pool_t pool, void *data)
{
	hsa_amd_segment_t segment;
	bool allowed = false;

	hsa_check(hsa_amd_memory_pool_get_info(pool, HSA_AMD_MEMORY_POOL_INFO_SEGMENT, &segment),
		  "pool's segment");
	hsa_check(hsa_amd_memory_pool_get_info(pool, HSA_AMD_MEMORY_POOL_INFO_RUNTIME_ALLOC_ALLOWED,
					       &allowed),
		  "pool's use");
	if (segment != HSA_AMD_SEGMENT_GLOBAL || !allowed)
		return HSA_STATUS_SUCCESS;
	*(hsa_amd_memory_pool_t *)data = pool;
	return HSA_STATUS_INFO_BREAK;
}

void hsa_open(struct hsa *hsa)
{
	hsa_status_t status = hsa_init();

	memset(hsa, 0, sizeof(*hsa));
	if (status == HSA_STATUS_ERROR_OUT_OF_RESOURCES)
		ksft_skip("hsa_init finds no GPU");
	hsa_check(status, "hsa_init");
	hsa_check(hsa_iterate_agents(find_agents, hsa), "hsa_iterate_agents");
	if (!hsa->gpu.handle)
		ksft_skip("HSA has no GPU agent");
	ksft_assert(hsa->cpu.handle, "HSA has no CPU agent");
	hsa_amd_agent_iterate_memory_pools(hsa->cpu, find_pool, &hsa->cpu_pool);
	hsa_amd_agent_iterate_memory_pools(hsa->gpu, find_pool, &hsa->gpu_pool);
	ksft_assert(hsa->cpu_pool.handle && hsa->gpu_pool.handle, "an agent has no memory");
}

void *hsa_pool_alloc(const struct hsa *hsa, hsa_amd_memory_pool_t pool, size_t bytes)
{
	hsa_agent_t agents[] = { hsa->cpu, hsa->gpu };
	void *memory = NULL;

	hsa_check(hsa_amd_memory_pool_allocate(pool, bytes, 0, &memory), "pool allocation");
	if (pool.handle == hsa->cpu_pool.handle)
		hsa_check(hsa_amd_agents_allow_access(1, &agents[1], NULL, memory), "access");
	return memory;
}

void hsa_copy(void *dst, hsa_agent_t dst_agent, const void *src, hsa_agent_t src_agent,
	      size_t bytes, const char *what)
{
	hsa_signal_value_t value;
	hsa_signal_t signal;

	hsa_check(hsa_signal_create(1, 0, NULL, &signal), "signal");
	hsa_check(hsa_amd_memory_async_copy(dst, dst_agent, src, src_agent, bytes, 0, NULL, signal),
		  what);
	value = hsa_signal_wait_scacquire(signal, HSA_SIGNAL_CONDITION_LT, 1, HSA_WAIT_NS,
					  HSA_WAIT_STATE_BLOCKED);
	ksft_assert(value == 0, "%s: the signal is %lld", what, (long long)value);
	hsa_check(hsa_signal_destroy(signal), "signal");
}
