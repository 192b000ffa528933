/* SPDX-License-Identifier: GPL-2.0-only */
/* What the core asks of the glue to a GPU driver. There is one glue in the module. */
#ifndef GMMAP_BACKEND_H
#define GMMAP_BACKEND_H

#include <linux/types.h>

struct file;
struct gmmap_extents;
struct gmmap_map;
struct gmmap_mapping;
struct gmmap_process;

struct gmmap_backend {
	/** @init: Checks that the driver is the one that the glue was built for. May sleep. */
	int (*init)(void);
	void (*exit)(void);

	/**
	 * @attach: Attaches the process of a descriptor of the driver, or finds it attached.
	 * Returns it referenced or an ERR_PTR. May sleep.
	 */
	struct gmmap_process *(*attach)(struct file *file);

	/**
	 * @map: Makes a mapping LIVE. Returns it referenced or an ERR_PTR, then the extents are
	 * still the caller's. May sleep.
	 */
	struct gmmap_mapping *(*map)(struct gmmap_process *process, const struct gmmap_map *args,
				     struct gmmap_extents *extents);

	/** @visit: Calls @show with every attached process. May sleep. */
	void (*visit)(void (*show)(struct gmmap_process *process, void *data), void *data);

	/** @died: The address space is gone and no mapping is left. May sleep. */
	void (*died)(struct gmmap_process *process);

	/** @release: Frees a process that nobody refers to. May sleep. */
	void (*release)(struct gmmap_process *process);
};

extern const struct gmmap_backend gmmap_backend;

#endif
