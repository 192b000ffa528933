// SPDX-License-Identifier: MIT
/*
 * comgr_cache.c - LD_PRELOAD: the compiler in HIP's runtime remembers what it has compiled
 *
 * HIP's runtime compiles kernels of its own whenever a program starts. That takes a minute where the
 * CPU is emulated. Newer releases of libamd_comgr keep what they have compiled (AMD_COMGR_CACHE);
 * this does the same for Debian's, in the folder COMGR_CACHE. Without that variable it does nothing.
 *
 * A file is one action: all that it depends on, and then its results. It is used only if the first
 * part is equal to the last byte; one that is broken or in the way is written anew.
 */

#include <amd_comgr/amd_comgr.h>

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bytes {
	char *data;
	size_t size, capacity;
	bool failed; /* no memory, or a getter refused: not to be used */
};

static void append(struct bytes *bytes, const void *data, size_t size)
{
	if (bytes->failed)
		return;
	if (size > bytes->capacity - bytes->size) {
		size_t capacity = 2 * (bytes->size + size);
		char *grown = realloc(bytes->data, capacity);

		if (!grown) {
			bytes->failed = true;
			return;
		}
		bytes->data = grown;
		bytes->capacity = capacity;
	}
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
}

static void append_number(struct bytes *bytes, uint64_t number)
{
	append(bytes, &number, sizeof(number));
}

static void append_sized(struct bytes *bytes, const void *data, size_t size)
{
	append_number(bytes, size);
	append(bytes, data, size);
}

static void append_data(struct bytes *bytes, amd_comgr_data_t data, amd_comgr_data_kind_t kind)
{
	size_t name_size = 0, size = 0;
	char *name = NULL, *content = NULL;

	bytes->failed |= amd_comgr_get_data_name(data, &name_size, NULL) ||
			 amd_comgr_get_data(data, &size, NULL);
	if (!bytes->failed) {
		name = malloc(name_size + 1);
		content = malloc(size + 1);
		bytes->failed = !name || !content ||
				amd_comgr_get_data_name(data, &name_size, name) ||
				amd_comgr_get_data(data, &size, content);
	}
	append_number(bytes, kind);
	append_sized(bytes, name, name_size);
	append_sized(bytes, content, size);
	free(name);
	free(content);
}

static void append_set(struct bytes *bytes, amd_comgr_data_set_t set)
{
	for (int kind = AMD_COMGR_DATA_KIND_SOURCE; kind <= AMD_COMGR_DATA_KIND_LAST; kind++) {
		amd_comgr_data_t data;
		size_t count = 0;

		/* Numbers between the kinds are none and are refused. */
		if (amd_comgr_action_data_count(set, kind, &count))
			continue;
		for (size_t i = 0; i < count && !bytes->failed; i++) {
			bytes->failed = amd_comgr_action_data_get_data(set, kind, i, &data);
			if (bytes->failed)
				return;
			append_data(bytes, data, kind);
			amd_comgr_release_data(data);
		}
	}
}

static void append_info(struct bytes *bytes, amd_comgr_action_info_t info)
{
	amd_comgr_language_t language;
	size_t size = 0, count = 0;
	char text[4096] = "";

	bytes->failed |= amd_comgr_action_info_get_language(info, &language) ||
			 amd_comgr_action_info_get_isa_name(info, &size, NULL) ||
			 size > sizeof(text) ||
			 amd_comgr_action_info_get_isa_name(info, &size, text) ||
			 amd_comgr_action_info_get_option_list_count(info, &count);
	append_number(bytes, language);
	append_sized(bytes, text, size);
	append_number(bytes, count);
	for (size_t i = 0; i < count && !bytes->failed; i++) {
		bytes->failed =
			amd_comgr_action_info_get_option_list_item(info, i, &size, NULL) ||
			size > sizeof(text) ||
			amd_comgr_action_info_get_option_list_item(info, i, &size, text);
		append_sized(bytes, text, size);
	}
}

/* The version of the compiler, the action, its settings and its inputs. */
static struct bytes describe(amd_comgr_action_kind_t kind, amd_comgr_action_info_t info,
			     amd_comgr_data_set_t input)
{
	struct bytes bytes = {};
	size_t major, minor;

	amd_comgr_get_version(&major, &minor);
	append_number(&bytes, major);
	append_number(&bytes, minor);
	append_number(&bytes, kind);
	append_info(&bytes, info);
	append_set(&bytes, input);
	return bytes;
}

