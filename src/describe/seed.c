/* The seed project's keywords: terms of a feature's top texts, summed, clustered and scored.
 *
 *   S[term] += score, N[term] += 1 per text;  score = (S/N) ln(1 + N)
 *   clusters: in falling score, each free term takes later free ones that are near to it
 *   score of a cluster = (sum S / sum N) ln(1 + sum N), under the name of its first term
 *
 * Source  descriptions of the seed's explainer and tutorial; tests/unit/test_describe_seed.c */
#include <math.h>
#include <stdlib.h>

#include "base/sort.h"
#include "base/stop.h"
#include "describe/describe_priv.h"
#include "tensor/tensor.h"

static const struct {
    double least_cosine; /* within a cluster */
    size_t n_kept;       /* 0: all */
} variants[] = {
    [SS_DESCRIBE_SEED_TUTORIAL] = {0.75, 0},
    [SS_DESCRIBE_SEED_EXPLAINER] = {0.8, 3},
};

/* A term of a feature, or a cluster under the name of its first. */
struct sum {
    uint32_t string;
    uint32_t n_texts;
    size_t place; /* in the order of first appearance; of clusters, of being made */
    double sum, score;
    bool is_used;
};

struct seed {
    const struct ss_describe_lists *tops;
    const struct ss_describe_seed_options *options;
    struct ss_describe_strings list_strings; /* not used where there is one model */
    struct ss_describe_strings strings;
    struct ss_describe_strings *lists;   /* one of these two */
    float *list_units, *units;           /* [n_texts, width]; the first NULL if the same */
    struct ss_describe_seed_text *texts; /* [n_texts] */
    struct sum *sums;
    size_t n_sums, sums_room;
    struct ss__asking asking;
};

static void release_seed(struct seed *seed)
{
    for (size_t t = 0; seed->texts != NULL && t < seed->tops->n_texts; t++) {
        ss__free(seed->texts[t].candidates);
    }
    ss__free(seed->texts);
    ss__free(seed->list_units);
    ss__free(seed->units);
    ss__free(seed->sums);
    ss_describe_strings_release(&seed->list_strings);
    ss_describe_strings_release(&seed->strings);
}

/* ---- vectors of the texts ---- */

/* [n_texts, width] of length 1, from embeddings that are there or are made. */
static ss_status place_texts(const struct seed *seed, const struct ss_describe_embedder *model,
                             const float *embeddings, float **out, ss_err *err)
{
    const struct ss_describe_batch batch = {.embedder = model,
                                            .texts = seed->tops->texts,
                                            .n = seed->tops->n_texts,
                                            .stop = seed->options->stop};
    float *units = NULL;
    size_t n_values = 0;
    if (!ss__mul(batch.n, model->width, &n_values)) {
        return ss__fail(err, SS_E_LIMIT, "too many texts: %zu of width %zu", batch.n,
                        model->width);
    }
    SS_ALLOC_OR_RETURN(units, n_values);
    *out = units;
    if (embeddings == NULL) {
        SS_RETURN_IF_ERROR(ss_describe_embed_all(&batch, units, err));
        embeddings = units;
    }
    for (size_t t = 0; t < batch.n; t++) {
        ss_describe_normalize(embeddings + t * model->width, model->width,
                              units + t * model->width);
    }
    return SS_OK;
}

/* ---- terms of all texts ---- */

static ss_status list_words(struct seed *seed, ss_err *err)
{
    const size_t width = seed->lists->embedder.width;
    const float *units = seed->list_units == NULL ? seed->units : seed->list_units;
    for (size_t t = 0; t < seed->tops->n_texts; t++) {
        SS_RETURN_IF_ERROR(ss__check_stop(&seed->asking, err));
        SS_RETURN_IF_ERROR(ss_describe_seed_candidates(seed->tops->texts[t], seed->lists,
                                                       &seed->texts[t], err));
    }
    SS_RETURN_IF_ERROR(ss_describe_strings_embed(seed->lists, err));
    for (size_t t = 0; t < seed->tops->n_texts; t++) {
        ss_describe_seed_rank(seed->lists, units + t * width, &seed->texts[t]);
    }
    return SS_OK;
}

/* Where words were ranked by another model: their numbers among this one's strings. */
static ss_status move_words(struct seed *seed, ss_err *err)
{
    if (seed->lists == &seed->strings) {
        return SS_OK;
    }
    for (size_t t = 0; t < seed->tops->n_texts; t++) {
        struct ss_describe_seed_text *text = &seed->texts[t];
        for (size_t i = 0; i < text->n_words; i++) {
            SS_RETURN_IF_ERROR(ss_describe_strings_add(
                &seed->strings, seed->lists->texts[text->words[i]], &text->words[i], err));
        }
    }
    return ss_describe_strings_embed(&seed->strings, err);
}

static ss_status pair_words(struct seed *seed, ss_err *err)
{
    const size_t width = seed->strings.embedder.width;
    for (size_t t = 0; t < seed->tops->n_texts; t++) {
        SS_RETURN_IF_ERROR(ss_describe_seed_merge(&seed->strings, &seed->texts[t], err));
    }
    SS_RETURN_IF_ERROR(ss_describe_strings_embed(&seed->strings, err));
    for (size_t t = 0; t < seed->tops->n_texts; t++) {
        ss_describe_seed_choose_pairs(&seed->strings, seed->units + t * width, &seed->texts[t]);
    }
    return SS_OK;
}

/* ---- one feature ---- */

