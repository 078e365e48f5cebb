/* Names of clusters. A text belongs to the cluster whose centre is nearest to it, as features
 * see texts; so clusters are to their texts what features are to those on which they fire, and
 * labels by contrast and their scores are made by the same code, from texts of the one half and
 * on those of the other. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "run/descriptions.h"
#include "run/map_step.h"

enum {
    DESCRIBE_TEXTS = 64,
    SCORE_TEXTS = 100,
    STRONGEST = 20,
    LABEL_PHRASES = 3,
    MISSES = 100,
    BLOCK = 16 /* clusters that are named at a time: their products are most of the memory */
};

/* ---- by the features ---- */

/* The label of the feature nearest to the centre among those that have one. */
static void label_by_features(struct ss_run_map *map)
{
    for (size_t c = 0; c < map->n_clusters; c++) {
        double best = -2;
        for (size_t i = 0; i < map->features.n; i++) {
            const struct ss_text label = ss_run_map_feature_label(map, map->ids[i]);
            const double cosine = map->features.of[i] != (int32_t)c || label.n_bytes == 0
                                      ? -2
                                      : ss_graph_dot(map->features.x + i * map->width,
                                                     map->centres + c * map->width, map->width);
            if (cosine > best) {
                best = cosine;
                map->clusters[c].label = label;
                map->clusters[c].is_from_feature = true;
            }
        }
    }
}

/* ---- by contrast ---- */

/* A text of the pools as clusters have it. */
struct belonging {
    uint32_t row;
    int32_t cluster, second; /* the nearest centre and the next; -1: none */
    float cosine;            /* with the nearest, from 0 … 2 */
};

struct naming {
    struct ss_run_map *map;
    const ss_encoder *encoder;
    struct belonging *texts;  /* [n] by row */
    struct belonging *sorted; /* [n] the strongest first */
    size_t n;
    struct ss_text *words;  /* [evidence.n_texts] of the pools; of others nothing is read */
    struct ss_sparse codes; /* of the pools' texts over clusters, by row of the evidence */
    size_t *sample_offsets; /* as in the evidence */
    uint32_t *sample_texts;
    float *sample_activations;
    double *rates;
    struct ss_describe_evidence evidence;
    struct ss_describe_view *view;
    struct ss_describe_terms terms;
};

static void find_belonging(const struct ss_run_map *map, double *x, struct belonging *out)
{
    double first = -2, second = -2;
    ss_run_map_centre(map, map->evidence.embeddings + out->row * map->width, x);
    out->cluster = out->second = -1;
    for (size_t c = 0; c < map->n_clusters; c++) {
        const double cosine = ss_graph_dot(x, map->centres + c * map->width, map->width);
        if (cosine > first) {
            second = first;
            out->second = out->cluster;
            first = cosine;
            out->cluster = (int32_t)c;
        } else if (cosine > second) {
            second = cosine;
            out->second = (int32_t)c;
        }
    }
    out->cosine = (float)(first + 1);
}

static int by_cosine(const void *a, const void *b)
{
    const struct belonging *x = a;
    const struct belonging *y = b;
    if (x->cosine != y->cosine) {
        return x->cosine > y->cosine ? -1 : 1;
    }
    return x->row < y->row ? -1 : x->row > y->row;
}

