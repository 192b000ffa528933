// SPDX-License-Identifier: MIT
/*
 * The video BIOS image and the firmware stubs, read back the way SeaBIOS, Linux' PCI code and
 * amdgpu read them: by offsets in the file, not by the structures that wrote them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../firmware.h"
#include "../rom.h"

#define ROM_BYTES 65536

static uint8_t rom[ROM_BYTES + 1];

static int setup(void **state)
{
	(void)state;
	memset(rom, 0xee, sizeof(rom));
	rom_generate(rom, ROM_BYTES);
	return 0;
}

static uint16_t get16(const uint8_t *at)
{
	return at[0] | at[1] << 8;
}

static uint32_t get32(const uint8_t *at)
{
	return get16(at) | (uint32_t)get16(at + 2) << 16;
}

/* As amdgpu_atom_parse_data_header() finds it; NULL: no such table. */
static const uint8_t *data_table(unsigned int index, unsigned int format, unsigned int content)
{
	const uint8_t *header = rom + get16(rom + 0x48);
	const uint8_t *master = rom + get16(header + 0x20);
	uint16_t at;

	assert_true(4 + 2 * (index + 1) <= get16(master));
	at = get16(master + 4 + 2 * index);
	if (!at)
		return NULL;
	assert_true(at + get16(rom + at) <= 4096); /* must fit the smallest image, too */
	assert_int_equal(rom[at + 2], format);
	assert_int_equal(rom[at + 3], content);
	return rom + at;
}

static void the_image_is_an_expansion_rom(void **state)
{
	const uint8_t *pcir = rom + get16(rom + 0x18);
	uint8_t sum = 0;
	size_t i;

	(void)state;
	assert_int_equal(get16(rom), 0xaa55);
	assert_int_equal(rom[2] * 512, ROM_BYTES);
	assert_int_equal(rom[3], 0xcb); /* SeaBIOS calls it */
	for (i = 0; i < ROM_BYTES; i++)
		sum += rom[i];
	assert_int_equal(sum, 0);
	assert_int_equal(rom[ROM_BYTES], 0xee);
	assert_memory_equal(pcir, "PCIR", 4);
	assert_int_equal(get16(pcir + 4), 0x1002);
	assert_int_equal(get16(pcir + 6), 0x66a1);
	assert_int_equal(get16(pcir + 10), 24);
	assert_int_equal(get16(pcir + 16) * 512, ROM_BYTES);
	assert_int_equal(pcir[20], 0);
	assert_int_equal(pcir[21] & 0x80, 0x80); /* the last image */
}

static void every_size_has_its_checksum(void **state)
{
	size_t bytes, i;

	(void)state;
	for (bytes = 4096; bytes <= ROM_BYTES; bytes += 512 * 7) {
		uint8_t sum = 0;

		rom_generate(rom, bytes);
		for (i = 0; i < bytes; i++)
			sum += rom[i];
		assert_int_equal(sum, 0);
		assert_int_equal(rom[2] * 512, bytes);
	}
}

static void the_image_is_an_atom_bios(void **state)
{
	const uint8_t *header = rom + get16(rom + 0x48);
	const uint8_t *commands;
	unsigned int i;

	(void)state;
	assert_memory_equal(rom + 0x30, " 761295520", 10);
	assert_memory_equal(header + 4, "ATOM", 4);
	assert_int_equal(get16(header), 0x24);
	assert_string_equal(rom + get16(header + 0x10), "VIRTUAL-MI50");
	commands = rom + get16(header + 0x1e);
	assert_int_equal(get16(commands), 4 + 162);
	for (i = 6; i < get16(commands); i++)
		assert_int_equal(commands[i], 0);
}

/* Interpreted as atom.c does: "move to register, 32-bit immediate", "end". */
static void asic_init_says_that_the_board_is_posted(void **state)
{
	static const uint8_t code[] = { 1, 5, 0x53, 0, 0, 2, 0, 0, 91 };
	const uint8_t *header = rom + get16(rom + 0x48);
	const uint8_t *table = rom + get16(rom + get16(header + 0x1e) + 4);

	(void)state;
	assert_int_equal(get16(table), 6 + sizeof(code));
	assert_int_equal(table[4], 0);	/* workspace */
	assert_int_equal(table[5], 8);	/* parameters */
	assert_memory_equal(table + 6, code, sizeof(code));
}

