// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include "dedup.h"

#define MIN_INDEX_SHIFT 12
#define NO_SLOT		UINT32_MAX
#define HASHES_AT_ONCE	4096

/*
 * Slots of all packs have one number: those of the first base, of the next, and then our own. An
 * entry has 32 bits of the hash that its position does not depend on; the content decides.
 */
struct entry {
	uint32_t tag;
	uint32_t slot;
};

struct base {
	int fd;
	uint64_t first, slots;
};

/* What is known of a granule of the batch. */
struct granule {
	XXH128_hash_t hash;
	uint32_t slot; /* NO_SLOT: zeros */
	bool is_new;
	bool differs; /* from what lies in its slot */
};

struct dedup {
	unsigned int shift;
	size_t bytes; /* of a granule */
	int fd, hashes_fd;
	struct pool *pool;

	struct base *bases;
	size_t base_count;
	uint64_t own_first, own_slots;

	struct entry *index;
	unsigned int index_shift;
	uint64_t index_used;

	uint8_t *batch;
	struct granule *granules;
	struct place *places;
	uint32_t *new_granules; /* of the batch, in order of their slots */
	size_t new_count;
	uint64_t batch_first; /* number of the first new slot */
	uint8_t (*leaves)[DIGEST_BYTES];

	struct verity verity;
	struct gmmap_store_amount amount;
};

int dedup_create(struct dedup **out, unsigned int granule_shift, int fd, int hashes_fd,
		 struct pool *pool)
{
	struct dedup *dedup = calloc(1, sizeof(*dedup));
	size_t granules = DEDUP_BATCH_BYTES >> granule_shift;

	if (!dedup)
		return -ENOMEM;
	dedup->shift = granule_shift;
	dedup->bytes = (size_t)1 << granule_shift;
	dedup->fd = fd;
	dedup->hashes_fd = hashes_fd;
	dedup->pool = pool;
	dedup->batch = aligned_alloc(PAGE_BYTES, DEDUP_BATCH_BYTES);
	dedup->granules = calloc(granules, sizeof(dedup->granules[0]));
	dedup->places = calloc(granules, sizeof(dedup->places[0]));
	dedup->new_granules = calloc(granules, sizeof(dedup->new_granules[0]));
	dedup->leaves = calloc(DEDUP_BATCH_BYTES / PAGE_BYTES, sizeof(dedup->leaves[0]));
	verity_init(&dedup->verity);
	if (!dedup->batch || !dedup->granules || !dedup->places || !dedup->new_granules ||
	    !dedup->leaves) {
		dedup_destroy(dedup);
		return -ENOMEM;
	}
	*out = dedup;
	return 0;
}

void dedup_destroy(struct dedup *dedup)
{
	if (!dedup)
		return;
	free(dedup->bases);
	free(dedup->index);
	free(dedup->batch);
	free(dedup->granules);
	free(dedup->places);
	free(dedup->new_granules);
	free(dedup->leaves);
	free(dedup);
}

int dedup_add_base(struct dedup *dedup, int fd, uint64_t slots)
{
	struct base *bases = reallocarray(dedup->bases, dedup->base_count + 1, sizeof(*bases));

	if (!bases)
		return -ENOMEM;
	dedup->bases = bases;
	if (slots >= NO_SLOT - dedup->own_first)
		return -E2BIG;
	bases[dedup->base_count] = (struct base){ fd, dedup->own_first, slots };
	dedup->own_first += slots;
	return dedup->base_count++;
}

uint8_t *dedup_batch(struct dedup *dedup)
{
	return dedup->batch;
}

/* The entry of HASH, or the empty one where it belongs. */
static struct entry *find_entry(const struct dedup *dedup, XXH128_hash_t hash)
{
	uint64_t mask = (UINT64_C(1) << dedup->index_shift) - 1;
	uint32_t tag = hash.high64;

	for (uint64_t i = hash.low64 & mask;; i = (i + 1) & mask) {
		struct entry *entry = &dedup->index[i];

		if (entry->slot == NO_SLOT || entry->tag == tag)
			return entry;
	}
}

