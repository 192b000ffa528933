// SPDX-License-Identifier: MIT
/* Scalar instructions, compares, exchanges between lanes, LDS, memory and division, as programs. */
#include "shader_wave.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int setup(void **state)
{
	*state = shader_new();
	return 0;
}

static int teardown(void **state)
{
	shader_free(*state);
	return 0;
}

static uint32_t mixed(uint32_t i)
{
	i = (i ^ 61) ^ i >> 16;
	i *= 9;
	i ^= i >> 4;
	i *= 0x27d4eb2d;
	return i ^ i >> 15;
}

static struct shader *fresh(void **state)
{
	struct shader *s = *state;

	shader_reset(s);
	wave_set_s64(&s->wave, 0, DATA_VA);
	for (uint32_t lane = 0; lane < WAVE_LANES; lane++)
		s->wave.v[0][lane] = lane;
	for (uint32_t i = 0; i < DATA_BYTES / 4; i++)
		((uint32_t *)(void *)s->data)[i] = mixed(i);
	return s;
}

static uint32_t *data(struct shader *s, uint32_t offset)
{
	return (uint32_t *)(void *)(s->data + offset);
}

static void scalar_arithmetic(void **state)
{
	static const struct {
		const char *text;
		uint64_t a, b, expected;
		bool wide;
		int scc; /* after; -1: as before, which was 1 */
	} cases[] = {
		{ "s_add_u32 s8, s4, s6", 0xffffffff, 2, 1, false, 1 },
		{ "s_addc_u32 s8, s4, s6", 5, 6, 12, false, 0 },
		{ "s_subb_u32 s8, s4, s6", 5, 6, 0xfffffffe, false, 1 },
		{ "s_add_i32 s8, s4, s6", 0x7fffffff, 1, 0x80000000, false, 1 },
		{ "s_sub_i32 s8, s4, s6", 3, 5, 0xfffffffe, false, 0 },
		{ "s_min_i32 s8, s4, s6", 0xffffffff, 2, 0xffffffff, false, 1 },
		{ "s_max_u32 s8, s4, s6", 0xffffffff, 2, 0xffffffff, false, 1 },
		{ "s_cselect_b64 s[8:9], s[4:5], s[6:7]", 1ull << 40, 2, 1ull << 40, true, -1 },
		{ "s_andn2_b64 s[8:9], s[4:5], s[6:7]", ~0ull, 0xff, ~0xffull, true, 1 },
		{ "s_lshl_b64 s[8:9], s[4:5], s6", 3, 40, 3ull << 40, true, 1 },
		{ "s_ashr_i64 s[8:9], s[4:5], s6", 1ull << 63, 63, ~0ull, true, 1 },
		{ "s_bfm_b32 s8, s4, s6", 4, 8, 0xf00, false, -1 },
		{ "s_mul_i32 s8, s4, s6", 0xffffffff, 7, 0xfffffff9, false, -1 },
		{ "s_mul_hi_i32 s8, s4, s6", 0xffffffff, 7, 0xffffffff, false, -1 },
		{ "s_bfe_u32 s8, s4, s6", 0x12345678, 8 | 12 << 16, 0x456, false, 1 },
		{ "s_bfe_i32 s8, s4, s6", 0x00000f00, 8 | 4 << 16, 0xffffffff, false, 1 },
		{ "s_bfe_u64 s[8:9], s[4:5], s6", 0xabcdef0123456789, 60 | 4 << 16, 0xa, true, 1 },
		{ "s_absdiff_i32 s8, s4, s6", 3, 0xfffffffe, 5, false, 1 },
		{ "s_lshl2_add_u32 s8, s4, s6", 0x40000000, 3, 3, false, 1 },
		{ "s_pack_lh_b32_b16 s8, s4, s6", 0x11112222, 0x33334444, 0x33332222, false, -1 },
		{ "s_bcnt1_i32_b64 s8, s[4:5]", 0xff000000000000ff, 0, 16, false, 1 },
		{ "s_ff1_i32_b64 s8, s[4:5]", 1ull << 45, 0, 45, false, -1 },
		{ "s_flbit_i32_b32 s8, s4", 0x00010000, 0, 15, false, -1 },
		{ "s_flbit_i32 s8, s4", 0xffff0000, 0, 16, false, -1 },
		{ "s_brev_b32 s8, s4", 0x00000003, 0, 0xc0000000, false, -1 },
		{ "s_sext_i32_i8 s8, s4", 0x80, 0, 0xffffff80, false, -1 },
		{ "s_wqm_b64 s[8:9], s[4:5]", 0x8001, 0, 0xf00f, true, 1 },
		{ "s_quadmask_b32 s8, s4", 0x8001, 0, 9, false, 1 },
		{ "s_bitreplicate_b64_b32 s[8:9], s4", 0x80000005, 0, 0xc000000000000033, true, -1 },
		{ "s_abs_i32 s8, s4", 0x80000000, 0, 0x80000000, false, 1 },
		{ "s_mov_b64 s[8:9], 0xffff0000", 0, 0, 0xffff0000, true, -1 },
		{ "s_mov_b64 s[8:9], 1.0", 0, 0, 0x3ff0000000000000, true, -1 },
		{ "s_mov_b64 s[8:9], src_private_base", 0, 0, PRIVATE_BASE, true, -1 },
		{ "s_movk_i32 s8, 0xfffe", 0, 0, 0xfffffffe, false, -1 },
		{ "s_cmp_lt_i32 s4, s6", 0xffffffff, 1, 0, false, 1 },
		{ "s_cmp_lt_u32 s4, s6", 0xffffffff, 1, 0, false, 0 },
		{ "s_cmp_eq_u64 s[4:5], s[6:7]", 1ull << 33, 1ull << 33, 0, false, 1 },
		{ "s_bitcmp1_b64 s[4:5], s6", 1ull << 33, 33, 0, false, 1 },
		{ "s_getreg_b32 s8, hwreg(HW_REG_MODE, 4, 4)", 0, 0, 15, false, -1 },
		{ "s_getreg_b32 s8, hwreg(HW_REG_SH_MEM_BASES)", 0, 0, 0x00010002, false, -1 },
	};
	const unsigned int count = sizeof(cases) / sizeof(cases[0]);
	const char *lines[sizeof(cases) / sizeof(cases[0])];
	static uint32_t code[sizeof(cases) / sizeof(cases[0])][3];
	unsigned int sizes[sizeof(cases) / sizeof(cases[0])];
	uint32_t end = 0xbf810000;

	for (unsigned int i = 0; i < count; i++)
		lines[i] = cases[i].text;
	assemble_lines(lines, count, code, sizes);
	for (unsigned int i = 0; i < count; i++) {
		struct shader *s = fresh(state);
		uint64_t value;

		wave_set_s64(&s->wave, 4, cases[i].a);
		wave_set_s64(&s->wave, 6, cases[i].b);
		s->wave.scc = 1;
		memcpy(s->code, code[i], 4 * sizes[i]);
		memcpy(s->code + 4 * sizes[i], &end, 4);
		code_cache_clear(s->wave.code);
		assert_int_equal(shader_run(s), WAVE_END);
		value = wave_s64(&s->wave, 8);
		if (value != cases[i].expected ||
		    s->wave.scc != (uint32_t)(cases[i].scc < 0 ? 1 : cases[i].scc))
			fail_msg("%s: %llx, scc %u", cases[i].text, (unsigned long long)value,
				 s->wave.scc);
	}
}

