// SPDX-License-Identifier: MIT
/* The main thread's side of the shader engine. See engine.h for who owns what. */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../vgpu.h"

#define IH_CLIENT_SE0  0x0a
#define IH_SRC_SQ_MSG  239

void shader_notify(struct shader *shader)
{
	static const uint64_t one = 1;

	/* It fails only if it is readable anyway. */
	if (write(shader->event_fd, &one, sizeof(one)) < 0)
		return;
}

void shader_news(struct shader *shader)
{
	shader->news++;
	pthread_cond_signal(&shader->work);
}

int shader_init(struct vgpu *dev, unsigned int threads)
{
	struct shader *shader = calloc(1, sizeof(*shader));
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (!shader)
		return -ENOMEM;
	shader->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (shader->event_fd < 0) {
		free(shader);
		return -errno;
	}
	if (!threads)
		threads = processors > 1 ? (unsigned int)processors - 1 : 1;
	shader->dev = dev;
	shader->num_threads = threads < SHADER_MAX_THREADS ? threads : SHADER_MAX_THREADS;
	pthread_mutex_init(&shader->lock, NULL);
	pthread_cond_init(&shader->work, NULL);
	pthread_cond_init(&shader->quiet, NULL);
	TAILQ_INIT(&shader->dispatches);
	TAILQ_INIT(&shader->ready);
	TAILQ_INIT(&shader->posted);
	TAILQ_INIT(&shader->asking);
	dev->shader = shader;
	return 0;
}

static void stop_workers(struct shader *shader)
{
	pthread_mutex_lock(&shader->lock);
	shader->quit = true;
	pthread_cond_broadcast(&shader->work);
	pthread_mutex_unlock(&shader->lock);
	for (unsigned int i = 0; i < shader->num_workers; i++) {
		struct worker *worker = shader->workers[i];

		pthread_join(worker->thread, NULL);
		for (unsigned int vmid = 0; vmid < GMC_NUM_VMIDS; vmid++)
			code_cache_free(worker->code[vmid]);
		free(worker);
	}
}

void shader_fini(struct vgpu *dev)
{
	struct shader *shader = dev->shader;

	shader_reset(dev);
	stop_workers(shader);
	pthread_cond_destroy(&shader->quiet);
	pthread_cond_destroy(&shader->work);
	pthread_mutex_destroy(&shader->lock);
	close(shader->event_fd);
	free(shader);
	dev->shader = NULL;
}

void shader_pause(struct vgpu *dev)
{
	struct shader *shader = dev->shader;

	pthread_mutex_lock(&shader->lock);
	__atomic_store_n(&shader->paused, 1, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < shader->num_workers; i++) {
		while (__atomic_load_n(&shader->workers[i]->section, __ATOMIC_SEQ_CST) & 1)
			pthread_cond_wait(&shader->quiet, &shader->lock);
	}
	pthread_mutex_unlock(&shader->lock);
}

void shader_continue(struct vgpu *dev, uint32_t vmid_mask)
{
	struct shader *shader = dev->shader;

	for (unsigned int vmid = 0; vmid < GMC_NUM_VMIDS; vmid++) {
		if (vmid_mask & 1u << vmid) {
			shader->generation[vmid]++;
			__atomic_fetch_add(&shader->code_epoch[vmid], 1, __ATOMIC_SEQ_CST);
		}
	}
	pthread_mutex_lock(&shader->lock);
	__atomic_store_n(&shader->paused, 0, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&shader->work);
	pthread_mutex_unlock(&shader->lock);
}

void shader_code_changed(struct vgpu *dev, uint8_t vmid)
{
	__atomic_fetch_add(&dev->shader->code_epoch[vmid], 1, __ATOMIC_SEQ_CST);
}

/* Under the lock: the group is gone wherever it was waiting. */
static void forget_group(struct group *group)
{
	struct shader *shader = group->dispatch->shader;
	struct unit *unit, *next;

	if (group->state == GROUP_READY)
		TAILQ_REMOVE(&shader->ready, group, ready);
	group->state = GROUP_BLOCKED;
	for (unit = TAILQ_FIRST(&shader->posted); unit; unit = next) {
		next = TAILQ_NEXT(unit, entry);
		if (unit->group == group)
			TAILQ_REMOVE(&shader->posted, unit, entry);
	}
	for (unsigned int i = 0; i < group->num_units; i++)
		fault_forget(&group->units[i]);
}

/* Under the lock: frees what no worker has; true if that is all. */
static bool kill_groups(struct dispatch *dispatch)
{
	struct group *group, *next;

	for (group = TAILQ_FIRST(&dispatch->groups); group; group = next) {
		next = TAILQ_NEXT(group, entry);
		if (group->state == GROUP_RUNNING)
			continue;
		forget_group(group);
		group_free(group);
	}
	dispatch->stack_words = 0;
	return !dispatch->num_running;
}

