/* SPDX-License-Identifier: MIT */
/* The face of a cube that a direction points at, and the coordinates there. */
#ifndef VGPU_SHADER_CUBE_H
#define VGPU_SHADER_CUBE_H

INLINE bool major_z(float a, float b, float c)
{
	return fabsf(c) >= fabsf(a) && fabsf(c) >= fabsf(b);
}

INLINE bool major_y(float a, float b, float c)
{
	return !major_z(a, b, c) && fabsf(b) >= fabsf(a);
}

INLINE float cube_id(float a, float b, float c)
{
	if (major_z(a, b, c))
		return c < 0 ? 5.0f : 4.0f;
	if (major_y(a, b, c))
		return b < 0 ? 3.0f : 2.0f;
	return a < 0 ? 1.0f : 0.0f;
}

INLINE float cube_sc(float a, float b, float c)
{
	if (major_z(a, b, c))
		return c < 0 ? -a : a;
	if (major_y(a, b, c))
		return a;
	return a < 0 ? c : -c;
}

INLINE float cube_tc(float a, float b, float c)
{
	if (major_z(a, b, c))
		return -b;
	if (major_y(a, b, c))
		return b < 0 ? -c : c;
	return -b;
}

INLINE float cube_ma(float a, float b, float c)
{
	return 2.0f * (major_z(a, b, c) ? c : major_y(a, b, c) ? b : a);
}

#endif