static void exec_is_saved_and_restored(void **state)
{
	struct shader *s = fresh(state);

	shader_execute(s, "v_cmp_gt_u32_e32 vcc, 10, v0\n"
			  "s_and_saveexec_b64 s[4:5], vcc\n"
			  "v_mov_b32_e32 v1, 1\n"
			  "s_xor_b64 exec, exec, s[4:5]\n"
			  "v_mov_b32_e32 v1, 2\n"
			  "s_mov_b64 exec, s[4:5]\n"
			  "v_cmpx_lt_u32_e64 s[6:7], 62, v0\n"
			  "v_readfirstlane_b32 s8, v0\n"
			  "v_mov_b32_e32 v1, 3\n");
	for (uint32_t lane = 0; lane < WAVE_LANES; lane++)
		assert_int_equal(s->wave.v[1][lane], lane < 10 ? 1 : lane == 63 ? 3 : 2);
	assert_true(wave_s64(&s->wave, 6) == 1ull << 63);
	assert_true(wave_s64(&s->wave, SGPR_EXEC) == 1ull << 63);
	assert_int_equal(s->wave.s[8], 63);
}

static void compares_of_floats_know_nan(void **state)
{
	struct shader *s = fresh(state);
	float values[4] = { 1.0f, NAN, -2.0f, INFINITY };

	for (uint32_t lane = 0; lane < WAVE_LANES; lane++)
		memcpy(&s->wave.v[1][lane], &values[lane % 4], 4);
	wave_set_s64(&s->wave, SGPR_EXEC, 0xff);
	shader_execute(s, "v_cmp_lt_f32_e64 s[4:5], v1, 0\n"
			  "v_cmp_nlt_f32_e64 s[6:7], v1, 0\n"
			  "v_cmp_u_f32_e64 s[8:9], v1, v1\n"
			  "s_movk_i32 s20, 0x204\n"
			  "v_cmp_class_f32_e64 s[10:11], v1, s20\n"
			  "v_cmp_lg_f32_e64 s[12:13], |v1|, 2.0\n");
	assert_true(wave_s64(&s->wave, 4) == 0x44);
	assert_true(wave_s64(&s->wave, 6) == 0xbb);
	assert_true(wave_s64(&s->wave, 8) == 0x22);
	assert_true(wave_s64(&s->wave, 10) == 0x88);
	assert_true(wave_s64(&s->wave, 12) == 0x99);
}

