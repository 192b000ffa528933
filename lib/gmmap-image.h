/* SPDX-License-Identifier: MIT */
/*
 * Reads checkpoints out of an image store. Needs no kernel module, no daemon and no privilege
 * beyond reading the store's files. Documentation/image-format.md has the words and the format.
 *
 * Functions return 0 or a count, or a negative errno. Those that take a struct gmmap_image_error
 * fill its text when they fail; it may be NULL. A struct gmmap_image does not change once it is
 * open and can be used by several threads. Nothing is printed.
 */
#ifndef GMMAP_IMAGE_H
#define GMMAP_IMAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct gmmap_image;

struct gmmap_image_error {
	char text[512];
};

#define GMMAP_IMAGE_DIGEST_BYTES 32
#define GMMAP_IMAGE_NONE	 UINT32_MAX

/* gmmap_image_open(), flags */
#define GMMAP_IMAGE_WITHOUT_PACKS  0x1 /* packs stay closed: only the lists can be read */
#define GMMAP_IMAGE_REQUIRE_VERITY 0x2 /* refuse packs that fs-verity does not protect */
#define GMMAP_IMAGE_DIRECT	   0x4 /* open packs with O_DIRECT */

/*
 * Opens image NAME of the store in folder STORE, and all its packs. The image can then be removed
 * and its packs collected without harm to who has it open.
 *
 * -ENOENT: no such store or image. -EINVAL: not a name, unknown flags. -EBADMSG: the image or a
 * pack is damaged. -EPROTONOSUPPORT: of a newer version. -EACCES: a pack without fs-verity.
 */
int gmmap_image_open(const char *store, const char *name, unsigned int flags,
		     struct gmmap_image **image, struct gmmap_image_error *error);
void gmmap_image_close(struct gmmap_image *image);

struct gmmap_image_info {
	const char *name; /* strings live as long as the image is open */
	uint8_t sha256[GMMAP_IMAGE_DIGEST_BYTES];
	uint64_t created_ns; /* since 1970 */
	uint32_t processes;
	uint32_t objects;
	uint32_t packs;
	uint32_t files;
	uint32_t properties;
	uint32_t spans;
	uint64_t extents;
};
void gmmap_image_info(const struct gmmap_image *image, struct gmmap_image_info *info);

/*
 * The lists. An index at or above the count in struct gmmap_image_info gives -ENOENT.
 */
struct gmmap_image_process {
	uint32_t pid;	/* as the process saw it */
	uint32_t flags; /* 0 */
};
int gmmap_image_process(const struct gmmap_image *image, uint32_t index,
			struct gmmap_image_process *process);

enum gmmap_image_kind {
	GMMAP_IMAGE_KFD_BO = 1,
	GMMAP_IMAGE_DRM_BO = 2,
	GMMAP_IMAGE_PAGES = 3, /* pages of one process or of shared memory */
};

struct gmmap_image_object {
	enum gmmap_image_kind kind;
	uint32_t process; /* index, or GMMAP_IMAGE_NONE */
	uint32_t index;	  /* KFD BO: position in the list of BOs of the process at the checkpoint */
	uint32_t gpu_id;  /* as the process sees it; 0 for pages */
	uint32_t alloc_flags; /* KFD's */
	uint64_t address;     /* GPU address; 0 if it has none */
	uint64_t size;	      /* bytes */
	const char *file;     /* of CRIU's files, the one of which it is a part, or NULL */
	uint64_t extents;
};
int gmmap_image_object(const struct gmmap_image *image, uint32_t index,
		       struct gmmap_image_object *object);

/* Index of the object that is KFD BO number BO of process PROCESS (an index), or -ENOENT. */
int64_t gmmap_image_find_bo(const struct gmmap_image *image, uint32_t process, uint32_t bo);

struct gmmap_image_pack {
	uint8_t digest[GMMAP_IMAGE_DIGEST_BYTES]; /* fs-verity: SHA-256, 4 KiB blocks, no salt */
	uint64_t slots;
	uint32_t granule_shift;
	uint32_t written_with_image; /* 1: this image brought it; 0: it was there, from a base */
	int fd;			     /* -1 with GMMAP_IMAGE_WITHOUT_PACKS. Belongs to the image */
};
int gmmap_image_pack(const struct gmmap_image *image, uint32_t index,
		     struct gmmap_image_pack *pack);

