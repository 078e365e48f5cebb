/* A family is to its texts what a feature is to those on which it fires: features of the family
 * that fire in a text speak for it, each by how rare it is, -ln of its rate. */
#include "run/families_words.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "describe/meaning.h"
#include "folder/results.h"
#include "run/group_labels.h"

enum {
    STRONGEST = 10,    /* texts of a feature that its words are taken from */
    LEAST_TEXTS = 5,   /* fewer say nothing */
    LEAST_MEMBERS = 4, /* of a family that is named */
    MOST_NAMED = 50,
    MOST_SHARE = 10, /* a family's texts are at most one of so many */
    MISSES = 400
};

/* ---- meaning ---- */

struct strong {
    float activation;
    uint32_t text;
};

struct lists {
    struct strong *strongest; /* [F, STRONGEST] falling */
    size_t *offsets;          /* [F + 1] */
    uint32_t *list;
};

static void insert(struct strong *strongest, struct strong text)
{
    size_t at = STRONGEST;
    while (at > 0 && text.activation > strongest[at - 1].activation) {
        if (at < STRONGEST) {
            strongest[at] = strongest[at - 1];
        }
        at--;
    }
    if (at < STRONGEST) {
        strongest[at] = text;
    }
}

/* Of equally strong ones the first by key. Texts are counted from the half's first. */
static ss_status find_strongest(const struct ss_folder_evidence *evidence, struct lists *lists,
                                ss_err *err)
{
    const struct ss_sparse *codes = &evidence->codes;
    const size_t n_features = evidence->n_features, first = evidence->first[SS_STATS_SCORE];
    size_t n_strongest = 0, n = 0;
    if (!ss__mul(n_features, STRONGEST, &n_strongest)) {
        return ss__fail_nomem(err, "texts of features");
    }
    SS_ALLOC_OR_RETURN(lists->strongest, n_strongest);
    SS_ALLOC_OR_RETURN(lists->offsets, n_features + 1);
    SS_ALLOC_OR_RETURN(lists->list, n_strongest);
    for (size_t row = first; row < evidence->n_texts; row++) {
        for (size_t i = codes->offsets[row]; i < codes->offsets[row + 1]; i++) {
            insert(lists->strongest + (size_t)codes->features[i] * STRONGEST,
                   (struct strong){codes->values[i], (uint32_t)(row - first)});
        }
    }
    for (size_t f = 0; f < n_features; f++) {
        const struct strong *strongest = lists->strongest + f * STRONGEST;
        const bool has_enough = strongest[LEAST_TEXTS - 1].activation > 0;
        for (size_t i = 0; has_enough && i < STRONGEST && strongest[i].activation > 0; i++) {
            lists->list[n++] = strongest[i].text;
        }
        lists->offsets[f + 1] = n;
    }
    return SS_OK;
}

ss_status ss_run_families_meaning(const struct ss_folder_evidence *evidence,
                                  struct ss_describe_meaning **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct lists lists = {NULL, NULL, NULL};
    const size_t first = evidence->first[SS_STATS_SCORE];
    *out = NULL;
    if (!evidence->has_texts) {
        return SS_OK;
    }
    SS_TRY(find_strongest(evidence, &lists, err));
    const struct ss_describe_lists words = {.n_texts = evidence->n_texts - first,
                                            .texts = evidence->texts + first,
                                            .n_features = evidence->n_features,
                                            .offsets = lists.offsets,
                                            .list = lists.list};
    SS_TRY(ss_describe_meaning_new(&words, out, err));
out:
    ss__free(lists.strongest);
    ss__free(lists.offsets);
    ss__free(lists.list);
    return status;
}

/* ---- phrases ---- */

struct gathering {
    const struct ss_run_families_naming *naming;
    size_t *chosen; /* [n_chosen] families */
    size_t n_chosen;
    size_t *offsets;   /* [F + 1] into `groups` */
    uint32_t *groups;  /* by feature: the chosen families that it is in, rising */
    float *strengths;  /* [n_chosen] of the text under way, */
    uint32_t *n_fires; /* [n_chosen] and how many of the family fire in it */
    struct ss_run_groups found;
    size_t capacity;
};

