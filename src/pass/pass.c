/* Batches of embeddings to sparse activations. Where the SAE's threshold has to be calibrated,
 * the pipeline makes the first batch as large as that needs; it is calibrated on, then encoded
 * like any other. */
#include "pass/pass.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "encoder/encoder.h"
#include "pass/embeddings.h"
#include "pass/encoder_fingerprint.h"
#include "sae/sae.h"
#include "tensor/tensor.h"

/* The part of a model's name behind the owner. */
static const char *short_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash == NULL ? name : slash + 1;
}

static ss_status check_width(const char *what, const char *path, size_t width,
                             const struct ss_sae_info *sae, ss_err *err)
{
    const bool has_name = sae->model_name[0] != '\0';
    return width == sae->width
               ? SS_OK
               : ss__fail(err, SS_E_SHAPE,
                          "the %s %s gives embeddings of width %zu, but the SAE %s reads "
                          "width %zu; they do not belong together%s%.200s%s",
                          what, path, width, sae->path, sae->width,
                          has_name ? " (the SAE's config names the encoder '" : "",
                          sae->model_name, has_name ? "')" : "");
}

static ss_status check_pair(const struct ss_pass *pass, ss_err *err)
{
    struct ss_encoder_info encoder = {.struct_size = sizeof encoder};
    struct ss_embeddings_info embeddings = {.struct_size = sizeof embeddings};
    struct ss_sae_info sae = {.struct_size = sizeof sae};
    ss_sae_describe(pass->sae, &sae);
    if (pass->embeddings != NULL) {
        ss_embeddings_describe(pass->embeddings, &embeddings);
        return check_width("file", embeddings.path, embeddings.width, &sae, err);
    }
    ss_encoder_describe(pass->encoder, &encoder);
    return check_width("encoder", encoder.path, encoder.width, &sae, err);
}

/* Whether the encoder is that of the SAE: by what it does, where the SAE's config tells that,
 * else by the names, which may differ for many reasons. */
static ss_status check_encoder(const struct ss_pass *pass, ss_err *err)
{
    const char *recorded = ss_pass_fingerprint_in(ss_sae_config(pass->sae));
    struct ss_encoder_info encoder = {.struct_size = sizeof encoder};
    struct ss_sae_info sae = {.struct_size = sizeof sae};
    char found[SS_PASS_FINGERPRINT_BYTES];
    if (pass->embeddings != NULL) {
        return SS_OK;
    }
    ss_sae_describe(pass->sae, &sae);
    ss_encoder_describe(pass->encoder, &encoder);
    if (recorded != NULL) {
        SS_RETURN_IF_ERROR(ss_pass_encoder_fingerprint(pass->encoder, pass->work, found, err));
        if (!ss_pass_fingerprints_agree(recorded, found)) {
            ss__log(&pass->log, SS_LEVEL_WARNING,
                    "the SAE was trained on embeddings that '%s' does not make (of '%s', "
                    "perhaps with another prompt); its features mean nothing here",
                    encoder.name, sae.model_name);
        }
    } else if (sae.model_name[0] != '\0' &&
               strcmp(short_name(sae.model_name), short_name(encoder.name)) != 0) {
        ss__log(&pass->log, SS_LEVEL_WARNING,
                "the SAE's config names the encoder '%s', but the encoder given is '%s'; if "
                "they are not the same, the features mean nothing",
                sae.model_name, encoder.name);
    }
    return SS_OK;
}

static int ask_watch(void *user, const struct ss_progress *waiting)
{
    (void)waiting;
    const struct ss_pass *pass = user;
    const struct ss_progress progress = {
        .struct_size = sizeof progress,
        .stage = SS_STAGE_ROWS,
        .name = "",
        .n_rows_done = pass->done.counts.n_used,
        .n_rows_total = pass->done.counts.n_used,
        .n_tokens_done = pass->done.n_tokens,
        .seconds = pass->done.seconds,
    };
    return pass->progress.fn != NULL && pass->progress.fn(pass->progress.user, &progress) != 0;
}

/* Rows that are not used keep their place as NaN, so that the file goes with the dataset. */
static ss_status open_saved(struct ss_pass *pass, ss_err *err)
{
    struct ss_encoder_info encoder = {.struct_size = sizeof encoder};
    if (pass->save_embeddings == NULL) {
        return SS_OK;
    }
    if (pass->embeddings != NULL) {
        return ss__fail(err, SS_E_USAGE,
                        "there are no embeddings to save: they come from a file already");
    }
    ss_encoder_describe(pass->encoder, &encoder);
    pass->saved = SS_PASS_EMBEDDINGS_FILE_CLOSED;
    pass->saved.walk.fills_gaps = true;
    pass->is_saving = true;
    return ss_pass_embeddings_file_open(pass->save_embeddings, pass->force, encoder.width, NAN,
                                        &pass->saved, err);
}

