/* SPDX-License-Identifier: MIT */
/* A gmmap session by plain ioctls. try functions return 0 or -errno, the others fail the test. */
#ifndef SELFTESTS_SESSION_H
#define SELFTESTS_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/gmmap.h>

#include "kfd.h"

#define GRANULE_BYTES 65536u

struct session {
	int fd;
};

/* An ioctl of any descriptor; returns 0 or -errno. */
int request(int fd, unsigned long number, void *args);

/* The call gives this error, or 0. */
#define expect(call, error)                                                                  \
	do {                                                                                 \
		int got_ = (call);                                                           \
		ksft_assert(got_ == -(error), "%s: %s instead of %s", #call, strerror(-got_), \
			    strerror(error));                                                \
	} while (0)

/* Skips the test if the module is not loaded. */
int session_device(void);
int session_try_open(struct session *session, int kfd_fd);
void session_open(struct session *session, struct kfd *kfd);
void session_close(struct session *session);

int session_try_map(struct session *session, struct gmmap_map *args);
/* Maps a whole BO by its handle; returns the mapping's id. */
uint64_t session_map(struct session *session, const struct kfd_bo *bo,
		     const struct gmmap_extent *extents, uint32_t count);
/* Maps bytes of a file to a whole BO. */
uint64_t session_map_file(struct session *session, const struct kfd_bo *bo, int fd,
			  uint64_t file_offset);
int session_try_unmap(struct session *session, uint64_t mapping_id, uint32_t flags);
int session_try_wait(struct session *session, uint64_t mapping_id, int64_t timeout_ns);
int session_try_populate(struct session *session, const struct gmmap_range *ranges, uint32_t count,
			 uint64_t *populate_id);
/* Has ranges loaded in the background; returns the id of the POPULATE. */
uint64_t session_populate(struct session *session, const struct gmmap_range *ranges,
			  uint32_t count);
/* Has the session tell of the types in mask. */
void session_records(struct session *session, uint32_t mask, uint32_t capacity);
/* Waits for a record and reads it; false if none comes in the time. */
bool session_read_record(struct session *session, struct gmmap_record *record,
			 unsigned int limit_ms);
int session_try_stat(struct session *session, uint64_t mapping_id, struct gmmap_stat *stat);
void session_stat(struct session *session, uint64_t mapping_id, struct gmmap_stat *stat);

/* Records in which order granules are touched; flags: GMMAP_PROFILE_EXACT or 0. */
void session_profile_start(struct session *session, uint32_t capacity, uint32_t flags);
void session_profile_stop(struct session *session);
/* Returns how many were copied. */
uint32_t session_profile_read(struct session *session, struct gmmap_touch *touches, uint32_t count);

/* Waits until every fault of the process is acknowledged, then checks and prints the counters. */
void session_check_faults(struct session *session, const char *what);

#endif
