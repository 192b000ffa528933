// SPDX-License-Identifier: MIT
/* The threads that run waves. See engine.h for who owns what. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine.h"
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

/* ---- sections ---- */

static void worker_enter(struct worker *worker)
{
	struct shader *shader = worker->shader;

	for (;;) {
		__atomic_fetch_add(&worker->section, 1, __ATOMIC_SEQ_CST);
		if (!__atomic_load_n(&shader->paused, __ATOMIC_SEQ_CST))
			return;
		__atomic_fetch_add(&worker->section, 1, __ATOMIC_SEQ_CST);
		pthread_mutex_lock(&shader->lock);
		pthread_cond_broadcast(&shader->quiet);
		while (shader->paused)
			pthread_cond_wait(&shader->work, &shader->lock);
		pthread_mutex_unlock(&shader->lock);
	}
}

static void worker_leave(struct worker *worker)
{
	struct shader *shader = worker->shader;

	__atomic_fetch_add(&worker->section, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&shader->paused, __ATOMIC_SEQ_CST))
		return;
	pthread_mutex_lock(&shader->lock);
	pthread_cond_broadcast(&shader->quiet);
	pthread_mutex_unlock(&shader->lock);
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
		for (unsigned int i = 0; i < group->num_units; i++) {
			if (stop == SHADER_SAVE && !group->saving)
				stop_unit(&group->units[i]);
			ready |= group->units[i].state == UNIT_READY;
		}
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
