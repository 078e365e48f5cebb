/* One pass: rows -> embeddings -> sparse activations -> reducers -> files. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "encoder/encoder.h"
#include "run/again.h"
#include "run/embeddings.h"
#include "run/folder.h"
#include "run/manifest.h"
#include "run/plot.h"

enum { DEFAULT_TOP_K = 10, MAX_SENTENCES = 100, MAX_FILES = 16 };

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
    ss_work *work;
    struct ss__fires fires;
    struct ss__top *top;
    struct ss_sparse rows;
    struct ss__sae_counts sae_counts;
    struct ss__again again;
    struct ss__pipeline_done done;
    struct recorder recorder;
    size_t width, top_k, batch_tokens, n_threads;
    bool is_calibrating;
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

static struct ss_log recording_log(struct recorder *recorder)
{
    return (struct ss_log){.fn = record, .user = recorder};
}

/* The part of a model's name behind the owner. */
static const char *short_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash == NULL ? name : slash + 1;
}

static ss_status check_width(const char *what, const char *path, size_t width,
                             const struct ss_sae_info *sae, ss_err *err)
{
    return width == sae->width
               ? SS_OK
               : ss__fail(err, SS_E_SHAPE,
                          "the %s %s gives embeddings of width %zu, but the SAE %s reads "
                          "width %zu; they do not belong together",
                          what, path, width, sae->path, sae->width);
}

static ss_status check_pair(struct analysis *analysis, ss_err *err)
{
    struct ss_encoder_info encoder;
    struct ss_embeddings_info embeddings;
    struct ss_sae_info sae;
    const struct ss_log log = recording_log(&analysis->recorder);
    ss_sae_describe(analysis->sae, &sae);
    analysis->width = sae.width;
    if (analysis->options->embeddings != NULL) {
        ss_embeddings_describe(analysis->options->embeddings, &embeddings);
        return check_width("file", embeddings.path, embeddings.width, &sae, err);
    }
    ss_encoder_describe(analysis->encoder, &encoder);
    if (sae.model_name[0] != '\0' && encoder.width == sae.width &&
        strcmp(short_name(sae.model_name), short_name(encoder.name)) != 0) {
        ss__log(&log, SS_LEVEL_WARNING,
                "the SAE's config names the encoder '%s', but the encoder given is '%s'; if "
                "they are not the same, the features mean nothing",
                sae.model_name, encoder.name);
    }
    return check_width("encoder", encoder.path, encoder.width, &sae, err);
}

/* Receives every batch of the pipeline. */
static ss_status take_batch(void *user, const struct ss__batch *batch, float *embeddings,
                            ss_err *err)
{
    ss_status status = SS_OK;
    struct analysis *analysis = user;
    if (analysis->is_calibrating) {
        /* The caller lends the SAE as const, but its threshold is part of this analysis: it is
         * set once, before the SAE's first use. */
        ss_sae *sae = (ss_sae *)(uintptr_t)analysis->sae;
        SS_TRY(ss__again_calibrate(&analysis->again, sae, batch, embeddings, err));
        analysis->is_calibrating = false;
    }
    SS_TRY(ss__again_encode(&analysis->again, batch, embeddings, &analysis->rows,
                            &analysis->sae_counts, err));
    ss__fires_add(&analysis->fires, &analysis->rows);
    const struct ss__row_texts texts = {batch->texts, batch->has_notes ? batch->notes : NULL,
                                        batch->row_ids};
    SS_TRY(ss__top_add(analysis->top, &analysis->rows, &texts, err));
out:
    if (status == SS_E_NONFINITE && err != NULL && err->row < batch->n_rows) {
        ss__err_at_row(err, batch->row_ids[err->row]);
    }
    return status;
}

/* What was embedded again shows how far embeddings are off in truth. */
static void check_errors(struct analysis *analysis)
{
    const struct ss__again *again = &analysis->again;
    const struct ss_log log = recording_log(&analysis->recorder);
    if (again->largest_error > again->error) {
        ss__log(&log, SS_LEVEL_WARNING,
                "an embedding at the precision high was off by %.2g of its length, and %.2g is "
                "allowed for: some texts may fire other features than at highest "
                "(--precision highest)",
                again->largest_error, again->error);
    }
}

