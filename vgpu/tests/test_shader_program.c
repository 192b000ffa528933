// SPDX-License-Identifier: MIT
/* Short programs: control, memory, faults and their replay. */
#include "shader_wave.h"

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

static void scalars(struct shader *s)
{
	wave_set_s64(&s->wave, 0, DATA_VA);
	wave_set_s64(&s->wave, 2, DATA_VA + 8192);
}

static const char vector_add[] = "v_lshlrev_b32_e32 v1, 2, v0\n"
				 "v_mov_b32_e32 v2, 0\n"
				 "global_load_dword v3, v1, s[0:1]\n"
				 "global_load_dword v4, v1, s[0:1] offset:256\n"
				 "s_waitcnt vmcnt(0)\n"
				 "v_add_f32_e32 v3, v3, v4\n"
				 "global_store_dword v1, v3, s[2:3]\n";

static void prepare_vector_add(struct shader *s)
{
	float *data = (float *)(void *)s->data;

	shader_reset(s);
	scalars(s);
	for (unsigned int i = 0; i < 64; i++) {
		s->wave.v[0][i] = i;
		data[i] = (float)i;
		data[64 + i] = 100.0f * (float)i;
	}
}

static void a_vector_is_added(void **state)
{
	struct shader *s = *state;
	const float *sum = (const float *)(const void *)(s->data + 8192);

	prepare_vector_add(s);
	shader_execute(s, vector_add);
	for (unsigned int i = 0; i < 64; i++)
		assert_true(sum[i] == 101.0f * (float)i);
	assert_int_equal(s->wave.executed, 8);
}

static void lanes_outside_exec_do_nothing(void **state)
{
	struct shader *s = *state;
	const float *sum = (const float *)(const void *)(s->data + 8192);

	prepare_vector_add(s);
	wave_set_s64(&s->wave, SGPR_EXEC, 0x8000000000000005);
	shader_execute(s, vector_add);
	for (unsigned int i = 0; i < 64; i++) {
		bool active = i == 0 || i == 2 || i == 63;

		assert_true(sum[i] == (active ? 101.0f * (float)i : 0.0f));
		assert_int_equal(s->wave.v[1][i], active ? 4 * i : 0);
	}
}

static void a_fault_leaves_the_instruction_to_be_replayed(void **state)
{
	struct shader *s = *state;
	const float *sum = (const float *)(const void *)(s->data + 8192);

	prepare_vector_add(s);
	shader_assemble(s, vector_add);
	s->page[2] = WAVE_ABSENT;
	assert_int_equal(shader_run(s), WAVE_FAULT);
	assert_true(s->wave.fault_va == DATA_VA + 8192);
	assert_int_equal(s->wave.fault_access, WAVE_WRITE);
	assert_int_equal(wave_run(&s->wave, 100), WAVE_FAULT);
	assert_int_equal(s->wave.executed, 6);
	s->page[2] = WAVE_PRESENT;
	assert_int_equal(wave_run(&s->wave, 100), WAVE_END);
	for (unsigned int i = 0; i < 64; i++)
		assert_true(sum[i] == 101.0f * (float)i);
}

static void code_and_scalar_data_fault_too(void **state)
{
	struct shader *s = *state;
	uint32_t *data = (uint32_t *)(void *)s->data;

	shader_reset(s);
	scalars(s);
	data[1023] = 7;
	data[1024] = 8;
	shader_assemble(s, "s_load_dwordx2 s[4:5], s[0:1], 0xffc\n");
	s->code_page[0] = WAVE_ABSENT;
	assert_int_equal(shader_run(s), WAVE_FAULT);
	assert_true(s->wave.fault_va == CODE_VA);
	assert_int_equal(s->wave.fault_access, WAVE_EXECUTE);
	s->code_page[0] = WAVE_PRESENT;
	s->page[1] = WAVE_ABSENT;
	assert_int_equal(shader_run(s), WAVE_FAULT);
	assert_true(s->wave.fault_va == DATA_VA + 4096);
	assert_int_equal(s->wave.fault_access, WAVE_READ | WAVE_SCALAR);
	assert_int_equal(s->wave.s[4], 0);
	s->page[1] = WAVE_PRESENT;
	assert_int_equal(wave_run(&s->wave, 100), WAVE_END);
	assert_int_equal(s->wave.s[4], 7);
	assert_int_equal(s->wave.s[5], 8);
}

static void refused_memory_reads_zero_and_is_noted(void **state)
{
	struct shader *s = *state;

	prepare_vector_add(s);
	s->page[2] = WAVE_REFUSED;
	shader_execute(s, vector_add);
	assert_true(s->wave.trapsts & TRAPSTS_MEM_VIOL);
	for (unsigned int i = 0; i < PAGE_BYTES; i++)
		assert_int_equal(s->data[8192 + i], 0);
	s->page[0] = WAVE_REFUSED;
	s->page[2] = WAVE_PRESENT;
	s->wave.trapsts = 0;
	assert_int_equal(shader_run(s), WAVE_END);
	assert_int_equal(s->wave.v[4][3], 0);
	assert_true(s->wave.trapsts & TRAPSTS_MEM_VIOL);
}

