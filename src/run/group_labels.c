/* Labels of groups of texts (families, clusters), by the code that labels features
 * (describe/contrast.c).
 *
 * A group is made into what a feature is there: its texts are those on which it fires, with a
 * strength; texts that nearly belong to it are its misses; phrases are found on one half of
 * the evidence and scored on the other. So a name of a group is held to the same measure as a
 * label, and there is one way to be wrong. Groups are worked on in blocks, since the products
 * with all texts are most of the memory. */
#include "run/group_labels.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "encoder/encoder.h"

enum {
    DESCRIBE_TEXTS = 64,
    SCORE_TEXTS = 100,
    STRONGEST = 20,
    LABEL_PHRASES = 3,
    MISSES = 100,
    BLOCK = 16 /* groups that are named at a time: their products are most of the memory */
};

struct naming {
    const struct ss_run_groups *groups;
    struct ss_text *words;  /* [evidence.n_texts] of the pools; of others none is read */
    struct ss_sparse codes; /* of texts over groups, by row of the evidence */
    struct ss_run_group_text *texts; /* those of one group at a time, the strongest first */
    size_t *sample_offsets;          /* as in the evidence */
    uint32_t *sample_texts;
    float *sample_activations;
    size_t n_samples;
    double *rates;
    struct ss_describe_evidence evidence;
    struct ss_describe_view *view;
    struct ss_describe_terms terms;
};

/* ---- texts and their groups ---- */

static int by_row(const void *a, const void *b)
{
    const struct ss_run_group_text *x = a, *y = b;
    return x->row != y->row ? (x->row > y->row) - (x->row < y->row)
                            : (x->group > y->group) - (x->group < y->group);
}

static int by_group(const void *a, const void *b)
{
    const struct ss_run_group_text *x = a, *y = b;
    return x->group != y->group ? (x->group > y->group) - (x->group < y->group)
                                : (x->row > y->row) - (x->row < y->row);
}

static int by_strength(const void *a, const void *b)
{
    const struct ss_run_group_text *x = a, *y = b;
    return x->strength != y->strength
               ? (x->strength < y->strength) - (x->strength > y->strength)
               : (x->row > y->row) - (x->row < y->row);
}

/* One row of codes for every text of the evidence; those of no group are empty. */
static ss_status fill_codes(struct naming *naming, ss_err *err)
{
    const struct ss_run_groups *groups = naming->groups;
    struct ss_sparse *codes = &naming->codes;
    size_t n = 0, at = 0;
    codes->n_rows = groups->evidence->n_texts;
    SS_ALLOC_OR_RETURN(codes->offsets, codes->n_rows + 1);
    SS_ALLOC_OR_RETURN(codes->features, groups->n_texts);
    SS_ALLOC_OR_RETURN(codes->values, groups->n_texts);
    ss__sort(groups->texts, groups->n_texts, sizeof *groups->texts, by_row);
    for (size_t row = 0; row < codes->n_rows; row++) {
        for (; at < groups->n_texts && groups->texts[at].row == row; at++) {
            if (!groups->texts[at].is_miss) {
                codes->features[n] = groups->texts[at].group;
                codes->values[n++] = groups->texts[at].strength;
            }
        }
        codes->offsets[row + 1] = n;
    }
    return SS_OK;
}

/* ---- samples ---- */

/* Those of one kind among the n texts of a group: of a half, the strongest or the first by key,
 * up to a number. */
static void sample(struct naming *naming, const struct ss_run_group_text *by_key, size_t n,
                   ss_stats_sample_kind kind)
{
    static const struct {
        int half; /* -1: both */
        size_t most;
        bool is_miss, is_by_strength;
    } kinds[SS_STATS_N_SAMPLES] = {
        [SS_STATS_SAMPLE_TOP] = {-1, STRONGEST, false, true},
        [SS_STATS_SAMPLE_STRONGEST] = {SS_STATS_DESCRIBE, STRONGEST, false, true},
        [SS_STATS_SAMPLE_FIRING_DESCRIBE] = {SS_STATS_DESCRIBE, DESCRIBE_TEXTS, false, false},
        [SS_STATS_SAMPLE_FIRING_SCORE] = {SS_STATS_SCORE, SCORE_TEXTS, false, false},
        [SS_STATS_SAMPLE_MISS_DESCRIBE] = {SS_STATS_DESCRIBE, MISSES, true, false},
        [SS_STATS_SAMPLE_MISS_SCORE] = {SS_STATS_SCORE, MISSES, true, false},
    };
    const struct ss_run_group_text *texts = kinds[kind].is_by_strength ? naming->texts : by_key;
    for (size_t i = 0, n_taken = 0; i < n && n_taken < kinds[kind].most; i++) {
        const int half = ss_folder_evidence_half(naming->groups->evidence, texts[i].row);
        if (texts[i].is_miss == kinds[kind].is_miss &&
            (kinds[kind].half < 0 || kinds[kind].half == half)) {
            naming->sample_texts[naming->n_samples] = texts[i].row;
            naming->sample_activations[naming->n_samples++] = texts[i].strength;
            n_taken++;
        }
    }
}

