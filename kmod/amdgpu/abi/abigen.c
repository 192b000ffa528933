// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes the header through which kmod/amdgpu/ reaches a given amdgpu.ko.
 *
 * amdgpu exports no symbols and no headers, and its structures differ between builds. Its BTF knows
 * them exactly. The specification lists every function and field that the module uses, with the
 * type that its code was written for; this program looks each up, refuses if a type is different,
 * and prints accessors that contain the offsets.
 *
 *   abigen BASE-BTF MODULE-BTF SPECIFICATION
 *
 * BASE-BTF and MODULE-BTF are ELF or raw BTF files. Lines of the specification:
 *
 *   func NAME RETURN (ARGUMENT, ...)        the function must have this type; it is declared, and an
 *                                           element of enum amdgpu_function, AMDGPU_ABI_NAMES and
 *                                           AMDGPU_ABI_FUNCTIONS(X)
 *   func NAME RETURN (ARGUMENT, ...) : F    or this one, then AMDGPU_ABI_F is defined as 1
 *   field STRUCT PATH TYPE                  the field must have this type; STRUCT__PATH() gives its
 *                                           address, AMDGPU_ABI_OFFSET_STRUCT__PATH its offset
 *   field STRUCT PATH TYPE : F              or this one, then AMDGPU_ABI_F is defined as 1; a field
 *                                           that has only such lines may be missing
 *   size STRUCT                             AMDGPU_ABI_SIZEOF_STRUCT is defined
 *   value ENUMERATOR                        AMDGPU_ABI_VALUE_ENUMERATOR is defined
 *
 * Types are written without qualifiers and typedefs, integers as u8 to u64, s8 to s64 and bool,
 * an enumeration as an integer of its size, an array of any length as TYPE[];
 * AMDGPU_ABI_COUNT_STRUCT__PATH is its length. If BTF has several copies of a structure or
 * function, all must agree.
 */
#include <bpf/btf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINES 256
#define MAX_TEXT  1024

struct line {
	char keyword[8];
	char subject[64]; /* function or structure */
	char path[64];    /* of a field */
	char type[MAX_TEXT];
	char feature[64];
	unsigned int number;
};

static struct line lines[MAX_LINES];
static unsigned int line_count;
static const char *spec_name;
static struct btf *btf;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "abigen: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

static const char *name_of(const struct btf_type *type)
{
	return btf__name_by_offset(btf, type->name_off);
}

static const struct btf_type *type_by_id(unsigned int id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	if (!type)
		die("BTF has no type %u", id);
	return type;
}

/* The id of the type behind typedefs and qualifiers. */
static unsigned int bare(unsigned int id)
{
	const struct btf_type *type = type_by_id(id);

	while (id && (btf_is_mod(type) || btf_is_typedef(type) || btf_is_type_tag(type))) {
		id = type->type;
		type = type_by_id(id);
	}
	return id;
}

__attribute__((format(printf, 2, 3))) static void append(char *text, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text + used, MAX_TEXT - used, format, args);
	va_end(args);
	if (n < 0 || used + (size_t)n >= MAX_TEXT)
		die("a type's name is longer than %d", MAX_TEXT);
}

static void append_type(char *text, unsigned int id)
{
	const struct btf_type *type;

	id = bare(id);
	type = type_by_id(id);
	if (!id) {
		append(text, "void");
	} else if (btf_is_ptr(type)) {
		append_type(text, type->type);
		append(text, text[strlen(text) - 1] == '*' ? "*" : " *");
	} else if (btf_is_int(type)) {
		if (btf_int_encoding(type) & BTF_INT_BOOL)
			append(text, "bool");
		else
			append(text, "%c%u", btf_int_encoding(type) & BTF_INT_SIGNED ? 's' : 'u',
			       type->size * 8);
	} else if (btf_is_array(type)) {
		append_type(text, btf_array(type)->type);
		append(text, "[%u]", btf_array(type)->nelems);
	} else if (btf_is_any_enum(type)) {
		append(text, "u%u", type->size * 8);
	} else if (btf_is_union(type)) {
		append(text, "union %s", name_of(type));
	} else if (btf_is_struct(type) || btf_is_fwd(type)) {
		append(text, "struct %s", name_of(type));
	} else if (btf_is_func_proto(type)) {
		append(text, "function");
	} else {
		die("type %u is of kind %u", id, btf_kind(type));
	}
}

static void append_prototype(char *text, unsigned int id)
{
	const struct btf_type *proto = type_by_id(id);
	const struct btf_param *params = btf_params(proto);

	append_type(text, proto->type);
	append(text, " (");
	for (unsigned int i = 0; i < btf_vlen(proto); i++) {
		if (i)
			append(text, ", ");
		append_type(text, params[i].type);
	}
	append(text, ")");
}

