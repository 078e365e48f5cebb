/* How well a label tells texts on which its feature fires from texts on which it does not, on
 * the half of the texts that it was not made from. */
#include <math.h>
#include <string.h>

#include "base/stop.h"
#include "describe/corpus.h"
#include "describe/probe.h"
#include "describe/sentences.h"
#include "tensor/tensor.h"

/* ---- names ---- */

static const char *const negatives_names[] = {
    [SS_DESCRIBE_RANDOM] = "random", [SS_DESCRIBE_NEAR] = "near", [SS_DESCRIBE_MISS] = "miss"};

const char *ss_describe_negatives_name(ss_describe_negatives kind)
{
    return kind < SS_DESCRIBE_N_NEGATIVES ? negatives_names[kind] : "";
}

static const char *const verdict_names[] = {
    [SS_DESCRIBE_SHARP] = "sharp",       [SS_DESCRIBE_TOPICAL] = "topical",
    [SS_DESCRIBE_WEAK] = "weak",         [SS_DESCRIBE_CHANCE] = "chance",
    [SS_DESCRIBE_TOO_FEW] = "too few",   [SS_DESCRIBE_NO_LABEL] = "no label",
    [SS_DESCRIBE_UNSCORED] = "unscored",
};

const char *ss_describe_verdict_name(ss_describe_verdict verdict)
{
    return verdict < SS_DESCRIBE_N_VERDICTS ? verdict_names[verdict] : "";
}

static const double sharp_low = 0.9;
static const double sharp_near = 0.7;
static const double topical_low = 0.75;

static ss_describe_verdict judge(const struct ss_describe_score *score)
{
    const struct ss_describe_auc *random = &score->auc[SS_DESCRIBE_RANDOM];
    const struct ss_describe_auc *near = &score->auc[SS_DESCRIBE_NEAR];
    if (random->n_negatives < SS_DESCRIBE_MIN_NEGATIVES) {
        return SS_DESCRIBE_TOO_FEW;
    }
    if (random->interval.low >= sharp_low && near->n_negatives >= SS_DESCRIBE_MIN_NEGATIVES &&
        near->value >= sharp_near) {
        return SS_DESCRIBE_SHARP;
    }
    if (random->interval.low >= topical_low) {
        return SS_DESCRIBE_TOPICAL;
    }
    return random->interval.low > 0.5 ? SS_DESCRIBE_WEAK : SS_DESCRIBE_CHANCE;
}

/* ---- the work ---- */

/* A thread's own. */
struct scratch {
    struct ss_describe_sets sets;
    float *label;     /* [width] */
    float *of_texts;  /* [texts of the sets] similarities */
    float *of_others; /* the same */
    float *of_rows;   /* the same, in the order of the rows */
    double *solving;  /* [2, width] */
    ss_status status;
    ss_err err;
};

struct scoring {
    const struct ss_describe_view *view;
    const struct ss_describe_score_options *options;
    const struct ss_text *labels;
    struct ss_describe_strings strings;
    uint32_t *numbers; /* [n_features] of strings; SS_DESCRIBE_NO_STRING: no label */
    struct ss_describe_corpus corpus;
    struct ss_describe_probe probe;
    bool has_probe;
    uint32_t *tested;        /* [n_features, SS_DESCRIBE_SENTENCE_TEXTS] rows; NULL: none are */
    struct scratch *scratch; /* [threads] */
    size_t n_threads;
    size_t first; /* of the features that are scored at once */
    struct ss_describe_score *scores;
};

static const float *vector_of_text(const struct scoring *scoring, uint32_t row, bool is_plain)
{
    const struct ss_describe_view *view = scoring->view;
    const float *all = is_plain ? view->evidence->embeddings : view->centred;
    return all + row * view->evidence->width;
}