static void insert(struct dedup *dedup, XXH128_hash_t hash, uint32_t slot)
{
	struct entry *entry = find_entry(dedup, hash);

	/* The first one stays: of two equal slots the one in the oldest base is shared by most. */
	if (entry->slot != NO_SLOT)
		return;
	entry->tag = hash.high64;
	entry->slot = slot;
	dedup->index_used++;
}

static int insert_hashes(struct dedup *dedup, int fd, uint64_t offset, uint32_t first,
			 uint64_t count)
{
	XXH128_canonical_t *hashes = malloc(HASHES_AT_ONCE * sizeof(*hashes));
	int ret = hashes ? 0 : -ENOMEM;

	for (uint64_t done = 0; !ret && done < count;) {
		uint64_t part = count - done < HASHES_AT_ONCE ? count - done : HASHES_AT_ONCE;

		ret = read_exactly(fd, hashes, part * sizeof(*hashes),
				   offset + done * sizeof(*hashes));
		for (uint64_t i = 0; !ret && i < part; i++)
			insert(dedup, XXH128_hashFromCanonical(&hashes[i]), first + done + i);
		done += part;
	}
	free(hashes);
	return ret;
}

/* Makes an index with room for COUNT more, from the hashes in the files: never two at a time. */
static int build_index(struct dedup *dedup, uint64_t count)
{
	uint64_t slots = dedup->own_first + dedup->own_slots + count;
	int ret = 0;

	dedup->index_shift = MIN_INDEX_SHIFT;
	while (slots > (UINT64_C(3) << dedup->index_shift) / 4)
		dedup->index_shift++;
	free(dedup->index);
	dedup->index = malloc(sizeof(struct entry) << dedup->index_shift);
	if (!dedup->index)
		return -ENOMEM;
	memset(dedup->index, 0xff, sizeof(struct entry) << dedup->index_shift);
	dedup->index_used = 0;
	for (size_t i = 0; !ret && i < dedup->base_count; i++) {
		const struct base *base = &dedup->bases[i];

		ret = insert_hashes(dedup, base->fd, pack_hash_offset(base->slots, dedup->shift),
				    base->first, base->slots);
	}
	if (!ret)
		ret = insert_hashes(dedup, dedup->hashes_fd, 0, dedup->own_first, dedup->own_slots);
	return ret;
}

static int make_room(struct dedup *dedup, size_t count)
{
	if (dedup->own_first + dedup->own_slots + count >= NO_SLOT)
		return -E2BIG;
	if (dedup->index && dedup->index_used + count <= (UINT64_C(3) << dedup->index_shift) / 4)
		return 0;
	return build_index(dedup, count);
}

static bool is_zero(const uint8_t *data, size_t length)
{
	static const uint8_t zeros[64];

	return !memcmp(data, zeros, sizeof(zeros)) &&
	       !memcmp(data, data + sizeof(zeros), length - sizeof(zeros));
}

static void hash_granule(void *context, size_t item)
{
	struct dedup *dedup = context;
	const uint8_t *data = dedup->batch + item * dedup->bytes;
	struct granule *granule = &dedup->granules[item];

	granule->slot = NO_SLOT;
	granule->is_new = false;
	granule->differs = false;
	if (is_zero(data, dedup->bytes))
		return;
	granule->hash = XXH3_128bits(data, dedup->bytes);
	granule->slot = 0;
}

static void make_new(struct dedup *dedup, size_t item)
{
	struct granule *granule = &dedup->granules[item];

	granule->slot = dedup->batch_first + dedup->new_count;
	granule->is_new = true;
	dedup->new_granules[dedup->new_count++] = item;
}

static void find_slots(struct dedup *dedup, size_t count)
{
	dedup->new_count = 0;
	dedup->batch_first = dedup->own_first + dedup->own_slots;
	for (size_t i = 0; i < count; i++) {
		struct granule *granule = &dedup->granules[i];
		struct entry *entry;

		if (granule->slot == NO_SLOT)
			continue;
		entry = find_entry(dedup, granule->hash);
		if (entry->slot != NO_SLOT) {
			granule->slot = entry->slot;
			continue;
		}
		make_new(dedup, i);
		entry->tag = granule->hash.high64;
		entry->slot = granule->slot;
		dedup->index_used++;
	}
}

