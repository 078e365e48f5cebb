/* Where the time of a batch goes, by calls of the encoder into other rooms: matrix products by
 * shape with their fused ends, attention, LayerNorm, pooling, tokenizing. The linker puts the
 * functions below in place of those (--wrap), so that nothing in the library knows of it.
 *
 * bench_profile MODEL TEXTS.jsonl THREADS PRECISION prints one JSON object of seconds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "common.h"
#include "encoder/encoder_priv.h"
#include "tensor/tensor.h"

enum { MAX_KINDS = 64, NAME_BYTES = 64 };

static struct kind {
    char name[NAME_BYTES];
    double seconds;
    double work; /* operations of matrix products and attention */
} kinds[MAX_KINDS];

static void note(const char *name, double start, double work)
{
    const double seconds = bench_now() - start;
    for (size_t i = 0; i < MAX_KINDS; i++) {
        if (kinds[i].name[0] == '\0') {
            (void)snprintf(kinds[i].name, NAME_BYTES, "%s", name);
        }
        if (strcmp(kinds[i].name, name) == 0) {
            kinds[i].seconds += seconds;
            kinds[i].work += work;
            return;
        }
    }
}

/* ---- in place of the rooms' functions ---- */

/* The linker knows the real function and its replacement by these names. */
#define REAL(result, name, ...)                                                                \
    result __real_##name(__VA_ARGS__);                                                         \
    result __wrap_##name(__VA_ARGS__)

REAL(ss_status, ss_tensor_linear, ss_work *work, const struct ss_tensor_matrix *w,
     const float *x, size_t n_rows, float *y, const struct ss_tensor_epilogue *end,
     ss_err *err);
REAL(ss_status, ss_tensor_linear_steps, ss_work *work,
     const struct ss_tensor_linear_step *steps, size_t n_steps, size_t n_rows, ss_err *err);
REAL(ss_status, ss_tensor_attend, ss_work *work, const struct ss_tensor_attention *attention,
     const float *qkv, const size_t *offsets, size_t n_sequences, float *out, ss_err *err);
REAL(void, ss_tensor_layer_norm, ss_work *work, float *x, size_t n_rows, size_t width,
     const float *gain, const float *shift, float eps);
REAL(ss_status, ss_tokenizer_tokenize, const struct ss_tokenizer *tokenizer,
     struct ss_tokenizer_token_scratch *scratch, struct ss_text text, size_t max_ids,
     struct ss_tokenizer_tokens *tokens, ss_err *err);
REAL(void, ss_encoder_pooling_run, const struct ss_encoder_pooling *pooling, ss_work *work,
     const struct ss_encoder_batch *batch, size_t n_skipped, size_t width, const float *hidden,
     float *out);

ss_status __wrap_ss_tensor_linear(ss_work *work, const struct ss_tensor_matrix *w,
                                  const float *x, size_t n_rows, float *y,
                                  const struct ss_tensor_epilogue *end, ss_err *err)
{
    char name[NAME_BYTES];
    const bool has_norm = end != NULL && end->norm_gain != NULL;
    const bool has_activation = end != NULL && end->activation != SS_TENSOR_ACT_NONE;
    (void)snprintf(name, sizeof name, "product %zu x %zu%s%s", w->n_in, w->n_out,
                   has_activation ? ", activation" : "",
                   has_norm ? ", residual, LayerNorm" : "");
    const double start = bench_now();
    const ss_status status = __real_ss_tensor_linear(work, w, x, n_rows, y, end, err);
    note(name, start, 2.0 * (double)n_rows * (double)w->n_in * (double)w->n_out);
    return status;
}

ss_status __wrap_ss_tensor_linear_steps(ss_work *work,
                                        const struct ss_tensor_linear_step *steps,
                                        size_t n_steps, size_t n_rows, ss_err *err)
{
    double work_done = 0;
    for (size_t i = 0; i < n_steps; i++) {
        work_done +=
            2.0 * (double)n_rows * (double)steps[i].w->n_in * (double)steps[i].w->n_out;
    }
    const double start = bench_now();
    const ss_status status = __real_ss_tensor_linear_steps(work, steps, n_steps, n_rows, err);
    note(n_steps == 1 ? "products before the first layer" : "products of layers", start,
         work_done);
    return status;
}