/* Similarities of a set with a vector of length 1, in the order of its rows. */
static void compare_set(const struct scoring *scoring, const struct ss_describe_set *set,
                        const float *vector, float *out)
{
    const struct ss_describe_view *view = scoring->view;
    const bool is_plain = scoring->options->is_plain;
    for (size_t i = 0; i < set->n; i++) {
        const uint32_t row = set->rows[i];
        const float product = ss_tensor_dot(vector_of_text(scoring, row, is_plain), vector,
                                            view->evidence->width);
        out[i] = is_plain ? product / view->lengths[row] : product;
    }
}

/* The same with a vector that multiplies embeddings as they are. */
static void project_set(const struct scoring *scoring, const struct ss_describe_set *set,
                        const float *w, float *out)
{
    const size_t width = scoring->view->evidence->width;
    for (size_t i = 0; i < set->n; i++) {
        out[i] =
            ss_tensor_dot(scoring->view->evidence->embeddings + set->rows[i] * width, w, width);
    }
}

static void place_vector(const struct scoring *scoring, const float *x, float *out)
{
    if (scoring->options->is_plain) {
        ss_describe_normalize(x, scoring->view->evidence->width, out);
    } else {
        ss_describe_centre(scoring->view, x, out);
    }
}

/* ---- measures of one label ---- */

/* Areas against the kinds of negatives; leaves the positives' similarities sorted in of_texts,
 * those of random negatives in of_others. */
static void score_areas(const struct scoring *scoring, struct scratch *scratch,
                        struct ss_describe_score *score)
{
    const struct ss_describe_sets *sets = &scratch->sets;
    for (int kind = SS_DESCRIBE_N_NEGATIVES - 1; kind >= 0; kind--) {
        const struct ss_describe_set *negatives = &sets->negatives[SS_STATS_SCORE][kind];
        score->auc[kind] = (struct ss_describe_auc){.value = NAN,
                                                    .se = NAN,
                                                    .interval = {NAN, NAN},
                                                    .n_positives = sets->positives.n,
                                                    .n_negatives = negatives->n};
        compare_set(scoring, &sets->positives, scratch->label, scratch->of_texts);
        compare_set(scoring, negatives, scratch->label, scratch->of_others);
        if (negatives->n >= SS_DESCRIBE_MIN_NEGATIVES) {
            score->auc[kind] = ss_describe_auc_of(scratch->of_texts, sets->positives.n,
                                                  scratch->of_others, negatives->n);
        }
    }
}

/* Detection with a threshold from the describe half. Needs what score_areas left. */
static void score_detection(const struct scoring *scoring, struct scratch *scratch, double rate,
                            struct ss_describe_score *score)
{
    const struct ss_describe_sets *sets = &scratch->sets;
    const size_t n_positives = sets->positives.n;
    const size_t n_random = sets->negatives[SS_STATS_SCORE][SS_DESCRIBE_RANDOM].n;
    const struct ss_describe_set *idle =
        &sets->negatives[SS_STATS_DESCRIBE][SS_DESCRIBE_RANDOM];
    if (sets->describe.n == 0 || idle->n == 0) {
        return;
    }
    float *describing = scratch->of_rows;
    float *others = scratch->of_rows + sets->describe.n;
    compare_set(scoring, &sets->describe, scratch->label, describing);
    compare_set(scoring, idle, scratch->label, others);
    ss_describe_sort(describing, sets->describe.n);
    ss_describe_sort(others, idle->n);
    score->describe_auc = ss_describe_area(describing, sets->describe.n, others, idle->n);
    score->threshold = ss_describe_threshold(describing, sets->describe.n, others, idle->n);
    score->tpr = ss_describe_share_of(
        ss_describe_count_from(scratch->of_texts, n_positives, score->threshold), n_positives);
    score->fpr = ss_describe_share_of(
        ss_describe_count_from(scratch->of_others, n_random, score->threshold), n_random);
    const double tpr = score->tpr.value;
    const double fpr = score->fpr.value;
    const double found = tpr * rate + fpr * (1 - rate);
    score->balanced_accuracy = (tpr + 1 - fpr) / 2;
    score->f1 = 2 * tpr / (1 + tpr + fpr);
    score->precision = found > 0 ? tpr * rate / found : NAN;
}

