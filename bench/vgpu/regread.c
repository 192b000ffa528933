// SPDX-License-Identifier: MIT
/*
 * What reading a device register costs in the guest.
 *
 * Usage: regread BDF|FILE [OFFSET [READS]]
 * Maps BAR 5 of the PCI function (0000:01:00.0) or the given resource file, reads the 32-bit
 * register at OFFSET again and again and prints one line of times in nanoseconds. clock_ns is the
 * median of two clock readings with nothing between them: it is part of the other numbers.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_READS 10000
/* RCC_CONFIG_MEMSIZE: reading it changes nothing. */
#define DEFAULT_OFFSET 0x378c

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* Fills ns[0..reads), sorted. Without a register only the clock is measured. */
static void measure(const volatile uint32_t *reg, uint64_t *ns, size_t reads)
{
	uint64_t start;
	size_t i;

	for (i = 0; i < reads; i++) {
		start = now_ns();
		if (reg)
			(void)*reg;
		ns[i] = now_ns() - start;
	}
	qsort(ns, reads, sizeof(*ns), compare);
}

/* Without a driver the function does not decode its BARs until someone enables it. */
static void enable(const char *bdf)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/enable", bdf);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		perror(path);
	if (fd >= 0)
		close(fd);
}

static const volatile uint32_t *map_register(const char *path, uint64_t offset)
{
	const uint8_t *bar;
	struct stat st;
	int fd;

	fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		perror(path);
		return NULL;
	}
	if (offset % 4 || st.st_size < 4 || offset > (uint64_t)st.st_size - 4) {
		fprintf(stderr, "%s: no 32-bit register at 0x%llx\n", path,
			(unsigned long long)offset);
		return NULL;
	}
	bar = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (bar == MAP_FAILED) {
		perror(path);
		return NULL;
	}
	close(fd);
	return (const volatile uint32_t *)(bar + offset);
}

int main(int argc, char **argv)
{
	uint64_t offset = argc > 2 ? strtoull(argv[2], NULL, 0) : DEFAULT_OFFSET;
	size_t reads = argc > 3 ? strtoull(argv[3], NULL, 0) : DEFAULT_READS;
	const volatile uint32_t *reg;
	uint64_t *ns, clock_ns;
	char path[256];

	if (argc < 2 || argc > 4 || !reads) {
		fprintf(stderr, "usage: regread BDF|FILE [OFFSET [READS]]\n");
		return 2;
	}
	snprintf(path, sizeof(path), "%s", argv[1]);
	if (!strchr(argv[1], '/')) {
		enable(argv[1]);
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource5", argv[1]);
	}
	ns = calloc(reads, sizeof(*ns)); /* all pages touched by the clock run */
	reg = map_register(path, offset);
	if (!ns || !reg)
		return 1;
	measure(NULL, ns, reads);
	clock_ns = ns[reads / 2];
	measure(reg, ns, reads);
	printf("reads=%zu min_ns=%llu median_ns=%llu max_ns=%llu clock_ns=%llu\n", reads,
	       (unsigned long long)ns[0], (unsigned long long)ns[reads / 2],
	       (unsigned long long)ns[reads - 1], (unsigned long long)clock_ns);
	return 0;
}
