// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "settings.h"
#include "vgpu.h"

#define MAX_COMMAND 256

struct client {
	int fd; /* -1: free */
	size_t length;
	char line[MAX_COMMAND];
};

struct control {
	int listener;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct client clients[CONTROL_CLIENTS];
};

int control_create(struct control **out, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct control *control;
	int err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	control = calloc(1, sizeof(*control));
	if (!control)
		return -ENOMEM;
	strcpy(address.sun_path, path);
	strcpy(control->path, path);
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		control->clients[i].fd = -1;
	control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->listener < 0)
		goto fail;
	unlink(path);
	if (bind(control->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(control->listener, CONTROL_CLIENTS) < 0)
		goto fail_socket;
	*out = control;
	return 0;
fail_socket:
	err = errno;
	close(control->listener);
	errno = err;
fail:
	err = errno;
	free(control);
	return -err;
}

static void client_close(struct client *client)
{
	close(client->fd);
	client->fd = -1;
	client->length = 0;
}

void control_destroy(struct control *control)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		if (control->clients[i].fd >= 0)
			client_close(&control->clients[i]);
	}
	close(control->listener);
	unlink(control->path);
	free(control);
}

void control_prepare(const struct control *control, struct pollfd fds[CONTROL_FDS])
{
	fds[0] = (struct pollfd){ .fd = control->listener, .events = POLLIN };
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		fds[1 + i] = (struct pollfd){ .fd = control->clients[i].fd, .events = POLLIN };
}

static void print_queue(FILE *out, const struct queue *q, const char *comma)
{
	static const char *const states[] = { "idle", "ready", "faulted", "polling", "busy", "halted" };

	fprintf(out,
		"%s{\"name\":\"%s\",\"active\":%s,\"state\":\"%s\",\"vmid\":%u,\"packets\":%llu,"
		"\"bytes\":%llu,\"faults\":%llu,\"stalled_ns\":%llu}",
		comma, q->name, q->active ? "true" : "false", states[q->state], q->vmid,
		(unsigned long long)q->stats.packets, (unsigned long long)q->stats.bytes,
		(unsigned long long)q->stats.faults, (unsigned long long)q->stats.stalled_ns);
}

static void print_queues(struct vgpu *dev, FILE *out)
{
	const char *comma = "";

	print_queue(out, &dev->cp.gfx, comma);
	comma = ",";
	for (int i = 0; i < SDMA_ENGINES; i++) {
		for (int j = 0; j < SDMA_RINGS; j++)
			print_queue(out, &dev->sdma[i].rings[j].queue, comma);
	}
	for (int i = 0; i < CP_SLOTS; i++) {
		const struct queue *q = &dev->cp.slots[i].queue;

		if (q->active || q->stats.packets)
			print_queue(out, q, comma);
	}
}

void control_print_stats(struct vgpu *dev, FILE *out)
{
	const struct vgpu_stats *s = &dev->stats;
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{ "reg_reads", s->reg_reads },
		{ "reg_writes", s->reg_writes },
		{ "doorbells", s->doorbells },
		{ "doorbells_dropped", s->doorbells_dropped },
		{ "interrupts", s->interrupts },
		{ "interrupts_failed", s->interrupts_failed },
		{ "ivs", s->ivs },
		{ "ivs_dropped", s->ivs_dropped },
		{ "retry_faults", s->retry_faults },
		{ "noretry_faults", s->noretry_faults },
		{ "cam_acks", s->cam_acks },
		{ "cam_acks_spurious", s->cam_acks_spurious },
		{ "cam_full", s->cam_full },
		{ "cam_used", dev->cam.used },
		{ "tlb_invalidations", s->tlb_invalidations },
		{ "time_slices", s->time_slices },
		{ "errors", s->errors },
		{ "link_to_gpu_bytes", dev->link.bytes[LINK_TO_GPU] },
		{ "link_from_gpu_bytes", dev->link.bytes[LINK_FROM_GPU] },
	};

	fputc('{', out);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		fprintf(out, "\"%s\":%llu,", counters[i].name,
			(unsigned long long)counters[i].value);
	fputs("\"shader\":{", out);
	shader_print_stats(dev, out);
	fputs("},\"queues\":[", out);
	print_queues(dev, out);
	fputs("]}\n", out);
}

static void set(struct vgpu *dev, char *arguments, FILE *out)
{
	char *name = strtok(arguments, " "), *value = strtok(NULL, " ");
	int ret;

	if (!name || !value) {
		fputs("{\"error\":\"set needs a name and a value\"}\n", out);
		return;
	}
	ret = setting_set(dev, name, value);
	if (ret)
		fprintf(out, "{\"error\":\"%s\"}\n",
			ret == -ENOENT ? "no setting of this name" :
			ret == -ERANGE ? "the value is too big" :
					 "the value is not a number");
	else
		fputs("{\"ok\":true}\n", out);
}

static void execute(struct vgpu *dev, char *line, FILE *out)
{
	if (!strcmp(line, "stats")) {
		control_print_stats(dev, out);
	} else if (!strcmp(line, "settings")) {
		fputc('{', out);
		settings_print(dev, out);
		fputs("}\n", out);
	} else if (!strncmp(line, "set ", 4)) {
		set(dev, line + 4, out);
	} else if (!strcmp(line, "reset")) {
		vgpu_reset(dev);
		fputs("{\"ok\":true}\n", out);
	} else {
		fputs("{\"error\":\"commands: stats, settings, set NAME VALUE, reset\"}\n", out);
	}
}

/* Answers are small against a socket buffer; a client that does not read them is dropped. */
static void answer(struct client *client, struct vgpu *dev, char *line)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return;
	execute(dev, line, out);
	fclose(out);
	if (send(client->fd, text, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)bytes)
		client_close(client);
	free(text);
}

static void client_dispatch(struct client *client, struct vgpu *dev)
{
	ssize_t got = recv(client->fd, client->line + client->length,
			   sizeof(client->line) - client->length, 0);
	char *end;

	if (got <= 0) {
		client_close(client);
		return;
	}
	client->length += (size_t)got;
	while (client->fd >= 0 && (end = memchr(client->line, '\n', client->length))) {
		size_t used = (size_t)(end - client->line) + 1;

		*end = 0;
		answer(client, dev, client->line);
		if (client->fd < 0)
			return;
		memmove(client->line, client->line + used, client->length - used);
		client->length -= used;
	}
	if (client->length == sizeof(client->line))
		client_close(client);
}

static void accept_client(struct control *control)
{
	int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		if (control->clients[i].fd < 0) {
			control->clients[i].fd = fd;
			return;
		}
	}
	close(fd);
}

void control_dispatch(struct control *control, struct vgpu *dev,
		      const struct pollfd fds[CONTROL_FDS])
{
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		if (control->clients[i].fd >= 0 && control->clients[i].fd == fds[1 + i].fd &&
		    fds[1 + i].revents)
			client_dispatch(&control->clients[i], dev);
	}
	if (fds[0].revents)
		accept_client(control);
}