/* TPR in ten equal parts of the positives by rising activation, and the rank correlation. */
static ss_status score_strength(const struct scoring *scoring, struct scratch *scratch,
                                struct ss_describe_score *score, ss_err *err)
{
    const struct ss_describe_set *positives = &scratch->sets.positives;
    const size_t n = positives->n;
    float *sorted = scratch->of_others;
    float *similarities = scratch->of_rows;
    compare_set(scoring, positives, scratch->label, similarities);
    SS_RETURN_IF_ERROR(ss_describe_spearman(similarities, scratch->sets.activations, n,
                                            &score->strength, err));
    memcpy(sorted, scratch->sets.activations, n * sizeof *sorted);
    ss_describe_sort(sorted, n);
    for (size_t d = 0; d < SS_DESCRIBE_DECILES; d++) {
        const size_t begin = d * n / SS_DESCRIBE_DECILES;
        const size_t end = (d + 1) * n / SS_DESCRIBE_DECILES;
        size_t n_in = 0;
        size_t n_found = 0;
        for (size_t i = 0; i < n; i++) {
            /* equal activations fall together into the part that begins with them */
            const float a = scratch->sets.activations[i];
            const bool is_in = a >= sorted[begin] && (end == n || a < sorted[end]);
            n_in += is_in;
            n_found += is_in && similarities[i] >= score->threshold;
        }
        score->deciles[d] = n_in == 0 ? NAN : (double)n_found / (double)n_in;
    }
    return SS_OK;
}

/* ---- words of the label in the texts ---- */

enum { MAX_PARTS = 8, MAX_PART_WORDS = 12 };

struct parts {
    uint32_t words[MAX_PARTS][MAX_PART_WORDS];
    size_t n_words[MAX_PARTS];
    size_t n;
};

static ss_status find_parts(const struct scoring *scoring, struct ss_text label,
                            struct parts *parts, ss_err *err)
{
    size_t begin = 0;
    parts->n = 0;
    while (begin < label.n_bytes && parts->n < MAX_PARTS) {
        const char *comma = memchr(label.data + begin, ',', label.n_bytes - begin);
        const size_t end = comma == NULL ? label.n_bytes : (size_t)(comma - label.data);
        bool is_known = false;
        SS_RETURN_IF_ERROR(ss_describe_corpus_find(
            &scoring->corpus, (struct ss_text){label.data + begin, end - begin},
            parts->words[parts->n], MAX_PART_WORDS, &parts->n_words[parts->n], &is_known, err));
        parts->n += is_known;
        begin = end + 1;
    }
    return SS_OK;
}

static double share_with(const struct scoring *scoring, const struct parts *parts,
                         const struct ss_describe_set *set)
{
    size_t n_with = 0;
    for (size_t i = 0; i < set->n; i++) {
        bool is_with = false;
        for (size_t p = 0; p < parts->n && !is_with; p++) {
            is_with = ss_describe_text_holds(&scoring->corpus, set->rows[i], parts->words[p],
                                             parts->n_words[p]);
        }
        n_with += is_with;
    }
    return set->n == 0 ? NAN : (double)n_with / (double)set->n;
}

static ss_status score_coverage(const struct scoring *scoring, const struct scratch *scratch,
                                struct ss_text label, struct ss_describe_score *score,
                                ss_err *err)
{
    struct parts parts;
    const struct ss_describe_set *random =
        &scratch->sets.negatives[SS_STATS_SCORE][SS_DESCRIBE_RANDOM];
    SS_RETURN_IF_ERROR(find_parts(scoring, label, &parts, err));
    score->coverage = share_with(scoring, &parts, &scratch->sets.positives);
    score->coverage_random = share_with(scoring, &parts, random);
    if (score->coverage_random > 0) {
        score->lift = score->coverage / score->coverage_random;
    }
    return SS_OK;
}

