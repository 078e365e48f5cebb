/* A folder on disk: all files in it, and the card of one that is a dataset repository. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sort.h"
#include "dataset/dataset_files.h"
#include "dataset/layout.h"
#include "repo/repo.h"
#include "source/source.h"

enum { MAX_DEPTH = 32, MAX_FILES = 4 << 20, MAX_CARD_BYTES = 64 << 20 };

struct listing {
    const char *root;
    const struct ss_log *log;
    bool is_plain; /* no repository: links to folders are followed, hidden folders are not */
    char **items;
    size_t n, capacity;
};

static ss_status add_folder(struct listing *list, const char *inner, int depth, ss_err *err);

/* Whether a file would be read for its name. */
static bool is_wanted(const char *path)
{
    return ss_dataset_format_knows_name(path) || ss_source_is_archive_name(path);
}

static void say_passed(const struct listing *list, const char *whole, const char *path,
                       bool is_link)
{
    if (!ss_format_path_is_hidden(path) && (is_link || is_wanted(path))) {
        ss__log(list->log, SS_LEVEL_WARNING, "%s: left out, since it is %s", whole,
                is_link ? "a link to nowhere" : "no regular file");
    }
}

/* Folders of a version control and the like are not entered. The one of Hudi tells a table. */
static bool is_entered(const struct listing *list, const char *path, bool is_link)
{
    const char *name = ss__path_name(path);
    return list->is_plain ? name[0] != '.' || strcmp(name, ".hoodie") == 0 : !is_link;
}

/* `path` is relative to the root and is taken. Links to files count as files, and so do links
 * to nowhere that have the name of one: opening them fails. */
static ss_status add_entry(struct listing *list, char *path, int depth, ss_err *err)
{
    ss_status status = SS_OK;
    ss__path_kind kind = SS__PATH_NONE;
    bool is_link = false;
    char *whole = path == NULL ? NULL : ss__path_join(list->root, path);
    if (whole == NULL) {
        SS_TRY(ss__fail_nomem(err, "a file name"));
    }
    SS_TRY(ss__path_check(whole, &kind, &is_link, err));
    if (kind == SS__PATH_FOLDER) {
        SS_TRY(is_entered(list, path, is_link) ? add_folder(list, path, depth + 1, err)
                                               : SS_OK);
    } else if (kind == SS__PATH_FILE || (is_link && is_wanted(path))) {
        if (list->n == MAX_FILES) {
            SS_FAIL_FILE(list->root, SS_E_LIMIT, "holds more than %d files", MAX_FILES);
        }
        SS_GROW(list->items, list->capacity, list->n + 1);
        list->items[list->n++] = path;
        path = NULL;
    } else {
        say_passed(list, whole, path, is_link);
    }
out:
    ss__free(whole);
    ss__free(path);
    return status;
}

/* Depth is bounded for links to folders, which may lead back to where they are. */
static ss_status add_folder(struct listing *list, const char *inner, int depth, ss_err *err)
{
    ss_status status = SS_OK;
    char **names = NULL, *folder = NULL;
    size_t n = 0;
    if (depth > MAX_DEPTH) {
        SS_FAIL_FILE(list->root, SS_E_LIMIT, "folders are nested deeper than %d", MAX_DEPTH);
    }
    folder = ss__path_join(list->root, inner);
    if (folder == NULL) {
        SS_TRY(ss__fail_nomem(err, "a file name"));
    }
    SS_TRY(ss__list_folder(folder, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        SS_TRY(add_entry(list, ss__path_join(inner, names[i]), depth, err));
    }
out:
    ss__free(folder);
    ss__list_release(names, n);
    return status;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

ss_status ss_dataset_list_folder(const char *folder, bool is_plain, const struct ss_log *log,
                                 char ***paths, size_t *n, ss_err *err)
{
    struct listing list = {.root = folder, .is_plain = is_plain, .log = log};
    const ss_status status = add_folder(&list, "", 0, err);
    if (status != SS_OK) {
        ss__list_release(list.items, list.n);
        list = (struct listing){.items = NULL};
    }
    if (list.n > 0) {
        ss__sort(list.items, list.n, sizeof *list.items, compare_paths);
    }
    *paths = list.items;
    *n = list.n;
    return status;
}

/* README.md, whose card is its YAML between dashes, then .huggingface.yaml, which is all
 * card. */
ss_status ss_dataset_folder_card(const char *folder, struct ss_repo_card *card, ss_err *err)
{
    static const struct {
        const char *name;
        bool is_bare;
    } files[] = {{"README.md", false}, {".huggingface.yaml", true}};
    ss_status status = SS_OK;
    char *path = NULL;
    struct ss__buf text = {0};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        ss__free(path);
        path = ss__path_join(folder, files[i].name);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a file name"));
        }
        if (ss__path_stat(path) == SS__PATH_FILE) {
            text.n_bytes = 0;
            SS_TRY(ss__file_read(path, MAX_CARD_BYTES, &text, err));
            const struct ss_text view = {text.data, text.n_bytes};
            SS_TRY(ss_repo_card_read(path, view, files[i].is_bare, card, err));
        }
    }
out:
    ss__free(path);
    ss__buf_release(&text);
    return status;
}

/* Files named as `datasets` names its caches, beside the documents of a saved dataset. */
bool ss_dataset_path_is_left_over(const char *path)
{
    bool is_saved = false;
    const char *name = ss__path_name(path);
    char *folder = ss__strndup(path, (size_t)(name - path));
    static const char *const documents[] = {"state.json", "dataset_info.json"};
    for (size_t i = 0; folder != NULL && ss_format_name_is_cache(name) && i < 2; i++) {
        char *document = ss__path_join(folder, documents[i]);
        is_saved |= document != NULL && ss__path_stat(document) == SS__PATH_FILE;
        ss__free(document);
    }
    ss__free(folder);
    return is_saved;
}
