/* Datasets that the library `datasets` saved with save_to_disk.
 *
 *   dataset_dict.json   {"splits": ["train", "test"]}: each a folder as below
 *   state.json          {"_data_files": [{"filename": "data-00000-of-00002.arrow"}, …],
 *                        "_split": "train" or null, …}; up to version 1.x
 *                        "_indices_data_files" with rows picked and ordered by an index
 *
 * Whoever works with such a folder leaves cache-….arrow beside its files, and so does whoever
 * loads a dataset into the library's own cache, which has dataset_info.json alone. */
#include "base/json.h"
#include <string.h>

#include "base/file.h"
#include "dataset/layout.h"
#include "repo/repo.h"

/* Whether a path is in a folder itself, or (`deep`) anywhere below it. */
static bool is_in(const char *path, const char *folder, size_t n_folder, bool deep)
{
    return strncmp(path, folder, n_folder) == 0 &&
           (deep || strchr(path + n_folder, '/') == NULL);
}

/* Of a list that is wrong nothing is guessed. */
static ss_status fail_damaged(const struct ss_dataset_layout *layout, size_t index,
                              const char *what, ss_err *err)
{
    struct ss__buf name = {0};
    const ss_status status =
        ss__fail_file(err, ss_dataset_layout_file(layout, index, &name), SS_E_DATA, "%s", what);
    ss__buf_release(&name);
    return status;
}

/* Take a file that state.json lists. */
static ss_status take_listed(const struct ss_dataset_layout *layout, size_t index,
                             size_t n_folder, const struct ss__json *entry, bool *is_data,
                             ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf file = {0};
    const char *name = ss__json_string(ss__json_get(entry, "filename"));
    if (name == NULL) {
        return fail_damaged(layout, index, "an entry of \"_data_files\" has no \"filename\"",
                            err);
    }
    const size_t at = ss_dataset_layout_find(layout, layout->paths[index], n_folder, name);
    if (at == layout->n) {
        SS_FAIL_FILE(ss_dataset_layout_file(layout, index, &file), SS_E_NOINPUT,
                     "lists the file '%.200s', which is not there", name);
    }
    is_data[at] = true;
out:
    ss__buf_release(&file);
    return status;
}

/* A document that is no JSON is a damaged one beside Arrow files, and of somebody else's
 * elsewhere: then *out is NULL. */
static ss_status read_state(const struct ss_dataset_layout *layout, size_t index,
                            struct ss__json **out, ss_err *err)
{
    const char *path = layout->paths[index];
    const size_t n_folder = (size_t)(ss__path_name(path) - path);
    ss_status status = ss_dataset_layout_read_json(layout, index, out, err);
    bool has_arrow = false;
    for (size_t i = 0; status == SS_E_DATA && i < layout->n; i++) {
        has_arrow |= is_in(layout->paths[i], path, n_folder, false) &&
                     strstr(layout->paths[i] + n_folder, ".arrow") != NULL;
    }
    return status == SS_E_DATA && !has_arrow ? SS_OK : status;
}

/* Of the files beside a state.json those are data that it lists. Any other document of that
 * name says nothing. */
static ss_status apply_state(const struct ss_dataset_layout *layout, size_t index,
                             bool *is_data, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *state = NULL;
    const char *path = layout->paths[index];
    const size_t n_folder = (size_t)(ss__path_name(path) - path);
    SS_TRY(read_state(layout, index, &state, err));
    const struct ss__json *files = ss__json_get(state, "_data_files");
    if (!ss__json_is_array(files)) {
        goto out;
    }
    if (ss__json_count(ss__json_get(state, "_indices_data_files")) > 0) {
        struct ss__buf file = {0};
        status =
            ss__fail_file(err, ss_dataset_layout_file(layout, index, &file), SS_E_UNSUPPORTED,
                          "the rows of this saved dataset are picked by an index, which "
                          "is not read; load it and save it again (flatten_indices)");
        ss__buf_release(&file);
        goto out;
    }
    for (size_t i = 0; i < layout->n; i++) {
        is_data[i] &= !is_in(layout->paths[i], path, n_folder, false);
    }
    for (size_t i = 0; i < ss__json_count(files); i++) {
        SS_TRY(take_listed(layout, index, n_folder, ss__json_at(files, i), is_data, err));
    }
out:
    ss__json_free(state);
    return status;
}

static bool is_among(const struct ss__json *names, const char *name, size_t n)
{
    for (size_t i = 0; i < ss__json_count(names); i++) {
        const char *text = ss__json_string(ss__json_at(names, i));
        if (text != NULL && strlen(text) == n && memcmp(text, name, n) == 0) {
            return true;
        }
    }
    return false;
}

