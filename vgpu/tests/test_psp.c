// SPDX-License-Identifier: MIT
/* The security processor as psp_v11_0.c talks to it: boot loader, ring, mode-1 reset. */
#include "device.h"

#include <string.h>

#include "../firmware.h"

#define READY		   0x80000000u
#define LOAD_SYSDRV	   0x10000u
#define LOAD_SOSDRV	   0x20000u
#define CREATE_RING	   0x20000u
#define DESTROY_RINGS	   0x30000u
#define MODE1_RESET	   0x70000u
#define RING_BYTES	   4096u
#define FRAME_DWORDS	   16u
#define RESPONSE	   216u /* dword of the command buffer */
#define FENCE_VALUE(index) (100 + (index))

struct psp_driver {
	struct buffer firmware, ring, command, fence;
	uint32_t wptr;
	uint32_t fences;
};

static void put_firmware(const struct buffer *buffer)
{
	memcpy(buffer->host, FIRMWARE_MARK, sizeof(FIRMWARE_MARK));
}

static uint32_t boot(struct device *d, const struct buffer *firmware, uint32_t command)
{
	reg_out(d, MP0_SMN_C2PMSG_36, (uint32_t)(firmware->va >> 20));
	reg_out(d, MP0_SMN_C2PMSG_35, command);
	return reg_in(d, MP0_SMN_C2PMSG_35);
}

/* Memory at a multiple of 1 MiB, which is all that the boot loader can be told. */
static struct buffer alloc_mib(struct device *d)
{
	d->vram_next = (d->vram_next + (1 << 20) - 1) & ~((1ull << 20) - 1);
	return device_alloc(d, 0, 1 << 20);
}

static void start(struct device *d, struct psp_driver *driver)
{
	driver->firmware = alloc_mib(d);
	driver->ring = device_alloc(d, 0, RING_BYTES);
	driver->command = device_alloc(d, 0, 4096);
	driver->fence = device_alloc(d, 0, 4096);
	put_firmware(&driver->firmware);
	assert_int_equal(boot(d, &driver->firmware, LOAD_SYSDRV), READY);
	assert_int_equal(boot(d, &driver->firmware, LOAD_SOSDRV), READY);
	assert_int_equal(reg_in(d, MP0_SMN_C2PMSG_81), 0);
	assert_int_not_equal(reg_in(d, MP0_SMN_C2PMSG_81), 0);
}

static uint32_t create_ring(struct device *d, const struct psp_driver *driver, uint32_t bytes)
{
	reg_out(d, MP0_SMN_C2PMSG_69, LO(driver->ring.va));
	reg_out(d, MP0_SMN_C2PMSG_70, HI(driver->ring.va));
	reg_out(d, MP0_SMN_C2PMSG_71, bytes);
	reg_out(d, MP0_SMN_C2PMSG_64, CREATE_RING);
	return reg_in(d, MP0_SMN_C2PMSG_64);
}

/* As psp_ring_cmd_submit(). Returns the status of the response. */
static uint32_t submit(struct device *d, struct psp_driver *driver, uint32_t id, uint64_t va)
{
	uint32_t *frame = driver->ring.u32 + driver->wptr;

	memset(driver->command.host, 0, 1024);
	driver->command.u32[2] = id;
	driver->command.u32[7] = LO(va);
	driver->command.u32[8] = HI(va);
	memset(frame, 0, FRAME_DWORDS * 4);
	frame[0] = LO(driver->command.va);
	frame[1] = HI(driver->command.va);
	frame[3] = LO(driver->fence.va);
	frame[4] = HI(driver->fence.va);
	frame[5] = FENCE_VALUE(++driver->fences);
	driver->wptr = (driver->wptr + FRAME_DWORDS) % (RING_BYTES / 4);
	reg_out(d, MP0_SMN_C2PMSG_67, driver->wptr);
	assert_int_equal(driver->fence.u32[0], FENCE_VALUE(driver->fences));
	return driver->command.u32[RESPONSE];
}

static void the_sos_starts_after_it_was_looked_for(void **state)
{
	struct psp_driver driver = { 0 };
	struct device *d = *state;

	assert_int_equal(reg_in(d, MP0_SMN_C2PMSG_33), READY);
	assert_int_equal(reg_in(d, MP0_SMN_C2PMSG_35), READY);
	assert_int_equal(reg_in(d, MP0_SMN_C2PMSG_81), 0);
	assert_int_equal(reg_in(d, MP0_SMN_C2PMSG_64), 0);
	start(d, &driver);
	assert_int_equal(reg_in(d, MP0_SMN_C2PMSG_64), READY);
	reg_out(d, MP0_SMN_C2PMSG_81, 0);
	assert_int_not_equal(reg_in(d, MP0_SMN_C2PMSG_81), 0);
}

static void the_boot_loader_refuses_what_is_no_firmware(void **state)
{
	struct device *d = *state;
	struct buffer empty = alloc_mib(d);

	assert_int_not_equal(boot(d, &empty, LOAD_SOSDRV), READY);
	reg_in(d, MP0_SMN_C2PMSG_81);
	assert_int_equal(reg_in(d, MP0_SMN_C2PMSG_81), 0);
	put_firmware(&empty);
	assert_int_not_equal(boot(d, &empty, 0x12345), READY);
	assert_int_equal(boot(d, &empty, LOAD_SYSDRV), READY);
}

