// SPDX-License-Identifier: MIT
/* The PCI configuration space as QEMU and Linux look at it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/pci_regs.h>
#include <string.h>

#include "../pci.h"

#define GIB (1ull << 30)

static struct pci_config pci;

static int setup(void **state)
{
	(void)state;
	pci_config_init(&pci, GIB);
	return 0;
}

static uint32_t read_config(uint64_t offset, uint32_t bytes)
{
	uint32_t value = 0;

	pci_config_read(&pci, offset, &value, bytes);
	return value;
}

static void write_config(uint64_t offset, uint32_t value, uint32_t bytes)
{
	pci_config_write(&pci, offset, &value, bytes);
}

static uint32_t size_bar(unsigned int offset)
{
	write_config(offset, ~0u, 4);
	return read_config(offset, 4);
}

static void the_function_is_a_vega20(void **state)
{
	(void)state;
	assert_int_equal(read_config(PCI_VENDOR_ID, 4), 0x66a11002);
	assert_int_equal(read_config(PCI_CLASS_REVISION, 4), 0x03800001);
	assert_int_equal(read_config(PCI_SUBSYSTEM_VENDOR_ID, 4), 0x08341002);
	assert_int_equal(read_config(PCI_HEADER_TYPE, 1), 0);
	assert_int_equal(read_config(PCI_INTERRUPT_PIN, 1), 0);
}

static void identity_cannot_be_written(void **state)
{
	(void)state;
	write_config(PCI_VENDOR_ID, 0, 4);
	write_config(PCI_CLASS_REVISION, 0, 4);
	write_config(PCI_CAPABILITY_LIST, 0, 1);
	write_config(PCI_STATUS, 0xffff, 2);
	assert_int_equal(read_config(PCI_VENDOR_ID, 4), 0x66a11002);
	assert_int_equal(read_config(PCI_CLASS_REVISION, 4), 0x03800001);
	assert_int_equal(read_config(PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
}

static void the_command_register_has_only_what_exists(void **state)
{
	(void)state;
	write_config(PCI_COMMAND, 0xffff, 2);
	assert_int_equal(read_config(PCI_COMMAND, 2) & PCI_COMMAND_IO, 0);
	assert_int_equal(read_config(PCI_COMMAND, 2) & 0x6, 0x6);
	write_config(PCI_COMMAND, 0, 2);
	assert_int_equal(read_config(PCI_COMMAND, 2), 0);
}

static void bars_tell_their_size(void **state)
{
	(void)state;
	assert_int_equal(size_bar(PCI_BASE_ADDRESS_0), 0xc000000c);
	assert_int_equal(size_bar(PCI_BASE_ADDRESS_1), 0xffffffff);
	assert_int_equal(size_bar(PCI_BASE_ADDRESS_2), 0xffe0000c);
	assert_int_equal(size_bar(PCI_BASE_ADDRESS_3), 0xffffffff);
	assert_int_equal(size_bar(PCI_BASE_ADDRESS_4), 0);
	assert_int_equal(size_bar(PCI_BASE_ADDRESS_5), 0xfff80000);
}

static void a_big_bar_sizes_in_its_upper_half(void **state)
{
	(void)state;
	pci_config_init(&pci, 16 * GIB);
	assert_int_equal(size_bar(PCI_BASE_ADDRESS_0), 0x0000000c);
	assert_int_equal(size_bar(PCI_BASE_ADDRESS_1), 0xfffffffc);
}

/* QEMU sizes the ROM with 0xfffff800: stored as it is, that would be a ROM of 2 KiB. */
static void the_rom_tells_its_size(void **state)
{
	(void)state;
	write_config(PCI_ROM_ADDRESS, (uint32_t)PCI_ROM_ADDRESS_MASK, 4);
	assert_int_equal(read_config(PCI_ROM_ADDRESS, 4), 0xffff0000);
	write_config(PCI_ROM_ADDRESS, 0xfe010001, 4);
	assert_int_equal(read_config(PCI_ROM_ADDRESS, 4), 0xfe010001);
}

