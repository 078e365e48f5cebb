#ifndef SS_CLI_COMMANDS_H
#define SS_CLI_COMMANDS_H

#include "cli.h"

extern const struct cli_command cli_analyze, cli_show, cli_encode, cli_embed, cli_fill_mask,
    cli_tokenize, cli_inspect, cli_convert, cli_plot, cli_fetch_command, cli_cache,
    cli_completion, cli_manual;

/* What embed and analyze say of --precision; docs/numerics.md has the errors. */
#define CLI_ABOUT_PRECISION                                                                    \
    "--precision trades exactness for speed. Against arithmetic in float64, an embedding is "  \
    "off by at most 1e-6 of its length at highest, 2e-5 at high and 8e-3 at medium; at low, "  \
    "its cosine is 0.997 or more."

#endif
