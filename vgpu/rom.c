// SPDX-License-Identifier: MIT
/*
 * The video BIOS image.
 *
 * amdgpu refuses to bind without an ATOM BIOS. It reads data tables and, when the board was not
 * posted since it was reset, interprets one command table, ASIC_Init. So the image is a PCI
 * expansion ROM header, the ATOM headers and the few tables that are looked at. Layouts: amdgpu's
 * atom.h and atomfirmware.h; the code of command tables: atom.c.
 */
#include "rom.h"
#include "pci.h"
#include "regs.h"

#include <string.h>

/* PCI expansion ROM header (PCI Firmware Specification 3.x) and ATOM's additions to it. */
#define ROM_SIGNATURE	      0x00
#define ROM_LENGTH	      0x02 /* in units of 512 bytes */
#define ROM_ENTRY	      0x03
#define ROM_PCIR_POINTER      0x18
#define ROM_ATI_MAGIC	      0x30
#define ROM_ATOM_POINTER      0x48
#define ROM_DATE	      0x50
#define ROM_PART_NUMBER	      0x80
#define ROM_BLOCK_BYTES	      512
#define ROM_CHECKSUM_BYTE     0x21 /* unused by both headers; makes the byte sum 0 */
#define ROM_LAST_IMAGE	      0x80
#define ROM_OPCODE_FAR_RETURN 0xcb

/* Where the tables are in the image. */
#define PCIR_START	       0x1c0
#define ATOM_HEADER_START      0x200
#define COMMAND_MASTER_START   0x300
#define DATA_MASTER_START      0x400
#define FIRMWAREINFO_START     0x500
#define SMU_INFO_START	       0x600
#define VRAM_USAGE_START       0x700
#define GFX_INFO_START	       0x800
#define ASIC_INIT_START	       0x900
#define INDIRECT_ACCESS_START  0xa00

#define COMMAND_MASTER_ENTRIES 81
#define DATA_MASTER_ENTRIES    35

/* Position in atom_master_list_of_command_functions_v2_1. */
#define COMMAND_ASIC_INIT 0

/* Positions in atom_master_list_of_data_tables_v2_1. umc_info is absent: it would turn RAS on. */
#define DATA_FIRMWAREINFO    4
#define DATA_SMU_INFO	     8
#define DATA_VRAM_USAGE	     11
#define DATA_GFX_INFO	     14
#define DATA_INDIRECT_ACCESS 23

#define REFCLK_10KHZ	     10000 /* 100 MHz, the rate of the model's GPU clock counter */
/* Dword index of BIOS_SCRATCH_0; without it the driver cannot see that the board is posted. */
#define BIOS_SCRATCH_0_DWORD 0x4c

#define PACKED		     __attribute__((packed))

struct PACKED pcir {
	char signature[4];
	uint16_t vendor;
	uint16_t device;
	uint16_t reserved0;
	uint16_t length;
	uint8_t revision;
	uint8_t class_code[3];
	uint16_t image_blocks;
	uint16_t code_revision;
	uint8_t code_type;
	uint8_t indicator;
	uint16_t reserved1;
};

struct PACKED atom_table_header {
	uint16_t bytes;
	uint8_t format_revision;
	uint8_t content_revision;
};

struct PACKED atom_rom_header {
	struct atom_table_header header;
	char signature[4];
	uint16_t bios_segment;
	uint16_t protected_mode_offset;
	uint16_t config_filename_offset;
	uint16_t crc_block_offset;
	uint16_t boot_message_offset; /* text that the driver prints as the name */
	uint16_t int10_offset;
	uint16_t pci_bus_dev_init_code;
	uint16_t io_base;
	uint16_t subsystem_vendor;
	uint16_t subsystem_device;
	uint16_t pci_info_offset;
	uint16_t command_master_offset;
	uint16_t data_master_offset;
	uint16_t reserved;
};

struct PACKED command_master {
	struct atom_table_header header;
	uint16_t offsets[COMMAND_MASTER_ENTRIES];
};

struct PACKED data_master {
	struct atom_table_header header;
	uint16_t offsets[DATA_MASTER_ENTRIES];
};

/* The reading of a v3.1 table goes up to the fields that the driver uses; the rest is zero. */
struct PACKED firmwareinfo_v3_1 {
	struct atom_table_header header;
	uint32_t firmware_revision;
	uint32_t bootup_sclk_10khz;
	uint32_t bootup_mclk_10khz;
	uint32_t firmware_capability;
	uint32_t main_call_parser_entry;
	uint32_t bios_scratch_reg_startaddr;
	uint32_t unused[10];
};

struct PACKED smu_info_v3_1 {
	struct atom_table_header header;
	uint8_t versions[4];
	uint16_t spread_spectrum[4];
	uint32_t core_refclk_10khz;
	uint32_t unused[17];
};

