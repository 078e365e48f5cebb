/* saescope plan: how a dataset is cut into parts, written down for the workers that make them. */
#include "commands.h"

static int plan(const struct cli_command *command, const struct cli_values *values)
{
    char number[32];
    ss_dataset *dataset = NULL;
    ss_err err;
    const char *out = cli_out_file(command, values);
    const struct ss_dataset_options options = cli_dataset_options(values);
    if (out == NULL) {
        return CLI_USAGE;
    }
    ss_status status = ss_dataset_open(values->list, values->n_list, &options, &dataset, &err);
    if (status == SS_OK) {
        status = ss_plan_write(dataset, values->count[OPT_PARTS], out,
                               cli_given(values, OPT_FORCE), &err);
    }
    ss_dataset_close(dataset);
    if (status != SS_OK) {
        return cli_fail(&err);
    }
    if (!cli_given(values, OPT_QUIET) && out == values->text[OPT_OUT]) {
        cli_say(stdout,
                "a plan of %s parts is in %s; saescope analyze --plan %s --part K makes one",
                cli_thousands(values->count[OPT_PARTS], number), out, out);
    }
    return CLI_OK;
}

const struct cli_command cli_plan = {
    .name = "plan",
    .summary = "how a dataset is cut into parts, for analyze --part",
    .about =
        "Writes down the files of a dataset with what they are known by (size, and the hash of "
        "the first and last 64 KiB), and which of their bytes are of which part. Workers that "
        "are given the plan refuse files that changed since, before any text is embedded. It "
        "is "
        "not needed: without a plan every worker finds its part in its own listing of the "
        "files, and merge refuses parts of others.",
    .usage = "--dataset PATH --parts N --out FILE [options]",
    .examples = {{"saescope plan -d 'data/*.parquet' --parts 100 -o plan.json", "100 parts"},
                 {"saescope analyze -m MODEL -s SAE -d x --plan plan.json --part 7 -o parts",
                  "the seventh of them"}},
    .uses = {{OPT_DATASET, true, NULL, NULL},
             {OPT_PARTS, true, NULL, NULL},
             {OPT_OUT, true, NULL, "the file to write; - for standard output"},
             CLI_USES_DATASET,
             {OPT_KEEP, false, NULL, "columns that analyze will carry along"},
             CLI_USES_ROWS,
             {OPT_WHERE, false, NULL, NULL},
             {OPT_OFFLINE, false, NULL, NULL},
             {OPT_FORCE, false, NULL, "replace a file that exists"},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = plan,
};
