/* Things that have a name instead of a path: fetched with a bar on stderr, then opened. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

ss_status cli_fetch(const struct cli_values *values, ss_fetch_kind kind, const char *reference,
                    struct ss_fetch_result *out, ss_err *err)
{
    struct cli_progress progress;
    cli_progress_start(&progress, values, "download");
    const struct ss_fetch_options options = {
        .struct_size = sizeof options,
        .offline = cli_given(values, OPT_OFFLINE),
        .log = cli_log(values),
        .progress = cli_show_progress(&progress),
    };
    const ss_status status = ss_fetch(kind, reference, &options, out, err);
    cli_progress_end(&progress);
    return status;
}

ss_status cli_open_sae(const struct cli_values *values, const char *reference,
                       struct ss_sae_options options, ss_sae **out, ss_err *err)
{
    struct ss_fetch_result place = {.struct_size = sizeof place};
    *out = NULL;
    ss_status status = cli_fetch(values, SS_FETCH_SAE, reference, &place, err);
    if (status == SS_OK) {
        options.source = place.source;
        options.commit = place.commit;
        status = ss_sae_open(place.path, &options, out, err);
    }
    ss_fetch_result_release(&place);
    return status;
}

/* Whether an inspection found an SAE: as such, or in a file of weights. */
static bool is_sae(const struct ss_report *report)
{
    bool found = report->kind == SS_PATH_SAE;
    for (size_t i = 0; report->kind == SS_PATH_WEIGHTS && i < report->n_facts; i++) {
        found = found || strcmp(report->facts[i].name, "sae format") == 0;
    }
    return found;
}

/* What was given as a model and is none may be an SAE: then the sentence says so. */
static void say_if_sae(const char *path, ss_err *err)
{
    struct ss_report report = {0};
    if (ss_inspect(path, NULL, &report, NULL) == SS_OK && is_sae(&report)) {
        (void)snprintf(err->message, sizeof err->message,
                       "%.700s: this is a sparse autoencoder; give it with --sae, and a "
                       "sentence encoder with --model",
                       path);
    }
    ss_report_release(&report);
}

ss_status cli_open_dataset(const struct cli_values *values, ss_dataset **out, ss_err *err)
{
    const struct ss_dataset_options options = cli_dataset_options(values);
    const ss_status status = ss_dataset_open(values->list, values->n_list, &options, out, err);
    if (status == SS_OK) {
        cli_check_dataset_effects(values, *out);
    }
    return status;
}

ss_status cli_open_encoder(const struct cli_values *values, struct ss_encoder_options options,
                           ss_encoder **out, ss_err *err)
{
    return cli_open_encoder_named(values, values->text[OPT_MODEL], options, out, err);
}

ss_status cli_open_encoder_named(const struct cli_values *values, const char *reference,
                                 struct ss_encoder_options options, ss_encoder **out,
                                 ss_err *err)
{
    struct ss_fetch_result place = {.struct_size = sizeof place};
    *out = NULL;
    ss_status status = cli_fetch(values, SS_FETCH_MODEL, reference, &place, err);
    if (status == SS_OK) {
        options.name = place.source[0] == '\0' ? NULL : place.name;
        options.source = place.source;
        options.commit = place.commit;
        status = ss_work_new(values->count[OPT_THREADS], &options.work, err);
    }
    if (status == SS_OK) {
        status = ss_encoder_open(place.path, &options, out, err);
        ss_work_free(options.work);
        if (status == SS_E_NOINPUT || status == SS_E_DATA) {
            say_if_sae(place.path, err);
        }
        (void)malloc_trim(0); /* what reading the tokenizer's file took */
    }
    ss_fetch_result_release(&place);
    return status;
}

static bool is_stdout(const struct cli_values *values)
{
    return cli_given(values, OPT_OUT) && strcmp(values->text[OPT_OUT], "-") == 0;
}

int cli_check_out_folder(const struct cli_command *command, const struct cli_values *values)
{
    return is_stdout(values)
               ? cli_usage_error(command, "--out names a folder for several files; "
                                          "they cannot go to standard output")
               : CLI_OK;
}

const char *cli_out_file(const struct cli_command *command, const struct cli_values *values)
{
    if (is_stdout(values) && cli_given(values, OPT_JSON)) {
        cli_usage_error(command, "--out - and --json both want standard output");
        return NULL;
    }
    return is_stdout(values) ? "/dev/stdout" : values->text[OPT_OUT];
}
