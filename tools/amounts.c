// SPDX-License-Identifier: MIT
#include <stdio.h>
#include "amounts.h"
#include "command.h"

static struct json_object *amount_json(const struct gmmap_store_amount *amount)
{
	struct json_object *json = json_object_new_object();

	json_add_u64(json, "content_bytes", amount->content);
	json_add_u64(json, "zero_bytes", amount->zeros);
	json_add_u64(json, "base_bytes", amount->base);
	json_add_u64(json, "repeated_bytes", amount->repeated);
	json_add_u64(json, "stored_bytes", amount->stored);
	json_add_u64(json, "mismatches", amount->mismatches);
	return json;
}

static void print_amount(const char *name, const struct gmmap_store_amount *amount)
{
	printf("%-9s %10s %10s %10s %10s %10s\n", name, bytes_text(amount->content),
	       bytes_text(amount->zeros), bytes_text(amount->base), bytes_text(amount->repeated),
	       bytes_text(amount->stored));
}

void print_result(const char *name, const struct gmmap_store_result *result, bool as_json)
{
	uint64_t mismatches = result->granules.mismatches + result->pages.mismatches;
	struct json_object *json;

	if (mismatches)
		fprintf(stderr,
			"gmmap: %llu granules of base packs are not what their hashes say; what "
			"was needed of them is stored again. See gmmap image verify\n",
			(unsigned long long)mismatches);
	if (!as_json) {
		printf("%-9s %10s %10s %10s %10s %10s\n", name, "CONTENT", "ZEROS", "BASE",
		       "REPEATED", "STORED");
		print_amount("64 KiB", &result->granules);
		print_amount("4 KiB", &result->pages);
		printf("files     %10s\n", bytes_text(result->image_bytes));
		return;
	}
	json = json_object_new_object();
	json_add_text(json, "name", name);
	json_add_text(json, "sha256", digest_text(result->sha256));
	json_object_object_add(json, "granules", amount_json(&result->granules));
	json_object_object_add(json, "pages", amount_json(&result->pages));
	json_add_u64(json, "image_bytes", result->image_bytes);
	json_add_u64(json, "extents", result->extents);
	json_print(json);
}