static void kill_dispatch(struct dispatch *dispatch)
{
	struct shader *shader = dispatch->shader;

	pthread_mutex_lock(&shader->lock);
	__atomic_store_n(&dispatch->stop, SHADER_KILL, __ATOMIC_RELEASE);
	while (!kill_groups(dispatch))
		pthread_cond_wait(&shader->quiet, &shader->lock);
	shader_news(shader);
	pthread_mutex_unlock(&shader->lock);
}

void shader_reset(struct vgpu *dev)
{
	struct shader *shader = dev->shader;

	if (!shader)
		return;
	while (!TAILQ_EMPTY(&shader->dispatches)) {
		struct dispatch *dispatch = TAILQ_FIRST(&shader->dispatches);

		kill_dispatch(dispatch);
		shader_release(dispatch->q);
	}
	fault_reset(shader);
}

/* Under the lock: waves that wait stop too. */
static void begin_save(struct dispatch *dispatch)
{
	struct group *group;

	__atomic_store_n(&dispatch->stop, SHADER_SAVE, __ATOMIC_RELEASE);
	TAILQ_FOREACH(group, &dispatch->groups, entry) {
		if (group->state == GROUP_BLOCKED)
			group_ready(group);
	}
}

static bool all_stopped(const struct group *group)
{
	for (unsigned int i = 0; i < group->num_units; i++) {
		if (group->units[i].state != UNIT_STOPPED && group->units[i].state != UNIT_ENDED)
			return false;
	}
	return true;
}

static bool groups_stopped(const struct dispatch *dispatch)
{
	const struct group *group;

	if (dispatch->num_running)
		return false;
	TAILQ_FOREACH(group, &dispatch->groups, entry) {
		if (!all_stopped(group))
			return false;
	}
	return true;
}

/* Under the lock. All waves are on an instruction boundary: the trap handler's part begins. */
static bool begin_handler(struct dispatch *dispatch)
{
	struct group *group, *next;

	for (group = TAILQ_FIRST(&dispatch->groups); group; group = next) {
		next = TAILQ_NEXT(group, entry);
		forget_group(group);
		if (group->num_ended == group->num_units)
			group_free(group);
	}
	if (!cwsr_save(dispatch))
		return false;
	dispatch->saving = true;
	TAILQ_FOREACH(group, &dispatch->groups, entry) {
		group->saving = true;
		for (unsigned int i = 0; i < group->num_units; i++) {
			struct unit *unit = &group->units[i];

			if (unit->state == UNIT_ENDED)
				continue;
			wave_trap(&unit->wave, 0, false);
			unit->state = UNIT_READY;
		}
		group_ready(group);
	}
	return true;
}

/* Under the lock: the next step of saving; true when all is in memory. */
static bool save_step(struct dispatch *dispatch)
{
	if (dispatch->stop != SHADER_SAVE)
		begin_save(dispatch);
	if (!dispatch->saving) {
		if (!groups_stopped(dispatch))
			return false;
		if (!begin_handler(dispatch)) {
			error(dispatch->shader->dev, "%s: no room to save its waves: they are lost",
			      dispatch->q->name);
			kill_groups(dispatch);
		}
	}
	return TAILQ_EMPTY(&dispatch->groups);
}

static void get_progress(struct dispatch *dispatch, struct shader_progress *progress)
{
	const struct kernel *k = &dispatch->kernel;
	uint64_t next = dispatch->next;

	*progress = (struct shader_progress){
		.active = !dispatch->error,
		.start_clock = dispatch->start_clock,
	};
	for (unsigned int i = 0; i < 2; i++) {
		progress->group[i] = (uint32_t)(next % k->groups[i]);
		next /= k->groups[i];
	}
	progress->group[2] = (uint32_t)next;
}

/* Waves that were saved and are not back yet cannot be drained. */
static bool drained(struct dispatch *dispatch)
{
	if (dispatch->stop == SHADER_RUN && !dispatch->stack_words)
		dispatch->stop = SHADER_DRAIN;
	return TAILQ_EMPTY(&dispatch->groups) && !dispatch->stack_words;
}

bool shader_stop(struct queue *q, enum shader_stop how, const struct shader_area *area,
		 struct shader_progress *progress)
{
	struct dispatch *dispatch = q->dispatch;
	bool done;

	*progress = (struct shader_progress){ 0 };
	if (!dispatch)
		return true;
	if (how == SHADER_KILL) {
		kill_dispatch(dispatch);
		shader_release(q);
		return true;
	}
	pthread_mutex_lock(&dispatch->shader->lock);
	if (how == SHADER_SAVE && dispatch->kernel.tba && area->bytes && !dispatch->error) {
		dispatch->area = *area;
		done = save_step(dispatch);
	} else {
		done = drained(dispatch);
	}
	pthread_mutex_unlock(&dispatch->shader->lock);
	if (!done)
		return false;
	get_progress(dispatch, progress);
	cwsr_finish(dispatch, progress);
	shader_release(q);
	return true;
}

