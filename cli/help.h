/* What help and man pages share. */
#ifndef SS_CLI_HELP_H
#define SS_CLI_HELP_H

#include "cli.h"

/* What holds for all commands: how values are given, and "Exit status: ..." */
extern const char cli_on_values[], cli_on_exit[];

/* The help of an option with its choices, its default and whether it is required. */
void cli_format_details(const struct cli_use *use, char *out, size_t n_room);

/* "--sae SAE --out PATH [options] RUN", what follows the name of the command. */
void cli_format_usage(const struct cli_command *command, char *out, size_t n_room);

#endif
