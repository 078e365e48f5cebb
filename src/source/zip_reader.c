/* The content of one zip entry as a stream: stored bytes, or deflate (RFC 1951) unpacked on the
 * way; its size and CRC-32 are checked at the end.
 *
 * The declared size bounds what is unpacked: no more than it is ever written, and one byte more
 * is asked for at the end, so that an entry which goes on is told from one that ends. What an
 * entry may declare is bounded by its packed size. */
#include <string.h>

#include <zlib.h>

#include "base/mem.h"
#include "source/zip.h"

enum {
    MAX_STEP_BYTES = 1 << 30,
    MAX_RATIO = 1000,          /* deflate itself ends at 1032; real data stays far below */
    FREE_RATIO_BYTES = 1 << 20 /* below this size the ratio does not matter */
};

struct ss_source_zip_reader {
    const struct ss_source_zip_record *record;
    const char *file;
    const uint8_t *from;
    uint64_t n_from, n_done; /* packed bytes that are left, bytes that were given */
    uint32_t sum;
    bool started, ended; /* the stream is, the entry has */
    z_stream stream;
};

static ss_status bad_content(const struct ss_source_zip_reader *reader, const char *what,
                             ss_err *err)
{
    return ss__fail_file(err, reader->file, SS_E_DATA, "entry '%.200s' %s",
                         reader->record->name, what);
}

/* The end of the content: all packed bytes were used, and what came of them is what was
 * declared. */
static ss_status finish(struct ss_source_zip_reader *reader, ss_err *err)
{
    const struct ss_source_zip_record *record = reader->record;
    reader->ended = true;
    if (reader->n_from != 0 || reader->n_done != record->n_bytes) {
        return bad_content(reader, "does not unpack to its declared size", err);
    }
    if (reader->sum != record->crc32) {
        return ss__fail_file(err, reader->file, SS_E_DATA,
                             "entry '%.200s' is damaged: its CRC-32 is %08x, expected %08x",
                             record->name, (unsigned)reader->sum, (unsigned)record->crc32);
    }
    return SS_OK;
}

static void advance(struct ss_source_zip_reader *reader, const uint8_t *made, size_t n_made,
                    size_t n_taken)
{
    reader->sum = (uint32_t)crc32_z(reader->sum, made, n_made);
    reader->from += n_taken;
    reader->n_from -= n_taken;
    reader->n_done += n_made;
}

static ss_status read_stored(struct ss_source_zip_reader *reader, uint8_t *out, size_t n,
                             size_t *n_read, ss_err *err)
{
    *n_read = ss__min_size(n, (size_t)reader->n_from);
    if (*n_read > 0) {
        memcpy(out, reader->from, *n_read);
        advance(reader, out, *n_read, *n_read);
    }
    return reader->n_from == 0 ? finish(reader, err) : SS_OK;
}

/* One call of the inflater. */
static ss_status read_deflated(struct ss_source_zip_reader *reader, uint8_t *out, size_t n,
                               size_t *n_read, ss_err *err)
{
    z_stream *stream = &reader->stream;
    uint8_t surplus = 0;
    const uint64_t n_left = reader->record->n_bytes - reader->n_done;
    const size_t n_in = ss__min_size((size_t)reader->n_from, MAX_STEP_BYTES);
    const size_t capacity_left = ss__min_size(ss__min_size(n, (size_t)n_left), MAX_STEP_BYTES);
    stream->next_in = (Bytef *)(uintptr_t)reader->from;
    stream->avail_in = (uInt)n_in;
    /* With no room left one byte more is asked for, so that a surplus shows. */
    stream->next_out = capacity_left == 0 ? &surplus : out;
    stream->avail_out = (uInt)(capacity_left == 0 ? 1 : capacity_left);
    const size_t n_asked = stream->avail_out;
    const int code = inflate(stream, Z_NO_FLUSH);
    const size_t n_taken = n_in - stream->avail_in, n_made = n_asked - stream->avail_out;
    if (code == Z_MEM_ERROR) {
        return ss__fail_nomem(err, "an entry");
    }
    if (n_made > capacity_left) {
        return bad_content(reader, "unpacks to more than its declared size", err);
    }
    if ((code != Z_OK && code != Z_STREAM_END) ||
        (n_taken == 0 && n_made == 0 && code == Z_OK)) {
        return bad_content(reader, "is not a whole deflate stream", err);
    }
    advance(reader, out, n_made, n_taken);
    *n_read = n_made;
    return code == Z_STREAM_END ? finish(reader, err) : SS_OK;
}

ss_status ss_source_zip_reader_open(const struct ss_source_zip_record *record, const char *file,
                                    struct ss_source_zip_reader **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_source_zip_reader *reader = NULL;
    *out = NULL;
    SS_ALLOC(reader, 1);
    *reader = (struct ss_source_zip_reader){
        .record = record, .file = file, .from = record->packed, .n_from = record->n_packed};
    if (record->n_bytes > FREE_RATIO_BYTES && record->n_bytes / MAX_RATIO > record->n_packed) {
        SS_FAIL_FILE(file, SS_E_LIMIT,
                     "entry '%.200s' claims to unpack %llu bytes to %llu, over the limit of %d "
                     "to 1",
                     record->name, (unsigned long long)record->n_packed,
                     (unsigned long long)record->n_bytes, MAX_RATIO);
    }
    if (record->method == SS_SOURCE_ZIP_DEFLATED) {
        if (inflateInit2(&reader->stream, -MAX_WBITS) != Z_OK) {
            SS_TRY(ss__fail_nomem(err, "an entry"));
        }
        reader->started = true;
    }
    *out = reader;
    reader = NULL;
out:
    ss_source_zip_reader_close(reader);
    return status;
}

ss_status ss_source_zip_reader_read(struct ss_source_zip_reader *reader, void *out, size_t n,
                                    size_t *n_read, ss_err *err)
{
    ss_status status = SS_OK;
    *n_read = 0;
    while (status == SS_OK && *n_read == 0 && !reader->ended) {
        status = reader->started ? read_deflated(reader, out, n, n_read, err)
                                 : read_stored(reader, out, n, n_read, err);
    }
    return status;
}

void ss_source_zip_reader_close(struct ss_source_zip_reader *reader)
{
    if (reader != NULL && reader->started) {
        inflateEnd(&reader->stream);
    }
    ss__free(reader);
}
