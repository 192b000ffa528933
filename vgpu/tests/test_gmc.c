// SPDX-License-Identifier: MIT
/* Address translation: the walk through page tables, what is cached of it, and faults. */
#include "device.h"

#define VMID 8
#define PAGE GMC_PAGE_BYTES

static enum gmc_status look(struct device *d, enum hub_id hub, uint8_t vmid, uint64_t va,
			    unsigned int access, struct span *span)
{
	return gmc_translate(d->gpu, &d->gpu->hubs[hub], vmid, va, access, span);
}

static enum gmc_status status(struct device *d, uint64_t va, unsigned int access)
{
	struct span span;

	return look(d, HUB_MM, VMID, va, access, &span);
}

static void assert_at(struct device *d, uint64_t va, uint64_t physical, uint64_t bytes)
{
	struct span span;

	assert_int_equal(look(d, HUB_MM, VMID, va, GMC_READ, &span), GMC_OK);
	assert_int_equal(span.address, physical);
	assert_int_equal(span.bytes, bytes);
}

static void an_entry_absent_at_any_level_is_retried(void **state)
{
	struct device *d = *state;

	device_map(d, VMID, USER_VA, 0x5000 | PTE_RW, PAGE);
	assert_int_equal(status(d, USER_VA, GMC_READ), GMC_OK);
	for (unsigned int level = 0; level < 4; level++) {
		*device_entry(d, VMID, USER_VA, level) &= ~PTE_VALID;
		device_invalidate(d, HUB_MM, VMID);
		assert_int_equal(status(d, USER_VA, GMC_READ), GMC_RETRY);
		*device_entry(d, VMID, USER_VA, level) |= PTE_VALID;
		assert_int_equal(status(d, USER_VA, GMC_READ), GMC_OK);
	}
}

static void what_the_driver_leaves_in_empty_entries_is_retried(void **state)
{
	static const uint64_t ptes[] = {0, PTE_EXECUTABLE, 0x90, 0x100410, 0xe6410};
	struct device *d = *state;

	for (size_t i = 0; i < sizeof(ptes) / sizeof(ptes[0]); i++) {
		*device_entry(d, VMID, USER_VA, 0) = ptes[i];
		assert_int_equal(status(d, USER_VA, GMC_READ), GMC_RETRY);
	}
	*device_entry(d, VMID, USER_VA, 2) = PDE_PTE;
	assert_int_equal(status(d, USER_VA, GMC_READ), GMC_RETRY);
}

static void a_directory_entry_that_is_a_leaf_adds_the_offset(void **state)
{
	struct device *d = *state;

	/* Not aligned to the 2 MiB that it maps. */
	*device_entry(d, VMID, USER_VA, 1) = 0x43000 | PTE_RW | PDE_PTE;
	assert_at(d, USER_VA, 0x43000, 2u << 20);
	assert_at(d, USER_VA + 0x123456, 0x43000 + 0x123456, (2u << 20) - 0x123456);
	assert_at(d, USER_VA + 0x1fffff, 0x43000 + 0x1fffff, 1);
	assert_int_equal(status(d, USER_VA + 0x200000, GMC_READ), GMC_RETRY);
}

static void a_leaf_of_a_gigabyte_maps_what_exists(void **state)
{
	struct device *d = *state;

	*device_entry(d, VMID, USER_VA, 2) = 0x1000 | PTE_RW | PDE_PTE;
	assert_at(d, USER_VA + 0x7654321, 0x7655321, VRAM_BYTES - 0x7655321);
}

static void a_fragment_is_one_translation(void **state)
{
	struct device *d = *state;

	device_map(d, VMID, USER_VA, 0x10000 | PTE_RW | PTE_FRAG(4), 16 * PAGE);
	assert_at(d, USER_VA + 5 * PAGE, 0x15000, 11 * PAGE);
	/* The other entries are not needed any more: they are taken as consecutive. */
	*device_entry(d, VMID, USER_VA + 9 * PAGE, 0) = 0;
	assert_at(d, USER_VA + 9 * PAGE, 0x19000, 7 * PAGE);
	device_invalidate(d, HUB_MM, VMID);
	assert_int_equal(status(d, USER_VA + 9 * PAGE, GMC_READ), GMC_RETRY);
}

static void a_fragment_of_a_leaf_in_a_directory_does_not_reach_beyond_it(void **state)
{
	struct device *d = *state;

	*device_entry(d, VMID, USER_VA, 1) = 0x200000 | PTE_RW | PDE_PTE | PTE_FRAG(18);
	assert_at(d, USER_VA, 0x200000, 2u << 20);
	assert_int_equal(status(d, USER_VA + (2u << 20), GMC_READ), GMC_RETRY);
}

