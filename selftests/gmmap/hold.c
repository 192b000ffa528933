// SPDX-License-Identifier: MIT
/* Attaches, maps a buffer, and stays until it is killed. For load.sh. */
#include <unistd.h>

#include "ksft.h"
#include "lazy.h"

int main(void)
{
	struct lazy lazy;

	lazy_open(&lazy, 16 * GRANULE_BYTES, 1);
	lazy_map(&lazy);
	for (;;)
		pause();
}
