// SPDX-License-Identifier: MIT
/*
 * compare.c - two files of floats are the same but for rounding
 *
 * Usage: compare EXPECTED FILE TOLERANCE
 *
 * No value may differ by more than TOLERANCE times the largest size of an expected one, and the
 * largest value must be at the same place unless two are that close.
 */

#include <err.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct values {
	float *value;
	size_t count;
};

static struct values read_values(const char *path)
{
	struct values values = {};
	FILE *file = fopen(path, "r");
	long bytes;

	if (!file || fseek(file, 0, SEEK_END) || (bytes = ftell(file)) < 0)
		err(1, "%s", path);
	rewind(file);
	if (!bytes || bytes % sizeof(float))
		errx(1, "%s: %ld bytes are no floats", path, bytes);
	values.count = (size_t)bytes / sizeof(float);
	values.value = malloc((size_t)bytes);
	if (!values.value || fread(values.value, sizeof(float), values.count, file) != values.count)
		err(1, "%s", path);
	fclose(file);
	return values;
}

static size_t largest(const struct values *values)
{
	size_t at = 0;

	for (size_t i = 1; i < values->count; i++)
		if (values->value[i] > values->value[at])
			at = i;
	return at;
}

int main(int argc, char **argv)
{
	double tolerance, size = 0, worst = 0;
	struct values expected, found;
	size_t a, b, bad = 0;

	if (argc != 4 || (tolerance = strtod(argv[3], NULL)) <= 0) {
		fprintf(stderr, "usage: compare EXPECTED FILE TOLERANCE\n");
		return 2;
	}
	expected = read_values(argv[1]);
	found = read_values(argv[2]);
	if (expected.count != found.count)
		errx(1, "%s has %zu values, %s has %zu", argv[1], expected.count, argv[2],
		     found.count);
	for (size_t i = 0; i < expected.count; i++)
		size = fmax(size, fabs(expected.value[i]));
	for (size_t i = 0; i < expected.count; i++) {
		double error = fabs((double)found.value[i] - expected.value[i]) / size;

		worst = fmax(worst, error);
		bad += !(error <= tolerance); /* a NaN, too */
	}
	a = largest(&expected);
	b = largest(&found);
	printf("%zu values up to %g, worst difference %.3g of that, %zu above %g; largest: %zu and "
	       "%zu\n",
	       expected.count, size, worst, bad, tolerance, a, b);
	if (expected.value[a] - expected.value[b] > 2 * tolerance * size)
		bad++;
	free(expected.value);
	free(found.value);
	return bad != 0;
}
