// SPDX-License-Identifier: MIT
/* Each call of the library once, on memory that the test has from KFD. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gmmap.h>

#include "backing.h"
#include "kfd.h"
#include "ksft.h"
#include "pattern.h"
#include "queue.h"

#define GRANULE_BYTES 65536u
#define GRANULES      32u
#define BYTES         (GRANULES * GRANULE_BYTES)
#define WAIT_NS       60000000000ll
#define WAIT_MS       60000

struct fixture {
	struct kfd kfd;
	struct queue queue;
	struct backing file;
	struct kfd_bo vram;
	struct kfd_bo result;
	struct gmmap_extent extent;
	int session;
};

static void setup(struct fixture *f, uint64_t seed)
{
	if (access("/dev/gmmap", F_OK))
		ksft_skip("/dev/gmmap: %s", strerror(errno));
	kfd_open(&f->kfd);
	f->session = gmmap_open();
	ksft_assert(f->session >= 0, "gmmap_open: %s", strerror(-f->session));
	queue_create(&f->queue, &f->kfd, QUEUE_SDMA);
	backing_create(&f->file, BYTES, seed);
	kfd_bo_alloc(&f->kfd, &f->vram, BYTES, KFD_BO_VRAM);
	kfd_bo_alloc(&f->kfd, &f->result, BYTES, KFD_BO_GTT);
	memset(f->result.cpu, 0, BYTES);
	f->extent = (struct gmmap_extent){ .length = BYTES, .fd = f->file.fd };
}

static void teardown(struct fixture *f)
{
	kfd_bo_free(&f->kfd, &f->result);
	kfd_bo_free(&f->kfd, &f->vram);
	backing_destroy(&f->file);
	queue_destroy(&f->queue);
	close(f->session);
	kfd_close(&f->kfd);
}

static void check(int ret, const char *what)
{
	ksft_assert(ret >= 0, "%s: %s", what, strerror(-ret));
}

static void check_map(int ret)
{
	if (ret == -EOPNOTSUPP)
		ksft_skip("the GPU or the process cannot retry faults");
	check(ret, "mapping");
}

static void read_all(struct fixture *f, const char *what)
{
	queue_copy(&f->queue, f->result.va, f->vram.va, BYTES);
	queue_finish(&f->queue);
	ksft_assert(!memcmp(f->result.cpu, f->file.data, BYTES), "%s: wrong data", what);
}

/* Everything may be present a moment before the mapping ends by itself. */
static void end(struct fixture *f, uint64_t id)
{
	int ret;

	check(gmmap_wait(f->session, id, 0, 0, WAIT_NS), "gmmap_wait");
	ret = gmmap_unmap(f->session, id, 0);
	ksft_assert(!ret || ret == -ENOENT, "gmmap_unmap: %s", strerror(-ret));
}

static void query(void)
{
	struct gmmap_query query;
	int ret = gmmap_query(&query);

	if (ret == -ENOENT)
		ksft_skip("/dev/gmmap is not there");
	check(ret, "gmmap_query");
	ksft_assert(query.abi_version == GMMAP_ABI_VERSION && query.granule_shift == 16 &&
		    query.max_ranges, "version %u, granules of 2^%u", query.abi_version,
		    query.granule_shift);
}

static void every_target(void)
{
	struct gmmap_extent part = { .length = BYTES - 1000 };
	struct fixture f;
	uint64_t id = 0, last = 0;
	int dmabuf, ret;

	setup(&f, 1);
	check_map(gmmap_map_handle(f.session, f.vram.handle, BYTES, &f.extent, 1, &id));
	ksft_assert(id, "no id");
	read_all(&f, "handle");
	end(&f, id);

	last = id;
	dmabuf = kfd_bo_export(&f.kfd, &f.vram);
	check_map(gmmap_map_dmabuf(f.session, dmabuf, 0, &f.extent, 1, &id));
	close(dmabuf);
	ksft_assert(id != last, "an id came twice");
	read_all(&f, "dmabuf");
	end(&f, id);

	part.fd = f.file.fd;
	part.file_offset = 1000;
	check_map(gmmap_map_address(f.session, f.kfd.gpu.gpu_id, f.vram.va + 1000, BYTES - 1000, &part,
				    1, NULL));
	read_all(&f, "address");

	ret = gmmap_map_handle(f.session, f.vram.handle, BYTES / 2, &f.extent, 1, &id);
	ksft_assert(ret == -EINVAL || ret == -EEXIST, "a wrong size: %s", strerror(-ret));
	teardown(&f);
}

