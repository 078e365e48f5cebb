/* Cosines of a query with all texts of a sample: eight rows side by side, each summed in
 * double in one fixed order, so that a rank does not depend on the machine or on how many
 * texts there are. */
#include "run/cosines.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

/* Sums of eight rows do not wait for each other, which one row's additions would. */
enum { ROWS = 8 };

static void add_rows(const float *rows, size_t n_rows, size_t width, const float *x,
                     double *sums)
{
    double sum[ROWS] = {0};
    if (n_rows == ROWS) {
        for (size_t i = 0; i < width; i++) {
            for (size_t r = 0; r < ROWS; r++) {
                sum[r] += (double)rows[r * width + i] * (double)x[i];
            }
        }
    } else {
        for (size_t r = 0; r < n_rows; r++) {
            for (size_t i = 0; i < width; i++) {
                sum[r] += (double)rows[r * width + i] * (double)x[i];
            }
        }
    }
    memcpy(sums, sum, n_rows * sizeof *sum);
}

static double length_of(const float *x, size_t width)
{
    double square = 0;
    for (size_t i = 0; i < width; i++) {
        square += (double)x[i] * (double)x[i];
    }
    return sqrt(square);
}

ss_status ss_run_cosines_init(struct ss_run_cosines *cosines,
                              const struct ss_folder_evidence *evidence, ss_err *err)
{
    *cosines = (struct ss_run_cosines){.evidence = evidence};
    SS_ALLOC_OR_RETURN(cosines->lengths, evidence->n_texts);
    for (size_t i = 0; i < evidence->n_texts; i++) {
        cosines->lengths[i] =
            length_of(evidence->embeddings + i * evidence->width, evidence->width);
    }
    return SS_OK;
}

void ss_run_cosines_release(struct ss_run_cosines *cosines)
{
    ss__free(cosines->lengths);
    *cosines = (struct ss_run_cosines){0};
}

void ss_run_cosines_with(const struct ss_run_cosines *cosines, const float *x, double *out)
{
    const struct ss_folder_evidence *evidence = cosines->evidence;
    const size_t width = evidence->width, n = evidence->n_texts;
    const double length = length_of(x, width);
    for (size_t at = 0; at < n; at += ROWS) {
        const size_t n_rows = n - at < ROWS ? n - at : ROWS;
        add_rows(evidence->embeddings + at * width, n_rows, width, x, out + at);
        for (size_t i = at; i < at + n_rows; i++) {
            out[i] = length > 0 && cosines->lengths[i] > 0
                         ? out[i] / (cosines->lengths[i] * length)
                         : 0;
        }
    }
}

static bool is_before(const struct ss_folder_evidence *evidence, const double *scores,
                      uint32_t a, uint32_t b)
{
    return scores[a] != scores[b] ? scores[a] > scores[b]
                                  : evidence->positions[a] < evidence->positions[b];
}

/* The list stays short, and few texts come into it once it has the best of a few thousand. */
size_t ss_run_cosines_largest(const struct ss_folder_evidence *evidence, const double *scores,
                              size_t n_most, uint32_t *texts)
{
    size_t n = 0;
    for (size_t i = 0; i < evidence->n_texts && n_most > 0; i++) {
        const uint32_t text = (uint32_t)i;
        size_t at = n;
        if (n == n_most && !is_before(evidence, scores, text, texts[n - 1])) {
            continue;
        }
        n += n < n_most;
        at = at == n_most ? at - 1 : at;
        for (; at > 0 && is_before(evidence, scores, text, texts[at - 1]); at--) {
            texts[at] = texts[at - 1];
        }
        texts[at] = text;
    }
    return n;
}

size_t ss_run_cosines_rank(const struct ss_folder_evidence *evidence, const double *scores,
                           uint32_t text)
{
    size_t n = 0;
    for (size_t i = 0; i < evidence->n_texts; i++) {
        n += is_before(evidence, scores, (uint32_t)i, text);
    }
    return n;
}