static ss_status fill_samples(struct naming *naming, ss_err *err)
{
    const struct ss_run_groups *groups = naming->groups;
    const size_t most = 2 * STRONGEST + DESCRIBE_TEXTS + SCORE_TEXTS + 2 * MISSES;
    size_t n_samples = 0, n_lists = 0, begin = 0;
    if (!ss__mul(groups->n, most, &n_samples) ||
        !ss__mul(groups->n, SS_STATS_N_SAMPLES, &n_lists)) {
        return ss__fail_nomem(err, "samples");
    }
    SS_ALLOC_OR_RETURN(naming->sample_offsets, n_lists + 1);
    SS_ALLOC_OR_RETURN(naming->sample_texts, n_samples);
    SS_ALLOC_OR_RETURN(naming->sample_activations, n_samples);
    SS_ALLOC_OR_RETURN(naming->rates, groups->n);
    SS_ALLOC_OR_RETURN(naming->texts, groups->n_texts);
    ss__sort(groups->texts, groups->n_texts, sizeof *groups->texts, by_group);
    const size_t n_pool = groups->evidence->n_pool[0] + groups->evidence->n_pool[1];
    for (size_t g = 0; g < groups->n; g++) {
        size_t n = 0, n_members = 0;
        for (; begin + n < groups->n_texts && groups->texts[begin + n].group == g; n++) {
            n_members += !groups->texts[begin + n].is_miss;
        }
        memcpy(naming->texts, groups->texts + begin, n * sizeof *naming->texts);
        ss__sort(naming->texts, n, sizeof *naming->texts, by_strength);
        for (size_t kind = 0; kind < SS_STATS_N_SAMPLES; kind++) {
            sample(naming, groups->texts + begin, n, (ss_stats_sample_kind)kind);
            naming->sample_offsets[g * SS_STATS_N_SAMPLES + kind + 1] = naming->n_samples;
        }
        naming->rates[g] = (double)n_members / (double)n_pool;
        begin += n;
    }
    return SS_OK;
}

/* ---- the answer ---- */

static ss_status embed(void *user, const struct ss_text *texts, size_t n, float *out,
                       ss_err *err)
{
    const struct ss_run_groups *groups = user;
    return ss_encoder_embed(groups->encoder, groups->work, texts, n, out, NULL, err);
}

/* No group has a text outside the pools: those in between are empty, those at the end left
 * out. */
static ss_status show_texts(struct naming *naming, ss_err *err)
{
    const struct ss_folder_evidence *evidence = naming->groups->evidence;
    SS_ALLOC_OR_RETURN(naming->words, evidence->n_texts);
    for (size_t row = 0; row < evidence->n_texts; row++) {
        const int half = ss_folder_evidence_half(evidence, row);
        naming->words[row] = row < evidence->first[half] + evidence->n_pool[half]
                                 ? evidence->texts[row]
                                 : (struct ss_text){"", 0};
    }
    return SS_OK;
}

static ss_status open_view(struct naming *naming, ss_err *err)
{
    const struct ss_folder_evidence *evidence = naming->groups->evidence;
    const size_t n_texts = evidence->first[SS_STATS_SCORE] + evidence->n_pool[SS_STATS_SCORE];
    SS_RETURN_IF_ERROR(show_texts(naming, err));
    SS_RETURN_IF_ERROR(fill_codes(naming, err));
    SS_RETURN_IF_ERROR(fill_samples(naming, err));
    naming->evidence = (struct ss_describe_evidence){
        .n_features = naming->groups->n,
        .width = evidence->width,
        .n_texts = n_texts,
        .texts = naming->words,
        .embeddings = evidence->embeddings,
        .codes = &naming->codes,
        .first = {evidence->first[0], evidence->first[1], n_texts},
        .n_pool = {evidence->n_pool[0], evidence->n_pool[1]},
        .sample_offsets = naming->sample_offsets,
        .sample_texts = naming->sample_texts,
        .sample_activations = naming->sample_activations,
        .rates = naming->rates,
    };
    return ss_describe_view_new(&naming->evidence, naming->groups->work, &naming->view, err);
}

static void close_naming(struct naming *naming)
{
    ss_describe_terms_release(&naming->terms);
    ss_describe_view_free(naming->view);
    ss_sparse_release(&naming->codes);
    ss__free(naming->words);
    ss__free(naming->texts);
    ss__free(naming->sample_offsets);
    ss__free(naming->sample_texts);
    ss__free(naming->sample_activations);
    ss__free(naming->rates);
}

ss_status ss_run_groups_label(struct ss_run_groups *groups, struct ss_text *labels,
                              struct ss_describe_score *scores, ss_err *err)
{
    ss_status status = SS_OK;
    struct naming naming = {.groups = groups};
    const struct ss_describe_embedder embedder = {embed, groups, groups->evidence->width};
    const struct ss_describe_contrast_options contrast = {.embedder = embedder,
                                                          .n_block = BLOCK,
                                                          .stop = groups->stop,
                                                          .step = "names",
                                                          .unit = groups->unit};
    const struct ss_describe_score_options scoring = {.embedder = embedder,
                                                      .stop = groups->stop};
    SS_TRY(open_view(&naming, err));
    SS_TRY(ss_describe_contrast(naming.view, &contrast, &naming.terms, err));
    SS_TRY(ss_describe_join(&naming.terms, LABEL_PHRASES, groups->arena, labels, err));
    SS_TRY(ss_describe_score(naming.view, labels, &scoring, scores, err));
out:
    close_naming(&naming);
    return status;
}
