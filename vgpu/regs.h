/* SPDX-License-Identifier: MIT */
/*
 * Registers of a Vega20 that do more than remember what was written, by their vendor names.
 * Values are byte offsets in BAR5. Sources: vega20_ip_offset.h and the asic_reg headers of Linux'
 * amdgpu (nbio_7_4, gc_9_0, mmhub_1_0, osssys_4_2_0, sdma0_4_2, athub_1_0, hdp_4_0, mp_9_0).
 */
#ifndef VGPU_REGS_H
#define VGPU_REGS_H

#include "pci.h"

#define REG_BAR_BYTES  PCI_REGISTER_BAR_BYTES
#define REG_BAR_DWORDS (REG_BAR_BYTES / 4)

/* NBIO: the bus interface. */
#define MM_INDEX			  0x0000
#define MM_DATA				  0x0004
#define MM_INDEX_HI			  0x0018
#define PCIE_INDEX2			  0x0038
#define PCIE_DATA2			  0x003c
#define BIOS_SCRATCH_7			  0x014c
#define RCC_CONFIG_MEMSIZE		  0x378c
#define RCC_IOV_FUNC_IDENTIFIER		  0x3794
#define GPU_HDP_FLUSH_REQ		  0x3898
#define GPU_HDP_FLUSH_DONE		  0x389c
#define MM_INDEX_VRAM			  0x80000000u /* the index is a VRAM offset */

/* ATHUB: the PASID of each VMID, as address translation sees it. */
#define ATC_VMID_PASID_MAPPING_UPDATE_STATUS 0x30ac
#define ATC_VMID0_PASID_MAPPING		     0x30b0 /* + 4 * vmid */
#define ATC_PASID_MAPPING_VALID		     0x80000000u

/* OSSSYS: interrupt handler. */
#define IH_VMID_0_LUT		 0x4280 /* + 4 * vmid: PASID, for the GFX hub */
#define IH_VMID_0_LUT_MM	 0x42c0 /* ... for the MM hub */
#define IH_RB_CNTL		 0x4480
#define IH_RB_BASE		 0x4484
#define IH_RB_BASE_HI		 0x4488
#define IH_RB_RPTR		 0x448c
#define IH_RB_WPTR		 0x4490
#define IH_RB_WPTR_ADDR_HI	 0x4494
#define IH_RB_WPTR_ADDR_LO	 0x4498
#define IH_DOORBELL_RPTR	 0x449c
#define IH_DOORBELL_RETRY_CAM	 0x44a0
#define IH_RETRY_INT_CAM_CNTL	 0x4624
#define IH_RB_CNTL_ENABLE	 0x00000001u
#define IH_RB_CNTL_ENABLE_INTR	 0x00020000u
#define IH_RB_CNTL_WPTR_WB	 0x00000100u
#define IH_RB_CNTL_SIZE(v)	 (((v) >> 1) & 0x1f) /* log2 of dwords */
#define IH_DOORBELL_ENABLE	 0x10000000u
#define IH_DOORBELL_OFFSET(v)	 ((v) & 0x03ffffffu) /* in dwords */

