/* saescope report: a run as one file for a browser, and the arrays in such a file. */
#include "commands.h"

static void say_shown(const char *path, const struct ss_report_result *result)
{
    char texts[64], cut[32];
    cli_say(stderr, "wrote %s: %.1f MB with %s", path, (double)result->n_bytes / 1e6,
            cli_plural(result->n_texts, "text", texts));
    if (result->n_texts_cut > 0) {
        cli_say(stderr, "%s of them are cut after %zu characters; --budget 50M shows more",
                cli_thousands(result->n_texts_cut, cut), result->n_chars);
    }
}

static int write_report(const struct cli_values *values, const char *out)
{
    struct ss_report_result result = {.struct_size = sizeof result};
    const struct ss_report_options options = {
        .struct_size = sizeof options,
        .budget_bytes = values->count[OPT_BUDGET],
        .no_texts = cli_given(values, OPT_NO_TEXTS),
        .force = cli_given(values, OPT_FORCE),
        .progress = cli_stop(),
        .with = values->text[OPT_WITH],
    };
    ss_err err;
    if (ss_report_file(values->arguments[0], out, &options, &result, &err) != SS_OK) {
        cli_end_if_unread(); /* the reader of --out - has gone */
        return cli_fail(&err);
    }
    if (!cli_given(values, OPT_QUIET)) {
        say_shown(out, &result);
        if (!options.no_texts) {
            cli_say(stderr, "whoever gets the file can read these texts; --no-texts leaves "
                            "them out");
        }
    }
    return CLI_OK;
}

static int report(const struct cli_command *command, const struct cli_values *values)
{
    const char *from = values->text[OPT_EXTRACT];
    ss_err err;
    if ((from != NULL) == (values->n_arguments == 1)) {
        return cli_usage_error(command, from != NULL
                                            ? "give a run or --extract FILE, not both"
                                            : "a run folder is needed, or --extract FILE");
    }
    const char *out = cli_out_file(command, values);
    if (out == NULL) {
        return CLI_USAGE;
    }
    if (from == NULL) {
        return write_report(values, out);
    }
    if (ss_report_extract(from, out, cli_given(values, OPT_FORCE), &err) != SS_OK) {
        cli_end_if_unread();
        return cli_fail(&err);
    }
    if (!cli_given(values, OPT_QUIET)) {
        cli_say(stderr, "wrote %s", out);
    }
    return CLI_OK;
}

const struct cli_command cli_report = {
    .name = "report",
    .summary = "a run as one HTML file to look at in a browser, offline",
    .argument = "RUN",
    .n_most = 1,
    .usage = "{RUN | --extract FILE} --out PATH [options]",
    .about =
        "Writes one HTML file that shows the features of a run: their rates, labels, "
        "histograms and texts, to sort, filter and search. It opens in any browser of the "
        "last years, needs no server, and makes no request. What describe made is shown "
        "where it is there.\n\nThe file stays below --budget: ends of long texts are left "
        "out first, then texts of features beside the strongest ones. Whoever gets the file "
        "can read the texts in it; --no-texts leaves them out, but not the labels.\n\nThe "
        "same run and options give the same bytes.",
    .examples = {{"saescope report run --out report.html", "then open report.html"},
                 {"saescope report run --out report.html --budget 50M", "with whole texts"},
                 {"saescope report run --out numbers.html --no-texts",
                  "to pass on where the texts may not be"},
                 {"saescope report run-2024 --with run-2023 -o report.html",
                  "with a page of what differs"},
                 {"saescope report --extract report.html -o report.npz",
                  "the arrays in it, for numpy.load"}},
    .uses = {{OPT_OUT, true, NULL, "the file to write"},
             {OPT_BUDGET, false, "10M", NULL},
             {OPT_NO_TEXTS, false, NULL, NULL},
             {OPT_WITH, false, NULL, NULL},
             {OPT_EXTRACT, false, NULL, NULL},
             {OPT_FORCE, false, NULL, NULL},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = report,
};
