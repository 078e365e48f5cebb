/* Embed a few texts and print how alike they are:
 *     embed_texts MODEL TEXT TEXT… */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <saescope.h>

static double cosine(const float *a, const float *b, size_t width)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < width; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

int main(int n, char **words)
{
    ss_encoder *encoder = NULL;
    ss_work *work = NULL;
    struct ss_encoder_info info = {.struct_size = sizeof info};
    struct ss_text texts[64];
    float *rows = NULL;
    ss_err err;
    const size_t n_texts = n < 4 || n > 66 ? 0 : (size_t)n - 2;
    if (n_texts == 0) {
        fprintf(stderr, "usage: embed_texts MODEL TEXT TEXT...\n");
        return 64;
    }
    for (size_t i = 0; i < n_texts; i++) {
        texts[i] = (struct ss_text){words[i + 2], strlen(words[i + 2])};
    }
    struct ss_encoder_options options = {.struct_size = sizeof options};
    ss_status status = ss_work_new(0, &work, &err);
    options.work = work; /* all of its threads prepare the weights, too */
    status = status == SS_OK ? ss_encoder_open(words[1], &options, &encoder, &err) : status;
    if (status == SS_OK) {
        ss_encoder_describe(encoder, &info);
        rows = calloc(n_texts, info.width * sizeof *rows);
        status = ss_encoder_embed(encoder, work, texts, n_texts, rows, NULL, &err);
    }
    for (size_t i = 1; status == SS_OK && i < n_texts; i++) {
        printf("%.4f  %s\n", cosine(rows, rows + i * info.width, info.width), words[i + 2]);
    }
    if (status != SS_OK) {
        fprintf(stderr, "%s\n", err.message);
    }
    free(rows);
    ss_work_free(work);
    ss_encoder_free(encoder);
    return ss_status_exit_code(status);
}