/* Finds a member by name, also in anonymous structures, and adds its offset. */
static bool find_member(unsigned int id, const char *name, size_t length, unsigned int *member_id,
			unsigned int *bits)
{
	const struct btf_type *type = type_by_id(bare(id));

	if (!btf_is_composite(type))
		return false;
	for (unsigned int i = 0; i < btf_vlen(type); i++) {
		const struct btf_member *member = &btf_members(type)[i];
		const char *member_name = btf__name_by_offset(btf, member->name_off);
		unsigned int inner = 0;

		if (btf_member_bitfield_size(type, i))
			continue;
		if (strlen(member_name) == length && !memcmp(member_name, name, length)) {
			*member_id = member->type;
			*bits += btf_member_bit_offset(type, i);
			return true;
		}
		if (!*member_name && find_member(member->type, name, length, member_id, &inner)) {
			*bits += btf_member_bit_offset(type, i) + inner;
			return true;
		}
	}
	return false;
}

static bool resolve_path(unsigned int id, const char *path, unsigned int *field_id,
			 unsigned int *offset)
{
	unsigned int bits = 0;

	while (*path) {
		size_t length = strcspn(path, ".");

		if (!find_member(id, path, length, &id, &bits))
			return false;
		path += length;
		path += *path == '.';
	}
	*field_id = id;
	*offset = bits / 8;
	return true;
}

/* The next definition of a name after id, of the kind that is(); 0 if there is none. */
static unsigned int next_named(const char *name, bool (*is)(const struct btf_type *),
			       unsigned int id)
{
	while (++id < btf__type_cnt(btf)) {
		const struct btf_type *type = type_by_id(id);

		if (is(type) && !strcmp(name_of(type), name))
			return id;
	}
	return 0;
}

static bool is_func(const struct btf_type *type)
{
	return btf_is_func(type);
}

static bool is_struct(const struct btf_type *type)
{
	return btf_is_struct(type);
}

/* Finds what a line is about, the same in all copies. Returns false if it is not there. */
static bool look_up(const struct line *line, char *text, unsigned int *value)
{
	bool func = !strcmp(line->keyword, "func");
	bool missing = false;
	bool found = false;
	unsigned int id = 0;

	while ((id = next_named(line->subject, func ? is_func : is_struct, id))) {
		char copy[MAX_TEXT] = "";
		unsigned int copy_value = 0;
		unsigned int field_id;

		if (func) {
			append_prototype(copy, type_by_id(id)->type);
		} else if (*line->path) {
			if (!resolve_path(id, line->path, &field_id, &copy_value)) {
				missing = true;
				continue;
			}
			append_type(copy, field_id);
		} else {
			copy_value = type_by_id(id)->size;
		}
		if (found && (strcmp(copy, text) || copy_value != *value))
			die("BTF has different copies of %s %s", line->subject, line->path);
		memcpy(text, copy, sizeof(copy));
		*value = copy_value;
		found = true;
	}
	if (found && missing)
		die("only some copies of struct %s have %s", line->subject, line->path);
	return found;
}

static bool find_enumerator(const char *name, unsigned int *value)
{
	for (unsigned int id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *type = type_by_id(id);

		if (!btf_is_enum(type))
			continue;
		for (unsigned int i = 0; i < btf_vlen(type); i++) {
			const struct btf_enum *e = &btf_enum(type)[i];

			if (strcmp(btf__name_by_offset(btf, e->name_off), name))
				continue;
			*value = (unsigned int)e->val;
			return true;
		}
	}
	return false;
}

static bool same_subject(const struct line *a, const struct line *b)
{
	return !strcmp(a->keyword, b->keyword) && !strcmp(a->subject, b->subject) &&
	       !strcmp(a->path, b->path);
}

static void print_function(const struct line *line)
{
	const char *paren = strchr(line->type, '(');

	printf("%.*s%s%s;\n", (int)(paren - line->type), line->type, line->subject, paren);
}

/* Whether the type that is there is the one that a line wants. */
static bool type_matches(const char *wanted, const char *there)
{
	size_t length = strcspn(wanted, "[");

	if (strcmp(wanted + length, "[]"))
		return !strcmp(wanted, there);
	return !strncmp(wanted, there, length) && there[length] == '[';
}

static void print_field(const struct line *line, const char *there, unsigned int offset)
{
	char name[sizeof(line->path)];
	size_t element = strcspn(line->type, "[");
	char type[MAX_TEXT];

	memcpy(name, line->path, sizeof(name));
	for (char *c = name; *c; c++)
		if (*c == '.')
			*c = '_';
	snprintf(type, sizeof(type), "%.*s", (int)element, line->type);
	if (!strcmp(type, "function *"))
		snprintf(type, sizeof(type), "void *");
	if (line->type[element])
		printf("#define AMDGPU_ABI_COUNT_%s__%s %lu\n", line->subject, name,
		       strtoul(strchr(there, '[') + 1, NULL, 10));
	printf("static inline %s%s*%s__%s(const struct %s *p)\n", type,
	       type[strlen(type) - 1] == '*' ? "" : " ", line->subject, name, line->subject);
	printf("{\n\treturn (void *)((unsigned long)p + %u);\n}\n", offset);
	printf("#define AMDGPU_ABI_OFFSET_%s__%s %u\n", line->subject, name, offset);
}

