/* Vectors are sparse before they are centred; the mean is kept apart:
 * (a - m)·(b - m) = a·b - a·m - b·m + m·m. */
#include "describe/meaning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "describe/corpus.h"

enum { LEAST_TEXTS = 3 }; /* that hold a word */

struct weight {
    uint32_t word;
    double value;
};

/* Rows of weights by rising word: row r has weights[offsets[r]] …  */
struct rows {
    size_t *offsets; /* [n + 1] */
    struct weight *weights;
    size_t capacity;
};

struct ss_describe_meaning {
    size_t n_features;
    struct rows features;
    double *with_mean; /* [n_features] a·m */
    double *lengths;   /* [n_features] of a - m; 0: no value */
    double mean2;      /* m·m */
};

struct weighing {
    const struct ss_describe_lists *lists;
    struct ss_describe_corpus corpus;
    uint32_t *n_texts; /* [words] that hold a word */
    double *sums;      /* [words] of the row under way */
    uint32_t *touched; /* [words] those whose sum is not 0 */
    double *mean;      /* [words] over features */
    struct rows texts;
};

static int by_word(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void add_to_sum(struct weighing *work, size_t *n, uint32_t word, double value)
{
    if (work->sums[word] == 0) {
        work->touched[(*n)++] = word;
    }
    work->sums[word] += value;
}

/* Append the sums as a row and clear them. */
static ss_status end_row(struct weighing *work, struct rows *rows, size_t row, size_t n,
                         ss_err *err)
{
    const size_t at = rows->offsets[row];
    SS_GROW_OR_RETURN(rows->weights, rows->capacity, at + n + 1);
    ss__sort(work->touched, n, sizeof *work->touched, by_word);
    for (size_t i = 0; i < n; i++) {
        const uint32_t word = work->touched[i];
        rows->weights[at + i] = (struct weight){word, work->sums[word]};
        work->sums[word] = 0;
    }
    rows->offsets[row + 1] = at + n;
    return SS_OK;
}

/* How often each word stands in each text. */
static ss_status count_words(struct weighing *work, ss_err *err)
{
    const struct ss_describe_corpus *corpus = &work->corpus;
    for (size_t t = 0; t < work->lists->n_texts; t++) {
        size_t n = 0;
        for (size_t i = corpus->offsets[t]; i < corpus->offsets[t + 1]; i++) {
            const uint32_t word = corpus->words[i];
            if (word != SS_DESCRIBE_BREAK && corpus->facts[word].can_end) {
                add_to_sum(work, &n, word, 1);
            }
        }
        for (size_t i = 0; i < n; i++) {
            work->n_texts[work->touched[i]]++;
        }
        SS_RETURN_IF_ERROR(end_row(work, &work->texts, t, n, err));
    }
    return SS_OK;
}

static void weigh_texts(struct weighing *work)
{
    const double n = (double)work->lists->n_texts;
    for (size_t t = 0; t < work->lists->n_texts; t++) {
        struct weight *const begin = work->texts.weights + work->texts.offsets[t];
        struct weight *const end = work->texts.weights + work->texts.offsets[t + 1];
        double length2 = 0;
        for (struct weight *at = begin; at < end; at++) {
            const uint32_t df = work->n_texts[at->word];
            at->value = df < LEAST_TEXTS
                            ? 0
                            : (1 + log(at->value)) * (log((1 + n) / (1 + (double)df)) + 1);
            length2 += at->value * at->value;
        }
        for (struct weight *at = begin; at < end && length2 > 0; at++) {
            at->value /= sqrt(length2);
        }
    }
}

static ss_status sum_features(struct weighing *work, struct ss_describe_meaning *out,
                              ss_err *err)
{
    const struct ss_describe_lists *lists = work->lists;
    size_t n_with = 0;
    for (size_t f = 0; f < lists->n_features; f++) {
        const size_t n_texts = lists->offsets[f + 1] - lists->offsets[f];
        size_t n = 0;
        for (size_t i = lists->offsets[f]; i < lists->offsets[f + 1]; i++) {
            const size_t *offsets = work->texts.offsets + lists->list[i];
            for (size_t w = offsets[0]; w < offsets[1]; w++) {
                const struct weight *weight = &work->texts.weights[w];
                if (weight->value > 0) {
                    add_to_sum(work, &n, weight->word, weight->value / (double)n_texts);
                }
            }
        }
        SS_RETURN_IF_ERROR(end_row(work, &out->features, f, n, err));
        n_with += n_texts > 0;
    }
    for (size_t i = 0; i < out->features.offsets[lists->n_features]; i++) {
        const struct weight *weight = &out->features.weights[i];
        work->mean[weight->word] += weight->value / (double)n_with;
    }
    return SS_OK;
}

static void measure_features(const struct weighing *work, struct ss_describe_meaning *out)
{
    for (size_t w = 0; w < work->corpus.strings.n; w++) {
        out->mean2 += work->mean[w] * work->mean[w];
    }
    for (size_t f = 0; f < out->n_features; f++) {
        double length2 = 0;
        const size_t *offsets = out->features.offsets + f;
        for (size_t i = offsets[0]; i < offsets[1]; i++) {
            const struct weight *weight = &out->features.weights[i];
            length2 += weight->value * weight->value;
            out->with_mean[f] += weight->value * work->mean[weight->word];
        }
        const double left = length2 - 2 * out->with_mean[f] + out->mean2;
        /* What rounding leaves of a vector that is the mean is no direction. */
        out->lengths[f] = offsets[0] == offsets[1] || left < 1e-12 ? 0 : sqrt(left);
    }
}

static ss_status start(struct weighing *work, struct ss_describe_meaning *out, ss_err *err)
{
    const struct ss_describe_lists *lists = work->lists;
    const struct ss_describe_stop_words english = {.kind = SS_DESCRIBE_STOP_ENGLISH};
    SS_RETURN_IF_ERROR(
        ss_describe_corpus_init(&work->corpus, lists->texts, lists->n_texts, err));
    SS_RETURN_IF_ERROR(ss_describe_corpus_stop(&work->corpus, &english, lists->n_texts, err));
    const size_t n_words = work->corpus.strings.n;
    SS_ALLOC_OR_RETURN(work->n_texts, n_words);
    SS_ALLOC_OR_RETURN(work->sums, n_words);
    SS_ALLOC_OR_RETURN(work->touched, n_words);
    SS_ALLOC_OR_RETURN(work->mean, n_words);
    SS_ALLOC_OR_RETURN(work->texts.offsets, lists->n_texts + 1);
    SS_ALLOC_OR_RETURN(out->features.offsets, lists->n_features + 1);
    SS_ALLOC_OR_RETURN(out->with_mean, lists->n_features);
    SS_ALLOC_OR_RETURN(out->lengths, lists->n_features);
    out->n_features = lists->n_features;
    return SS_OK;
}

ss_status ss_describe_meaning_new(const struct ss_describe_lists *lists,
                                  struct ss_describe_meaning **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct weighing work = {.lists = lists};
    struct ss_describe_meaning *meaning = NULL;
    *out = NULL;
    SS_ALLOC(meaning, 1);
    SS_TRY(start(&work, meaning, err));
    SS_TRY(count_words(&work, err));
    weigh_texts(&work);
    SS_TRY(sum_features(&work, meaning, err));
    measure_features(&work, meaning);
    *out = meaning;
    meaning = NULL;
out:
    ss_describe_corpus_release(&work.corpus);
    ss__free(work.n_texts);
    ss__free(work.sums);
    ss__free(work.touched);
    ss__free(work.mean);
    ss__free(work.texts.offsets);
    ss__free(work.texts.weights);
    ss_describe_meaning_free(meaning);
    return status;
}

void ss_describe_meaning_free(struct ss_describe_meaning *meaning)
{
    if (meaning == NULL) {
        return;
    }
    ss__free(meaning->features.offsets);
    ss__free(meaning->features.weights);
    ss__free(meaning->with_mean);
    ss__free(meaning->lengths);
    ss__free(meaning);
}

double ss_describe_meaning_of(const struct ss_describe_meaning *meaning, size_t a, size_t b)
{
    const struct weight *weights = meaning->features.weights;
    const size_t *of_a = meaning->features.offsets + a, *of_b = meaning->features.offsets + b;
    double dot = 0;
    if (!(meaning->lengths[a] > 0) || !(meaning->lengths[b] > 0)) {
        return NAN;
    }
    for (size_t i = of_a[0], j = of_b[0]; i < of_a[1] && j < of_b[1];) {
        if (weights[i].word == weights[j].word) {
            dot += weights[i++].value * weights[j++].value;
        } else if (weights[i].word < weights[j].word) {
            i++;
        } else {
            j++;
        }
    }
    dot += meaning->mean2 - meaning->with_mean[a] - meaning->with_mean[b];
    return dot / (meaning->lengths[a] * meaning->lengths[b]);
}
