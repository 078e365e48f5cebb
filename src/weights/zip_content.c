/* The content of zip entries: unpacking with bounds, and CRC-32. */
#include <string.h>

#include <zlib.h>

#include "base/mem.h"
#include "weights/zip_priv.h"

enum {
    PIECE_BYTES = 1 << 16,
    MAX_RATIO = 1000,          /* deflate itself ends at 1032; real data stays far below */
    FREE_RATIO_BYTES = 1 << 20 /* below this size the ratio does not matter */
};

static ss_status bad_content(const struct ss__zip *zip, const struct ss__zip_record *record,
                             const char *what, ss_err *err)
{
    return ss__fail_file(err, zip->source.file, SS_E_DATA, "entry '%.200s' %s", record->name,
                         what);
}

static ss_status check_sum(const struct ss__zip *zip, const struct ss__zip_record *record,
                           uint32_t sum, ss_err *err)
{
    if (sum == record->crc32) {
        return SS_OK;
    }
    return ss__fail_file(err, zip->source.file, SS_E_DATA,
                         "entry '%.200s' is damaged: its CRC-32 is %08x, expected %08x",
                         record->name, (unsigned)sum, (unsigned)record->crc32);
}

/* ---- deflate ---- */

struct piece {
    uint8_t *data;
    size_t n;
};

/* Unpack the first n_out bytes into `out` and the rest piece by piece into `scratch`. */
static ss_status inflate_all(const struct ss__zip *zip, const struct ss__zip_record *record,
                             z_stream *stream, uint8_t *scratch, struct piece out, ss_err *err)
{
    const uint8_t *from = record->packed;
    uint64_t n_from = record->n_packed, n_done = 0;
    uint32_t sum = 0;
    for (int code = Z_OK; code != Z_STREAM_END;) {
        const size_t n_in = ss__min_size((size_t)n_from, 1 << 30);
        const bool kept = n_done < out.n;
        const uint64_t n_wanted = (kept ? out.n : record->n_bytes) - n_done;
        const size_t n_room = ss__min_size((size_t)n_wanted, PIECE_BYTES);
        uint8_t *to = kept ? out.data + n_done : scratch;
        stream->next_in = (Bytef *)(uintptr_t)from;
        stream->avail_in = (uInt)n_in;
        stream->next_out = to;
        /* With no room left one byte more is asked for, so that a surplus shows. */
        stream->avail_out = (uInt)(n_room == 0 ? 1 : n_room);
        code = inflate(stream, Z_NO_FLUSH);
        const size_t n_read = n_in - stream->avail_in;
        const size_t n_made = (size_t)(stream->next_out - to);
        if (code == Z_MEM_ERROR) {
            return ss__fail_nomem(err, "an entry");
        }
        if (n_made > n_room) {
            return bad_content(zip, record, "unpacks to more than its declared size", err);
        }
        if ((code != Z_OK && code != Z_STREAM_END) ||
            (n_read == 0 && n_made == 0 && code == Z_OK)) {
            return bad_content(zip, record, "is not a whole deflate stream", err);
        }
        sum = (uint32_t)crc32_z(sum, to, n_made);
        from += n_read;
        n_from -= n_read;
        n_done += n_made;
    }
    if (n_from != 0 || n_done != record->n_bytes) {
        return bad_content(zip, record, "does not unpack to its declared size", err);
    }
    return check_sum(zip, record, sum, err);
}

static ss_status unpack_deflated(const struct ss__zip *zip, const struct ss__zip_record *record,
                                 struct piece out, ss_err *err)
{
    ss_status status = SS_OK;
    z_stream stream = {0};
    uint8_t *scratch = NULL;
    bool started = false;
    if (record->n_bytes > FREE_RATIO_BYTES && record->n_bytes / MAX_RATIO > record->n_packed) {
        SS_FAIL_FILE(zip->source.file, SS_E_LIMIT,
                     "entry '%.200s' claims to unpack %llu bytes to %llu, over the limit of %d "
                     "to 1",
                     record->name, (unsigned long long)record->n_packed,
                     (unsigned long long)record->n_bytes, MAX_RATIO);
    }
    SS_ALLOC(scratch, PIECE_BYTES);
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
        status = ss__fail_nomem(err, "an entry");
        goto out;
    }
    started = true;
    SS_TRY(inflate_all(zip, record, &stream, scratch, out, err));
out:
    if (started) {
        inflateEnd(&stream);
    }
    ss__free(scratch);
    return status;
}

/* ---- entries ---- */

ss_status ss__zip_unpack(const struct ss__zip *zip, const struct ss__zip_record *record,
                         uint8_t *out, size_t n_out, ss_err *err)
{
    if (record->method == SS__ZIP_DEFLATED) {
        return unpack_deflated(zip, record, (struct piece){out, n_out}, err);
    }
    if (n_out > 0) {
        memcpy(out, record->packed, n_out);
    }
    return check_sum(zip, record, (uint32_t)crc32_z(0, record->packed, (size_t)record->n_bytes),
                     err);
}

ss_status ss__zip_check_all(const struct ss__zip *zip, ss_err *err)
{
    for (size_t i = 0; i < zip->n; i++) {
        const ss_status status = ss__zip_unpack(zip, &zip->records[i], NULL, 0, err);
        if (status != SS_OK) {
            return status;
        }
    }
    return SS_OK;
}

/* Unpack one entry and hand it over; *stop tells whether the caller has enough. */
static ss_status give_entry(const struct ss__zip *zip, const struct ss__zip_record *record,
                            int (*fn)(void *user, const struct ss__zip_entry *entry),
                            void *user, bool *stop, ss_err *err)
{
    ss_status status = SS_OK;
    uint8_t *unpacked = NULL;
    struct ss__zip_entry entry = {.name = record->name,
                                  .n_bytes = record->n_bytes,
                                  .crc32 = record->crc32,
                                  .data = record->packed};
    if (record->method == SS__ZIP_DEFLATED) {
        SS_ALLOC(unpacked, (size_t)record->n_bytes);
        SS_TRY(ss__zip_unpack(zip, record, unpacked, (size_t)record->n_bytes, err));
        entry.data = unpacked;
    }
    *stop = fn(user, &entry) != 0;
out:
    ss__free(unpacked);
    return status;
}

ss_status ss__zip_each_memory(const struct ss__source *source,
                              int (*fn)(void *user, const struct ss__zip_entry *entry),
                              void *user, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__zip zip = {0};
    bool stop = fn == NULL;
    SS_TRY(ss__zip_read(source, &zip, err));
    SS_TRY(ss__zip_check_all(&zip, err));
    for (size_t i = 0; i < zip.n && !stop; i++) {
        SS_TRY(give_entry(&zip, &zip.records[i], fn, user, &stop, err));
    }
out:
    ss__zip_release(&zip);
    return status;
}

ss_status ss__zip_each(const char *path,
                       int (*fn)(void *user, const struct ss__zip_entry *entry), void *user,
                       ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__map map = {0};
    SS_TRY(ss__file_map(path, &map, err));
    SS_TRY(ss__zip_each_memory(
        &(struct ss__source){.file = path, .data = map.data, .n_bytes = map.n_bytes}, fn, user,
        err));
out:
    ss__map_release(&map);
    return status;
}
