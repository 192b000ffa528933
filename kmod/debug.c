// SPDX-License-Identifier: GPL-2.0-only
/* Documentation/uapi.md explains the columns of /sys/kernel/debug/gmmap/mappings. */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "backend.h"
#include "client.h"
#include "debug.h"
#include "gpu.h"
#include "mapping.h"
#include "process.h"

static struct dentry *folder;

static const char *name_of(enum gmmap_life life)
{
	static const char *const names[] = {
		[GMMAP_NEW] = "new",
		[GMMAP_LIVE] = "live",
		[GMMAP_ENDING] = "ending",
		[GMMAP_ENDED] = "ended",
	};

	return names[life];
}

static void show_mapping(struct seq_file *m, struct gmmap_mapping *mapping)
{
	struct gmmap_stat_counters stat;
	u32 absent, failed, loads;
	enum gmmap_life life;

	spin_lock_irq(&mapping->gpu->lock);
	stat = mapping->stat;
	absent = mapping->absent;
	failed = mapping->failed;
	loads = mapping->loads;
	life = mapping->life;
	spin_unlock_irq(&mapping->gpu->lock);
	seq_printf(m, "%d %llu %u %s %llu %u %u %u %u", mapping->process->pid, mapping->id,
		   mapping->client->gpu_id, name_of(life), mapping->bytes, mapping->granules,
		   absent, failed, loads);
	seq_printf(m, " %llu %llu %llu %llu %llu %llu %llu %llu %llu\n", stat.faults,
		   stat.acknowledged, stat.refused, stat.loaded, stat.around, stat.populated,
		   stat.file_bytes, stat.zero_bytes, stat.stall_ns);
}

static void show_process(struct gmmap_process *process, void *data)
{
	struct gmmap_mapping *mapping;
	unsigned long id;

	mutex_lock(&process->lock);
	xa_for_each(&process->mappings, id, mapping)
		show_mapping(data, mapping);
	mutex_unlock(&process->lock);
}

static int mappings_show(struct seq_file *m, void *v)
{
	seq_puts(m, "pid mapping gpu_id life bytes granules absent failed loads");
	seq_puts(m, " faults acknowledged refused loaded around populated");
	seq_puts(m, " file_bytes zero_bytes stall_ns\n");
	gmmap_backend.visit(show_process, m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(mappings);

void gmmap_debug_init(void)
{
	folder = debugfs_create_dir("gmmap", NULL);
	debugfs_create_file("mappings", 0400, folder, NULL, &mappings_fops);
}

void gmmap_debug_exit(void)
{
	debugfs_remove(folder);
}
