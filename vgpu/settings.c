// SPDX-License-Identifier: MIT
#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "vgpu.h"

#define S_NS 1000000000u

static const struct setting {
	const char *name;
	size_t offset; /* of a uint64_t in struct vgpu */
	uint64_t max;
	const char *help;
} settings[] = {
	{ "link-bandwidth", offsetof(struct vgpu, link.bytes_per_s), UINT64_MAX >> 1,
	  "bytes per second over the bus, each direction; 0: not limited" },
	{ "link-latency", offsetof(struct vgpu, link.latency_ns), 10ULL * S_NS,
	  "ns that a packet with bus transfers takes longer" },
	{ "jitter", offsetof(struct vgpu, sched.jitter_ns), S_NS,
	  "longest random delay of a queue's turn, ns" },
	{ "tlb", offsetof(struct vgpu, tlb), 1,
	  "0: no translation is cached (default 1: all are, until they are invalidated)" },
	{ "interrupt-delay", offsetof(struct vgpu, inject.interrupt_delay_ns), 10ULL * S_NS,
	  "ns between an interrupt vector and its MSI" },
	{ "lost-interrupts", offsetof(struct vgpu, inject.lost_interrupts), UINT64_MAX,
	  "so many of the next MSIs are not sent" },
	{ "ih-noise", offsetof(struct vgpu, inject.ih_noise), IH_PENDING / 4,
	  "meaningless interrupt vectors before each real one" },
	{ "cam-entries", offsetof(struct vgpu, inject.cam_entries), CAM_ENTRIES,
	  "usable entries of the retry CAM" },
	{ "copy-delay", offsetof(struct vgpu, inject.copy_delay_ns), 10ULL * S_NS,
	  "ns that each SDMA copy packet takes longer" },
	{ "copy-errors", offsetof(struct vgpu, inject.copy_errors), UINT64_MAX,
	  "so many of the next SDMA copy packets fail and halt their ring" },
	{ "hang", offsetof(struct vgpu, inject.hang), 1, "1: the engines stop, 0: they go on" },
};

#define NUM_SETTINGS (sizeof(settings) / sizeof(settings[0]))

int parse_size(const char *text, uint64_t *value)
{
	unsigned int shift = 0;
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	if (errno || end == text || !isdigit((unsigned char)text[0]))
		return -EINVAL;
	switch (toupper((unsigned char)*end)) {
	case 'G':
		shift += 10;
		/* fall through */
	case 'M':
		shift += 10;
		/* fall through */
	case 'K':
		shift += 10;
		end++;
	}
	if (*end || *value > UINT64_MAX >> shift)
		return -EINVAL;
	*value <<= shift;
	return 0;
}

int setting_set(struct vgpu *dev, const char *name, const char *value)
{
	for (size_t i = 0; i < NUM_SETTINGS; i++) {
		uint64_t number;

		if (strcmp(settings[i].name, name))
			continue;
		if (parse_size(value, &number))
			return -EINVAL;
		if (number > settings[i].max)
			return -ERANGE;
		/* Threads that run waves read some of them. */
		__atomic_store_n((uint64_t *)(void *)((char *)dev + settings[i].offset), number,
				 __ATOMIC_RELAXED);
		cam_wake_full(dev); /* there may be more entries now */
		return 0;
	}
	return -ENOENT;
}

void settings_help(FILE *out)
{
	for (size_t i = 0; i < NUM_SETTINGS; i++)
		fprintf(out, "    %-16s %s\n", settings[i].name, settings[i].help);
}

void settings_print(const struct vgpu *dev, FILE *out)
{
	for (size_t i = 0; i < NUM_SETTINGS; i++)
		fprintf(out, "%s\"%s\":%llu", i ? "," : "", settings[i].name,
			*(const unsigned long long *)(const void *)((const char *)dev +
								    settings[i].offset));
}
