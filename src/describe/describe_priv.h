/* What the files of this room share. */
#ifndef SS_DESCRIBE_PRIV_H
#define SS_DESCRIBE_PRIV_H

#include "base/buf.h"
#include "base/mem.h"
#include "describe/describe.h"

/* ---- python_words.c: characters as Python 3.11 has them ---- */

/* Append a text in lower case as str.lower makes it, the final sigma included. */
void ss_describe_lower(struct ss_text text, struct ss__buf *out);

/* Whether re's \w matches, without the underscore. */
bool ss_describe_is_alphanumeric(uint32_t code_point);

/* The next match of \b\w\w+\b from *at on, a view into `text`; false at its end. */
bool ss_describe_next_word(struct ss_text text, size_t *at, struct ss_text *word);

/* Bytes as code points are ordered: <0, 0, >0. */
int ss_describe_compare_texts(struct ss_text a, struct ss_text b);

/* FNV-1a, 64 bits. */
uint64_t ss_describe_hash_text(struct ss_text text);

/* ---- stop_words.c ---- */

/* Whether a lower-cased word is one of the 318 that the seed's word lists leave out. */
bool ss_describe_is_seed_stop_word(struct ss_text word);

/* ---- strings.c: strings by number, each embedded once ---- */

#define SS_DESCRIBE_NO_STRING UINT32_MAX

struct ss_describe_strings {
    struct ss_describe_embedder embedder;
    struct ss_progress_callback stop;
    const char *step; /* what progress is told as; NULL: it is not */
    struct ss__arena arena;
    struct ss_text *texts; /* [n] */
    size_t n, room;
    uint32_t *slots; /* hash table of numbers + 1; 0: free */
    size_t n_slots;
    float *vectors;     /* [n_embedded, width] of length 1, */
    bool keeps_lengths; /* or as they came */
    size_t n_embedded, vectors_room;
};

/* The number of a string, which is copied when it is new. */
SS_MUST_USE ss_status ss_describe_strings_add(struct ss_describe_strings *strings,
                                              struct ss_text text, uint32_t *number,
                                              ss_err *err);
/* The same if it is there; else SS_DESCRIBE_NO_STRING. */
uint32_t ss_describe_strings_find(const struct ss_describe_strings *strings,
                                  struct ss_text text);
/* Embed those that are not yet. */
SS_MUST_USE ss_status ss_describe_strings_embed(struct ss_describe_strings *strings,
                                                ss_err *err);
/* The vector of a string that was embedded. */
static inline const float *ss_describe_vector(const struct ss_describe_strings *strings,
                                              uint32_t number)
{
    return strings->vectors + number * strings->embedder.width;
}
void ss_describe_strings_release(struct ss_describe_strings *strings);

/* out = x / |x|, in fp32; zeros stay. */
void ss_describe_normalize(const float *x, size_t width, float *out);

/* Embed n texts, in batches, in the order given. */
struct ss_describe_batch {
    const struct ss_describe_embedder *embedder;
    const struct ss_text *texts;
    size_t n;
    struct ss_progress_callback stop;
    const char *step; /* as above */
};
SS_MUST_USE ss_status ss_describe_embed_all(const struct ss_describe_batch *batch, float *out,
                                            ss_err *err);

/* ---- auc.c ---- */

/* Wilson's interval at 95 % of a share of n. */
struct ss_describe_interval ss_describe_wilson(double share, size_t n);
/* k of n as a share, with that interval. */
struct ss_describe_share ss_describe_share_of(size_t k, size_t n);
/* Sort rising, no NaN. */
void ss_describe_sort(float *values, size_t n);
/* The area under the ROC curve of sorted values, ties half; m and n are not 0. */
double ss_describe_area(const float *positives, size_t m, const float *negatives, size_t n);
/* The same with its interval; sorts the values. All 0 where there are none. */
struct ss_describe_auc ss_describe_auc_of(float *positives, size_t m, float *negatives,
                                          size_t n);
/* The smallest of the sorted values t for which the share of positives from t on minus that of
 * negatives is largest. */
float ss_describe_threshold(const float *positives, size_t m, const float *negatives, size_t n);
/* Sorted values that many others are compared with: their span is cut into parts, so that what
 * lies above a value is found by looking at the one part that it falls into. */
enum { SS_DESCRIBE_RULER_PARTS = 256 };
struct ss_describe_ruler {
    const float *sorted; /* [n] borrowed */
    size_t n;
    float low, high, scale;
    uint32_t first[SS_DESCRIBE_RULER_PARTS]; /* value of each part, or of a later one */
};
void ss_describe_ruler_init(struct ss_describe_ruler *ruler, const float *sorted, size_t n);
/* Twice the number of values above one, of equal ones half. */
uint64_t ss_describe_count_twice(const struct ss_describe_ruler *ruler, float value);
/* How many of the sorted values are `least` or more. */
size_t ss_describe_count_from(const float *sorted, size_t n, float least);
/* Spearman's rank correlation; NaN where it is not defined. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_describe_spearman(const float *a, const float *b, size_t n,
                                           double *out, ss_err *err);

/* ---- lists of terms ---- */

SS_MUST_USE ss_status ss_describe_terms_init(struct ss_describe_terms *terms, size_t n_features,
                                             ss_err *err);
/* ---- seed_text.c: the terms of one text ---- */

enum { SS_DESCRIBE_SEED_WORDS = 5, SS_DESCRIBE_SEED_PAIRS = 10 };

/* Numbers of strings, with scores. First the list of words, then merged ones, then pairs are
 * added, each when the vectors of the step before are there. */
struct ss_describe_seed_text {
    uint32_t *candidates; /* [n_candidates] distinct words in the order of code points */
    size_t n_candidates;
    size_t n_words, n_pairs;
    uint32_t words[SS_DESCRIBE_SEED_WORDS];
    double word_scores[SS_DESCRIBE_SEED_WORDS];
    uint32_t pairs[SS_DESCRIBE_SEED_PAIRS];
    double pair_scores[SS_DESCRIBE_SEED_PAIRS];
};

/* The distinct words of a text that are no stop words, added to `strings`. */
SS_MUST_USE ss_status ss_describe_seed_candidates(struct ss_text text,
                                                  struct ss_describe_strings *strings,
                                                  struct ss_describe_seed_text *out,
                                                  ss_err *err);
/* The five words nearest to the text, whose vector of length 1 is given; the candidates are
 * released. */
void ss_describe_seed_rank(const struct ss_describe_strings *strings, const float *text,
                           struct ss_describe_seed_text *out);
/* Leave out words that are near to a better one, and add pairs of the others to `strings`. */
SS_MUST_USE ss_status ss_describe_seed_merge(struct ss_describe_strings *strings,
                                             struct ss_describe_seed_text *out, ss_err *err);
/* Keep the pairs that are near to the text. */
void ss_describe_seed_choose_pairs(const struct ss_describe_strings *strings, const float *text,
                                   struct ss_describe_seed_text *out);

#endif