/* SDMA0; SDMA1 lies SDMA_STRIDE higher. Ring n: 0 GFX, 1 PAGE, 2.. RLC0... */
#define SDMA0_BASE	       0x4980
#define SDMA_STRIDE	       0x1800
#define SDMA_BLOCK_BYTES       0x1400
#define SDMA_CNTL	       0x0070 /* from here on relative to SDMAn_BASE */
#define SDMA_STATUS_REG	       0x0094
#define SDMA_F32_CNTL	       0x00a8
#define SDMA_RING0	       0x0200
#define SDMA_RING_STRIDE       0x0180
#define SDMA_RB_CNTL	       0x0000 /* relative to the ring */
#define SDMA_RB_BASE	       0x0004
#define SDMA_RB_BASE_HI	       0x0008
#define SDMA_RB_RPTR	       0x000c
#define SDMA_RB_RPTR_HI	       0x0010
#define SDMA_RB_WPTR	       0x0014
#define SDMA_RB_WPTR_HI	       0x0018
#define SDMA_RB_RPTR_ADDR_HI   0x0020
#define SDMA_RB_RPTR_ADDR_LO   0x0024
#define SDMA_IB_OFFSET	       0x0030
#define SDMA_IB_BASE_LO	       0x0034
#define SDMA_IB_BASE_HI	       0x0038
#define SDMA_IB_SIZE	       0x003c
#define SDMA_CONTEXT_STATUS    0x0044
#define SDMA_DOORBELL	       0x0048
#define SDMA_DOORBELL_OFFSET   0x00ac
#define SDMA_RB_ENABLE	       0x00000001u
#define SDMA_RB_SIZE(v)	       (((v) >> 1) & 0x1f) /* log2 of dwords */
#define SDMA_RPTR_WRITEBACK    0x00001000u
#define SDMA_RB_VMID(v)	       (((v) >> 24) & 0xf)
#define SDMA_DOORBELL_ENABLE   0x10000000u
#define SDMA_DOORBELL_BYTES(v) ((v) & 0x0ffffffcu)
#define SDMA_F32_HALT	       0x00000001u
#define SDMA_STATUS_IDLE       0xffffffffu
#define SDMA_CONTEXT_IDLE      0x00000004u
#define SDMA_MQD_DWORDS	       19 /* of the MQD that mirror RB_CNTL .. DOORBELL */

/* GRBM and the command processor. */
#define GRBM_STATUS2		  0x8008
#define GRBM_STATUS		  0x8010
#define GRBM_GFX_CNTL		  0x8088
#define SH_MEM_BASES		  0x8c28 /* these are banked by the VMID in GRBM_GFX_CNTL */
#define SH_MEM_CONFIG		  0x8c34
#define SQ_SHADER_TBA_LO	  0x8c70
#define SQ_SHADER_TBA_HI	  0x8c74
#define SQ_SHADER_TMA_LO	  0x8c78
#define SQ_SHADER_TMA_HI	  0x8c7c
#define GRBM_GFX_VMID(v)	  (((v) >> 4) & 0xf)
#define SH_MEM_RETRY_DISABLE	  0x00001000u
#define CP_ME_CNTL		  0x86d8
#define CP_MEC_CNTL		  0x8234
#define CP_RB0_BASE		  0xc100
#define CP_RB0_CNTL		  0xc104
#define CP_RB0_RPTR_ADDR	  0xc10c
#define CP_RB0_RPTR_ADDR_HI	  0xc110
#define CP_RB0_WPTR		  0xc150
#define CP_RB0_WPTR_HI		  0xc154
#define CP_RB_DOORBELL_CONTROL	  0xc164
#define CP_RB0_BASE_HI		  0xc2c4
#define CP_RB0_RPTR		  0x8700
#define CPC_INT_STATUS		  0xc2d4
#define CP_PQ_WPTR_POLL_CNTL1	  0xc210
#define CP_ME_HALT_MASK		  0x15000000u /* CE, PFP, ME */
#define CP_MEC_HALT_MASK	  0x50000000u /* ME1, ME2 */
#define CP_RB_DOORBELL_ENABLE	  0x40000000u
#define CP_DOORBELL_BYTES(v)	  ((v) & 0x0ffffffcu)
#define CPC_INT_GENERIC2	  0x20000000u

