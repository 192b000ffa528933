// SPDX-License-Identifier: MIT
/* Workers, and the main thread's side of them. See engine.h for who owns what. */
#define _GNU_SOURCE
#include "engine.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../vgpu.h"

#define SLICE	       128u /* instructions of a wave between looks at who wants it to stop */
#define TURN	       32768u /* instructions of a group before others get the worker */
#define MSG_INTERRUPT  1u /* s_sendmsg */
#define MSG_SAVEWAVE   4u
#define MSG_DOORBELL   10u
#define MSG_ID(m)      ((m) & 0xf)
#define BARRIER_BYTES  4u
#define INT_PRIV       (1u << 13) /* SQ_INTERRUPT_WORD_WAVE_CTXID */
#define INT_ENCODING   (1u << 26)
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

/* ---- states of groups, under the lock ---- */

void group_ready(struct group *group)
{
	struct shader *shader = group->dispatch->shader;

	group->state = GROUP_READY;
	TAILQ_INSERT_TAIL(&shader->ready, group, ready);
	shader_news(shader);
}

static void unit_resume(struct unit *unit)
{
	struct wave *wave = &unit->wave;

	unit->answered = false;
	unit->state = UNIT_READY;
	if (unit->post != POST_VIOLATION && unit->post != POST_ILLEGAL)
		return;
	unit->post = POST_NONE;
	/* Within the handler there is no other that could help. */
	if (!(wave->status & STATUS_PRIV) && wave_trap(wave, 0, false))
		return;
	unit->state = UNIT_HALTED;
	wave->status |= STATUS_HALT;
	if (!(wave->trapsts & TRAPSTS_ILLEGAL))
		return;
	unit->group->dispatch->error = SHADER_ERROR_ILLEGAL;
	__atomic_store_n(&unit->group->dispatch->stop, SHADER_KILL, __ATOMIC_RELEASE);
	shader_notify(unit->group->dispatch->shader);
}

void unit_answer(struct unit *unit)
{
	struct group *group = unit->group;

	unit->answered = true;
	if (group->state == GROUP_BLOCKED)
		group_ready(group);
}

/* What came while the group was running or waiting. */
static bool take_answers(struct group *group)
{
	bool any = false;

	for (unsigned int i = 0; i < group->num_units; i++) {
		struct unit *unit = &group->units[i];

		if (unit->answered && unit->state == UNIT_WAITING) {
			unit_resume(unit);
			any |= unit->state == UNIT_READY;
		}
	}
	return any;
}

static void end_group(struct group *group)
{
	struct dispatch *dispatch = group->dispatch;

	for (unsigned int i = 0; i < group->num_units; i++)
		dispatch->shader->stats.instructions += group->units[i].wave.executed;
	group_free(group);
	if (dispatch_finished(dispatch))
		shader_notify(dispatch->shader);
}

static bool all_stopped(const struct group *group)
{
	for (unsigned int i = 0; i < group->num_units; i++) {
		if (group->units[i].state != UNIT_STOPPED && group->units[i].state != UNIT_ENDED)
			return false;
	}
	return true;
}

/* The end of a turn. */
static void settle(struct group *group)
{
	struct dispatch *dispatch = group->dispatch;
	struct shader *shader = dispatch->shader;
	int stop = dispatch->stop;
	bool ready = false;

	dispatch->num_running--;
	shader->num_running--;
	group->state = GROUP_BLOCKED;
	if (group->num_ended == group->num_units) {
		end_group(group);
	} else if (stop != SHADER_KILL) {
		take_answers(group);
		for (unsigned int i = 0; i < group->num_units; i++)
			ready |= group->units[i].state == UNIT_READY;
		if (ready)
			group_ready(group);
	}
	if (stop != SHADER_RUN) {
		shader_notify(shader);
		pthread_cond_broadcast(&shader->quiet);
	}
	/* There may be room for a group now. */
	shader_news(shader);
}

/* ---- a turn of a group, on its worker ---- */

static void release_barrier(struct group *group)
{
	if (!group->num_at_barrier || group->num_at_barrier + group->num_ended < group->num_units)
		return;
	for (unsigned int i = 0; i < group->num_units; i++) {
		if (group->units[i].state == UNIT_BARRIER)
			group->units[i].state = UNIT_READY;
	}
	group->num_at_barrier = 0;
}

