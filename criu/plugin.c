// SPDX-License-Identifier: MIT
/*
 * A plugin of CRIU for processes that use AMD GPUs by KFD. Documentation/criu.md says which version of
 * CRIU calls what, when and in which process.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "abi.h"
#include "image.h"
#include "kfd.h"
#include "log.h"
#include "restore.h"
#include "topology.h"

#define NAME            "gmmap_plugin"
#define DRM_MAJOR       226
#define FIRST_RENDER    128
#define KILL_LIMIT_MS   30000

/* CRIU's, since 4.1, to write down and ask for which plugins an image needs. */
int add_inventory_plugin(const char *name) __attribute__((weak));
bool check_and_remove_inventory_plugin(const char *name, size_t bytes) __attribute__((weak));

static struct {
	bool retry_argument; /* RESTORE_EXT_FILE has one */
	bool in_inventory;
	bool not_ours; /* the image was made without this plugin */
} host;

static int init(int stage)
{
	host.not_ours = stage == CRIU_STAGE_RESTORE && check_and_remove_inventory_plugin &&
			!check_and_remove_inventory_plugin(NAME, strlen(NAME));
	return 0;
}

static void finish(int stage, int ret)
{
	(void)ret;
	if (stage == CRIU_STAGE_DUMP)
		kfd_dump_finish();
}

struct criu_plugin CR_PLUGIN_DESC __attribute__((visibility("default"))) = {
	.name = NAME,
	.init = init,
	.exit = finish,
	.version = CRIU_PLUGIN_VERSION,
	.max_hooks = CRIU_HOOKS,
};

static int need_plugin(void)
{
	if (host.in_inventory || !add_inventory_plugin)
		return 0;
	if (add_inventory_plugin(NAME))
		return log_error("the inventory cannot be changed");
	host.in_inventory = true;
	return 0;
}

static bool is_kfd(const struct stat *st)
{
	struct stat kfd;

	return S_ISCHR(st->st_mode) && !stat("/dev/kfd", &kfd) && kfd.st_rdev == st->st_rdev;
}

/* NULL: not a render node of a GPU that KFD has. */
static const struct gpu *find_render_node(const struct stat *st, struct topology *topology)
{
	if (!S_ISCHR(st->st_mode) || major(st->st_rdev) != DRM_MAJOR ||
	    minor(st->st_rdev) < FIRST_RENDER || topology_read(topology))
		return NULL;
	for (unsigned int i = 0; i < topology->count; i++)
		if (topology->gpus[i].render_minor == minor(st->st_rdev))
			return &topology->gpus[i];
	return NULL;
}

static int handle_device_vma(int fd, const struct stat *st)
{
	struct topology topology;

	(void)fd;
	if (!is_kfd(st) && !find_render_node(st, &topology))
		return -ENOTSUP;
	return need_plugin();
}

static int dump_render(const struct gpu *gpu, int id)
{
	struct gpu copy = *gpu;
	struct image image = {
		.head = { .magic = IMAGE_MAGIC,
			  .version = IMAGE_VERSION,
			  .kind = IMAGE_RENDER,
			  .gpu_count = 1 },
		.gpus = &copy,
	};

	return image_write(criu_get_image_dir(), id, &image);
}

static int dump_ext_file(int fd, int id)
{
	struct topology topology;
	const struct gpu *gpu;
	struct stat st;

	if (fstat(fd, &st))
		return log_error("file %d: %s", id, strerror(errno));
	if (is_kfd(&st)) {
		if (kfd_check_version())
			return log_error("this kernel's KFD cannot checkpoint processes");
		return need_plugin() ?: kfd_dump(fd, id, criu_get_image_dir());
	}
	gpu = find_render_node(&st, &topology);
	if (!gpu)
		return -ENOTSUP;
	return need_plugin() ?: dump_render(gpu, id);
}

static int restore_ext_file(int id, bool *retry)
{
	if (host.not_ours)
		return -ENOTSUP;
	if (host.retry_argument)
		*retry = false;
	return restore_file(id, criu_get_image_dir());
}

static int update_vma_map(const char *path, uint64_t address, uint64_t old_offset,
			  uint64_t *new_offset, int *fd)
{
	return host.not_ours ? -ENOTSUP :
			       restore_mapping(path, address, old_offset, new_offset, fd);
}

/*
 * CRIU up to 4.2 ignores what this hook returns and would report success. It does not ignore that it
 * cannot detach from a task that is dead, and then kills all others.
 */
static void kill_task(pid_t pid)
{
	struct pollfd end = { .events = POLLIN };

	end.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	kill(pid, SIGKILL);
	if (end.fd < 0)
		return;
	if (poll(&end, 1, KILL_LIMIT_MS) <= 0)
		log_error("process %d does not die", pid);
	close(end.fd);
}

static int resume_devices_late(int pid)
{
	int ret;

	if (host.not_ours)
		return -ENOTSUP;
	ret = restore_resume(pid);
	if (ret == -1)
		kill_task(pid);
	return ret;
}

/*
 * Before CRIU looks at the descriptor. Which interface it has follows from how many hooks its table
 * has room for: a list head, and one for each hook.
 */
static void __attribute__((constructor)) adapt(void)
{
	const ElfW(Sym) *symbol = NULL;
	void *table = dlsym(RTLD_DEFAULT, "cr_plugin_ctl");
	unsigned int hooks = CRIU_HOOKS;
	Dl_info info;

	if (table && dladdr1(table, &info, (void **)&symbol, RTLD_DL_SYMENT) && symbol)
		hooks = (unsigned int)(symbol->st_size / (2 * sizeof(void *))) - 1;
	host.retry_argument = hooks >= 15;
	CR_PLUGIN_DESC.hooks[CRIU_HOOK_HANDLE_DEVICE_VMA] = (void *)handle_device_vma;
	CR_PLUGIN_DESC.hooks[CRIU_HOOK_DUMP_EXT_FILE] = (void *)dump_ext_file;
	CR_PLUGIN_DESC.hooks[CRIU_HOOK_RESTORE_EXT_FILE] = (void *)restore_ext_file;
	CR_PLUGIN_DESC.hooks[CRIU_HOOK_UPDATE_VMA_MAP] = (void *)update_vma_map;
	CR_PLUGIN_DESC.hooks[CRIU_HOOK_RESUME_DEVICES_LATE] = (void *)resume_devices_late;
}
