#include "run/folder.h"

#include "run/results.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

static ss_status refuse_content(const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    char **names = NULL;
    size_t n = 0;
    SS_TRY(ss__list_folder(path, &names, &n, err));
    if (n > 0) {
        SS_FAIL_FILE(path, SS_E_EXISTS,
                     "this folder is not empty; name another one, or replace its results "
                     "with --force");
    }
out:
    ss__list_release(names, n);
    return status;
}

ss_status ss__folder_open(const char *path, bool force, struct ss__folder *folder, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf name = {0};
    *folder = (struct ss__folder){.path = path};
    const ss__path_kind kind = ss__path_look(path);
    if (kind == SS__PATH_FILE || kind == SS__PATH_OTHER) {
        SS_FAIL_FILE(path, SS_E_EXISTS, "this is not a folder; name another place for results");
    }
    if (kind == SS__PATH_FOLDER && !force) {
        SS_TRY(refuse_content(path, err));
    }
    SS_TRY(ss__make_folder(path, &folder->was_made, err));
    ss__buf_printf(&name, "%s/.unfinished.%ld", path, (long)getpid());
    if (ss__buf_text(&name) == NULL) {
        SS_TRY(ss__buf_check(&name, err));
    }
    folder->staging = name.data;
    name = (struct ss__buf){0};
    SS_TRY(ss__make_folder(folder->staging, NULL, err));
out:
    ss__buf_release(&name);
    if (status != SS_OK) {
        ss__folder_abort(folder);
    }
    return status;
}

char *ss__folder_file(const struct ss__folder *folder, const char *name)
{
    return ss__path_join(folder->staging, name);
}

static ss_status move(const struct ss__folder *folder, const char *name, ss_err *err)
{
    ss_status status = SS_OK;
    char *from = ss__path_join(folder->staging, name);
    char *to = ss__path_join(folder->path, name);
    if (from == NULL || to == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss__file_move(from, to, err));
out:
    ss__free(from);
    ss__free(to);
    return status;
}

/* A folder without its last file is known to be incomplete. */
static ss_status drop_old(const struct ss__folder *folder, const char *name, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = ss__path_join(folder->path, name);
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    if (unlink(path) != 0 && errno != ENOENT) {
        SS_TRY(ss__fail_errno(err, path, "remove", errno));
    }
out:
    ss__free(path);
    return status;
}

ss_status ss__folder_commit(struct ss__folder *folder, const char *last, ss_err *err)
{
    ss_status status = SS_OK;
    char **names = NULL;
    size_t n = 0;
    SS_TRY(ss__list_folder(folder->staging, &names, &n, err));
    SS_TRY(drop_old(folder, last, err));
    SS_TRY(drop_old(folder, SS__FILE_TEXTS, err)); /* which not every run has */
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], last) != 0) {
            SS_TRY(move(folder, names[i], err));
        }
    }
    SS_TRY(move(folder, last, err));
    rmdir(folder->staging);
    ss__free(folder->staging);
    folder->staging = NULL;
    folder->was_made = false;
out:
    ss__list_release(names, n);
    return status;
}

void ss__folder_abort(struct ss__folder *folder)
{
    char **names = NULL;
    size_t n = 0;
    if (folder->staging != NULL &&
        ss__list_folder(folder->staging, &names, &n, NULL) == SS_OK) {
        for (size_t i = 0; i < n; i++) {
            char *path = ss__path_join(folder->staging, names[i]);
            if (path != NULL) {
                unlink(path);
            }
            ss__free(path);
        }
        rmdir(folder->staging);
    }
    if (folder->was_made) {
        rmdir(folder->path);
    }
    ss__list_release(names, n);
    ss__free(folder->staging);
    *folder = (struct ss__folder){0};
}
