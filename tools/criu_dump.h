/* SPDX-License-Identifier: MIT */
/* A folder that CRIU has dumped into, as far as the image store must understand it. */
#ifndef GMMAP_CRIU_DUMP_H
#define GMMAP_CRIU_DUMP_H

#include <stdbool.h>
#include "criu.pb-c.h"
#include "gmmap-image.h"

enum criu_file_kind {
	CRIU_SMALL,	/* kept as it is */
	CRIU_PAGES,	/* pages-ID.img: pages, without a header */
	CRIU_KFD_PAGES, /* amdgpu-pages-ID-GPU.img: 8 bytes, then BOs of KFD */
	CRIU_DRM_PAGES, /* amdgpu-drm-pages-...img: 8 bytes, then a BO */
};

struct criu_file {
	char *name;
	enum criu_file_kind kind;
	uint32_t id;
	uint32_t gpu_id;
	uint64_t size;
	unsigned int mode;
};

struct criu_dump {
	int fd;
	const char *path;
	struct criu_file *files; /* sorted by name */
	size_t count;
};

int criu_dump_open(const char *path, struct criu_dump *dump, struct gmmap_image_error *error);
void criu_dump_close(struct criu_dump *dump);
const struct criu_file *criu_dump_find(const struct criu_dump *dump, const char *name);

/* A run of pages in a pages file. */
struct criu_run {
	uint64_t address;
	uint64_t length;
	uint64_t offset; /* in the pages file */
	bool lazy;
};

struct criu_pagemap {
	uint32_t pages_id;
	struct criu_run *runs;
	size_t count;
};

/* Reads pagemap-*.img. -EOPNOTSUPP: pages are in the dump's parent. */
int criu_pagemap_read(const struct criu_dump *dump, const char *name, struct criu_pagemap *pagemap,
		      struct gmmap_image_error *error);
void criu_pagemap_free(struct criu_pagemap *pagemap);

/* Reads amdgpu-kfd-ID.img; free with criu_kfd__free_unpacked(KFD, NULL). */
int criu_kfd_read(const struct criu_dump *dump, uint32_t id, CriuKfd **kfd,
		  struct gmmap_image_error *error);
/* Whether CRIU's amdgpu plugin dumps the content of a BO with these flags. */
bool criu_kfd_bo_has_content(uint32_t alloc_flags);

#endif