static void post(struct unit *unit, enum post what)
{
	struct shader *shader = unit->worker->shader;

	unit->state = UNIT_WAITING;
	unit->post = what;
	pthread_mutex_lock(&shader->lock);
	unit->answered = false;
	TAILQ_INSERT_TAIL(&shader->posted, unit, entry);
	pthread_mutex_unlock(&shader->lock);
	shader_notify(shader);
}

static void message(struct unit *unit)
{
	struct wave *wave = &unit->wave;
	uint32_t m0 = wave->s[SGPR_M0];

	switch (MSG_ID(wave->message)) {
	case MSG_INTERRUPT:
		/* {context_id1[7:0], context_id0[31:28], context_id0[11:0]} are the data. */
		unit->data[0] = (m0 & 0xfff) | (m0 & 0xf000) << 16 | INT_ENCODING |
				(wave->status & STATUS_PRIV ? INT_PRIV : 0) |
				(wave->hw_id >> 12 & 1) << 12 | (wave->hw_id & 0xf) << 14 |
				(wave->hw_id >> 4 & 3) << 18 | (wave->hw_id >> 8 & 0xf) << 20 |
				(wave->hw_id >> 13 & 3) << 24;
		unit->data[1] = m0 >> 16 & 0xff;
		post(unit, POST_MESSAGE);
		break;
	case MSG_SAVEWAVE:
		/* The go-ahead: EXEC is where to save it, and whether it is the group's first. */
		wave_set_s64(wave, SGPR_EXEC, unit->save_va);
		break;
	case MSG_DOORBELL:
		wave_set_s64(wave, SGPR_EXEC,
			     unit->group->dispatch->q->doorbell / 8 & 0x3ff);
		break;
	default: /* of graphics */
		break;
	}
}

static void ended(struct unit *unit)
{
	unit->state = UNIT_ENDED;
	unit->group->num_ended++;
	release_barrier(unit->group);
}

static void handle(struct unit *unit, enum wave_event event)
{
	switch (event) {
	case WAVE_BUDGET:
	case WAVE_SLEEP:
		break;
	case WAVE_END:
	case WAVE_SAVED:
		ended(unit);
		break;
	case WAVE_BARRIER:
		unit->state = UNIT_BARRIER;
		unit->group->num_at_barrier++;
		release_barrier(unit->group);
		break;
	case WAVE_FAULT:
		if (unit->refused)
			unit->wave.trapsts |= TRAPSTS_MEM_VIOL;
		post(unit, unit->refused ? POST_VIOLATION : POST_FAULT);
		break;
	case WAVE_MESSAGE:
		message(unit);
		break;
	case WAVE_HALT:
		unit->state = UNIT_HALTED;
		break;
	case WAVE_ILLEGAL:
		unit->wave.trapsts |= TRAPSTS_ILLEGAL;
		post(unit, POST_ILLEGAL);
		break;
	}
}

/*
 * The wave is to be saved: it stops where it is, unless it is in the trap handler. One that waits at
 * a barrier arrives there again when it is back, as all of its group do.
 */
static void stop_unit(struct unit *unit)
{
	struct wave *wave = &unit->wave;

	if (unit->state == UNIT_ENDED || unit->state == UNIT_STOPPED)
		return;
	wave->trapsts |= TRAPSTS_SAVECTX;
	if (wave->status & STATUS_PRIV)
		return;
	if (unit->state == UNIT_BARRIER) {
		wave->pc -= BARRIER_BYTES;
		unit->group->num_at_barrier--;
	}
	unit->state = UNIT_STOPPED;
}

/* The decoded code of a VMID; cleared if anything about it changed. */
static struct code_cache *worker_code(struct worker *worker, uint8_t vmid)
{
	uint64_t epoch = __atomic_load_n(&worker->shader->code_epoch[vmid], __ATOMIC_SEQ_CST);

	if (worker->code[vmid] && worker->code_epoch[vmid] != epoch)
		code_cache_clear(worker->code[vmid]);
	worker->code_epoch[vmid] = epoch;
	return worker->code[vmid];
}

