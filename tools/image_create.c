// SPDX-License-Identifier: MIT
/* gmmap image create: an image of files, in the order of the options. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "amounts.h"
#include "command.h"
#include "store.h"

#define COPY_BYTES (UINT64_C(64) << 20)

/* FILE[,key=value]... */
struct source {
	char path[4096];
	uint64_t address, size;
	uint32_t gpu_id;
	bool has_size;
	int fd;
	bool seekable;
};

enum { OPTION_BASE = 1, OPTION_PROCESS, OPTION_BO, OPTION_PAGES, OPTION_FILE, OPTION_THREADS };

struct creation {
	struct store_options store;
	struct gmmap_store_options options;
	struct gmmap_store_writer *writer;
	const char *name;
	uint32_t process, bos;
	struct progress progress;
	uint64_t done;
};

static int parse_number(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	return !text[0] || *end || errno || text[0] == '-' ? -EINVAL : 0;
}

static int parse_key(struct source *source, char *word)
{
	char *value = strchr(word, '=');
	uint64_t number;

	if (!value || parse_number(value + 1, &number))
		return usage_error("`%s' is no key=number", word);
	*value = 0;
	if (!strcmp(word, "address")) {
		source->address = number;
	} else if (!strcmp(word, "gpu") && number <= UINT32_MAX) {
		source->gpu_id = number;
	} else if (!strcmp(word, "size")) {
		source->size = number;
		source->has_size = true;
	} else {
		return usage_error("`%s' is not known behind a file; address=, gpu= and size= are",
				   word);
	}
	return COMMAND_OK;
}

static int open_source(struct source *source)
{
	struct stat st;

	source->fd = strcmp(source->path, "-") ? open(source->path, O_RDONLY | O_CLOEXEC)
					       : dup(STDIN_FILENO);
	if (source->fd < 0 || fstat(source->fd, &st))
		return fail("%s: %m", source->path);
	source->seekable = S_ISREG(st.st_mode) && strcmp(source->path, "-");
	if (source->has_size)
		return COMMAND_OK;
	if (!source->seekable) {
		close(source->fd);
		return fail("%s is not a regular file: give its size by ,size=BYTES", source->path);
	}
	source->size = st.st_size;
	return COMMAND_OK;
}

static int parse_source(const char *text, struct source *source)
{
	char *word, *next;
	int status;

	*source = (struct source){ 0 };
	if (strlen(text) >= sizeof(source->path))
		return usage_error("%s: too long", text);
	strcpy(source->path, text);
	next = strchr(source->path, ',');
	if (next)
		*next++ = 0;
	while ((word = strsep(&next, ",")))
		if ((status = parse_key(source, word)))
			return status;
	return open_source(source);
}

static int write_content(struct creation *creation, const struct source *source)
{
	uint64_t offset = 0;
	int ret = 0;

	while (!ret && offset < source->size) {
		uint64_t part = source->size - offset;

		if (part > COPY_BYTES)
			part = COPY_BYTES;
		ret = gmmap_store_write_fd(creation->writer, source->fd,
					   source->seekable ? (int64_t)offset : -1, part);
		offset += part;
		creation->done += part;
		progress_show(&creation->progress, creation->done);
	}
	return ret;
}

static int writer_failed(const struct creation *creation, const char *path)
{
	return fail("%s: %s", path, gmmap_store_error(creation->writer));
}

static int need_process(struct creation *creation)
{
	int ret;

	if (creation->process != GMMAP_IMAGE_NONE)
		return COMMAND_OK;
	ret = gmmap_store_process(creation->writer, 0);
	if (ret < 0)
		return writer_failed(creation, "process");
	creation->process = ret;
	return COMMAND_OK;
}