static ss_status run_pipeline(struct analysis *analysis, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_analyze_options *options = analysis->options;
    const uint64_t n_calibration = ss__sae_calibration_rows(analysis->sae);
    analysis->is_calibrating = n_calibration > 0;
    const struct ss__pipeline pipeline = {
        .encoder = analysis->again.encoder,
        .dataset = analysis->dataset,
        .work = analysis->work,
        .batch_tokens = analysis->batch_tokens,
        .max_used = options->num_examples,
        .use = {[SS_ROW_TEXT] = SS__ROW_USE,
                [SS_ROW_NULL] = SS__ROW_SKIP,
                [SS_ROW_EMPTY] = SS__ROW_SKIP,
                [SS_ROW_BLANK] = SS__ROW_SKIP},
        .first_rows = n_calibration > SIZE_MAX ? SIZE_MAX : (size_t)n_calibration,
        .rows_each = ss__sae_batch_rows(analysis->sae),
        .log = recording_log(&analysis->recorder),
        .watch = options->watch,
        .take = take_batch,
        .user = analysis,
    };
    SS_TRY(options->embeddings == NULL
               ? ss__pipeline_run(&pipeline, &analysis->done, err)
               : ss__embeddings_run(options->embeddings, &pipeline, &analysis->done, err));
    check_errors(analysis);
    if (analysis->done.counts.n_used == 0) {
        SS_FAIL(SS_E_DATA,
                "no row had text: %llu rows were read, %llu null, %llu empty, %llu blank",
                (unsigned long long)analysis->done.counts.n_read,
                (unsigned long long)analysis->done.counts.n_skipped[SS_ROW_NULL],
                (unsigned long long)analysis->done.counts.n_skipped[SS_ROW_EMPTY],
                (unsigned long long)analysis->done.counts.n_skipped[SS_ROW_BLANK]);
    }
out:
    return status;
}

static ss_status set_names(struct analysis *analysis, struct ss_run *run, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_encoder_info encoder = {.name = SS__NAME_EMBEDDINGS};
    struct ss_embeddings_info embeddings;
    const char *path = NULL;
    struct ss_sae_info sae;
    struct ss_dataset_info dataset;
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
        dataset = (struct ss_dataset_info){.n_files = 1, .files = &path, .repository = ""};
    }
    info->model_name = ss__run_keep(run, encoder.name);
    info->sae_path = ss__run_keep(run, sae.path);
    info->dataset_name = ss__dataset_name(&dataset, &run->arena);
    if (info->dataset_name != NULL) {
        info->title = analysis->options->title == NULL
                          ? ss__density_title(&run->arena, info->dataset_name)
                          : ss__run_keep(run, analysis->options->title);
    }
    if (info->model_name == NULL || info->sae_path == NULL || info->title == NULL) {
        SS_TRY(ss__fail_nomem(err, "names"));
    }
out:
    return status;
}

static ss_status make_run(struct analysis *analysis, struct ss_run **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run *run = NULL;
    const struct ss__pipeline_done *done = &analysis->done;
    SS_ALLOC(run, 1);
    run->info = (struct ss_run_info){
        .n_rows_read = done->counts.n_read,
        .n_rows_used = done->counts.n_used,
        .n_rows_repaired = done->counts.n_repaired,
        .n_rows_reembedded = analysis->again.n_rows,
        .n_tokens = done->n_tokens,
        .seconds = done->seconds,
        .top_k = analysis->top_k,
    };
    memcpy(run->info.n_rows_skipped, done->counts.n_skipped, sizeof done->counts.n_skipped);
    SS_TRY(set_names(analysis, run, err));
    SS_TRY(ss__run_fill(run, &analysis->fires, &analysis->top, err));
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
    {SS__FILE_RATES, ss__rates_write, NULL},
    {SS__FILE_TOP, ss__top_json_write, NULL},
    {SS__FILE_FEATURES, ss__features_csv_write, NULL},
    {SS__FILE_TEXTS, ss__top_texts_write, ss__run_has_kept},
    {"density.svg", draw, NULL},
    {"density.png", draw, NULL},
};

enum { N_OUTPUTS = sizeof outputs / sizeof outputs[0] };

/* All names of the folder, the one that makes it complete last. */
static const char *const *names_of_files(const char *names[MAX_FILES])
{
    for (size_t i = 0; i < N_OUTPUTS; i++) {
        names[i] = outputs[i].name;
    }
    names[N_OUTPUTS] = SS__FILE_MANIFEST;
    names[N_OUTPUTS + 1] = NULL;
    return names;
}