static double score_of(double sum, double n)
{
    return sum / n * log(1 + n);
}

static ss_status add_to_sum(struct seed *seed, uint32_t string, double score, ss_err *err)
{
    for (size_t i = 0; i < seed->n_sums; i++) {
        if (seed->sums[i].string == string) {
            seed->sums[i].sum += score;
            seed->sums[i].n_texts++;
            return SS_OK;
        }
    }
    SS_GROW_OR_RETURN(seed->sums, seed->sums_room, seed->n_sums + 1);
    seed->sums[seed->n_sums] =
        (struct sum){.string = string, .n_texts = 1, .place = seed->n_sums, .sum = score};
    seed->n_sums++;
    return SS_OK;
}

static ss_status sum_terms(struct seed *seed, size_t feature, ss_err *err)
{
    seed->n_sums = 0;
    for (size_t i = seed->tops->offsets[feature]; i < seed->tops->offsets[feature + 1]; i++) {
        const struct ss_describe_seed_text *text = &seed->texts[seed->tops->list[i]];
        for (size_t k = 0; k < text->n_words; k++) {
            SS_RETURN_IF_ERROR(add_to_sum(seed, text->words[k], text->word_scores[k], err));
        }
        for (size_t k = 0; k < text->n_pairs; k++) {
            SS_RETURN_IF_ERROR(add_to_sum(seed, text->pairs[k], text->pair_scores[k], err));
        }
    }
    for (size_t i = 0; i < seed->n_sums; i++) {
        seed->sums[i].score = score_of(seed->sums[i].sum, seed->sums[i].n_texts);
    }
    return SS_OK;
}

static int by_score(const void *left, const void *right)
{
    const struct sum *a = left;
    const struct sum *b = right;
    if (a->score != b->score) {
        return a->score > b->score ? -1 : 1;
    }
    return (a->place > b->place) - (a->place < b->place);
}

/* Put what is near to sums[head] into it. */
static void gather_cluster(struct seed *seed, size_t head)
{
    const size_t width = seed->strings.embedder.width;
    const double least = variants[seed->options->variant].least_cosine;
    const float *unit = ss_describe_vector(&seed->strings, seed->sums[head].string);
    for (size_t j = head + 1; j < seed->n_sums; j++) {
        struct sum *other = &seed->sums[j];
        if (!other->is_used &&
            (double)ss_tensor_dot(unit, ss_describe_vector(&seed->strings, other->string),
                                  width) >= least) {
            seed->sums[head].sum += other->sum;
            seed->sums[head].n_texts += other->n_texts;
            other->is_used = true;
        }
    }
}

/* The sums become clusters, best first. */
static void cluster_terms(struct seed *seed)
{
    size_t n = 0;
    if (seed->n_sums > 0) {
        ss__sort(seed->sums, seed->n_sums, sizeof *seed->sums, by_score);
    }
    for (size_t i = 0; i < seed->n_sums; i++) {
        if (seed->sums[i].is_used) {
            continue;
        }
        gather_cluster(seed, i);
        seed->sums[n] = seed->sums[i];
        seed->sums[n].score = score_of(seed->sums[n].sum, seed->sums[n].n_texts);
        seed->sums[n].place = n;
        n++;
    }
    seed->n_sums = n;
    if (n > 0) {
        ss__sort(seed->sums, n, sizeof *seed->sums, by_score);
    }
}

static ss_status describe_features(struct seed *seed, struct ss_describe_terms *out,
                                   ss_err *err)
{
    const size_t n_kept = variants[seed->options->variant].n_kept;
    size_t n = 0;
    for (size_t f = 0; f < seed->tops->n_features; f++) {
        SS_RETURN_IF_ERROR(ss__check_stop(&seed->asking, err));
        SS_RETURN_IF_ERROR(sum_terms(seed, f, err));
        cluster_terms(seed);
        for (size_t i = 0; i < seed->n_sums && (n_kept == 0 || i < n_kept); i++) {
            SS_RETURN_IF_ERROR(ss_describe_terms_add(
                out, &n, seed->strings.texts[seed->sums[i].string], seed->sums[i].score, err));
        }
        out->offsets[f + 1] = n;
    }
    return SS_OK;
}

ss_status ss_describe_seed(const struct ss_describe_lists *tops,
                           const struct ss_describe_seed_options *options,
                           struct ss_describe_terms *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct seed seed = {.tops = tops, .options = options, .asking = {.stop = options->stop}};
    SS_TRY(ss_describe_terms_init(out, tops->n_features, err));
    seed.strings.embedder = options->model;
    seed.list_strings.embedder = options->list_model;
    seed.strings.stop = seed.list_strings.stop = options->stop;
    seed.strings.step = seed.list_strings.step = "keywords";
    seed.lists = options->is_one_model ? &seed.strings : &seed.list_strings;
    SS_ALLOC(seed.texts, tops->n_texts);
    SS_TRY(place_texts(&seed, &options->model, tops->embeddings, &seed.units, err));
    if (!options->is_one_model) {
        SS_TRY(place_texts(&seed, &options->list_model, NULL, &seed.list_units, err));
    }
    SS_TRY(list_words(&seed, err));
    SS_TRY(move_words(&seed, err));
    SS_TRY(pair_words(&seed, err));
    SS_TRY(describe_features(&seed, out, err));
out:
    release_seed(&seed);
    if (status != SS_OK) {
        ss_describe_terms_release(out);
    }
    return status;
}