/* amdgpu_fru_eeprom.c and amdgpu_ras_eeprom.c look for these in the part number. */
static void the_part_number_means_no_eeprom(void **state)
{
	static const char *const known[] = { "D161", "D163", "D16406", "D36002" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_null(strstr((const char *)rom + 0x80, known[i]));
	assert_int_equal(rom[0x2f], 0); /* else the driver takes the string from elsewhere */
}

static void firmwareinfo_tells_the_scratch_registers(void **state)
{
	const uint8_t *info = data_table(4, 3, 1);

	(void)state;
	assert_int_equal(get32(info + 0x04), 0x10000);
	assert_int_equal(get32(info + 0x08), 100000);
	assert_int_equal(get32(info + 0x0c), 80000);
	assert_int_equal(get32(info + 0x10), 0);
	assert_int_equal(get32(info + 0x18), 0x4c);
	assert_int_equal(get16(info), 68);
}

static void gfx_info_tells_the_shape(void **state)
{
	static const uint8_t shape[] = { 9, 4, 4, 0, 16, 1, 4, 16 };
	const uint8_t *info = data_table(14, 2, 4);

	(void)state;
	assert_memory_equal(info + 4, shape, sizeof(shape));
	assert_int_equal(get32(info + 0x28), 10000);
	assert_int_equal(info[0x2c], 16);
	assert_int_equal(info[0x2d], 4);
	assert_int_equal(get16(info + 0x30), 256);
	assert_int_equal(get16(info + 0x36), 64);
	assert_int_equal(get16(info + 0x38), 10);
	assert_int_equal(get16(info + 0x3a), 64);
	assert_int_equal(info[0x3f], 32);
	assert_int_equal(get16(info), 72);
}

static void the_other_tables_are_there_or_not(void **state)
{
	(void)state;
	assert_int_equal(get32(data_table(8, 3, 1) + 16), 10000);
	assert_int_equal(get16(data_table(11, 2, 1)), 12);
	assert_int_equal(get16(data_table(23, 1, 1)), 8);
	assert_null(data_table(24, 0, 0)); /* umc_info would turn RAS on */
	assert_null(data_table(28, 0, 0));
}

/* ---- firmware ---- */

static void read_firmware(const char *dir, const char *name, uint8_t *data)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/vega20_%s.bin", dir, name);
	file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fread(data, 1, 513, file), 512);
	fclose(file);
	unlink(path);
	assert_int_equal(get32(data), 512); /* amdgpu_ucode_validate() */
	assert_int_equal(get16(data + 12), 9);
	assert_int_equal(get32(data + 20) + get32(data + 24), 512);
	assert_string_equal((char *)data + get32(data + 24), FIRMWARE_MARK);
}

static void check_firmware(const char *dir, const char *name, unsigned int header_bytes,
			   unsigned int major, unsigned int version)
{
	uint8_t data[513];

	read_firmware(dir, name, data);
	assert_int_equal(get32(data + 4), header_bytes);
	assert_int_equal(get16(data + 8), major);
	assert_int_equal(get16(data + 10), 0);
	assert_int_equal(get32(data + 16), version);
	assert_int_equal(get32(data + 32), 50);
}

/* psp_init_sos_base_fw(): the system driver up to an offset, the sOS behind it. */
static void check_sos(const char *dir)
{
	uint8_t data[513];

	read_firmware(dir, "sos", data);
	assert_int_equal(get16(data + 8), 1);
	assert_true(get32(data + 16) < 0x80067); /* from there on resets are by BACO */
	assert_string_equal((char *)data + get32(data + 24) + get32(data + 36), FIRMWARE_MARK);
	assert_int_equal(get32(data + 36) + get32(data + 40), get32(data + 20));
}

static void check_ta(const char *dir)
{
	uint8_t data[513];

	read_firmware(dir, "ta", data);
	assert_int_equal(get16(data + 8), 1);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(get32(data + 32 + 12 * i + 8), 0);
}

static void firmware_headers_pass_the_driver(void **state)
{
	static const char *const cp[] = { "pfp", "me", "ce", "mec", "mec2" };
	char dir[] = "/tmp/test_rom.XXXXXX";
	size_t i;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(firmware_write(dir), 0);
	for (i = 0; i < sizeof(cp) / sizeof(cp[0]); i++)
		check_firmware(dir, cp[i], 44, 1, 0x200);
	check_firmware(dir, "sdma", 48, 1, 145);
	check_firmware(dir, "sdma1", 48, 1, 145);
	check_firmware(dir, "rlc", 104, 2, 0x200);
	check_firmware(dir, "asd", 44, 1, 0x200);
	check_sos(dir);
	check_ta(dir);
	assert_int_equal(rmdir(dir), 0); /* nothing else was written */
	assert_int_equal(firmware_write(dir), -ENOENT);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_image_is_an_expansion_rom),
		T(every_size_has_its_checksum),
		T(the_image_is_an_atom_bios),
		T(asic_init_says_that_the_board_is_posted),
		T(the_part_number_means_no_eeprom),
		T(firmwareinfo_tells_the_scratch_registers),
		T(gfx_info_tells_the_shape),
		T(the_other_tables_are_there_or_not),
		T(firmware_headers_pass_the_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
