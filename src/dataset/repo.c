/* From a listing and a card to the files of one split.
 *
 * Without data_files the first of these sets of patterns is taken of which one matches:
 *   data/{split}-NNNNN-of-NNNNN*.*     the names of splits are those found
 *   logs, tasks                        files *.eval; task.toml
 *   a folder named after a split       train/…, my-test-set/…
 *   a file named after a split         train.csv, my_valid.json
 *   everything                         train */
#include "dataset/repo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

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

/* A choice that is being made. */
struct chooser {
    const struct ss__repo *repo;
    struct ss__repo_choice *out;
    struct ss__repo_config found; /* of default patterns; its arrays are owned here */
};

/* A list of paths that are views into the repository's. */
struct files {
    const char **items;
    size_t n, room;
};

/* ---- patterns against the listing ---- */

/* "folder/pattern", kept as long as the choice. */
static ss_status join(const struct chooser *chooser, const char *folder, const char *pattern,
                      const char **out, ss_err *err)
{
    *out = folder[0] == '\0' ? pattern
                             : ss__arena_printf(&chooser->out->arena, "%s/%s", folder, pattern);
    return *out == NULL ? ss__fail_nomem(err, "a pattern") : SS_OK;
}

static bool matches_any(const struct chooser *chooser, const char *pattern)
{
    for (size_t i = 0; i < chooser->repo->n_paths; i++) {
        if (ss__repo_match(pattern, chooser->repo->paths[i])) {
            return true;
        }
    }
    return false;
}

static ss_status add_file(struct files *files, const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    SS_GROW(files->items, files->room, files->n + 1);
    files->items[files->n++] = path;
out:
    return status;
}

/* Files of known kinds that a pattern matches; a name without wildcards must be there. */
static ss_status add_matches(const struct chooser *chooser, const char *folder,
                             const char *pattern, struct files *files, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n_before = files->n;
    const char *whole = NULL, *fault = ss__repo_pattern_fault(pattern);
    if (fault == NULL && folder[0] != '\0') {
        fault = ss__repo_pattern_fault(folder);
    }
    if (fault != NULL) {
        SS_FAIL_FILE(chooser->repo->name, SS_E_DATA, "the pattern '%.200s' of its card %s",
                     pattern, fault);
    }
    SS_TRY(join(chooser, folder, pattern, &whole, err));
    for (size_t i = 0; i < chooser->repo->n_paths; i++) {
        const char *path = chooser->repo->paths[i];
        if (ss__repo_has_known_ending(path) && ss__repo_match(whole, path)) {
            SS_TRY(add_file(files, path, err));
        }
    }
    if (files->n == n_before && !ss__repo_is_pattern(pattern)) {
        SS_FAIL_FILE(chooser->repo->name, SS_E_NOINPUT,
                     "its card names the file '%.200s', which is missing or of no known kind",
                     whole);
    }
out:
    return status;
}

static ss_status add_split_files(const struct chooser *chooser, const char *folder,
                                 const struct ss__repo_split *split, struct files *files,
                                 ss_err *err)
{
    ss_status status = SS_OK;
    for (size_t i = 0; i < split->n; i++) {
        SS_TRY(add_matches(chooser, folder, split->patterns[i], files, err));
    }
out:
    return status;
}

/* ---- default patterns ---- */

static ss_status find_split(struct chooser *chooser, const char *name,
                            struct ss__repo_split **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__repo_config *found = &chooser->found;
    *out = NULL;
    for (size_t i = 0; i < found->n_splits; i++) {
        if (strcmp(found->splits[i].name, name) == 0) {
            *out = &found->splits[i];
            return SS_OK;
        }
    }
    SS_GROW(found->splits, found->splits_room, found->n_splits + 1);
    *out = &found->splits[found->n_splits];
    **out = (struct ss__repo_split){
        .name = ss__arena_strndup(&chooser->out->arena, name, strlen(name))};
    if ((*out)->name == NULL) {
        return ss__fail_nomem(err, "a split");
    }
    found->n_splits++;
out:
    return status;
}