static void the_no_retry_patterns_are_not_retried(void **state)
{
	struct device *d = *state;

	*device_entry(d, VMID, USER_VA, 0) = PTE_NORETRY_TF;
	assert_int_equal(status(d, USER_VA, GMC_READ), GMC_NORETRY);
	for (unsigned int level = 0; level < 4; level++) {
		uint64_t *entry = device_entry(d, VMID, USER_VA + PAGE, level), old = *entry;

		*entry = PTE_NORETRY;
		assert_int_equal(status(d, USER_VA + PAGE, GMC_READ), GMC_NORETRY);
		*entry = old;
	}
}

static void partially_resident_pages_read_zeros_and_swallow_writes(void **state)
{
	struct device *d = *state;
	struct ring r;
	struct buffer b = device_alloc(d, VMID, 2 * PAGE);

	start_sdma(d, &r, 0, 2, VMID, 256);
	*device_entry(d, VMID, HOLE_VA, 0) = PTE_PRT;
	assert_int_equal(status(d, HOLE_VA, GMC_READ), GMC_PRT);
	b.u32[0] = 7;
	EMIT(&r, SDMA_COPY(b.va, HOLE_VA, 8));
	EMIT(&r, SDMA_WRITE32(HOLE_VA, 1));
	assert_true(run(&r));
	assert_true(ring_empty(&r));
	assert_int_equal(b.u32[0], 0);
	assert_int_equal(d->gpu->stats.noretry_faults, 0);
}

static void a_prt_bit_in_a_directory_means_nothing(void **state)
{
	struct device *d = *state;

	*device_entry(d, VMID, HOLE_VA, 1) = PTE_PRT;
	assert_int_equal(status(d, HOLE_VA, GMC_READ), GMC_RETRY);
}

static void the_depth_of_a_context_is_obeyed(void **state)
{
	static const uint64_t vas[4] = {0x3000, 0x403000, 0x40403000, 0x8040403000};
	struct device *d = *state;

	for (unsigned int depth = 0; depth < 4; depth++) {
		uint64_t va = vas[depth], table = device_vram(d, PAGE);
		struct span span;

		reg_out(d, MMVM_CONTEXT0_CNTL + VM_CONTEXT_CNTL(VMID), 0x81 | depth << 1);
		reg_out(d, MMVM_CONTEXT0_CNTL + VM_CONTEXT_PT_BASE(VMID), LO(table | PTE_VALID));
		for (unsigned int level = depth;; level--) {
			uint64_t *at = (uint64_t *)(void *)(d->gpu->mem.vram + table) +
				       (va >> (12 + 9 * level) & 511);

			if (!level) {
				*at = 0x77000 | PTE_RW;
				break;
			}
			table = device_vram(d, PAGE);
			*at = table | PTE_VALID;
		}
		assert_int_equal(look(d, HUB_MM, VMID, va, GMC_READ, &span), GMC_OK);
		assert_int_equal(span.address, 0x77000);
	}
}

static void page_tables_may_lie_in_guest_memory(void **state)
{
	struct device *d = *state;
	struct buffer table = device_alloc(d, VMID, PAGE);

	*device_entry(d, VMID, HOLE_VA, 1) = table.bus | PTE_VALID | PTE_SYSTEM;
	table.u64[HOLE_VA >> 12 & 511] = 0x9000 | PTE_RW;
	assert_at(d, HOLE_VA, 0x9000, PAGE);
}

static void addresses_outside_of_the_context_are_not_retried(void **state)
{
	struct device *d = *state;
	uint32_t base = MMVM_CONTEXT0_CNTL;

	device_map(d, VMID, USER_VA, 0x5000 | PTE_RW, 4 * PAGE);
	reg_out(d, base + VM_CONTEXT_PT_START(VMID), LO((USER_VA >> 12) + 1));
	reg_out(d, base + VM_CONTEXT_PT_START(VMID) + 4, HI((USER_VA >> 12) + 1));
	reg_out(d, base + VM_CONTEXT_PT_END(VMID), LO((USER_VA >> 12) + 2));
	reg_out(d, base + VM_CONTEXT_PT_END(VMID) + 4, HI((USER_VA >> 12) + 2));
	assert_int_equal(status(d, USER_VA, GMC_READ), GMC_NORETRY);
	assert_int_equal(status(d, USER_VA + PAGE, GMC_READ), GMC_OK);
	assert_int_equal(status(d, USER_VA + 2 * PAGE, GMC_READ), GMC_OK);
	assert_int_equal(status(d, USER_VA + 3 * PAGE, GMC_READ), GMC_NORETRY);
}

