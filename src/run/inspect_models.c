/* Encoders, SAEs and runs as facts. Opening one reads and checks all of its weights. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/sort.h"
#include "folder/evidence_read.h"
#include "folder/manifest_read.h"
#include "run/inspect.h"
#include "sae/sae.h"

ss_status ss_run_inspect_encoder(struct ss_run_inspection *inspection, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_report *report = inspection->report;
    ss_encoder *encoder = NULL;
    struct ss_encoder_info info = {.struct_size = sizeof info};
    struct ss_encoder_options options = {.struct_size = sizeof options,
                                         .progress = inspection->asking.stop,
                                         .log = inspection->options->log};
    SS_TRY(ss_work_new(0, &options.work, err));
    SS_TRY(ss_encoder_open(inspection->path, &options, &encoder, err));
    ss_encoder_describe(encoder, &info);
    ss_run_report_text(report, "name", info.name);
    ss_run_report_text(report, "architecture", info.architecture);
    ss_run_report_count(report, "parameters", info.n_parameters);
    ss_run_report_count(report, "width", info.width);
    ss_run_report_text(report, "pooling", info.pooling);
    ss_run_report_bool(report, "normalized", info.normalized);
    ss_run_report_count(report, "layers", info.n_layers);
    ss_run_report_count(report, "heads", info.n_heads);
    ss_run_report_count(report, "hidden width", info.hidden_width);
    ss_run_report_count(report, "vocabulary", info.n_vocab);
    ss_run_report_count(report, "max tokens", info.max_tokens);
    ss_run_report_text(report, "prompt", info.prompt);
    ss_run_report_text(report, "kernels", info.kernels);
out:
    ss_work_free(options.work);
    ss_encoder_free(encoder);
    return status;
}

static int compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static ss_status add_thresholds(struct ss_report *report, const float *thresholds, size_t n,
                                ss_err *err)
{
    ss_status status = SS_OK;
    float *sorted = NULL;
    SS_ALLOC(sorted, n);
    memcpy(sorted, thresholds, n * sizeof *sorted);
    ss__sort(sorted, n, sizeof *sorted, compare_floats);
    ss_run_report_number(report, "smallest threshold", (double)sorted[0]);
    ss_run_report_number(report, "median threshold", (double)sorted[n / 2]);
    ss_run_report_number(report, "largest threshold", (double)sorted[n - 1]);
out:
    ss__free(sorted);
    return status;
}

ss_status ss_run_inspect_sae(struct ss_run_inspection *inspection, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_report *report = inspection->report;
    ss_sae *sae = NULL;
    struct ss_sae_info info = {.struct_size = sizeof info};
    struct ss_sae_options options = inspection->sae;
    options.log = options.log.fn == NULL ? inspection->options->log : options.log;
    options.progress = inspection->asking.stop;
    SS_TRY(ss_sae_open(inspection->path, &options, &sae, err));
    ss_sae_describe(sae, &info);
    ss_run_report_text(report, "format", info.format);
    ss_run_report_text(report, "kind", info.kind);
    ss_run_report_text(report, "name in that format", info.variant);
    ss_run_report_text(report, "rule", info.rule);
    ss_run_report_count(report, "width", info.width);
    ss_run_report_count(report, "features", info.n_features);
    if (info.top_k > 0) {
        ss_run_report_count(report, "top k", info.top_k);
    }
    ss_run_report_bool(report, "normalizes input", info.normalizes_input);
    ss_run_report_text(report, "data type", info.dtype);
    ss_run_report_text(report, "encoder (from its config)", info.model_name);
    if (info.config_num_examples > 0) {
        ss_run_report_count(report, "num examples in its config", info.config_num_examples);
    }
    if (ss_sae_thresholds(sae) != NULL && info.n_features > 0) {
        SS_TRY(add_thresholds(report, ss_sae_thresholds(sae), info.n_features, err));
    }
out:
    ss_sae_free(sae);
    return status;
}

/* The folders of SAEs below one, each of which can be named. */
ss_status ss_run_inspect_saes(struct ss_run_inspection *inspection, ss_err *err)
{
    ss_status status = SS_OK;
    static const char *const header[] = {"folder"};
    static const ss_value_kind kinds[] = {SS_VALUE_TEXT};
    struct ss_report *report = inspection->report;
    struct ss_sae_list list = {0};
    char *first = NULL;
    SS_TRY(ss_sae_list_subfolders(inspection->path, &list, err));
    ss_run_report_count(report, "SAEs", list.n);
    if (list.n > 0) {
        first = ss__path_join(inspection->path, list.paths[0]);
        if (first == NULL) {
            status = ss__fail_nomem(err, "a path");
            goto out;
        }
        ss_run_report_text(report, "to name one", first);
    }
    ss_run_report_table(report, 1, header, kinds);
    for (size_t i = 0; i < list.n; i++) {
        ss_run_report_cell(report, list.paths[i], strlen(list.paths[i]));
    }
out:
    ss__free(first);
    ss_sae_list_release(&list);
    return status;
}

