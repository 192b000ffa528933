/* SPDX-License-Identifier: MIT */
/* layers.h - the layers of MobileNetV2 as kernels */
#ifndef MOBILENET_LAYERS_H
#define MOBILENET_LAYERS_H

#include "network.h"

/* Queues a layer. A residual of NULL adds nothing. All memory is the device's. */
void layer_launch(const struct layer *layer, const float *weight, const float *bias,
		  const float *source, const float *residual, float *target);

#endif
