/* What all forms of export need: labels and ids as the sites take them, files, compression. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/output.h"
#include "base/utf8.h"
#include "run/export.h"

enum { MAX_LABEL_UNITS = 512 };

struct ss_text ss_run_export_label(struct ss_text label)
{
    size_t n_units = 0;
    size_t at = 0;
    while (at < label.n_bytes) {
        uint32_t code_point = 0;
        const size_t n = ss__utf8_decode(label.data + at, label.n_bytes - at, &code_point);
        n_units += code_point > 0xFFFF ? 2 : 1;
        if (n == 0 || n_units > MAX_LABEL_UNITS) {
            break;
        }
        at += n;
    }
    return (struct ss_text){label.data, at};
}

ss_status ss_run_export_source_parse(const char *id, struct ss_run_export_source *source,
                                     ss_err *err)
{
    const size_t n_digits = strspn(id, "0123456789");
    const char *set = id + n_digits + 1;
    if (n_digits == 0 || n_digits > 3 || id[n_digits] != '-' || *set == '\0' || *set == '_') {
        return ss__fail(err, SS_E_USAGE,
                        "`source_id`: \"%s\" is not LAYER-SET or LAYER-SET__SUFFIX, such as "
                        "0-sae",
                        id);
    }
    const char *suffix = strstr(set, "__");
    *source = (struct ss_run_export_source){.layer = strtoull(id, NULL, 10)};
    source->set = (struct ss_text){set, suffix == NULL ? strlen(set) : (size_t)(suffix - set)};
    if (suffix != NULL) {
        source->suffix = (struct ss_text){suffix + 2, strlen(suffix + 2)};
    }
    return SS_OK;
}

/* gzip without a time or a name, so that equal lines are equal files. */
ss_status ss_run_export_gzip(const struct ss__buf *lines, struct ss__buf *bytes, ss_err *err)
{
    z_stream stream = {0};
    if (lines->n_bytes > UINT32_MAX / 2 ||
        deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return ss__fail_nomem(err, "compression");
    }
    const size_t n_most = deflateBound(&stream, (uLong)lines->n_bytes);
    char *out = ss__buf_reserve(bytes, n_most);
    if (out != NULL) {
        stream.next_in = (Bytef *)(uintptr_t)lines->data;
        stream.avail_in = (uInt)lines->n_bytes;
        stream.next_out = (Bytef *)out;
        stream.avail_out = (uInt)n_most;
        (void)deflate(&stream, Z_FINISH); /* has room for all of it */
        bytes->n_bytes += stream.total_out;
    }
    (void)deflateEnd(&stream);
    return ss__buf_check(bytes, err);
}

ss_status ss_run_export_file(struct ss_run_exporting *exporting, const char *name,
                             const struct ss__buf *bytes, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__out out = SS__OUT_CLOSED;
    char *path = ss__path_join(exporting->dir, name);
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss__out_open_named(path, exporting->options->force, &out, err));
    SS_TRY(ss__out_write(&out, bytes->data, bytes->n_bytes, err));
    SS_TRY(ss__out_commit(&out, err));
    exporting->n_files++;
out:
    ss__out_abort(&out);
    ss__free(path);
    return status;
}
