// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "svm_memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ksft.h"

#define MAP_ALIGN (2ull << 20)

void svm_events_open(struct svm_events *events, struct kfd *kfd)
{
	struct kfd_ioctl_smi_events_args args = { .gpuid = kfd->gpu.gpu_id };
	uint64_t mask = KFD_SMI_EVENT_MASK_FROM_INDEX(KFD_SMI_EVENT_MIGRATE_START) |
			KFD_SMI_EVENT_MASK_FROM_INDEX(KFD_SMI_EVENT_PAGE_FAULT_START);

	*events = (struct svm_events){ 0 };
	ksft_assert(!ioctl(kfd->fd, AMDKFD_IOC_SMI_EVENTS, &args), "SMI_EVENTS: %s",
		    strerror(errno));
	events->fd = (int)args.anon_fd;
	ksft_assert(write(events->fd, &mask, sizeof(mask)) == sizeof(mask), "SMI event mask: %s",
		    strerror(errno));
}

void svm_events_close(struct svm_events *events)
{
	svm_events_read(events);
	close(events->fd);
}

/* KFD_EVENT_FMT_MIGRATE_START and _PAGEFAULT_START of kfd_ioctl.h */
static void count_event(struct svm_events *events, const char *line)
{
	unsigned int event;
	unsigned int from;
	unsigned int to;
	unsigned long pages;
	int offset;

	if (sscanf(line, "%x %n", &event, &offset) != 1)
		return;
	if (event == KFD_SMI_EVENT_PAGE_FAULT_START) {
		events->faults++;
	} else if (event == KFD_SMI_EVENT_MIGRATE_START &&
		   sscanf(line + offset, "%*s -%*d @%*x(%lx) %x->%x", &pages, &from, &to) == 3) {
		events->to_vram += to != 0;
		events->to_vram_pages += to ? pages : 0;
		events->to_ram += to == 0;
	}
}

void svm_events_read(struct svm_events *events)
{
	char text[16384];
	char *rest = text;
	char *line;
	ssize_t n = read(events->fd, text, sizeof(text) - 1);

	if (n <= 0) /* EAGAIN: nothing happened */
		return;
	text[n] = 0;
	while ((line = strsep(&rest, "\n")))
		count_event(events, line);
}

void *svm_map(uint64_t bytes)
{
	uint64_t total = bytes + MAP_ALIGN;
	void *map = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t base = (uintptr_t)map;
	uintptr_t start = (base + MAP_ALIGN - 1) & ~(MAP_ALIGN - 1);
	uintptr_t end = (start + bytes + 4095) & ~4095ull;

	ksft_assert(map != MAP_FAILED, "mmap of %llu bytes: %s", (unsigned long long)total,
		    strerror(errno));
	if (start > base)
		munmap(map, start - base);
	if (base + total > end)
		munmap((void *)end, base + total - end);
	return (void *)start;
}

void svm_unmap(void *memory, uint64_t bytes)
{
	ksft_assert(!munmap(memory, bytes), "munmap: %s", strerror(errno));
}

void svm_set_granularity(struct kfd *kfd, void *memory, uint64_t bytes, unsigned int order)
{
	struct kfd_ioctl_svm_args *args;

	args = calloc(1, sizeof(*args) + sizeof(args->attrs[0]));
	ksft_assert(args, "out of memory");
	args->start_addr = (uintptr_t)memory;
	args->size = bytes;
	args->op = KFD_IOCTL_SVM_OP_SET_ATTR;
	args->nattr = 1;
	args->attrs[0].type = KFD_IOCTL_SVM_ATTR_GRANULARITY;
	args->attrs[0].value = order;
	/* the argument's size counts, and it is variable */
	ksft_assert(!ioctl(kfd->fd, AMDKFD_IOC_SVM + (sizeof(args->attrs[0]) << _IOC_SIZESHIFT),
			   args),
		    "SVM granularity: %s", strerror(errno));
	free(args);
}