static int add_object(struct creation *creation, const char *text, enum gmmap_image_kind kind)
{
	struct gmmap_image_object object = { .kind = kind };
	struct source source;
	int64_t index;
	int status = parse_source(text, &source);

	if (status)
		return status;
	status = need_process(creation);
	object.process = creation->process;
	object.size = source.size;
	if (kind == GMMAP_IMAGE_KFD_BO) {
		object.index = creation->bos++;
		object.gpu_id = source.gpu_id;
		object.address = source.address;
	}
	if (!status) {
		index = gmmap_store_object(creation->writer, &object, NULL);
		if (index < 0 || write_content(creation, &source) ||
		    gmmap_store_end_object(creation->writer) ||
		    (kind == GMMAP_IMAGE_PAGES &&
		     gmmap_store_span(creation->writer, object.process, source.address, source.size,
				      index, 0, 0)))
			status = writer_failed(creation, source.path);
	}
	close(source.fd);
	return status;
}

static int add_file(struct creation *creation, const char *path)
{
	int status = COMMAND_OK, fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		status = fail("%s: %m", path);
	} else if (gmmap_store_file_fd(creation->writer, basename(path), st.st_mode & 0777, fd)) {
		status = writer_failed(creation, path);
	}
	if (fd >= 0)
		close(fd);
	return status;
}

static int add_option(struct creation *creation, int option, const char *argument)
{
	uint64_t number;
	int ret;

	switch (option) {
	case OPTION_PROCESS:
		if (parse_number(argument, &number) || number > INT32_MAX)
			return usage_error("`%s' is no PID", argument);
		ret = gmmap_store_process(creation->writer, number);
		if (ret < 0)
			return writer_failed(creation, "process");
		creation->process = ret;
		creation->bos = 0;
		return COMMAND_OK;
	case OPTION_BO:
		return add_object(creation, argument, GMMAP_IMAGE_KFD_BO);
	case OPTION_PAGES:
		return add_object(creation, argument, GMMAP_IMAGE_PAGES);
	case OPTION_FILE:
		return add_file(creation, argument);
	}
	return COMMAND_OK;
}

static const struct option long_options[] = {
	{ "base", required_argument, NULL, OPTION_BASE },
	{ "process", required_argument, NULL, OPTION_PROCESS },
	{ "bo", required_argument, NULL, OPTION_BO },
	{ "pages", required_argument, NULL, OPTION_PAGES },
	{ "file", required_argument, NULL, OPTION_FILE },
	{ "threads", required_argument, NULL, OPTION_THREADS },
	STORE_OPTIONS,
	{ 0 }
};

/* The first look at the options: what must be known before the writer begins. */
static int parse_options(struct creation *creation, int argc, char **argv, const char **bases)
{
	uint64_t number;
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == '?')
			return COMMAND_USAGE;
		if (option == OPTION_BASE) {
			bases[creation->options.base_count++] = optarg;
		} else if (option == OPTION_THREADS) {
			if (parse_number(optarg, &number) || number > 1024)
				return usage_error("`%s' is no number of threads", optarg);
			creation->options.threads = number;
		} else {
			store_option(&creation->store, option);
		}
	}
	if (optind + 1 != argc)
		return usage_error("name one image to create");
	creation->name = argv[optind];
	creation->options.bases = bases;
	return COMMAND_OK;
}

static int create(struct creation *creation, int argc, char **argv)
{
	struct gmmap_store_result result;
	struct gmmap_image_error error;
	int option, status = COMMAND_OK;

	if (gmmap_store_create(creation->store.store, &error) ||
	    gmmap_store_begin(creation->store.store, creation->name, &creation->options,
			      &creation->writer, &error))
		return fail("%s", error.text);
	progress_begin(&creation->progress, creation->name, 0);
	optind = 1;
	while (!status && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		status = add_option(creation, option, optarg);
	progress_end(&creation->progress);
	if (status) {
		gmmap_store_abort(creation->writer);
		return status;
	}
	if (gmmap_store_commit(creation->writer, &result, &error))
		return fail("%s", error.text);
	print_result(creation->name, &result, creation->store.json);
	return COMMAND_OK;
}

int image_create(int argc, char **argv)
{
	struct creation creation = { .process = GMMAP_IMAGE_NONE };
	const char **bases = calloc(argc, sizeof(*bases));
	int status;

	if (!bases)
		return fail("no memory");
	store_options_init(&creation.store);
	status = parse_options(&creation, argc, argv, bases);
	if (!status)
		status = create(&creation, argc, argv);
	free(bases);
	return status;
}
