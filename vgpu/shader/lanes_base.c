// SPDX-License-Identifier: MIT
/* VALU functions for any x86-64. */
#define TARGET
#define TABLE lanes_base
#include "lanes_impl.h"
