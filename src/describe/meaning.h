/* What features share in words: the cosine of the centred TF-IDF of their texts. It depends
 * neither on the encoder nor on the SAE, so that it can say whether what these put together
 * belongs together. */
#ifndef SS_DESCRIBE_MEANING_H
#define SS_DESCRIBE_MEANING_H

#include "describe/describe.h"

struct ss_describe_meaning;

/* Weigh the words of every feature's texts: per text (1 + ln tf) (ln((1 + n) / (1 + df)) + 1)
 * over words that three texts or more hold, without English function words, then scaled to
 * length 1; per feature the mean of its texts, less the mean of all features that have some.
 *
 * lists    borrowed while the call runs; its embeddings are not looked at
 * out      gives (ss_describe_meaning_free)
 * Errors   SS_E_NOMEM, SS_E_LIMIT
 * Source   scikit-learn's TfidfVectorizer (sublinear_tf, smooth_idf, norm l2, min_df 3), with
 *          the words of this room; tests/unit/test_describe_meaning.c */
SS_MUST_USE ss_status ss_describe_meaning_new(const struct ss_describe_lists *lists,
                                              struct ss_describe_meaning **out, ss_err *err);
void ss_describe_meaning_free(struct ss_describe_meaning *meaning);

/* The cosine of two features, -1 … 1; of two by chance about 0. NaN where one has no text, or
 * nothing that others have not. Threads: any. */
double ss_describe_meaning_of(const struct ss_describe_meaning *meaning, size_t a, size_t b);

#endif
