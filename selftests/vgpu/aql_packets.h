/* SPDX-License-Identifier: MIT */
/* AQL packets and signals, as the HSA runtime specification and amd_hsa_signal.h lay them out. */
#ifndef SELFTESTS_AQL_PACKETS_H
#define SELFTESTS_AQL_PACKETS_H

#include <stdint.h>

#include "pm4_packets.h"

enum aql_packet_type {
	AQL_VENDOR_SPECIFIC = 0,
	AQL_INVALID = 1,
	AQL_KERNEL_DISPATCH = 2,
	AQL_BARRIER_AND = 3,
	AQL_AGENT_DISPATCH = 4,
	AQL_BARRIER_OR = 5,
};

#define AQL_BARRIER_BIT    (1u << 8)
#define AQL_ACQUIRE_SYSTEM (2u << 9)
#define AQL_RELEASE_SYSTEM (2u << 11)
#define AQL_SYSTEM_SCOPE   (AQL_ACQUIRE_SYSTEM | AQL_RELEASE_SYSTEM)

#define AQL_PACKET_BYTES 64
#define AQL_PM4_IB       1 /* amd_aql_format: a vendor packet that runs PM4 packets */

struct aql_barrier {
	uint16_t header;
	uint16_t reserved0;
	uint32_t reserved1;
	uint64_t dep_signal[5]; /* addresses of struct aql_signal, 0: none */
	uint64_t reserved2;
	uint64_t completion_signal;
};

struct aql_pm4_ib {
	uint16_t header;
	uint16_t vendor_header;
	uint32_t ib_jump_cmd[4];
	uint32_t dw_cnt_remain;
	uint32_t reserved[8];
	uint64_t completion_signal;
};

struct aql_dispatch {
	uint16_t header;
	uint16_t setup; /* number of dimensions */
	uint16_t workgroup_size[3];
	uint16_t reserved0;
	uint32_t grid_size[3];
	uint32_t private_segment_size;
	uint32_t group_segment_size;
	uint64_t kernel_object;
	uint64_t kernarg_address;
	uint64_t reserved2;
	uint64_t completion_signal;
};

union aql_packet {
	struct aql_barrier barrier;
	struct aql_pm4_ib pm4_ib;
	struct aql_dispatch dispatch;
	uint32_t dw[AQL_PACKET_BYTES / 4];
};

_Static_assert(sizeof(struct aql_barrier) == AQL_PACKET_BYTES, "AQL packets have 64 bytes");
_Static_assert(sizeof(struct aql_pm4_ib) == AQL_PACKET_BYTES, "AQL packets have 64 bytes");
_Static_assert(sizeof(struct aql_dispatch) == AQL_PACKET_BYTES, "AQL packets have 64 bytes");

#define AQL_SIGNAL_KIND_USER 1

struct aql_signal {
	int64_t kind;
	int64_t value;
	uint64_t event_mailbox_ptr; /* the event's slot, 0: no interrupt */
	uint32_t event_id;
	uint32_t reserved1;
	uint64_t start_ts;
	uint64_t end_ts;
	uint64_t queue_ptr;
	uint32_t reserved3[2];
};

_Static_assert(sizeof(struct aql_signal) == 64, "a signal has 64 bytes");

/* Fields of amd_queue_t that the packet processor and KFD use. */
#define AMD_QUEUE_WRITE_DISPATCH_ID         56
#define AMD_QUEUE_READ_DISPATCH_ID          128
#define AMD_QUEUE_READ_DISPATCH_ID_BASE_OFF 136

static inline union aql_packet aql_barrier(enum aql_packet_type type, uint64_t completion_signal)
{
	return (union aql_packet){
		.barrier = { .header = (uint16_t)(type | AQL_BARRIER_BIT | AQL_SYSTEM_SCOPE),
			     .completion_signal = completion_signal },
	};
}

static inline union aql_packet aql_pm4_ib(uint64_t ib_va, uint32_t ib_dwords,
					  uint64_t completion_signal)
{
	union aql_packet packet = {
		.pm4_ib = { .header = AQL_VENDOR_SPECIFIC | AQL_BARRIER_BIT | AQL_SYSTEM_SCOPE,
			    .vendor_header = AQL_PM4_IB,
			    .dw_cnt_remain = 10,
			    .completion_signal = completion_signal },
	};

	pm4_indirect_buffer(packet.pm4_ib.ib_jump_cmd, ib_va, ib_dwords);
	return packet;
}

#endif