struct gmmap_image_file {
	const char *name;
	uint32_t mode; /* permission bits */
	uint64_t size;
	uint8_t sha256[GMMAP_IMAGE_DIGEST_BYTES];
};
int gmmap_image_file(const struct gmmap_image *image, uint32_t index,
		     struct gmmap_image_file *file);

/* A descriptor of the folder with the image's files; belongs to the image. */
int gmmap_image_files_fd(const struct gmmap_image *image);

/*
 * Reads a whole file and compares its SHA-256. The caller frees *DATA. -ENOENT: the image lists no
 * such file. -EBADMSG: it is damaged.
 */
int gmmap_image_read_file(const struct gmmap_image *image, const char *name, void **data,
			  size_t *size, struct gmmap_image_error *error);

int gmmap_image_property(const struct gmmap_image *image, uint32_t index, const char **key,
			 const char **value);

/* Where content is: PACK_OFFSET in descriptor FD, or zeros (fd -1, pack GMMAP_IMAGE_NONE). */
struct gmmap_image_extent {
	uint64_t offset; /* in the object */
	uint64_t length;
	uint64_t pack_offset; /* a multiple of 4096 if offset is */
	uint32_t pack;
	int fd; /* belongs to the image */
};

/*
 * Fills at most MAX extents that cover the object from byte OFFSET on, without gap, and returns how
 * many; 0 at the end of the object. -ENOENT: no such object.
 */
ssize_t gmmap_image_extents(const struct gmmap_image *image, uint32_t object, uint64_t offset,
			    struct gmmap_image_extent *extents, size_t max);

#define GMMAP_IMAGE_MEMORY_LAZY 0x1 /* CRIU allows it to be restored late */

struct gmmap_image_memory {
	uint64_t address; /* in the process */
	uint64_t length;
	uint64_t pack_offset;
	uint32_t pack;
	int fd;			/* -1: zeros */
	uint32_t object;	/* the pages object, */
	uint32_t flags;		/* GMMAP_IMAGE_MEMORY_* */
	uint64_t object_offset; /* and the byte in it */
};

/*
 * Fills at most MAX pieces of the memory of a process (an index), in order of address, from ADDRESS
 * on. Returns how many; 0 when nothing lies above. Memory between pieces is not in the image.
 */
ssize_t gmmap_image_memory(const struct gmmap_image *image, uint32_t process, uint64_t address,
			   struct gmmap_image_memory *memory, size_t max);

/* Reads content. Returns the bytes read, fewer than LENGTH only at the end of the object. */
ssize_t gmmap_image_read(const struct gmmap_image *image, uint32_t object, uint64_t offset,
			 void *buffer, size_t length);

/*
 * Reads everything and compares with its digests: the image's files, profiles, packs. Calls
 * REPORT for each thing that is wrong and PROGRESS now and then (both may be NULL). Returns the
 * number of things wrong, or a negative errno.
 */
struct gmmap_image_verify {
	void (*report)(void *context, const char *what, const char *problem);
	void (*progress)(void *context, uint64_t done_bytes, uint64_t all_bytes);
	void *context;
	unsigned int threads; /* 0: one for each CPU */
};
int gmmap_image_verify(const struct gmmap_image *image, const struct gmmap_image_verify *how);

/*
 * Profiles: in which order the process touched its memory after an earlier restore.
 */
enum gmmap_image_profile_space {
	GMMAP_IMAGE_PROFILE_OBJECT = 1, /* index is an object's, offset is in it */
	GMMAP_IMAGE_PROFILE_MEMORY = 2, /* index is a process's, offset is an address */
};

struct gmmap_image_profile_entry {
	uint64_t offset;
	uint64_t length;
	uint64_t time_ns; /* of the first touch, since the process ran */
	uint32_t space;
	uint32_t index;
	uint32_t recordings; /* in how many of the recordings it was touched */
};

struct gmmap_image_profile;

/* Opens a profile of an image. -ENOENT: none of that name. -EBADMSG: damaged, or of another image.
 */
int gmmap_image_profile_open(const struct gmmap_image *image, const char *name,
			     struct gmmap_image_profile **profile, struct gmmap_image_error *error);
void gmmap_image_profile_close(struct gmmap_image_profile *profile);
/* Entries in order of time, GPU and CPU together. */
const struct gmmap_image_profile_entry *
gmmap_image_profile_entries(const struct gmmap_image_profile *profile, size_t *count);
uint32_t gmmap_image_profile_recordings(const struct gmmap_image_profile *profile);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