static int by_size(const void *a, const void *b)
{
    const struct ss_graph_family *x = *(const struct ss_graph_family *const *)a;
    const struct ss_graph_family *y = *(const struct ss_graph_family *const *)b;
    return x->n != y->n ? (x->n < y->n) - (x->n > y->n) : (x > y) - (x < y);
}

static ss_status choose(struct gathering *gathering, ss_err *err)
{
    const struct ss_graph_families *found = gathering->naming->found;
    const struct ss_graph_family **sorted = NULL;
    size_t n = 0;
    SS_ALLOC_OR_RETURN(gathering->chosen, MOST_NAMED);
    SS_ALLOC_OR_RETURN(sorted, found->n);
    for (size_t i = 0; i < found->n; i++) {
        if (found->families[i].n >= LEAST_MEMBERS) {
            sorted[n++] = &found->families[i];
        }
    }
    ss__sort(sorted, n, sizeof *sorted, by_size);
    for (; gathering->n_chosen < ss__min_size(n, MOST_NAMED); gathering->n_chosen++) {
        gathering->chosen[gathering->n_chosen] =
            (size_t)(sorted[gathering->n_chosen] - found->families);
    }
    ss__free(sorted);
    return SS_OK;
}

/* Which of the chosen families each feature is in. */
static ss_status invert(struct gathering *gathering, ss_err *err)
{
    const struct ss_graph_families *found = gathering->naming->found;
    const size_t n_features = gathering->naming->evidence->n_features;
    size_t *offsets = NULL, n = 0;
    SS_ALLOC_OR_RETURN(gathering->offsets, n_features + 2);
    offsets = gathering->offsets + 2; /* counts first, so that filling leaves the begins */
    for (size_t g = 0; g < gathering->n_chosen; g++) {
        const struct ss_graph_family *family = &found->families[gathering->chosen[g]];
        n += family->n;
        for (size_t i = 0; i < family->n; i++) {
            const uint32_t f = found->members[family->first + i];
            if (f + 1 < n_features) {
                offsets[f]++;
            }
        }
    }
    SS_ALLOC_OR_RETURN(gathering->groups, n);
    for (size_t f = 0; f + 1 < n_features; f++) {
        offsets[f] += f == 0 ? 0 : offsets[f - 1];
    }
    offsets = gathering->offsets + 1;
    for (uint32_t g = 0; g < gathering->n_chosen; g++) {
        const struct ss_graph_family *family = &found->families[gathering->chosen[g]];
        for (size_t i = 0; i < family->n; i++) {
            gathering->groups[offsets[found->members[family->first + i]]++] = g;
        }
    }
    return SS_OK;
}

/* Rate of a feature as what it says when it fires. */
static float weight_of(const struct ss_run *run, uint32_t feature)
{
    const double rate = (double)run->features[feature].n_fires / (double)run->info.n_rows_used;
    return rate > 0 && rate < 1 ? (float)-log(rate) : 0;
}

static ss_status add_text(struct gathering *gathering, size_t row, ss_err *err)
{
    const struct ss_sparse *codes = &gathering->naming->evidence->codes;
    struct ss_run_groups *found = &gathering->found;
    for (size_t i = codes->offsets[row]; i < codes->offsets[row + 1]; i++) {
        const uint32_t feature = codes->features[i];
        const float weight = weight_of(gathering->naming->run, feature);
        for (size_t j = gathering->offsets[feature]; j < gathering->offsets[feature + 1]; j++) {
            gathering->strengths[gathering->groups[j]] += weight;
            gathering->n_fires[gathering->groups[j]]++;
        }
    }
    SS_GROW_OR_RETURN(found->texts, gathering->capacity, found->n_texts + gathering->n_chosen);
    for (uint32_t g = 0; g < gathering->n_chosen; g++) {
        if (gathering->strengths[g] > 0) {
            found->texts[found->n_texts++] = (struct ss_run_group_text){
                (uint32_t)row, g, gathering->strengths[g], gathering->n_fires[g] < 2};
        }
        gathering->strengths[g] = 0;
        gathering->n_fires[g] = 0;
    }
    return SS_OK;
}