static void commands_are_answered_and_fenced(void **state)
{
	struct psp_driver driver = { 0 };
	struct device *d = *state;
	uint32_t session;

	start(d, &driver);
	assert_int_equal(create_ring(d, &driver, RING_BYTES), READY);
	/* Firmware wants a place where it can be kept. */
	assert_int_not_equal(submit(d, &driver, 6, driver.firmware.va), 0);
	assert_int_equal(submit(d, &driver, 5, 0x123456000), 0);
	assert_int_equal(submit(d, &driver, 6, driver.firmware.va), 0);
	assert_int_equal(driver.command.u32[RESPONSE + 2], 0x23456000);
	assert_int_equal(driver.command.u32[RESPONSE + 3], 1);
	assert_int_not_equal(submit(d, &driver, 6, driver.ring.va), 0);
	assert_int_equal(submit(d, &driver, 4, driver.firmware.va), 0);
	session = driver.command.u32[RESPONSE + 1];
	assert_int_not_equal(session, 0);
	assert_int_equal(submit(d, &driver, 2, session), 0);
	assert_int_not_equal(submit(d, &driver, 2, session + 1), 0);
	assert_int_not_equal(submit(d, &driver, 0x77, 0), 0);
	assert_int_equal(submit(d, &driver, 7, 0), 0);
	assert_int_not_equal(submit(d, &driver, 6, driver.firmware.va), 0);
}

static void the_ring_wraps(void **state)
{
	struct psp_driver driver = { 0 };
	struct device *d = *state;

	start(d, &driver);
	assert_int_equal(create_ring(d, &driver, RING_BYTES), READY);
	for (unsigned int i = 0; i < 3 * RING_BYTES / 64; i++)
		assert_int_equal(submit(d, &driver, 5, 0x1000), 0);
}

static void bad_rings_and_pointers_are_refused(void **state)
{
	struct psp_driver driver = { 0 };
	struct device *d = *state;

	start(d, &driver);
	assert_int_not_equal(create_ring(d, &driver, 0), READY);
	assert_int_not_equal(create_ring(d, &driver, RING_BYTES + 4), READY);
	assert_int_not_equal(create_ring(d, &driver, 1u << 30), READY);
	assert_int_equal(create_ring(d, &driver, RING_BYTES), READY);
	reg_out(d, MP0_SMN_C2PMSG_67, 1);
	reg_out(d, MP0_SMN_C2PMSG_67, RING_BYTES / 4);
	assert_int_equal(reg_in(d, MP0_SMN_C2PMSG_67), 0);
	reg_out(d, MP0_SMN_C2PMSG_64, DESTROY_RINGS);
	assert_int_equal(reg_in(d, MP0_SMN_C2PMSG_64), READY);
	reg_out(d, MP0_SMN_C2PMSG_67, FRAME_DWORDS);
	assert_int_equal(reg_in(d, MP0_SMN_C2PMSG_67), 0);
	assert_int_equal(driver.fence.u32[0], 0);
}

static void mode1_reset_loses_registers_and_vram(void **state)
{
	struct psp_driver driver = { 0 };
	struct device *d = *state;

	start(d, &driver);
	reg_out(d, BIOS_SCRATCH_7, 0x200);
	memset(driver.ring.host, 0x55, RING_BYTES);
	reg_out(d, MP0_SMN_C2PMSG_64, MODE1_RESET);
	device_run(d);
	assert_int_equal(reg_in(d, BIOS_SCRATCH_7), 0); /* not posted */
	assert_int_equal(reg_in(d, MP0_SMN_C2PMSG_35), READY);
	assert_int_equal(reg_in(d, MP0_SMN_C2PMSG_81), 0);
	assert_int_equal(reg_in(d, RCC_CONFIG_MEMSIZE), VRAM_BYTES >> 20);
	for (unsigned int i = 0; i < RING_BYTES / 4; i++)
		assert_int_equal(driver.ring.u32[i], 0);
	put_firmware(&driver.firmware);
}

/* The queue that asks for it is in use while it does. */
static void a_packet_may_ask_for_the_reset(void **state)
{
	struct psp_driver driver = { 0 };
	struct device *d = *state;
	struct ring r;

	start(d, &driver);
	start_sdma(d, &r, 0, 0, 0, 1024);
	EMIT(&r, 14 | 0xfu << 28, MP0_SMN_C2PMSG_64 / 4, MODE1_RESET);
	kick(&r);
	device_run(d);
	assert_int_equal(reg_in(d, MP0_SMN_C2PMSG_81), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_sos_starts_after_it_was_looked_for),
		T(the_boot_loader_refuses_what_is_no_firmware),
		T(commands_are_answered_and_fenced),
		T(the_ring_wraps),
		T(bad_rings_and_pointers_are_refused),
		T(mode1_reset_loses_registers_and_vram),
		T(a_packet_may_ask_for_the_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
