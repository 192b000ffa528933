// SPDX-License-Identifier: MIT
/*
 * What a register read costs at the vfio-user socket: reads from two listening devices in
 * turns and prints the medians and their ratio. Usage: reads EMPTY-SOCKET VGPU-SOCKET [READS]
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <linux/vfio.h>

#define COMMAND_VERSION	    1
#define COMMAND_REGION_READ 9
#define RCC_CONFIG_MEMSIZE  0x378c /* reading it changes nothing */
#define LIMIT		    1.5

struct header {
	uint16_t id, command;
	uint32_t bytes, flags, error;
};

struct region_access {
	struct header header;
	uint64_t offset;
	uint32_t region, count;
};

static void die(const char *what)
{
	fprintf(stderr, "reads: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void receive(int fd, void *data, size_t bytes)
{
	if (recv(fd, data, bytes, MSG_WAITALL) != (ssize_t)bytes)
		die("the device closed the connection");
}

static void negotiate(int fd)
{
	static const char json[] = "{\"capabilities\":{}}";
	struct {
		struct header header;
		uint16_t major, minor;
		char json[sizeof(json)];
	} request = {
		.header = { .command = COMMAND_VERSION, .bytes = sizeof(struct header) + 4 + sizeof(json) },
	};
	struct header reply;
	char rest[4096];

	memcpy(request.json, json, sizeof(json));
	if (send(fd, &request, request.header.bytes, 0) < 0)
		die("send");
	receive(fd, &reply, sizeof(reply));
	if (reply.bytes < sizeof(reply) || reply.bytes - sizeof(reply) > sizeof(rest) || reply.error)
		die("version negotiation");
	receive(fd, rest, reply.bytes - sizeof(reply));
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		die(path);
	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(path);
	negotiate(fd);
	return fd;
}

static uint64_t read_register(int fd)
{
	struct region_access request = {
		.header = { .command = COMMAND_REGION_READ, .bytes = sizeof(request) },
		.offset = RCC_CONFIG_MEMSIZE,
		.region = VFIO_PCI_BAR5_REGION_INDEX,
		.count = 4,
	};
	struct {
		struct region_access access;
		uint32_t value;
	} __attribute__((packed)) reply;
	uint64_t begin = now_ns();

	if (send(fd, &request, sizeof(request), 0) < 0)
		die("send");
	receive(fd, &reply, sizeof(reply));
	if (reply.access.header.error)
		die("the device refuses the read");
	return now_ns() - begin;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

int main(int argc, char **argv)
{
	size_t count = argc > 3 ? strtoul(argv[3], NULL, 0) : 10000;
	uint64_t *times[2], medians[2];
	int fds[2];
	double ratio;

	if (argc < 3 || !count) {
		fputs("usage: reads EMPTY-SOCKET VGPU-SOCKET [READS]\n", stderr);
		return 2;
	}
	for (int i = 0; i < 2; i++) {
		times[i] = calloc(count, sizeof(*times[i]));
		if (!times[i])
			die("memory");
		fds[i] = connect_to(argv[1 + i]);
	}
	for (size_t n = 0; n < count; n++) {
		for (int i = 0; i < 2; i++)
			times[i][n] = read_register(fds[i]);
	}
	for (int i = 0; i < 2; i++) {
		medians[i] = median(times[i], count);
		free(times[i]);
	}
	ratio = (double)medians[1] / (double)medians[0];
	printf("reads=%zu empty_median_ns=%llu vgpu_median_ns=%llu ratio=%.2f\n", count,
	       (unsigned long long)medians[0], (unsigned long long)medians[1], ratio);
	return ratio > LIMIT;
}
