/* Files are made in RUN/.unfinished.…, each flushed; then the old run.json is taken away, and so
 * is what else the new run does not have; the other files are moved in, and run.json comes last.
 * Whatever ends the process between two of these steps, a folder with a run.json is a whole one.
 * Since the old one is gone by then, ss_folder_recover goes on with the moving; a mark in the
 * staging folder tells how far it was. */
#include "folder/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/output.h"

enum { MAX_TRIES = 100 };

static const struct ss__temporary_kind staging_kind = {".unfinished.", ""};

/* ---- what lies in the folder ---- */

/* A name that cannot be looked at is neither: what is left out or removed for it would be lost. */
enum presence { ABSENT, PRESENT, UNKNOWN };

static enum presence look_for(int folder, const char *name)
{
    struct stat facts;
    if (fstatat(folder, name, &facts, AT_SYMLINK_NOFOLLOW) == 0) {
        return PRESENT;
    }
    return errno == ENOENT || errno == ENOTDIR ? ABSENT : UNKNOWN;
}

bool ss_folder_is_staging(const char *name)
{
    return ss__temporary_is_name(&staging_kind, name);
}

/* Names that stand while a run is under way. */
static bool is_ours(const char *name)
{
    return strcmp(name, SS_FOLDER_LOCK) == 0 || strcmp(name, SS_FOLDER_CHECKPOINT_NAME) == 0 ||
           ss_folder_is_staging(name);
}

