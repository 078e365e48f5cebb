/* The splits of a repository whose card names no data_files. The first of these sets of
 * patterns is taken of which one matches:
 *
 *   data/{split}-NNNNN-of-NNNNN*.*      the names of splits are those found
 *   logs, tasks                         files *.eval; task.toml
 *   a folder named after a split        train/…, my-test-set/…
 *   a file named after a split          train.csv, my_valid.json
 *   everything                          train
 *
 * A set is taken as a whole: of a repository with train/ and a file test.csv only train is
 * seen, as by the reference. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "repo/repo.h"

#define SHARD "-[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9]*.*"
#define SEP "[-._ 0-9]"
#define IN_FOLDER(word)                                                                        \
    "**/" word "/**", "**/" word SEP "*/**", "**/*" SEP word "/**", "**/*" SEP word SEP "*/**"
#define IN_NAME(word) "**/" word SEP "*", "**/*" SEP word SEP "*"

enum { MAX_DEFAULT_PATTERNS = 16 };

struct default_split {
    const char *name;
    const char *patterns[MAX_DEFAULT_PATTERNS + 1];
};

/* The sets, each ending at a split without a name. */
static const struct default_split default_sets[][4] = {
    {{"logs", {"**/*.eval"}}},
    {{"test", {"**/task.toml", "**/instruction.md"}}},
    {{"train", {IN_FOLDER("train"), IN_FOLDER("training")}},
     {"validation",
      {IN_FOLDER("validation"), IN_FOLDER("valid"), IN_FOLDER("dev"), IN_FOLDER("val")}},
     {"test",
      {IN_FOLDER("test"), IN_FOLDER("testing"), IN_FOLDER("eval"), IN_FOLDER("evaluation")}}},
    {{"train", {IN_NAME("train"), IN_NAME("training")}},
     {"validation", {IN_NAME("validation"), IN_NAME("valid"), IN_NAME("dev"), IN_NAME("val")}},
     {"test", {IN_NAME("test"), IN_NAME("testing"), IN_NAME("eval"), IN_NAME("evaluation")}}},
    {{"train", {"**"}}},
};
enum { N_DEFAULT_SETS = sizeof default_sets / sizeof default_sets[0] };

/* A search that is under way. */
struct finder {
    const struct ss_repo *repo;
    struct ss__arena *arena;
    struct ss_repo_config *found; /* its arrays are owned, its strings are the arena's */
};

/* Whether there is a file at all; which ones is asked when the split is chosen. */
static bool matches_any(const struct finder *finder, const char *pattern)
{
    for (size_t i = 0; i < finder->repo->n_paths; i++) {
        if (ss_repo_match(pattern, finder->repo->paths[i])) {
            return true;
        }
    }
    return false;
}

/* The split of a name, new or there. */
static ss_status find_split(struct finder *finder, const char *name, struct ss_repo_split **out,
                            ss_err *err)
{
    struct ss_repo_config *found = finder->found;
    *out = NULL;
    for (size_t i = 0; i < found->n_splits; i++) {
        if (strcmp(found->splits[i].name, name) == 0) {
            *out = &found->splits[i];
            return SS_OK;
        }
    }
    SS_GROW_OR_RETURN(found->splits, found->splits_capacity, found->n_splits + 1);
    *out = &found->splits[found->n_splits];
    **out =
        (struct ss_repo_split){.name = ss__arena_strndup(finder->arena, name, strlen(name))};
    if ((*out)->name == NULL) {
        return ss__fail_nomem(err, "a split");
    }
    found->n_splits++;
    return SS_OK;
}

static ss_status add_default(struct ss_repo_split *split, const char *pattern, ss_err *err)
{
    SS_GROW_OR_RETURN(split->patterns, split->capacity, split->n + 1);
    split->patterns[split->n++] = pattern;
    return SS_OK;
}

/* The part of a shard's name before its last "-NNNNN-of-NNNN". */
static size_t split_bytes(const char *name)
{
    static const char form[] = "-#####-of-####";
    const size_t n = strlen(name), n_form = sizeof form - 1;
    for (size_t at = n < n_form ? 0 : n - n_form + 1; at-- > 1;) {
        size_t i = 0;
        while (i < n_form && (form[i] == '#' ? name[at + i] >= '0' && name[at + i] <= '9'
                                             : name[at + i] == form[i])) {
            i++;
        }
        if (i == n_form) {
            return at;
        }
    }
    return 0;
}

