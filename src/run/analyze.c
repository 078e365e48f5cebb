/* One pass: rows -> embeddings -> sparse activations -> reducers -> files. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/sized.h"
#include "base/utf8.h"
#include "dataset/dataset.h"
#include "run/evidence_gather.h"
#include "run/folder.h"
#include "run/graph_gather.h"
#include "run/manifest.h"
#include "run/pass.h"
#include "run/plot.h"
#include "run/steps.h"

enum { DEFAULT_TOP_K = 10, MAX_SENTENCES = 100, MAX_FILES = 64 };

/* Passes sentences on and keeps them for the manifest. */
struct recorder {
    struct ss_log log; /* the user's */
    struct ss__arena arena;
    const char *sentences[MAX_SENTENCES];
    size_t n_sentences;
};

struct analysis {
    const ss_encoder *encoder;
    const ss_sae *sae;
    ss_dataset *dataset;
    const struct ss_analyze_options *options;
    struct ss_run_pass pass;
    struct ss_stats_fires fires;
    struct ss_stats_top *top;
    struct ss_run_evidence_gathered evidence;
    struct ss_run_graph_gathered graph;
    struct recorder recorder;
    size_t top_k;
    unsigned steps; /* bits */
    bool is_written;
    const char *files[MAX_FILES]; /* of the folder */
};

static void record(void *user, ss_level level, const char *sentence)
{
    struct recorder *recorder = user;
    if (recorder->n_sentences < MAX_SENTENCES) {
        const char *copy = ss__arena_strndup(&recorder->arena, sentence, strlen(sentence));
        if (copy != NULL) {
            recorder->sentences[recorder->n_sentences++] = copy;
        }
    }
    ss__log(&recorder->log, level, "%s", sentence);
}

/* Receives every batch of the pass. */
static ss_status reduce_rows(void *user, const struct ss_run_pass_rows *rows, ss_err *err)
{
    struct analysis *analysis = user;
    const struct ss_run_batch *batch = rows->batch;
    const struct ss_stats_row_texts texts = {
        batch->texts, batch->has_notes ? batch->notes : NULL, batch->row_ids};
    ss_stats_fires_add(&analysis->fires, rows->rows);
    SS_RETURN_IF_ERROR(ss_stats_top_add(analysis->top, rows->rows, &texts, err));
    SS_RETURN_IF_ERROR(ss_run_graph_take(&analysis->graph, rows, err));
    return ss_run_evidence_take(&analysis->evidence, rows, err);
}

/* No row was of use: where they were looked for, and what they were. */
static ss_status fail_without_rows(const struct analysis *analysis, ss_err *err)
{
    char rows[SS__COUNTED_TEXT_BYTES];
    const struct ss_run_row_counts *counts = &analysis->pass.done.counts;
    struct ss_dataset_info dataset = {
        .struct_size = sizeof dataset, .files = (const char *const[]){""}, .text_column = ""};
    if (analysis->dataset != NULL) {
        ss_dataset_describe(analysis->dataset, &dataset);
    }
    return ss__fail(err, SS_E_DATA,
                    "%.300s%s%s%.100s%s: no row had text: %s read, %llu null, %llu empty, %llu "
                    "blank, %llu that could not be read",
                    dataset.n_files > 0 ? dataset.files[0] : "the dataset",
                    dataset.n_files > 1 ? " and others" : "",
                    dataset.text_column[0] == '\0' ? "" : ", column '", dataset.text_column,
                    dataset.text_column[0] == '\0' ? "" : "'",
                    ss__format_counted(counts->n_read, "row", rows),
                    (unsigned long long)counts->n_skipped[SS_ROW_NULL],
                    (unsigned long long)counts->n_skipped[SS_ROW_EMPTY],
                    (unsigned long long)counts->n_skipped[SS_ROW_BLANK],
                    (unsigned long long)counts->n_skipped[SS_ROW_BAD]);
}

static ss_status run_pass(struct analysis *analysis, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_run_pass_run(&analysis->pass, err));
    if (analysis->pass.done.counts.n_used == 0) {
        SS_RETURN_IF_ERROR(fail_without_rows(analysis, err));
    }
    SS_RETURN_IF_ERROR(ss_run_graph_finish(&analysis->graph, err));
    return ss_run_evidence_finish(&analysis->evidence, &analysis->pass, err);
}

