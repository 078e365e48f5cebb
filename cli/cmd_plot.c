/* saescope plot: the density histogram of a run, or the thresholds of an SAE, as a picture. */
#include <string.h>

#include "commands.h"

static ss_status draw(const struct cli_values *values, const char *out,
                      const struct ss_plot_options *options, ss_err *err)
{
    ss_status status = SS_OK;
    if (cli_given(values, OPT_THRESHOLDS)) {
        ss_sae *sae = NULL;
        struct ss_sae_options sae_options = {
            .struct_size = sizeof sae_options, .progress = cli_stop(), .log = cli_log(values)};
        status = cli_open_sae(values, values->text[OPT_THRESHOLDS], sae_options, &sae, err);
        if (status == SS_OK) {
            status = ss_plot_thresholds(sae, out, options, err);
        }
        ss_sae_free(sae);
    } else {
        ss_run *run = NULL;
        const struct ss_run_options run_options = cli_run_options(values);
        status = ss_run_open(values->arguments[0], &run_options, &run, err);
        if (status == SS_OK) {
            status = ss_plot_density(run, out, options, err);
        }
        ss_run_free(run);
    }
    return status;
}

/* Where the picture of a run goes if --out does not say: into its folder. */
static const char *picture_of_run(const struct cli_values *values, char *out, size_t n_room)
{
    const char *run = values->arguments[0];
    const size_t n = strlen(run);
    snprintf(out, n_room, "%s%sdensity%s.png", run, n > 0 && run[n - 1] == '/' ? "" : "/",
             cli_given(values, OPT_ZOOM) ? "-zoom" : "");
    return out;
}

/* Only a .png has dots; a run's own picture is one. */
static void check_dots(const struct cli_values *values, const char *out)
{
    const size_t n = strlen(out);
    if (cli_was_typed(values, OPT_DPI) && !cli_given(values, OPT_QUIET) &&
        (n < 4 || strcmp(out + n - 4, ".png") != 0)) {
        cli_say(stderr, "note: --dpi has no effect on %s: only .png has dots", out);
    }
}

static int plot(const struct cli_command *command, const struct cli_values *values)
{
    const bool of_sae = cli_given(values, OPT_THRESHOLDS);
    char standard[4096];
    const char *out = values->text[OPT_OUT];
    ss_err err;
    if (of_sae == (values->n_arguments == 1)) {
        return cli_usage_error(command, of_sae ? "give a run or --thresholds SAE, not both"
                                               : "a run folder is needed, or --thresholds SAE");
    }
    if (of_sae && cli_given(values, OPT_ZOOM)) {
        return cli_usage_error(command, "--zoom is for the rates of a run, not for thresholds");
    }
    if (out == NULL) {
        out = of_sae ? "thresholds.png" : picture_of_run(values, standard, sizeof standard);
    }
    const struct ss_plot_options options = {
        .struct_size = sizeof options,
        .title = values->text[OPT_TITLE],
        .width_in = values->real[OPT_WIDTH],
        .height_in = values->real[OPT_HEIGHT],
        .dpi = values->real[OPT_DPI],
        .n_bins = values->count[OPT_BINS],
        .fixed_range = cli_given(values, OPT_FIXED_RANGE),
        .zoom = cli_given(values, OPT_ZOOM),
        .force = cli_given(values, OPT_FORCE),
    };
    check_dots(values, out);
    if (draw(values, out, &options, &err) != SS_OK) {
        return cli_fail(&err);
    }
    if (!cli_given(values, OPT_QUIET)) {
        cli_say(stderr, "wrote %s", out);
    }
    return CLI_OK;
}

const struct cli_command cli_plot = {
    .name = "plot",
    .summary = "the density histogram of a run again, in other sizes and formats",
    .argument = "RUN",
    .n_most = 1,
    .usage = "{RUN | --thresholds SAE} [options]",
    .about =
        "Draws the density histogram of a run's output folder, or, with --thresholds, the "
        "histogram of a jumprelu SAE's thresholds. The extension of the file name chooses the "
        "format: .svg, .png or .pdf.\n\nBelow it stand the number of features and rows, how "
        "many features are dead, and the median rate, which a dashed line marks. The axis "
        "goes from -10, where dead features stand, to 0, a rate of 100 %; --zoom leaves the "
        "dead ones out and has the rates of the others alone.",
    .examples = {{"saescope plot run --zoom",
                  "the rates of the features that fire, from edge to edge"},
                 {"saescope plot run --out density.pdf --width 5 --height 3",
                  "for a column of a paper"},
                 {"saescope plot run --fixed-range --out a.png",
                  "with the same bars for every run, to compare"},
                 {"saescope plot --thresholds my-sae --out thresholds.svg",
                  "the thresholds of an SAE"}},
    .uses = {{OPT_OUT, false, NULL,
              "the picture to write; else density.png in the run's folder (density-zoom.png "
              "with --zoom), or thresholds.png here"},
             {OPT_THRESHOLDS, false, NULL, NULL},
             {OPT_TITLE, false, NULL, "title of the picture; else the usual one"},
             {OPT_WIDTH, false, "6.4", NULL},
             {OPT_HEIGHT, false, "4.8", NULL},
             {OPT_DPI, false, "150", NULL},
             {OPT_BINS, false, "50", NULL},
             {OPT_FIXED_RANGE, false, NULL, NULL},
             {OPT_ZOOM, false, NULL, NULL},
             {OPT_FORCE, false, NULL, NULL},
             {OPT_OFFLINE, false, NULL, NULL},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = plot,
};
