/* Scores on single sentences. */
#ifndef SS_DESCRIBE_SENTENCES_H
#define SS_DESCRIBE_SENTENCES_H

#include "describe/describe_priv.h"

enum {
    SS_DESCRIBE_SENTENCE_CHARACTERS = 20,
    SS_DESCRIBE_SENTENCE_TEXTS = 20,      /* of a feature, at most */
    SS_DESCRIBE_SENTENCE_MOST_TEXTS = 500 /* of all features */
};

/* Cut a text behind each . ! or ? that white space and a capital A–Z follow; parts of 20
 * characters or fewer do not count. At most n_most into `out`; gives how many. */
size_t ss_describe_split_sentences(struct ss_text text, struct ss_text *out, size_t n_most);

struct ss_describe_sentence_job {
    const struct ss_text *texts; /* [n_texts] */
    size_t n_texts, n_features, width;
    /* [n_features, SS_DESCRIBE_SENTENCE_TEXTS] positives of a feature; SS_DESCRIBE_NO_STRING
     * in the place of those that there are not */
    const uint32_t *texts_of;
    const struct ss_describe_embedder *embedder;
    const struct ss_describe_answers *answers;
    /* What similarities are taken of: of a sentence's embedding (out may be x), of a label. */
    void (*place)(const void *context, const float *x, float *out);
    void (*place_label)(const void *context, size_t feature, float *out);
    const void *context;
    /* NULL: labels are scored; else it gets the pairs instead, and the three above are not
       looked at. strong, weak: views into the text of a row */
    void (*take_pair)(void *taker, size_t feature, uint32_t row, struct ss_text strong,
                      struct ss_text weak);
    void *taker;
    struct ss_progress_callback stop;
};

/* Embeds the sentences of the first texts by key that some feature asks for, so that the cost has
 * a bound whatever the number of features; rare ones then have few texts, and n says so.
 *
 * Set `sentences` of the scores [n_features] (NULL with take_pair) where a text of a feature has two sentences that it
 * answers differently. Errors: SS_E_NOMEM, SS_E_STOPPED, those of the two functions. */
SS_MUST_USE ss_status ss_describe_test_sentences(const struct ss_describe_sentence_job *job,
                                                 struct ss_describe_score *scores, ss_err *err);

#endif
