// SPDX-License-Identifier: MIT
/*
 * What psp_v11_0.c and amdgpu_psp.c expect, with the layouts of psp_gfx_if.h. Commands take effect
 * at the register write that announces them.
 */
#include "psp.h"

#include <stddef.h>
#include <string.h>

#include "firmware.h"
#include "vgpu.h"

#define READY		      0x80000000u /* bit 31: done, waits for the next one */
#define ERROR_BAD_FIRMWARE    0x0000000bu
#define ERROR_NO_MEMORY_SETUP 0xffff0007u /* TEE_ERROR_BAD_STATE */
#define ERROR_NOT_SUPPORTED   0xffff000au /* TEE_ERROR_NOT_SUPPORTED */

/* Commands to the boot loader, PSP_BL__*, in C2PMSG_35. */
#define BOOT_LOAD_SYSDRV    0x00010000u
#define BOOT_LOAD_SOSDRV    0x00020000u
#define BOOT_LOAD_KEYS	    0x00080000u
#define BOOT_LOAD_SPL_TABLE 0x10000000u
#define BOOT_ADDRESS_SHIFT  20

/* Commands to the operating system, enum psp_gfx_crtl_cmd_id, in C2PMSG_64. */
#define CONTROL_MASK	      0x000f0000u
#define CONTROL_INIT_RING     0x00020000u
#define CONTROL_DESTROY_RINGS 0x00030000u
#define CONTROL_MODE1_RESET   0x00070000u

/* Commands in the ring, enum psp_gfx_cmd_id. */
enum {
	CMD_LOAD_TA = 1,
	CMD_UNLOAD_TA = 2,
	CMD_LOAD_ASD = 4,
	CMD_SETUP_TMR = 5,
	CMD_LOAD_IP_FW = 6,
	CMD_DESTROY_TMR = 7,
};

#define RING_MIN_BYTES	0x1000u
#define RING_MAX_BYTES	0x100000u
#define COMMAND_ARGS	4
#define RESPONSE_OFFSET 864
#define SIGN_OF_LIFE	FIRMWARE_SOS_VERSION

/* struct psp_gfx_rb_frame */
struct frame {
	uint32_t command_lo, command_hi;
	uint32_t command_bytes;
	uint32_t fence_lo, fence_hi;
	uint32_t fence_value;
	uint32_t unused[10];
};

/* The beginning of struct psp_gfx_cmd_resp. */
struct command {
	uint32_t buf_size;
	uint32_t buf_version;
	uint32_t id;
	uint32_t unused[4];
	/* SETUP_TMR, LOAD_IP_FW, LOAD_TA: address and length. UNLOAD_TA: the session. */
	uint32_t args[COMMAND_ARGS];
};

/* The beginning of struct psp_gfx_resp. */
struct response {
	uint32_t status;
	uint32_t session_id;
	uint32_t fw_addr_lo, fw_addr_hi;
};

_Static_assert(sizeof(struct frame) == 64, "psp_gfx_if.h: psp_gfx_rb_frame");
_Static_assert(offsetof(struct command, args) == 28, "psp_gfx_if.h: psp_gfx_cmd_resp");

static uint64_t address(uint32_t lo, uint32_t hi)
{
	return lo | (uint64_t)hi << 32;
}

/* In place of checking a signature. */
static bool is_firmware(struct vgpu *dev, uint64_t va)
{
	char mark[sizeof(FIRMWARE_MARK)] = "";

	vgpu_read(dev, va, mark, sizeof(mark));
	if (!memcmp(mark, FIRMWARE_MARK, sizeof(mark)))
		return true;
	error(dev, "PSP: what is to be loaded from 0x%llx is not firmware of this GPU",
	      (unsigned long long)va);
	return false;
}

static void boot_command_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	uint64_t va = (uint64_t)reg_get(dev, MP0_SMN_C2PMSG_36) << BOOT_ADDRESS_SHIFT;
	uint32_t status = 0;

	switch (value) {
	case BOOT_LOAD_SYSDRV:
	case BOOT_LOAD_SOSDRV:
	case BOOT_LOAD_KEYS:
	case BOOT_LOAD_SPL_TABLE:
		if (!is_firmware(dev, va))
			status = ERROR_BAD_FIRMWARE;
		break;
	default:
		status = ERROR_NOT_SUPPORTED & 0xffff;
	}
	reg_set(dev, reg, READY | status);
	if (status || value != BOOT_LOAD_SOSDRV)
		return;
	dev->psp.loaded = true;
}

/*
 * The driver reads this 20 ms after it has told to load the sOS, and then waits for another value.
 * By a clock, a driver that is late would wait in vain. So the sOS starts after it was looked for
 * once.
 */
static uint32_t sign_of_life_read(struct vgpu *dev, uint32_t reg)
{
	uint32_t value = reg_get(dev, reg);

	if (dev->psp.loaded && !dev->psp.running) {
		dev->psp.running = true;
		reg_set(dev, reg, SIGN_OF_LIFE);
		reg_set(dev, MP0_SMN_C2PMSG_64, READY);
	}
	return value;
}

