/* SPDX-License-Identifier: MIT */
/* The event trace: one JSON object a line, {"ns":..., "event":"...", ...}. */
#ifndef VGPU_TRACE_H
#define VGPU_TRACE_H

struct vgpu;

/* fields is a printf format that makes the object's further members. */
#define trace(dev, event, ...)                                                                     \
	do {                                                                                       \
		if ((dev)->trace_file)                                                             \
			trace_write(dev, event, __VA_ARGS__);                                      \
	} while (0)

void trace_write(struct vgpu *dev, const char *event, const char *fields, ...)
	__attribute__((format(printf, 3, 4)));

/* Something that the guest did wrong or that is not modelled: to stderr, and into the trace. */
void error(struct vgpu *dev, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
