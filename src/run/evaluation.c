/* Figures of an SAE on rows: encode, reconstruct, measure; and the same as JSON. */
#include "run/evaluation.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/output.h"
#include "base/sized.h"
#include "run/training_rows.h"
#include "sae/sae.h"
#include "train/train.h"

enum { ROWS_BY_DEFAULT = 8192 };

/* ---- figures by name: one table for the struct, JSON and tables ---- */

#define FIGURE(name)                                                                           \
    {                                                                                          \
#name, offsetof(struct ss_evaluation, name),                                           \
            offsetof(struct ss_train_evaluation, name)                                         \
    }

static const struct {
    const char *name;
    size_t to, from;
} figures[] = {FIGURE(mse_normalised),
               FIGURE(mse),
               FIGURE(fvu),
               FIGURE(explained_variance),
               FIGURE(explained_variance_normalised),
               FIGURE(cosine),
               FIGURE(norm_ratio),
               FIGURE(reconstruction_bias),
               FIGURE(l0_mean),
               FIGURE(l0_median),
               FIGURE(l0_p95),
               FIGURE(l0_max),
               FIGURE(l1_mean),
               FIGURE(dead_frac),
               FIGURE(dense_frac),
               FIGURE(knn_overlap),
               FIGURE(ndcg),
               FIGURE(decoder_max_cosine),
               FIGURE(encoder_decoder_cosine)};
enum { N_FIGURES = sizeof figures / sizeof *figures };

static double figure_of(const struct ss_evaluation *evaluation, size_t i)
{
    double value = 0;
    memcpy(&value, (const char *)evaluation + figures[i].to, sizeof value);
    return value;
}

static void copy_figures(const struct ss_train_evaluation *from, struct ss_evaluation *to)
{
    for (size_t i = 0; i < N_FIGURES; i++) {
        memcpy((char *)to + figures[i].to, (const char *)from + figures[i].from,
               sizeof(double));
    }
    to->n_rows = from->n_rows;
    to->n_features = from->n_features;
    to->n_dead = from->n_dead;
    memcpy(to->density_counts, from->density_counts, sizeof to->density_counts);
    memcpy(to->density_range, from->density_range, sizeof to->density_range);
}

/* ---- measuring ---- */

struct arrays {
    struct ss_sparse a;
    struct ss_sae_activation *activation;
    float *x_normalised, *y_normalised, *y;
};

static ss_status encode_rows(const ss_sae *sae, ss_work *work,
                             const struct ss_run_evaluation *in, struct arrays *arrays,
                             ss_err *err)
{
    if (ss_sae_calibration_rows(sae) > 0) {
        SS_RETURN_IF_ERROR(ss_sae_calibrate(sae, work, in->x, in->n, &arrays->activation, err));
    }
    const struct ss_sae_batch batch = {.x = in->x, .n = in->n};
    SS_RETURN_IF_ERROR(
        ss_sae_encode_batch(sae, arrays->activation, work, &batch, &arrays->a, err));
    SS_ALLOC_OR_RETURN(arrays->x_normalised, in->n * in->width);
    SS_ALLOC_OR_RETURN(arrays->y_normalised, in->n * in->width);
    SS_ALLOC_OR_RETURN(arrays->y, in->n * in->width);
    return ss_sae_reconstruct(
        sae, in->x, &arrays->a,
        &(struct ss_sae_reconstruction){arrays->x_normalised, arrays->y_normalised, arrays->y},
        err);
}

static ss_status measure(const ss_sae *sae, ss_work *work, const struct ss_run_evaluation *in,
                         struct ss_evaluation *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct arrays arrays = {0};
    struct ss_train_evaluation found = {0};
    struct ss_sae_info info = {.struct_size = sizeof info};
    ss_sae_describe(sae, &info);
    if (info.width != in->width) {
        SS_FAIL_FILE(in->sae, SS_E_SHAPE, "this SAE is for embeddings of %zu numbers, not %zu",
                     info.width, in->width);
    }
    SS_TRY(encode_rows(sae, work, in, &arrays, err));
    SS_TRY(ss_train_evaluate(work,
                             &(struct ss_train_evaluated){.n_rows = in->n,
                                                          .width = in->width,
                                                          .n_features = info.n_features,
                                                          .x = in->x,
                                                          .y = arrays.y,
                                                          .x_normalised = arrays.x_normalised,
                                                          .y_normalised = arrays.y_normalised,
                                                          .a = &arrays.a,
                                                          .decoder = ss_sae_decoder(sae),
                                                          .encoder = ss_sae_encoder_rows(sae)},
                             &found, err));
    copy_figures(&found, out);
out:
    ss_sae_activation_free(arrays.activation);
    ss_sparse_release(&arrays.a);
    ss__free(arrays.x_normalised);
    ss__free(arrays.y_normalised);
    ss__free(arrays.y);
    return status;
}

