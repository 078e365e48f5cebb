/* Training an SAE: rows in, a folder with the SAE, its metrics and figures out. What an
 * interruption must not lose is kept beside it (training_kept.c). */
#include "run/training.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/output.h"
#include "base/sized.h"
#include "base/stop.h"
#include "encoder/encoder.h"
#include "folder/folder.h"
#include "pass/pipeline.h"
#include "run/evaluation.h"
#include "run/training_kept.h"
#include "tensor/tensor.h"

enum { CENTER_ROWS = 8192, CHECKPOINT_STEPS = 500, LEAST_CALIBRATION_ROWS = 64 };
static const uint64_t MAX_STATE_BYTES = (uint64_t)1 << 34;
static const double DIVERGED = 20; /* times the first error */

static const char *const file_names[] = {
    "sae.pt",     "sae.safetensors", "metrics.csv", "curves.svg",
    "curves.png", "evaluation.json", "config.json", NULL};

/* One call. */
struct session {
    struct ss_run_training training;
    struct ss_train_options options;
    struct ss_trainer *trainer;
    struct ss_folder folder;
    ss_work *work;
    struct ss__asking asking;
    struct ss_run_training_kept kept;
    float *batch;
    double first_error, start;
    uint64_t first_step; /* of this call */
    bool borrows_rows;
};

/* ---- rows ---- */

static ss_status read_rows(struct session *self, const ss_encoder *encoder, ss_dataset *dataset,
                           ss_err *err)
{
    ss_status status = SS_OK;
    ss_embeddings *made = NULL, *given = self->options.embeddings;
    uint64_t most = self->options.num_examples;
    if (given == NULL && (encoder == NULL || dataset == NULL)) {
        SS_FAIL(SS_E_USAGE, "give `embeddings`, or `model` and `dataset`");
    }
    if (given == NULL) {
        const struct ss_embeddings_options options = {.struct_size = sizeof options};
        SS_TRY(ss_run_training_kept_embed(&self->kept, &self->options, encoder, dataset, err));
        SS_TRY(ss_embeddings_open(self->kept.embeddings, &options, &made, err));
        most = 0;
    }
    SS_TRY(ss_run_training_rows_read(&self->training.rows, made != NULL ? made : given, most,
                                     self->options.progress, err));
out:
    ss_embeddings_free(made);
    return status;
}

/* ---- batches ---- */

/* The next rows to train on, in the order of the seed; those held out are passed over. */
static ss_status next_batch(struct session *self, ss_err *err)
{
    struct ss_run_training *training = &self->training;
    const struct ss_train_config *config = &training->config;
    for (size_t i = 0; i < config->batch_rows;) {
        const uint64_t row =
            ss_train_row_at(config->seed, training->rows.n, training->cursor++);
        if (!ss_run_training_rows_is_held_out(&training->rows, row)) {
            SS_RETURN_IF_ERROR(ss_run_training_rows_get(
                &training->rows, row, self->batch + i++ * config->width, err));
        }
    }
    return SS_OK;
}

/* The geometric median of the first rows of the order. */
static ss_status center(struct session *self, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_run_training_rows *rows = &self->training.rows;
    const size_t n = (size_t)ss__min_u64(CENTER_ROWS, rows->n - rows->n_held_out);
    float *x = NULL;
    uint64_t at = 0;
    SS_ALLOC(x, n * rows->width);
    for (size_t i = 0; i < n;) {
        const uint64_t row = ss_train_row_at(self->training.config.seed, rows->n, at++);
        if (!ss_run_training_rows_is_held_out(rows, row)) {
            SS_TRY(ss_run_training_rows_get(rows, row, x + i++ * rows->width, err));
        }
    }
    SS_TRY(ss_train_set_center(self->trainer, x, n, err));
out:
    ss__free(x);
    return status;
}

/* ---- the state ---- */

static struct ss_text text_of(const struct ss__buf *buf)
{
    return (struct ss_text){buf->data, buf->n_bytes};
}

