/* SPDX-License-Identifier: MIT */
/* Profiles: written beside an image, and several recordings made one. In libgmmap-store.a. */
#ifndef GMMAP_PROFILE_WRITER_H
#define GMMAP_PROFILE_WRITER_H

#include "gmmap-image.h"

/*
 * Writes profile NAME of an image, in place of one of that name. Entries in any order; they are
 * stored in order of time. -EINVAL: an entry that is not in the image.
 */
int gmmap_store_write_profile(const char *store, const char *image, const char *name,
			      const struct gmmap_image_profile_entry *entries, size_t count,
			      uint32_t recordings, struct gmmap_image_error *error);

int gmmap_store_remove_profile(const char *store, const char *image, const char *name,
			       struct gmmap_image_error *error);

/*
 * One list from several recordings: a granule (64 KiB of a BO, 4 KiB of memory) has the mean of the
 * times at which it was touched, and how often it was. What most recordings have comes first where
 * times are equal. The caller frees *ENTRIES.
 */
int gmmap_store_merge_profiles(const struct gmmap_image_profile *const *profiles,
			       size_t profile_count, const struct gmmap_image *image,
			       struct gmmap_image_profile_entry **entries, size_t *count,
			       uint32_t *recordings);

#endif
