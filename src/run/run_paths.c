/* Where the files that a run recorded are now. */
#include "run/run_paths.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

/* The folder of a path, whole; false where it is not there. */
static bool find_folder(const char *path, char whole[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    char *folder = ss__strdup(slash == NULL ? "." : path);
    if (folder != NULL && slash != NULL) {
        folder[slash - path + 1] = '\0';
    }
    const bool found = folder != NULL && realpath(folder, whole) != NULL;
    ss__free(folder);
    return found;
}

/* Cut the last component off; false at the root. */
static bool go_up(char *folder)
{
    char *slash = strrchr(folder, '/');
    if (slash == NULL || folder[1] == '\0') {
        return false;
    }
    slash[slash == folder ? 1 : 0] = '\0';
    return true;
}

char *ss_run_path_find(const char *manifest, const char *recorded)
{
    if (recorded[0] == '/' || ss__path_stat(recorded) != SS__PATH_NONE) {
        return ss__strdup(recorded);
    }
    char folder[PATH_MAX];
    for (bool is_there = find_folder(manifest, folder); is_there; is_there = go_up(folder)) {
        char *path = ss__path_join(folder, recorded);
        if (path == NULL || ss__path_stat(path) != SS__PATH_NONE) {
            return path;
        }
        ss__free(path);
    }
    return ss__strdup(recorded);
}