/* A second session by the descriptor, as a server would get one. */
static void attach_and_unmap(void)
{
	struct gmmap_stat stat;
	struct fixture f;
	uint64_t id;
	int second;
	int ret;

	setup(&f, 2);
	second = gmmap_attach(f.kfd.fd);
	check(second, "gmmap_attach");
	ret = gmmap_attach(f.session);
	ksft_assert(ret == -EINVAL, "attaching a session: %s", strerror(-ret));
	queue_fill(&f.queue, f.vram.va, 0x11111111, BYTES);
	queue_finish(&f.queue);
	check_map(gmmap_map_handle(second, f.vram.handle, 0, &f.extent, 1, &id));
	check(gmmap_unmap(f.session, id, GMMAP_UNMAP_ABANDON), "gmmap_unmap");
	check(gmmap_stat(f.session, 0, &stat), "gmmap_stat");
	ksft_assert(!stat.granules, "%llu granules are mapped", (unsigned long long)stat.granules);
	memset(f.file.data, 0x11, BYTES);
	read_all(&f, "abandoned");
	ret = gmmap_unmap(f.session, id, 0);
	ksft_assert(ret == -ENOENT, "a mapping that has ended: %s", strerror(-ret));
	close(second);
	teardown(&f);
}

static bool readable(int session, int limit_ms)
{
	struct pollfd pollfd = { .fd = session, .events = POLLIN };

	return poll(&pollfd, 1, limit_ms) == 1 && pollfd.revents & POLLIN;
}

static void populate_tells(void)
{
	struct gmmap_range ranges[] = { { .offset = BYTES / 2 }, { .length = BYTES / 2 } };
	uint32_t mask = 1 << GMMAP_RECORD_POPULATE | 1 << GMMAP_RECORD_COMPLETE;
	struct gmmap_record records[4];
	unsigned int seen = 0;
	uint64_t id, populate;
	struct fixture f;
	int n;

	setup(&f, 3);
	check(gmmap_records(f.session, mask, 64, -1), "gmmap_records");
	check_map(gmmap_map_handle(f.session, f.vram.handle, 0, &f.extent, 1, &id));
	ksft_assert(!readable(f.session, 0), "a record of nothing");
	ksft_assert(gmmap_wait(f.session, id, 0, 0, 0) == -ETIMEDOUT, "complete at once");
	ranges[0].mapping_id = ranges[1].mapping_id = id;
	check(gmmap_populate(f.session, ranges, 2, &populate), "gmmap_populate");
	while (seen != mask) {
		ksft_assert(readable(f.session, WAIT_MS), "records 0x%x of 0x%x came", seen, mask);
		n = gmmap_read(f.session, records, ARRAY_SIZE(records));
		check(n, "gmmap_read");
		for (int i = 0; i < n; i++) {
			ksft_assert(!records[i].error && records[i].size == sizeof(records[i]),
				    "type %u: %s", records[i].type, strerror(-records[i].error));
			ksft_assert(records[i].id ==
				    (records[i].type == GMMAP_RECORD_POPULATE ? populate : id),
				    "id %llu", (unsigned long long)records[i].id);
			seen |= 1u << records[i].type;
		}
	}
	check(gmmap_records(f.session, 0, 64, -1), "gmmap_records");
	n = gmmap_read(f.session, records, ARRAY_SIZE(records));
	ksft_assert(n == -EINVAL, "reading when records are off: %d", n);
	read_all(&f, "populated");
	teardown(&f);
}

static void profile_is_in_order(void)
{
	static const unsigned int order[] = { 7, 3, 30, 0, 12 };
	struct gmmap_profile_count count;
	struct gmmap_touch touches[16];
	struct fixture f;
	uint64_t id;
	int n;

	setup(&f, 4);
	check(gmmap_profile_start(f.session, 100, GMMAP_PROFILE_EXACT), "gmmap_profile_start");
	check_map(gmmap_map_handle(f.session, f.vram.handle, 0, &f.extent, 1, &id));
	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++) {
		queue_copy(&f.queue, f.result.va, f.vram.va + order[i] * GRANULE_BYTES, 64);
		queue_finish(&f.queue);
	}
	check(gmmap_profile_stop(f.session, &count), "gmmap_profile_stop");
	ksft_assert(count.recorded == ARRAY_SIZE(order) && !count.dropped, "%llu touches",
		    (unsigned long long)count.recorded);
	n = gmmap_profile_read(f.session, 1, touches, ARRAY_SIZE(touches), NULL);
	ksft_assert(n == ARRAY_SIZE(order) - 1, "%d touches from the second on", n);
	for (int i = 0; i < n; i++)
		ksft_assert(touches[i].mapping_id == id && touches[i].gpu_id == f.kfd.gpu.gpu_id &&
			    touches[i].offset == order[i + 1] * GRANULE_BYTES, "touch %d at %llu",
			    i, (unsigned long long)touches[i].offset);
	teardown(&f);
}

static const struct ksft_test tests[] = {
	{ "query", query, 0 },
	{ "every_target", every_target, 0 },
	{ "attach_and_unmap", attach_and_unmap, 0 },
	{ "populate_tells", populate_tells, 0 },
	{ "profile_is_in_order", profile_is_in_order, 0 },
};

int main(int argc, char **argv)
{
	return ksft_run(tests, ARRAY_SIZE(tests), argv + (argc > 0));
}
