/* SPDX-License-Identifier: MIT */
/*
 * CRIU's interface to plugins, as much of it as is used here: the descriptor that CRIU looks up as
 * CR_PLUGIN_DESC, the numbers of hooks, and what CRIU exports to plugins (criu-plugin.h of CRIU 4.1
 * to 4.3). It is written down here because one binary serves all of these: their headers differ in
 * the number of hooks, and CRIU refuses a plugin that has more than it knows.
 */
#ifndef GMMAP_CRIU_ABI_H
#define GMMAP_CRIU_ABI_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

enum criu_hook {
	CRIU_HOOK_DUMP_EXT_FILE = 2,
	CRIU_HOOK_RESTORE_EXT_FILE = 3,
	CRIU_HOOK_HANDLE_DEVICE_VMA = 7,
	CRIU_HOOK_UPDATE_VMA_MAP = 8,
	CRIU_HOOK_RESUME_DEVICES_LATE = 9,
	CRIU_HOOKS = 12, /* of CRIU 4.1, the oldest one */
};

enum criu_stage {
	CRIU_STAGE_DUMP,
	CRIU_STAGE_PRE_DUMP,
	CRIU_STAGE_RESTORE,
};

#define CRIU_PLUGIN_VERSION 0x000200 /* 0.2.0, of CRIU 4.1; newer ones take it, too */

struct criu_plugin {
	const char *name;
	int (*init)(int stage);
	void (*exit)(int stage, int ret);
	unsigned int version;
	unsigned int max_hooks;
	void *hooks[CRIU_HOOKS];
};

extern struct criu_plugin CR_PLUGIN_DESC;

/* Public: the folder of the images. */
int criu_get_image_dir(void);

#endif
