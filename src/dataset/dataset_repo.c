/* From what a user named to the files of a dataset: folders, repositories, URLs. */
#include <string.h>

#include "base/mem.h"
#include "dataset/dataset_files.h"
#include "dataset/dataset_remote.h"
#include "dataset/layout.h"
#include "net/hub.h"
#include "repo/repo.h"

/* ---- folders ---- */

/* What of a folder's files is live, and its card: that of a saved dataset is its own lists. */
static ss_status look_at_folder(struct ss_dataset_folder_files *files,
                                struct ss_repo_card *card, const struct ss_log *log,
                                ss_err *err)
{
    ss_status status = SS_OK;
    bool *is_live = NULL, is_saved = false;
    size_t n_kept = 0;
    const struct ss_dataset_layout layout = ss_dataset_folder_layout(files, log);
    SS_ALLOC(is_live, files->n);
    memset(is_live, true, files->n * sizeof *is_live);
    SS_TRY(ss_dataset_layout_drop_dead(&layout, is_live, err));
    SS_TRY(ss_dataset_layout_saved_card(&layout, is_live, card, &is_saved, err));
    for (size_t i = 0; i < files->n && !is_saved; i++) {
        if (is_live[i]) {
            files->paths[n_kept++] = files->paths[i];
        } else {
            ss__free(files->paths[i]);
        }
    }
    files->n = is_saved ? files->n : n_kept;
    SS_TRY(is_saved ? SS_OK : ss_dataset_folder_card(files->root, card, err));
out:
    ss__free(is_live);
    return status;
}

/* A folder on disk of which a split or configuration is asked is treated as a repository. */
static ss_status add_folder(const char *folder, const struct ss_repo_request *request,
                            struct ss_dataset_found *use, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_dataset_folder_files files = {.root = folder};
    struct ss_repo_card card = {.configs = NULL};
    struct ss_repo_choice choice = {.kind = NULL};
    if (ss__path_stat(folder) != SS__PATH_FOLDER) {
        SS_FAIL_FILE(folder, ss__path_stat(folder) == SS__PATH_NONE ? SS_E_NOINPUT : SS_E_USAGE,
                     "is a file; `split` and `config` need a dataset folder");
    }
    SS_TRY(ss_dataset_list_folder(folder, false, use->log, &files.paths, &files.n, err));
    SS_TRY(look_at_folder(&files, &card, use->log, err));
    const struct ss_repo repo = {folder, (const char *const *)files.paths, files.n, &card,
                                 .reads_archives = true};
    SS_TRY(ss_repo_choose(&repo, request, &choice, err));
    SS_TRY(ss_dataset_found_note_choice(folder, "", &choice, use, err));
    for (size_t i = 0; i < choice.n; i++) {
        SS_TRY(ss_dataset_file_list_take(&use->paths, ss__path_join(folder, choice.paths[i]),
                                         err));
    }
out:
    ss_repo_choice_release(&choice);
    ss_repo_card_release(&card);
    ss__list_release(files.paths, files.n);
    return status;
}

/* ---- all of it ---- */

static ss_status add_local(const char *path, struct ss_dataset_found *use, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_dataset_file_list found = {.items = NULL};
    SS_TRY(ss_dataset_paths_expand(&path, 1, use->log, &found, err));
    for (size_t i = 0; i < found.n; i++) {
        char *item = found.items[i];
        found.items[i] = NULL;
        SS_TRY(ss_dataset_file_list_take(&use->paths, item, err));
    }
out:
    ss_dataset_file_list_release(&found);
    return status;
}

/* What a name is, is told by its form alone; only paths are looked for on this machine. */
static ss_status add_one(const char *path, const struct ss_repo_request *request,
                         struct ss_net_hub *hub, struct ss_dataset_found *use, ss_err *err)
{
    const bool chooses = request->split != NULL || request->config != NULL;
    if (ss_net_hub_is_reference(path)) {
        return ss_dataset_hub_files(hub, path, request, use, err);
    }
    if (ss_source_is_remote(path)) {
        return chooses ? ss__fail_file(err, path, SS_E_USAGE,
                                       "`split` and `config` choose from a dataset repository")
                       : ss_dataset_file_list_take(&use->paths, ss__strdup(path), err);
    }
    return chooses ? add_folder(path, request, use, err) : add_local(path, use, err);
}

ss_status ss_dataset_find_files(const char *const *paths, size_t n_paths,
                                const struct ss_repo_request *request, struct ss_net_hub *hub,
                                struct ss_dataset_found *use, ss_err *err)
{
    const bool chooses = request->split != NULL || request->config != NULL;
    if (chooses && n_paths != 1) {
        return ss__fail(err, SS_E_USAGE,
                        "a split or configuration is chosen of one dataset, not of %zu",
                        n_paths);
    }
    if (n_paths == 0) {
        return ss__fail(err, SS_E_USAGE, "no dataset was given");
    }
    for (size_t i = 0; i < n_paths; i++) {
        SS_RETURN_IF_ERROR(add_one(paths[i], request, hub, use, err));
    }
    return chooses ? SS_OK : ss_dataset_file_list_check_repeats(&use->paths, use->log, err);
}
