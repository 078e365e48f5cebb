/* A folder on disk that is laid out like a dataset repository. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "dataset/repo.h"

enum { MAX_DEPTH = 32, MAX_FILES = 4 << 20, MAX_CARD_BYTES = 64 << 20 };

struct listing {
    const char *root;
    char **items;
    size_t n, room;
};

static ss_status add_folder(struct listing *list, const char *inner, int depth, ss_err *err);

/* `path` is relative to the root and is taken. Links to files count as files. */
static ss_status add_entry(struct listing *list, char *path, int depth, ss_err *err)
{
    ss_status status = SS_OK;
    struct stat facts = {.st_mode = 0};
    char *whole = path == NULL ? NULL : ss__path_join(list->root, path);
    if (whole == NULL) {
        SS_TRY(ss__fail_nomem(err, "a file name"));
    }
    if (lstat(whole, &facts) != 0) {
        goto out; /* it went away */
    }
    if (S_ISDIR(facts.st_mode)) {
        SS_TRY(add_folder(list, path, depth + 1, err));
    } else if (ss__path_look(whole) == SS__PATH_FILE) {
        if (list->n == MAX_FILES) {
            SS_FAIL_FILE(list->root, SS_E_LIMIT, "holds more than %d files", MAX_FILES);
        }
        SS_GROW(list->items, list->room, list->n + 1);
        list->items[list->n++] = path;
        path = NULL;
    }
out:
    ss__free(whole);
    ss__free(path);
    return status;
}

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

ss_status ss__repo_list_folder(const char *folder, char ***paths, size_t *n, ss_err *err)
{
    struct listing list = {.root = folder};
    const ss_status status = add_folder(&list, "", 0, err);
    if (status != SS_OK) {
        ss__list_release(list.items, list.n);
        list = (struct listing){.items = NULL};
    }
    if (list.n > 0) {
        qsort(list.items, list.n, sizeof *list.items, compare_paths);
    }
    *paths = list.items;
    *n = list.n;
    return status;
}

ss_status ss__repo_folder_card(const char *folder, struct ss__repo_card *card, ss_err *err)
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
        if (ss__path_look(path) == SS__PATH_FILE) {
            text.n_bytes = 0;
            SS_TRY(ss__file_read(path, MAX_CARD_BYTES, &text, err));
            const struct ss_text view = {text.data, text.n_bytes};
            SS_TRY(ss__repo_card_read(path, view, files[i].is_bare, card, err));
        }
    }
out:
    ss__free(path);
    ss__buf_release(&text);
    return status;
}