static void lanes_read_each_other(void **state)
{
	struct shader *s = fresh(state);

	for (uint32_t lane = 0; lane < WAVE_LANES; lane++)
		s->wave.v[20][lane] = 4 * ((lane * 7 + 3) % 64);
	shader_execute(s, "v_mov_b32_e32 v1, -1\nv_mov_b32_e32 v2, -1\nv_mov_b32_e32 v3, -1\n"
			  "v_mov_b32_dpp v1, v0 quad_perm:[3,2,1,0] row_mask:0xf bank_mask:0xf\n"
			  "v_mov_b32_dpp v2, v0 row_shr:1 row_mask:0xf bank_mask:0xf\n"
			  "v_mov_b32_dpp v3, v0 row_bcast:15 row_mask:0xa bank_mask:0xf\n"
			  "v_mov_b32_dpp v4, v0 row_shl:4 row_mask:0xf bank_mask:0xf bound_ctrl:0\n"
			  "ds_bpermute_b32 v5, v20, v0\n"
			  "ds_permute_b32 v6, v20, v0\n"
			  "ds_swizzle_b32 v7, v0 offset:swizzle(SWAP,16)\n"
			  "v_readlane_b32 s4, v20, 5\n"
			  "v_writelane_b32 v8, s4, 9\n");
	for (uint32_t lane = 0; lane < WAVE_LANES; lane++) {
		uint32_t to = (lane * 7 + 3) % 64;

		assert_int_equal(s->wave.v[1][lane], lane ^ 3);
		assert_int_equal(s->wave.v[2][lane], lane % 16 ? lane - 1 : UINT32_MAX);
		assert_int_equal(s->wave.v[3][lane], lane / 16 % 2 ? lane / 16 * 16 - 1 : UINT32_MAX);
		assert_int_equal(s->wave.v[4][lane], lane % 16 < 12 ? lane + 4 : 0);
		assert_int_equal(s->wave.v[5][lane], to);
		assert_int_equal(s->wave.v[6][to], lane);
		assert_int_equal(s->wave.v[7][lane], lane ^ 16);
		assert_int_equal(s->wave.v[8][lane], lane == 9 ? 4 * 38 : 0);
	}
}