static void raise_message(struct shader *shader, const struct unit *unit)
{
	uint8_t vmid = unit->group->dispatch->vmid;
	struct iv iv = {
		.client = (uint8_t)(IH_CLIENT_SE0 + (unit->data[0] >> 24 & 3)),
		.src = IH_SRC_SQ_MSG,
		.vmid = vmid,
		.pasid = gmc_pasid(shader->dev, &shader->dev->hubs[HUB_GFX], vmid),
		.data = { unit->data[0], unit->data[1] },
	};

	ih_raise(shader->dev, &iv);
}

static void report_illegal(struct shader *shader, const struct unit *unit)
{
	struct dispatch *dispatch = unit->group->dispatch;
	const struct wave *wave = &unit->wave;

	/* Others of the dispatch meet it too. */
	if (dispatch->reported)
		return;
	dispatch->reported = true;
	error(shader->dev, "%s: illegal instruction 0x%08x 0x%08x 0x%08x at 0x%llx: %s",
	      dispatch->q->name, wave->encoding[0], wave->encoding[1],
	      wave->encoding[2], (unsigned long long)wave->pc, wave->reason);
}

static void answer(struct shader *shader, struct unit *unit, uint64_t now_ns)
{
	struct vgpu *dev = shader->dev;

	switch (unit->post) {
	case POST_FAULT:
		fault_wait(shader, unit, now_ns);
		return;
	case POST_VIOLATION:
		shader->stats.violations++;
		gmc_report_fault(dev, &dev->hubs[HUB_GFX], unit->group->dispatch->vmid,
				 unit->wave.fault_va, unit->wave.fault_access);
		break;
	case POST_MESSAGE:
		shader->stats.messages++;
		raise_message(shader, unit);
		break;
	case POST_ILLEGAL:
		report_illegal(shader, unit);
		break;
	case POST_NONE:
		break;
	}
	unit_answer(unit);
}

/* Under the lock. */
static void poll_dispatch(struct dispatch *dispatch)
{
	if (dispatch->error)
		kill_groups(dispatch);
	/* One that is being stopped is looked at by whoever stops it. */
	if (dispatch->told || dispatch->stop == SHADER_SAVE || dispatch->stop == SHADER_DRAIN ||
	    !dispatch_finished(dispatch))
		return;
	dispatch->told = true;
	dispatch->end_clock = gpu_clock(dispatch->shader->dev);
	queue_wake(dispatch->q);
}

uint64_t shader_poll(struct vgpu *dev, uint64_t now_ns)
{
	struct shader *shader = dev->shader;
	struct dispatch *dispatch;
	struct unit *unit;
	uint64_t count;

	/* Nothing to read is no error. */
	if (read(shader->event_fd, &count, sizeof(count)) < 0)
		count = 0;
	pthread_mutex_lock(&shader->lock);
	while (ih_has_room(dev) && (unit = TAILQ_FIRST(&shader->posted))) {
		TAILQ_REMOVE(&shader->posted, unit, entry);
		answer(shader, unit, now_ns);
	}
	TAILQ_FOREACH(dispatch, &shader->dispatches, entry)
		poll_dispatch(dispatch);
	pthread_mutex_unlock(&shader->lock);
	return fault_poll(shader, now_ns);
}

int shader_fd(const struct vgpu *dev)
{
	return dev->shader->event_fd;
}

bool shader_busy(struct vgpu *dev)
{
	struct shader *shader = dev->shader;
	bool busy;

	pthread_mutex_lock(&shader->lock);
	busy = shader->num_running || shader->looked != shader->news ||
	       !TAILQ_EMPTY(&shader->posted);
	pthread_mutex_unlock(&shader->lock);
	return busy;
}

void shader_print_stats(struct vgpu *dev, FILE *out)
{
	struct shader *shader = dev->shader;
	struct shader_stats s;
	unsigned int resident;

	pthread_mutex_lock(&shader->lock);
	s = shader->stats;
	resident = shader->occupancy.waves;
	pthread_mutex_unlock(&shader->lock);
	fprintf(out,
		"\"threads\":%u,\"dispatches\":%llu,\"groups\":%llu,\"waves\":%llu,"
		"\"instructions\":%llu,\"resident\":%u,\"resident_max\":%llu,\"faults\":%llu,"
		"\"parked\":%llu,\"parked_max\":%llu,\"violations\":%llu,\"messages\":%llu,"
		"\"saved\":%llu,\"restored\":%llu",
		shader->num_threads, (unsigned long long)s.dispatches,
		(unsigned long long)s.groups, (unsigned long long)s.waves,
		(unsigned long long)s.instructions, resident,
		(unsigned long long)s.resident_max, (unsigned long long)s.faults,
		(unsigned long long)s.parked, (unsigned long long)s.parked_max,
		(unsigned long long)s.violations, (unsigned long long)s.messages,
		(unsigned long long)s.saved, (unsigned long long)s.restored);
}