/* One row of codes for every text of the evidence, empty outside the pools. */
static ss_status fill_codes(struct naming *naming, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_run_evidence *evidence = &naming->map->evidence;
    struct ss_sparse *codes = &naming->codes;
    double *x = NULL;
    size_t n_pool = evidence->n_pool[0] + evidence->n_pool[1];
    SS_ALLOC(x, naming->map->width);
    SS_ALLOC(naming->texts, n_pool);
    SS_ALLOC(naming->sorted, n_pool);
    SS_ALLOC(codes->offsets, evidence->n_texts + 1);
    SS_ALLOC(codes->features, n_pool);
    SS_ALLOC(codes->values, n_pool);
    codes->n_rows = evidence->n_texts;
    for (size_t row = 0, n = 0; row < evidence->n_texts; row++) {
        const int half = ss_run_evidence_half(evidence, row);
        if (row < evidence->first[half] + evidence->n_pool[half]) {
            struct belonging *text = &naming->texts[naming->n++];
            text->row = (uint32_t)row;
            find_belonging(naming->map, x, text);
            if (text->cluster >= 0 && text->cosine > 0) {
                codes->features[n] = (uint32_t)text->cluster;
                codes->values[n++] = text->cosine;
            }
        }
        codes->offsets[row + 1] = n;
    }
    memcpy(naming->sorted, naming->texts, naming->n * sizeof *naming->sorted);
    qsort(naming->sorted, naming->n, sizeof *naming->sorted, by_cosine);
out:
    ss__free(x);
    return status;
}

static void add_sample(struct naming *naming, size_t *n, const struct belonging *text)
{
    naming->sample_texts[*n] = text->row;
    naming->sample_activations[(*n)++] = text->cosine;
}

/* The samples of one kind: texts of the cluster (or whose second nearest it is) and of the half,
 * the strongest or the first by key, up to a number. */
static void sample(struct naming *naming, size_t cluster, ss_stats_sample_kind kind, size_t *n)
{
    static const struct {
        int half; /* -1: both */
        size_t most;
        bool is_second, is_by_strength;
    } kinds[SS_STATS_N_SAMPLES] = {
        [SS_STATS_SAMPLE_TOP] = {-1, STRONGEST, false, true},
        [SS_STATS_SAMPLE_STRONGEST] = {SS_STATS_DESCRIBE, STRONGEST, false, true},
        [SS_STATS_SAMPLE_FIRING_DESCRIBE] = {SS_STATS_DESCRIBE, DESCRIBE_TEXTS, false, false},
        [SS_STATS_SAMPLE_FIRING_SCORE] = {SS_STATS_SCORE, SCORE_TEXTS, false, false},
        [SS_STATS_SAMPLE_MISS_DESCRIBE] = {SS_STATS_DESCRIBE, MISSES, true, false},
        [SS_STATS_SAMPLE_MISS_SCORE] = {SS_STATS_SCORE, MISSES, true, false},
    };
    const struct belonging *texts = kinds[kind].is_by_strength ? naming->sorted : naming->texts;
    size_t n_taken = 0;
    for (size_t i = 0; i < naming->n && n_taken < kinds[kind].most; i++) {
        const struct belonging *text = &texts[i];
        const int half = ss_run_evidence_half(&naming->map->evidence, text->row);
        const int32_t of = kinds[kind].is_second ? text->second : text->cluster;
        if (of == (int32_t)cluster && (kinds[kind].half < 0 || kinds[kind].half == half)) {
            add_sample(naming, n, text);
            n_taken++;
        }
    }
}

static ss_status fill_samples(struct naming *naming, ss_err *err)
{
    const size_t n_clusters = naming->map->n_clusters;
    const size_t n_lists = n_clusters * SS_STATS_N_SAMPLES;
    const size_t most = 2 * STRONGEST + DESCRIBE_TEXTS + SCORE_TEXTS + 2 * MISSES;
    size_t n = 0;
    SS_ALLOC_OR_RETURN(naming->sample_offsets, n_lists + 1);
    SS_ALLOC_OR_RETURN(naming->sample_texts, n_clusters * most);
    SS_ALLOC_OR_RETURN(naming->sample_activations, n_clusters * most);
    SS_ALLOC_OR_RETURN(naming->rates, n_clusters);
    for (size_t i = 0; i < n_lists; i++) {
        sample(naming, i / SS_STATS_N_SAMPLES, (ss_stats_sample_kind)(i % SS_STATS_N_SAMPLES),
               &n);
        naming->sample_offsets[i + 1] = n;
    }
    for (size_t c = 0; c < n_clusters; c++) {
        naming->rates[c] = (double)naming->map->clusters[c].n_texts / (double)naming->n;
    }
    return SS_OK;
}

