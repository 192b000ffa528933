; SPDX-License-Identifier: MIT
; The inner loop of an sgemm as compilers lay it out: a tile of 8 x 8 accumulators in v[16:79], operands
; from LDS, 1000 steps. s4 counts down, v0 and v1 are the lane's addresses in LDS.
	s_movk_i32 s4, 0x3e8
loop:
	ds_read_b128 v[2:5], v0
	ds_read_b128 v[6:9], v0 offset:16
	ds_read_b128 v[80:83], v1
	ds_read_b128 v[84:87], v1 offset:16
	s_waitcnt lgkmcnt(0)
	v_fmac_f32_e32 v16, v2, v80
	v_fmac_f32_e32 v17, v2, v81
	v_fmac_f32_e32 v18, v2, v82
	v_fmac_f32_e32 v19, v2, v83
	v_fmac_f32_e32 v20, v2, v84
	v_fmac_f32_e32 v21, v2, v85
	v_fmac_f32_e32 v22, v2, v86
	v_fmac_f32_e32 v23, v2, v87
	v_fmac_f32_e32 v24, v3, v80
	v_fmac_f32_e32 v25, v3, v81
	v_fmac_f32_e32 v26, v3, v82
	v_fmac_f32_e32 v27, v3, v83
	v_fmac_f32_e32 v28, v3, v84
	v_fmac_f32_e32 v29, v3, v85
	v_fmac_f32_e32 v30, v3, v86
	v_fmac_f32_e32 v31, v3, v87
	v_fmac_f32_e32 v32, v4, v80
	v_fmac_f32_e32 v33, v4, v81
	v_fmac_f32_e32 v34, v4, v82
	v_fmac_f32_e32 v35, v4, v83
	v_fmac_f32_e32 v36, v4, v84
	v_fmac_f32_e32 v37, v4, v85
	v_fmac_f32_e32 v38, v4, v86
	v_fmac_f32_e32 v39, v4, v87
	v_fmac_f32_e32 v40, v5, v80
	v_fmac_f32_e32 v41, v5, v81
	v_fmac_f32_e32 v42, v5, v82
	v_fmac_f32_e32 v43, v5, v83
	v_fmac_f32_e32 v44, v5, v84
	v_fmac_f32_e32 v45, v5, v85
	v_fmac_f32_e32 v46, v5, v86
	v_fmac_f32_e32 v47, v5, v87
	v_fmac_f32_e32 v48, v6, v80
	v_fmac_f32_e32 v49, v6, v81
	v_fmac_f32_e32 v50, v6, v82
	v_fmac_f32_e32 v51, v6, v83
	v_fmac_f32_e32 v52, v6, v84
	v_fmac_f32_e32 v53, v6, v85
	v_fmac_f32_e32 v54, v6, v86
	v_fmac_f32_e32 v55, v6, v87
	v_fmac_f32_e32 v56, v7, v80
	v_fmac_f32_e32 v57, v7, v81
	v_fmac_f32_e32 v58, v7, v82
	v_fmac_f32_e32 v59, v7, v83
	v_fmac_f32_e32 v60, v7, v84
	v_fmac_f32_e32 v61, v7, v85
	v_fmac_f32_e32 v62, v7, v86
	v_fmac_f32_e32 v63, v7, v87
	v_fmac_f32_e32 v64, v8, v80
	v_fmac_f32_e32 v65, v8, v81
	v_fmac_f32_e32 v66, v8, v82
	v_fmac_f32_e32 v67, v8, v83
	v_fmac_f32_e32 v68, v8, v84
	v_fmac_f32_e32 v69, v8, v85
	v_fmac_f32_e32 v70, v8, v86
	v_fmac_f32_e32 v71, v8, v87
	v_fmac_f32_e32 v72, v9, v80
	v_fmac_f32_e32 v73, v9, v81
	v_fmac_f32_e32 v74, v9, v82
	v_fmac_f32_e32 v75, v9, v83
	v_fmac_f32_e32 v76, v9, v84
	v_fmac_f32_e32 v77, v9, v85
	v_fmac_f32_e32 v78, v9, v86
	v_fmac_f32_e32 v79, v9, v87
	v_add_u32_e32 v0, 4, v0
	v_add_u32_e32 v1, 4, v1
	s_sub_u32 s4, s4, 1
	s_cmp_lg_u32 s4, 0
	s_cbranch_scc1 loop
	s_endpgm