static ss_status set_names(struct analysis *analysis, struct ss_run *run, ss_err *err)
{
    struct ss_encoder_info encoder = {.struct_size = sizeof encoder,
                                      .name = SS_RUN_NAME_EMBEDDINGS};
    struct ss_embeddings_info embeddings = {.struct_size = sizeof embeddings};
    const char *path = NULL;
    struct ss_sae_info sae = {.struct_size = sizeof sae};
    struct ss_dataset_info dataset = {.struct_size = sizeof dataset};
    struct ss_run_info *info = &run->info;
    if (analysis->encoder != NULL) {
        ss_encoder_describe(analysis->encoder, &encoder);
    }
    ss_sae_describe(analysis->sae, &sae);
    if (analysis->dataset != NULL) {
        ss_dataset_describe(analysis->dataset, &dataset);
    } else { /* named after the embeddings */
        ss_embeddings_describe(analysis->options->embeddings, &embeddings);
        path = embeddings.path;
        dataset = (struct ss_dataset_info){.struct_size = sizeof(struct ss_dataset_info),
                                           .n_files = 1,
                                           .files = &path,
                                           .repository = ""};
    }
    info->model_name = ss_run_strdup(run, encoder.name);
    info->sae_path = ss_run_strdup(run, sae.path);
    run->sae_rule = ss_run_strdup(
        run, ss_sae_activation_text(analysis->sae, analysis->pass.reembed.calibrated));
    run->sae_threshold =
        ss_sae_activation_threshold(analysis->sae, analysis->pass.reembed.calibrated);
    info->dataset_name = ss_run_dataset_name(&dataset, &run->arena);
    if (info->dataset_name != NULL) {
        info->title = analysis->options->title == NULL
                          ? ss_run_density_title(&run->arena, info->dataset_name)
                          : ss_run_strdup(run, analysis->options->title);
    }
    if (info->model_name == NULL || info->sae_path == NULL || run->sae_rule == NULL ||
        info->title == NULL) {
        return ss__fail_nomem(err, "names");
    }
    return SS_OK;
}

static ss_status make_run(struct analysis *analysis, struct ss_run **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run *run = NULL;
    const struct ss_run_pipeline_done *done = &analysis->pass.done;
    SS_ALLOC(run, 1);
    run->info = (struct ss_run_info){
        .struct_size = sizeof(struct ss_run_info),
        .n_rows_read = done->counts.n_read,
        .n_rows_used = done->counts.n_used,
        .n_rows_repaired = done->counts.n_repaired,
        .n_rows_reembedded = analysis->pass.reembed.n_rows,
        .n_tokens = done->n_tokens,
        .seconds = done->seconds,
        .top_k = analysis->top_k,
    };
    memcpy(run->info.n_rows_skipped, done->counts.n_skipped, sizeof done->counts.n_skipped);
    SS_TRY(set_names(analysis, run, err));
    SS_TRY(ss_run_fill(run, &analysis->fires, &analysis->top, err));
    *out = run;
    run = NULL;
out:
    ss_run_free(run);
    return status;
}

/* ---- files ---- */

static ss_status draw(const struct ss_run *run, const char *path, ss_err *err)
{
    return ss_plot_density(run, path, NULL, err);
}

static const struct {
    const char *name;
    ss_status (*write)(const struct ss_run *run, const char *path, ss_err *err);
    bool (*is_wanted)(const struct ss_run *run); /* NULL: always */
} outputs[] = {
    {SS_RUN_FILE_RATES, ss_run_rates_write, NULL},
    {SS_RUN_FILE_TOP, ss_run_top_json_write, NULL},
    {SS_RUN_FILE_FEATURES, ss_run_features_csv_write, NULL},
    {SS_RUN_FILE_TEXTS, ss_run_top_texts_write, ss_run_has_kept},
    {"density.svg", draw, NULL},
    {"density.png", draw, NULL},
};

/* Those of the evidence, if it is kept. */
static const struct {
    const char *name;
    ss_status (*write)(const struct ss_run_evidence_files *files, const char *path,
                       ss_err *err);
} evidence_outputs[] = {
    {SS_RUN_FILE_HISTOGRAMS, ss_run_histograms_write},
    {SS_RUN_FILE_EVIDENCE_TEXTS, ss_run_evidence_texts_write},
    {SS_RUN_FILE_EMBEDDINGS, ss_run_evidence_embeddings_write},
    {SS_RUN_FILE_SAMPLES, ss_run_evidence_samples_write},
};

enum {
    N_OUTPUTS = sizeof outputs / sizeof outputs[0],
    N_EVIDENCE_OUTPUTS = sizeof evidence_outputs / sizeof evidence_outputs[0]
};

