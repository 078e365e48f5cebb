/* From a listing and a card to the files of one split: the configuration, its splits by the
 * card or by default, their files, and the kind of data that these are. The rules, their order
 * and their oddities are those of the reference library (docs/spec/protocols.md, §2), so that a
 * dataset means the same rows there and here; what it would do in silence and surprise with is
 * handed to the caller, who says it. */
#include "repo/repo.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/sort.h"

/* A choice that is being made. */
struct chooser {
    const struct ss_repo *repo;
    struct ss_repo_choice *out;
    struct ss_repo_config found; /* of default patterns; its arrays are owned here */
};

/* A list of paths that are views into the repository's. */
struct files {
    const char **items;
    size_t n, capacity;
};

/* ---- patterns against the listing ---- */

/* A view: the listing outlives the choice. */
static ss_status add_file(struct files *files, const char *path, ss_err *err)
{
    SS_GROW_OR_RETURN(files->items, files->capacity, files->n + 1);
    files->items[files->n++] = path;
    return SS_OK;
}

/* Files of known kinds that a pattern matches; a name without wildcards must be there. */
static ss_status add_matches(const struct chooser *chooser, const char *folder,
                             const char *pattern, struct files *files, ss_err *err)
{
    const size_t n_before = files->n;
    const char *whole = NULL, *fault = ss_repo_pattern_fault(pattern);
    if (fault == NULL && folder[0] != '\0') {
        fault = ss_repo_pattern_fault(folder);
    }
    if (fault != NULL) {
        return ss__fail_file(err, chooser->repo->name, SS_E_DATA,
                             "the pattern '%.200s' of its card %s", pattern, fault);
    }
    SS_RETURN_IF_ERROR(ss_repo_pattern_in(&chooser->out->arena, folder, pattern, &whole, err));
    for (size_t i = 0; i < chooser->repo->n_paths; i++) {
        const char *path = chooser->repo->paths[i];
        if (ss_repo_has_known_extension(path) && ss_repo_match(whole, path)) {
            SS_RETURN_IF_ERROR(add_file(files, path, err));
        }
    }
    if (files->n == n_before && !ss_repo_is_pattern(pattern)) {
        return ss__fail_file(
            err, chooser->repo->name, SS_E_NOINPUT,
            "its card names the file '%.200s', which is missing or of no known kind", whole);
    }
    return SS_OK;
}

/* Pattern by pattern, so a file that two of them match comes twice. */
static ss_status add_split_files(const struct chooser *chooser, const char *folder,
                                 const struct ss_repo_split *split, struct files *files,
                                 ss_err *err)
{
    for (size_t i = 0; i < split->n; i++) {
        SS_RETURN_IF_ERROR(add_matches(chooser, folder, split->patterns[i], files, err));
    }
    return SS_OK;
}

/* ---- the kind of data ---- */

/* By the first split of the first configuration, whichever is asked for. */
static ss_status find_kind(struct chooser *chooser, const struct ss_repo_config *first,
                           ss_err *err)
{
    ss_status status = SS_OK;
    struct files files = {.items = NULL};
    const struct ss_repo_config *config = first;
    if (config == NULL || !config->has_data_files) {
        status = ss_repo_default_splits(chooser->repo, "", &chooser->out->arena,
                                        &chooser->found, err);
        config = &chooser->found;
        if (status == SS_E_NOINPUT && first != NULL) {
            return SS_OK; /* its own folder tells */
        }
        SS_TRY(status);
    }
    for (size_t i = 0; i < config->n_splits && chooser->out->kind == NULL; i++) {
        files.n = 0;
        SS_TRY(add_split_files(chooser, "", &config->splits[i], &files, err));
        chooser->out->kind = ss_repo_kind_of(files.items, files.n, &chooser->out->format);
    }
out:
    ss__free(files.items);
    return status;
}

/* ---- configuration and split ---- */

