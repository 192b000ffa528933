// SPDX-License-Identifier: MIT
/*
 * Stub firmware files.
 *
 * amdgpu checks that a file is as long as its header says and believes the version numbers. It
 * hands the payload to the PSP or, with fw_load_type=0, copies it into upload ports dword by dword,
 * which swallow it. Nothing executes it; the versions decide which features the driver uses.
 * Layouts: amdgpu_ucode.h (struct common_firmware_header and its users).
 */
#include "firmware.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define FIRMWARE_BYTES	       512
#define FIRMWARE_PAYLOAD_START 256
#define FIRMWARE_PAYLOAD_BYTES (FIRMWARE_BYTES - FIRMWARE_PAYLOAD_START)

/*
 * 0x200 is above every "CP firmware version too old" limit (gfx_v9_0_check_fw_write_wait); 145 is
 * above the 123 from which SDMA has paging rings (sdma_v4_0_fw_support_paging_queue).
 */
#define CP_VERSION	0x200
#define RLC_VERSION	0x200
#define SDMA_VERSION	145
#define ASD_VERSION	0x200
#define TA_VERSION	0x200
#define FEATURE_VERSION 50

struct common_header {
	uint32_t size_bytes;
	uint32_t header_size_bytes;
	uint16_t header_version_major;
	uint16_t header_version_minor;
	uint16_t ip_version_major;
	uint16_t ip_version_minor;
	uint32_t ucode_version;
	uint32_t ucode_size_bytes;
	uint32_t ucode_array_offset_bytes;
	uint32_t crc32; /* not checked by the driver */
};

struct gfx_header_v1_0 {
	struct common_header common;
	uint32_t ucode_feature_version;
	uint32_t jt_offset;
	uint32_t jt_size;
};

struct sdma_header_v1_0 {
	struct common_header common;
	uint32_t ucode_feature_version;
	uint32_t ucode_change_version;
	uint32_t jt_offset;
	uint32_t jt_size;
};

struct psp_part {
	uint32_t fw_version;
	uint32_t offset_bytes;
	uint32_t size_bytes;
};

/* In the sOS's file the payload is the system driver, up to offset_bytes, and the sOS. */
struct psp_header_v1_0 {
	struct common_header common;
	struct psp_part sos;
};

/* All sizes 0: there are no trusted applications. */
struct ta_header_v1_0 {
	struct common_header common;
	struct psp_part xgmi, ras, hdcp, dtm, securedisplay;
};

/* Minor version 0: minor version 1 would make the driver load save/restore lists. */
struct rlc_header_v2_0 {
	struct common_header common;
	uint32_t ucode_feature_version;
	uint32_t jt_offset;
	uint32_t jt_size;
	uint32_t save_and_restore_offset;
	uint32_t clear_state_descriptor_offset;
	uint32_t avail_scratch_ram_locations;
	uint32_t reg_restore_list_size;
	uint32_t reg_list_format_start;
	uint32_t reg_list_format_separate_start;
	uint32_t starting_offsets_start;
	uint32_t reg_list_format_size_bytes;
	uint32_t reg_list_format_array_offset_bytes;
	uint32_t reg_list_size_bytes;
	uint32_t reg_list_array_offset_bytes;
	uint32_t reg_list_format_separate_size_bytes;
	uint32_t reg_list_format_separate_array_offset_bytes;
	uint32_t reg_list_separate_size_bytes;
	uint32_t reg_list_separate_array_offset_bytes;
};

_Static_assert(sizeof(struct gfx_header_v1_0) == 44, "layout of amdgpu_ucode.h");
_Static_assert(sizeof(struct sdma_header_v1_0) == 48, "layout of amdgpu_ucode.h");
_Static_assert(sizeof(struct rlc_header_v2_0) == 104, "layout of amdgpu_ucode.h");
_Static_assert(sizeof(struct psp_header_v1_0) == 44, "layout of amdgpu_ucode.h");
_Static_assert(sizeof(struct ta_header_v1_0) == 92, "layout of amdgpu_ucode.h");

union image {
	uint8_t bytes[FIRMWARE_BYTES];
	struct common_header common;
	struct gfx_header_v1_0 gfx;
	struct sdma_header_v1_0 sdma;
	struct rlc_header_v2_0 rlc;
	struct psp_header_v1_0 psp;
	struct ta_header_v1_0 ta;
};

enum kind { KIND_CP, KIND_RLC, KIND_SDMA, KIND_SOS, KIND_ASD, KIND_TA };