static void lds_is_read_written_and_counted_in(void **state)
{
	struct shader *s = fresh(state);
	uint32_t *lds = (uint32_t *)(void *)s->wave.lds;

	shader_execute(s, "v_lshlrev_b32_e32 v1, 3, v0\n"
			  "v_mul_u32_u24_e32 v2, 3, v0\n"
			  "ds_write2_b32 v1, v0, v2 offset1:1\n"
			  "ds_read2_b32 v[10:11], v1 offset1:1\n"
			  "ds_read_b64 v[12:13], v1\n"
			  "v_mov_b32_e32 v3, 0\n"
			  "ds_add_rtn_u32 v4, v3, v0 offset:1024\n"
			  "ds_max_u32 v3, v0 offset:1028\n"
			  "v_mov_b32_e32 v5, 1.0\n"
			  "ds_add_f32 v3, v5 offset:1032\n"
			  "ds_write_b8 v0, v0 offset:2048\n"
			  "ds_read_i8 v6, v0 offset:2047\n"
			  "ds_read2_b32 v[0:1], v1 offset1:1\n");
	for (uint32_t lane = 0; lane < WAVE_LANES; lane++) {
		assert_int_equal(lds[2 * lane + 1], 3 * lane);
		assert_int_equal(s->wave.v[10][lane], lane);
		assert_int_equal(s->wave.v[11][lane], 3 * lane);
		assert_int_equal(s->wave.v[13][lane], 3 * lane);
		assert_int_equal(s->wave.v[4][lane], lane * (lane - 1) / 2);
		assert_int_equal(s->wave.v[6][lane], lane ? lane - 1 : 0);
		assert_int_equal(s->wave.v[0][lane], lane);
		assert_int_equal(s->wave.v[1][lane], 3 * lane);
	}
	assert_int_equal(lds[256], 63 * 32);
	assert_int_equal(lds[257], 63);
	assert_int_equal(lds[258], 0x42800000); /* 64.0 */
}

static void memory_of_every_size(void **state)
{
	struct shader *s = fresh(state);

	shader_execute(s, "v_lshlrev_b32_e32 v1, 4, v0\n"
			  "global_load_dwordx4 v[4:7], v1, s[0:1]\n"
			  "global_load_dwordx3 v[8:10], v1, s[0:1] offset:4\n"
			  "global_load_ubyte v11, v1, s[0:1] offset:1\n"
			  "global_load_sbyte v12, v1, s[0:1] offset:1\n"
			  "global_load_sshort v13, v1, s[0:1] offset:1\n"
			  "v_mov_b32_e32 v14, -1\n"
			  "global_load_short_d16 v14, v1, s[0:1] offset:2\n"
			  "global_load_ubyte_d16_hi v14, v1, s[0:1] offset:3\n"
			  "s_add_u32 s2, s0, 0xff2\n"
			  "s_addc_u32 s3, s1, 0\n"
			  "global_load_dwordx4 v[16:19], v1, s[2:3]\n"
			  "global_store_dwordx2 v1, v[4:5], s[0:1] offset:2048\n"
			  "global_store_byte_d16_hi v1, v4, s[0:1] offset:2058\n");
	for (uint32_t lane = 0; lane < WAVE_LANES; lane++) {
		const uint8_t *at = s->data + 16 * lane;
		uint32_t words[4];

		memcpy(words, at, 16);
		for (unsigned int i = 0; i < 4; i++)
			assert_int_equal(s->wave.v[4 + i][lane], words[i]);
		assert_int_equal(s->wave.v[8][lane], words[1]);
		assert_int_equal(s->wave.v[11][lane], at[1]);
		assert_int_equal(s->wave.v[12][lane], (uint32_t)(int8_t)at[1]);
		assert_int_equal(s->wave.v[13][lane], (uint32_t)(int16_t)(at[1] | at[2] << 8));
		assert_int_equal(s->wave.v[14][lane], words[0] >> 16 | (uint32_t)at[3] << 16);
		memcpy(words, at + 0xff2, 16); /* the first lanes cross a page */
		for (unsigned int i = 0; i < 4; i++)
			assert_int_equal(s->wave.v[16 + i][lane], words[i]);
		assert_memory_equal(s->data + 2048 + 16 * lane, at, 8);
		assert_int_equal(s->data[2058 + 16 * lane], at[2]);
	}
}

static void a_store_across_an_absent_page_does_nothing(void **state)
{
	struct shader *s = fresh(state);

	shader_assemble(s, "v_lshlrev_b32_e32 v1, 4, v0\n"
			   "v_mov_b32_e32 v2, 0\n"
			   "s_add_u32 s2, s0, 0xf02\n"
			   "s_addc_u32 s3, s1, 0\n"
			   "global_store_dword v1, v2, s[2:3]\n");
	s->page[1] = WAVE_ABSENT;
	assert_int_equal(shader_run(s), WAVE_FAULT);
	for (uint32_t i = 0; i < 2048; i++)
		assert_int_equal(data(s, 0)[i], mixed(i));
	s->page[1] = WAVE_PRESENT;
	assert_int_equal(wave_run(&s->wave, 10), WAVE_END);
	for (uint32_t lane = 0; lane < WAVE_LANES; lane++)
		assert_memory_equal(s->data + 0xf02 + 16 * lane, "\0\0\0", 4);
}