/* Refuse a folder with content, but for names of runs under way. */
static ss_status refuse_content(const char *path, bool has_locks, ss_err *err)
{
    ss_status status = SS_OK;
    char **names = NULL;
    size_t n = 0;
    SS_TRY(ss__list_folder(path, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (!has_locks || !is_ours(names[i])) {
            SS_FAIL_FILE(path, SS_E_EXISTS,
                         "this folder is not empty ('%.80s' is there); name another one, or "
                         "replace its results with `force`",
                         names[i]);
        }
    }
out:
    ss__list_release(names, n);
    return status;
}

/* The same before the lock is held: where a run is under way or has died, it comes later. */
static ss_status refuse_content_early(const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    char **names = NULL;
    size_t n = 0, n_ours = 0;
    SS_TRY(ss__list_folder(path, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        n_ours += is_ours(names[i]) || ss__temporary_is_name(&ss__temporary_file, names[i]);
    }
    SS_TRY(n_ours == 0 ? refuse_content(path, true, err) : SS_OK);
out:
    ss__list_release(names, n);
    return status;
}

/* ---- folders in the folder ---- */

enum { SUBFOLDER_BYTES = 64 };

/* The folder that a name is in; false where it is in none. */
static bool subfolder_of(const char *name, char out[SUBFOLDER_BYTES])
{
    const char *slash = strchr(name, '/');
    if (slash == NULL || slash - name >= SUBFOLDER_BYTES) {
        return false;
    }
    memcpy(out, name, (size_t)(slash - name));
    out[slash - name] = '\0';
    return true;
}

/* Make the folder of a name. A link in its place is not followed. */
static ss_status make_subfolder(const struct ss_folder *folder, int in, const char *name,
                                ss_err *err)
{
    char sub[SUBFOLDER_BYTES];
    struct stat facts;
    if (!subfolder_of(name, sub) || mkdirat(in, sub, 0777) == 0) {
        return SS_OK;
    }
    if (errno != EEXIST) {
        return ss__fail_errno(err, folder->path, "create a folder in this folder", errno);
    }
    return fstatat(in, sub, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(facts.st_mode)
               ? SS_OK
               : ss__fail_file(err, folder->path, SS_E_EXISTS,
                               "'%s' in it is not a folder; remove it, or name another place",
                               sub);
}

static ss_status make_subfolders(const struct ss_folder *folder, int in, ss_err *err)
{
    ss_status status = SS_OK;
    for (size_t i = 0; folder->files[i] != NULL && status == SS_OK; i++) {
        status = make_subfolder(folder, in, folder->files[i], err);
    }
    return status;
}

/* Remove the folders of names as far as they are empty. */
static void remove_subfolders(const struct ss_folder *folder, int in)
{
    char sub[SUBFOLDER_BYTES];
    for (size_t i = 0; folder->files[i] != NULL; i++) {
        if (subfolder_of(folder->files[i], sub)) {
            unlinkat(in, sub, AT_REMOVEDIR);
        }
    }
}

static ss_status flush_subfolders(const struct ss_folder *folder, int in, ss_err *err)
{
    ss_status status = SS_OK;
    char sub[SUBFOLDER_BYTES];
    for (size_t i = 0; folder->files[i] != NULL && status == SS_OK; i++) {
        const int descriptor =
            subfolder_of(folder->files[i], sub)
                ? openat(in, sub, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                : -1;
        if (descriptor >= 0) {
            status = ss__flush_folder(descriptor, folder->path, err);
            close(descriptor);
        }
    }
    return status;
}

/* ---- the lock ---- */

/* The lock's file is removed by its holder: only what still has the name is the lock. */
static bool is_current(int folder, const struct stat *held)
{
    struct stat named;
    return fstatat(folder, SS_FOLDER_LOCK, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           held->st_dev == named.st_dev && held->st_ino == named.st_ino;
}

static ss_status take_lock(struct ss_folder *folder, ss_err *err)
{
    const int in = folder->descriptor - 1;
    const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    for (int i = 0; i < MAX_TRIES; i++) {
        const int lock = openat(in, SS_FOLDER_LOCK, flags, 0666);
        if (lock < 0) {
            return ss__fail_errno(err, folder->path, "create a file in this folder", errno);
        }
        struct stat held;
        if (fstat(lock, &held) != 0) {
            ss__fail_errno(err, folder->path, "use a file in this folder", errno);
            unlinkat(in, SS_FOLDER_LOCK, 0);
            close(lock);
            return SS_E_IO;
        }
        const ss__lock_state state = ss__lock_try(lock);
        if (state == SS__LOCK_HELD && is_current(in, &held)) {
            folder->lock = lock + 1;
            return SS_OK;
        }
        if (state == SS__LOCK_UNKNOWN) {
            unlinkat(in, SS_FOLDER_LOCK, 0);
        }
        close(lock);
        if (state == SS__LOCK_UNKNOWN) {
            return SS_OK; /* go without */
        }
        if (state == SS__LOCK_TAKEN) {
            break;
        }
    }
    return ss__fail_file(err, folder->path, SS_E_EXISTS,
                         "another saescope is writing into this folder; wait until it is done, "
                         "or name another one");
}

/* ---- into place ---- */

static const char mark_dropping[] = ".dropping", mark_moving[] = ".moving";

static ss_status put_mark(const struct ss_folder *folder, int staging, ss_err *err)
{
    const int mark = openat(staging, mark_dropping, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (mark < 0) {
        return ss__fail_errno(err, folder->path, "create a file in this folder", errno);
    }
    close(mark);
    return ss__flush_folder(staging, folder->path, err);
}

static ss_status drop_old(const struct ss_folder *folder, const char *name, ss_err *err)
{
    return unlinkat(folder->descriptor - 1, name, 0) == 0 || errno == ENOENT || errno == ENOTDIR
               ? SS_OK
               : ss__fail_file(err, folder->path, SS_E_IO, "cannot remove the old %s: %s", name,
                               strerrordesc_np(errno));
}

static ss_status move(struct ss_folder *folder, int staging, size_t i, ss_err *err)
{
    const char *name = folder->files[i];
    SS_RETURN_IF_ERROR(make_subfolder(folder, folder->descriptor - 1, name, err));
    if (renameat(staging, name, folder->descriptor - 1, name) != 0) {
        return ss__fail_file(err, folder->path, SS_E_IO, "cannot move %s into place: %s", name,
                             strerrordesc_np(errno));
    }
    folder->placed |= UINT64_C(1) << i;
    return SS_OK;
}

static size_t last_of(const struct ss_folder *folder)
{
    size_t last = 0;
    while (folder->files[last + 1] != NULL) {
        last++;
    }
    return last;
}

static ss_status fail_look(const struct ss_folder *folder, const char *name, ss_err *err)
{
    return ss__fail_file(err, folder->path, SS_E_IO, "cannot look at the new %s: %s", name,
                         strerrordesc_np(errno));
}

/* A folder without its last file is known to be incomplete, after a power cut too. */
static ss_status drop_all_old(const struct ss_folder *folder, int staging, ss_err *err)
{
    const int in = folder->descriptor - 1;
    const size_t last = last_of(folder);
    SS_RETURN_IF_ERROR(drop_old(folder, folder->files[last], err));
    SS_RETURN_IF_ERROR(ss__flush_folder(in, folder->path, err));
    for (size_t i = 0; i < last; i++) {
        const enum presence is = look_for(staging, folder->files[i]);
        SS_RETURN_IF_ERROR(is == UNKNOWN ? fail_look(folder, folder->files[i], err) : SS_OK);
        SS_RETURN_IF_ERROR(is == ABSENT ? drop_old(folder, folder->files[i], err) : SS_OK);
    }
    SS_RETURN_IF_ERROR(ss__flush_folder(in, folder->path, err));
    if (renameat(staging, mark_dropping, staging, mark_moving) != 0) {
        return ss__fail_errno(err, folder->path, "rename a file in this folder", errno);
    }
    return ss__flush_folder(staging, folder->path, err);
}

static ss_status move_all(struct ss_folder *folder, int staging, ss_err *err)
{
    const int in = folder->descriptor - 1;
    const size_t last = last_of(folder);
    for (size_t i = 0; i < last; i++) {
        const enum presence is = look_for(staging, folder->files[i]);
        SS_RETURN_IF_ERROR(is == UNKNOWN ? fail_look(folder, folder->files[i], err) : SS_OK);
        SS_RETURN_IF_ERROR(is == PRESENT ? move(folder, staging, i, err) : SS_OK);
    }
    remove_subfolders(folder, in); /* of those that went */
    SS_RETURN_IF_ERROR(flush_subfolders(folder, in, err));
    SS_RETURN_IF_ERROR(ss__flush_folder(in, folder->path, err));
    SS_RETURN_IF_ERROR(move(folder, staging, last, err));
    folder->placed = 0; /* all is there, and stays */
    folder->n_made = 0;
    return ss__flush_folder(in, folder->path, err);
}

/* Go on where a run died that was putting its files in place. */
static ss_status complete(struct ss_folder *folder, int staging, ss_err *err)
{
    const bool is_dropping = look_for(staging, mark_dropping) == PRESENT;
    if ((!is_dropping && look_for(staging, mark_moving) != PRESENT) ||
        look_for(staging, folder->files[last_of(folder)]) != PRESENT) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(is_dropping ? drop_all_old(folder, staging, err) : SS_OK);
    return move_all(folder, staging, err);
}

/* ---- what a dead run left ---- */

/* Remove what a folder holds, folders in it aside. */
static void empty_folder(int descriptor)
{
    const int again = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = again < 0 ? NULL : fdopendir(again);
    if (listing == NULL) {
        if (again >= 0) {
            close(again);
        }
        return;
    }
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        unlinkat(descriptor, entry->d_name, 0);
    }
    closedir(listing);
}

/* Remove the folders of names with what they hold. */
static void empty_subfolders(const struct ss_folder *folder, int in)
{
    char sub[SUBFOLDER_BYTES];
    for (size_t i = 0; folder->files[i] != NULL; i++) {
        const int descriptor =
            subfolder_of(folder->files[i], sub)
                ? openat(in, sub, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                : -1;
        if (descriptor >= 0) {
            empty_folder(descriptor);
            close(descriptor);
        }
    }
    remove_subfolders(folder, in);
}

/* It was killed while it put its files in place, if its manifest is still in its staging folder
 * and there is none outside. Files that it has no more in there are those it had moved. */
static void take_back(const struct ss_folder *folder, int staging)
{
    size_t last = 0;
    while (folder->files[last + 1] != NULL) {
        last++;
    }
    if (look_for(staging, folder->files[last]) != PRESENT ||
        look_for(folder->descriptor - 1, folder->files[last]) != ABSENT) {
        return;
    }
    for (size_t i = 0; i < last; i++) {
        if (look_for(staging, folder->files[i]) == ABSENT) {
            unlinkat(folder->descriptor - 1, folder->files[i], 0);
        }
    }
    remove_subfolders(folder, folder->descriptor - 1);
}

/* Under the lock no run is alive in here. Best effort: what stays is said as content. */
static void sweep(struct ss_folder *folder, bool completes)
{
    char **names = NULL;
    size_t n = 0;
    if (ss__list_folder(folder->path, &names, &n, NULL) != SS_OK) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const int staging = ss__temporary_is_name(&staging_kind, names[i])
                                ? openat(folder->descriptor - 1, names[i],
                                         O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                                : -1;
        if (staging >= 0) {
            (void)!(completes ? complete(folder, staging, NULL) : SS_OK);
            folder->placed = 0;
            take_back(folder, staging);
            empty_subfolders(folder, staging);
            empty_folder(staging);
            close(staging);
            unlinkat(folder->descriptor - 1, names[i], AT_REMOVEDIR);
        }
    }
    ss__list_release(names, n);
}

/* ---- opening ---- */

static ss_status open_folder(const char *path, bool force, struct ss_folder *folder,
                             ss_err *err)
{
    const ss__path_kind kind = ss__path_stat(path);
    if (kind == SS__PATH_FILE || kind == SS__PATH_OTHER) {
        return ss__fail_file(err, path, SS_E_EXISTS,
                             "this is not a folder; name another folder for results");
    }
    if (kind == SS__PATH_FOLDER && !force) {
        SS_RETURN_IF_ERROR(refuse_content_early(path, err));
    }
    folder->path = ss__strdup(path);
    if (folder->path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    SS_RETURN_IF_ERROR(ss__make_folder(path, &folder->n_made, err));
    folder->descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) + 1;
    if (folder->descriptor == 0) {
        ss__fail_errno(err, path, "use this folder", errno);
        SS_RETURN_IF_ERROR(SS_E_IO);
    }
    return SS_OK;
}

static ss_status make_staging(struct ss_folder *folder, ss_err *err)
{
    ss_status status = SS_OK;
    char name[SS__TEMPORARY_NAME_BYTES];
    int made = -1;
    for (int i = 0; i < MAX_TRIES && made != 0 && (i == 0 || errno == EEXIST); i++) {
        ss__temporary_name(&staging_kind, name);
        made = mkdirat(folder->descriptor - 1, name, 0777);
    }
    if (made != 0) {
        SS_TRY(ss__fail_errno(err, folder->path, "create a folder in this folder", errno));
    }
    folder->staging = ss__path_join(folder->path, name);
    folder->staging_descriptor =
        openat(folder->descriptor - 1, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) +
        1;
    if (folder->staging == NULL || folder->staging_descriptor == 0) {
        status = folder->staging == NULL
                     ? ss__fail_nomem(err, "a path")
                     : ss__fail_errno(err, folder->path, "use a folder in this folder", errno);
        if (folder->staging_descriptor > 0) {
            close(folder->staging_descriptor - 1);
            folder->staging_descriptor = 0;
        }
        unlinkat(folder->descriptor - 1, name, AT_REMOVEDIR);
        if (folder->staging_descriptor > 0) { /* without a name there is nothing to abort */
            close(folder->staging_descriptor - 1);
            folder->staging_descriptor = 0;
        }
        goto out;
    }
    SS_TRY(make_subfolders(folder, folder->staging_descriptor - 1, err));
out:
    return status;
}

ss_status ss_folder_open(const char *path, const char *const *files, bool force,
                         struct ss_folder *folder, ss_err *err)
{
    ss_status status = SS_OK;
    *folder = (struct ss_folder){.files = files};
    SS_TRY(open_folder(path, force, folder, err));
    SS_TRY(take_lock(folder, err));
    if (folder->lock > 0) {
        sweep(folder, false);
        (void)ss__temporary_remove_stale(folder->descriptor - 1);
    }
    if (!force) { /* somebody may have finished since the first look */
        SS_TRY(refuse_content(path, folder->lock > 0, err));
    }
    SS_TRY(make_staging(folder, err));
out:
    if (status != SS_OK) {
        ss_folder_abort(folder);
    }
    return status;
}

/* Whether a dead run may have left something in a folder that nobody goes on with. */
static bool has_remains(const char *path)
{
    char **names = NULL;
    size_t n = 0;
    bool has = false;
    if (ss__path_stat(path) != SS__PATH_FOLDER ||
        ss__list_folder(path, &names, &n, NULL) != SS_OK) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        has = has || ss_folder_is_staging(names[i]) || strcmp(names[i], SS_FOLDER_LOCK) == 0 ||
              ss__temporary_is_name(&ss__temporary_file, names[i]);
    }
    ss__list_release(names, n);
    return has;
}

void ss_folder_recover(const char *path, const char *const *files)
{
    struct ss_folder folder = {.files = files};
    if (has_remains(path) && open_folder(path, true, &folder, NULL) == SS_OK &&
        take_lock(&folder, NULL) == SS_OK && folder.lock > 0) {
        sweep(&folder, true);
        (void)ss__temporary_remove_stale(folder.descriptor - 1);
    }
    ss_folder_abort(&folder);
}

char *ss_folder_file(const struct ss_folder *folder, const char *name)
{
    return ss__path_join(folder->staging, name);
}

void ss_folder_fix_error_path(const struct ss_folder *folder, ss_err *err)
{
    char text[sizeof err->message];
    const size_t n = folder->staging == NULL ? 0 : strlen(folder->staging);
    if (err == NULL || n == 0 || strncmp(err->message, folder->staging, n) != 0) {
        return;
    }
    snprintf(text, sizeof text, "%s%s", folder->path, err->message + n);
    memcpy(err->message, text, sizeof text);
    snprintf(text, sizeof err->file, "%s%s", folder->path, err->file + n);
    memcpy(err->file, text, sizeof err->file);
}

/* ---- the end ---- */

ss_status ss_folder_commit(struct ss_folder *folder, ss_err *err)
{
    const int staging = folder->staging_descriptor - 1;
    SS_RETURN_IF_ERROR(put_mark(folder, staging, err));
    SS_RETURN_IF_ERROR(drop_all_old(folder, staging, err));
    SS_RETURN_IF_ERROR(move_all(folder, staging, err));
    ss_folder_abort(folder);
    return SS_OK;
}

static void remove_files(const struct ss_folder *folder, int in, uint64_t which)
{
    for (size_t i = 0; folder->files[i] != NULL; i++) {
        if ((which >> i & 1) != 0) {
            unlinkat(in, folder->files[i], 0);
        }
    }
}

/* The descriptors are closed last: the lock, which goes with its own, guards all of it. */
void ss_folder_abort(struct ss_folder *folder)
{
    if (folder->staging_descriptor > 0) {
        remove_files(folder, folder->staging_descriptor - 1, UINT64_MAX);
        unlinkat(folder->staging_descriptor - 1, SS_FOLDER_FILE_SNAPSHOT, 0);
        unlinkat(folder->staging_descriptor - 1, mark_dropping, 0);
        unlinkat(folder->staging_descriptor - 1, mark_moving, 0);
        remove_subfolders(folder, folder->staging_descriptor - 1);
        close(folder->staging_descriptor - 1);
        unlinkat(folder->descriptor - 1, ss__path_name(folder->staging), AT_REMOVEDIR);
    }
    if (folder->placed != 0) {
        remove_files(folder, folder->descriptor - 1, folder->placed);
        remove_subfolders(folder, folder->descriptor - 1);
    }
    if (folder->lock > 0) {
        unlinkat(folder->descriptor - 1, SS_FOLDER_LOCK, 0);
    }
    if (folder->path != NULL) {
        ss__unmake_folder(folder->path, folder->n_made);
    }
    if (folder->lock > 0) {
        close(folder->lock - 1);
    }
    if (folder->descriptor > 0) {
        close(folder->descriptor - 1);
    }
    ss__free(folder->staging);
    ss__free(folder->path);
    *folder = (struct ss_folder){0};
}