/* Of the folders beside a dataset_dict.json those are splits that it lists. */
static void apply_splits(const struct ss_dataset_layout *layout, size_t index, bool *is_data)
{
    struct ss__json *document = NULL;
    const char *path = layout->paths[index];
    const size_t n_folder = (size_t)(ss__path_name(path) - path);
    if (ss_dataset_layout_read_json(layout, index, &document, NULL) != SS_OK) {
        return; /* somebody else's */
    }
    const struct ss__json *splits = ss__json_get(document, "splits");
    for (size_t i = 0; ss__json_is_array(splits) && i < layout->n; i++) {
        const char *rest = layout->paths[i] + n_folder;
        if (is_in(layout->paths[i], path, n_folder, true)) {
            is_data[i] &= is_among(splits, rest, strcspn(rest, "/"));
        }
    }
    ss__json_free(document);
}

/* Leftovers beside a document of the library. */
static void drop_cache(const struct ss_dataset_layout *layout, size_t index, bool *is_data)
{
    const char *path = layout->paths[index];
    const size_t n_folder = (size_t)(ss__path_name(path) - path);
    for (size_t i = 0; i < layout->n; i++) {
        const char *other = layout->paths[i];
        is_data[i] &= !(is_in(other, path, n_folder, false) &&
                        ss_format_name_is_cache(ss__path_name(other)));
    }
}

ss_status ss_dataset_layout_apply_saved(const struct ss_dataset_layout *layout, bool *is_data,
                                        ss_err *err)
{
    for (size_t i = 0; i < layout->n; i++) {
        const char *name = ss__path_name(layout->paths[i]);
        if (ss_format_path_is_hidden(layout->paths[i])) {
            continue;
        }
        if (strcmp(name, "dataset_info.json") == 0) {
            drop_cache(layout, i, is_data);
        } else if (strcmp(name, "state.json") == 0) {
            SS_RETURN_IF_ERROR(apply_state(layout, i, is_data, err));
        }
    }
    for (size_t i = 0; i < layout->n; i++) {
        if (strcmp(ss__path_name(layout->paths[i]), "dataset_dict.json") == 0 &&
            !ss_format_path_is_hidden(layout->paths[i])) {
            apply_splits(layout, i, is_data);
        }
    }
    return SS_OK;
}

/* ---- splits ---- */

/* A saved dataset has one configuration. */
static ss_status add_split(const struct ss_dataset_layout *layout, const bool *is_data,
                           const char *folder, const char *split, struct ss_repo_card *card,
                           ss_err *err)
{
    const size_t n = strlen(folder);
    for (size_t i = 0; i < layout->n; i++) {
        const char *path = layout->paths[i];
        const bool is_below = n == 0 || (strncmp(path, folder, n) == 0 && path[n] == '/');
        if (is_below && is_data[i] && strstr(path, ".arrow") != NULL) {
            SS_RETURN_IF_ERROR(ss_repo_card_add(card, "default", split, path, err));
        }
    }
    return SS_OK;
}

static ss_status add_dict(const struct ss_dataset_layout *layout, size_t index,
                          const bool *is_data, struct ss_repo_card *card, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *document = NULL;
    if (ss_dataset_layout_read_json(layout, index, &document, NULL) != SS_OK) {
        goto out;
    }
    const struct ss__json *splits = ss__json_get(document, "splits");
    for (size_t i = 0; i < ss__json_count(splits); i++) {
        const char *name = ss__json_string(ss__json_at(splits, i));
        SS_TRY(name == NULL ? SS_OK : add_split(layout, is_data, name, name, card, err));
    }
out:
    ss__json_free(document);
    return status;
}

static ss_status add_single(const struct ss_dataset_layout *layout, size_t index,
                            const bool *is_data, struct ss_repo_card *card, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *state = NULL;
    SS_TRY(read_state(layout, index, &state, err));
    if (ss__json_is_array(ss__json_get(state, "_data_files"))) {
        const char *name = ss__json_string(ss__json_get(state, "_split"));
        SS_TRY(add_split(layout, is_data, "", name == NULL ? "train" : name, card, err));
    }
out:
    ss__json_free(state);
    return status;
}

ss_status ss_dataset_layout_saved_card(const struct ss_dataset_layout *layout,
                                       const bool *is_data, struct ss_repo_card *card,
                                       bool *is_saved, ss_err *err)
{
    const size_t dict = ss_dataset_layout_find(layout, "", 0, "dataset_dict.json");
    const size_t state = ss_dataset_layout_find(layout, "", 0, "state.json");
    if (dict < layout->n) {
        SS_RETURN_IF_ERROR(add_dict(layout, dict, is_data, card, err));
    } else if (state < layout->n) {
        SS_RETURN_IF_ERROR(add_single(layout, state, is_data, card, err));
    }
    *is_saved = card->n_configs > 0;
    return SS_OK;
}