static void a_disabled_context_is_not_retried(void **state)
{
	struct device *d = *state;

	device_map(d, VMID, USER_VA, 0x5000 | PTE_RW, PAGE);
	reg_out(d, MMVM_CONTEXT0_CNTL + VM_CONTEXT_CNTL(VMID), CONTEXT_CNTL & ~1u);
	assert_int_equal(status(d, USER_VA, GMC_READ), GMC_NORETRY);
	reg_out(d, MMVM_CONTEXT0_CNTL + VM_CONTEXT_CNTL(VMID), CONTEXT_CNTL & ~0x80u);
	assert_int_equal(status(d, USER_VA, GMC_READ), GMC_OK);
	assert_int_equal(status(d, USER_VA + PAGE, GMC_READ), GMC_NORETRY);
}

static void only_48_bits_of_an_address_count(void **state)
{
	struct device *d = *state;

	device_map(d, VMID, USER_VA, 0x5000 | PTE_RW, PAGE);
	assert_at(d, USER_VA | 0xffffULL << 48, 0x5000, PAGE);
}

static void vmid_0_sees_vram_at_its_place(void **state)
{
	struct device *d = *state;
	struct span span;

	assert_int_equal(look(d, HUB_GFX, 0, GMC_VRAM_BASE + 0x1234, GMC_WRITE, &span), GMC_OK);
	assert_int_equal(span.address, 0x1234);
	assert_true(span.bytes >= PAGE - 0x234 && span.bytes <= VRAM_BYTES - 0x1234);
	assert_int_equal(look(d, HUB_GFX, 0, GMC_VRAM_BASE + VRAM_BYTES, GMC_READ, &span),
			 GMC_NORETRY);
	assert_int_equal(look(d, HUB_GFX, 0, GMC_VRAM_BASE - 1, GMC_READ, &span), GMC_NORETRY);
	/* A user VMID does not. */
	assert_int_equal(look(d, HUB_GFX, VMID, GMC_VRAM_BASE, GMC_READ, &span), GMC_RETRY);
}

static void vmid_0_sees_the_rest_through_the_gart(void **state)
{
	struct device *d = *state;
	uint64_t *gart = (uint64_t *)(void *)(d->gpu->mem.vram + d->roots[0]);
	struct span span;

	gart[3] = (GUEST_BUS + 0x8000) | PTE_GUEST | PTE_FRAG(9);
	assert_int_equal(look(d, HUB_MM, 0, GART_VA + 0x3010, GMC_WRITE, &span), GMC_OK);
	assert_true(span.system && span.ptr);
	assert_int_equal(span.address, GUEST_BUS + 0x8010);
	assert_int_equal(span.bytes, PAGE - 0x10); /* no fragments here */
	assert_int_equal(look(d, HUB_MM, 0, GART_VA, GMC_READ, &span), GMC_NORETRY);
	assert_int_equal(look(d, HUB_MM, 0, GART_VA - PAGE, GMC_READ, &span), GMC_NORETRY);
	assert_int_equal(look(d, HUB_MM, 0, GART_VA + GART_PAGES * PAGE, GMC_READ, &span),
			 GMC_NORETRY);
}

static void a_page_at_an_address_without_memory_answers_nothing(void **state)
{
	struct device *d = *state;
	struct span span;
	uint64_t value = 0;

	device_map(d, VMID, USER_VA, (VRAM_BYTES + 0x10000) | PTE_RW, PAGE);
	device_map(d, VMID, USER_VA + PAGE, 0x900000000ULL | PTE_GUEST, PAGE);
	for (int i = 0; i < 2; i++) {
		uint64_t va = USER_VA + i * PAGE + 8;

		assert_int_equal(look(d, HUB_MM, VMID, va, GMC_READ, &span), GMC_OK);
		assert_null(span.ptr);
		assert_int_equal(span.bytes, PAGE - 8);
		mem_read(&d->gpu->mem, &span, 0, &value, 8);
		assert_true(value == UINT64_MAX);
	}
}

static void a_missing_permission_is_retried_and_may_be_upgraded(void **state)
{
	struct device *d = *state;
	uint64_t *pte = device_entry(d, VMID, USER_VA, 0);

	*pte = 0x5000 | PTE_VALID | PTE_READABLE;
	assert_int_equal(status(d, USER_VA, GMC_READ), GMC_OK);
	assert_int_equal(status(d, USER_VA, GMC_WRITE), GMC_RETRY);
	assert_int_equal(status(d, USER_VA, GMC_EXEC), GMC_RETRY);
	*pte |= PTE_WRITEABLE;
	/* Without an invalidation: what is not allowed by the cache is looked up. */
	assert_int_equal(status(d, USER_VA, GMC_WRITE), GMC_OK);
	assert_int_equal(status(d, USER_VA, GMC_READ), GMC_OK);
}