/* ---- ceilings ---- */

static void score_ceilings(const struct scoring *scoring, struct scratch *scratch,
                           struct ss_describe_score *score)
{
    const struct ss_describe_sets *sets = &scratch->sets;
    float *vector = scratch->label;
    for (int is_probe = 0; is_probe <= (int)scoring->has_probe; is_probe++) {
        if (is_probe) {
            ss_describe_probe_fit(&scoring->probe, scoring->view, sets, scratch->solving,
                                  vector);
        } else {
            place_vector(scoring, sets->centroid, vector);
        }
        void (*const compare)(const struct scoring *, const struct ss_describe_set *,
                              const float *, float *) = is_probe ? project_set : compare_set;
        double *areas = is_probe ? score->ceiling_probe : score->ceiling_mean;
        compare(scoring, &sets->positives, vector, scratch->of_texts);
        ss_describe_sort(scratch->of_texts, sets->positives.n);
        for (int kind = 0; kind < SS_DESCRIBE_N_NEGATIVES; kind++) {
            const struct ss_describe_set *negatives = &sets->negatives[SS_STATS_SCORE][kind];
            if (negatives->n >= SS_DESCRIBE_MIN_NEGATIVES && sets->describe.n > 0) {
                compare(scoring, negatives, vector, scratch->of_others);
                ss_describe_sort(scratch->of_others, negatives->n);
                areas[kind] = ss_describe_area(scratch->of_texts, sets->positives.n,
                                               scratch->of_others, negatives->n);
            }
        }
    }
}

/* ---- sentences ---- */

/* Note which texts the sentence test takes: the first positives by key. */
static void note_tested(const struct scoring *scoring, size_t feature,
                        const struct ss_describe_set *positives)
{
    uint32_t *tested = scoring->tested + feature * SS_DESCRIBE_SENTENCE_TEXTS;
    for (size_t i = 0; i < positives->n && i < SS_DESCRIBE_SENTENCE_TEXTS; i++) {
        tested[i] = positives->rows[i];
    }
}

static void place_sentence(const void *context, const float *x, float *out)
{
    place_vector(context, x, out);
}

static void place_label(const void *context, size_t feature, float *out)
{
    const struct scoring *scoring = context;
    place_vector(scoring, ss_describe_vector(&scoring->strings, scoring->numbers[feature]),
                 out);
}

static ss_status test_sentences(const struct scoring *scoring, ss_err *err)
{
    const struct ss_describe_evidence *evidence = scoring->view->evidence;
    const struct ss_describe_score_options *options = scoring->options;
    const struct ss_describe_sentence_job job = {
        .texts = evidence->texts,
        .n_texts = evidence->n_texts,
        .n_features = evidence->n_features,
        .width = evidence->width,
        .texts_of = scoring->tested,
        .embedder = options->sentence_embedder.embed == NULL ? &options->embedder
                                                             : &options->sentence_embedder,
        .answers = options->answers,
        .place = place_sentence,
        .place_label = place_label,
        .context = scoring,
        .stop = options->stop};
    return scoring->tested == NULL ? SS_OK
                                   : ss_describe_test_sentences(&job, scoring->scores, err);
}

/* ---- one feature ---- */

