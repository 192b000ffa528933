// SPDX-License-Identifier: MIT
/* The HSA runtime's own path: agents, pools, asynchronous copies, a queue with a barrier packet. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>

#include "ksft.h"
#include "pattern.h"
#include "shader.h"

#define WAIT_NS       60000000000ull
#define BARRIER_COUNT 500 /* more than the queue has packets */
#define QUEUE_PACKETS 64

struct hsa {
	hsa_agent_t cpu;
	hsa_agent_t gpu;
	hsa_amd_memory_pool_t cpu_pool;
	hsa_amd_memory_pool_t gpu_pool;
};

static void check(hsa_status_t status, const char *what)
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

	check(hsa_agent_get_info(agent, HSA_AGENT_INFO_DEVICE, &type), "agent's type");
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

	check(hsa_amd_memory_pool_get_info(pool, HSA_AMD_MEMORY_POOL_INFO_SEGMENT, &segment),
	      "pool's segment");
	check(hsa_amd_memory_pool_get_info(pool, HSA_AMD_MEMORY_POOL_INFO_RUNTIME_ALLOC_ALLOWED,
					   &allowed),
	      "pool's use");
	if (segment != HSA_AMD_SEGMENT_GLOBAL || !allowed)
		return HSA_STATUS_SUCCESS;
	*(hsa_amd_memory_pool_t *)data = pool;
	return HSA_STATUS_INFO_BREAK;
}

static void hsa_open(struct hsa *hsa)
{
	hsa_status_t status = hsa_init();

	memset(hsa, 0, sizeof(*hsa));
	if (status == HSA_STATUS_ERROR_OUT_OF_RESOURCES)
		ksft_skip("hsa_init finds no GPU");
	check(status, "hsa_init");
	check(hsa_iterate_agents(find_agents, hsa), "hsa_iterate_agents");
	if (!hsa->gpu.handle)
		ksft_skip("HSA has no GPU agent");
	ksft_assert(hsa->cpu.handle, "HSA has no CPU agent");
	hsa_amd_agent_iterate_memory_pools(hsa->cpu, find_pool, &hsa->cpu_pool);
	hsa_amd_agent_iterate_memory_pools(hsa->gpu, find_pool, &hsa->gpu_pool);
	ksft_assert(hsa->cpu_pool.handle && hsa->gpu_pool.handle, "an agent has no memory");
}

static void *pool_alloc(const struct hsa *hsa, hsa_amd_memory_pool_t pool, size_t bytes)
{
	hsa_agent_t agents[] = { hsa->cpu, hsa->gpu };
	void *memory = NULL;

	check(hsa_amd_memory_pool_allocate(pool, bytes, 0, &memory), "pool allocation");
	if (pool.handle == hsa->cpu_pool.handle)
		check(hsa_amd_agents_allow_access(1, &agents[1], NULL, memory), "access");
	return memory;
}

static void copy(void *dst, hsa_agent_t dst_agent, const void *src, hsa_agent_t src_agent,
		 size_t bytes, const char *what)
{
	hsa_signal_value_t value;
	hsa_signal_t signal;

	check(hsa_signal_create(1, 0, NULL, &signal), "signal");
	check(hsa_amd_memory_async_copy(dst, dst_agent, src, src_agent, bytes, 0, NULL, signal),
	      what);
	value = hsa_signal_wait_scacquire(signal, HSA_SIGNAL_CONDITION_LT, 1, WAIT_NS,
					  HSA_WAIT_STATE_BLOCKED);
	ksft_assert(value == 0, "%s: the signal is %lld", what, (long long)value);
	check(hsa_signal_destroy(signal), "signal");
}

/* within_device: by way of a second buffer on the GPU */
static void copies_of(const struct hsa *hsa, size_t bytes, bool within_device)
{
	uint8_t *in = pool_alloc(hsa, hsa->cpu_pool, bytes);
	uint8_t *out = pool_alloc(hsa, hsa->cpu_pool, bytes);
	void *vram[] = { pool_alloc(hsa, hsa->gpu_pool, bytes),
			 pool_alloc(hsa, hsa->gpu_pool, bytes) };

	pattern_fill(in, bytes, bytes);
	memset(out, 0, bytes);
	copy(vram[0], hsa->gpu, in, hsa->cpu, bytes, "host to device");
	if (within_device)
		copy(vram[1], hsa->gpu, vram[0], hsa->gpu, bytes, "device to device");
	copy(out, hsa->cpu, vram[within_device], hsa->gpu, bytes, "device to host");
	pattern_assert(out, bytes, bytes, "asynchronous copies");
	hsa_amd_memory_pool_free(vram[0]);
	hsa_amd_memory_pool_free(vram[1]);
	hsa_amd_memory_pool_free(in);
	hsa_amd_memory_pool_free(out);
}