static unsigned int find_capability(uint8_t id)
{
	unsigned int at = read_config(PCI_CAPABILITY_LIST, 1), hops;

	for (hops = 0; at && hops < 48; hops++) {
		assert_int_equal(at & 3, 0);
		if (read_config(at, 1) == id)
			return at;
		at = read_config(at + 1, 1);
	}
	assert_int_equal(at, 0); /* the list ends */
	return 0;
}

static void capabilities_are_linked(void **state)
{
	unsigned int express = find_capability(PCI_CAP_ID_EXP);

	(void)state;
	assert_int_equal(find_capability(PCI_CAP_ID_PM), 0x48);
	assert_int_equal(express, 0x58);
	assert_int_equal(find_capability(PCI_CAP_ID_MSI), 0xa0);
	assert_int_equal(find_capability(PCI_CAP_ID_MSIX), 0);
	assert_int_equal(read_config(express + PCI_EXP_FLAGS, 2), 2); /* version 2, endpoint */
	/* The guest could reset the function behind our back. */
	assert_int_equal(read_config(express + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR, 0);
}

static void msi_has_one_64_bit_vector(void **state)
{
	unsigned int msi = find_capability(PCI_CAP_ID_MSI);

	(void)state;
	assert_int_equal(read_config(msi + PCI_MSI_FLAGS, 2), PCI_MSI_FLAGS_64BIT);
	write_config(msi + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE, 2);
	write_config(msi + PCI_MSI_ADDRESS_LO, 0xfee00003, 4);
	write_config(msi + PCI_MSI_DATA_64, 0x4021, 2);
	assert_int_equal(read_config(msi + PCI_MSI_FLAGS, 2),
			 PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_ENABLE);
	assert_int_equal(read_config(msi + PCI_MSI_ADDRESS_LO, 4), 0xfee00000);
	assert_int_equal(read_config(msi + PCI_MSI_DATA_64, 2), 0x4021);
}

static void extended_space_has_a_vendor_capability(void **state)
{
	uint32_t header = read_config(0x100, 4);

	(void)state;
	assert_int_equal(PCI_EXT_CAP_ID(header), PCI_EXT_CAP_ID_VNDR);
	assert_int_equal(PCI_EXT_CAP_VER(header), 1);
	assert_int_equal(PCI_EXT_CAP_NEXT(header), 0);
	assert_int_equal(PCI_VNDR_HEADER_LEN(read_config(0x104, 4)), 0x10);
	write_config(0x100, 0, 4);
	assert_int_equal(read_config(0x100, 4), header);
}

static void accesses_outside_do_nothing(void **state)
{
	struct pci_config before = pci;

	(void)state;
	write_config(PCI_CONFIG_BYTES - 2, ~0u, 4);
	write_config(UINT64_MAX - 1, ~0u, 4);
	assert_memory_equal(&before, &pci, sizeof(pci));
	assert_int_equal(read_config(PCI_CONFIG_BYTES, 4), ~0u);
	assert_int_equal(read_config(UINT64_MAX - 1, 4), ~0u);
	assert_int_equal(read_config(PCI_CONFIG_BYTES - 4, 4), 0);
}

static void odd_accesses_hit_the_right_bytes(void **state)
{
	(void)state;
	write_config(PCI_BASE_ADDRESS_5 + 2, 0xfe08, 2);
	assert_int_equal(read_config(PCI_BASE_ADDRESS_5, 4), 0xfe080000);
	write_config(PCI_BASE_ADDRESS_5 + 3, 0x12, 1);
	assert_int_equal(read_config(PCI_BASE_ADDRESS_5, 4), 0x12080000);
	assert_int_equal(read_config(PCI_DEVICE_ID, 2), 0x66a1);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_function_is_a_vega20),
		T(identity_cannot_be_written),
		T(the_command_register_has_only_what_exists),
		T(bars_tell_their_size),
		T(a_big_bar_sizes_in_its_upper_half),
		T(the_rom_tells_its_size),
		T(capabilities_are_linked),
		T(msi_has_one_64_bit_vector),
		T(extended_space_has_a_vendor_capability),
		T(accesses_outside_do_nothing),
		T(odd_accesses_hit_the_right_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
