// SPDX-License-Identifier: MIT
/* The vgpu program: command line and event loop. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <linux/vfio.h>

#include "control.h"
#include "firmware.h"
#include "settings.h"
#include "vfio_user.h"
#include "vgpu.h"

#define DEFAULT_VRAM (1ULL << 30)

struct options {
	const char *socket;
	const char *control;
	const char *trace;
	const char *stats;
	const char *firmware;
	uint64_t vram_bytes;
	uint64_t seed;
	uint64_t shader_threads;
};

static volatile sig_atomic_t quit;

static void on_signal(int signal)
{
	(void)signal;
	quit = 1;
}

static int on_read(void *opaque, unsigned int region, uint64_t offset, void *data, uint32_t bytes)
{
	return vgpu_region_read(opaque, region, offset, data, bytes);
}

static int on_write(void *opaque, unsigned int region, uint64_t offset, const void *data,
		    uint32_t bytes)
{
	return vgpu_region_write(opaque, region, offset, data, bytes);
}

static int on_dma_map(void *opaque, uint64_t iova, uint64_t bytes, int fd, uint64_t fd_offset,
		      bool writable)
{
	struct vgpu *dev = opaque;
	int ret;

	shader_pause(dev);
	ret = mem_dma_map(&dev->mem, iova, bytes, fd, fd_offset, writable);
	shader_continue(dev, UINT16_MAX);
	return ret;
}

static int on_dma_unmap(void *opaque, uint64_t iova, uint64_t bytes)
{
	struct vgpu *dev = opaque;
	int ret;

	shader_pause(dev);
	ret = mem_dma_unmap(&dev->mem, iova, bytes);
	shader_continue(dev, UINT16_MAX);
	return ret;
}

static int on_set_irq(void *opaque, unsigned int index, unsigned int vector, int eventfd)
{
	struct vgpu *dev = opaque;

	if (index != VFIO_PCI_MSI_IRQ_INDEX || vector) {
		if (eventfd >= 0)
			close(eventfd);
		return eventfd >= 0 ? -EINVAL : 0;
	}
	if (dev->ih.msi_fd >= 0)
		close(dev->ih.msi_fd);
	dev->ih.msi_fd = eventfd;
	return 0;
}

static void on_reset(void *opaque)
{
	vgpu_reset(opaque);
}

static const struct vfio_user_ops ops = {
	.read = on_read,
	.write = on_write,
	.dma_map = on_dma_map,
	.dma_unmap = on_dma_unmap,
	.set_irq = on_set_irq,
	.reset = on_reset,
};

static int client_read(void *opaque, uint64_t iova, void *data, uint32_t bytes)
{
	return vfio_user_dma_read(opaque, iova, data, bytes);
}

static int client_write(void *opaque, uint64_t iova, const void *data, uint32_t bytes)
{
	return vfio_user_dma_write(opaque, iova, data, bytes);
}

static int serve(struct vgpu *dev, struct vfio_user **vu, const char *path)
{
	struct vfio_user_config config = {
		.regions = {
			[VFIO_PCI_BAR0_REGION_INDEX] = { dev->mem.vram_bytes, dev->mem.vram_fd, false },
			[VFIO_PCI_BAR2_REGION_INDEX] = { PCI_DOORBELL_BAR_BYTES, -1, false },
			[VFIO_PCI_BAR5_REGION_INDEX] = { REG_BAR_BYTES, -1, false },
			[VFIO_PCI_ROM_REGION_INDEX] = { PCI_ROM_BYTES, -1, true },
			[VFIO_PCI_CONFIG_REGION_INDEX] = { PCI_CONFIG_BYTES, -1, false },
		},
		.irq_count = { [VFIO_PCI_MSI_IRQ_INDEX] = 1 },
	};
	int ret = vfio_user_create(vu, path, &config, &ops, dev);

	if (ret)
		return ret;
	dev->mem.client = *vu;
	dev->mem.client_read = client_read;
	dev->mem.client_write = client_write;
	return 0;
}

static void wait_for_work(struct pollfd *fds, nfds_t count, uint64_t next_ns, const sigset_t *mask)
{
	struct timespec timeout = { 0 };
	uint64_t now;

	if (next_ns == UINT64_MAX) {
		ppoll(fds, count, NULL, mask);
		return;
	}
	now = next_ns ? now_ns() : 0;
	if (next_ns > now) {
		timeout.tv_sec = (time_t)((next_ns - now) / 1000000000u);
		timeout.tv_nsec = (long)((next_ns - now) % 1000000000u);
	}
	ppoll(fds, count, &timeout, mask);
}

static void event_loop(struct vgpu *dev, struct vfio_user *vu, struct control *control,
		       const sigset_t *mask)
{
	struct pollfd fds[2 + CONTROL_FDS];

	while (!quit) {
		uint64_t next_ns = vgpu_run(dev);

		fds[0] = (struct pollfd){ .fd = vfio_user_poll_fd(vu), .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = shader_fd(dev), .events = POLLIN };
		if (control)
			control_prepare(control, fds + 2);
		wait_for_work(fds, control ? 2 + CONTROL_FDS : 2, next_ns, mask);
		if (fds[0].revents && vfio_user_dispatch(vu) < 0)
			vgpu_reset(dev);
		if (control)
			control_dispatch(control, dev, fds + 2);
	}
}

static void usage(FILE *out)
{
	fputs("usage: vgpu --socket PATH [--control PATH] [--vram SIZE] [--seed N] [--trace FILE]\n"
	      "            [--stats FILE] [--shader-threads N] [--set NAME=VALUE]...\n"
	      "       vgpu --firmware DIR\n"
	      "A virtual AMD Instinct MI50 for QEMU's vfio-user-pci.\n"
	      "  --socket PATH    where QEMU connects\n"
	      "  --control PATH   where statistics are read and settings changed\n"
	      "  --vram SIZE      256M to 8G, a power of two (1G)\n"
	      "  --seed N         of the engines' scheduling (1)\n"
	      "  --shader-threads N  that run waves (all of the host's processors but one)\n"
	      "  --trace FILE     write events there, one JSON object a line\n"
	      "  --stats FILE     write the counters there at the end\n"
	      "  --firmware DIR   write the stub firmware files that the driver loads, and exit\n"
	      "  --set NAME=VALUE, or --NAME VALUE:\n",
	      out);
	settings_help(out);
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "vgpu: %s: %s\n", what, why);
	exit(1);
}

static void apply_setting(struct vgpu *dev, const char *name, const char *value)
{
	switch (setting_set(dev, name, value)) {
	case 0:
		return;
	case -ENOENT:
		die(name, "no setting of this name; --help lists them");
		return;
	case -ERANGE:
		die(name, "the value is too big");
		return;
	default:
		die(name, "the value is not a number");
	}
}

/* Options that are settings are kept until there is a device to set. */
struct pending {
	char *name;
	const char *value;
};

