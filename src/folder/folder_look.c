/* What a folder is to somebody who only looks: a whole run, one under way, or what a dead one
 * left.
 *
 * A writer holds a lock on its staging folder (folder.c). Trying for that lock would tell,
 * but for the moment of the try nobody else could have it, and a run that starts just then
 * would fail. So the list of locks that the kernel shows is read instead. Nothing is removed
 * here, whatever is found. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "folder/snapshot.h"

enum { LINE_BYTES = 256, PLACE_BYTES = 64 };

/* Whether somebody holds the lock of a folder, by the kernel's list: trying for it would be in the way
 * of who wants it. */
static bool is_locked(const char *folder)
{
    char line[LINE_BYTES], place[PLACE_BYTES];
    struct stat facts;
    bool found = false;
    char *path = ss__path_join(folder, SS_FOLDER_LOCK);
    FILE *locks = path != NULL && stat(path, &facts) == 0 ? fopen("/proc/locks", "re") : NULL;
    ss__free(path);
    if (locks == NULL) {
        return false;
    }
    ss__snprintf(place, sizeof place, " %02x:%02x:%llu ", major(facts.st_dev),
                 minor(facts.st_dev), (unsigned long long)facts.st_ino);
    while (!found && fgets(line, sizeof line, locks) != NULL) {
        found = strstr(line, " FLOCK ") != NULL && strstr(line, place) != NULL;
    }
    (void)fclose(locks);
    return found;
}

static ss_status find_snapshot(const char *folder, bool *has_staging, char **snapshot,
                               ss_err *err)
{
    ss_status status = SS_OK;
    char **names = NULL, *staging = NULL;
    size_t n = 0;
    SS_TRY(ss__list_folder(folder, &names, &n, err));
    for (size_t i = 0; i < n && *snapshot == NULL; i++) {
        if (!ss_folder_is_staging(names[i])) {
            continue;
        }
        *has_staging = true;
        ss__free(staging);
        staging = ss__path_join(folder, names[i]);
        if (staging == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        if (ss__path_look_in(staging, SS_FOLDER_FILE_SNAPSHOT) != SS__PATH_NONE) {
            *snapshot = ss__path_join(staging, SS_FOLDER_FILE_SNAPSHOT);
        }
    }
out:
    ss__free(staging);
    ss__list_release(names, n);
    return status;
}

ss_status ss_folder_look(const char *path, ss_folder_state *state, char **snapshot, ss_err *err)
{
    bool has_staging = false;
    *state = SS_FOLDER_NONE;
    *snapshot = NULL;
    if (ss__path_stat(path) != SS__PATH_FOLDER) {
        return SS_OK;
    }
    if (ss__path_look_in(path, SS_FOLDER_FILE_MANIFEST) != SS__PATH_NONE) {
        *state = SS_FOLDER_COMPLETE;
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(find_snapshot(path, &has_staging, snapshot, err));
    if (has_staging) {
        *state = is_locked(path) ? SS_FOLDER_WRITTEN : SS_FOLDER_INTERRUPTED;
    }
    return SS_OK;
}