void ss_describe_score_clear(struct ss_describe_score *score, ss_describe_verdict verdict)
{
    *score = (struct ss_describe_score){.verdict = verdict,
                                        .threshold = NAN,
                                        .tpr = {.value = NAN},
                                        .fpr = {.value = NAN},
                                        .balanced_accuracy = NAN,
                                        .f1 = NAN,
                                        .precision = NAN,
                                        .coverage = NAN,
                                        .coverage_random = NAN,
                                        .lift = NAN,
                                        .strength = NAN,
                                        .describe_auc = NAN,
                                        .sentences = {.value = NAN}};
    for (int kind = 0; kind < SS_DESCRIBE_N_NEGATIVES; kind++) {
        score->auc[kind].value = score->auc[kind].se = NAN;
        score->auc[kind].interval = (struct ss_describe_interval){NAN, NAN};
        score->ceiling_mean[kind] = score->ceiling_probe[kind] = NAN;
    }
    for (int d = 0; d < SS_DESCRIBE_DECILES; d++) {
        score->deciles[d] = NAN;
    }
}

static ss_status score_feature(const struct scoring *scoring, size_t feature,
                               struct scratch *scratch, ss_err *err)
{
    struct ss_describe_score *score = &scoring->scores[feature];
    const struct ss_describe_evidence *evidence = scoring->view->evidence;
    const uint32_t number = scoring->numbers[feature];
    ss_describe_score_clear(score, SS_DESCRIBE_NO_LABEL);
    ss_describe_sets_fill(&scratch->sets, scoring->view, feature,
                          scoring->options->without_tops);
    score->n_positives = scratch->sets.positives.n;
    for (int kind = 0; kind < SS_DESCRIBE_N_NEGATIVES; kind++) {
        score->auc[kind].n_positives = score->n_positives;
        score->auc[kind].n_negatives = scratch->sets.negatives[SS_STATS_SCORE][kind].n;
    }
    if (score->n_positives < SS_DESCRIBE_MIN_POSITIVES ||
        score->auc[SS_DESCRIBE_RANDOM].n_negatives < SS_DESCRIBE_MIN_NEGATIVES) {
        score->verdict = SS_DESCRIBE_TOO_FEW;
        return SS_OK;
    }
    if (number == SS_DESCRIBE_NO_STRING) {
        return SS_OK;
    }
    place_vector(scoring, ss_describe_vector(&scoring->strings, number), scratch->label);
    score_areas(scoring, scratch, score);
    score_detection(scoring, scratch, evidence->rates[feature], score);
    SS_RETURN_IF_ERROR(score_strength(scoring, scratch, score, err));
    SS_RETURN_IF_ERROR(score_coverage(scoring, scratch, scoring->labels[feature], score, err));
    score_ceilings(scoring, scratch, score);
    if (scoring->tested != NULL) {
        note_tested(scoring, feature, &scratch->sets.positives);
    }
    score->verdict = judge(score);
    return SS_OK;
}

/* Features of a run of the threads, between which progress is told. */
enum { SCORED_AT_ONCE = 64 };

static void score_one(void *context, size_t index, size_t worker)
{
    const struct scoring *scoring = context;
    const size_t feature = scoring->first + index;
    struct scratch *scratch = &scoring->scratch[worker];
    if (scratch->status == SS_OK) {
        scratch->status = score_feature(scoring, feature, scratch, &scratch->err);
    }
}

static ss_status score_all(struct scoring *scoring, ss_err *err)
{
    const size_t n = scoring->view->evidence->n_features;
    struct ss__step step;
    ss__step_begin(&step, scoring->options->stop, "scores", "feature");
    for (size_t n_done = 0; n_done < n; scoring->first = n_done) {
        const size_t n_next = ss__min_size(SCORED_AT_ONCE, n - n_done);
        ss__pool_run(scoring->view->pool, n_next, score_one, scoring);
        SS_RETURN_IF_ERROR(ss__pool_check(scoring->view->pool, err));
        n_done += n_next;
        SS_RETURN_IF_ERROR(ss__step_tell(&step, n_done, n, err));
    }
    return SS_OK;
}

/* ---- all ---- */

