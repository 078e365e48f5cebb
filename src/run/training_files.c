/* What a training leaves: the SAE in the format of SAEs-for-Sentence-BERT, the metrics of its
 * steps, and their curves. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/output.h"
#include "run/evaluation.h"
#include "run/training.h"
#include "view/view.h"
#include "weights/weights.h"

/* ---- metrics ---- */

const char ss_run_training_metrics_header[] =
    "step,loss,l2_loss,l1_loss,aux_loss,l0_norm,explained_variance,num_dead_features,lr,"
    "grad_norm\n";

void ss_run_training_add_metrics(struct ss_run_training *training,
                                 const struct ss_train_figures *figures)
{
    if (figures->step % training->log_every != 0 &&
        figures->step + 1 != training->config.n_steps) {
        return;
    }
    ss__buf_printf(&training->metrics, "%llu,%.9g,%.9g,%.9g,%.9g,%.9g,%.6g,%llu,%.6g,%.6g\n",
                   (unsigned long long)figures->step, figures->loss, figures->l2_loss,
                   figures->l1_loss, figures->aux_loss, figures->l0_norm,
                   figures->explained_variance, (unsigned long long)figures->n_dead,
                   figures->lr, figures->grad_norm);
}

/* ---- the SAE ---- */

/* In the order of a checkpoint. */
static size_t list_tensors(const struct ss_train_config *config,
                           const struct ss_train_weights *weights,
                           struct ss_weights_tensor_out tensors[SS_RUN_TRAINING_MOST_TENSORS])
{
    const uint64_t n = config->n_features, d = config->width;
    const struct ss_weights_tensor_out all[SS_RUN_TRAINING_MOST_TENSORS] = {
        {"b_dec", weights->b_dec, 1, {d, 0}, false},
        {"b_enc", weights->b_enc, 1, {n, 0}, false},
        {"W_enc", weights->w_enc, 2, {d, n}, false},
        {"W_dec", weights->w_dec, 2, {n, d}, false},
        {"jumprelu.log_threshold", weights->log_threshold, 1, {n, 0}, false},
    };
    memcpy(tensors, all, sizeof all);
    return weights->log_threshold != NULL ? SS_RUN_TRAINING_MOST_TENSORS
                                          : SS_RUN_TRAINING_MOST_TENSORS - 1;
}

/* Numbers in place become halves, which need less memory. */
static void halve(struct ss_weights_tensor_out *tensor)
{
    const size_t n = (size_t)ss_weights_tensor_out_bytes(tensor) / sizeof(float);
    uint16_t *halves = (uint16_t *)(uintptr_t)tensor->data;
    for (size_t i = 0; i < n; i++) {
        float number;
        memcpy(&number, (const char *)tensor->data + i * sizeof number, sizeof number);
        ss_weights_to_f16(&number, 1, halves + i);
    }
    tensor->is_half = true;
}

static ss_status write_weights(const struct ss_weights_tensor_out *tensors, size_t n,
                               const char *config, const char *folder, ss_err *err)
{
    ss_status status = SS_OK;
    const char *const metadata[] = {"format", "pt", "config", config, NULL};
    char *torch = ss__path_join(folder, "sae.pt");
    char *safetensors = ss__path_join(folder, "sae.safetensors");
    if (torch == NULL || safetensors == NULL) {
        status = ss__fail_nomem(err, "a path");
        goto out;
    }
    SS_TRY(ss_weights_torch_write(torch, tensors, n, err));
    SS_TRY(ss_weights_safetensors_write_with(safetensors, tensors, n, metadata, err));
out:
    ss__free(torch);
    ss__free(safetensors);
    return status;
}

