/* saescope merge: parts of an analysis into its run. */
#include <string.h>

#include "commands.h"

/* Names of states end so; any other is a folder's. */
static bool is_state(const char *path)
{
    static const char ending[] = ".state";
    const size_t n = strlen(path), n_ending = sizeof ending - 1;
    return n > n_ending && strcmp(path + n - n_ending, ending) == 0;
}

static void say_merged(const ss_run *run, const struct cli_values *values)
{
    char rows[32];
    struct ss_run_info info = {.struct_size = sizeof info};
    if (run != NULL) {
        ss_run_describe(run, &info);
        cli_say(stdout, "%s rows of %zu states, written to %s",
                cli_thousands(info.n_rows_used, rows), values->n_arguments,
                values->text[OPT_OUT]);
    } else {
        cli_say(stdout, "%zu states in one, written to %s", values->n_arguments,
                values->text[OPT_OUT]);
    }
}

/* A state holds what was counted; what is made of it comes with the run. */
static void check_effects(const struct cli_values *values)
{
    static const cli_option_id of_runs[] = {OPT_STEPS, OPT_TITLE};
    for (size_t i = 0; i < sizeof of_runs / sizeof of_runs[0]; i++) {
        if (cli_was_typed(values, of_runs[i])) {
            cli_say(stderr, "note: --%s has no effect where a state is written",
                    cli_options[of_runs[i]].name);
        }
    }
}

static int merge(const struct cli_command *command, const struct cli_values *values)
{
    struct cli_progress progress;
    ss_run *run = NULL;
    ss_err err;
    const char *out = values->text[OPT_OUT];
    if (cli_check_out_folder(command, values) != CLI_OK) {
        return CLI_USAGE;
    }
    if (is_state(out) && !cli_given(values, OPT_QUIET)) {
        check_effects(values);
    }
    cli_progress_start(&progress, values, "merge");
    const struct ss_merge_options options = {
        .struct_size = sizeof options,
        .out_dir = is_state(out) ? NULL : out,
        .state_path = is_state(out) ? out : NULL,
        .force = cli_given(values, OPT_FORCE),
        .allow_missing = cli_given(values, OPT_ALLOW_MISSING),
        .model_path = values->text[OPT_MODEL],
        .sae_path = values->text[OPT_SAE],
        .title = values->text[OPT_TITLE],
        .steps = values->text[OPT_STEPS],
        .n_threads = values->count[OPT_THREADS],
        .pairs_bytes = values->count[OPT_PAIRS_BYTES],
        .log = cli_log(values),
        .progress = cli_show_progress(&progress),
    };
    const ss_status status = ss_merge((const char *const *)values->arguments,
                                      values->n_arguments, &options, &run, &err);
    cli_progress_end(&progress);
    if (status == SS_OK && !cli_given(values, OPT_QUIET)) {
        say_merged(run, values);
    }
    ss_run_free(run);
    return status == SS_OK ? CLI_OK : cli_fail(&err);
}

const struct cli_command cli_merge = {
    .name = "merge",
    .summary = "parts of an analysis into one run",
    .argument = "STATE",
    .n_least = 1,
    .n_most = 1000000,
    .usage = "STATE... --out PATH [options]",
    .about =
        "Adds up what analyze --part gathered, in any order, and writes the folder that one "
        "run "
        "over all rows would have written: every file has the same bytes, but run.json, which "
        "has other timings. With a PATH that ends in .state it writes one state of them all, "
        "to "
        "be merged again.\n\nParts of other models, options or files are refused, with what "
        "differs. A part that comes twice counts once; one that comes twice with another "
        "content is refused, and so is a run with parts missing, unless --allow-missing.\n\n"
        "The encoder and the SAE are opened where the parts had them, for what is made of the "
        "rows afterwards; --model and --sae say where they are now. Their files must be the "
        "same.",
    .examples = {{"saescope merge parts/*.state -o run", "the run of all parts"},
                 {"saescope merge parts/0000?-of-00100.state -o nine.state",
                  "some of them, to be merged with the others"}},
    .uses = {{OPT_OUT, true, NULL, "folder for the results, or a file NAME.state"},
             {OPT_MODEL, false, NULL, "folder where the encoder is now"},
             {OPT_SAE, false, NULL, "where the SAE is now"},
             {OPT_ALLOW_MISSING, false, NULL, NULL},
             {OPT_STEPS, false, "all", NULL},
             {OPT_PAIRS_BYTES, false, "512M", NULL},
             {OPT_TITLE, false, NULL, "title of the histogram; else it names the dataset"},
             {OPT_THREADS, false, NULL, NULL},
             {OPT_FORCE, false, NULL, "replace an output folder that exists"},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = merge,
};
