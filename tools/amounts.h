/* SPDX-License-Identifier: MIT */
/* Tells what a writer did with the content of an image. */
#ifndef GMMAP_AMOUNTS_H
#define GMMAP_AMOUNTS_H

#include "store.h"

void print_result(const char *name, const struct gmmap_store_result *result, bool json);

#endif