static void a_translation_stays_until_its_vmid_is_invalidated(void **state)
{
	struct device *d = *state;

	device_map(d, VMID, USER_VA, 0x5000 | PTE_RW, PAGE);
	assert_at(d, USER_VA, 0x5000, PAGE);
	*device_entry(d, VMID, USER_VA, 0) = 0;
	assert_at(d, USER_VA, 0x5000, PAGE);
	device_invalidate(d, HUB_MM, 9);
	device_invalidate(d, HUB_GFX, VMID);
	assert_at(d, USER_VA, 0x5000, PAGE);
	device_invalidate(d, HUB_MM, VMID);
	assert_int_equal(status(d, USER_VA, GMC_READ), GMC_RETRY);
}

static void absence_is_not_cached(void **state)
{
	struct device *d = *state;

	assert_int_equal(status(d, USER_VA, GMC_READ), GMC_RETRY);
	device_map(d, VMID, USER_VA, 0x5000 | PTE_RW, PAGE);
	assert_int_equal(status(d, USER_VA, GMC_READ), GMC_OK);
}

static void another_page_table_root_ends_old_translations(void **state)
{
	struct device *d = *state;

	device_map(d, VMID, USER_VA, 0x5000 | PTE_RW, PAGE);
	assert_at(d, USER_VA, 0x5000, PAGE);
	device_bind(d, VMID);
	assert_int_equal(status(d, USER_VA, GMC_READ), GMC_RETRY);
}

/* Caches USER_VA on both hubs and takes the page away behind their backs. */
static void make_stale(struct device *d)
{
	struct span span;

	device_map(d, VMID, USER_VA, 0x5000 | PTE_RW, PAGE);
	for (int hub = 0; hub < NUM_HUBS; hub++)
		assert_int_equal(look(d, hub, VMID, USER_VA, GMC_READ, &span), GMC_OK);
	*device_entry(d, VMID, USER_VA, 0) = 0;
}

static bool is_stale(struct device *d, enum hub_id hub)
{
	struct span span;

	return look(d, hub, VMID, USER_VA, GMC_READ, &span) == GMC_OK;
}

static void invalidation_by_pasid_reaches_the_hubs_that_it_names(void **state)
{
	struct device *d = *state;
	struct ring kiq;

	start_kiq(d, &kiq);
	make_stale(d);
	EMIT(&kiq, PM4(0x98, 1), 0x8009 << 5 | 1 << 4 | 1); /* another PASID */
	assert_true(run(&kiq));
	assert_true(is_stale(d, HUB_GFX) && is_stale(d, HUB_MM));
	EMIT(&kiq, PM4(0x98, 1), 0x8008 << 5 | 1);
	assert_true(run(&kiq));
	assert_true(!is_stale(d, HUB_GFX) && is_stale(d, HUB_MM));
	make_stale(d);
	EMIT(&kiq, PM4(0x98, 1), 0x8008 << 5 | 1 << 4 | 1);
	assert_true(run(&kiq));
	assert_true(!is_stale(d, HUB_GFX) && !is_stale(d, HUB_MM));
}

static void a_no_retry_fault_is_latched_until_it_is_cleared(void **state)
{
	struct device *d = *state;
	uint32_t base = MMVM_CONTEXT0_CNTL, dw[8];
	struct hub *hub = &d->gpu->hubs[HUB_MM];

	gmc_report_fault(d->gpu, hub, VMID, 0x7f4912345678, GMC_WRITE);
	assert_int_equal(reg_in(d, base + VM_L2_FAULT_STATUS), 1 << 18 | 1 << 4 | VMID << 20);
	assert_int_equal(reg_in(d, base + VM_L2_FAULT_ADDR_LO), 0xf4912345);
	assert_int_equal(reg_in(d, base + VM_L2_FAULT_ADDR_HI), 0x7);
	assert_true(device_iv_raw(d, dw, true));
	assert_int_equal(dw[0], 0x12 | VMID << 24 | 1u << 31);
	assert_int_equal(dw[3], 0x8000 + VMID);
	assert_int_equal(dw[4], 0xf4912345);
	assert_int_equal(dw[5], 0x20 | 7);
	gmc_report_fault(d->gpu, hub, 9, 0x1000, GMC_READ);
	assert_int_equal(reg_in(d, base + VM_L2_FAULT_STATUS), 1 << 18 | 1 << 4 | VMID << 20 | 1);
	assert_int_equal(reg_in(d, base + VM_L2_FAULT_ADDR_LO), 0xf4912345);
	reg_out(d, base + VM_L2_FAULT_CNTL, 1);
	assert_int_equal(reg_in(d, base + VM_L2_FAULT_STATUS), 0);
	assert_int_equal(reg_in(d, GCVM_CONTEXT0_CNTL + VM_L2_FAULT_STATUS), 0);
}

