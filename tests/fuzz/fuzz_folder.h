/* Files of a fuzz target. They lie in $SS_FUZZ_FOLDER, which scripts/fuzz.sh makes and removes
 * (libFuzzer leaves without running exit handlers); where a target is run by hand, in a folder
 * of its own that it leaves behind. Names are fixed, so that a run can be repeated. */
#ifndef SS_FUZZ_FOLDER_H
#define SS_FUZZ_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FUZZ_PATH_BYTES = 256 };

static inline const char *fuzz_folder(void)
{
    static char own[] = "/tmp/saescope-fuzz-XXXXXX";
    static const char *folder;
    if (folder == NULL) {
        folder = getenv("SS_FUZZ_FOLDER");
        folder = folder == NULL ? mkdtemp(own) : folder;
    }
    if (folder == NULL || strlen(folder) > FUZZ_PATH_BYTES / 2) {
        abort();
    }
    return folder;
}

static inline const char *fuzz_path(const char *name, char path[FUZZ_PATH_BYTES])
{
    snprintf(path, FUZZ_PATH_BYTES, "%s/%s", fuzz_folder(), name);
    return path;
}

static inline void fuzz_drop(const char *name)
{
    char path[FUZZ_PATH_BYTES];
    (void)unlink(fuzz_path(name, path));
}

/* Not the library's writing, which waits for the disk; nor is an old file cut and written anew,
 * which on ext4 does too. */
static inline void fuzz_put(const char *name, const void *data, size_t n_bytes)
{
    char path[FUZZ_PATH_BYTES];
    fuzz_drop(name);
    FILE *file = fopen(fuzz_path(name, path), "wb");
    if (file == NULL || (n_bytes > 0 && fwrite(data, 1, n_bytes, file) != n_bytes) ||
        fclose(file) != 0) {
        abort();
    }
}

#endif
