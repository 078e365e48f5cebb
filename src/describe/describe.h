/* What features mean, in words.
 *
 * Everything is handed in: texts, numbers, and a function that embeds strings. Strings are
 * embedded once each, in batches, over all features; the answer depends neither on batches nor
 * on threads. */
#ifndef SS_DESCRIBE_H
#define SS_DESCRIBE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

/* ---- embedding ---- */

/* Embeds n strings into out [n, width]; texts longer than the encoder's limit are cut by it.
 * The vector of a string does not depend on what else is in a call. */
struct ss_describe_embedder {
    ss_status (*embed)(void *user, const struct ss_text *texts, size_t n, float *out,
                       ss_err *err);
    void *user;
    size_t width;
};

/* ---- keywords ---- */

struct ss_describe_term {
    struct ss_text text; /* lives as long as its list */
    double weight;
};

/* Terms of every feature, the best first: those of feature f are terms[offsets[f]] …
 * terms[offsets[f + 1] - 1]. */
struct ss_describe_terms {
    size_t n_features;
    size_t *offsets; /* [n_features + 1] */
    struct ss_describe_term *terms;
    size_t terms_room;
    struct ss__arena arena; /* of the texts */
};
void ss_describe_terms_release(struct ss_describe_terms *terms);

/* Texts that features point at: feature f has texts[list[offsets[f]]] and so on. All borrowed.
 */
struct ss_describe_lists {
    size_t n_texts;
    const struct ss_text *texts;
    const float *embeddings; /* [n_texts, width] by the embedder for words; NULL: to be made */
    size_t n_features;
    const size_t *offsets; /* [n_features + 1] */
    const uint32_t *list;
};

/* ---- keywords of the seed project ---- */

typedef enum ss_describe_seed_variant {
    SS_DESCRIBE_SEED_TUTORIAL, /* terms join a cluster at cosine 0.75, all are kept */
    SS_DESCRIBE_SEED_EXPLAINER /* at 0.8, the best three */
} ss_describe_seed_variant;

struct ss_describe_seed_options {
    ss_describe_seed_variant variant;
    struct ss_describe_embedder list_model; /* ranks the words of a text */
    struct ss_describe_embedder model;      /* for everything else */
    bool is_one_model;                      /* list_model is not looked at: it is `model` */
    struct ss_stop stop;
};

/* Keywords of every feature from its top texts, the strongest first: per text the five words
 * nearest to it, without near doubles, and pairs of them that are near to it; then sums over
 * the texts, clusters of like terms, and their scores. A feature without texts has none.
 *
 * out      gives (ss_describe_terms_release)
 * Errors   SS_E_NOMEM, SS_E_LIMIT, SS_E_STOPPED, those of the embedder
 * Source   tests/unit/test_describe_seed.c */
SS_MUST_USE ss_status ss_describe_seed(const struct ss_describe_lists *tops,
                                       const struct ss_describe_seed_options *options,
                                       struct ss_describe_terms *out, ss_err *err);

#endif
