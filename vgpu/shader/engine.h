/* SPDX-License-Identifier: MIT */
/*
 * The shader engine: from dispatches to groups of waves on host threads.
 *
 * Threads. The main thread owns the device: queues, registers, interrupts, the retry CAM. Workers
 * run waves. A group is run by one worker at a time, so its waves share LDS without races, and a
 * worker keeps a group for one turn.
 *
 * Locking. shader->lock guards all lists and the states of groups. Waves of a group belong to the
 * worker that runs it (GROUP_RUNNING) and to the holder of the lock otherwise. A worker never takes
 * the lock within an instruction. Fault pages (fault.c) are the main thread's alone; waves reach
 * them through shader->posted.
 *
 * Memory. A worker executes instructions inside of a section (worker_enter(), worker_leave()), and
 * host pointers are valid within one only. shader_pause() waits until nobody is in a section and
 * keeps all out, so that page tables' registers, ranges of memory and translations change while no
 * instruction is half done; an invalidation is acknowledged after it. Nothing else is locked for a
 * walk of the page tables: their entries are read as the driver writes them, whole.
 *
 * Waiting. Workers wait for shader->work. The main thread waits for workers only in shader_pause()
 * and for SHADER_KILL, both bounded by a slice of instructions; for everything else it is told by
 * an eventfd.
 */
#ifndef VGPU_SHADER_ENGINE_H
#define VGPU_SHADER_ENGINE_H

#include <pthread.h>
#include <sys/queue.h>

#include "../cam.h"
#include "../gmc.h"
#include "../shader.h"
#include "occupancy.h"
#include "wave.h"

#define SHADER_MAX_THREADS 64
#define WAVE_SGPRS	   112u /* allocated to each wave, so that VCC is where operands name it */
#define GROUP_MAX_WAVES	   16u

enum unit_state {
	UNIT_READY,
	UNIT_BARRIER,
	UNIT_WAITING, /* for the main thread's answer to what was posted */
	UNIT_HALTED,
	UNIT_STOPPED, /* on an instruction boundary, to be saved */
	UNIT_ENDED,
};

/* What a wave posts to the main thread. */
enum post {
	POST_NONE,
	POST_FAULT, /* retry fault at fault_va */
	POST_VIOLATION, /* no-retry fault there */
	POST_MESSAGE, /* interrupt */
	POST_ILLEGAL,
};

struct unit {
	struct wave wave;
	struct group *group;
	struct worker *worker; /* while its group is running */
	enum unit_state state;
	enum post post;
	bool answered; /* under the lock: the answer came */
	bool refused; /* the fault that the translation met must not be retried */
	unsigned int slot; /* of struct occupancy */
	int scratch_slot; /* of its dispatch; -1: none */
	uint64_t save_va; /* where the trap handler saves it or restores it from */
	uint64_t last_page, retry_ns; /* of its last fault, to ask less often if that did not help */
	uint32_t data[2]; /* of its message */
	struct fault *fault; /* that it waits for */
	TAILQ_ENTRY(unit) entry; /* of shader->posted or fault->units */
};

TAILQ_HEAD(unit_list, unit);

enum group_state { GROUP_READY, GROUP_RUNNING, GROUP_BLOCKED };

struct group {
	struct dispatch *dispatch;
	enum group_state state;
	TAILQ_ENTRY(group) entry; /* of dispatch->groups */
	TAILQ_ENTRY(group) ready; /* of shader->ready, if GROUP_READY */
	unsigned int num_units, num_ended, num_at_barrier;
	bool saving; /* its waves are in the trap handler to be saved */
	uint32_t lds_bytes;
	uint8_t *lds;
	void *registers;
	struct unit units[];
};

TAILQ_HEAD(group_list, group);

/* What waves of a dispatch start with: of its packet and kernel descriptor. */
struct kernel {
	uint64_t packet, queue, kernarg, dispatch_id;
	uint64_t code;
	uint32_t rsrc1, rsrc2, properties;
	uint32_t group_size[3], grid_size[3], groups[3];
	uint32_t vgprs, sgprs; /* of a wave */
	uint32_t lds_bytes; /* of a group */
	uint32_t private_bytes; /* of a lane */
	uint32_t scratch_waves, scratch_wave_bytes;
	uint64_t scratch_va;
	uint32_t scratch_descriptor[4];
	bool scratch_once;
	uint64_t tba, tma, shared_base, private_base;
	bool retry; /* faults are */
};

struct dispatch {
	struct shader *shader;
	struct queue *q;
	uint8_t vmid;
	struct kernel kernel;
	TAILQ_ENTRY(dispatch) entry; /* of shader->dispatches */
	struct group_list groups; /* in residence */
	unsigned int num_running; /* of them */
	uint64_t next, total; /* groups: the next one to begin */
	uint64_t *scratch; /* bitmap of slots in use */
	int stop; /* enum shader_stop; written under the lock, read without */
	bool saving; /* stopped waves are being saved */
	bool reported; /* an illegal instruction was */
	bool told; /* the queue knows that it is through */
	int error; /* enum shader_error of a wave that failed, 0: none */
	uint64_t start_clock, end_clock;
	/* Saved waves that are not back yet: control stack in the order it was pushed. */
	uint32_t *stack;
	size_t stack_words;
	struct shader_area area;
	uint32_t area_end;
};

