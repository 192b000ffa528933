// SPDX-License-Identifier: MIT
/* VALU functions for x86-64 with AVX2 and fused multiply-add. */
#define TARGET __attribute__((target("avx2,fma,f16c,bmi,bmi2,lzcnt,popcnt")))
#define TABLE  lanes_v3
#include "lanes_impl.h"
