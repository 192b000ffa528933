// SPDX-License-Identifier: MIT
#include "shader.h"

#include <string.h>

#include "ksft.h"

#define IMAGE_BYTES 4096u

/* Where things are in the kernel's buffer. The descriptor (LLVM, "User Guide for AMDGPU Backend",
 * "Kernel Descriptor") is followed by the code.
 */
#define CODE_OFF    256u
#define KERNARG_OFF 2048u
#define SIGNAL_OFF  3072u

static const uint32_t kernel_descriptor[16] = {
	[2] = 8 * SHADER_ARGUMENTS, /* kernarg_size */
	[4] = CODE_OFF,		    /* kernel_code_entry_byte_offset */
	[12] = 0x00ac0041,	    /* compute_pgm_rsrc1: 8 VGPRs, 16 SGPRs, IEEE, DX10_CLAMP */
	[13] = 0x00000084,	    /* compute_pgm_rsrc2: 2 user SGPRs, TGID_X */
	[14] = 0x00000008,	    /* ENABLE_SGPR_KERNARG_SEGMENT_PTR */
};

static struct aql_signal *kernel_signal(const struct shader_kernel *kernel)
{
	return (struct aql_signal *)((uint8_t *)kernel->image.cpu + SIGNAL_OFF);
}

void shader_load(struct shader_kernel *kernel, struct kfd *kfd, const struct shader_code *code)
{
	uint8_t *bytes;

	ksft_assert(4 * code->count <= KERNARG_OFF - CODE_OFF, "a kernel of %u dwords",
		    code->count);
	kernel->kfd = kfd;
	kfd_bo_alloc(kfd, &kernel->image, IMAGE_BYTES, KFD_BO_GTT);
	bytes = kernel->image.cpu;
	memset(bytes, 0, IMAGE_BYTES);
	memcpy(bytes, kernel_descriptor, sizeof(kernel_descriptor));
	memcpy(bytes + CODE_OFF, code->dwords, 4 * code->count);
	kernel_signal(kernel)->kind = AQL_SIGNAL_KIND_USER;
}

void shader_unload(struct shader_kernel *kernel)
{
	kfd_bo_free(kernel->kfd, &kernel->image);
}

void shader_dispatch(struct shader_kernel *kernel, struct queue *queue, uint32_t groups,
		     uint32_t size, uint32_t lds_bytes, const uint64_t arguments[SHADER_ARGUMENTS])
{
	union aql_packet packet = { 0 };

	memcpy((uint8_t *)kernel->image.cpu + KERNARG_OFF, arguments, 8 * SHADER_ARGUMENTS);
	kernel_signal(kernel)->value = 1;
	packet.dispatch = (struct aql_dispatch){
		.header = AQL_KERNEL_DISPATCH | AQL_BARRIER_BIT | AQL_SYSTEM_SCOPE,
		.setup = 1,
		.workgroup_size = { (uint16_t)size, 1, 1 },
		.grid_size = { groups * size, 1, 1 },
		.group_segment_size = lds_bytes,
		.kernel_object = kernel->image.va,
		.kernarg_address = kernel->image.va + KERNARG_OFF,
		.completion_signal = kernel->image.va + SIGNAL_OFF,
	};
	aql_emit(queue, &packet);
	queue_submit(queue);
}

bool shader_is_done(const struct shader_kernel *kernel)
{
	return !__atomic_load_n(&kernel_signal(kernel)->value, __ATOMIC_ACQUIRE);
}

bool shader_wait(const struct shader_kernel *kernel, unsigned int limit_ms)
{
	return ksft_wait_dword((const uint32_t *)&kernel_signal(kernel)->value, 0, limit_ms);
}