/* FNV-1a; only a name, what is found is compared. */
static bool file_name(const struct bytes *request, const char *suffix, char name[4096])
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < request->size; i++)
		hash = (hash ^ (unsigned char)request->data[i]) * 0x100000001b3;
	return snprintf(name, 4096, "%s/%016llx%s", getenv("COMGR_CACHE"), (unsigned long long)hash,
			suffix) < 4096;
}

static void store(const struct bytes *request, amd_comgr_data_set_t result)
{
	struct bytes bytes = {};
	char name[4096], name_new[4096], suffix[32];
	FILE *file = NULL;
	bool good = false;

	append_sized(&bytes, request->data, request->size);
	append_set(&bytes, result);
	append_number(&bytes, bytes.size); /* marks the end */
	snprintf(suffix, sizeof(suffix), ".%d", getpid());
	if (!bytes.failed && file_name(request, "", name) && file_name(request, suffix, name_new))
		file = fopen(name_new, "we");
	if (file) {
		good = fwrite(bytes.data, 1, bytes.size, file) == bytes.size;
		good = !fclose(file) && good && !rename(name_new, name);
		if (!good)
			unlink(name_new);
	}
	free(bytes.data);
}

struct reader {
	const char *at;
	size_t left;
	bool failed;
};

static const char *take(struct reader *reader, size_t size)
{
	const char *at = reader->at;

	if (reader->failed || size > reader->left) {
		reader->failed = true;
		return NULL;
	}
	reader->at += size;
	reader->left -= size;
	return at;
}

static uint64_t take_number(struct reader *reader)
{
	const char *at = take(reader, sizeof(uint64_t));
	uint64_t number = 0;

	if (at)
		memcpy(&number, at, sizeof(number));
	return number;
}

static bool add_data(struct reader *reader, amd_comgr_data_set_t result)
{
	amd_comgr_data_kind_t kind = take_number(reader);
	const char *name = take(reader, take_number(reader));
	size_t size = take_number(reader);
	const char *content = take(reader, size);
	amd_comgr_data_t data;
	bool good;

	if (reader->failed || amd_comgr_create_data(kind, &data))
		return false;
	good = !amd_comgr_set_data(data, size, content) && !amd_comgr_set_data_name(data, name) &&
	       !amd_comgr_data_set_add(result, data);
	amd_comgr_release_data(data);
	return good;
}

static struct bytes read_file(const char *name)
{
	struct bytes bytes = {};
	FILE *file = fopen(name, "re");
	char part[65536];
	size_t size;

	if (!file)
		return bytes;
	while ((size = fread(part, 1, sizeof(part), file)))
		append(&bytes, part, size);
	bytes.failed |= ferror(file);
	fclose(file);
	return bytes;
}

/* Adds the results that were stored for the request. */
static bool load(const struct bytes *request, amd_comgr_data_set_t result)
{
	struct bytes bytes = {};
	struct reader reader;
	uint64_t end;
	bool good = false;
	char name[4096];

	if (file_name(request, "", name))
		bytes = read_file(name);
	if (bytes.failed || bytes.size < 2 * sizeof(uint64_t) + request->size)
		goto out;
	memcpy(&end, bytes.data + bytes.size - sizeof(end), sizeof(end));
	reader = (struct reader){ bytes.data, bytes.size - sizeof(end), false };
	if (end != reader.left || take_number(&reader) != request->size ||
	    memcmp(take(&reader, request->size), request->data, request->size))
		goto out;
	good = true;
	while (good && reader.left)
		good = add_data(&reader, result);
out:
	free(bytes.data);
	return good;
}

amd_comgr_status_t amd_comgr_do_action(amd_comgr_action_kind_t kind, amd_comgr_action_info_t info,
				       amd_comgr_data_set_t input, amd_comgr_data_set_t result)
{
	__typeof__(&amd_comgr_do_action) real = dlsym(RTLD_NEXT, "amd_comgr_do_action");
	struct bytes request = {};
	amd_comgr_status_t status;

	if (!real)
		return AMD_COMGR_STATUS_ERROR;
	if (!getenv("COMGR_CACHE"))
		return real(kind, info, input, result);
	request = describe(kind, info, input);
	if (!request.failed && load(&request, result)) {
		free(request.data);
		return AMD_COMGR_STATUS_SUCCESS;
	}
	status = real(kind, info, input, result);
	if (status == AMD_COMGR_STATUS_SUCCESS && !request.failed)
		store(&request, result);
	free(request.data);
	return status;
}