struct PACKED vram_usage_v2_1 {
	struct atom_table_header header;
	uint32_t start_address_in_kb;
	uint16_t used_by_firmware_in_kb;
	uint16_t used_by_driver_in_kb;
};

struct PACKED gfx_info_v2_4 {
	struct atom_table_header header;
	uint8_t gfxip_min_ver;
	uint8_t gfxip_max_ver;
	uint8_t max_shader_engines;
	uint8_t max_tile_pipes;
	uint8_t max_cu_per_sh;
	uint8_t max_sh_per_se;
	uint8_t max_backends_per_se;
	uint8_t max_texture_channel_caches;
	uint32_t regaddr[7];
	uint32_t rlc_gpu_timer_refclk;
	uint8_t active_cu_per_sh;
	uint8_t active_rb_per_se;
	uint16_t gcgoldenoffset;
	uint16_t gc_num_gprs;
	uint16_t gc_gsprim_buff_depth;
	uint16_t gc_parameter_cache_depth;
	uint16_t gc_wave_size;
	uint16_t gc_max_waves_per_simd;
	uint16_t gc_lds_size;
	uint8_t gc_num_max_gs_thds;
	uint8_t gc_gs_table_depth;
	uint8_t gc_double_offchip_lds_buffer;
	uint8_t gc_max_scratch_slots_per_cu;
	uint32_t sram_rm_fuses_val;
	uint32_t sram_custom_rm_fuses_val;
};

struct PACKED indirect_access_v1_1 {
	struct atom_table_header header;
	uint32_t program; /* the register access program: empty */
};

/* A command table that sets a register: "board posted" is all that there is to do. */
struct PACKED asic_init {
	struct atom_table_header header;
	uint8_t workspace_bytes;
	uint8_t parameter_bytes;
	struct PACKED {
		uint8_t opcode;
		uint8_t attribute;
		uint16_t register_dword;
		uint32_t value;
	} move;
	uint8_t end;
};

#define ATOM_OP_MOVE_REG	1
#define ATOM_OP_EOT		91
#define ATOM_ARG_IMM_DWORD	5
#define ASIC_INIT_PARAMETERS	8      /* engine clock and memory clock */
#define ASIC_INIT_COMPLETE_MASK 0x200u /* ATOM_S7_ASIC_INIT_COMPLETE_MASK */

_Static_assert(sizeof(struct pcir) == 24, "PCI Firmware Specification: 24 bytes");
_Static_assert(sizeof(struct atom_rom_header) == 0x24, "atom.h: ATOM_ROM_HEADER");
_Static_assert(offsetof(struct firmwareinfo_v3_1, bios_scratch_reg_startaddr) == 0x18,
	       "atomfirmware.h");
_Static_assert(sizeof(struct smu_info_v3_1) == 88, "as measured");

static void put(uint8_t *rom, size_t offset, const void *data, size_t bytes)
{
	memcpy(rom + offset, data, bytes);
}

static struct atom_table_header table_header(size_t bytes, uint8_t format, uint8_t content)
{
	return (struct atom_table_header){ bytes, format, content };
}

static void put_rom_header(uint8_t *rom, size_t bytes)
{
	const uint16_t pcir_pointer = PCIR_START;
	const uint16_t atom_pointer = ATOM_HEADER_START;
	const struct pcir pcir = {
		.signature = "PCIR",
		.vendor = PCI_VEGA20_VENDOR,
		.device = PCI_VEGA20_DEVICE,
		.length = sizeof(pcir),
		.class_code = { 0x00, 0x00, 0x03 },
		.image_blocks = bytes / ROM_BLOCK_BYTES,
		.indicator = ROM_LAST_IMAGE,
	};

	rom[ROM_SIGNATURE] = 0x55;
	rom[ROM_SIGNATURE + 1] = 0xaa;
	rom[ROM_LENGTH] = bytes / ROM_BLOCK_BYTES;
	/* SeaBIOS calls this address: return at once instead of hanging the boot. */
	rom[ROM_ENTRY] = ROM_OPCODE_FAR_RETURN;
	put(rom, ROM_PCIR_POINTER, &pcir_pointer, sizeof(pcir_pointer));
	put(rom, ROM_ATI_MAGIC, " 761295520", 10);
	put(rom, ROM_ATOM_POINTER, &atom_pointer, sizeof(atom_pointer));
	put(rom, ROM_DATE, "11/23/26 12:00", 14);
	/* Not one of the part numbers that make the driver look for an EEPROM
	 * (amdgpu_fru_eeprom.c). */
	put(rom, ROM_PART_NUMBER, "VIRTUAL-MI50", 12);
	put(rom, PCIR_START, &pcir, sizeof(pcir));
}