static ss_status save_state(const struct session *self, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf bytes = {0};
    const struct ss_train_progress progress = {.identity = text_of(&self->training.identity),
                                               .metrics = text_of(&self->training.metrics),
                                               .cursor = self->training.cursor};
    SS_TRY(ss__buf_check(&self->training.metrics, err));
    SS_TRY(ss_train_save(self->trainer, &progress, &bytes, err));
    SS_TRY(ss__file_write(self->kept.state, bytes.data, bytes.n_bytes, err));
out:
    ss__buf_release(&bytes);
    return status;
}

static ss_status start_anew(struct session *self, ss_err *err)
{
    ss_train_free(self->trainer);
    self->trainer = NULL;
    self->training.cursor = 0;
    self->training.metrics.n_bytes = 0;
    ss__buf_add_text(&self->training.metrics, ss_run_training_metrics_header);
    SS_RETURN_IF_ERROR(ss_train_new(&self->training.config, &self->trainer, err));
    return self->training.config.starts_at_median ? center(self, err) : SS_OK;
}

static ss_status load_state(struct session *self, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf bytes = {0};
    struct ss_train_progress progress = {.identity = text_of(&self->training.identity)};
    SS_TRY(ss__file_read(self->kept.state, (size_t)MAX_STATE_BYTES, &bytes, err));
    SS_TRY(ss_train_restore(self->trainer, self->kept.state, text_of(&bytes), &progress, err));
    self->training.cursor = progress.cursor;
    self->training.metrics.n_bytes = 0;
    ss__buf_add(&self->training.metrics, progress.metrics.data, progress.metrics.n_bytes);
    self->first_step = ss_train_steps_done(self->trainer);
    ss__log(&self->options.log, SS_LEVEL_NOTICE, "going on from step %llu of %s",
            (unsigned long long)self->first_step, self->kept.state);
out:
    ss__buf_release(&bytes);
    return status;
}

static ss_status start(struct session *self, ss_err *err)
{
    SS_RETURN_IF_ERROR(start_anew(self, err));
    if (ss__path_stat(self->kept.state) == SS__PATH_NONE) {
        return SS_OK;
    }
    const ss_status status = load_state(self, err);
    const bool is_other = status == SS_E_DATA || status == SS_E_USAGE;
    if (is_other && self->options.force) {
        (void)unlink(self->kept.state);
        return start_anew(self, err);
    }
    return status;
}

/* ---- steps ---- */

static ss_status check_error(struct session *self, const struct ss_train_figures *figures,
                             ss_err *err)
{
    const bool is_first = self->first_error == 0;
    self->first_error = is_first ? figures->l2_loss : self->first_error;
    if (isfinite(figures->loss) && isfinite(figures->grad_norm) &&
        figures->l2_loss <= DIVERGED * fmax(self->first_error, 1)) {
        return SS_OK;
    }
    return ss__fail(err, SS_E_DATA,
                    "training diverges: at step %llu the loss is %g; give a smaller `lr` than "
                    "%g (the last state before is %s)",
                    (unsigned long long)figures->step, figures->loss, self->training.config.lr,
                    ss__path_stat(self->kept.state) == SS__PATH_FILE ? self->kept.state
                                                                     : "not written yet");
}

static int tell(const struct session *self, const struct ss_train_figures *figures)
{
    const struct ss_train_metrics metrics = {
        .struct_size = sizeof metrics,
        .step = figures->step + 1,
        .n_steps = self->training.config.n_steps,
        .loss = figures->loss,
        .l2_loss = figures->l2_loss,
        .l0 = figures->l0_norm,
        .explained_variance = figures->explained_variance,
        .lr = figures->lr,
        .n_dead = figures->n_dead,
        .n_features = self->training.config.n_features,
        .steps_per_second = (double)(figures->step + 1 - self->first_step) /
                            fmax(ss__seconds_now() - self->start, 1e-9)};
    return self->options.on_step == NULL ? 0
                                         : self->options.on_step(self->options.user, &metrics);
}

static ss_status stop_here(const struct session *self, ss_err *err)
{
    SS_RETURN_IF_ERROR(save_state(self, err));
    return ss__fail(err, SS_E_STOPPED,
                    "stopped after step %llu of %llu; the same command goes on from there (%s)",
                    (unsigned long long)ss_train_steps_done(self->trainer),
                    (unsigned long long)self->training.config.n_steps, self->kept.state);
}

