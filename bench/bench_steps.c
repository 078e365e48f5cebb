/* One step of saescope in a process of its own, run whenever a line comes on standard input:
 *
 *   bench_steps tokenize MODEL TEXTS.jsonl     all texts to at most 512 ids, in one thread
 *   bench_steps sae SAE ROWS.f32 THREADS       embeddings to sparse activations; ROWS.f32 holds
 *                                              rows of plain floats
 *   bench_steps numbers LEVEL                  what that precision computes in on this machine
 *
 * Answers each line with one JSON object of seconds and counts. Loading is not in the seconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "common.h"
#include "tensor/tensor.h"
#include "tokenizer/tokenizer.h"

static bool is_told(void)
{
    char line[16];
    return fgets(line, sizeof line, stdin) != NULL;
}

/* ---- tokenizing ---- */

static int step_tokenize(char **arguments)
{
    enum { MAX_IDS = 512 };
    ss_err err;
    const struct ss_tokenizer_options options = {0};
    struct ss_tokenizer *tokenizer = NULL;
    struct bench_texts texts = {0};
    struct ss_tokenizer_token_scratch *scratch = NULL;
    struct ss_tokenizer_tokens tokens = {0};
    bench_texts_read(arguments[1], &texts);
    bench_stop_if(ss_tokenizer_load(arguments[0], &options, &tokenizer, &err), &err);
    bench_stop_if(ss_tokenizer_token_scratch_new(&scratch, &err), &err);
    while (is_told()) {
        const double start = bench_now();
        ss_tokenizer_tokens_reset(&tokens);
        for (size_t i = 0; i < texts.n; i++) {
            bench_stop_if(
                ss_tokenizer_tokenize(tokenizer, scratch, texts.all[i], MAX_IDS, &tokens, &err),
                &err);
        }
        printf("{\"seconds\": %.6f, \"tokens\": %zu, \"bytes\": %zu}\n", bench_now() - start,
               ss_tokenizer_tokens_n_ids(&tokens), texts.n_bytes);
        (void)fflush(stdout);
    }
    ss_tokenizer_tokens_release(&tokens);
    ss_tokenizer_token_scratch_free(scratch);
    ss_tokenizer_free(tokenizer);
    bench_texts_release(&texts);
    return 0;
}

/* ---- the SAE ---- */

struct rows {
    float *x;
    size_t n, width;
};

static void read_floats(const char *path, size_t width, struct rows *out)
{
    FILE *file = fopen(path, "rb");
    long size = 0;
    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) <= 0 ||
        fseek(file, 0, SEEK_SET) != 0) {
        (void)fprintf(stderr, "%s could not be read\n", path);
        exit(66);
    }
    const size_t n = (size_t)size / sizeof(float) / width;
    *out = (struct rows){ss__alloc_aligned(n * width, sizeof(float)), n, width};
    if (out->x == NULL || fread(out->x, sizeof(float), n * width, file) != n * width) {
        (void)fprintf(stderr, "%s could not be read\n", path);
        exit(74);
    }
    (void)fclose(file);
}

/* Seconds of a plain product of the rows with as many weights as fit a good measurement, per
 * output. */
static double time_product(ss_work *work, const struct rows *rows, size_t n_out)
{
    ss_err err;
    struct ss_tensor_matrix matrix = {0};
    float *w = ss__alloc_aligned(n_out * rows->width, sizeof *w);
    float *y = ss__alloc_aligned(rows->n * n_out, sizeof *y);
    if (w == NULL || y == NULL) {
        exit(70);
    }
    for (size_t i = 0; i < n_out * rows->width; i++) {
        w[i] = (float)(i % 17) - 8.0F;
    }
    bench_stop_if(ss_tensor_matrix_new(n_out, rows->width, SS_PRECISION_HIGHEST, &matrix, &err),
                  &err);
    ss_tensor_matrix_fill(&matrix, 0, n_out, w, SS_TENSOR_OUT_BY_IN);
    double seconds = 0;
    for (size_t turn = 0; turn < 2; turn++) {
        const double start = bench_now();
        bench_stop_if(ss_tensor_linear(work, &matrix, rows->x, rows->n, y, NULL, &err), &err);
        seconds = bench_now() - start;
    }
    ss_tensor_matrix_release(&matrix);
    ss__free(w);
    ss__free(y);
    return seconds / (double)n_out;
}

static int step_sae(char **arguments)
{
    enum { PRODUCT_OUTPUTS = 2304 };
    ss_err err;
    ss_sae *sae = NULL;
    ss_work *work = NULL;
    struct ss_sae_info info = {.struct_size = sizeof info};
    struct ss_sparse out = {0};
    struct rows rows;
    bench_stop_if(ss_sae_open(arguments[0], NULL, &sae, &err), &err);
    ss_sae_describe(sae, &info);
    read_floats(arguments[1], info.width, &rows);
    bench_stop_if(ss_work_new((size_t)strtoul(arguments[2], NULL, 10), &work, &err), &err);
    while (is_told()) {
        const double product =
            time_product(work, &rows, PRODUCT_OUTPUTS) * (double)info.n_features;
        const double start = bench_now();
        bench_stop_if(ss_sae_encode(sae, work, rows.x, rows.n, &out, &err), &err);
        printf(
            "{\"seconds\": %.6f, \"product_seconds\": %.6f, \"rows\": %zu, \"fires\": %zu}\n",
            bench_now() - start, product, rows.n, out.offsets[rows.n]);
        (void)fflush(stdout);
    }
    ss_sparse_release(&out);
    ss__free(rows.x);
    ss_work_free(work);
    ss_sae_free(sae);
    return 0;
}

/* ---- numbers ---- */

static int step_numbers(char **arguments)
{
    printf("{\"numbers\": \"%s\", \"kernels\": \"%s\"}\n",
           ss_tensor_precision_format(bench_precision(arguments[0])), ss_tensor_kernels_name());
    return 0;
}

static const struct step {
    const char *name;
    int n_arguments;
    int (*run)(char **arguments);
} steps[] = {
    {"tokenize", 2, step_tokenize}, {"sae", 3, step_sae}, {"numbers", 1, step_numbers}};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (argc == 2 + steps[i].n_arguments && strcmp(argv[1], steps[i].name) == 0) {
            return steps[i].run(argv + 2);
        }
    }
    (void)fprintf(
        stderr,
        "usage: bench_steps tokenize MODEL TEXTS | sae SAE ROWS THREADS | numbers LEVEL\n");
    return 64;
}