/* Exits with KSFT_PASS if the GPU runs kernels. Not in the caller, which is to use the runtime. */
static void probe_shader(unsigned int index)
{
	struct queue queue;
	struct kfd kfd;

	(void)index;
	kfd_open(&kfd);
	queue_create(&queue, &kfd, QUEUE_AQL);
	if (kfd.gpu.gfx_target_version == SHADER_GFX_TARGET_VERSION &&
	    !shader_dispatch(&queue).stored)
		_exit(KSFT_FAIL);
}

static bool gpu_runs_kernels(void)
{
	struct process process = process_start(probe_shader, 0);
	int status = process_wait(&process, 60000);

	ksft_assert(status != PROCESS_TIMEOUT, "a process with one dispatch does not end");
	return WIFEXITED(status) && WEXITSTATUS(status) == KSFT_PASS;
}

/* From 1 MiB on, the runtime copies within the device by a kernel, not by SDMA. */
static void large_copy_within_the_device(void)
{
	struct hsa hsa;

	if (!gpu_runs_kernels())
		ksft_skip("the GPU has no shader engine");
	hsa_open(&hsa);
	copies_of(&hsa, (16 << 20) + 3, true);
	check(hsa_shut_down(), "hsa_shut_down");
}

static void async_copies_both_ways_and_within_the_device(void)
{
	static const size_t sizes[] = { 1, 4096, 65537, (1 << 20) - 1, 1 << 20, (16 << 20) + 3 };
	struct hsa hsa;

	hsa_open(&hsa);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
		copies_of(&hsa, sizes[i], sizes[i] < 1 << 20);
	check(hsa_shut_down(), "hsa_shut_down");
}

/* Waits for room, stores one BARRIER_AND packet and rings the doorbell. */
static void submit_barrier(hsa_queue_t *queue, hsa_signal_t completion)
{
	uint64_t index = hsa_queue_add_write_index_relaxed(queue, 1);
	hsa_barrier_and_packet_t *packet =
		(hsa_barrier_and_packet_t *)queue->base_address + index % queue->size;
	struct ksft_poll poll = ksft_poll_start(60000);

	while (index - hsa_queue_load_read_index_scacquire(queue) >= queue->size)
		ksft_assert(ksft_poll_again(&poll), "packet %llu: no room in the queue",
			    (unsigned long long)index);
	memset((uint8_t *)packet + sizeof(packet->header), 0,
	       sizeof(*packet) - sizeof(packet->header));
	packet->completion_signal = completion;
	__atomic_store_n(&packet->header,
			 HSA_PACKET_TYPE_BARRIER_AND << HSA_PACKET_HEADER_TYPE |
				 1 << HSA_PACKET_HEADER_BARRIER,
			 __ATOMIC_RELEASE);
	hsa_signal_store_screlease(queue->doorbell_signal, (hsa_signal_value_t)index);
}

static void queue_runs_barrier_packets(void)
{
	hsa_signal_value_t value;
	hsa_queue_t *queue;
	hsa_signal_t signal;
	struct hsa hsa;

	hsa_open(&hsa);
	check(hsa_queue_create(hsa.gpu, QUEUE_PACKETS, HSA_QUEUE_TYPE_MULTI, NULL, NULL, 0, 0,
			       &queue),
	      "hsa_queue_create");
	check(hsa_signal_create(BARRIER_COUNT, 0, NULL, &signal), "signal");
	for (unsigned int i = 0; i < BARRIER_COUNT; i++)
		submit_barrier(queue, signal);
	value = hsa_signal_wait_scacquire(signal, HSA_SIGNAL_CONDITION_LT, 1, WAIT_NS,
					  HSA_WAIT_STATE_BLOCKED);
	ksft_assert(value == 0, "%u barriers: the signal is %lld", BARRIER_COUNT,
		    (long long)value);
	check(hsa_signal_destroy(signal), "signal");
	check(hsa_queue_destroy(queue), "hsa_queue_destroy");
	check(hsa_shut_down(), "hsa_shut_down");
}

static const struct ksft_test tests[] = {
	{ "async_copies_both_ways_and_within_the_device",
	  async_copies_both_ways_and_within_the_device, 0 },
	{ "large_copy_within_the_device", large_copy_within_the_device, 0 },
	{ "queue_runs_barrier_packets", queue_runs_barrier_packets, 0 },
};

int main(int argc, char **argv)
{
	(void)argc;
	return ksft_run(tests, ARRAY_SIZE(tests), argv + 1);
}