/* A hardware queue descriptor: banked by GRBM_GFX_CNTL, register i is dword 128 + i of the MQD. */
#define CP_HQD_FIRST		  0xc914
#define CP_HQD_DWORDS		  80
#define CP_MQD_BASE_ADDR	  0xc914
#define CP_MQD_BASE_ADDR_HI	  0xc918
#define CP_HQD_ACTIVE		  0xc91c
#define CP_HQD_VMID		  0xc920
#define CP_HQD_PQ_BASE		  0xc934
#define CP_HQD_PQ_BASE_HI	  0xc938
#define CP_HQD_PQ_RPTR		  0xc93c
#define CP_HQD_PQ_RPTR_REPORT	  0xc940
#define CP_HQD_PQ_RPTR_REPORT_HI  0xc944
#define CP_HQD_PQ_WPTR_POLL	  0xc948
#define CP_HQD_PQ_WPTR_POLL_HI	  0xc94c
#define CP_HQD_PQ_DOORBELL	  0xc950
#define CP_HQD_PQ_CONTROL	  0xc958
#define CP_HQD_DEQUEUE_REQUEST	  0xc974
#define CP_HQD_CTX_SAVE_BASE	  0xc9c0
#define CP_HQD_CNTL_STACK_OFFSET  0xc9cc
#define CP_HQD_CNTL_STACK_SIZE	  0xc9d0
#define CP_HQD_WG_STATE_OFFSET	  0xc9d4
#define CP_HQD_CTX_SAVE_SIZE	  0xc9d8
#define CP_HQD_AQL_CONTROL	  0xc9e8
#define CP_HQD_PQ_WPTR_LO	  0xc9ec
#define CP_HQD_PQ_WPTR_HI	  0xc9f0
#define CP_HQD_DOORBELL_ENABLE	  0x40000000u
#define CP_HQD_QUEUE_SIZE(v)	  ((v) & 0x3f) /* log2 of dwords, less one */
#define MQD_DISPATCH_INITIATOR	  1 /* dwords of a v9_mqd */
#define MQD_RESTART_X		  28
#define MQD_START_CLOCK		  88 /* cp_mqd_connect_start_time */
#define MQD_HQD_DWORD		  128
#define MQD_DOORBELL_ID0	  240 /* HIQ: doorbell of a queue that would not be preempted */

/* RLC. */
#define RLC_SAFE_MODE			0x3b014
#define RLC_GPU_CLOCK_COUNT_LSB		0x3b090
#define RLC_GPU_CLOCK_COUNT_MSB		0x3b094
#define RLC_CAPTURE_GPU_CLOCK_COUNT	0x3b098
#define RLC_SERDES_CU_MASTER_BUSY	0x3b184
#define RLC_SERDES_NONCU_MASTER_BUSY	0x3b188

/* The two hubs have the same layout around VM_CONTEXT0_CNTL. */
#define GCVM_CONTEXT0_CNTL	  0x0a200
#define MMVM_CONTEXT0_CNTL	  0x69b00
#define VM_CONTEXT_CNTL(n)	  (4 * (n)) /* relative to VM_CONTEXT0_CNTL */
#define VM_INVALIDATE_SEM(e)	  (0x044 + 4 * (e))
#define VM_INVALIDATE_REQ(e)	  (0x08c + 4 * (e))
#define VM_INVALIDATE_ACK(e)	  (0x0d4 + 4 * (e))
#define VM_CONTEXT_PT_BASE(n)	  (0x1ac + 8 * (n))
#define VM_CONTEXT_PT_START(n)	  (0x22c + 8 * (n))
#define VM_CONTEXT_PT_END(n)	  (0x2ac + 8 * (n))
#define VM_L2_FAULT_CNTL	  (-0x0e4)
#define VM_L2_FAULT_STATUS	  (-0x0d4)
#define VM_L2_FAULT_ADDR_LO	  (-0x0d0)
#define VM_L2_FAULT_ADDR_HI	  (-0x0cc)
#define VM_INVALIDATE_ENGINES	  18
#define GC_MC_VM_FB_OFFSET	  0x0a5ac
#define GC_MC_VM_FB_LOCATION_BASE 0x0a600
#define GC_MC_VM_FB_LOCATION_TOP  0x0a604
#define MM_MC_VM_FB_OFFSET	  0x6a05c
#define MM_MC_VM_FB_LOCATION_BASE 0x6a0b0
#define MM_MC_VM_FB_LOCATION_TOP  0x6a0b4

#define VM_CONTEXT_ENABLE	  0x00000001u
#define VM_CONTEXT_DEPTH(v)	  (((v) >> 1) & 3)
#define VM_CONTEXT_RETRY	  0x00000080u

/* MP0 and SMUIO. */
#define MP0_SMN_C2PMSG_33 0x58184
#define MP0_SMN_C2PMSG_35 0x5818c
#define MP0_SMN_C2PMSG_36 0x58190
#define MP0_SMN_C2PMSG_64 0x58200
#define MP0_SMN_C2PMSG_67 0x5820c
#define MP0_SMN_C2PMSG_69 0x58214
#define MP0_SMN_C2PMSG_70 0x58218
#define MP0_SMN_C2PMSG_71 0x5821c
#define MP0_SMN_C2PMSG_81 0x58244
#define SMUIO_ROM_INDEX	  0x5a390
#define SMUIO_ROM_DATA	  0x5a394

#endif
