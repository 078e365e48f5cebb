/* JSON documents from files: whole and at most SS__JSON_MAX_BYTES, for a config is small and a
 * file that claims to be one may be anything. */
#include "base/file.h"
#include "base/json.h"

ss_status ss__json_load(const char *path, struct ss__json **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf text = {0};
    *out = NULL;
    SS_TRY(ss__file_read(path, SS__JSON_MAX_BYTES, &text, err));
    SS_TRY(ss__json_parse(path, text.data == NULL ? "" : text.data, text.n_bytes, out, err));
    if (!ss__json_is_object(*out) && !ss__json_is_array(*out)) {
        ss__json_free(*out);
        *out = NULL;
        SS_FAIL_FILE(path, SS_E_DATA, "expected a JSON object at the top level");
    }
out:
    ss__buf_release(&text);
    return status;
}

ss_status ss__json_load_optional(const char *path, struct ss__json **out, ss_err *err)
{
    const ss__path_kind kind = ss__path_stat(path);
    *out = NULL;
    return kind == SS__PATH_NONE     ? SS_OK
           : kind == SS__PATH_BROKEN ? ss__fail_broken(err, path)
                                     : ss__json_load(path, out, err);
}
