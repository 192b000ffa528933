// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "profile_writer.h"
#include "store_internal.h"
#include "table.h"

static int compare_times(const void *a, const void *b)
{
	const struct gmmap_image_profile_entry *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	if (x->recordings != y->recordings)
		return x->recordings > y->recordings ? -1 : 1;
	if (x->space != y->space)
		return x->space < y->space ? -1 : 1;
	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static uint8_t *build_file(const struct gmmap_image *image, const char *name,
			   const struct gmmap_image_profile_entry *entries, size_t count,
			   uint32_t recordings, size_t *size)
{
	struct gmmap_image_profile_entry *sorted = malloc((count + 1) * sizeof(*sorted));
	struct profile_header *header;
	struct profile_record *record;

	*size = sizeof(*header) + count * sizeof(*record);
	header = calloc(1, *size);
	if (!sorted || !header) {
		free(sorted);
		free(header);
		return NULL;
	}
	if (count)
		memcpy(sorted, entries, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_times);
	memcpy(header->magic, PROFILE_MAGIC, sizeof(header->magic));
	header->version = PROFILE_VERSION;
	header->header_size = sizeof(*header);
	header->file_size = *size;
	header->count = count;
	header->record_size = sizeof(*record);
	header->recordings = recordings;
	memcpy(header->name, name, strlen(name));
	memcpy(header->image_sha256, image_header(image)->sha256, DIGEST_BYTES);
	record = (struct profile_record *)(header + 1);
	for (size_t i = 0; i < count; i++)
		record[i] = (struct profile_record){
			.offset = sorted[i].offset,
			.length = sorted[i].length,
			.time_ns = sorted[i].time_ns,
			.space = sorted[i].space,
			.index = sorted[i].index,
			.recordings = sorted[i].recordings,
		};
	free(sorted);
	image_sha256(header, *size, offsetof(struct profile_header, sha256), header->sha256);
	return (uint8_t *)header;
}

/* In tmp/ until it is whole, then in its place by one rename. */
static int place_file(const struct gmmap_image *image, const char *name, const void *data,
		      size_t size)
{
	char work[64], target[160];
	int fd, work_fd = make_work_folder(image->store_fd, work), ret = 0;

	if (work_fd < 0)
		return work_fd;
	fd = openat(work_fd, "profile", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		ret = -errno;
	if (!ret)
		ret = write_all(fd, data, size);
	if (!ret && fsync(fd))
		ret = -errno;
	if (fd >= 0)
		close(fd);
	snprintf(target, sizeof(target), "profiles/%s", name);
	if (!ret && renameat(work_fd, "profile", image->image_fd, target))
		ret = -errno;
	if (!ret)
		ret = sync_folder(image->image_fd, "profiles");
	close(work_fd);
	remove_tree(image->store_fd, work);
	return ret;
}

static int open_locked(const char *store, const char *name, struct gmmap_image **image, int *lock,
		       struct gmmap_image_error *error)
{
	int ret = gmmap_image_open(store, name, GMMAP_IMAGE_WITHOUT_PACKS, image, error);

	if (ret)
		return ret;
	*lock = store_lock((*image)->store_fd, false, error);
	if (*lock < 0)
		gmmap_image_close(*image);
	return *lock < 0 ? *lock : 0;
}

int gmmap_store_write_profile(const char *store, const char *image_name, const char *name,
			      const struct gmmap_image_profile_entry *entries, size_t count,
			      uint32_t recordings, struct gmmap_image_error *error)
{
	struct gmmap_image *image;
	uint8_t *data;
	size_t size;
	int lock, ret;

	if (!image_name_valid(name))
		return image_fail(error, -EINVAL, "`%s' cannot be the name of a profile", name);
	ret = open_locked(store, image_name, &image, &lock, error);
	if (ret)
		return ret;
	data = build_file(image, name, entries, count, recordings, &size);
	ret = data ? profile_parse(data, size, name, image, error)
		   : image_fail(error, -ENOMEM, "no memory");
	if (!ret) {
		ret = place_file(image, name, data, size);
		if (ret)
			image_fail(error, ret, "profile %s: %s", name, strerror(-ret));
	}
	free(data);
	close(lock);
	gmmap_image_close(image);
	return ret == -EBADMSG ? -EINVAL : ret;
}

int gmmap_store_remove_profile(const char *store, const char *image_name, const char *name,
			       struct gmmap_image_error *error)
{
	struct gmmap_image *image;
	char path[160];
	int lock, ret;

	if (!image_name_valid(name))
		return image_fail(error, -EINVAL, "`%s' cannot be the name of a profile", name);
	ret = open_locked(store, image_name, &image, &lock, error);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "profiles/%s", name);
	if (unlinkat(image->image_fd, path, 0))
		ret = image_fail(error, -errno, "profile %s: %m", name);
	close(lock);
	gmmap_image_close(image);
	return ret;
}

/* One touch of one granule in one recording; TIMES is a sum until the end. */
struct touch {
	struct gmmap_image_profile_entry entry;
	size_t recording;
};

static int compare_places(const void *a, const void *b)
{
	const struct touch *x = a, *y = b;

	if (x->entry.space != y->entry.space)
		return x->entry.space < y->entry.space ? -1 : 1;
	if (x->entry.index != y->entry.index)
		return x->entry.index < y->entry.index ? -1 : 1;
	if (x->entry.offset != y->entry.offset)
		return x->entry.offset < y->entry.offset ? -1 : 1;
	if (x->recording != y->recording)
		return x->recording < y->recording ? -1 : 1;
	return x->entry.time_ns < y->entry.time_ns ? -1 : x->entry.time_ns > y->entry.time_ns;
}

static uint64_t granule_of(const struct gmmap_image *image,
			   const struct gmmap_image_profile_entry *entry)
{
	struct gmmap_image_object object;

	if (entry->space == GMMAP_IMAGE_PROFILE_OBJECT &&
	    !gmmap_image_object(image, entry->index, &object) && object.kind != GMMAP_IMAGE_PAGES)
		return GRANULE_BYTES;
	return PAGE_BYTES;
}

static uint64_t object_end(const struct gmmap_image *image,
			   const struct gmmap_image_profile_entry *entry)
{
	struct gmmap_image_object object;

	if (entry->space != GMMAP_IMAGE_PROFILE_OBJECT ||
	    gmmap_image_object(image, entry->index, &object))
		return UINT64_MAX;
	return object.size;
}

static int split_entry(struct table *touches, const struct gmmap_image *image,
		       const struct gmmap_image_profile_entry *entry, size_t recording)
{
	uint64_t granule = granule_of(image, entry), limit = object_end(image, entry);
	uint64_t offset = entry->offset / granule * granule, end = entry->offset + entry->length;

	for (; offset < end; offset += granule) {
		struct touch *touch = table_add(touches, sizeof(*touch), 1);

		if (!touch)
			return -ENOMEM;
		*touch = (struct touch){ .entry = *entry, .recording = recording };
		touch->entry.offset = offset;
		touch->entry.length = limit - offset < granule ? limit - offset : granule;
	}
	return 0;
}

/* The touches of one place become its first entry: mean of times, sum of recordings. */
static size_t merge_place(struct touch *touches, size_t count,
			  struct gmmap_image_profile_entry *entry)
{
	unsigned __int128 sum = 0;
	uint32_t recordings = 0;
	size_t used = 0;

	*entry = touches[0].entry;
	for (; used < count; used++) {
		const struct touch *touch = &touches[used];

		if (touch->entry.space != entry->space || touch->entry.index != entry->index ||
		    touch->entry.offset != entry->offset)
			break;
		/* Only the first touch of each recording. */
		if (used && touch->recording == touches[used - 1].recording)
			continue;
		sum += (unsigned __int128)touch->entry.time_ns * touch->entry.recordings;
		recordings += touch->entry.recordings;
	}
	entry->time_ns = sum / recordings;
	entry->recordings = recordings;
	return used;
}

/* Neighbours in the order that are neighbours in memory, touched as often: one entry. */
static size_t join_neighbours(struct gmmap_image_profile_entry *entries, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		struct gmmap_image_profile_entry *last = kept ? &entries[kept - 1] : NULL;

		if (last && last->space == entries[i].space && last->index == entries[i].index &&
		    last->recordings == entries[i].recordings &&
		    last->offset + last->length == entries[i].offset)
			last->length += entries[i].length;
		else
			entries[kept++] = entries[i];
	}
	return kept;
}