static void a_loop_ends_by_its_branch(void **state)
{
	struct shader *s = *state;

	shader_reset(s);
	shader_execute(s, "s_mov_b32 s4, 0\n"
			  "s_mov_b32 s5, 10\n"
			  "s_add_i32 s4, s4, s5\n"
			  "s_sub_u32 s5, s5, 1\n"
			  "s_cmp_lg_u32 s5, 0\n"
			  "s_cbranch_scc1 65532\n");
	assert_int_equal(s->wave.s[4], 55);
	assert_int_equal(s->wave.executed, 2 + 4 * 10 + 1);
}

static void an_unknown_instruction_is_named(void **state)
{
	struct shader *s = *state;

	shader_reset(s);
	shader_assemble(s, "s_nop 0\n.long 0xbf9f1234\n");
	memcpy(s->code + 4, (uint32_t[]){ 0xbf9f1234 }, 4);
	assert_int_equal(shader_run(s), WAVE_ILLEGAL);
	assert_true(s->wave.pc == CODE_VA + 4);
	assert_int_equal(s->wave.encoding[0], 0xbf9f1234);
	assert_string_equal(s->wave.reason, "unknown instruction");
}

static void a_register_that_the_wave_lacks_is_illegal(void **state)
{
	struct shader *s = *state;

	shader_reset(s);
	s->wave.num_vgprs = 24;
	shader_assemble(s, "v_mov_b32_e32 v23, 1\nv_mov_b32_e32 v24, 1\n");
	assert_int_equal(shader_run(s), WAVE_ILLEGAL);
	assert_true(s->wave.pc == CODE_VA + 4);
}

static void traps_enter_and_leave_the_handler(void **state)
{
	struct shader *s = *state;

	shader_reset(s);
	shader_assemble(s, "s_trap 2\n"
			   "s_mov_b32 s8, ttmp4\n"
			   "s_endpgm\n"
			   "s_mov_b32 ttmp4, 9\n"
			   "s_mov_b32 s7, ttmp1\n"
			   "s_add_u32 ttmp0, ttmp0, 4\n"
			   "s_addc_u32 ttmp1, ttmp1, 0\n"
			   "s_and_b32 ttmp1, ttmp1, 0xffff\n"
			   "s_rfe_b64 [ttmp0, ttmp1]\n");
	s->wave.s[8] = 1;
	assert_int_equal(shader_run(s), WAVE_END);
	assert_int_equal(s->wave.s[7], 0);
	s->wave.tba = CODE_VA + 12;
	s->wave.status |= STATUS_TRAP_EN;
	assert_int_equal(shader_run(s), WAVE_END);
	assert_int_equal(s->wave.s[7], 2 << 16);
	assert_int_equal(s->wave.s[SGPR_TTMP + 4], 9);
	assert_int_equal(s->wave.s[8], 0); /* it is not seen outside of the handler */
	assert_false(s->wave.status & STATUS_PRIV);
}

static void events_leave_the_next_instruction(void **state)
{
	struct shader *s = *state;

	shader_reset(s);
	shader_assemble(s, "s_barrier\ns_sendmsg 0x1\ns_sleep 1\ns_sethalt 1\ns_nop 0\n");
	assert_int_equal(shader_run(s), WAVE_BARRIER);
	assert_true(s->wave.pc == CODE_VA + 4);
	assert_int_equal(wave_run(&s->wave, 10), WAVE_MESSAGE);
	assert_int_equal(s->wave.message, 1);
	assert_int_equal(wave_run(&s->wave, 10), WAVE_SLEEP);
	assert_int_equal(wave_run(&s->wave, 10), WAVE_HALT);
	assert_true(s->wave.pc == CODE_VA + 16);
	s->wave.status &= ~STATUS_HALT;
	assert_int_equal(wave_run(&s->wave, 1), WAVE_BUDGET);
	assert_int_equal(wave_run(&s->wave, 10), WAVE_END);
}

static void changed_code_is_seen_after_its_cache_is_cleared(void **state)
{
	struct shader *s = *state;
	uint32_t other = 0xbe840081 + 1;

	shader_reset(s);
	shader_execute(s, "s_mov_b32 s4, 1\n");
	memcpy(s->code, &other, 4);
	assert_int_equal(shader_run(s), WAVE_END);
	assert_int_equal(s->wave.s[4], 1);
	code_cache_clear(s->wave.code);
	assert_int_equal(shader_run(s), WAVE_END);
	assert_int_equal(s->wave.s[4], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vector_is_added),
		cmocka_unit_test(lanes_outside_exec_do_nothing),
		cmocka_unit_test(a_fault_leaves_the_instruction_to_be_replayed),
		cmocka_unit_test(code_and_scalar_data_fault_too),
		cmocka_unit_test(refused_memory_reads_zero_and_is_noted),
		cmocka_unit_test(a_loop_ends_by_its_branch),
		cmocka_unit_test(an_unknown_instruction_is_named),
		cmocka_unit_test(a_register_that_the_wave_lacks_is_illegal),
		cmocka_unit_test(traps_enter_and_leave_the_handler),
		cmocka_unit_test(events_leave_the_next_instruction),
		cmocka_unit_test(changed_code_is_seen_after_its_cache_is_cleared),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
