// SPDX-License-Identifier: MIT
/* What libgmmap looks for in the HSA runtime, and nothing else. */
#include <link.h>

struct r_debug _amdgpu_r_debug = { .r_version = 9 };