/* train, validation, test, then the others by name. */
static int split_rank(const char *name)
{
    static const char *const order[] = {"train", "validation", "test"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, order[i]) == 0) {
            return i;
        }
    }
    return 3;
}

/* By insertion: there are few, and equal ones keep their order. */
static void sort_splits(struct ss_repo_config *config)
{
    for (size_t i = 1; i < config->n_splits; i++) {
        const struct ss_repo_split split = config->splits[i];
        size_t at = i;
        for (; at > 0; at--) {
            const struct ss_repo_split *before = &config->splits[at - 1];
            const int by_rank = split_rank(before->name) - split_rank(split.name);
            if (by_rank < 0 || (by_rank == 0 && strcmp(before->name, split.name) <= 0)) {
                break;
            }
            config->splits[at] = *before;
        }
        config->splits[at] = split;
    }
}

/* Splits by the names of shards in data/. */
static ss_status find_shards(struct finder *finder, const char *folder, ss_err *err)
{
    enum { MAX_SPLITS = 4096 };
    const char *whole = NULL;
    SS_RETURN_IF_ERROR(ss_repo_pattern_in(finder->arena, folder, "data/*" SHARD, &whole, err));
    for (size_t i = 0; i < finder->repo->n_paths; i++) {
        const char *path = finder->repo->paths[i], *name = ss__path_name(path);
        const size_t n = ss_repo_match(whole, path) ? split_bytes(name) : 0;
        if (n == 0) {
            continue;
        }
        char text[256];
        snprintf(text, sizeof text, "%.*s", (int)ss__min_size(n, sizeof text - 1), name);
        struct ss_repo_split *split = NULL;
        SS_RETURN_IF_ERROR(find_split(finder, text, &split, err));
        if (finder->found->n_splits > MAX_SPLITS) {
            return ss__fail_file(err, finder->repo->name, SS_E_LIMIT,
                                 "data/ holds more than %d splits", MAX_SPLITS);
        }
        if (split->n == 0) {
            const char *pattern = ss__arena_printf(finder->arena, "data/%s" SHARD, split->name);
            SS_RETURN_IF_ERROR(pattern == NULL ? ss__fail_nomem(err, "a pattern")
                                               : add_default(split, pattern, err));
        }
    }
    sort_splits(finder->found);
    return SS_OK;
}

/* All patterns of a split count if one of them matches. */
static ss_status find_default_set(struct finder *finder, const char *folder,
                                  const struct default_split *set, ss_err *err)
{
    const char *whole = NULL;
    for (size_t i = 0; i < 4 && set[i].name != NULL; i++) {
        bool any = false;
        for (size_t j = 0; set[i].patterns[j] != NULL && !any; j++) {
            SS_RETURN_IF_ERROR(
                ss_repo_pattern_in(finder->arena, folder, set[i].patterns[j], &whole, err));
            any = matches_any(finder, whole);
        }
        struct ss_repo_split *split = NULL;
        if (any) {
            SS_RETURN_IF_ERROR(find_split(finder, set[i].name, &split, err));
        }
        for (size_t j = 0; any && set[i].patterns[j] != NULL; j++) {
            SS_RETURN_IF_ERROR(add_default(split, set[i].patterns[j], err));
        }
    }
    return SS_OK;
}

ss_status ss_repo_default_splits(const struct ss_repo *repo, const char *folder,
                                 struct ss__arena *arena, struct ss_repo_config *found,
                                 ss_err *err)
{
    struct finder finder = {.repo = repo, .arena = arena, .found = found};
    ss_repo_default_splits_release(found);
    SS_RETURN_IF_ERROR(find_shards(&finder, folder, err));
    for (size_t i = 0; i < N_DEFAULT_SETS && found->n_splits == 0; i++) {
        SS_RETURN_IF_ERROR(find_default_set(&finder, folder, default_sets[i], err));
    }
    if (found->n_splits == 0) {
        return ss__fail_file(err, repo->name, SS_E_NOINPUT, "there are no data files");
    }
    return SS_OK;
}

void ss_repo_default_splits_release(struct ss_repo_config *found)
{
    for (size_t i = 0; i < found->n_splits; i++) {
        ss__free(found->splits[i].patterns);
    }
    ss__free(found->splits);
    *found = (struct ss_repo_config){.name = NULL};
}
