/* Told by the form of the whole text and never by a name, since every kind of file may be a
 * pointer. */
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

static bool is_lfs(const char *line, const char *end)
{
    bool has_oid = false, has_size = false;
    if (!is_version(line, (size_t)(end - line))) {
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

/* One line, /annex/objects/ and a key: BACKEND-sSIZE--HASH, with an extension or not. Git's own
 * folder stands before it where the content is a link. */
static bool is_annex(const char *text, const char *end)
{
    static const char place[] = "/annex/objects/";
    const char *feed = memchr(text, '\n', (size_t)(end - text));
    const char *line_end = feed == NULL ? end : feed;
    const char *key = memmem(text, (size_t)(line_end - text), place, sizeof place - 1);
    return key != NULL && (key == text || memchr(text, ' ', (size_t)(key - text)) == NULL) &&
           memmem(key, (size_t)(line_end - key), "--", 2) != NULL &&
           (feed == NULL || feed + 1 == end);
}

bool ss__lfs_is_pointer(const void *data, size_t n_bytes)
{
    const char *text = data, *end = text + n_bytes;
    return n_bytes > 0 && n_bytes < SS__LFS_MAX_BYTES &&
           (is_lfs(text, end) || is_annex(text, end));
}

ss_status ss__lfs_check(const char *file, const void *data, size_t n_bytes, ss_err *err)
{
    const char *text = data;
    if (!ss__lfs_is_pointer(data, n_bytes)) {
        return SS_OK;
    }
    return is_lfs(text, text + n_bytes)
               ? ss__fail_file(err, file, SS_E_DATA,
                               "this is the pointer of a large-file store (Git LFS), not the "
                               "file itself; bring its content with 'git lfs pull'")
               : ss__fail_file(err, file, SS_E_DATA,
                               "this is the pointer of a large-file store (git-annex), not "
                               "the file itself; bring its content with 'git annex get'");
}