/* All names of the folder, the one that makes it complete last. */
static const char *const *names_of_files(const char *names[MAX_FILES])
{
    for (size_t i = 0; i < N_OUTPUTS; i++) {
        names[i] = outputs[i].name;
    }
    for (size_t i = 0; i < N_EVIDENCE_OUTPUTS; i++) {
        names[N_OUTPUTS + i] = evidence_outputs[i].name;
    }
    const char **rest = names + N_OUTPUTS + N_EVIDENCE_OUTPUTS;
    *rest++ = SS_RUN_FILE_COACTIVATION;
    *rest++ = SS_RUN_FILE_CENTROIDS;
    *rest++ = SS_RUN_FILE_SKIPPED;
    for (size_t i = 0; i < SS_RUN_N_STEPS; i++) { /* of an earlier run: these go */
        for (const char *const *file = ss_run_step_files(i); *file != NULL; file++) {
            *rest++ = *file;
        }
    }
    *rest++ = SS_RUN_FILE_MANIFEST;
    *rest = NULL;
    return names;
}

static ss_status write_manifest(struct analysis *analysis, const struct ss_run *run,
                                const struct ss_run_folder *folder, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_run_manifest manifest = {
        .encoder = analysis->encoder,
        .sae = analysis->sae,
        .dataset = analysis->dataset,
        .options = analysis->options,
        .run = run,
        .done = &analysis->pass.done,
        .sae_counts = analysis->pass.sae_counts,
        .error_margin = analysis->pass.reembed.error,
        .largest_error = analysis->pass.reembed.largest_error,
        .n_threads = analysis->pass.n_threads,
        .batch_tokens = analysis->pass.batch_tokens,
        .warnings = analysis->recorder.sentences,
        .n_warnings = &analysis->recorder.n_sentences,
        .evidence = analysis->evidence.kind == SS_EVIDENCE_NONE ? NULL : &analysis->evidence,
        .log = analysis->pass.log,
        .asking = &analysis->pass.asking,
        .folder = folder->staging,
    };
    char *path = ss_run_folder_file(folder, SS_RUN_FILE_MANIFEST);
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss_run_manifest_write(&manifest, path, err));
out:
    ss__free(path);
    return status;
}

static ss_status write_evidence(struct analysis *analysis, const struct ss_run_folder *folder,
                                ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    const struct ss_run_evidence_files files = {&analysis->evidence, analysis->dataset,
                                                &analysis->pass.asking};
    const bool has_evidence = analysis->evidence.kind != SS_EVIDENCE_NONE;
    for (size_t i = 0; has_evidence && i < N_EVIDENCE_OUTPUTS; i++) {
        path = ss_run_folder_file(folder, evidence_outputs[i].name);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        SS_TRY(evidence_outputs[i].write(&files, path, err));
        ss__free(path);
        path = NULL;
    }
out:
    ss__free(path);
    return status;
}

static struct ss_run_steps steps_of(const struct analysis *analysis, const struct ss_run *run)
{
    return (struct ss_run_steps){
        .folder = analysis->options->out_dir,
        .run = run,
        .encoder = analysis->encoder,
        .sae = analysis->sae,
        .has_evidence = analysis->evidence.kind != SS_EVIDENCE_NONE,
        .has_texts = analysis->dataset != NULL,
        .has_pairs = !analysis->options->no_pairs,
        .has_centroids = analysis->graph.has_centroids,
        .n_threads = analysis->options->n_threads,
        .log = analysis->options->log,
        .progress = analysis->options->progress,
    };
}

static ss_status write_files(struct analysis *analysis, const struct ss_run *run,
                             struct ss_run_folder *folder, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_run_steps steps = steps_of(analysis, run);
    char *path = NULL;
    for (size_t i = 0; i < N_OUTPUTS; i++) {
        if (outputs[i].is_wanted != NULL && !outputs[i].is_wanted(run)) {
            continue;
        }
        path = ss_run_folder_file(folder, outputs[i].name);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        SS_TRY(outputs[i].write(run, path, err));
        ss__free(path);
        path = NULL;
    }
    if (analysis->dataset != NULL &&
        ss_dataset_n_bad_rows(analysis->dataset, SS_FORMAT_FAULT_NONE) > 0) {
        path = ss_run_folder_file(folder, SS_RUN_FILE_SKIPPED);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        SS_TRY(ss_run_skipped_csv_write(analysis->dataset, path, err));
    }
    SS_TRY(write_evidence(analysis, folder, err));
    SS_TRY(ss_run_graph_write(&analysis->graph, folder, err));
    SS_TRY(write_manifest(analysis, run, folder, err));
    SS_TRY(ss_run_steps_skip(&steps, folder->staging, &analysis->steps, err));
    SS_TRY(ss_run_folder_commit(folder, err));
out:
    if (status != SS_OK) {
        ss_run_folder_fix_error_path(folder, err);
    }
    ss__free(path);
    return status;
}