static ss_status embed(void *user, const struct ss_text *texts, size_t n, float *out,
                       ss_err *err)
{
    const struct naming *naming = user;
    return ss_encoder_embed(naming->encoder, naming->map->work, texts, n, out, NULL, err);
}

/* No cluster has a text outside the pools: those in between are empty, those at the end left
 * out. */
static ss_status show_texts(struct naming *naming, ss_err *err)
{
    const struct ss_run_evidence *evidence = &naming->map->evidence;
    SS_ALLOC_OR_RETURN(naming->words, evidence->n_texts);
    for (size_t row = 0; row < evidence->n_texts; row++) {
        const int half = ss_run_evidence_half(evidence, row);
        naming->words[row] = row < evidence->first[half] + evidence->n_pool[half]
                                 ? evidence->texts[row]
                                 : (struct ss_text){"", 0};
    }
    return SS_OK;
}

static ss_status open_view(struct naming *naming, ss_err *err)
{
    const struct ss_run_evidence *evidence = &naming->map->evidence;
    const size_t n_texts = evidence->first[SS_STATS_SCORE] + evidence->n_pool[SS_STATS_SCORE];
    SS_RETURN_IF_ERROR(show_texts(naming, err));
    SS_RETURN_IF_ERROR(fill_codes(naming, err));
    SS_RETURN_IF_ERROR(fill_samples(naming, err));
    naming->evidence = (struct ss_describe_evidence){
        .n_features = naming->map->n_clusters,
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
    return ss_describe_view_new(&naming->evidence, naming->map->work, &naming->view, err);
}

static ss_status label_by_contrast(struct naming *naming, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run_map *map = naming->map;
    const struct ss_describe_embedder embedder = {embed, naming, map->width};
    const struct ss_describe_contrast_options contrast = {.embedder = embedder,
                                                          .n_block = BLOCK,
                                                          .stop = map->options->progress,
                                                          .step = "names",
                                                          .unit = "cluster"};
    const struct ss_describe_score_options scoring = {.embedder = embedder,
                                                      .stop = map->options->progress};
    struct ss_text *labels = NULL;
    struct ss_describe_score *scores = NULL;
    SS_ALLOC(labels, map->n_clusters);
    SS_ALLOC(scores, map->n_clusters);
    SS_TRY(ss_describe_contrast(naming->view, &contrast, &naming->terms, err));
    SS_TRY(ss_describe_join(&naming->terms, LABEL_PHRASES, &map->arena, labels, err));
    SS_TRY(ss_describe_score(naming->view, labels, &scoring, scores, err));
    for (size_t c = 0; c < map->n_clusters; c++) {
        map->clusters[c].label = labels[c];
        map->clusters[c].score = scores[c];
    }
out:
    ss__free(labels);
    ss__free(scores);
    return status;
}

static void close_naming(struct naming *naming)
{
    ss_describe_terms_release(&naming->terms);
    ss_describe_view_free(naming->view);
    ss_sparse_release(&naming->codes);
    ss__free(naming->texts);
    ss__free(naming->words);
    ss__free(naming->sorted);
    ss__free(naming->sample_offsets);
    ss__free(naming->sample_texts);
    ss__free(naming->sample_activations);
    ss__free(naming->rates);
}

ss_status ss_run_map_label(struct ss_run_map *map, ss_err *err)
{
    ss_status status = SS_OK;
    struct naming naming = {.map = map, .encoder = map->encoder};
    for (size_t c = 0; c < map->n_clusters; c++) {
        ss_describe_score_clear(&map->clusters[c].score, SS_DESCRIBE_NO_LABEL);
    }
    if (map->n_clusters == 0) {
        return SS_OK;
    }
    if (map->encoder == NULL || map->texts.n == 0 || !map->evidence.has_texts ||
        map->options->no_labels) {
        label_by_features(map);
        return SS_OK;
    }
    SS_TRY(open_view(&naming, err));
    SS_TRY(label_by_contrast(&naming, err));
out:
    close_naming(&naming);
    return status;
}
