/* The terms of one text, as the seed project finds them: KeyBERT's list of five words, without
 * those that mean nearly the same as a better one, and pairs of the others.
 *
 * Source  keybert 0.9.0, scikit-learn 1.9.1; tests/unit/test_describe_seed.c */
#include <stdlib.h>

#include "base/number.h"
#include "base/sort.h"
#include "describe/describe_priv.h"
#include "tensor/tensor.h"

static const double least_same_word = 0.9;
static const double least_pair = 0.4;

/* ---- candidates ---- */

struct found_words {
    struct ss_text *words;
    size_t n, room;
};

static int by_code_points(const void *a, const void *b)
{
    return ss_describe_compare_texts(*(const struct ss_text *)a, *(const struct ss_text *)b);
}

static ss_status find_words(struct ss_text lower, struct found_words *found, ss_err *err)
{
    size_t at = 0;
    struct ss_text word;
    while (ss_describe_next_word(lower, &at, &word)) {
        if (!ss_describe_is_seed_stop_word(word)) {
            SS_GROW_OR_RETURN(found->words, found->room, found->n + 1);
            found->words[found->n++] = word;
        }
    }
    if (found->n > 0) {
        ss__sort(found->words, found->n, sizeof *found->words, by_code_points);
    }
    return SS_OK;
}

ss_status ss_describe_seed_candidates(struct ss_text text, struct ss_describe_strings *strings,
                                      struct ss_describe_seed_text *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf lower = {0};
    struct found_words found = {0};
    ss_describe_lower(text, &lower);
    SS_TRY(ss__buf_check(&lower, err));
    SS_TRY(find_words((struct ss_text){lower.data, lower.n_bytes}, &found, err));
    SS_ALLOC(out->candidates, found.n);
    for (size_t i = 0; i < found.n; i++) {
        if (i > 0 && ss_describe_compare_texts(found.words[i - 1], found.words[i]) == 0) {
            continue;
        }
        SS_TRY(ss_describe_strings_add(strings, found.words[i],
                                       &out->candidates[out->n_candidates], err));
        out->n_candidates++;
    }
out:
    ss__free(found.words);
    ss__buf_release(&lower);
    return status;
}

/* ---- the list ---- */

/* round(value, 4) of Python: the nearest decimal number, ties of the exact value to even. */
static double round_4(double value)
{
    char text[32];
    double rounded = value;
    const int n = ss__snprintf(text, sizeof text, "%.4f", value);
    if (n > 0 && (size_t)n < sizeof text) {
        (void)ss__parse_double(text, (size_t)n, &rounded);
    }
    return rounded;
}

void ss_describe_seed_rank(const struct ss_describe_strings *strings, const float *text,
                           struct ss_describe_seed_text *out)
{
    float best[SS_DESCRIBE_SEED_WORDS];
    size_t n = 0;
    for (size_t i = 0; i < out->n_candidates; i++) {
        const float cosine = ss_tensor_dot(ss_describe_vector(strings, out->candidates[i]),
                                           text, strings->embedder.width);
        size_t at = n;
        while (at > 0 && cosine >= best[at - 1]) { /* of equal ones the later first */
            at--;
        }
        if (at == SS_DESCRIBE_SEED_WORDS) {
            continue;
        }
        n += n < SS_DESCRIBE_SEED_WORDS;
        for (size_t j = n - 1; j > at; j--) {
            best[j] = best[j - 1];
            out->words[j] = out->words[j - 1];
        }
        best[at] = cosine;
        out->words[at] = out->candidates[i];
    }
    for (size_t i = 0; i < n; i++) {
        out->word_scores[i] = round_4((double)best[i]);
    }
    out->n_words = n;
    ss__free(out->candidates);
    out->candidates = NULL;
}

/* ---- merging and pairs ---- */

static bool are_near(const struct ss_describe_strings *strings, uint32_t a, uint32_t b)
{
    const float cosine = ss_tensor_dot(ss_describe_vector(strings, a),
                                       ss_describe_vector(strings, b), strings->embedder.width);
    return (double)cosine >= least_same_word;
}

static void merge_words(const struct ss_describe_strings *strings,
                        struct ss_describe_seed_text *out)
{
    bool is_used[SS_DESCRIBE_SEED_WORDS] = {false};
    size_t n = 0;
    for (size_t i = 0; i < out->n_words; i++) {
        if (is_used[i]) {
            continue;
        }
        const uint32_t word = out->words[i];
        for (size_t j = i + 1; j < out->n_words; j++) {
            is_used[j] = is_used[j] || are_near(strings, word, out->words[j]);
        }
        out->words[n] = word;
        out->word_scores[n++] = out->word_scores[i];
    }
    out->n_words = n;
}

ss_status ss_describe_seed_merge(struct ss_describe_strings *strings,
                                 struct ss_describe_seed_text *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf pair = {0};
    merge_words(strings, out);
    for (size_t i = 0; i < out->n_words; i++) {
        for (size_t j = i + 1; j < out->n_words; j++) {
            const struct ss_text first = strings->texts[out->words[i]];
            const struct ss_text second = strings->texts[out->words[j]];
            pair.n_bytes = 0;
            ss__buf_add(&pair, first.data, first.n_bytes);
            ss__buf_add_byte(&pair, ' ');
            ss__buf_add(&pair, second.data, second.n_bytes);
            SS_TRY(ss__buf_check(&pair, err));
            SS_TRY(ss_describe_strings_add(strings, (struct ss_text){pair.data, pair.n_bytes},
                                           &out->pairs[out->n_pairs], err));
            out->n_pairs++;
        }
    }
out:
    ss__buf_release(&pair);
    return status;
}

void ss_describe_seed_choose_pairs(const struct ss_describe_strings *strings, const float *text,
                                   struct ss_describe_seed_text *out)
{
    size_t n = 0;
    for (size_t i = 0; i < out->n_pairs; i++) {
        const uint32_t pair = out->pairs[i];
        const double cosine = (double)ss_tensor_dot(ss_describe_vector(strings, pair), text,
                                                    strings->embedder.width);
        if (cosine >= least_pair) {
            out->pairs[n] = pair;
            out->pair_scores[n++] = cosine;
        }
    }
    out->n_pairs = n;
}
