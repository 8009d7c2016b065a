/* The commands, each in a file of its name. */
#ifndef WINNOW_COMMANDS_H
#define WINNOW_COMMANDS_H

#include "args.h"

extern const command command_devices, command_stages, command_reduce, command_encode, command_show,
    command_bench, command_bench_e2e;

#endif /* WINNOW_COMMANDS_H */