/* The message lists what could have been asked for. */
static ss_status fail_config(const struct chooser *chooser, const char *asked, ss_err *err)
{
    const struct ss_repo_card *card = chooser->repo->card;
    struct ss__buf list = {0};
    for (size_t i = 0; i < card->n_configs && ss__buf_begin_item(&list, i, card->n_configs);
         i++) {
        ss__buf_printf(&list, "%.80s", card->configs[i].name);
    }
    const char *text = ss__buf_text(&list);
    const ss_status status =
        asked == NULL
            ? ss__fail_file(err, chooser->repo->name, SS_E_USAGE,
                            "has several configurations and none is the default; say which "
                            "with `config`: %s",
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
                             const struct ss_repo_config **out, ss_err *err)
{
    const struct ss_repo_card *card = chooser->repo->card;
    *out = NULL;
    for (size_t i = 0; i < card->n_configs; i++) {
        const struct ss_repo_config *config = &card->configs[i];
        const bool is_default =
            card->n_configs == 1 || strcmp(config->name, "default") == 0 || config->is_default;
        if (asked != NULL ? strcmp(config->name, asked) != 0 : !is_default) {
            continue;
        }
        if (asked == NULL && *out != NULL) {
            return ss__fail_file(
                err, chooser->repo->name, SS_E_DATA,
                "its card has two default configurations, '%.80s' and '%.80s'; "
                "say which with `config`",
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

/* asked NULL: none was named, and there are several. */
static ss_status fail_split(const struct chooser *chooser, const struct ss_repo_config *config,
                            const char *asked, ss_err *err)
{
    struct ss__buf list = {0};
    for (size_t i = 0; i < config->n_splits && ss__buf_begin_item(&list, i, config->n_splits);
         i++) {
        ss__buf_printf(&list, "%.80s", config->splits[i].name);
    }
    const char *text = ss__buf_text(&list);
    const ss_status status =
        asked == NULL
            ? ss__fail_file(err, chooser->repo->name, SS_E_USAGE,
                            "has several splits; say which with `split`: %s",
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
    const struct ss_repo_config *config;
};

/* The name may be a part of a longer text. */
static ss_status add_named_split(const struct chooser *chooser, const struct place *place,
                                 const char *name, size_t n_name, struct files *files,
                                 ss_err *err)
{
    for (size_t i = 0; i < place->config->n_splits; i++) {
        const struct ss_repo_split *split = &place->config->splits[i];
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
    if (strcmp(asked, "all") == 0) {
        for (size_t i = 0; i < place->config->n_splits; i++) {
            SS_RETURN_IF_ERROR(
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
        SS_RETURN_IF_ERROR(add_named_split(chooser, place, at, n, files, err));
        at = plus == NULL ? NULL : plus + 1;
    }
    return SS_OK;
}

/* Of several splits none is taken unasked: train alone, or all, are different datasets. */
static ss_status choose_split(const struct chooser *chooser, const struct place *place,
                              const char *asked, struct files *files, ss_err *err)
{
    struct ss_repo_choice *out = chooser->out;
    if (asked == NULL && place->config->n_splits != 1) {
        return fail_split(chooser, place->config, NULL, err);
    }
    if (asked != NULL && strpbrk(asked, "[]") != NULL) {
        ss__fail(
            err, SS_E_USAGE,
            "'%.80s' is a slice of a split, which a stream cannot take; take the split and "
            "stop after N rows with `num_examples`",
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
static void drop_others(const struct ss_repo_kind *kind, struct files *files)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < files->n; i++) {
        if (ss_repo_is_of_kind(kind, files->items[i])) {
            files->items[n_kept++] = files->items[i];
        }
    }
    files->n = n_kept;
}

/* Python at the root is what the reference library would once have run. */
static bool has_script(const struct ss_repo *repo)
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

/* Why there is nothing matters more than that there is nothing. */
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
    ss__sort(sorted, files->n, sizeof *sorted, compare_places);
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
    const struct ss_repo_kind *kind = chooser->out->kind;
    const bool is_samples = kind != NULL && strcmp(kind->name, "webdataset") == 0;
    return kind == NULL || kind->is_readable || (is_samples && chooser->repo->reads_archives)
               ? SS_OK
               : ss__fail_file(err, chooser->repo->name, SS_E_UNSUPPORTED,
                               "the dataset is of the kind '%s', which is not read; expected "
                               "csv, json, parquet, arrow or text files",
                               kind->name);
}

/* The kind is settled before the split, and by the first configuration, as the reference does
 * it. */
static ss_status choose(struct chooser *chooser, const struct ss_repo_request *request,
                        struct files *files, ss_err *err)
{
    const struct ss_repo_config *config = NULL;
    const struct ss_repo_card *card = chooser->repo->card;
    struct ss_repo_choice *out = chooser->out;
    SS_RETURN_IF_ERROR(find_config(chooser, request->config, &config, err));
    const char *name = config == NULL ? "default" : config->name;
    out->config = ss__arena_strndup(&out->arena, name, strlen(name));
    if (out->config == NULL) {
        return ss__fail_nomem(err, "a configuration");
    }
    SS_RETURN_IF_ERROR(
        find_kind(chooser, card->n_configs == 0 ? NULL : &card->configs[0], err));
    SS_RETURN_IF_ERROR(check_kind(chooser, err));
    struct place place = {config == NULL ? "" : config->data_dir, config};
    if (config == NULL || !config->has_data_files) {
        SS_RETURN_IF_ERROR(ss_repo_default_splits(chooser->repo, place.folder,
                                                  &chooser->out->arena, &chooser->found, err));
        place.config = &chooser->found;
    }
    SS_RETURN_IF_ERROR(choose_split(chooser, &place, request->split, files, err));
    if (out->kind == NULL) {
        out->kind = ss_repo_kind_of(files->items, files->n, &out->format);
        SS_RETURN_IF_ERROR(check_kind(chooser, err));
    }
    if (config == NULL && out->kind != NULL) {
        drop_others(out->kind, files);
    }
    if (files->n == 0) {
        return fail_empty(chooser, err);
    }
    SS_RETURN_IF_ERROR(find_repeated(files, &out->repeated, err));
    return ss_repo_apply_options(chooser->repo->name, config, out, err);
}

/* Where files are missing and there is a loading script, the script is the reason that is
 * said. */
ss_status ss_repo_choose(const struct ss_repo *repo, const struct ss_repo_request *request,
                         struct ss_repo_choice *out, ss_err *err)
{
    struct chooser chooser = {.repo = repo, .out = out};
    struct files files = {.items = NULL};
    *out = (struct ss_repo_choice){.kind = NULL};
    ss_format_row_options_init(&out->rows);
    ss_status status = choose(&chooser, request, &files, err);
    if (status == SS_E_NOINPUT && has_script(repo)) {
        status = fail_empty(&chooser, err);
    }
    ss_repo_default_splits_release(&chooser.found);
    out->paths = files.items;
    out->n = files.n;
    out->capacity = files.capacity;
    if (status != SS_OK) {
        ss_repo_choice_release(out);
    }
    return status;
}

void ss_repo_choice_release(struct ss_repo_choice *choice)
{
    ss__free(choice->paths);
    ss__arena_release(&choice->arena);
    ss_format_row_options_release(&choice->rows);
    *choice = (struct ss_repo_choice){.kind = NULL};
}
