// SPDX-License-Identifier: MIT
/* Operands that are the same for all lanes: scalar registers and constants. */
#include "execute.h"

enum { OPERAND_SHARED_BASE = 235, OPERAND_SHARED_LIMIT, OPERAND_PRIVATE_BASE,
       OPERAND_PRIVATE_LIMIT, OPERAND_FLOATS = 240, OPERAND_VCCZ = 251, OPERAND_EXECZ,
       OPERAND_SCC };

static const uint32_t floats32[] = { 0x3f000000, 0xbf000000, 0x3f800000, 0xbf800000, 0x40000000,
				     0xc0000000, 0x40800000, 0xc0800000, 0x3e22f983 };
static const uint16_t floats16[] = { 0x3800, 0xb800, 0x3c00, 0xbc00, 0x4000,
				     0xc000, 0x4400, 0xc400, 0x3118 };
static const uint64_t floats64[] = {
	0x3fe0000000000000, 0xbfe0000000000000, 0x3ff0000000000000,
	0xbff0000000000000, 0x4000000000000000, 0xc000000000000000,
	0x4010000000000000, 0xc010000000000000, 0x3fc45f306dc9c882,
};

static bool integer_constant(unsigned int operand, int32_t *value)
{
	if (operand < 128 || operand > 208)
		return false;
	*value = operand <= 192 ? (int32_t)operand - 128 : 192 - (int32_t)operand;
	return true;
}

static bool float_constant(unsigned int operand, unsigned int *i)
{
	*i = operand - OPERAND_FLOATS;
	return *i < sizeof(floats16) / sizeof(floats16[0]);
}

static uint64_t aperture(const struct wave *wave, unsigned int operand)
{
	switch (operand) {
	case OPERAND_SHARED_BASE:
		return wave->shared_base;
	case OPERAND_SHARED_LIMIT:
		return wave->shared_base | 0xffffffff;
	case OPERAND_PRIVATE_BASE:
		return wave->private_base;
	case OPERAND_PRIVATE_LIMIT:
		return wave->private_base | 0xffffffff;
	default:
		return 0;
	}
}

uint32_t read_scalar32(const struct wave *wave, const struct instruction *in, unsigned int operand)
{
	unsigned int i;
	int32_t value;

	if (operand < 128)
		return read_register(wave, operand);
	if (integer_constant(operand, &value))
		return (uint32_t)value;
	if (float_constant(operand, &i))
		return floats32[i];
	switch (operand) {
	case OPERAND_VCCZ:
		return !wave_s64(wave, SGPR_VCC);
	case OPERAND_EXECZ:
		return !wave_s64(wave, SGPR_EXEC);
	case OPERAND_SCC:
		return wave->scc;
	case OPERAND_LITERAL:
		return in->literal;
	default:
		return (uint32_t)aperture(wave, operand);
	}
}

uint64_t read_scalar64(const struct wave *wave, const struct instruction *in, unsigned int operand,
		       unsigned int type)
{
	unsigned int i;
	int32_t value;

	if (operand < 127)
		return read_register(wave, operand) |
		       (uint64_t)read_register(wave, operand + 1) << 32;
	if (integer_constant(operand, &value))
		return (uint64_t)(int64_t)value;
	if (float_constant(operand, &i))
		return floats64[i];
	/* A literal is the high half of a double. */
	if (operand == OPERAND_LITERAL)
		return type == T_F64 ? (uint64_t)in->literal << 32 : in->literal;
	if (operand >= OPERAND_SHARED_BASE && operand <= OPERAND_PRIVATE_LIMIT)
		return aperture(wave, operand);
	return read_scalar32(wave, in, operand);
}

uint32_t read_constant16(const struct wave *wave, const struct instruction *in,
			 unsigned int operand)
{
	unsigned int i;

	if (float_constant(operand, &i))
		return floats16[i];
	return read_scalar32(wave, in, operand);
}
