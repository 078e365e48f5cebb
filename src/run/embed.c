/* A dataset to a .npy file of embeddings, one row each. */
#include <math.h>

#include "base/sized.h"
#include "dataset/dataset.h"
#include "pass/embeddings_file.h"
#include "pass/pipeline.h"
#include "tensor/tensor.h"

static ss_status write_batch(void *user, const struct ss_pass_batch *batch, float *embeddings,
                             ss_err *err)
{
    return ss_pass_embeddings_file_add(user, batch, embeddings, err);
}

static ss_status embed_rows(const struct ss_pass_pipeline *base, ss_null_rule rule,
                            struct ss_pass_embeddings_file *file,
                            struct ss_pass_pipeline_done *done, ss_err *err)
{
    struct ss_pass_pipeline pipeline = *base;
    const bool keeps_place = rule == SS_NULL_ZERO || rule == SS_NULL_NAN;
    file->walk.fills_gaps = keeps_place && !ss_dataset_passed(base->dataset).is_selective;
    pipeline.use[SS_ROW_NULL] = keeps_place            ? SS_PASS_ROW_UNEMBEDDED
                                : rule == SS_NULL_SKIP ? SS_PASS_ROW_SKIP
                                                       : SS_PASS_ROW_REFUSE;
    pipeline.use[SS_ROW_BAD] = keeps_place ? SS_PASS_ROW_UNEMBEDDED : SS_PASS_ROW_SKIP;
    SS_RETURN_IF_ERROR(ss_pass_pipeline_run(&pipeline, done, err));
    return ss_pass_embeddings_file_commit(file, done->counts.n_read, err);
}

ss_status ss_embed_file(const ss_encoder *encoder, ss_dataset *dataset, const char *out_path,
                        const struct ss_embed_options *options, struct ss_embed_result *done,
                        ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_embed_options read = {.struct_size = sizeof read};
    struct ss_pass_embeddings_file file = SS_PASS_EMBEDDINGS_FILE_CLOSED;
    struct ss_pass_pipeline_done totals = {0};
    struct ss_encoder_info info = {.struct_size = sizeof info};
    ss_work *work = NULL;
    bool keeps_place = false; /* of rows without a text */
    SS_TRY(ss__result_check(done, "ss_embed_result", err));
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_embed_options, err));
    options = &read;
    const ss_null_rule rule = options->skip_empty ? SS_NULL_SKIP : options->null_rule;
    keeps_place = rule == SS_NULL_ZERO || rule == SS_NULL_NAN;
    const uint64_t n = options->num_examples;
    ss_encoder_describe(encoder, &info);
    SS_TRY(ss_pass_embeddings_file_open(out_path, options->force, info.width,
                                        rule == SS_NULL_NAN ? NAN : 0, &file, err));
    SS_TRY(ss_work_new(options->n_threads, &work, err));
    ss_tensor_work_warn_threads(work, &options->log);
    const struct ss_pass_pipeline pipeline = {
        .encoder = encoder,
        .dataset = dataset,
        .work = work,
        .batch_tokens = options->batch_tokens,
        .max_used = rule == SS_NULL_SKIP ? n : 0, /* else every row read is a row written */
        .max_read = rule == SS_NULL_SKIP ? 0 : n,
        .log = options->log,
        .progress = options->progress,
        .on_batch = write_batch,
        .user = &file,
    };
    SS_TRY(embed_rows(&pipeline, rule, &file, &totals, err));
out:
    if (status == SS_E_STOPPED) {
        status = ss_pass_pipeline_stopped(&totals, out_path, err);
    }
    ss_work_free(work);
    if (done != NULL) {
        const struct ss_embed_result result = {
            .struct_size = sizeof result,
            .n_rows = keeps_place ? totals.counts.n_read - totals.counts.n_unmatched -
                                        totals.counts.n_unsampled
                                  : totals.counts.n_used,
            .n_rows_missing =
                totals.counts.n_skipped[SS_ROW_NULL] + totals.counts.n_skipped[SS_ROW_BAD],
            .n_tokens = totals.n_tokens,
            .seconds = totals.seconds,
        };
        (void)ss__result_write(done, &result, sizeof result);
    }
    ss_pass_embeddings_file_abort(&file);
    return status;
}