/* By family those that belong to it first, and the strongest first. */
static int by_belonging(const void *a, const void *b)
{
    const struct ss_run_group_text *x = a, *y = b;
    return x->group != y->group       ? (x->group > y->group) - (x->group < y->group)
           : x->is_miss != y->is_miss ? x->is_miss - y->is_miss
           : x->strength != y->strength
               ? (x->strength < y->strength) - (x->strength > y->strength)
               : (x->row > y->row) - (x->row < y->row);
}

/* Of each family its strongest texts; what comes next nearly belongs to it. */
static void cut(struct gathering *gathering)
{
    const struct ss_folder_evidence *evidence = gathering->naming->evidence;
    const size_t n_most = (evidence->n_pool[0] + evidence->n_pool[1]) / MOST_SHARE;
    struct ss_run_groups *found = &gathering->found;
    size_t n = 0, rank = 0;
    ss__sort(found->texts, found->n_texts, sizeof *found->texts, by_belonging);
    for (size_t i = 0, n_misses = 0; i < found->n_texts; i++) {
        struct ss_run_group_text text = found->texts[i];
        if (i == 0 || text.group != found->texts[i - 1].group) {
            rank = n_misses = 0;
        }
        text.is_miss = text.is_miss || rank++ >= n_most;
        n_misses += text.is_miss;
        if (n_misses <= MISSES) {
            gathering->found.texts[n++] = text;
        }
    }
    found->n_texts = n;
}

static ss_status gather(struct gathering *gathering, ss_err *err)
{
    const struct ss_folder_evidence *evidence = gathering->naming->evidence;
    SS_RETURN_IF_ERROR(invert(gathering, err));
    SS_ALLOC_OR_RETURN(gathering->strengths, gathering->n_chosen);
    SS_ALLOC_OR_RETURN(gathering->n_fires, gathering->n_chosen);
    for (int half = 0; half < SS_STATS_N_HALVES; half++) {
        const size_t first = evidence->first[half];
        for (size_t row = first; row < first + evidence->n_pool[half]; row++) {
            SS_RETURN_IF_ERROR(add_text(gathering, row, err));
        }
    }
    cut(gathering);
    return SS_OK;
}

static ss_status name_chosen(struct gathering *gathering, struct ss_folder_family_name *names,
                             ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_text *labels = NULL;
    struct ss_describe_score *scores = NULL;
    const struct ss_run_groups *found = &gathering->found;
    SS_ALLOC(labels, gathering->n_chosen);
    SS_ALLOC(scores, gathering->n_chosen);
    SS_TRY(ss_run_groups_label(&gathering->found, labels, scores, err));
    for (size_t g = 0; g < gathering->n_chosen; g++) {
        names[gathering->chosen[g]] = (struct ss_folder_family_name){
            .phrases = labels[g], .score = scores[g], .is_named = true};
    }
    for (size_t i = 0; i < found->n_texts; i++) {
        names[gathering->chosen[found->texts[i].group]].n_texts += !found->texts[i].is_miss;
    }
out:
    ss__free(labels);
    ss__free(scores);
    return status;
}

ss_status ss_run_families_name(const struct ss_run_families_naming *naming,
                               struct ss_folder_family_name *names, ss_err *err)
{
    ss_status status = SS_OK;
    struct gathering gathering = {.naming = naming};
    SS_TRY(choose(&gathering, err));
    if (gathering.n_chosen == 0) {
        goto out;
    }
    gathering.found = (struct ss_run_groups){.evidence = naming->evidence,
                                             .encoder = naming->encoder,
                                             .work = naming->work,
                                             .stop = naming->stop,
                                             .arena = naming->arena,
                                             .n = gathering.n_chosen,
                                             .unit = "family"};
    SS_TRY(gather(&gathering, err));
    SS_TRY(name_chosen(&gathering, names, err));
out:
    ss__free(gathering.chosen);
    ss__free(gathering.offsets);
    ss__free(gathering.groups);
    ss__free(gathering.strengths);
    ss__free(gathering.n_fires);
    ss__free(gathering.found.texts);
    return status;
}
