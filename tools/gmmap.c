// SPDX-License-Identifier: MIT
#include "command.h"

static const struct command commands[] = {
	{ "image", COMMANDS_FOLLOW, "checkpoints in a store", image_main }, { 0 }
};

int main(int argc, char **argv)
{
	return command_run(commands, "gmmap", argc, argv);
}
