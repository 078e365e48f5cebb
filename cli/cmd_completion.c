/* saescope completion and saescope manual: what a shell and man(1) want to know. */
#include <string.h>

#include "commands.h"

static const struct {
    const char *name;
    void (*write)(FILE *to);
} shells[] = {
    {"bash", cli_complete_bash}, {"zsh", cli_complete_zsh}, {"fish", cli_complete_fish}};

static int completion(const struct cli_command *command, const struct cli_values *values)
{
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        if (strcmp(values->arguments[0], shells[i].name) == 0) {
            shells[i].write(stdout);
            return CLI_OK;
        }
    }
    return cli_usage_error(command, "'%s' is not one of bash, zsh, fish", values->arguments[0]);
}

const struct cli_command cli_completion = {
    .name = "completion",
    .summary = "a completion script for bash, zsh or fish",
    .argument = "SHELL",
    .argument_choices = (const char *const[]){"bash", "zsh", "fish", NULL},
    .n_least = 1,
    .n_most = 1,
    .about =
        "Prints a script that lets the shell complete commands and options. SHELL is bash, zsh "
        "or fish.",
    .examples = {{"source <(saescope completion bash)", "for this shell"},
                 {"saescope completion fish > ~/.config/fish/completions/saescope.fish",
                  "permanently"}},
    .uses = {{OPT_HELP, false, NULL, NULL}},
    .run = completion,
};

static int manual(const struct cli_command *command, const struct cli_values *values)
{
    if (values->n_arguments == 0) {
        cli_man_overview(stdout);
        return CLI_OK;
    }
    const struct cli_command *subject = cli_command_find(values->arguments[0]);
    if (subject == NULL) {
        return cli_usage_error(command, "'%s' is not a command", values->arguments[0]);
    }
    cli_man_command(subject, stdout);
    return CLI_OK;
}

const struct cli_command cli_manual = {
    .name = "manual",
    .summary = "the source of a man page",
    .argument = "COMMAND",
    .n_most = 1,
    .about = "Prints the man page of a command, or of the program, for man(1).",
    .examples = {{"saescope manual analyze | man -l -", "read it now"}},
    .uses = {{OPT_HELP, false, NULL, NULL}},
    .run = manual,
    .hidden = true,
};
