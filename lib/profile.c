// SPDX-License-Identifier: MIT
#include "internal.h"

static int profile(int session, struct gmmap_profile *args, struct gmmap_profile_count *count)
{
	int ret;

	args->size = sizeof(*args);
	ret = gmmap_ioctl(session, GMMAP_IOC_PROFILE, args);
	if (!ret && count)
		*count = (struct gmmap_profile_count){ args->recorded, args->dropped };
	return ret;
}

EXPORT int gmmap_profile_start(int session, uint32_t capacity, uint32_t flags)
{
	struct gmmap_profile args = {
		.op = GMMAP_PROFILE_START,
		.flags = flags,
		.count = capacity,
	};

	return profile(session, &args, NULL);
}

EXPORT int gmmap_profile_stop(int session, struct gmmap_profile_count *count)
{
	struct gmmap_profile args = { .op = GMMAP_PROFILE_STOP };

	return profile(session, &args, count);
}

EXPORT int gmmap_profile_read(int session, uint64_t first, struct gmmap_touch *touches,
			      uint32_t capacity, struct gmmap_profile_count *count)
{
	struct gmmap_profile args = {
		.op = GMMAP_PROFILE_READ,
		.first = first,
		.touches = (uintptr_t)touches,
		.count = capacity,
	};
	int ret = profile(session, &args, count);

	return ret ?: (int)args.count;
}