static ss_status write_manifest(struct analysis *analysis, const struct ss_run *run,
                                const struct ss__folder *folder, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__manifest manifest = {
        .encoder = analysis->encoder,
        .sae = analysis->sae,
        .dataset = analysis->dataset,
        .options = analysis->options,
        .run = run,
        .done = &analysis->done,
        .sae_counts = analysis->sae_counts,
        .error_margin = analysis->again.error,
        .largest_error = analysis->again.largest_error,
        .n_threads = analysis->n_threads,
        .batch_tokens = analysis->batch_tokens,
        .warnings = analysis->recorder.sentences,
        .n_warnings = analysis->recorder.n_sentences,
        .folder = folder->staging,
    };
    char *path = ss__folder_file(folder, SS__FILE_MANIFEST);
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss__manifest_write(&manifest, path, err));
out:
    ss__free(path);
    return status;
}

static ss_status write_files(struct analysis *analysis, const struct ss_run *run,
                             struct ss__folder *folder, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    for (size_t i = 0; i < N_OUTPUTS; i++) {
        if (outputs[i].is_wanted != NULL && !outputs[i].is_wanted(run)) {
            continue;
        }
        path = ss__folder_file(folder, outputs[i].name);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        SS_TRY(outputs[i].write(run, path, err));
        ss__free(path);
        path = NULL;
    }
    SS_TRY(write_manifest(analysis, run, folder, err));
    SS_TRY(ss__folder_commit(folder, err));
out:
    if (status != SS_OK) {
        ss__folder_show_place(folder, err);
    }
    ss__free(path);
    return status;
}

/* ---- the whole ---- */

static ss_status prepare(struct analysis *analysis, struct ss__folder *folder, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_analyze_options *options = analysis->options;
    struct ss_sae_info sae;
    analysis->recorder.log = options->log;
    analysis->top_k = options->top_k > 0 ? options->top_k : DEFAULT_TOP_K;
    if (options->embeddings == NULL) {
        analysis->batch_tokens = options->batch_tokens > 0
                                     ? options->batch_tokens
                                     : ss__encoder_batch_tokens(analysis->encoder);
    }
    ss_sae_describe(analysis->sae, &sae);
    SS_TRY(check_pair(analysis, err));
    SS_TRY(ss__fires_init(&analysis->fires, sae.n_features, err));
    SS_TRY(ss__top_new(sae.n_features, analysis->top_k, options->keep_duplicates,
                       &analysis->top, err));
    SS_TRY(ss_work_new(options->n_threads, &analysis->work, err));
    analysis->n_threads = ss_work_n_threads(analysis->work);
    SS_TRY(ss__again_init(&analysis->again,
                          options->embeddings == NULL ? analysis->encoder : NULL, analysis->sae,
                          analysis->work, err));
    if (options->out_dir != NULL) {
        SS_TRY(ss__folder_open(options->out_dir, names_of_files(analysis->files),
                               options->force, folder, err));
    }
out:
    return status;
}

ss_status ss_analyze(const ss_encoder *encoder, const ss_sae *sae, ss_dataset *dataset,
                     const struct ss_analyze_options *options, ss_run **out, ss_err *err)
{
    ss_status status = SS_OK;
    static const struct ss_analyze_options defaults = {0};
    struct ss__folder folder = {0};
    struct ss_run *run = NULL;
    struct analysis analysis = {
        .encoder = encoder,
        .sae = sae,
        .dataset = dataset,
        .options = options == NULL ? &defaults : options,
    };
    *out = NULL;
    SS_TRY(prepare(&analysis, &folder, err));
    SS_TRY(run_pipeline(&analysis, err));
    ss__again_release(&analysis.again);
    ss_work_free(analysis.work); /* drawing needs memory of its own */
    analysis.work = NULL;
    SS_TRY(make_run(&analysis, &run, err));
    if (analysis.options->out_dir != NULL) {
        SS_TRY(write_files(&analysis, run, &folder, err));
    }
    *out = run;
    run = NULL;
out:
    ss_run_free(run);
    ss__folder_abort(&folder);
    ss__again_release(&analysis.again);
    ss_sparse_release(&analysis.rows);
    ss__fires_release(&analysis.fires);
    ss__top_free(analysis.top);
    ss_work_free(analysis.work);
    ss__arena_release(&analysis.recorder.arena);
    return status;
}
