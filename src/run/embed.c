/* A dataset to a .npy file of embeddings, one row each. */
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/mem.h"
#include "run/npy.h"
#include "run/pipeline.h"

static ss_status take_batch(void *user, const struct ss__batch *batch, float *embeddings,
                            ss_err *err)
{
    return ss__npy_add(user, embeddings, batch->n_rows, err);
}

/* What is written is .npy whatever the name; one that promises another format is refused. */
static ss_status check_ending(const char *path, ss_err *err)
{
    static const char *const others[] = {
        ".txt",     ".csv", ".tsv", ".json", ".jsonl", ".ndjson",      ".parquet", ".arrow",
        ".feather", ".npz", ".pt",  ".pth",  ".bin",   ".safetensors", ".pkl",     ".h5",
        ".hdf5",    ".gz",  ".zst", ".bz2",  ".xz",    ".zip"};
    const char *ending = strrchr(ss__path_name(path), '.');
    for (size_t i = 0; ending != NULL && i < sizeof others / sizeof *others; i++) {
        if (strcasecmp(ending, others[i]) == 0 && ss__path_look(path) != SS__PATH_OTHER) {
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
    struct ss__npy_stream stream = SS__NPY_CLOSED;
    struct ss__pipeline_done totals = {0};
    struct ss_encoder_info info;
    ss_work *work = NULL;
    options = options == NULL ? &defaults : options;
    ss_encoder_describe(encoder, &info);
    SS_TRY(check_ending(out_path, err));
    SS_TRY(ss__npy_open(out_path, options->force, info.width, &stream, err));
    SS_TRY(ss_work_new(options->n_threads, &work, err));
    const struct ss__pipeline pipeline = {
        .encoder = encoder,
        .dataset = dataset,
        .work = work,
        .batch_tokens = options->batch_tokens,
        .max_used = options->num_examples,
        .use = {[SS_ROW_NULL] = options->skip_empty ? SS__ROW_SKIP : SS__ROW_REFUSE},
        .log = options->log,
        .watch = options->watch,
        .take = take_batch,
        .user = &stream,
    };
    SS_TRY(ss__pipeline_run(&pipeline, &totals, err));
    SS_TRY(ss__npy_commit(&stream, err));
out:
    ss__npy_abort(&stream);
    ss_work_free(work);
    if (done != NULL) {
        *done = (struct ss_progress){
            .n_rows_done = totals.counts.n_used,
            .n_rows_total = totals.counts.n_read,
            .n_tokens_done = totals.n_tokens,
            .seconds = totals.seconds,
        };
    }
    return status;
}
