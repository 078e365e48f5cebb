/* Groups of one run: the values of a column that was kept, over the sample of its texts, which is
 * uniform over distinct texts. Each group of at least LEAST texts is compared with all others. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/sort.h"
#include "folder/evidence_read.h"
#include "folder/results.h"
#include "run/diff.h"

enum { LEAST = 20, MOST_GROUPS = 64, NO_GROUP = -1, MAX_VALUES = 100000 };

struct group {
    const char *name;
    size_t n;
    uint64_t *fires; /* [n_features] */
};

struct grouping {
    const struct ss_folder_evidence *evidence;
    const char *column;
    struct ss_diff *diff;
    struct group *groups;
    size_t n_groups, capacity;
    int32_t *group_of; /* [n_texts] */
    uint64_t *fires;   /* [n_features] of all that have a group */
    size_t n;          /* texts that have one */
    struct ss__buf name;
};

static bool is_in_pool(const struct ss_folder_evidence *evidence, size_t row)
{
    const int half = ss_folder_evidence_half(evidence, row);
    return row - evidence->first[half] < evidence->n_pool[half];
}

/* The value of the column as text: strings as they are, all else as JSON. Nothing kept, or
 * nothing that can be read, is no value; memory that runs out is not. */
static ss_status read_value(struct grouping *grouping, struct ss_text kept, bool *has_value,
                            ss_err *err)
{
    struct ss__json *object = NULL;
    ss_err why;
    *has_value = false;
    grouping->name.n_bytes = 0;
    if (kept.n_bytes == 0) {
        return SS_OK;
    }
    if (ss__json_parse("kept", kept.data, kept.n_bytes, &object, &why) != SS_OK) {
        return why.code == SS_E_NOMEM ? ss__fail_as(err, &why) : SS_OK;
    }
    const struct ss__json *value = ss__json_get(object, grouping->column);
    *has_value = ss__json_tag_of(value) != SS__JSON_IS_NULL;
    if (ss__json_is_string(value)) {
        ss__buf_add(&grouping->name, ss__json_string(value), ss__json_string_bytes(value));
    } else if (*has_value) {
        ss__json_add_value(&grouping->name, value, true);
    }
    ss__json_free(object);
    return SS_OK;
}

static ss_status find_group(struct grouping *grouping, int32_t *number, ss_err *err)
{
    const char *name = ss__buf_text(&grouping->name);
    void *groups = grouping->groups;
    if (name == NULL) {
        return ss__fail_nomem(err, "groups");
    }
    for (size_t i = 0; i < grouping->n_groups; i++) {
        if (strcmp(grouping->groups[i].name, name) == 0) {
            *number = (int32_t)i;
            return SS_OK;
        }
    }
    if (grouping->n_groups >= MAX_VALUES) {
        return ss__fail(err, SS_E_LIMIT,
                        "the column %.200s has more than %d values: groups are compared by one "
                        "with few",
                        grouping->column, MAX_VALUES);
    }
    if (!ss__grow(&groups, &grouping->capacity, grouping->n_groups + 1,
                  sizeof *grouping->groups)) {
        return ss__fail_nomem(err, "groups");
    }
    grouping->groups = groups;
    struct group *group = &grouping->groups[grouping->n_groups];
    *group =
        (struct group){.name = ss__arena_strndup(&grouping->diff->arena, name, strlen(name))};
    *number = (int32_t)grouping->n_groups++;
    return group->name == NULL ? ss__fail_nomem(err, "groups") : SS_OK;
}

static ss_status assign(struct grouping *grouping, ss_err *err)
{
    const struct ss_folder_evidence *evidence = grouping->evidence;
    for (size_t row = 0; row < evidence->n_texts; row++) {
        bool has_value = false;
        grouping->group_of[row] = NO_GROUP;
        if (is_in_pool(evidence, row)) {
            SS_RETURN_IF_ERROR(read_value(grouping, evidence->kept[row], &has_value, err));
        }
        if (has_value) {
            SS_RETURN_IF_ERROR(find_group(grouping, &grouping->group_of[row], err));
            grouping->groups[grouping->group_of[row]].n++;
            grouping->n++;
        }
    }
    return SS_OK;
}