static ss_status init_scratch(struct scoring *scoring, ss_err *err)
{
    const size_t width = scoring->view->evidence->width;
    scoring->n_threads = ss__pool_n_threads(scoring->view->pool);
    SS_ALLOC_OR_RETURN(scoring->scratch, scoring->n_threads);
    for (size_t i = 0; i < scoring->n_threads; i++) {
        struct scratch *scratch = &scoring->scratch[i];
        SS_RETURN_IF_ERROR(ss_describe_sets_init(&scratch->sets, scoring->view, err));
        const size_t n = scratch->sets.n_rows;
        SS_ALLOC_OR_RETURN(scratch->label, width);
        SS_ALLOC_OR_RETURN(scratch->of_texts, n);
        SS_ALLOC_OR_RETURN(scratch->of_others, n);
        SS_ALLOC_OR_RETURN(scratch->of_rows, n);
        SS_ALLOC_OR_RETURN(scratch->solving, 2 * width);
    }
    return SS_OK;
}

static void release_scoring(struct scoring *scoring)
{
    for (size_t i = 0; scoring->scratch != NULL && i < scoring->n_threads; i++) {
        struct scratch *scratch = &scoring->scratch[i];
        ss_describe_sets_release(&scratch->sets);
        ss__free(scratch->label);
        ss__free(scratch->of_texts);
        ss__free(scratch->of_others);
        ss__free(scratch->of_rows);
        ss__free(scratch->solving);
    }
    ss__free(scoring->scratch);
    ss__free(scoring->numbers);
    ss__free(scoring->tested);
    ss_describe_strings_release(&scoring->strings);
    ss_describe_corpus_release(&scoring->corpus);
    ss_describe_probe_release(&scoring->probe);
}

static ss_status embed_labels(struct scoring *scoring, ss_err *err)
{
    const size_t n = scoring->view->evidence->n_features;
    SS_ALLOC_OR_RETURN(scoring->numbers, n);
    for (size_t f = 0; f < n; f++) {
        scoring->numbers[f] = SS_DESCRIBE_NO_STRING;
        if (scoring->labels[f].n_bytes > 0) {
            SS_RETURN_IF_ERROR(ss_describe_strings_add(&scoring->strings, scoring->labels[f],
                                                       &scoring->numbers[f], err));
        }
    }
    return ss_describe_strings_embed(&scoring->strings, err);
}

ss_status ss_describe_score(const struct ss_describe_view *view, const struct ss_text *labels,
                            const struct ss_describe_score_options *options,
                            struct ss_describe_score *scores, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_describe_evidence *evidence = view->evidence;
    struct scoring scoring = {
        .view = view, .options = options, .labels = labels, .scores = scores};
    scoring.strings = (struct ss_describe_strings){
        .embedder = options->embedder, .stop = options->stop, .keeps_lengths = true};
    SS_TRY(init_scratch(&scoring, err));
    SS_TRY(embed_labels(&scoring, err));
    SS_TRY(ss_describe_corpus_init(&scoring.corpus, evidence->texts, evidence->n_texts, err));
    scoring.has_probe = options->with_probe && evidence->width <= SS_DESCRIBE_PROBE_MAX_WIDTH;
    if (scoring.has_probe) {
        SS_TRY(ss_describe_probe_init(&scoring.probe, view, err));
    }
    if (options->answers != NULL) {
        SS_ALLOC(scoring.tested, evidence->n_features * SS_DESCRIBE_SENTENCE_TEXTS);
        memset(scoring.tested, 0xFF,
               evidence->n_features * SS_DESCRIBE_SENTENCE_TEXTS * sizeof *scoring.tested);
    }
    SS_TRY(score_all(&scoring, err));
    for (size_t i = 0; i < scoring.n_threads; i++) {
        if (scoring.scratch[i].status != SS_OK) {
            status = scoring.scratch[i].status;
            if (err != NULL) {
                *err = scoring.scratch[i].err;
            }
            goto out;
        }
    }
    SS_TRY(test_sentences(&scoring, err));
out:
    release_scoring(&scoring);
    return status;
}