static const struct base *find_base(const struct dedup *dedup, uint64_t slot)
{
	size_t low = 0, high = dedup->base_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (dedup->bases[middle].first <= slot)
			low = middle;
		else
			high = middle;
	}
	return &dedup->bases[low];
}

static bool stored_differs(const struct dedup *dedup, uint32_t slot, const uint8_t *data)
{
	uint8_t stored[GRANULE_BYTES];
	int fd = dedup->fd;
	uint64_t number = slot - dedup->own_first;

	if (slot >= dedup->batch_first) {
		size_t item = dedup->new_granules[slot - dedup->batch_first];

		return memcmp(dedup->batch + item * dedup->bytes, data, dedup->bytes);
	}
	if (slot < dedup->own_first) {
		const struct base *base = find_base(dedup, slot);

		fd = base->fd;
		number = slot - base->first;
	}
	/* What cannot be read is not what we have; then it is stored once more, where it can. */
	return read_exactly(fd, stored, dedup->bytes, number << dedup->shift) ||
	       memcmp(stored, data, dedup->bytes);
}

static void hash_leaves(struct dedup *dedup, size_t number)
{
	size_t pages = dedup->bytes / PAGE_BYTES;
	const uint8_t *data = dedup->batch + dedup->new_granules[number] * dedup->bytes;

	for (size_t i = 0; i < pages; i++)
		verity_hash_block(data + i * PAGE_BYTES, PAGE_BYTES,
				  dedup->leaves[number * pages + i]);
}

/* Granules that have a slot are compared with it, those that are new are hashed for the digest. */
static void examine(void *context, size_t item)
{
	struct dedup *dedup = context;
	struct granule *granule = &dedup->granules[item];

	if (granule->slot == NO_SLOT)
		return;
	if (granule->is_new)
		hash_leaves(dedup, granule->slot - dedup->batch_first);
	else
		granule->differs =
			stored_differs(dedup, granule->slot, dedup->batch + item * dedup->bytes);
}

static int write_vector(int fd, struct iovec *vector, int count, uint64_t offset)
{
	while (count) {
		ssize_t n = pwritev(fd, vector, count, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		offset += n;
		while (count && (size_t)n >= vector->iov_len) {
			n -= vector->iov_len;
			vector++;
			count--;
		}
		if (count) {
			vector->iov_base = (uint8_t *)vector->iov_base + n;
			vector->iov_len -= n;
		}
	}
	return 0;
}

/* Neighbours in the batch have neighbouring slots: they become one piece. */
static int write_new(struct dedup *dedup)
{
	uint64_t offset = dedup->own_slots << dedup->shift;
	struct iovec vector[64];
	uint64_t bytes = 0;
	int ret, count = 0;

	for (size_t i = 0; i < dedup->new_count; i++) {
		uint8_t *data = dedup->batch + dedup->new_granules[i] * dedup->bytes;

		if (count &&
		    (uint8_t *)vector[count - 1].iov_base + vector[count - 1].iov_len == data) {
			vector[count - 1].iov_len += dedup->bytes;
			bytes += dedup->bytes;
			continue;
		}
		if (count == 64) {
			ret = write_vector(dedup->fd, vector, count, offset);
			if (ret)
				return ret;
			offset += bytes;
			bytes = 0;
			count = 0;
		}
		vector[count++] = (struct iovec){ data, dedup->bytes };
		bytes += dedup->bytes;
	}
	return write_vector(dedup->fd, vector, count, offset);
}

static int write_hashes(struct dedup *dedup)
{
	XXH128_canonical_t *hashes = malloc((dedup->new_count + 1) * sizeof(*hashes));
	struct iovec vector = { hashes, dedup->new_count * sizeof(*hashes) };
	int ret;

	if (!hashes)
		return -ENOMEM;
	for (size_t i = 0; i < dedup->new_count; i++)
		XXH128_canonicalFromHash(&hashes[i], dedup->granules[dedup->new_granules[i]].hash);
	ret = write_vector(dedup->hashes_fd, &vector, 1, dedup->own_slots * sizeof(*hashes));
	free(hashes);
	return ret;
}

/* Equal hashes and different content, or a base that is damaged: not found, and never will be. */
static void resolve_differences(struct dedup *dedup, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!dedup->granules[i].differs)
			continue;
		dedup->amount.mismatches++;
		make_new(dedup, i);
		hash_leaves(dedup, dedup->new_count - 1);
	}
}