static ss_status train_steps(struct session *self, ss_err *err)
{
    const struct ss_train_config *config = &self->training.config;
    const uint64_t every =
        self->options.checkpoint_steps > 0 ? self->options.checkpoint_steps : CHECKPOINT_STEPS;
    bool stops = false;
    self->start = ss__seconds_now();
    for (uint64_t step = ss_train_steps_done(self->trainer); step < config->n_steps; step++) {
        struct ss_train_figures figures = {0};
        if (stops || ss__is_stopped(&self->asking)) {
            return stop_here(self, err);
        }
        SS_RETURN_IF_ERROR(next_batch(self, err));
        SS_RETURN_IF_ERROR(ss_train_step(self->trainer, self->work, self->batch,
                                         config->batch_rows, &figures, err));
        SS_RETURN_IF_ERROR(check_error(self, &figures, err));
        ss_run_training_add_metrics(&self->training, &figures);
        stops = tell(self, &figures) != 0;
        if ((step + 1) % every == 0 && step + 1 < config->n_steps) {
            SS_RETURN_IF_ERROR(save_state(self, err));
        }
    }
    return SS_OK;
}

/* ---- the end ---- */

/* Rows to calibrate and evaluate on: held out, or where these are too few the first ones. */
static ss_status take_held_out(struct session *self, ss_err *err)
{
    struct ss_run_training *training = &self->training;
    const struct ss_run_training_rows *rows = &training->rows;
    training->n_held_out = SS_RUN_TRAINING_MOST_HELD_OUT;
    if (rows->n_held_out >= LEAST_CALIBRATION_ROWS) {
        return ss_run_training_rows_held_out(rows, &training->n_held_out, &training->held_out,
                                             err);
    }
    training->n_held_out = (size_t)ss__min_u64(rows->n, SS_RUN_TRAINING_MOST_HELD_OUT);
    ss__log(&self->options.log, SS_LEVEL_WARNING,
            "only %llu rows are held out, too few to judge by; figures are of rows that were "
            "trained on",
            (unsigned long long)rows->n_held_out);
    SS_ALLOC_OR_RETURN(training->held_out, training->n_held_out * rows->width);
    for (size_t i = 0; i < training->n_held_out; i++) {
        SS_RETURN_IF_ERROR(
            ss_run_training_rows_get(rows, i, training->held_out + i * rows->width, err));
    }
    return SS_OK;
}

static void fill_result(const struct session *self, struct ss_train_result *result)
{
    const struct ss_run_training *training = &self->training;
    result->n_steps = training->config.n_steps;
    result->n_features = training->config.n_features;
    result->top_k = training->config.top_k;
    result->n_rows = training->rows.n;
    result->n_rows_held_out = training->rows.n_held_out;
    result->n_rows_left_out = training->rows.n_missing;
    result->kind = ss_train_kind_name(training->config.kind);
    result->seconds = ss__seconds_now() - self->start;
}

static ss_status evaluate(struct session *self, const char *folder,
                          struct ss_train_result *result, ss_err *err)
{
    const struct ss_run_training *training = &self->training;
    const struct ss_sae_options sae = {.struct_size = sizeof sae,
                                       .batchtopk_rule = SS_BATCHTOPK_THRESHOLD};
    const struct ss_run_evaluation evaluation = {.sae = folder,
                                                 .options = &sae,
                                                 .x = training->held_out,
                                                 .n = training->n_held_out,
                                                 .width = training->rows.width};
    return ss_run_evaluate(self->work, &evaluation, &result->evaluation, err);
}

/* What its result depends on. */
static struct ss_run_training_mark mark_of(const struct session *self)
{
    return (struct ss_run_training_mark){text_of(&self->training.identity),
                                         self->training.is_half ? "float16" : "float32"};
}

/* Whether an SAE of a sweep was trained before the sweep was stopped: its figures are made again,
 * which gives the same ones. */
