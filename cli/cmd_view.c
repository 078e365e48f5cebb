/* saescope view: pages about a run on this machine. */
#include <poll.h>
#include <unistd.h>

#include "commands.h"

static void show_link(void *user, const char *url)
{
    const bool *is_terminal = user;
    printf("%s\n", url);
    (void)fflush(stdout);
    if (*is_terminal) {
        cli_say(stderr, "open this link within five minutes, once; Enter gives another one, "
                        "Ctrl-C ends");
    }
}

/* Whether somebody pressed Enter. */
static bool wants_link(void *user)
{
    const bool *is_terminal = user;
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char line[256];
    return *is_terminal && poll(&input, 1, 0) > 0 && read(STDIN_FILENO, line, sizeof line) > 0;
}

static int view(const struct cli_command *command, const struct cli_values *values)
{
    bool is_terminal = isatty(STDIN_FILENO) != 0 && !cli_given(values, OPT_QUIET);
    const struct ss_view_options options = {
        .struct_size = sizeof options,
        .port = values->count[OPT_PORT],
        .ready = show_link,
        .wants_link = wants_link,
        .user = &is_terminal,
        .progress = cli_stop(),
        .log = cli_log(values),
        .with = values->text[OPT_WITH],
    };
    ss_err err;
    (void)command;
    return ss_view(values->arguments[0], &options, &err) == SS_OK ? CLI_OK : cli_fail(&err);
}

const struct cli_command cli_view = {
    .name = "view",
    .summary = "a run in a browser on this machine, with texts of your own",
    .argument = "RUN",
    .n_least = 1,
    .n_most = 1,
    .usage = "RUN [options]",
    .about =
        "Shows a run in a browser: what report shows, and the features of texts that are "
        "typed there, by the run's own encoder and SAE. It prints a link and goes on until it "
        "is stopped.\n\nOnly this machine is listened to (127.0.0.1). A link has a code that "
        "works once and for five minutes; without one no data is given out, to no other "
        "program and to no other page of the browser. Nothing in the run's folder is changed.",
    .examples = {{"saescope view run", "then open the link that it prints"},
                 {"saescope view run --with other", "and what differs in another run"},
                 {"saescope view run --port 8800", "where a tunnel leads to"}},
    .uses = {{OPT_PORT, false, NULL, NULL},
             {OPT_WITH, false, NULL, NULL},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = view,
};