ss_status ss_run_evaluate(ss_work *work, const struct ss_run_evaluation *evaluation,
                          struct ss_evaluation *out, ss_err *err)
{
    ss_sae *sae = NULL;
    *out = (struct ss_evaluation){.struct_size = sizeof *out};
    SS_RETURN_IF_ERROR(
        ss_sae_open_with_weights(evaluation->sae, evaluation->options, true, &sae, err));
    const ss_status status = measure(sae, work, evaluation, out, err);
    ss_sae_free(sae);
    return status;
}

ss_status ss_evaluate(const char *sae, ss_embeddings *embeddings,
                      const struct ss_evaluate_options *options, struct ss_evaluation *out,
                      ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_evaluate_options read = {.struct_size = sizeof read};
    struct ss_run_training_rows rows = {0};
    struct ss_evaluation result = {.struct_size = sizeof result};
    ss_work *work = NULL;
    float *x = NULL;
    SS_TRY(ss__result_check(out, "ss_evaluation", err));
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_evaluate_options, err));
    SS_TRY(ss_work_new(read.n_threads, &work, err));
    ss_work_set_progress(work, read.progress);
    SS_TRY(ss_run_training_rows_read(
        &rows, embeddings, read.num_examples > 0 ? read.num_examples : ROWS_BY_DEFAULT,
        read.progress, err));
    SS_ALLOC(x, rows.n * rows.width);
    for (uint64_t row = 0; row < rows.n; row++) {
        SS_TRY(ss_run_training_rows_get(&rows, row, x + row * rows.width, err));
    }
    SS_TRY(ss_run_evaluate(
        work,
        &(struct ss_run_evaluation){
            .sae = sae, .options = read.sae, .x = x, .n = rows.n, .width = rows.width},
        &result, err));
    status = ss__result_write(out, &result, sizeof result);
out:
    ss__free(x);
    ss_work_free(work);
    ss_run_training_rows_release(&rows);
    return status;
}

/* ---- JSON ---- */

void ss_run_evaluation_put(struct ss__json_writer *w, const char *key,
                           const struct ss_evaluation *evaluation)
{
    ss__put_open(w, key, '{');
    ss__put_count(w, "schema", 1);
    ss__put_count(w, "rows", evaluation->n_rows);
    ss__put_count(w, "features", evaluation->n_features);
    for (size_t i = 0; i < N_FIGURES; i++) {
        const double value = figure_of(evaluation, i);
        if (isfinite(value)) {
            ss__put_number(w, figures[i].name, value);
        } else {
            ss__put_null(w, figures[i].name);
        }
    }
    ss__put_count(w, "dead", evaluation->n_dead);
    ss__put_open(w, "density_counts", '[');
    for (size_t i = 0; i < SS_TRAIN_DENSITY_BINS; i++) {
        ss__put_count(w, NULL, evaluation->density_counts[i]);
    }
    ss__put_close(w, ']');
    ss__put_open(w, "density_range", '[');
    ss__put_number(w, NULL, evaluation->density_range[0]);
    ss__put_number(w, NULL, evaluation->density_range[1]);
    ss__put_close(w, ']');
    ss__put_close(w, '}');
}

ss_status ss_evaluation_json(const struct ss_evaluation *evaluation, char **out, ss_err *err)
{
    struct ss__json_writer w = {.style = SS__JSON_INDENT_2};
    struct ss_evaluation read = {.struct_size = sizeof read};
    *out = NULL;
    SS_RETURN_IF_ERROR(SS_READ_OPTIONS(&read, evaluation, ss_evaluation, err));
    ss_run_evaluation_put(&w, NULL, &read);
    const char *text = ss__buf_text(&w.buf);
    *out = text == NULL ? NULL : ss__strdup(text);
    ss__buf_release(&w.buf);
    return *out == NULL ? ss__fail_nomem(err, "an evaluation") : SS_OK;
}

void ss_evaluation_json_free(char *json)
{
    ss__free(json);
}

ss_status ss_run_evaluation_write(const struct ss_evaluation *evaluation, const char *folder,
                                  ss_err *err)
{
    ss_status status = SS_OK;
    char *text = NULL, *path = ss__path_join(folder, "evaluation.json");
    if (path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    SS_TRY(ss_evaluation_json(evaluation, &text, err));
    SS_TRY(ss__file_write(path, text, strlen(text), err));
out:
    ss__free(path);
    ss__free(text);
    return status;
}
