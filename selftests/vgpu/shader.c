// SPDX-License-Identifier: MIT
#include "shader.h"

#include <string.h>

#include "ksft.h"

#define DISPATCH_MS     30000/* a kernel of seven instructions */
#define DISPATCH_RESULT 0x600dc0deu
#define IMAGE_BYTES     4096

/* Where things are in the kernel's buffer. */
#define CODE_OFF    256
#define KERNARG_OFF 1024
#define RESULT_OFF  2048
#define SIGNAL_OFF  3072

/*
 * Stores DISPATCH_RESULT at the address that the kernel argument holds. The kernel descriptor (LLVM,
 * "User Guide for AMDGPU Backend", "Kernel Descriptor") is followed by the code.
 */
static const uint32_t kernel_descriptor[16] = {
	[2] = 8,           /* kernarg_size */
	[4] = CODE_OFF,    /* kernel_code_entry_byte_offset */
	[12] = 0x00ac0040, /* compute_pgm_rsrc1: 4 VGPRs, 16 SGPRs, IEEE, DX10_CLAMP */
	[13] = 0x00000084, /* compute_pgm_rsrc2: 2 user SGPRs, TGID_X */
	[14] = 0x00000008, /* ENABLE_SGPR_KERNARG_SEGMENT_PTR */
};

static const uint32_t kernel_code[] = {
	0xc0060080, 0x00000000,      /* s_load_dwordx2 s[2:3], s[0:1], 0x0 */
	0x7e000280,                  /* v_mov_b32 v0, 0 */
	0x7e0202ff, DISPATCH_RESULT, /* v_mov_b32 v1, DISPATCH_RESULT */
	0xbf8cc07f,                  /* s_waitcnt lgkmcnt(0) */
	0xdc708000, 0x00020100,      /* global_store_dword v0, v1, s[2:3] */
	0xbf8c0f70,                  /* s_waitcnt vmcnt(0) */
	0xbf810000,                  /* s_endpgm */
};

static void store_kernel(const struct kfd_bo *image)
{
	uint8_t *bytes = image->cpu;
	uint64_t result_va = image->va + RESULT_OFF;
	struct aql_signal *signal = (struct aql_signal *)(bytes + SIGNAL_OFF);

	memset(bytes, 0, IMAGE_BYTES);
	memcpy(bytes, kernel_descriptor, sizeof(kernel_descriptor));
	memcpy(bytes + CODE_OFF, kernel_code, sizeof(kernel_code));
	memcpy(bytes + KERNARG_OFF, &result_va, sizeof(result_va));
	signal->kind = AQL_SIGNAL_KIND_USER;
	signal->value = 1;
}

struct shader_result shader_dispatch(struct queue *queue)
{
	struct shader_result result;
	struct kfd_event exceptions[2];
	union aql_packet packet = { 0 };
	struct kfd_bo image;
	uint8_t *bytes;

	/* with these the driver reports an exception instead of killing the process */
	kfd_event_create(queue->kfd, &exceptions[0], KFD_IOC_EVENT_MEMORY);
	kfd_event_create(queue->kfd, &exceptions[1], KFD_IOC_EVENT_HW_EXCEPTION);
	kfd_bo_alloc(queue->kfd, &image, IMAGE_BYTES, KFD_BO_GTT);
	store_kernel(&image);
	bytes = image.cpu;
	packet.dispatch = (struct aql_dispatch){
		.header = AQL_KERNEL_DISPATCH | AQL_BARRIER_BIT | AQL_SYSTEM_SCOPE,
		.setup = 1,
		.workgroup_size = { 1, 1, 1 },
		.grid_size = { 1, 1, 1 },
		.kernel_object = image.va,
		.kernarg_address = image.va + KERNARG_OFF,
		.completion_signal = image.va + SIGNAL_OFF,
	};
	aql_emit(queue, &packet);
	queue_submit(queue);
	result.completed = ksft_wait_dword(
		(uint32_t *)(bytes + SIGNAL_OFF + offsetof(struct aql_signal, value)), 0,
		DISPATCH_MS);
	result.stored = *(volatile uint32_t *)(bytes + RESULT_OFF) == DISPATCH_RESULT;
	kfd_bo_free(queue->kfd, &image);
	return result;
}