/* The keys of the original first, in its order. */
static void put_config(struct ss__json_writer *w, const struct ss_run_training *training,
                       ss_train_kind saved_as)
{
    const struct ss_train_config *c = &training->config;
    ss__put_count(w, "seed", c->seed);
    ss__put_count(w, "batch_size", c->batch_rows);
    ss__put_number(w, "lr", c->lr);
    ss__put_count(w, "num_examples", training->rows.n);
    ss__put_number(w, "l1_coeff", c->l1_coeff);
    ss__put_number(w, "beta1", c->beta1);
    ss__put_number(w, "beta2", c->beta2);
    ss__put_number(w, "max_grad_norm", c->max_grad_norm);
    ss__put_text(w, "dtype", training->is_half ? "torch.float16" : "torch.float32");
    ss__put_text(w, "model_name", training->encoder.name);
    ss__put_text(w, "site", "embed");
    ss__put_count(w, "layer", 0);
    ss__put_count(w, "act_size", c->width);
    ss__put_count(w, "dict_size", c->n_features);
    ss__put_text(w, "device", "cpu");
    ss__put_count(w, "model_batch_size", c->batch_rows);
    ss__put_text(w, "dataset_path", training->dataset);
    ss__put_bool(w, "input_unit_norm", c->normalises_input);
    ss__put_text(w, "sae_type", ss_train_kind_name(saved_as));
    ss__put_count(w, "n_batches_to_dead", c->n_batches_to_dead);
    ss__put_count(w, "top_k", c->top_k);
    ss__put_count(w, "top_k_aux", c->top_k_aux);
    ss__put_number(w, "aux_penalty", c->aux_penalty);
    ss__put_number(w, "bandwidth", c->bandwidth);
}

static void put_training(struct ss__json_writer *w, const struct ss_run_training *training)
{
    const struct ss_train_config *c = &training->config;
    ss__put_text(w, "recipe", training->recipe);
    ss__put_text(w, "trained_as", ss_train_kind_name(c->kind));
    if (training->threshold > 0) {
        ss__put_number(w, c->kind == SS_TRAIN_JUMPRELU ? "threshold_factor" : "threshold",
                       training->threshold);
    }
    ss__put_count(w, "steps", c->n_steps);
    ss__put_count(w, "lr_warmup_steps", c->lr_warmup_steps);
    ss__put_count(w, "lr_decay_steps", c->lr_decay_steps);
    ss__put_bool(w, "renorm_after_step", c->renorm_after_step);
    ss__put_bool(w, "use_b_enc", c->use_b_enc);
    ss__put_bool(w, "aux_detach", c->aux_detach);
    ss__put_bool(w, "aux_normalised", c->aux_normalised);
    ss__put_text(w, "b_dec_init", c->starts_at_median ? "geometric_median" : "zeros");
    ss__put_text(w, "directions_init", c->starts_at_rows ? "rows" : "random");
    ss__put_number(w, "l0_target", c->l0_target);
    ss__put_open(w, "prefixes", '[');
    for (size_t i = 0; i < c->n_prefixes; i++) {
        ss__put_count(w, NULL, c->prefixes[i]);
    }
    ss__put_close(w, ']');
    ss__put_count(w, "rows_held_out", training->rows.n_held_out);
    ss__put_count(w, "rows_left_out", training->rows.n_missing);
    ss__put_text(w, "rows_sha256", training->rows.digest);
}

static void put_encoder(struct ss__json_writer *w, const struct ss_run_training *training)
{
    const struct ss_encoder_info *encoder = &training->encoder;
    if (encoder->width == 0) {
        ss__put_null(w, "encoder"); /* embeddings do not tell */
        return;
    }
    ss__put_open(w, "encoder", '{');
    ss__put_text(w, "name", encoder->name);
    ss__put_text(w, "source", encoder->source);
    ss__put_text(w, "commit", encoder->commit);
    ss__put_text(w, "pooling", encoder->pooling);
    ss__put_text(w, "prompt", encoder->prompt);
    ss__put_text(w, "precision", encoder->precision);
    ss__put_count(w, "max_tokens", encoder->max_tokens);
    ss__put_text(w, "fingerprint", training->fingerprint);
    ss__put_close(w, '}');
}

static void add_config(struct ss__json_writer *w, const struct ss_run_training *training,
                       ss_train_kind saved_as, const struct ss_evaluation *figures)
{
    ss__put_open(w, NULL, '{');
    put_config(w, training, saved_as);
    ss__put_open(w, "training", '{'); /* no key of the original */
    put_training(w, training);
    put_encoder(w, training);
    ss__put_close(w, '}');
    if (figures != NULL) {
        ss_run_evaluation_put(w, "figures", figures);
    }
    ss__put_close(w, '}');
}

static ss_status write_buffer(const char *folder, const char *name, struct ss__buf *buf,
                              ss_err *err)
{
    ss_status status = ss__buf_check(buf, err);
    char *path = ss__path_join(folder, name);
    if (path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    if (status == SS_OK) {
        status = ss__file_write(path, buf->data, buf->n_bytes, err);
    }
    ss__free(path);
    return status;
}

ss_status ss_run_training_take_weights(struct ss_run_training *training,
                                       const struct ss_trainer *trainer, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_train_export(trainer, training->threshold, &training->weights, err));
    training->n_tensors =
        list_tensors(&training->config, &training->weights, training->tensors);
    for (size_t i = 0; training->is_half && i < training->n_tensors; i++) {
        halve(training->tensors + i);
    }
    return SS_OK;
}

