// SPDX-License-Identifier: MIT
#include "shader_wave.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VGPRS 256

static struct shader *shader_of(struct wave *wave)
{
	return wave->context;
}

static enum wave_span span(struct wave *wave, uint64_t va, unsigned int access, void **host,
			   uint64_t *bytes)
{
	struct shader *s = shader_of(wave);
	bool code = va - CODE_VA < CODE_BYTES;
	uint64_t offset = va - (code ? CODE_VA : DATA_VA);
	enum wave_span state;

	(void)access;
	s->spans++;
	if (!code && offset >= DATA_BYTES)
		return WAVE_REFUSED;
	state = code ? s->code_page[offset / PAGE_BYTES] : s->page[offset / PAGE_BYTES];
	*host = (code ? s->code : s->data) + offset;
	*bytes = PAGE_BYTES - offset % PAGE_BYTES;
	return state;
}

static uint64_t now(struct wave *wave, bool real)
{
	return real ? 1000 : wave->executed;
}

static const struct wave_memory memory = { .span = span, .time = now };

void shader_reset(struct shader *s)
{
	uint32_t(*v)[WAVE_LANES] = s->wave.v;
	uint8_t *lds = s->wave.lds;
	struct code_cache *code = s->wave.code;

	memset(v, 0, VGPRS * sizeof(*v));
	memset(lds, 0, LDS_BYTES);
	memset(s->data, 0, DATA_BYTES);
	memset(s->page, WAVE_PRESENT, sizeof(s->page));
	memset(s->code_page, WAVE_PRESENT, sizeof(s->code_page));
	s->wave = (struct wave){
		.v = v, .num_vgprs = VGPRS, .lds = lds, .lds_bytes = LDS_BYTES, .memory = &memory,
		.context = s, .code = code, .shared_base = SHARED_BASE,
		.private_base = PRIVATE_BASE, .mode = 0xf0 | MODE_DX10_CLAMP | MODE_IEEE,
	};
	wave_set_s64(&s->wave, SGPR_EXEC, UINT64_MAX);
}

struct shader *shader_new(void)
{
	struct shader *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->wave.v = aligned_alloc(64, VGPRS * sizeof(*s->wave.v));
	s->wave.lds = aligned_alloc(64, LDS_BYTES);
	s->data = aligned_alloc(64, DATA_BYTES);
	s->code = aligned_alloc(64, CODE_BYTES);
	s->wave.code = code_cache_new();
	assert_non_null(s->wave.v);
	assert_non_null(s->wave.lds);
	assert_non_null(s->data);
	assert_non_null(s->code);
	assert_non_null(s->wave.code);
	memset(s->code, 0, CODE_BYTES);
	shader_reset(s);
	return s;
}

void shader_free(struct shader *s)
{
	code_cache_free(s->wave.code);
	free(s->wave.v);
	free(s->wave.lds);
	free(s->data);
	free(s->code);
	free(s);
}

static const char *assembler(void)
{
	const char *name = getenv("LLVM_MC");

	return name ? name : "llvm-mc-19";
}

/* Runs the assembler on a file; its listing has the bytes of each instruction in a comment. */
static FILE *listing(const char *source)
{
	char command[256];
	FILE *out;

	snprintf(command, sizeof(command),
		 "%s -arch=amdgcn -mcpu=gfx906 -mattr=+xnack -show-encoding %s", assembler(),
		 source);
	out = popen(command, "r");
	assert_non_null(out);
	return out;
}

/* The bytes in "; encoding: [0x00,...]"; how many. */
static unsigned int parse_encoding(const char *line, uint8_t *bytes, unsigned int most)
{
	const char *at = strstr(line, "encoding: [");
	unsigned int count = 0;
	char *end;

	if (!at)
		return 0;
	for (at += strlen("encoding: ["); count < most; at = end + 1) {
		bytes[count++] = (uint8_t)strtoul(at, &end, 0);
		if (*end != ',')
			break;
	}
	return count;
}

static FILE *new_source(char *name)
{
	int fd;

	strcpy(name, "/tmp/shader-XXXXXX");
	fd = mkstemp(name);
	assert_true(fd >= 0);
	return fdopen(fd, "w");
}

void assemble_lines(const char *const *lines, unsigned int count, uint32_t (*dwords)[3],
		    unsigned int *sizes)
{
	char name[32], line[512];
	FILE *source = new_source(name), *out;
	unsigned int i = 0;

	for (unsigned int k = 0; k < count; k++)
		fprintf(source, "%s\n", lines[k]);
	fclose(source);
	out = listing(name);
	while (fgets(line, sizeof(line), out)) {
		uint8_t bytes[12];
		unsigned int n = parse_encoding(line, bytes, sizeof(bytes));

		if (!n)
			continue;
		assert_true(i < count);
		memcpy(dwords[i], bytes, n);
		sizes[i++] = n / 4;
	}
	assert_int_equal(pclose(out), 0);
	unlink(name);
	assert_int_equal(i, count);
}

void shader_assemble(struct shader *s, const char *text)
{
	char name[32], line[512];
	FILE *source = new_source(name), *out;
	uint32_t end = 0xbf810000;

	fprintf(source, "%s\n", text);
	fclose(source);
	s->code_bytes = 0;
	out = listing(name);
	while (fgets(line, sizeof(line), out)) {
		assert_true(s->code_bytes + 16 < CODE_BYTES);
		s->code_bytes += parse_encoding(line, s->code + s->code_bytes, 12);
	}
	assert_int_equal(pclose(out), 0);
	unlink(name);
	assert_int_not_equal(s->code_bytes, 0);
	memcpy(s->code + s->code_bytes, &end, 4);
	code_cache_clear(s->wave.code);
}

enum wave_event shader_run(struct shader *s)
{
	s->wave.pc = CODE_VA;
	return wave_run(&s->wave, 100000);
}

void shader_execute(struct shader *s, const char *text)
{
	enum wave_event event;

	shader_assemble(s, text);
	event = shader_run(s);
	if (event != WAVE_END)
		fail_msg("event %d at 0x%llx: %s, code %08x %08x", event,
			 (unsigned long long)s->wave.pc, s->wave.reason ? s->wave.reason : "",
			 s->wave.encoding[0], s->wave.encoding[1]);
}
