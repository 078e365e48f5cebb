/* Tables of extensions, and what they say of a file. A name only says what to try: what the
 * bytes are is decided by their first bytes (codec.c, the formats). */
#include "source/names.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"

bool ss_source_is_remote(const char *path)
{
    return strncmp(path, "hf:", 3) == 0 || ss__begin_alike_ignoring_case(path, "http://", 7) ||
           ss__begin_alike_ignoring_case(path, "https://", 8);
}

char *ss_source_file_name(const char *path)
{
    const bool is_url = ss_source_is_remote(path) && strncmp(path, "hf:", 3) != 0;
    return ss__strndup(path, is_url ? strcspn(path, "?#") : strlen(path));
}

/* ---- archives ---- */

bool ss_source_is_archive_name(const char *path)
{
    static const char *const extensions[] = {
        ".zip",  ".tar", ".tar.gz", ".tgz",    ".tar.zst",  ".tzst",   ".tar.bz2",
        ".tbz2", ".tbz", ".txz",    ".tar.xz", ".tar.zstd", ".tar.lz4"};
    const size_t n_path = strlen(path);
    bool found = false;
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
        const size_t n = strlen(extensions[i]);
        found |= n_path > n && ss__equal_ignoring_case(path + n_path - n, extensions[i]);
    }
    return found;
}

/* A folder called x.zip is a folder; a pipe may be an archive. */
bool ss_source_is_archive(const char *path)
{
    if (!ss_source_is_archive_name(path) || ss_source_is_remote(path)) {
        return false;
    }
    const ss__path_kind kind = ss__path_stat(path);
    return kind == SS__PATH_FILE || kind == SS__PATH_OTHER;
}

/* ---- compression ---- */

const char *ss_source_name_extension(const char *name, size_t n, size_t *n_extension)
{
    for (size_t at = n; at > 0; at--) {
        if (name[at - 1] == '.') {
            *n_extension = n - at;
            return name + at;
        }
    }
    *n_extension = 0;
    return "";
}

size_t ss_source_name_bytes(const char *name)
{
    static const char *const extensions[] = {"gz",  "gzip", "zst", "zstd",
                                             "bz2", "xz",   "bgz", "lz4"};
    const size_t n = strlen(name);
    size_t n_extension = 0;
    const char *extension = ss_source_name_extension(name, n, &n_extension);
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
        if (strlen(extensions[i]) == n_extension &&
            ss__begin_alike_ignoring_case(extension, extensions[i], n_extension)) {
            return n - n_extension - 1;
        }
    }
    return n;
}

bool ss_source_is_compressed_name(const char *path)
{
    const char *name = ss__path_name(path);
    return ss_source_name_bytes(name) < strlen(name);
}