static void parse_options(int argc, char **argv, struct options *o, struct pending *pending)
{
	for (int i = 1; i < argc; i++) {
		char *name = argv[i];
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(name, "--help")) {
			usage(stdout);
			exit(0);
		}
		if (strncmp(name, "--", 2) || !value) {
			usage(stderr);
			exit(2);
		}
		name += 2;
		i++;
		if (!strcmp(name, "socket"))
			o->socket = value;
		else if (!strcmp(name, "control"))
			o->control = value;
		else if (!strcmp(name, "trace"))
			o->trace = value;
		else if (!strcmp(name, "stats"))
			o->stats = value;
		else if (!strcmp(name, "firmware"))
			o->firmware = value;
		else if (!strcmp(name, "vram") && parse_size(value, &o->vram_bytes))
			die("--vram", "not a size");
		else if (!strcmp(name, "seed") && parse_size(value, &o->seed))
			die("--seed", "not a number");
		else if (!strcmp(name, "shader-threads") && parse_size(value, &o->shader_threads))
			die("--shader-threads", "not a number");
		else if (!strcmp(name, "set"))
			*pending++ = (struct pending){ argv[i], NULL };
		else if (strcmp(name, "vram") && strcmp(name, "seed") &&
			 strcmp(name, "shader-threads"))
			*pending++ = (struct pending){ name, value };
	}
}

static void apply_pending(struct vgpu *dev, struct pending *pending)
{
	for (; pending->name; pending++) {
		char *equals = strchr(pending->name, '=');

		if (pending->value) {
			apply_setting(dev, pending->name, pending->value);
		} else if (equals) {
			*equals = 0;
			apply_setting(dev, pending->name, equals + 1);
		} else {
			die("--set", "takes NAME=VALUE");
		}
	}
}

static void write_stats(struct vgpu *dev, const char *path)
{
	FILE *out = fopen(path, "we");

	if (out) {
		control_print_stats(dev, out);
		fclose(out);
	} else {
		fprintf(stderr, "vgpu: %s: %s\n", path, strerror(errno));
	}
}

static void check(const char *what, int ret)
{
	if (ret)
		die(what, strerror(-ret));
}

int main(int argc, char **argv)
{
	struct options o = { .vram_bytes = DEFAULT_VRAM, .seed = 1 };
	struct pending *pending = calloc((size_t)argc + 1, sizeof(*pending));
	struct vgpu *dev;
	struct sigaction action = { .sa_handler = on_signal };
	struct control *control = NULL;
	struct vfio_user *vu;
	sigset_t blocked, normal;

	if (!pending)
		die("start", "out of memory");
	parse_options(argc, argv, &o, pending);
	if (o.firmware) {
		check(o.firmware, firmware_write(o.firmware));
		free(pending);
		return 0;
	}
	if (!o.socket) {
		usage(stderr);
		return 2;
	}
	if (o.vram_bytes < VGPU_MIN_VRAM || o.vram_bytes > VGPU_MAX_VRAM ||
	    o.vram_bytes & (o.vram_bytes - 1))
		die("--vram", "takes a power of two from 256M to 8G");
	dev = calloc(1, sizeof(*dev));
	if (!dev)
		die("start", "out of memory");
	check("VRAM", vgpu_init(dev, o.vram_bytes, o.seed,
				(unsigned int)o.shader_threads));
	apply_pending(dev, pending);
	if (o.trace) {
		dev->trace_file = fopen(o.trace, "we");
		if (!dev->trace_file)
			die(o.trace, strerror(errno));
	}
	/* Signals arrive only while the loop waits, so that none is missed. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, &normal);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* The driver gives a ring test 0.1 s, and hardware is never busy. Without the right: as it is. */
	setpriority(PRIO_PROCESS, 0, -10);
	if (o.control)
		check(o.control, control_create(&control, o.control));
	check(o.socket, serve(dev, &vu, o.socket));
	event_loop(dev, vu, control, &normal);
	if (o.stats)
		write_stats(dev, o.stats);
	vfio_user_destroy(vu);
	if (control)
		control_destroy(control);
	vgpu_fini(dev);
	if (dev->trace_file)
		fclose(dev->trace_file);
	free(dev);
	free(pending);
	return 0;
}
