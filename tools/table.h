/* SPDX-License-Identifier: MIT */
/* Records in memory, one behind the other. */
#ifndef GMMAP_TABLE_H
#define GMMAP_TABLE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct table {
	void *data;
	uint64_t count, room;
};

/* Room for COUNT more records of BYTES each, or NULL without memory. Earlier pointers end. */
static inline void *table_add(struct table *table, size_t bytes, uint64_t count)
{
	uint64_t first = table->count;

	if (table->count + count > table->room) {
		uint64_t room = table->room * 2 + count;
		void *data = reallocarray(table->data, room, bytes);

		if (!data)
			return NULL;
		table->data = data;
		table->room = room;
	}
	table->count += count;
	return (uint8_t *)table->data + first * bytes;
}

static inline void table_free(struct table *table)
{
	free(table->data);
	*table = (struct table){ 0 };
}

#endif