/* ---- runs ---- */

enum { N_SHOWN = 5, SHOWN_BYTES = 100 };

static void add_feature(struct ss_report *report, const struct ss_run *run, size_t f)
{
    char text[64];
    const struct ss_feature *feature = &run->features[f];
    int n = snprintf(text, sizeof text, "%zu", f);
    ss_run_report_cell(report, text, (size_t)n);
    n = ss__snprintf(text, sizeof text, "%.3f", (double)feature->rate_pct);
    ss_run_report_cell(report, text, (size_t)n);
    if (feature->n_top == 0) {
        ss_run_report_cell(report, "", 0);
        return;
    }
    const struct ss_text best = run->tops[run->top_offsets[f]].text;
    size_t n_shown = ss__min_size(best.n_bytes, SHOWN_BYTES);
    while (n_shown < best.n_bytes && n_shown > 0 &&
           ((unsigned char)best.data[n_shown] & 0xC0) == 0x80) {
        n_shown--; /* not within a character */
    }
    ss_run_report_cell(report, best.data, n_shown);
}

/* The most frequent features with their best texts. */
static void add_top_features(struct ss_report *report, const struct ss_run *run)
{
    static const char *const header[] = {"feature", "rate_pct", "best text"};
    static const ss_value_kind kinds[] = {SS_VALUE_NUMBER, SS_VALUE_NUMBER, SS_VALUE_TEXT};
    size_t shown[N_SHOWN];
    ss_run_report_table(report, 3, header, kinds);
    const size_t n = ss_run_most_frequent(run, N_SHOWN, shown);
    for (size_t i = 0; i < n; i++) {
        add_feature(report, run, shown[i]);
    }
}

/* What the run keeps of its texts, if it does. */
static ss_status add_evidence(struct ss_run_inspection *inspection, const struct ss_run *run,
                              ss_err *err)
{
    struct ss_folder_evidence evidence = {0};
    ss_err missing = {0};
    const ss_status status =
        ss_folder_evidence_open(inspection->path, run->info.n_features, &evidence, &missing);
    if (status == SS_OK) {
        ss_run_report_count(inspection->report, "evidence texts", evidence.n_texts);
        ss_run_report_count(inspection->report, "evidence in pool",
                            evidence.n_pool[0] + evidence.n_pool[1]);
    } else if (status != SS_E_NOINPUT) {
        if (err != NULL) {
            *err = missing;
        }
        return status;
    }
    ss_folder_evidence_release(&evidence);
    return SS_OK;
}

/* How sure its labels are, if it has some. */
static void add_labels(struct ss_report *report, const struct ss_run *run)
{
    static const char *const names[SS_N_LABEL_STATUSES] = {
        [SS_LABEL_SHARP] = "labels sharp",       [SS_LABEL_TOPICAL] = "labels topical",
        [SS_LABEL_WEAK] = "labels weak",         [SS_LABEL_CHANCE] = "labels at chance",
        [SS_LABEL_TOO_FEW] = "too few to score", [SS_LABEL_NONE] = "without a label",
        [SS_LABEL_UNSCORED] = "labels unscored"};
    for (size_t i = 0; run->has_labels && i < SS_N_LABEL_STATUSES; i++) {
        if (run->n_labels[i] > 0) {
            ss_run_report_count(report, names[i], run->n_labels[i]);
        }
    }
}

ss_status ss_run_inspect_run(struct ss_run_inspection *inspection, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_report *report = inspection->report;
    ss_run *run = NULL;
    SS_TRY(ss_folder_run_open_checked(inspection->path, inspection->options->check,
                                      &inspection->asking, &run, err));
    const struct ss_run_info *info = &run->info;
    ss_run_report_text(report, "dataset", info->dataset_name);
    ss_run_report_text(report, "model", info->model_name);
    ss_run_report_text(report, "sae",
                       run->sae_source != NULL ? run->sae_source : info->sae_path);
    ss_run_report_count(report, "rows read", info->n_rows_read);
    ss_run_report_count(report, "rows used", info->n_rows_used);
    ss_run_report_count(report, "rows skipped",
                        info->n_rows_read - info->n_rows_used - info->n_rows_passed);
    if (info->n_rows_passed > 0) {
        ss_run_report_count(report, "rows passed over", info->n_rows_passed);
    }
    ss_run_report_count(report, "rows repaired", info->n_rows_repaired);
    ss_run_report_count(report, "rows reembedded", info->n_rows_reembedded);
    ss_run_report_count(report, "tokens", info->n_tokens);
    ss_run_report_number(report, "seconds", info->seconds);
    ss_run_report_count(report, "features", info->n_features);
    ss_run_report_count(report, "dead features", info->n_dead);
    ss_run_report_number(report, "median rate pct", info->median_rate_pct);
    ss_run_report_count(report, "top k", info->top_k);
    SS_TRY(add_evidence(inspection, run, err));
    add_labels(report, run);
    add_top_features(report, run);
out:
    ss_run_free(run);
    return status;
}
