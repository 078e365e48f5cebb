#include "base/lfs.h"

#include <string.h>

/* The rest of a line that begins with `key`, else NULL. */
static const char *line_value(const char *line, size_t n, const char *key)
{
    const size_t n_key = strlen(key);
    return n >= n_key && memcmp(line, key, n_key) == 0 ? line + n_key : NULL;
}

static bool is_version(const char *line, size_t n)
{
    static const char *const versions[] = {"version https://git-lfs.github.com/spec/v",
                                           "version https://hawser.github.com/spec/v",
                                           "version http://git-media.io/v/"};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        if (line_value(line, n, versions[i]) != NULL) {
            return true;
        }
    }
    return false;
}

bool ss__lfs_is_pointer(const void *data, size_t n_bytes)
{
    const char *line = data, *end = line + n_bytes;
    bool has_oid = false, has_size = false;
    if (n_bytes >= SS__LFS_MAX_BYTES || !is_version(line, n_bytes)) {
        return false;
    }
    while (line < end) {
        const char *feed = memchr(line, '\n', (size_t)(end - line));
        const char *line_end = feed == NULL ? end : feed;
        has_oid |= line_value(line, (size_t)(line_end - line), "oid ") != NULL;
        has_size |= line_value(line, (size_t)(line_end - line), "size ") != NULL;
        line = feed == NULL ? end : feed + 1;
    }
    return has_oid && has_size;
}

ss_status ss__lfs_check(const char *file, const void *data, size_t n_bytes, ss_err *err)
{
    return !ss__lfs_is_pointer(data, n_bytes)
               ? SS_OK
               : ss__fail_file(err, file, SS_E_DATA,
                               "this is the pointer of a large-file store (Git LFS), not the "
                               "file itself; bring its content with 'git lfs pull'");
}
