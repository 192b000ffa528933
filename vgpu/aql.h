/* SPDX-License-Identifier: MIT */
#ifndef VGPU_AQL_H
#define VGPU_AQL_H

struct queue;

/* Executes one AQL packet (HSA Platform System Architecture Specification, 2.9); enum step. */
int aql_execute(struct queue *q);

#endif