/* Prints what the lines from first on, which are about the same thing, allow. */
static void generate(unsigned int first)
{
	const struct line *match = NULL;
	const struct line *line = &lines[first];
	char text[MAX_TEXT] = "";
	unsigned int value = 0;

	if (!strcmp(line->keyword, "value")) {
		if (!find_enumerator(line->subject, &value))
			die("BTF has no enumerator %s", line->subject);
		printf("#define AMDGPU_ABI_VALUE_%s %u\n", line->subject, value);
		return;
	}
	if (!look_up(line, text, &value)) {
		if (*line->path && *line->feature)
			return;
		die("BTF has no %s %s%s%s", line->keyword, line->subject,
		    *line->path ? "." : "", line->path);
	}
	for (unsigned int i = first; i < line_count; i++)
		if (same_subject(&lines[i], line) && type_matches(lines[i].type, text))
			match = &lines[i];
	if (!strcmp(line->keyword, "size")) {
		printf("#define AMDGPU_ABI_SIZEOF_%s %u\n", line->subject, value);
		return;
	}
	if (!match)
		die("%s:%u: %s %s%s%s is now: %s", spec_name, line->number, line->keyword,
		    line->subject, *line->path ? "." : "", line->path, text);
	if (*match->feature)
		printf("#define AMDGPU_ABI_%s 1\n", match->feature);
	if (!strcmp(line->keyword, "func"))
		print_function(match);
	else
		print_field(match, text, value);
}

static char *trim(char *text)
{
	char *end;

	text += strspn(text, " \t\n");
	end = text + strlen(text);
	while (end > text && strchr(" \t\n", end[-1]))
		*--end = 0;
	return text;
}

static void parse_line(char *text, unsigned int number)
{
	struct line *line = &lines[line_count];
	char *colon;
	int used = 0;

	text = trim(text);
	if (!*text || *text == '#')
		return;
	if (++line_count == MAX_LINES)
		die("%s has more than %d lines", spec_name, MAX_LINES);
	line->number = number;
	colon = strchr(text, ':');
	if (colon) {
		snprintf(line->feature, sizeof(line->feature), "%s", trim(colon + 1));
		*colon = 0;
	}
	if (sscanf(text, "%7s %63s %n", line->keyword, line->subject, &used) != 2)
		die("%s:%u: not understood", spec_name, number);
	text += used;
	if (!strcmp(line->keyword, "field")) {
		if (sscanf(text, "%63s %n", line->path, &used) != 1)
			die("%s:%u: no field", spec_name, number);
		text += used;
	} else if (strcmp(line->keyword, "func") && strcmp(line->keyword, "size") &&
		   strcmp(line->keyword, "value")) {
		die("%s:%u: not understood", spec_name, number);
	}
	snprintf(line->type, sizeof(line->type), "%s", trim(text));
}

static void read_specification(const char *name)
{
	FILE *file = fopen(name, "r");
	unsigned int number = 0;
	char text[MAX_TEXT];

	spec_name = name;
	if (!file)
		die("%s: %s", name, strerror(errno));
	while (fgets(text, sizeof(text), file))
		parse_line(text, ++number);
	fclose(file);
}

/* Declares every structure that a type mentions, so that prototypes refer to one scope. */
static void declare_structures(const char *text)
{
	while ((text = strstr(text, "struct "))) {
		size_t length = strcspn(text + 7, " *,)[");

		printf("struct %.*s;\n", (int)length, text + 7);
		text += 7 + length;
	}
}

/* Whether no line before is about the same thing. */
static bool is_first(unsigned int number)
{
	for (unsigned int i = 0; i < number; i++)
		if (same_subject(&lines[i], &lines[number]))
			return false;
	return true;
}

/* Prints the name of every function. The format has one %s. */
__attribute__((format(printf, 2, 0)))
static void print_list(const char *before, const char *format, const char *after)
{
	printf("%s", before);
	for (unsigned int i = 0; i < line_count; i++)
		if (!strcmp(lines[i].keyword, "func") && is_first(i))
			printf(format, lines[i].subject);
	printf("%s", after);
}

int main(int argc, char **argv)
{
	struct btf *base;

	if (argc != 4)
		die("usage: abigen BASE-BTF MODULE-BTF SPECIFICATION");
	base = btf__parse(argv[1], NULL);
	if (!base)
		die("%s: no BTF: %s", argv[1], strerror(errno));
	btf = btf__parse_split(argv[2], base);
	if (!btf)
		die("%s: no BTF: %s", argv[2], strerror(errno));
	read_specification(argv[3]);
	for (unsigned int i = 0; i < line_count; i++) {
		if (!strcmp(lines[i].keyword, "field"))
			printf("struct %s;\n", lines[i].subject);
		declare_structures(lines[i].type);
	}
	for (unsigned int i = 0; i < line_count; i++)
		if (is_first(i))
			generate(i);
	print_list("enum amdgpu_function {\n", "\tAMDGPU_%s,\n", "\tAMDGPU_FUNCTION_COUNT,\n};\n");
	print_list("#define AMDGPU_ABI_NAMES", " \\\n\t\"amdgpu:%s\",", "\n");
	print_list("#define AMDGPU_ABI_FUNCTIONS(X)", " \\\n\tX(%s);", "\n");
	btf__free(btf);
	btf__free(base);
	return 0;
}
