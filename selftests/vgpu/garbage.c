// SPDX-License-Identifier: MIT
/*
 * Writes garbage to a GPU that no driver is bound to: random registers, random doorbells, and VRAM
 * filled with words that look like packets and page tables. Whatever the device does with it, it
 * must go on answering; the machine may die of what the device was told to write over it.
 * Usage: garbage BDF SECONDS SEED
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pattern.h"

#define RCC_CONFIG_MEMSIZE 0x378c /* MiB of VRAM; cannot be written */

struct bar {
	uint8_t *memory;
	uint64_t bytes;
};

static struct bar bar_map(const char *bdf, unsigned int index)
{
	struct bar bar = { 0 };
	char path[128];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource%u", bdf, index);
	fd = open(path, O_RDWR | O_SYNC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		perror(path);
		exit(1);
	}
	bar.bytes = (uint64_t)st.st_size;
	bar.memory = mmap(NULL, bar.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bar.memory == MAP_FAILED) {
		perror(path);
		exit(1);
	}
	close(fd);
	return bar;
}

static volatile uint32_t *word(const struct bar *bar, uint64_t offset)
{
	return (volatile uint32_t *)(void *)(bar->memory + offset);
}

/* Packet headers and page table entries that mean something more often than chance would. */
static uint32_t plausible(uint64_t *random)
{
	uint32_t any = (uint32_t)pattern_below(random, 1ull << 32);

	switch (pattern_below(random, 4)) {
	case 0: /* PM4 type 3 */
		return 0xc0000000u | (any & 0x000fff00u);
	case 1: /* SDMA */
		return any & 0x0000070fu;
	case 2: /* a valid entry that points into VRAM */
		return (any & 0x03fff000u) | 0x71;
	default:
		return any;
	}
}

static void poke(struct bar bars[6], uint64_t *random)
{
	uint64_t at;

	switch (pattern_below(random, 4)) {
	case 0:
		at = pattern_below(random, 1u << 12) * 8;
		*(volatile uint64_t *)(void *)(bars[2].memory + at) = plausible(random);
		break;
	case 1: /* the low end of VRAM, where small addresses point */
		at = pattern_below(random, 1u << 22) * 4;
		*word(&bars[0], at) = plausible(random);
		break;
	default:
		at = pattern_below(random, bars[5].bytes / 4) * 4;
		*word(&bars[5], at) = plausible(random);
		break;
	}
}

int main(int argc, char **argv)
{
	struct bar bars[6] = { 0 };
	uint64_t random, pokes = 0;
	uint32_t megabytes;
	time_t end;

	if (argc != 4) {
		fputs("usage: garbage BDF SECONDS SEED\n", stderr);
		return 2;
	}
	bars[0] = bar_map(argv[1], 0);
	bars[2] = bar_map(argv[1], 2);
	bars[5] = bar_map(argv[1], 5);
	end = time(NULL) + atoi(argv[2]);
	random = strtoull(argv[3], NULL, 0);
	megabytes = *word(&bars[5], RCC_CONFIG_MEMSIZE);
	while (time(NULL) < end) {
		for (unsigned int i = 0; i < 1000; i++)
			poke(bars, &random);
		pokes += 1000;
	}
	if (*word(&bars[5], RCC_CONFIG_MEMSIZE) != megabytes) {
		fprintf(stderr, "garbage: the device does not answer any more\n");
		return 1;
	}
	printf("%llu writes of garbage, the device answers\n", (unsigned long long)pokes);
	return 0;
}