static void fill_places(struct dedup *dedup, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct granule *granule = &dedup->granules[i];
		struct place *place = &dedup->places[i];

		dedup->amount.content += dedup->bytes;
		if (granule->slot == NO_SLOT) {
			*place = (struct place){ .base = PLACE_ZERO };
			dedup->amount.zeros += dedup->bytes;
		} else if (granule->slot >= dedup->own_first) {
			*place = (struct place){ PLACE_OWN, granule->slot - dedup->own_first };
			if (!granule->is_new)
				dedup->amount.repeated += dedup->bytes;
		} else {
			const struct base *base = find_base(dedup, granule->slot);

			*place = (struct place){ base - dedup->bases, granule->slot - base->first };
			dedup->amount.base += dedup->bytes;
		}
	}
}

int dedup_run(struct dedup *dedup, size_t count, const struct place **places)
{
	size_t grain = GRANULE_BYTES / dedup->bytes, pages = dedup->bytes / PAGE_BYTES;
	int ret = make_room(dedup, count);

	if (ret)
		return ret;
	pool_run(dedup->pool, count, grain, hash_granule, dedup);
	find_slots(dedup, count);
	pool_run(dedup->pool, count, grain, examine, dedup);
	resolve_differences(dedup, count);
	ret = write_new(dedup);
	if (!ret)
		ret = write_hashes(dedup);
	if (ret)
		return ret;
	verity_add(&dedup->verity, dedup->leaves[0], dedup->new_count * pages,
		   dedup->new_count * dedup->bytes);
	fill_places(dedup, count);
	dedup->own_slots += dedup->new_count;
	dedup->amount.stored += dedup->new_count * dedup->bytes;
	*places = dedup->places;
	return 0;
}

/* Appends LENGTH bytes at the start of the batch to the pack. */
static int append(struct dedup *dedup, uint64_t offset, size_t length)
{
	struct iovec vector = { dedup->batch, length };

	verity_update(&dedup->verity, dedup->batch, length);
	return write_vector(dedup->fd, &vector, 1, offset);
}

int dedup_finish(struct dedup *dedup, uint64_t *slots, uint8_t digest[DIGEST_BYTES])
{
	uint64_t offset = pack_hash_offset(dedup->own_slots, dedup->shift);
	uint64_t bytes = dedup->own_slots * PACK_HASH_BYTES;
	struct pack_trailer trailer = {
		.magic = PACK_MAGIC,
		.version = PACK_VERSION,
		.granule_shift = dedup->shift,
		.slots = dedup->own_slots,
		.hash_offset = offset,
	};
	int ret = 0;

	*slots = dedup->own_slots;
	if (!dedup->own_slots)
		return 0;
	for (uint64_t done = 0; !ret && done < bytes; done += DEDUP_BATCH_BYTES) {
		size_t part = bytes - done < DEDUP_BATCH_BYTES ? bytes - done : DEDUP_BATCH_BYTES;
		size_t whole = (part + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;

		memset(dedup->batch + part, 0, whole - part);
		ret = read_exactly(dedup->hashes_fd, dedup->batch, part, done);
		if (!ret)
			ret = append(dedup, offset + done, whole);
	}
	if (ret)
		return ret;
	memset(dedup->batch, 0, PAGE_BYTES);
	memcpy(dedup->batch, &trailer, sizeof(trailer));
	ret = append(dedup, offset + (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES,
		     PAGE_BYTES);
	verity_final(&dedup->verity, digest);
	return ret;
}

void dedup_amount(const struct dedup *dedup, struct gmmap_store_amount *amount)
{
	*amount = dedup->amount;
}
