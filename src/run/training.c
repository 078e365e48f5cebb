/* Training an SAE: rows in, a folder with the SAE, its metrics and figures out.
 *
 * While it runs, OUT.training/ beside the output folder holds what an interruption must not
 * lose: the embeddings of a dataset, and the state of the training every so many steps. The same
 * call then goes on from there and ends in the same bytes. */
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
    char *aside, *state_path, *embeddings_path, *key_path; /* OUT.training and in it */
    float *batch;
    double first_error, start;
    uint64_t first_step; /* of this call */
    bool borrows_rows;
};

/* ---- places ---- */

static ss_status name_places(struct session *self, const char *out, ss_err *err)
{
    struct ss__buf aside = {0};
    size_t n = strlen(out);
    while (n > 1 && out[n - 1] == '/') {
        n--;
    }
    ss__buf_add(&aside, out, n);
    ss__buf_add_text(&aside, ".training");
    const char *name = ss__buf_text(&aside);
    self->aside = name == NULL ? NULL : ss__strdup(name);
    ss__buf_release(&aside);
    if (self->aside == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    self->state_path = ss__path_join(self->aside, "state");
    self->embeddings_path = ss__path_join(self->aside, "embeddings.npy");
    self->key_path = ss__path_join(self->aside, "embeddings.txt");
    if (self->state_path == NULL || self->embeddings_path == NULL || self->key_path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    return ss__make_folder(self->aside, NULL, err);
}

static void remove_aside(const struct session *self)
{
    ss__out_remove_stale(self->aside);
    (void)unlink(self->state_path);
    (void)unlink(self->embeddings_path);
    (void)unlink(self->key_path);
    (void)rmdir(self->aside);
}

/* ---- rows ---- */

static void put_facts(struct ss__buf *key, const char *path)
{
    struct ss__file_facts facts = {0};
    (void)ss__file_facts_at(path, &facts);
    ss__buf_printf(key, "%s %llu %lld.%09ld\n", path, (unsigned long long)facts.n_bytes,
                   (long long)facts.modified.tv_sec, facts.modified.tv_nsec);
}

/* What the embeddings of a dataset depend on: encoder and files as they are now. */
static ss_status make_key(const struct session *self, const ss_encoder *encoder,
                          const ss_dataset *dataset, struct ss__buf *key, ss_err *err)
{
    struct ss_encoder_info model = {.struct_size = sizeof model};
    struct ss_dataset_info data = {.struct_size = sizeof data};
    ss_encoder_describe(encoder, &model);
    ss_dataset_describe(dataset, &data);
    ss__buf_printf(key, "%s\n%s %s %s %s %zu %zu\n%llu %s\n", model.prompt, model.precision,
                   model.pooling, model.numbers, model.commit, model.width, model.max_tokens,
                   (unsigned long long)self->options.num_examples, data.text_column);
    for (size_t i = 0; i < ss_encoder_n_files(encoder); i++) {
        put_facts(key, ss_encoder_file(encoder, i));
    }
    for (size_t i = 0; i < data.n_files; i++) {
        put_facts(key, data.files[i]);
    }
    return ss__buf_check(key, err);
}

static bool has_embeddings(const struct session *self, const struct ss__buf *key)
{
    struct ss__buf found = {0};
    ss_err ignored = {0};
    const bool is_same = ss__path_stat(self->embeddings_path) == SS__PATH_FILE &&
                         ss__file_read(self->key_path, 1 << 24, &found, &ignored) == SS_OK &&
                         found.n_bytes == key->n_bytes &&
                         memcmp(found.data, key->data, key->n_bytes) == 0;
    ss__buf_release(&found);
    return is_same;
}

/* The embeddings of a dataset, made unless they are there from an earlier try. */
static ss_status embed_dataset(const struct session *self, const ss_encoder *encoder,
                               ss_dataset *dataset, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf key = {0};
    const struct ss_embed_options options = {.struct_size = sizeof options,
                                             .num_examples = self->options.num_examples,
                                             .null_rule = SS_NULL_SKIP,
                                             .force = true,
                                             .n_threads = self->options.n_threads,
                                             .batch_tokens = self->options.batch_tokens,
                                             .log = self->options.log,
                                             .progress = self->options.progress};
    SS_TRY(make_key(self, encoder, dataset, &key, err));
    if (!has_embeddings(self, &key)) {
        SS_TRY(ss_embed_file(encoder, dataset, self->embeddings_path, &options, NULL, err));
        SS_TRY(ss__file_write(self->key_path, key.data, key.n_bytes, err));
    }
out:
    ss__buf_release(&key);
    return status;
}

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
        SS_TRY(embed_dataset(self, encoder, dataset, err));
        SS_TRY(ss_embeddings_open(self->embeddings_path, &options, &made, err));
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
    SS_TRY(ss__file_write(self->state_path, bytes.data, bytes.n_bytes, err));
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
    SS_TRY(ss__file_read(self->state_path, (size_t)MAX_STATE_BYTES, &bytes, err));
    SS_TRY(ss_train_restore(self->trainer, self->state_path, text_of(&bytes), &progress, err));
    self->training.cursor = progress.cursor;
    self->training.metrics.n_bytes = 0;
    ss__buf_add(&self->training.metrics, progress.metrics.data, progress.metrics.n_bytes);
    self->first_step = ss_train_steps_done(self->trainer);
    ss__log(&self->options.log, SS_LEVEL_NOTICE, "going on from step %llu of %s",
            (unsigned long long)self->first_step, self->state_path);
out:
    ss__buf_release(&bytes);
    return status;
}

static ss_status start(struct session *self, ss_err *err)
{
    SS_RETURN_IF_ERROR(start_anew(self, err));
    if (ss__path_stat(self->state_path) == SS__PATH_NONE) {
        return SS_OK;
    }
    const ss_status status = load_state(self, err);
    const bool is_other = status == SS_E_DATA || status == SS_E_USAGE;
    if (is_other && self->options.force) {
        (void)unlink(self->state_path);
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
                    ss__path_stat(self->state_path) == SS__PATH_FILE ? self->state_path
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
                    (unsigned long long)self->training.config.n_steps, self->state_path);
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
    const struct ss_sae_options sae = {.struct_size = sizeof sae,
                                       .batchtopk_rule = SS_BATCHTOPK_THRESHOLD};
    const struct ss_run_evaluation evaluation = {.sae = folder,
                                                 .options = &sae,
                                                 .x = training->held_out,
                                                 .n = training->n_held_out,
                                                 .width = training->rows.width};
    SS_RETURN_IF_ERROR(ss_run_evaluate(self->work, &evaluation, &result->evaluation, err));
    SS_RETURN_IF_ERROR(ss_run_evaluation_write(&result->evaluation, folder, err));
    SS_RETURN_IF_ERROR(ss_run_training_write_sae(training, &result->evaluation, folder, err));
    SS_RETURN_IF_ERROR(ss_folder_commit(&self->folder, err));
    remove_aside(self);
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

static ss_status run_session(struct session *self, const struct ss_run_training_call *call,
                             const char *out, struct ss_train_result *result, ss_err *err)
{
    struct ss_run_training *training = &self->training;
    SS_RETURN_IF_ERROR(
        ss_folder_open(out, file_names, self->options.force, &self->folder, err));
    SS_RETURN_IF_ERROR(name_places(self, out, err));
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
    SS_RETURN_IF_ERROR(ss_run_training_identify(training, err));
    SS_ALLOC_OR_RETURN(self->batch, training->config.batch_rows * training->config.width);
    SS_RETURN_IF_ERROR(start(self, err));
    SS_RETURN_IF_ERROR(train_steps(self, err));
    fill_result(self, result);
    return finish(self, result, err);
}

static void end_session(struct session *self)
{
    if (self->aside != NULL) {
        (void)rmdir(self->aside); /* if nothing is in it */
    }
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
    ss__free(self->aside);
    ss__free(self->state_path);
    ss__free(self->embeddings_path);
    ss__free(self->key_path);
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
    ss_status status = name_places(&session, out, err);
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
    if (name_places(&session, out, NULL) == SS_OK) {
        remove_aside(&session);
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
