// SPDX-License-Identifier: MIT
/*
 * A plugin of QEMU's emulator that counts the kernel instructions which the guest executes. Whenever
 * the guest executes MARK (see count.h), what was executed since the last one is written to a file, by
 * address: a line "mark", then lines with the address of a block of instructions, in hexadecimal, and
 * how many instructions of it were executed.
 *
 *   -plugin count.so,out=FILE
 *
 * A repeated string instruction counts once for each time that the emulator goes round. Debian does
 * not package the emulator's header, so that the part of it that is needed is declared here.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "count.h"

#define API_VERSION     7   /* of QEMU 11 */
#define EXPORT          __attribute__((visibility("default")))
#define KERNEL_BEGIN    0xffff800000000000ull
#define SLOTS           (1u << 18)
#define ADD_U64         0   /* enum qemu_plugin_op */
#define NO_REGISTERS    0   /* enum qemu_plugin_cb_flags */

struct qemu_info;
struct block;
struct instruction;
struct scoreboard;

struct counter {
	struct scoreboard *score;
	size_t offset;
};

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*translated)(struct block *, void *),
					   void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct instruction *instruction,
					    void (*executed)(unsigned int, void *), int flags,
					    void *data);
void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(struct block *block, int op,
						       struct counter counter, uint64_t value);
size_t qemu_plugin_tb_n_insns(const struct block *block);
uint64_t qemu_plugin_tb_vaddr(const struct block *block);
struct instruction *qemu_plugin_tb_get_insn(const struct block *block, size_t index);
size_t qemu_plugin_insn_data(const struct instruction *instruction, void *to, size_t bytes);
struct scoreboard *qemu_plugin_scoreboard_new(size_t bytes);
uint64_t qemu_plugin_u64_sum(struct counter counter);

EXPORT int qemu_plugin_version = API_VERSION;
EXPORT int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv);

static const uint8_t mark[] = { MARK_BYTES };
static struct scoreboard *score;
static uint64_t addresses[SLOTS]; /* 0: not used. Written under the lock, never changed again */
static uint64_t seen[SLOTS];      /* the counts at the last mark */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static FILE *out;

static struct counter counter_of(uint32_t slot)
{
	return (struct counter){ .score = score, .offset = slot * sizeof(uint64_t) };
}

/* Blocks of the same address share a slot. When all are used, the first one counts the rest. */
static uint32_t find_slot(uint64_t address)
{
	uint32_t slot = (uint32_t)((address * 0x9e3779b97f4a7c15ull) >> 46);

	for (uint32_t n = 0; n < SLOTS; n++, slot = (slot + 1) % SLOTS) {
		if (!addresses[slot])
			addresses[slot] = address;
		if (addresses[slot] == address)
			return slot;
	}
	return 0;
}

static void report(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	pthread_mutex_lock(&lock);
	fprintf(out, "mark\n");
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		uint64_t count = addresses[slot] ? qemu_plugin_u64_sum(counter_of(slot)) : 0;

		if (count != seen[slot])
			fprintf(out, "%" PRIx64 " %" PRIu64 "\n", addresses[slot],
				count - seen[slot]);
		seen[slot] = count;
	}
	fflush(out);
	pthread_mutex_unlock(&lock);
}

static void find_mark(const struct block *block)
{
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
		struct instruction *instruction = qemu_plugin_tb_get_insn(block, i);
		uint8_t data[sizeof(mark)];

		if (qemu_plugin_insn_data(instruction, data, sizeof(data)) == sizeof(data) &&
		    !memcmp(data, mark, sizeof(data)))
			qemu_plugin_register_vcpu_insn_exec_cb(instruction, report, NO_REGISTERS,
							       NULL);
	}
}

static void translated(struct block *block, void *data)
{
	uint64_t address = qemu_plugin_tb_vaddr(block);
	uint32_t slot;

	(void)data;
	if (address < KERNEL_BEGIN) {
		find_mark(block);
		return;
	}
	pthread_mutex_lock(&lock);
	slot = find_slot(address);
	pthread_mutex_unlock(&lock);
	qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(block, ADD_U64, counter_of(slot),
							  qemu_plugin_tb_n_insns(block));
}

int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fprintf(stderr, "count.so: out=FILE is wanted\n");
		return 1;
	}
	out = fopen(argv[0] + 4, "w");
	if (!out) {
		perror(argv[0] + 4);
		return 1;
	}
	score = qemu_plugin_scoreboard_new(SLOTS * sizeof(uint64_t));
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated, NULL);
	return 0;
}