static void a_storm_of_no_retry_faults_leaves_room_for_other_interrupts(void **state)
{
	struct device *d = *state;
	struct ring bad, good;
	uint32_t dw[8];

	device_ih(d, 5); /* three vectors */
	start_sdma(d, &bad, 0, 2, VMID, 256);
	start_sdma(d, &good, 1, 2, 9, 256);
	for (uint64_t i = 0; i < 3; i++)
		*device_entry(d, VMID, HOLE_VA + (i << 21), 1) = PTE_NORETRY;
	for (int i = 0; i < 4; i++)
		EMIT(&bad, SDMA_COPY(HOLE_VA, HOLE_VA + 0x1000, 4u << 20));
	EMIT(&good, 6, 77);
	kick(&good);
	kick(&bad);
	device_run(d);
	for (int i = 0; i < 100000 && !(ring_empty(&bad) && ring_empty(&good)); i++) {
		while (device_iv_raw(d, dw, true))
			;
		device_run_for(d, 1000000);
	}
	assert_true(ring_empty(&bad) && ring_empty(&good));
	assert_int_equal(d->gpu->stats.ivs_dropped, 0);
	assert_true(d->gpu->stats.noretry_faults >= 4 * 2048);
}

static void the_cache_survives_more_pages_than_it_has_entries(void **state)
{
	struct device *d = *state;
	struct span span;

	device_map(d, VMID, USER_VA, PTE_RW, 2ULL * TLB_ENTRIES * PAGE);
	for (int round = 0; round < 2; round++) {
		for (uint64_t page = 0; page < 2 * TLB_ENTRIES; page++) {
			assert_int_equal(
				look(d, HUB_GFX, VMID, USER_VA + page * PAGE, GMC_READ, &span),
				GMC_OK);
			assert_int_equal(span.address, page * PAGE);
		}
	}
}

static void the_semaphore_of_an_invalidation_engine_is_granted(void **state)
{
	assert_int_equal(reg_in(*state, MMVM_CONTEXT0_CNTL + VM_INVALIDATE_SEM(3)), 1);
	reg_out(*state, MMVM_CONTEXT0_CNTL + VM_INVALIDATE_ACK(3), 5);
	assert_int_equal(reg_in(*state, MMVM_CONTEXT0_CNTL + VM_INVALIDATE_ACK(3)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_entry_absent_at_any_level_is_retried),
		T(what_the_driver_leaves_in_empty_entries_is_retried),
		T(a_directory_entry_that_is_a_leaf_adds_the_offset),
		T(a_leaf_of_a_gigabyte_maps_what_exists),
		T(a_fragment_is_one_translation),
		T(a_fragment_of_a_leaf_in_a_directory_does_not_reach_beyond_it),
		T(the_no_retry_patterns_are_not_retried),
		T(partially_resident_pages_read_zeros_and_swallow_writes),
		T(a_prt_bit_in_a_directory_means_nothing),
		T(the_depth_of_a_context_is_obeyed),
		T(page_tables_may_lie_in_guest_memory),
		T(addresses_outside_of_the_context_are_not_retried),
		T(a_disabled_context_is_not_retried),
		T(only_48_bits_of_an_address_count),
		T(vmid_0_sees_vram_at_its_place),
		T(vmid_0_sees_the_rest_through_the_gart),
		T(a_page_at_an_address_without_memory_answers_nothing),
		T(a_missing_permission_is_retried_and_may_be_upgraded),
		T(a_translation_stays_until_its_vmid_is_invalidated),
		T(absence_is_not_cached),
		T(another_page_table_root_ends_old_translations),
		T(invalidation_by_pasid_reaches_the_hubs_that_it_names),
		T(a_no_retry_fault_is_latched_until_it_is_cleared),
		T(a_storm_of_no_retry_faults_leaves_room_for_other_interrupts),
		T(the_cache_survives_more_pages_than_it_has_entries),
		T(the_semaphore_of_an_invalidation_engine_is_granted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