static void memory_atomics(void **state)
{
	struct shader *s = fresh(state);

	memset(s->data, 0, 256);
	shader_execute(s, "v_mov_b32_e32 v1, 0\n"
			  "v_mov_b32_e32 v2, 5\n"
			  "v_mov_b32_e32 v3, 0\n"
			  "global_atomic_add v4, v1, v2, s[0:1] glc\n"
			  "global_atomic_umax v1, v0, s[0:1] offset:4\n"
			  "global_atomic_add_x2 v1, v[2:3], s[0:1] offset:8\n"
			  "v_add_u32_e32 v10, 1, v0\n"
			  "v_mov_b32_e32 v11, v0\n"
			  "global_atomic_cmpswap v12, v1, v[10:11], s[0:1] offset:16 glc\n"
			  "global_atomic_inc v1, v2, s[0:1] offset:20\n");
	for (uint32_t lane = 0; lane < WAVE_LANES; lane++) {
		assert_int_equal(s->wave.v[4][lane], 5 * lane);
		assert_int_equal(s->wave.v[12][lane], lane);
	}
	assert_int_equal(data(s, 0)[0], 320);
	assert_int_equal(data(s, 0)[1], 63);
	assert_int_equal(data(s, 0)[2], 320);
	assert_int_equal(data(s, 0)[4], 64);
	assert_int_equal(data(s, 0)[5], 64 % 6);
}

/* Scratch is the same through flat, scratch and buffer instructions, and interleaved by lane. */
static void scratch_and_apertures(void **state)
{
	struct shader *s = fresh(state);

	wave_set_s64(&s->wave, SGPR_FLAT_SCRATCH, DATA_VA + 65536);
	/* index stride 64, element 4, swizzled, lane as index: what ROCr gives a wave */
	s->wave.s[8] = (uint32_t)(DATA_VA + 65536);
	s->wave.s[9] = (uint32_t)(DATA_VA >> 32) | 4u << 16 | 1u << 31;
	s->wave.s[10] = UINT32_MAX;
	s->wave.s[11] = 3u << 21 | 1u << 23;
	shader_execute(s, "s_mov_b64 s[4:5], src_private_base\n"
			  "s_mov_b64 s[6:7], src_shared_base\n"
			  "v_mov_b32_e32 v2, 8\n"
			  "v_mov_b32_e32 v3, s5\n"
			  "v_mul_u32_u24_e32 v4, 5, v0\n"
			  "v_mul_u32_u24_e32 v5, 6, v0\n"
			  "flat_store_dwordx2 v[2:3], v[4:5]\n"
			  "scratch_load_dword v6, v2, off\n"
			  "buffer_load_dword v7, v2, s[8:11], 0 offen offset:4\n"
			  "v_lshlrev_b32_e32 v2, 2, v0\n"
			  "v_mov_b32_e32 v3, s7\n"
			  "flat_store_dword v[2:3], v5\n");
	for (uint32_t lane = 0; lane < WAVE_LANES; lane++) {
		assert_int_equal(data(s, 65536)[2 * 64 + lane], 5 * lane);
		assert_int_equal(data(s, 65536)[3 * 64 + lane], 6 * lane);
		assert_int_equal(s->wave.v[6][lane], 5 * lane);
		assert_int_equal(s->wave.v[7][lane], 6 * lane);
		assert_int_equal(((uint32_t *)(void *)s->wave.lds)[lane], 6 * lane);
	}
}

static void buffers_know_their_end(void **state)
{
	struct shader *s = fresh(state);

	s->wave.s[8] = (uint32_t)DATA_VA;
	s->wave.s[9] = (uint32_t)(DATA_VA >> 32);
	s->wave.s[10] = 4 * 32; /* 32 dwords */
	s->wave.s[11] = 0;
	shader_execute(s, "v_lshlrev_b32_e32 v1, 2, v0\n"
			  "v_mov_b32_e32 v2, -1\n"
			  "buffer_load_dword v2, v1, s[8:11], 0 offen\n"
			  "v_mov_b32_e32 v3, 0\n"
			  "buffer_store_dword v3, v1, s[8:11], 0 offen\n");
	for (uint32_t lane = 0; lane < WAVE_LANES; lane++) {
		assert_int_equal(s->wave.v[2][lane], lane < 32 ? mixed(lane) : 0);
		assert_int_equal(data(s, 0)[lane], lane < 32 ? 0 : mixed(lane));
	}
}

