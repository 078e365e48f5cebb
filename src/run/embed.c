/* A dataset to a .npy file of embeddings, one row each. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "run/npy.h"
#include "run/pipeline.h"
#include "tensor/tensor.h"

struct embedding {
    struct ss_run_npy_stream stream;
    struct ss_run_batch_walk walk;
    float *missing; /* [width] what stands for a row without a text */
    size_t width;
};

static ss_status write_batch(void *user, const struct ss_run_batch *batch, float *embeddings,
                             ss_err *err)
{
    struct embedding *embedding = user;
    struct ss_run_batch_row row;
    ss_run_batch_walk_start(&embedding->walk, batch);
    while (ss_run_batch_walk_next(&embedding->walk, &row)) {
        const float *values =
            row.is_used ? embeddings + row.index * embedding->width : embedding->missing;
        SS_RETURN_IF_ERROR(ss_run_npy_add(&embedding->stream, values, 1, err));
    }
    return SS_OK;
}

/* Rows behind the last one with a text. */
static ss_status add_last(struct embedding *embedding, uint64_t n_read, ss_err *err)
{
    while (embedding->walk.fills_gaps && embedding->walk.next_id < n_read) {
        SS_RETURN_IF_ERROR(ss_run_npy_add(&embedding->stream, embedding->missing, 1, err));
        embedding->walk.next_id++;
    }
    return SS_OK;
}

static ss_status embed_rows(const struct ss_run_pipeline *base, ss_null_rule rule,
                            struct embedding *embedding, struct ss_run_pipeline_done *done,
                            ss_err *err)
{
    struct ss_run_pipeline pipeline = *base;
    embedding->walk.fills_gaps = rule == SS_NULL_ZERO || rule == SS_NULL_NAN;
    SS_ALLOC_OR_RETURN(embedding->missing, embedding->width);
    for (size_t i = 0; rule == SS_NULL_NAN && i < embedding->width; i++) {
        embedding->missing[i] = NAN;
    }
    pipeline.use[SS_ROW_NULL] = embedding->walk.fills_gaps ? SS_RUN_ROW_UNEMBEDDED
                                : rule == SS_NULL_SKIP     ? SS_RUN_ROW_SKIP
                                                           : SS_RUN_ROW_REFUSE;
    pipeline.use[SS_ROW_BAD] =
        embedding->walk.fills_gaps ? SS_RUN_ROW_UNEMBEDDED : SS_RUN_ROW_SKIP;
    SS_RETURN_IF_ERROR(ss_run_pipeline_run(&pipeline, done, err));
    SS_RETURN_IF_ERROR(add_last(embedding, done->counts.n_read, err));
    return ss_run_npy_commit(&embedding->stream, err);
}

/* What is written is .npy whatever the name; one that promises another format is refused. */
static ss_status check_extension(const char *path, ss_err *err)
{
    static const char *const others[] = {
        ".txt",     ".csv", ".tsv", ".json", ".jsonl", ".ndjson",      ".parquet", ".arrow",
        ".feather", ".npz", ".pt",  ".pth",  ".bin",   ".safetensors", ".pkl",     ".h5",
        ".hdf5",    ".gz",  ".zst", ".bz2",  ".xz",    ".zip"};
    const char *extension = strrchr(ss__path_name(path), '.');
    for (size_t i = 0; extension != NULL && i < sizeof others / sizeof *others; i++) {
        if (ss__equal_ignoring_case(extension, others[i]) &&
            ss__path_look(path) != SS__PATH_OTHER) {
            return ss__fail_file(err, path, SS_E_USAGE,
                                 "embeddings are written as .npy, not as %s; let the name end "
                                 "in .npy",
                                 others[i]);
        }
    }
    return SS_OK;
}

ss_status ss_embed_file(const ss_encoder *encoder, ss_dataset *dataset, const char *out_path,
                        const struct ss_embed_options *options, struct ss_progress *done,
                        ss_err *err)
{
    ss_status status = SS_OK;
    static const struct ss_embed_options defaults = {0};
    struct embedding embedding = {.stream = SS_RUN_NPY_CLOSED};
    struct ss_run_pipeline_done totals = {0};
    struct ss_encoder_info info;
    ss_work *work = NULL;
    options = options == NULL ? &defaults : options;
    const ss_null_rule rule = options->skip_empty ? SS_NULL_SKIP : options->null_rule;
    const uint64_t n = options->num_examples;
    ss_encoder_describe(encoder, &info);
    embedding.width = info.width;
    SS_TRY(check_extension(out_path, err));
    SS_TRY(ss_run_npy_open(out_path, options->force, info.width, &embedding.stream, err));
    SS_TRY(ss_work_new(options->n_threads, &work, err));
    ss_tensor_work_tell_threads(work, &options->log);
    const struct ss_run_pipeline pipeline = {
        .encoder = encoder,
        .dataset = dataset,
        .work = work,
        .batch_tokens = options->batch_tokens,
        .max_used = rule == SS_NULL_SKIP ? n : 0, /* else every row read is a row written */
        .max_read = rule == SS_NULL_SKIP ? 0 : n,
        .log = options->log,
        .watch = options->watch,
        .on_batch = write_batch,
        .user = &embedding,
    };
    SS_TRY(embed_rows(&pipeline, rule, &embedding, &totals, err));
out:
    if (status == SS_E_STOPPED) {
        status = ss_run_pipeline_stopped(&totals, out_path, err);
    }
    ss_run_npy_abort(&embedding.stream);
    ss__free(embedding.missing);
    ss_work_free(work);
    if (done != NULL) {
        *done = (struct ss_progress){
            .n_rows_done =
                embedding.walk.fills_gaps ? totals.counts.n_read : totals.counts.n_used,
            .n_rows_total = totals.counts.n_read,
            .n_rows_missing =
                totals.counts.n_skipped[SS_ROW_NULL] + totals.counts.n_skipped[SS_ROW_BAD],
            .n_tokens_done = totals.n_tokens,
            .seconds = totals.seconds,
        };
    }
    return status;
}
