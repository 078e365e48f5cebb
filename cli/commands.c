/* The table of commands. A command's own entry stands in its cmd_<verb>.c. */
#include "commands.h"

const struct cli_command *const cli_commands[] = {
    /* clang-format off: one a line */
    &cli_analyze,  &cli_plan,          &cli_merge,    &cli_describe,   &cli_score,
    &cli_families, &cli_map,           &cli_show,     &cli_search,     &cli_diff,
    &cli_report,   &cli_view,          &cli_train,    &cli_evaluate,   &cli_encode,
    &cli_embed,    &cli_fill_mask,     &cli_tokenize, &cli_inspect,    &cli_convert,
    &cli_plot,     &cli_fetch_command, &cli_cache,    &cli_completion, &cli_manual,
    /* clang-format on */
};
const size_t cli_n_commands = sizeof cli_commands / sizeof cli_commands[0];
