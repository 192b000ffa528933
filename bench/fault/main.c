// SPDX-License-Identifier: MIT
/* fault rates|stalls|first|counts FOLDER: the parts of bench/fault that run in the guest. */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "ksft.h"

static const struct {
	const char *name;
	void (*measure)(struct bench *bench);
} parts[] = {
	{ "rates", measure_rates },
	{ "stalls", measure_stalls },
	{ "first", measure_first },
	{ "counts", measure_counts },
};

static void measure(struct bench *bench, void (*part)(struct bench *bench))
{
	kfd_open(&bench->kfd);
	session_open(&bench->session, &bench->kfd);
	queue_create(&bench->queue, &bench->kfd, QUEUE_SDMA);
	part(bench);
	queue_destroy(&bench->queue);
	session_close(&bench->session);
	kfd_close(&bench->kfd);
}

int main(int argc, char **argv)
{
	struct bench bench = { 0 };

	for (unsigned int i = 0; argc == 3 && i < ARRAY_SIZE(parts); i++) {
		if (strcmp(argv[1], parts[i].name))
			continue;
		bench.folder = argv[2];
		measure(&bench, parts[i].measure);
		return 0;
	}
	fprintf(stderr, "usage: %s rates|stalls|first|counts FOLDER\n", argv[0]);
	return 2;
}