static void run_unit(struct worker *worker, struct unit *unit)
{
	enum wave_event event;

	worker_enter(worker);
	unit->wave.code = worker_code(worker, unit->group->dispatch->vmid);
	event = wave_run(&unit->wave, SLICE);
	worker_leave(worker);
	handle(unit, event);
}

/* False: the group is to be given up. */
static bool run_round(struct worker *worker, struct group *group, bool *progress)
{
	for (unsigned int i = 0; i < group->num_units; i++) {
		struct unit *unit = &group->units[i];
		int stop = __atomic_load_n(&group->dispatch->stop, __ATOMIC_ACQUIRE);

		if (stop == SHADER_KILL)
			return false;
		unit->worker = worker;
		if (stop == SHADER_SAVE && !group->saving)
			stop_unit(unit);
		if (unit->state != UNIT_READY)
			continue;
		*progress = true;
		run_unit(worker, unit);
	}
	return true;
}

static void run_turn(struct worker *worker, struct group *group)
{
	unsigned int rounds = TURN / SLICE / group->num_units;
	bool progress = true;

	while (rounds-- && progress) {
		progress = false;
		if (!run_round(worker, group, &progress))
			return;
	}
}

/* ---- what a worker does next, under the lock ---- */

/* Dispatches take turns in beginning groups. */
static struct group *launch(struct shader *shader)
{
	struct dispatch *dispatch;

	TAILQ_FOREACH(dispatch, &shader->dispatches, entry) {
		struct group *group = NULL;

		if (dispatch->stop != SHADER_RUN)
			continue;
		if (dispatch->stack_words)
			group = cwsr_restore(dispatch);
		else if (dispatch->next < dispatch->total)
			group = group_launch(dispatch);
		if (!group)
			continue;
		TAILQ_REMOVE(&shader->dispatches, dispatch, entry);
		TAILQ_INSERT_TAIL(&shader->dispatches, dispatch, entry);
		return group;
	}
	return NULL;
}

static struct group *take_ready(struct shader *shader)
{
	struct group *group = TAILQ_FIRST(&shader->ready);

	if (group)
		TAILQ_REMOVE(&shader->ready, group, ready);
	return group;
}

/* New groups and those that wait for another turn alternate, so that neither waits for the other. */
static struct group *next_group(struct worker *worker)
{
	struct shader *shader = worker->shader;
	struct group *group = worker->launched ? take_ready(shader) : NULL;

	worker->launched = false;
	if (!group) {
		group = launch(shader);
		worker->launched = group != NULL;
	}
	if (!group)
		group = take_ready(shader);
	if (!group)
		return NULL;
	group->state = GROUP_RUNNING;
	group->dispatch->num_running++;
	shader->num_running++;
	take_answers(group);
	return group;
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct shader *shader = worker->shader;

	/* The driver waits for the main thread, nobody for this one. */
	setpriority(PRIO_PROCESS, (id_t)gettid(), 0);
	pthread_mutex_lock(&shader->lock);
	while (!shader->quit) {
		struct group *group = next_group(worker);
		uint8_t vmid;

		if (!group) {
			shader->looked = shader->news;
			pthread_cond_wait(&shader->work, &shader->lock);
			continue;
		}
		pthread_mutex_unlock(&shader->lock);
		vmid = group->dispatch->vmid;
		if (!worker->code[vmid])
			worker->code[vmid] = code_cache_new();
		if (worker->code[vmid])
			run_turn(worker, group);
		pthread_mutex_lock(&shader->lock);
		settle(group);
	}
	pthread_mutex_unlock(&shader->lock);
	return NULL;
}

bool shader_start(struct shader *shader)
{
	sigset_t all, old;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (shader->num_workers < shader->num_threads) {
		struct worker *worker = aligned_alloc(64, (sizeof(*worker) + 63) & ~(size_t)63);

		if (!worker)
			break;
		*worker = (struct worker){ .shader = shader };
		if (pthread_create(&worker->thread, NULL, worker_main, worker)) {
			free(worker);
			break;
		}
		shader->workers[shader->num_workers++] = worker;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return shader->num_workers;
}

/* ---- the main thread ---- */

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