static uint32_t create_ring(struct vgpu *dev)
{
	struct psp *psp = &dev->psp;
	uint32_t bytes = reg_get(dev, MP0_SMN_C2PMSG_71);

	if (bytes < RING_MIN_BYTES || bytes > RING_MAX_BYTES || bytes % sizeof(struct frame))
		return ERROR_NOT_SUPPORTED & 0xffff;
	psp->ring = reg_get64(dev, MP0_SMN_C2PMSG_69, MP0_SMN_C2PMSG_70);
	psp->ring_bytes = bytes;
	psp->rptr = 0;
	reg_set(dev, MP0_SMN_C2PMSG_67, 0);
	return 0;
}

static void control_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	uint32_t status = 0;

	if (!dev->psp.running)
		return;
	switch (value & CONTROL_MASK) {
	case CONTROL_INIT_RING:
		status = create_ring(dev);
		break;
	case CONTROL_DESTROY_RINGS:
		dev->psp.ring_bytes = 0;
		break;
	case CONTROL_MODE1_RESET:
		dev->psp.reset_wanted = true;
		return;
	default:
		status = ERROR_NOT_SUPPORTED & 0xffff;
	}
	reg_set(dev, reg, READY | status);
}

static void load_application(struct vgpu *dev, const struct command *command,
			     struct response *response)
{
	if (!is_firmware(dev, address(command->args[0], command->args[1])))
		response->status = ERROR_BAD_FIRMWARE;
	else
		response->session_id = ++dev->psp.sessions;
}

static void load_firmware(struct vgpu *dev, const struct command *command,
			  struct response *response)
{
	struct psp *psp = &dev->psp;

	if (!psp->tmr) {
		response->status = ERROR_NO_MEMORY_SETUP;
	} else if (!is_firmware(dev, address(command->args[0], command->args[1]))) {
		response->status = ERROR_BAD_FIRMWARE;
	} else {
		response->fw_addr_lo = (uint32_t)psp->tmr;
		response->fw_addr_hi = (uint32_t)(psp->tmr >> 32);
	}
}

static struct response execute(struct vgpu *dev, const struct command *command)
{
	struct response response = { 0 };

	switch (command->id) {
	case CMD_LOAD_TA:
	case CMD_LOAD_ASD:
		load_application(dev, command, &response);
		break;
	case CMD_UNLOAD_TA:
		if (!command->args[0] || command->args[0] > dev->psp.sessions)
			response.status = ERROR_NOT_SUPPORTED;
		break;
	case CMD_SETUP_TMR:
		dev->psp.tmr = address(command->args[0], command->args[1]);
		break;
	case CMD_LOAD_IP_FW:
		load_firmware(dev, command, &response);
		break;
	case CMD_DESTROY_TMR:
		dev->psp.tmr = 0;
		break;
	default:
		error(dev, "PSP: there is no command 0x%x", command->id);
		response.status = ERROR_NOT_SUPPORTED;
	}
	return response;
}

static void run_frame(struct vgpu *dev, uint64_t va)
{
	struct response response;
	struct command command;
	struct frame frame;

	vgpu_read(dev, va, &frame, sizeof(frame));
	va = address(frame.command_lo, frame.command_hi);
	vgpu_read(dev, va, &command, sizeof(command));
	response = execute(dev, &command);
	vgpu_write(dev, va + RESPONSE_OFFSET, &response, sizeof(response));
	vgpu_write(dev, address(frame.fence_lo, frame.fence_hi), &frame.fence_value,
		   sizeof(frame.fence_value));
}

static void wptr_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	struct psp *psp = &dev->psp;
	uint32_t dwords = psp->ring_bytes / 4;

	if (!psp->running || value >= dwords || value % (sizeof(struct frame) / 4))
		return;
	reg_set(dev, reg, value);
	while (psp->rptr != value) {
		run_frame(dev, psp->ring + 4ull * psp->rptr);
		psp->rptr = (psp->rptr + sizeof(struct frame) / 4) % dwords;
	}
}

static void ignore_write(struct vgpu *dev, uint32_t reg, uint32_t value)
{
	(void)dev;
	(void)reg;
	(void)value;
}

void psp_poll(struct vgpu *dev)
{
	if (!dev->psp.reset_wanted)
		return;
	vgpu_reset(dev);
	mem_lose_vram(&dev->mem);
}

static const struct reg_handler read_only = { .write = ignore_write };
static const struct reg_handler sign_of_life = { sign_of_life_read, ignore_write };
static const struct reg_handler boot_command = { .write = boot_command_write };
static const struct reg_handler control = { .write = control_write };
static const struct reg_handler wptr = { .write = wptr_write };

void psp_init(struct vgpu *dev)
{
	struct reg_file *regs = &dev->regs;

	reg_hook(regs, &read_only, MP0_SMN_C2PMSG_33, 1, 4);
	reg_hook(regs, &boot_command, MP0_SMN_C2PMSG_35, 1, 4);
	reg_hook(regs, &control, MP0_SMN_C2PMSG_64, 1, 4);
	reg_hook(regs, &wptr, MP0_SMN_C2PMSG_67, 1, 4);
	reg_hook(regs, &sign_of_life, MP0_SMN_C2PMSG_81, 1, 4);
}

void psp_reset(struct vgpu *dev)
{
	memset(&dev->psp, 0, sizeof(dev->psp));
	/* amdgpu_discovery waits for this bit before it looks at anything else. */
	reg_set(dev, MP0_SMN_C2PMSG_33, READY);
	reg_set(dev, MP0_SMN_C2PMSG_35, READY);
}