static void put_atom_masters(uint8_t *rom)
{
	const struct atom_rom_header header = {
		.header = table_header(sizeof(header), 2, 2),
		.signature = "ATOM",
		.boot_message_offset = ROM_PART_NUMBER,
		.command_master_offset = COMMAND_MASTER_START,
		.data_master_offset = DATA_MASTER_START,
	};
	const struct command_master commands = {
		.header = table_header(sizeof(commands), 2, 1),
		.offsets = { [COMMAND_ASIC_INIT] = ASIC_INIT_START },
	};
	const struct data_master data = {
		.header = table_header(sizeof(data), 2, 1),
		.offsets =
			{
				[DATA_FIRMWAREINFO] = FIRMWAREINFO_START,
				[DATA_SMU_INFO] = SMU_INFO_START,
				[DATA_VRAM_USAGE] = VRAM_USAGE_START,
				[DATA_GFX_INFO] = GFX_INFO_START,
				[DATA_INDIRECT_ACCESS] = INDIRECT_ACCESS_START,
			},
	};

	put(rom, ATOM_HEADER_START, &header, sizeof(header));
	put(rom, COMMAND_MASTER_START, &commands, sizeof(commands));
	put(rom, DATA_MASTER_START, &data, sizeof(data));
}

static void put_asic_init(uint8_t *rom)
{
	const struct asic_init table = {
		.header = table_header(sizeof(table), 2, 1),
		.parameter_bytes = ASIC_INIT_PARAMETERS,
		.move = { ATOM_OP_MOVE_REG, ATOM_ARG_IMM_DWORD, BIOS_SCRATCH_7 / 4,
			  ASIC_INIT_COMPLETE_MASK },
		.end = ATOM_OP_EOT,
	};

	put(rom, ASIC_INIT_START, &table, sizeof(table));
}

static void put_board_tables(uint8_t *rom)
{
	const struct firmwareinfo_v3_1 firmware = {
		.header = table_header(sizeof(firmware), 3, 1),
		.firmware_revision = 0x10000,
		.bootup_sclk_10khz = 100000,
		.bootup_mclk_10khz = 80000,
		.bios_scratch_reg_startaddr = BIOS_SCRATCH_0_DWORD,
	};
	const struct smu_info_v3_1 smu = {
		.header = table_header(sizeof(smu), 3, 1),
		.core_refclk_10khz = REFCLK_10KHZ,
	};
	const struct vram_usage_v2_1 usage = {
		.header = table_header(sizeof(usage), 2, 1),
	};
	const struct indirect_access_v1_1 indirect = {
		.header = table_header(sizeof(indirect), 1, 1),
	};

	put(rom, FIRMWAREINFO_START, &firmware, sizeof(firmware));
	put(rom, SMU_INFO_START, &smu, sizeof(smu));
	put(rom, VRAM_USAGE_START, &usage, sizeof(usage));
	put(rom, INDIRECT_ACCESS_START, &indirect, sizeof(indirect));
}

/* The shape of the GPU: without this table gfx_v9_0_gpu_early_init fails. */
static void put_gfx_info(uint8_t *rom)
{
	const struct gfx_info_v2_4 gfx = {
		.header = table_header(sizeof(gfx), 2, 4),
		.gfxip_min_ver = 9,
		.gfxip_max_ver = 4,
		.max_shader_engines = 4,
		.max_cu_per_sh = 16,
		.max_sh_per_se = 1,
		.max_backends_per_se = 4,
		.max_texture_channel_caches = 16,
		.rlc_gpu_timer_refclk = REFCLK_10KHZ,
		.active_cu_per_sh = 16,
		.active_rb_per_se = 4,
		.gc_num_gprs = 256,
		.gc_gsprim_buff_depth = 1792,
		.gc_parameter_cache_depth = 1024,
		.gc_wave_size = 64,
		.gc_max_waves_per_simd = 10,
		.gc_lds_size = 64,
		.gc_num_max_gs_thds = 32,
		.gc_gs_table_depth = 32,
		.gc_double_offchip_lds_buffer = 1,
		.gc_max_scratch_slots_per_cu = 32,
	};

	put(rom, GFX_INFO_START, &gfx, sizeof(gfx));
}

void rom_generate(uint8_t *rom, size_t bytes)
{
	uint8_t sum = 0;
	size_t i;

	memset(rom, 0, bytes);
	put_rom_header(rom, bytes);
	put_atom_masters(rom);
	put_asic_init(rom);
	put_board_tables(rom);
	put_gfx_info(rom);
	for (i = 0; i < bytes; i++)
		sum += rom[i];
	rom[ROM_CHECKSUM_BYTE] = -sum;
}
