// SPDX-License-Identifier: MIT
/*
 * A vfio-user device with nothing behind it: the BARs of the vgpu, reads of zero. What a register
 * access costs here is the cost of QEMU and the protocol; the rest of what it costs with the vgpu
 * is ours. BAR 0 can be mapped as it can there, because QEMU stops posting writes to a device that
 * has such a region.
 *
 * Usage: empty_device SOCKET VENDOR:DEVICE, with an id that no driver binds to, like 1b36:0005.
 */
#define _GNU_SOURCE /* memfd_create */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "../pci.h"
#include "../vfio_user.h"

#define MEMORY_BYTES (256u << 20)

static struct pci_config pci;

static int empty_read(void *opaque, unsigned int region, uint64_t offset, void *data,
		      uint32_t bytes)
{
	(void)opaque;
	if (region == VFIO_PCI_CONFIG_REGION_INDEX)
		pci_config_read(&pci, offset, data, bytes);
	else
		memset(data, 0, bytes);
	return 0;
}

static int empty_write(void *opaque, unsigned int region, uint64_t offset, const void *data,
		       uint32_t bytes)
{
	(void)opaque;
	if (region == VFIO_PCI_CONFIG_REGION_INDEX)
		pci_config_write(&pci, offset, data, bytes);
	return 0;
}

static int empty_dma_map(void *opaque, uint64_t iova, uint64_t bytes, int fd, uint64_t fd_offset,
			 bool writable)
{
	(void)opaque;
	(void)iova;
	(void)bytes;
	(void)fd_offset;
	(void)writable;
	if (fd >= 0)
		close(fd);
	return 0;
}

static int empty_dma_unmap(void *opaque, uint64_t iova, uint64_t bytes)
{
	(void)opaque;
	(void)iova;
	(void)bytes;
	return 0;
}

static int empty_set_irq(void *opaque, unsigned int index, unsigned int vector, int eventfd)
{
	(void)opaque;
	(void)index;
	(void)vector;
	if (eventfd >= 0)
		close(eventfd);
	return 0;
}

static void empty_reset(void *opaque)
{
	(void)opaque;
}

static const struct vfio_user_ops ops = {
	.read = empty_read,
	.write = empty_write,
	.dma_map = empty_dma_map,
	.dma_unmap = empty_dma_unmap,
	.set_irq = empty_set_irq,
	.reset = empty_reset,
};

static struct vfio_user_config make_config(int memory_fd)
{
	struct vfio_user_config config = { .irq_count = { [VFIO_PCI_MSI_IRQ_INDEX] = 1 } };
	unsigned int i;

	for (i = 0; i < VFIO_USER_NUM_REGIONS; i++)
		config.regions[i].mmap_fd = -1;
	config.regions[VFIO_PCI_BAR0_REGION_INDEX].size = MEMORY_BYTES;
	config.regions[VFIO_PCI_BAR0_REGION_INDEX].mmap_fd = memory_fd;
	config.regions[VFIO_PCI_BAR2_REGION_INDEX].size = PCI_DOORBELL_BAR_BYTES;
	config.regions[VFIO_PCI_BAR5_REGION_INDEX].size = PCI_REGISTER_BAR_BYTES;
	config.regions[VFIO_PCI_CONFIG_REGION_INDEX].size = PCI_CONFIG_BYTES;
	return config;
}

static void make_pci(unsigned int vendor, unsigned int device)
{
	const uint16_t ids[2] = { vendor, device };

	pci_config_init(&pci, MEMORY_BYTES);
	memcpy(pci.space + PCI_VENDOR_ID, ids, sizeof(ids));
	memcpy(pci.space + PCI_SUBSYSTEM_VENDOR_ID, ids, sizeof(ids));
	memset(pci.writable + PCI_ROM_ADDRESS, 0, 4); /* no ROM */
}

static int serve(struct vfio_user *vu)
{
	int err;

	for (;;) {
		struct pollfd pfd = { .fd = vfio_user_poll_fd(vu), .events = POLLIN };

		if (poll(&pfd, 1, -1) < 0 && errno != EINTR)
			return -errno;
		err = vfio_user_dispatch(vu);
		if (err == -EPROTO)
			fprintf(stderr, "empty_device: client dropped\n");
		else if (err && err != -ECONNRESET)
			return err;
	}
}

int main(int argc, char **argv)
{
	unsigned int vendor, device;
	struct vfio_user_config config;
	struct vfio_user *vu;
	int memory_fd, err;

	if (argc != 3 || sscanf(argv[2], "%4x:%4x", &vendor, &device) != 2) {
		fprintf(stderr, "usage: empty_device SOCKET VENDOR:DEVICE\n");
		return 2;
	}
	memory_fd = memfd_create("empty_device", MFD_CLOEXEC);
	if (memory_fd < 0 || ftruncate(memory_fd, MEMORY_BYTES)) {
		perror("empty_device: memory");
		return 1;
	}
	make_pci(vendor, device);
	config = make_config(memory_fd);
	err = vfio_user_create(&vu, argv[1], &config, &ops, NULL);
	if (!err)
		err = serve(vu);
	fprintf(stderr, "empty_device: %s: %s\n", argv[1], strerror(-err));
	return 1;
}