int gmmap_store_merge_profiles(const struct gmmap_image_profile *const *profiles,
			       size_t profile_count, const struct gmmap_image *image,
			       struct gmmap_image_profile_entry **entries, size_t *count,
			       uint32_t *recordings)
{
	struct table table = { 0 };
	size_t places = 0;
	int ret = 0;

	*recordings = 0;
	for (size_t p = 0; !ret && p < profile_count; p++) {
		const struct gmmap_image_profile_entry *list;
		size_t n;

		list = gmmap_image_profile_entries(profiles[p], &n);
		*recordings += gmmap_image_profile_recordings(profiles[p]);
		for (size_t i = 0; !ret && i < n; i++)
			ret = split_entry(&table, image, &list[i], p);
	}
	*entries = ret ? NULL : malloc((table.count + 1) * sizeof(**entries));
	if (!*entries) {
		table_free(&table);
		return -ENOMEM;
	}
	if (table.count)
		qsort(table.data, table.count, sizeof(struct touch), compare_places);
	for (size_t i = 0; i < table.count;)
		i += merge_place((struct touch *)table.data + i, table.count - i,
				 &(*entries)[places++]);
	table_free(&table);
	qsort(*entries, places, sizeof(**entries), compare_times);
	*count = join_neighbours(*entries, places);
	return 0;
}