ss_status __wrap_ss_tensor_attend(ss_work *work, const struct ss_tensor_attention *attention,
                                  const float *qkv, const size_t *offsets, size_t n_sequences,
                                  float *out, ss_err *err)
{
    double work_done = 0;
    const double width = (double)(attention->n_heads * attention->head_width);
    for (size_t i = 0; i < n_sequences; i++) {
        const double length = (double)(offsets[i + 1] - offsets[i]);
        work_done += 4.0 * length * length * width;
    }
    const double start = bench_now();
    const ss_status status =
        __real_ss_tensor_attend(work, attention, qkv, offsets, n_sequences, out, err);
    note("attention", start, work_done);
    return status;
}

void __wrap_ss_tensor_layer_norm(ss_work *work, float *x, size_t n_rows, size_t width,
                                 const float *gain, const float *shift, float eps)
{
    const double start = bench_now();
    __real_ss_tensor_layer_norm(work, x, n_rows, width, gain, shift, eps);
    note("LayerNorm by itself", start, 0);
}

ss_status __wrap_ss_tokenizer_tokenize(const struct ss_tokenizer *tokenizer,
                                       struct ss_tokenizer_token_scratch *scratch,
                                       struct ss_text text, size_t max_ids,
                                       struct ss_tokenizer_tokens *tokens, ss_err *err)
{
    const double start = bench_now();
    const ss_status status =
        __real_ss_tokenizer_tokenize(tokenizer, scratch, text, max_ids, tokens, err);
    note("tokenizing", start, 0);
    return status;
}

void __wrap_ss_encoder_pooling_run(const struct ss_encoder_pooling *pooling, ss_work *work,
                                   const struct ss_encoder_batch *batch, size_t n_skipped,
                                   size_t width, const float *hidden, float *out)
{
    const double start = bench_now();
    __real_ss_encoder_pooling_run(pooling, work, batch, n_skipped, width, hidden, out);
    note("pooling", start, 0);
}

/* ---- the run ---- */

int main(int argc, char **argv)
{
    ss_err err;
    ss_encoder *encoder = NULL;
    ss_work *work = NULL;
    struct ss_encoder_info info = {.struct_size = sizeof info};
    struct bench_texts texts = {0};
    uint64_t n_tokens = 0;
    if (argc != 5) {
        (void)fprintf(stderr, "usage: bench_profile MODEL TEXTS.jsonl THREADS PRECISION\n");
        return 64;
    }
    const struct ss_encoder_options options = {.struct_size = sizeof options,
                                               .precision = bench_precision(argv[4])};
    bench_texts_read(argv[2], &texts);
    bench_stop_if(ss_encoder_open(argv[1], &options, &encoder, &err), &err);
    bench_stop_if(ss_work_new((size_t)strtoul(argv[3], NULL, 10), &work, &err), &err);
    ss_encoder_describe(encoder, &info);
    float *out = ss__alloc_aligned(texts.n * info.width, sizeof *out);
    if (out == NULL) {
        return 70;
    }
    bench_stop_if(ss_encoder_embed(encoder, work, texts.all, texts.n, out, &n_tokens, &err),
                  &err);
    memset(kinds, 0, sizeof kinds); /* the first pass made the scratch memory */
    const double start = bench_now();
    bench_stop_if(ss_encoder_embed(encoder, work, texts.all, texts.n, out, &n_tokens, &err),
                  &err);
    printf("{\"seconds\": %.6f, \"tokens\": %llu, \"kernels\": \"%s\", \"numbers\": \"%s\", "
           "\"parts\": [",
           bench_now() - start, (unsigned long long)n_tokens, info.kernels, info.numbers);
    for (size_t i = 0; i < MAX_KINDS && kinds[i].name[0] != '\0'; i++) {
        printf("%s{\"name\": \"%s\", \"seconds\": %.6f, \"work\": %.0f}", i == 0 ? "" : ", ",
               kinds[i].name, kinds[i].seconds, kinds[i].work);
    }
    printf("]}\n");
    bench_texts_release(&texts);
    ss__free(out);
    ss_work_free(work);
    ss_encoder_free(encoder);
    return 0;
}