ss_status ss_pass_init(struct ss_pass *pass, ss_err *err)
{
    SS_RETURN_IF_ERROR(check_pair(pass, err));
    SS_RETURN_IF_ERROR(ss_work_new(pass->n_threads, &pass->work, err));
    pass->n_threads = ss_work_n_threads(pass->work);
    pass->asking.stop = (struct ss_progress_callback){ask_watch, pass};
    ss_work_set_progress(pass->work, pass->asking.stop);
    ss_tensor_work_warn_threads(pass->work, &pass->log);
    SS_RETURN_IF_ERROR(check_encoder(pass, err));
    if (pass->embeddings != NULL) {
        pass->batch_tokens = 0;
    } else if (pass->batch_tokens == 0) {
        pass->batch_tokens = ss_encoder_batch_tokens(pass->encoder);
    }
    SS_RETURN_IF_ERROR(ss_pass_reembed_init(&pass->reembed,
                                            pass->embeddings == NULL ? pass->encoder : NULL,
                                            pass->sae, pass->work, err));
    return open_saved(pass, err);
}

static ss_status give_rows(struct ss_pass *pass, const struct ss_pass_rows *rows, ss_err *err)
{
    if (pass->is_saving) {
        SS_RETURN_IF_ERROR(
            ss_pass_embeddings_file_add(&pass->saved, rows->batch, rows->embeddings, err));
    }
    return pass->on_rows(pass->user, rows, err);
}

/* Receives every batch of the pipeline. */
static ss_status encode_batch(void *user, const struct ss_pass_batch *batch, float *embeddings,
                              ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_pass *pass = user;
    const struct ss_pass_rows rows = {batch, embeddings, &pass->rows};
    if (batch->n_rows == 0) { /* nothing but rows that are not embedded */
        pass->rows.n_rows = 0;
        return give_rows(pass, &rows, err);
    }
    if (pass->is_calibrating) {
        SS_TRY(ss_pass_reembed_calibrate(&pass->reembed, batch, embeddings, err));
        pass->is_calibrating = false;
    }
    SS_TRY(ss_pass_reembed_encode(&pass->reembed, batch, embeddings, &pass->rows,
                                  &pass->sae_counts, err));
    SS_TRY(give_rows(pass, &rows, err));
out:
    if (status == SS_E_NONFINITE && err != NULL && err->row < batch->n_rows) {
        ss__err_at_row(err, batch->row_ids[err->row]);
    }
    return status;
}

/* What was embedded again shows how far embeddings are off in truth. */
static void check_errors(const struct ss_pass *pass)
{
    const struct ss_pass_reembed *reembed = &pass->reembed;
    if (reembed->largest_error > reembed->error) {
        ss__log(&pass->log, SS_LEVEL_WARNING,
                "an embedding at the precision high was off by %.2g of its length, and %.2g is "
                "allowed for: some texts may fire other features than at highest "
                "(`precision` highest)",
                reembed->largest_error, reembed->error);
    }
}

ss_status ss_pass_run(struct ss_pass *pass, ss_err *err)
{
    const uint64_t n_calibration = ss_sae_calibration_rows(pass->sae);
    pass->is_calibrating = n_calibration > 0;
    struct ss_pass_pipeline pipeline = {
        .encoder = pass->reembed.encoder,
        .dataset = pass->dataset,
        .work = pass->work,
        .batch_tokens = pass->batch_tokens,
        .max_used = pass->max_used,
        .max_read = pass->max_read,
        .n_passed_over = pass->n_passed_over,
        .first_rows = n_calibration > SIZE_MAX ? SIZE_MAX : (size_t)n_calibration,
        .rows_each = ss_sae_batch_rows(pass->sae),
        .log = pass->log,
        .progress = pass->progress,
        .on_batch = encode_batch,
        .user = pass,
    };
    memcpy(pipeline.use, pass->use, sizeof pipeline.use);
    SS_RETURN_IF_ERROR(
        pass->embeddings == NULL
            ? ss_pass_pipeline_run(&pipeline, &pass->done, err)
            : ss_pass_embeddings_run(pass->embeddings, &pipeline, &pass->done, err));
    check_errors(pass);
    return SS_OK;
}

ss_status ss_pass_save(struct ss_pass *pass, ss_err *err)
{
    return pass->is_saving
               ? ss_pass_embeddings_file_commit(&pass->saved, pass->done.counts.n_read, err)
               : SS_OK;
}

void ss_pass_release(struct ss_pass *pass)
{
    if (pass->is_saving) {
        ss_pass_embeddings_file_abort(&pass->saved);
        pass->is_saving = false;
    }
    ss_pass_reembed_release(&pass->reembed);
    ss_sparse_release(&pass->rows);
    ss_work_free(pass->work);
    pass->work = NULL;
}