static void registers_are_indexed_by_m0(void **state)
{
	struct shader *s = fresh(state);

	shader_execute(s, "v_mov_b32_e32 v13, 7\n"
			  "s_mov_b32 s4, 3\n"
			  "s_set_gpr_idx_on s4, gpr_idx(SRC0)\n"
			  "v_mov_b32_e32 v1, v10\n"
			  "s_set_gpr_idx_mode gpr_idx(DST)\n"
			  "v_mov_b32_e32 v20, v1\n"
			  "s_set_gpr_idx_off\n"
			  "v_mov_b32_e32 v2, v10\n"
			  "s_mov_b32 m0, 2\n"
			  "s_movrels_b32 s5, s2\n");
	assert_int_equal(s->wave.v[1][0], 7);
	assert_int_equal(s->wave.v[23][0], 7);
	assert_int_equal(s->wave.v[2][0], 0);
	assert_int_equal(s->wave.s[5], 3);
}

/* The sequence that compilers emit for a correctly rounded quotient. */
static const char division[] = "v_div_scale_f32 v2, s[4:5], v1, v1, v0\n"
			       "v_div_scale_f32 v3, vcc, v0, v1, v0\n"
			       "v_rcp_f32_e32 v4, v2\n"
			       "v_fma_f32 v5, -v2, v4, 1.0\n"
			       "v_fma_f32 v4, v5, v4, v4\n"
			       "v_mul_f32_e32 v5, v3, v4\n"
			       "v_fma_f32 v6, -v2, v5, v3\n"
			       "v_fma_f32 v5, v6, v4, v5\n"
			       "v_fma_f32 v2, -v2, v5, v3\n"
			       "v_div_fmas_f32 v2, v2, v4, v5\n"
			       "v_div_fixup_f32 v2, v2, v1, v0\n";

/* Operands of all exponents; quotients that are denormal may be rounded twice. */
static float quotient_operand(uint32_t i)
{
	static const float special[] = { 0.0f, 1.0f, 3.0f, INFINITY, NAN, -0.0f, -1.0f, 0x1p-140f };
	uint32_t bits = mixed(i);
	float value;

	if (bits % 16 == 0)
		return special[bits / 16 % 8];
	memcpy(&value, &bits, 4);
	return value;
}

static void division_is_exact(void **state)
{
	struct shader *s = fresh(state);
	uint32_t denormal = 0, next = 0;

	shader_assemble(s, division);
	for (unsigned int round = 0; round < 100; round++) {
		float a[WAVE_LANES], b[WAVE_LANES];

		for (uint32_t lane = 0; lane < WAVE_LANES; lane++) {
			a[lane] = quotient_operand(next++);
			b[lane] = quotient_operand(next++);
			memcpy(&s->wave.v[0][lane], &a[lane], 4);
			memcpy(&s->wave.v[1][lane], &b[lane], 4);
		}
		assert_int_equal(shader_run(s), WAVE_END);
		for (uint32_t lane = 0; lane < WAVE_LANES; lane++) {
			float expected = a[lane] / b[lane], value;

			memcpy(&value, &s->wave.v[2][lane], 4);
			if ((isnan(expected) && isnan(value)) || value == expected)
				continue;
			if (fabsf(expected) < 0x1p-126f && fabsf(value - expected) <= 0x1p-149f) {
				denormal++;
				continue;
			}
			fail_msg("%a / %a is %a, not %a", (double)a[lane], (double)b[lane],
				 (double)value, (double)expected);
		}
	}
	assert_true(denormal < 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalar_arithmetic),
		cmocka_unit_test(exec_is_saved_and_restored),
		cmocka_unit_test(compares_of_floats_know_nan),
		cmocka_unit_test(lanes_read_each_other),
		cmocka_unit_test(lds_is_read_written_and_counted_in),
		cmocka_unit_test(memory_of_every_size),
		cmocka_unit_test(a_store_across_an_absent_page_does_nothing),
		cmocka_unit_test(memory_atomics),
		cmocka_unit_test(scratch_and_apertures),
		cmocka_unit_test(buffers_know_their_end),
		cmocka_unit_test(registers_are_indexed_by_m0),
		cmocka_unit_test(division_is_exact),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