static const struct {
	const char *name;
	enum kind kind;
} files[] = {
	{ "vega20_pfp.bin", KIND_CP },	  { "vega20_me.bin", KIND_CP },
	{ "vega20_ce.bin", KIND_CP },	  { "vega20_mec.bin", KIND_CP },
	{ "vega20_mec2.bin", KIND_CP },	  { "vega20_rlc.bin", KIND_RLC },
	{ "vega20_sdma.bin", KIND_SDMA }, { "vega20_sdma1.bin", KIND_SDMA },
	{ "vega20_sos.bin", KIND_SOS },	  { "vega20_asd.bin", KIND_ASD },
	{ "vega20_ta.bin", KIND_TA },
};

static void fill_common(union image *image, uint16_t major, uint32_t header_bytes, uint32_t version)
{
	memset(image, 0, sizeof(*image));
	image->common.size_bytes = FIRMWARE_BYTES;
	image->common.header_size_bytes = header_bytes;
	image->common.header_version_major = major;
	image->common.ip_version_major = 9;
	image->common.ucode_version = version;
	image->common.ucode_size_bytes = FIRMWARE_PAYLOAD_BYTES;
	image->common.ucode_array_offset_bytes = FIRMWARE_PAYLOAD_START;
	memcpy(image->bytes + FIRMWARE_PAYLOAD_START, FIRMWARE_MARK, sizeof(FIRMWARE_MARK));
}

static void fill_sos(union image *image)
{
	const struct psp_part sos = {
		.fw_version = FIRMWARE_SOS_VERSION,
		.offset_bytes = FIRMWARE_PAYLOAD_BYTES / 2,
		.size_bytes = FIRMWARE_PAYLOAD_BYTES / 2,
	};

	fill_common(image, 1, sizeof(image->psp), FIRMWARE_SOS_VERSION);
	image->psp.sos = sos;
	memcpy(image->bytes + FIRMWARE_PAYLOAD_START + sos.offset_bytes, FIRMWARE_MARK,
	       sizeof(FIRMWARE_MARK));
}

static void fill_image(union image *image, enum kind kind)
{
	switch (kind) {
	case KIND_CP:
		fill_common(image, 1, sizeof(image->gfx), CP_VERSION);
		image->gfx.ucode_feature_version = FEATURE_VERSION;
		break;
	case KIND_SDMA:
		fill_common(image, 1, sizeof(image->sdma), SDMA_VERSION);
		image->sdma.ucode_feature_version = FEATURE_VERSION;
		break;
	case KIND_RLC:
		fill_common(image, 2, sizeof(image->rlc), RLC_VERSION);
		image->rlc.ucode_feature_version = FEATURE_VERSION;
		/* The lists are empty, but the driver forms pointers to them. */
		image->rlc.reg_list_format_array_offset_bytes = FIRMWARE_PAYLOAD_START;
		image->rlc.reg_list_array_offset_bytes = FIRMWARE_PAYLOAD_START;
		image->rlc.reg_list_format_separate_array_offset_bytes = FIRMWARE_PAYLOAD_START;
		image->rlc.reg_list_separate_array_offset_bytes = FIRMWARE_PAYLOAD_START;
		break;
	case KIND_SOS:
		fill_sos(image);
		break;
	case KIND_ASD:
		fill_common(image, 1, sizeof(image->psp), ASD_VERSION);
		image->psp.sos.fw_version = FEATURE_VERSION;
		break;
	case KIND_TA:
		fill_common(image, 1, sizeof(image->ta), TA_VERSION);
		break;
	}
}

static int write_file(int dir_fd, const char *name, const void *data, size_t bytes)
{
	ssize_t done;
	int fd, err = 0;

	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	done = write(fd, data, bytes);
	if (done < 0)
		err = -errno;
	else if ((size_t)done != bytes)
		err = -ENOSPC;
	if (close(fd) && !err)
		err = -errno;
	if (err) /* a truncated file would be refused by the driver with a confusing message */
		unlinkat(dir_fd, name, 0);
	return err;
}

int firmware_write(const char *dir)
{
	union image image;
	int dir_fd, err = 0;
	size_t i;

	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	for (i = 0; !err && i < sizeof(files) / sizeof(files[0]); i++) {
		fill_image(&image, files[i].kind);
		err = write_file(dir_fd, files[i].name, &image, sizeof(image));
	}
	close(dir_fd);
	return err;
}