static ss_status find_finished(struct session *self, const char *out,
                               struct ss_train_result *result, bool *is_finished, ss_err *err)
{
    const struct ss_run_training_mark mark = mark_of(self);
    *is_finished = false;
    if (!self->options.force) {
        SS_RETURN_IF_ERROR(
            ss_run_training_kept_is_finished(&self->kept, &mark, out, is_finished, err));
    }
    if (*is_finished) {
        SS_RETURN_IF_ERROR(ss_folder_open(out, file_names, true, &self->folder, err));
        ss_folder_abort(&self->folder); /* what the dead one left in it is gone now */
        SS_RETURN_IF_ERROR(take_held_out(self, err));
        SS_RETURN_IF_ERROR(evaluate(self, out, result, err));
        fill_result(self, result);
        ss__log(&self->options.log, SS_LEVEL_NOTICE, "%s was trained before", out);
    }
    return SS_OK;
}

static ss_status finish(struct session *self, struct ss_train_result *result, ss_err *err)
{
    struct ss_run_training *training = &self->training;
    const char *folder = self->folder.staging;
    const bool calibrates = (training->config.kind == SS_TRAIN_BATCHTOPK &&
                             strcmp(training->recipe, "seed") != 0) ||
                            training->config.l0_target > 0;
    SS_RETURN_IF_ERROR(take_held_out(self, err));
    if (calibrates) {
        SS_RETURN_IF_ERROR(ss_train_calibrate(self->trainer, self->work, training->held_out,
                                              training->n_held_out, &training->threshold, err));
    }
    SS_RETURN_IF_ERROR(ss_run_training_take_weights(training, self->trainer, err));
    ss_train_free(self->trainer);
    self->trainer = NULL;
    SS_RETURN_IF_ERROR(ss_run_training_write_sae(training, NULL, folder, err));
    SS_RETURN_IF_ERROR(ss_run_training_write_curves(training, folder, err));
    SS_RETURN_IF_ERROR(evaluate(self, folder, result, err));
    SS_RETURN_IF_ERROR(ss_run_evaluation_write(&result->evaluation, folder, err));
    SS_RETURN_IF_ERROR(ss_run_training_write_sae(training, &result->evaluation, folder, err));
    const struct ss_run_training_mark mark = mark_of(self);
    SS_RETURN_IF_ERROR(ss_run_training_kept_finish(&self->kept, &mark, folder, err));
    SS_RETURN_IF_ERROR(ss_folder_commit(&self->folder, err));
    if (self->borrows_rows) {
        (void)unlink(self->kept.state); /* the rest goes when the sweep is done */
    } else {
        ss_run_training_kept_remove(&self->kept);
    }
    return SS_OK;
}

/* What is recorded of the encoder, and its fingerprint. */
static ss_status describe_encoder(struct session *self, const ss_encoder *encoder, ss_err *err)
{
    struct ss_run_training *training = &self->training;
    training->encoder =
        (struct ss_encoder_info){.struct_size = sizeof training->encoder, .name = ""};
    if (encoder == NULL) {
        return SS_OK;
    }
    ss_encoder_describe(encoder, &training->encoder);
    return ss_pass_encoder_fingerprint(encoder, self->work, training->fingerprint, err);
}

/* Rows, settings, and what tells them from others. */
static ss_status prepare(struct session *self, const struct ss_run_training_call *call,
                         const char *out, ss_err *err)
{
    struct ss_run_training *training = &self->training;
    SS_RETURN_IF_ERROR(ss_run_training_kept_open(&self->kept, out, err));
    SS_RETURN_IF_ERROR(ss_work_new(self->options.n_threads, &self->work, err));
    ss_tensor_work_warn_threads(self->work, &self->options.log);
    if (call->rows != NULL) {
        training->rows = *call->rows;
        self->borrows_rows = true;
    } else {
        SS_RETURN_IF_ERROR(read_rows(self, call->encoder, call->dataset, err));
    }
    SS_RETURN_IF_ERROR(describe_encoder(self, call->encoder, err));
    SS_RETURN_IF_ERROR(ss_run_training_settle(training, err));
    return ss_run_training_identify(training, err);
}