TAILQ_HEAD(dispatch_list, dispatch);

/* A worker's translation cache: 4 KiB and 2 MiB pages, direct mapped. */
#define TRANSLATE_SMALL 1024u
#define TRANSLATE_LARGE 256u

struct translation {
	uint64_t tag; /* page number + 1, and VMID above; 0: empty */
	uint64_t generation;
	uint8_t *host;
	uint8_t access;
};

struct worker {
	struct shader *shader;
	pthread_t thread;
	uint64_t section; /* odd: in a section */
	bool launched; /* its last group was a new one */
	struct code_cache *code[GMC_NUM_VMIDS];
	uint64_t code_epoch[GMC_NUM_VMIDS];
	struct translation small[TRANSLATE_SMALL], large[TRANSLATE_LARGE];
	uint8_t nowhere[GMC_PAGE_BYTES] __attribute__((aligned(64))); /* reads and writes that go nowhere */
};

struct shader_stats {
	uint64_t dispatches, groups, waves;
	uint64_t instructions;
	uint64_t faults, violations, messages;
	uint64_t saved, restored;
	uint64_t parked, parked_max; /* waves that wait for a page */
	uint64_t resident_max;
};

struct shader {
	struct vgpu *dev;
	unsigned int num_threads, num_workers; /* wanted; running */
	struct worker *workers[SHADER_MAX_THREADS];
	int event_fd;

	pthread_mutex_t lock;
	pthread_cond_t work; /* for workers: something may be ready */
	pthread_cond_t quiet; /* for the main thread: a worker left its section or its group */
	bool quit;
	struct dispatch_list dispatches;
	struct group_list ready;
	unsigned int num_running;
	uint64_t news, looked; /* reasons to look for a group; how many there were when none was found */
	struct occupancy occupancy;
	struct unit_list posted;
	struct shader_stats stats;

	int paused; /* written under the lock, read without */
	/* These change within shader_pause() only. */
	uint64_t generation[GMC_NUM_VMIDS]; /* of translations */
	uint64_t code_epoch[GMC_NUM_VMIDS]; /* atomic */

	/* The main thread's: fault.c. */
	TAILQ_HEAD(, fault) asking; /* not in the CAM yet */
	LIST_HEAD(, fault) faults[256]; /* by page */
	unsigned int num_faults;
};

/* engine.c */
void shader_notify(struct shader *shader); /* the main thread is to poll */
void shader_news(struct shader *shader); /* under the lock: there may be work for a worker */
static inline struct unit *wave_unit(const struct wave *wave)
{
	return wave->context;
}

/* dispatch.c */
/* Under the lock: all groups are through, or one failed and the others are gone. */
bool dispatch_finished(const struct dispatch *dispatch);
void dispatch_free(struct dispatch *dispatch);

/* group.c; under the lock */
/* The next group of the dispatch, or NULL: there is no room for it now. */
struct group *group_launch(struct dispatch *dispatch);
/* Takes room for waves whose registers are set later. NULL: there is none. */
struct group *group_new(struct dispatch *dispatch, unsigned int num_units, uint32_t vgprs,
			uint32_t lds_bytes);
void group_free(struct group *group);
/* A given slot of the dispatch's scratch memory, or (-1) any. */
bool scratch_take(struct dispatch *dispatch, struct unit *unit, int slot);

/* translate.c */
extern const struct wave_memory shader_memory;

/* worker.c; main thread */
bool shader_start(struct shader *shader); /* the threads; false: there is none */
/* Under the lock: the group may go on. */
void group_ready(struct group *group);
/* Under the lock: the unit gets its answer. */
void unit_answer(struct unit *unit);

/* fault.c; main thread */
void fault_wait(struct shader *shader, struct unit *unit, uint64_t now_ns);
/* Asks the driver for what can be asked now; when to call again. */
uint64_t fault_poll(struct shader *shader, uint64_t now_ns);
void fault_forget(struct unit *unit);
void fault_reset(struct shader *shader);

/* cwsr.c; main thread, under the lock */
/* All waves are stopped: has the trap handler save them. False: there is no room for them. */
bool cwsr_save(struct dispatch *dispatch);
/* All are saved: writes the control stack. */
void cwsr_finish(struct dispatch *dispatch, struct shader_progress *progress);
void cwsr_load(struct dispatch *dispatch, const struct shader_progress *progress);
/* On workers, under the lock: the group on top of the control stack comes back. */
struct group *cwsr_restore(struct dispatch *dispatch);

#endif
