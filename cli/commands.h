#ifndef SS_CLI_COMMANDS_H
#define SS_CLI_COMMANDS_H

#include "cli.h"

extern const struct cli_command cli_analyze, cli_embed, cli_fill_mask, cli_tokenize,
    cli_inspect, cli_convert, cli_plot, cli_fetch_command, cli_cache, cli_completion,
    cli_manual;

#endif