static ss_status open_folder(struct session *self, const char *out, ss_err *err)
{
    return ss_folder_open(out, file_names, self->options.force, &self->folder, err);
}

static ss_status run_session(struct session *self, const struct ss_run_training_call *call,
                             const char *out, struct ss_train_result *result, ss_err *err)
{
    struct ss_run_training *training = &self->training;
    const bool is_of_sweep = call->rows != NULL;
    if (!is_of_sweep) { /* a folder that cannot be used is said before rows are read */
        const ss_status status = open_folder(self, out, err);
        if (status == SS_E_EXISTS) {
            ss_run_training_kept_tidy(out);
        }
        SS_RETURN_IF_ERROR(status);
    }
    SS_RETURN_IF_ERROR(prepare(self, call, out, err));
    if (is_of_sweep) {
        bool is_finished = false;
        SS_RETURN_IF_ERROR(find_finished(self, out, result, &is_finished, err));
        if (is_finished) {
            return SS_OK;
        }
        SS_RETURN_IF_ERROR(open_folder(self, out, err));
    }
    SS_ALLOC_OR_RETURN(self->batch, training->config.batch_rows * training->config.width);
    SS_RETURN_IF_ERROR(start(self, err));
    SS_RETURN_IF_ERROR(train_steps(self, err));
    fill_result(self, result);
    return finish(self, result, err);
}

static void end_session(struct session *self)
{
    ss_train_free(self->trainer);
    ss_work_free(self->work);
    if (!self->borrows_rows) {
        ss_run_training_rows_release(&self->training.rows);
    }
    ss_train_weights_release(&self->training.weights);
    ss__buf_release(&self->training.identity);
    ss__buf_release(&self->training.metrics);
    ss__free(self->training.held_out);
    ss__free(self->batch);
    ss_run_training_kept_close(&self->kept);
}

ss_status ss_run_training_do(const struct ss_run_training_call *call, const char *out,
                             struct ss_train_result *done, ss_err *err)
{
    struct session session = {.options = *call->options};
    session.training.options = &session.options;
    session.training.extras = call->extras;
    session.training.dataset =
        session.options.dataset_name == NULL ? "" : session.options.dataset_name;
    session.asking.stop = session.options.progress;
    const ss_status status = run_session(&session, call, out, done, err);
    if (status != SS_OK) {
        ss_folder_fix_error_path(&session.folder, err);
    }
    ss_folder_abort(&session.folder);
    end_session(&session);
    return status;
}

ss_status ss_run_training_read_rows(const struct ss_run_training_call *call, const char *out,
                                    struct ss_run_training_rows *rows, ss_err *err)
{
    struct session session = {.options = *call->options};
    ss_status status = ss_run_training_kept_open(&session.kept, out, err);
    if (status == SS_OK) {
        status = read_rows(&session, call->encoder, call->dataset, err);
    }
    *rows = session.training.rows;
    session.borrows_rows = true;
    end_session(&session);
    return status;
}

void ss_run_training_forget(const char *out)
{
    struct session session = {.first_step = 0};
    if (ss_run_training_kept_open(&session.kept, out, NULL) == SS_OK) {
        ss_run_training_kept_remove(&session.kept);
    }
    end_session(&session);
}

ss_status ss_train(const ss_encoder *encoder, ss_dataset *dataset, const char *out_dir,
                   const struct ss_train_options *options, struct ss_train_result *done,
                   ss_err *err)
{
    struct ss_train_options read = {.struct_size = sizeof read};
    struct ss_train_result result = {.struct_size = sizeof result};
    const struct ss_train_extras none = {.struct_size = sizeof none};
    const struct ss_run_training_call call = {encoder, dataset, &read, &none, NULL};
    SS_RETURN_IF_ERROR(ss__result_check(done, "ss_train_result", err));
    (void)ss__result_write(done, &result, sizeof result);
    SS_RETURN_IF_ERROR(SS_READ_OPTIONS(&read, options, ss_train_options, err));
    SS_RETURN_IF_ERROR(ss_run_training_do(&call, out_dir, &result, err));
    return ss__result_write(done, &result, sizeof result);
}