ss_status ss_run_training_write_sae(const struct ss_run_training *training,
                                    const struct ss_evaluation *figures, const char *folder,
                                    ss_err *err)
{
    ss_status status = SS_OK;
    const ss_train_kind kind = training->weights.kind;
    struct ss__json_writer config = {.style = SS__JSON_INDENT_4};
    struct ss__json_writer line = {.style = SS__JSON_COMPACT};
    add_config(&config, training, kind, figures);
    add_config(&line, training, kind, figures);
    const char *text = ss__buf_text(&line.buf);
    SS_TRY(ss__buf_check(&line.buf, err));
    SS_TRY(write_weights(training->tensors, training->n_tensors, text, folder, err));
    SS_TRY(write_buffer(folder, "config.json", &config.buf, err));
out:
    ss__buf_release(&config.buf);
    ss__buf_release(&line.buf);
    return status;
}

/* ---- curves ---- */

enum { COLUMN_STEP = 0, COLUMN_VARIANCE = 6, COLUMN_DEAD = 7, N_COLUMNS = 10 };

struct curves {
    size_t n, capacity, n_variance, n_alive;
    double *steps, *variance, *alive;
};

static ss_status read_curves(struct ss_run_training *training, struct curves *curves,
                             ss_err *err)
{
    const char *at = ss__buf_text(&training->metrics);
    if (at == NULL) {
        return ss__fail_nomem(err, "the metrics");
    }
    for (at = strchr(at, '\n'); at != NULL && at[1] != '\0'; at = strchr(at, '\n')) {
        double numbers[N_COLUMNS] = {0};
        for (size_t i = 0; i < N_COLUMNS; i++) {
            const size_t n_bytes = strcspn(at + 1, ",\n");
            (void)ss__parse_double(at + 1, n_bytes, &numbers[i]);
            at += i + 1 < N_COLUMNS ? 1 + n_bytes : 1;
        }
        const size_t n = curves->n + 1;
        SS_GROW_OR_RETURN(curves->steps, curves->capacity, n);
        SS_GROW_OR_RETURN(curves->variance, curves->n_variance, n);
        SS_GROW_OR_RETURN(curves->alive, curves->n_alive, n);
        curves->steps[curves->n] = numbers[COLUMN_STEP];
        curves->variance[curves->n] = numbers[COLUMN_VARIANCE];
        curves->alive[curves->n++] =
            1 - numbers[COLUMN_DEAD] / (double)training->config.n_features;
    }
    return SS_OK;
}

static ss_status draw_curves(const struct ss_run_training *training,
                             const struct curves *curves, const char *path, ss_err *err)
{
    char caption[200];
    const struct ss_view_line lines[] = {
        {.label = "explained variance of the batch",
         .x = curves->steps,
         .y = curves->variance,
         .n = curves->n},
        {.label = "share of features alive",
         .x = curves->steps,
         .y = curves->alive,
         .n = curves->n},
    };
    ss__snprintf(caption, sizeof caption, "%s, %zu features, batches of %zu of %llu rows.",
                 ss_train_kind_name(training->config.kind), training->config.n_features,
                 training->config.batch_rows, (unsigned long long)training->rows.n);
    return ss_view_draw_lines(path,
                              &(struct ss_view_lines_picture){.lines = lines,
                                                              .n_lines = 2,
                                                              .y_limits = {0, 1.02},
                                                              .title = "Training",
                                                              .x_label = "Step",
                                                              .caption = caption,
                                                              .force = true},
                              err);
}

ss_status ss_run_training_write_curves(struct ss_run_training *training, const char *folder,
                                       ss_err *err)
{
    ss_status status = SS_OK;
    static const char *const names[] = {"curves.svg", "curves.png"};
    struct curves curves = {0};
    SS_TRY(write_buffer(folder, "metrics.csv", &training->metrics, err));
    SS_TRY(read_curves(training, &curves, err));
    for (size_t i = 0; i < 2; i++) {
        char *path = ss__path_join(folder, names[i]);
        status = path == NULL ? ss__fail_nomem(err, "a path")
                              : draw_curves(training, &curves, path, err);
        ss__free(path);
        SS_TRY(status);
    }
out:
    ss__free(curves.steps);
    ss__free(curves.variance);
    ss__free(curves.alive);
    return status;
}