static ss_status add_default(struct ss__repo_split *split, const char *pattern, ss_err *err)
{
    ss_status status = SS_OK;
    SS_GROW(split->patterns, split->room, split->n + 1);
    split->patterns[split->n++] = pattern;
out:
    return status;
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

static void sort_splits(struct ss__repo_config *config)
{
    for (size_t i = 1; i < config->n_splits; i++) {
        const struct ss__repo_split split = config->splits[i];
        size_t at = i;
        for (; at > 0; at--) {
            const struct ss__repo_split *before = &config->splits[at - 1];
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
static ss_status find_shards(struct chooser *chooser, const char *folder, ss_err *err)
{
    enum { MAX_SPLITS = 4096 };
    ss_status status = SS_OK;
    const char *whole = NULL;
    SS_TRY(join(chooser, folder, "data/*" SHARD, &whole, err));
    for (size_t i = 0; i < chooser->repo->n_paths; i++) {
        const char *path = chooser->repo->paths[i], *name = ss__path_name(path);
        const size_t n = ss__repo_match(whole, path) ? split_bytes(name) : 0;
        if (n == 0) {
            continue;
        }
        char text[256];
        snprintf(text, sizeof text, "%.*s", (int)ss__min_size(n, sizeof text - 1), name);
        struct ss__repo_split *split = NULL;
        SS_TRY(find_split(chooser, text, &split, err));
        if (chooser->found.n_splits > MAX_SPLITS) {
            SS_FAIL_FILE(chooser->repo->name, SS_E_LIMIT, "data/ holds more than %d splits",
                         MAX_SPLITS);
        }
        if (split->n == 0) {
            const char *pattern =
                ss__arena_printf(&chooser->out->arena, "data/%s" SHARD, split->name);
            SS_TRY(pattern == NULL ? ss__fail_nomem(err, "a pattern")
                                   : add_default(split, pattern, err));
        }
    }
    sort_splits(&chooser->found);
out:
    return status;
}

static ss_status find_default_set(struct chooser *chooser, const char *folder,
                                  const struct default_split *set, ss_err *err)
{
    ss_status status = SS_OK;
    const char *whole = NULL;
    for (size_t i = 0; i < 4 && set[i].name != NULL; i++) {
        bool any = false;
        for (size_t j = 0; set[i].patterns[j] != NULL && !any; j++) {
            SS_TRY(join(chooser, folder, set[i].patterns[j], &whole, err));
            any = matches_any(chooser, whole);
        }
        struct ss__repo_split *split = NULL;
        if (any) {
            SS_TRY(find_split(chooser, set[i].name, &split, err));
        }
        for (size_t j = 0; any && set[i].patterns[j] != NULL; j++) {
            SS_TRY(add_default(split, set[i].patterns[j], err));
        }
    }
out:
    return status;
}

static void release_found(struct chooser *chooser)
{
    for (size_t i = 0; i < chooser->found.n_splits; i++) {
        ss__free(chooser->found.splits[i].patterns);
    }
    ss__free(chooser->found.splits);
    chooser->found = (struct ss__repo_config){.name = NULL};
}

/* Splits of a folder that its card says nothing about, in chooser->found. */
static ss_status find_defaults(struct chooser *chooser, const char *folder, ss_err *err)
{
    ss_status status = SS_OK;
    release_found(chooser);
    SS_TRY(find_shards(chooser, folder, err));
    for (size_t i = 0; i < N_DEFAULT_SETS && chooser->found.n_splits == 0; i++) {
        SS_TRY(find_default_set(chooser, folder, default_sets[i], err));
    }
    if (chooser->found.n_splits == 0) {
        status =
            ss__fail_file(err, chooser->repo->name, SS_E_NOINPUT, "there are no data files");
    }
out:
    return status;
}

/* ---- the kind of data ---- */

/* By the first split of the first configuration, whichever is asked for. */
static ss_status find_kind(struct chooser *chooser, const struct ss__repo_config *first,
                           ss_err *err)
{
    ss_status status = SS_OK;
    struct files files = {.items = NULL};
    const struct ss__repo_config *config = first;
    if (config == NULL || !config->has_data_files) {
        status = find_defaults(chooser, "", err);
        config = &chooser->found;
        if (status == SS_E_NOINPUT && first != NULL) {
            return SS_OK; /* its own folder tells */
        }
        SS_TRY(status);
    }
    for (size_t i = 0; i < config->n_splits && chooser->out->kind == NULL; i++) {
        files.n = 0;
        SS_TRY(add_split_files(chooser, "", &config->splits[i], &files, err));
        chooser->out->kind = ss__repo_kind_of(files.items, files.n, &chooser->out->format);
    }
out:
    ss__free(files.items);
    return status;
}

/* ---- configuration and split ---- */

static ss_status fail_config(const struct chooser *chooser, const char *asked, ss_err *err)
{
    enum { MAX_LISTED_BYTES = 400 };
    const struct ss__repo_card *card = chooser->repo->card;
    struct ss__buf list = {0};
    for (size_t i = 0; i < card->n_configs; i++) {
        if (list.n_bytes > MAX_LISTED_BYTES) {
            ss__buf_printf(&list, " and %zu more", card->n_configs - i);
            break;
        }
        ss__buf_printf(&list, "%s%.80s", i == 0 ? "" : ", ", card->configs[i].name);
    }
    const char *text = ss__buf_text(&list);
    const ss_status status =
        asked == NULL
            ? ss__fail_file(err, chooser->repo->name, SS_E_USAGE,
                            "has several configurations and none is the default; say which "
                            "with --config: %s",
                            text == NULL ? "" : text)
            : ss__fail_file(err, chooser->repo->name, SS_E_USAGE,
                            "has no configuration '%.80s'; it has %s", asked,
                            card->n_configs == 0 ? "only 'default'"
                            : text == NULL       ? ""
                                                 : text);
    ss__err_about(err, "config");
    ss__buf_release(&list);
    return status;
}

/* The configuration asked for, else the only one, "default", or the one said to be; NULL where
 * the card has none. */
static ss_status find_config(const struct chooser *chooser, const char *asked,
                             const struct ss__repo_config **out, ss_err *err)
{
    const struct ss__repo_card *card = chooser->repo->card;
    *out = NULL;
    for (size_t i = 0; i < card->n_configs; i++) {
        const struct ss__repo_config *config = &card->configs[i];
        const bool is_default =
            card->n_configs == 1 || strcmp(config->name, "default") == 0 || config->is_default;
        if (asked != NULL ? strcmp(config->name, asked) != 0 : !is_default) {
            continue;
        }
        if (asked == NULL && *out != NULL) {
            return ss__fail_file(
                err, chooser->repo->name, SS_E_DATA,
                "its card has two default configurations, '%.80s' and '%.80s'; "
                "say which with --config",
                (*out)->name, config->name);
        }
        *out = config;
    }
    if (*out == NULL && asked == NULL && card->only_info != NULL && card->n_configs > 0) {
        return find_config(chooser, card->only_info, out, err);
    }
    if (*out != NULL ||
        (card->n_configs == 0 && (asked == NULL || strcmp(asked, "default") == 0))) {
        return SS_OK;
    }
    return fail_config(chooser, asked, err);
}

static ss_status fail_split(const struct chooser *chooser, const struct ss__repo_config *config,
                            const char *asked, ss_err *err)
{
    enum { MAX_LISTED_BYTES = 400 };
    struct ss__buf list = {0};
    for (size_t i = 0; i < config->n_splits; i++) {
        if (list.n_bytes > MAX_LISTED_BYTES) {
            ss__buf_printf(&list, " and %zu more", config->n_splits - i);
            break;
        }
        ss__buf_printf(&list, "%s%.80s", i == 0 ? "" : ", ", config->splits[i].name);
    }
    const char *text = ss__buf_text(&list);
    const ss_status status =
        asked == NULL
            ? ss__fail_file(err, chooser->repo->name, SS_E_USAGE,
                            "has several splits; say which with --split: %s",
                            text == NULL ? "" : text)
            : ss__fail_file(err, chooser->repo->name, SS_E_USAGE,
                            "has no split '%.80s'; it has %s", asked, text == NULL ? "" : text);
    ss__err_about(err, "split");
    ss__buf_release(&list);
    return status;
}

/* Where the files of a configuration are searched, and its splits. */
struct place {
    const char *folder;
    const struct ss__repo_config *config;
};

static ss_status add_named_split(const struct chooser *chooser, const struct place *place,
                                 const char *name, size_t n_name, struct files *files,
                                 ss_err *err)
{
    for (size_t i = 0; i < place->config->n_splits; i++) {
        const struct ss__repo_split *split = &place->config->splits[i];
        if (strlen(split->name) == n_name && memcmp(split->name, name, n_name) == 0) {
            return add_split_files(chooser, place->folder, split, files, err);
        }
    }
    return fail_split(chooser, place->config, name, err);
}

/* "a", "a+b", or "all". */
static ss_status add_splits(const struct chooser *chooser, const struct place *place,
                            const char *asked, struct files *files, ss_err *err)
{
    ss_status status = SS_OK;
    if (strcmp(asked, "all") == 0) {
        for (size_t i = 0; i < place->config->n_splits; i++) {
            SS_TRY(
                add_split_files(chooser, place->folder, &place->config->splits[i], files, err));
        }
        return SS_OK;
    }
    for (const char *at = asked; at != NULL;) {
        const char *plus = strchr(at, '+');
        at += strspn(at, " ");
        size_t n = plus == NULL ? strlen(at) : (size_t)(plus - at);
        while (n > 0 && at[n - 1] == ' ') {
            n--;
        }
        SS_TRY(add_named_split(chooser, place, at, n, files, err));
        at = plus == NULL ? NULL : plus + 1;
    }
out:
    return status;
}

static ss_status choose_split(const struct chooser *chooser, const struct place *place,
                              const char *asked, struct files *files, ss_err *err)
{
    struct ss__repo_choice *out = chooser->out;
    if (asked == NULL && place->config->n_splits != 1) {
        return fail_split(chooser, place->config, NULL, err);
    }
    if (asked != NULL && strpbrk(asked, "[]") != NULL) {
        ss__fail(
            err, SS_E_USAGE,
            "'%.80s' is a slice of a split, which a stream cannot take; take the split and "
            "stop after N rows with --num-examples",
            asked);
        ss__err_about(err, "split");
        return SS_E_USAGE;
    }
    const char *name = asked == NULL ? place->config->splits[0].name : asked;
    out->split = ss__arena_strndup(&out->arena, name, strlen(name));
    return out->split == NULL ? ss__fail_nomem(err, "a split")
                              : add_splits(chooser, place, name, files, err);
}

/* ---- files ---- */

/* What the card did not name must be of the kind. */
static void drop_others(const struct ss__repo_kind *kind, struct files *files)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < files->n; i++) {
        if (ss__repo_is_of_kind(kind, files->items[i])) {
            files->items[n_kept++] = files->items[i];
        }
    }
    files->n = n_kept;
}

static bool has_script(const struct ss__repo *repo)
{
    for (size_t i = 0; i < repo->n_paths; i++) {
        const char *path = repo->paths[i];
        const size_t n = strlen(path);
        if (strchr(path, '/') == NULL && n > 3 && strcmp(path + n - 3, ".py") == 0) {
            return true;
        }
    }
    return false;
}

static ss_status fail_empty(const struct chooser *chooser, ss_err *err)
{
    return has_script(chooser->repo)
               ? ss__fail_file(
                     err, chooser->repo->name, SS_E_UNSUPPORTED,
                     "its rows come from a loading script in Python, which is never run")
               : ss__fail_file(err, chooser->repo->name, SS_E_NOINPUT,
                               "the split '%.80s' has no data files",
                               chooser->out->split == NULL ? "train" : chooser->out->split);
}

static int compare_places(const void *a, const void *b)
{
    const char *const *one = a, *const *other = b;
    return (*one > *other) - (*one < *other);
}

/* A file that is in the list twice: then as the same view. */
static ss_status find_repeated(const struct files *files, const char **repeated, ss_err *err)
{
    ss_status status = SS_OK;
    const char **sorted = NULL;
    SS_ALLOC(sorted, files->n);
    memcpy(sorted, files->items, files->n * sizeof *sorted);
    qsort(sorted, files->n, sizeof *sorted, compare_places);
    for (size_t i = 1; i < files->n && *repeated == NULL; i++) {
        *repeated = sorted[i] == sorted[i - 1] ? sorted[i] : NULL;
    }
out:
    ss__free(sorted);
    return status;
}

/* Known and not read is said before a split is missed that only the files of another kind have.
 */
static ss_status check_kind(const struct chooser *chooser, ss_err *err)
{
    const struct ss__repo_kind *kind = chooser->out->kind;
    return kind == NULL || kind->is_readable
               ? SS_OK
               : ss__fail_file(err, chooser->repo->name, SS_E_UNSUPPORTED,
                               "the dataset is of the kind '%s', which is not read; expected "
                               "csv, json, parquet, arrow or text files",
                               kind->name);
}

static ss_status choose(struct chooser *chooser, const struct ss__repo_wish *wish,
                        struct files *files, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__repo_config *config = NULL;
    const struct ss__repo_card *card = chooser->repo->card;
    struct ss__repo_choice *out = chooser->out;
    SS_TRY(find_config(chooser, wish->config, &config, err));
    const char *name = config == NULL ? "default" : config->name;
    out->config = ss__arena_strndup(&out->arena, name, strlen(name));
    if (out->config == NULL) {
        SS_TRY(ss__fail_nomem(err, "a configuration"));
    }
    SS_TRY(find_kind(chooser, card->n_configs == 0 ? NULL : &card->configs[0], err));
    SS_TRY(check_kind(chooser, err));
    struct place place = {config == NULL ? "" : config->data_dir, config};
    if (config == NULL || !config->has_data_files) {
        SS_TRY(find_defaults(chooser, place.folder, err));
        place.config = &chooser->found;
    }
    SS_TRY(choose_split(chooser, &place, wish->split, files, err));
    if (out->kind == NULL) {
        out->kind = ss__repo_kind_of(files->items, files->n, &out->format);
        SS_TRY(check_kind(chooser, err));
    }
    if (config == NULL && out->kind != NULL) {
        drop_others(out->kind, files);
    }
    if (files->n == 0) {
        status = fail_empty(chooser, err);
        goto out;
    }
    SS_TRY(find_repeated(files, &out->repeated, err));
    SS_TRY(ss__repo_apply_options(chooser->repo->name, config, out, err));
out:
    return status;
}

ss_status ss__repo_choose(const struct ss__repo *repo, const struct ss__repo_wish *wish,
                          struct ss__repo_choice *out, ss_err *err)
{
    struct chooser chooser = {.repo = repo, .out = out};
    struct files files = {.items = NULL};
    *out = (struct ss__repo_choice){.kind = NULL};
    ss_status status = choose(&chooser, wish, &files, err);
    if (status == SS_E_NOINPUT && has_script(repo)) {
        status = fail_empty(&chooser, err);
    }
    release_found(&chooser);
    out->paths = files.items;
    out->n = files.n;
    out->room = files.room;
    if (status != SS_OK) {
        ss__repo_choice_release(out);
    }
    return status;
}

void ss__repo_choice_release(struct ss__repo_choice *choice)
{
    ss__free(choice->paths);
    ss__arena_release(&choice->arena);
    *choice = (struct ss__repo_choice){.kind = NULL};
}
