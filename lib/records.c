// SPDX-License-Identifier: MIT
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

EXPORT int gmmap_records(int session, uint32_t mask, uint32_t capacity, int eventfd)
{
	struct gmmap_records args = {
		.size = sizeof(args),
		.mask = mask,
		.capacity = capacity,
		.eventfd = eventfd,
	};

	return gmmap_ioctl(session, GMMAP_IOC_RECORDS, &args);
}

/* A newer kernel's records are longer than ours; what we do not know of each is cut off. */
static int pack(struct gmmap_record *records, size_t bytes)
{
	const char *from = (const char *)records;
	int count = 0;
	uint32_t size;

	for (size_t done = 0; done < bytes; done += size) {
		memcpy(&size, from + done, sizeof(size));
		if (size < sizeof(*records) || size > bytes - done)
			return -EPROTO;
		memmove(&records[count], from + done, sizeof(*records));
		records[count++].size = sizeof(*records);
	}
	return count;
}

EXPORT int gmmap_read(int session, struct gmmap_record *records, uint32_t capacity)
{
	ssize_t n;

	if (capacity > INT_MAX / sizeof(*records))
		capacity = INT_MAX / sizeof(*records);
	n = read(session, records, capacity * sizeof(*records));
	return n < 0 ? -errno : pack(records, (size_t)n);
}