static int by_size(const void *left, const void *right)
{
    const struct group *const *a = left, *const *b = right;
    if ((*a)->n != (*b)->n) {
        return (*a)->n > (*b)->n ? -1 : 1;
    }
    return strcmp((*a)->name, (*b)->name);
}

/* Counters for the largest groups that are large enough. */
static ss_status choose(struct grouping *grouping, ss_err *err)
{
    ss_status status = SS_OK;
    struct group **order = NULL;
    SS_ALLOC(order, grouping->n_groups);
    for (size_t i = 0; i < grouping->n_groups; i++) {
        order[i] = &grouping->groups[i];
    }
    if (grouping->n_groups > 1) {
        ss__sort(order, grouping->n_groups, sizeof *order, by_size);
    }
    for (size_t i = 0; i < grouping->n_groups && i < MOST_GROUPS; i++) {
        if (order[i]->n >= LEAST && grouping->n - order[i]->n >= LEAST) {
            SS_ALLOC(order[i]->fires, grouping->evidence->n_features);
        }
    }
out:
    ss__free(order);
    return status;
}

static void count(struct grouping *grouping)
{
    const struct ss_sparse *codes = &grouping->evidence->codes;
    for (size_t row = 0; row < grouping->evidence->n_texts; row++) {
        if (grouping->group_of[row] == NO_GROUP) {
            continue;
        }
        uint64_t *fires = grouping->groups[grouping->group_of[row]].fires;
        for (size_t i = codes->offsets[row]; i < codes->offsets[row + 1]; i++) {
            grouping->fires[codes->features[i]]++;
            if (fires != NULL) {
                fires[codes->features[i]]++;
            }
        }
    }
}

static ss_status compare(struct grouping *grouping, ss_err *err)
{
    for (size_t i = 0; i < grouping->n_groups; i++) {
        const struct group *group = &grouping->groups[i];
        for (size_t f = 0; f < grouping->evidence->n_features && group->fires != NULL; f++) {
            const struct ss_run_difference difference = {
                .feature_a = f,
                .feature_b = f,
                .similarity = 1,
                .group = group->name,
                .counts = {.k_a = grouping->fires[f] - group->fires[f],
                           .n_a = grouping->n - group->n,
                           .k_b = group->fires[f],
                           .n_b = group->n}};
            if (grouping->fires[f] > 0) {
                SS_RETURN_IF_ERROR(ss_run_diff_add(grouping->diff, &difference, err));
            }
        }
    }
    return SS_OK;
}

static void release(struct grouping *grouping)
{
    for (size_t i = 0; i < grouping->n_groups; i++) {
        ss__free(grouping->groups[i].fires);
    }
    ss__free(grouping->groups);
    ss__free(grouping->group_of);
    ss__free(grouping->fires);
    ss__buf_release(&grouping->name);
}

ss_status ss_run_diff_groups(const char *run_dir, const char *column, struct ss_diff *diff,
                             ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run *run = NULL;
    struct ss_folder_evidence evidence = {0};
    struct grouping grouping = {.evidence = &evidence, .column = column, .diff = diff};
    SS_TRY(ss_run_open(run_dir, NULL, &run, err));
    SS_TRY(ss_folder_evidence_open(run_dir, run->info.n_features, &evidence, err));
    SS_ALLOC(grouping.group_of, evidence.n_texts);
    SS_ALLOC(grouping.fires, evidence.n_features);
    SS_TRY(assign(&grouping, err));
    if (grouping.n == 0) {
        SS_FAIL_FILE(run_dir, SS_E_NOINPUT,
                     "no text of its sample has a column %s; analyze keeps it with `keep`",
                     column);
    }
    SS_TRY(choose(&grouping, err));
    count(&grouping);
    SS_TRY(compare(&grouping, err));
    if (diff->n == 0) {
        SS_FAIL_FILE(run_dir, SS_E_NOINPUT,
                     "the values of %s make no groups to compare: each has fewer than %d texts "
                     "of the sample, or all but fewer",
                     column, LEAST);
    }
    diff->is_same_sae = true;
out:
    release(&grouping);
    ss_folder_evidence_release(&evidence);
    ss_run_free(run);
    return status;
}