/* ---- the whole ---- */

static ss_status prepare(struct analysis *analysis, struct ss_run_folder *folder, ss_err *err)
{
    const struct ss_analyze_options *options = analysis->options;
    struct ss_sae_info sae = {.struct_size = sizeof sae};
    SS_RETURN_IF_ERROR(ss_run_steps_choose(options->steps, &analysis->steps, err));
    analysis->recorder.log = options->log;
    analysis->top_k = options->top_k > 0 ? options->top_k : DEFAULT_TOP_K;
    analysis->pass = (struct ss_run_pass){
        .encoder = analysis->encoder,
        .sae = analysis->sae,
        .dataset = analysis->dataset,
        .embeddings = options->embeddings,
        .save_embeddings = options->save_embeddings,
        .force = options->force,
        .n_threads = options->n_threads,
        .batch_tokens = options->batch_tokens,
        .max_used = options->num_examples,
        .use = {[SS_ROW_NULL] = SS_RUN_ROW_SKIP,
                [SS_ROW_EMPTY] = SS_RUN_ROW_SKIP,
                [SS_ROW_BLANK] = SS_RUN_ROW_SKIP,
                [SS_ROW_BAD] = SS_RUN_ROW_SKIP},
        .log = {.fn = record, .user = &analysis->recorder},
        .progress = options->progress,
        .on_rows = reduce_rows,
        .user = analysis,
    };
    ss_sae_describe(analysis->sae, &sae);
    SS_RETURN_IF_ERROR(ss_run_pass_init(&analysis->pass, err));
    SS_RETURN_IF_ERROR(ss_stats_fires_init(&analysis->fires, sae.n_features, err));
    SS_RETURN_IF_ERROR(ss_stats_top_new(sae.n_features, analysis->top_k,
                                        options->keep_duplicates, &analysis->top, err));
    SS_RETURN_IF_ERROR(ss_run_evidence_start(&analysis->evidence, options, &analysis->pass,
                                             analysis->top_k, err));
    SS_RETURN_IF_ERROR(ss_run_graph_start(&analysis->graph, options, &analysis->pass, err));
    if (options->out_dir != NULL) {
        SS_RETURN_IF_ERROR(ss_run_folder_open(options->out_dir, names_of_files(analysis->files),
                                              options->force, folder, err));
    }
    return SS_OK;
}

ss_status ss_analyze(const ss_encoder *encoder, const ss_sae *sae, ss_dataset *dataset,
                     const struct ss_analyze_options *options, ss_run **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_analyze_options read = {.struct_size = sizeof read};
    struct ss_run_folder folder = {0};
    struct ss_run *run = NULL;
    struct analysis analysis = {
        .encoder = encoder,
        .sae = sae,
        .dataset = dataset,
        .options = &read,
        .evidence = {.kind = SS_EVIDENCE_NONE},
    };
    *out = NULL;
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_analyze_options, err));
    SS_TRY(prepare(&analysis, &folder, err));
    SS_TRY(run_pass(&analysis, err));
    SS_TRY(make_run(&analysis, &run, err));
    SS_TRY(ss_run_pass_save(&analysis.pass, err));
    ss_run_pass_release(&analysis.pass); /* drawing needs memory of its own */
    if (analysis.options->out_dir != NULL) {
        run->asking = &analysis.pass.asking;
        SS_TRY(write_files(&analysis, run, &folder, err));
        run->asking = NULL;
        analysis.is_written = true;
        const struct ss_run_steps steps = steps_of(&analysis, run);
        ss_run_evidence_abort(&analysis.evidence); /* they are read from the folder */
        ss_run_graph_abort(&analysis.graph);
        SS_TRY(ss_run_steps_do(&steps, analysis.steps, err));
    }
    *out = run;
    run = NULL;
out:
    if (status == SS_E_STOPPED && !analysis.is_written) {
        status = ss_run_pipeline_stopped(&analysis.pass.done, analysis.options->out_dir, err);
    }
    ss_run_free(run);
    ss_run_folder_abort(&folder);
    ss_run_pass_release(&analysis.pass);
    ss_stats_fires_release(&analysis.fires);
    ss_stats_top_free(analysis.top);
    ss_run_evidence_abort(&analysis.evidence);
    ss_run_graph_abort(&analysis.graph);
    ss__arena_release(&analysis.recorder.arena);
    return status;
}
