/* Which format a file has: what its first bytes say beyond doubt, then how its name ends, then
 * what its first line looks like. */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "dataset/dataset_files.h"
#include "dataset/json_scan.h"

enum { HEAD_BYTES = 64 << 10 };

/* One line per format. Names are also what the option `format` takes. */
static const struct {
    const char *names[4];   /* the reader's own first */
    const char *endings[4]; /* of files, without the dot */
    const struct ss__reader *reader;
} formats[] = {
    {{"jsonl", "ndjson"}, {"jsonl", "ndjson", "jsonlines"}, &ss__reader_jsonl},
    {{"json"}, {"json"}, &ss__reader_json},
    {{"csv"}, {"csv"}, &ss__reader_csv},
    {{"tsv"}, {"tsv", "tab"}, &ss__reader_tsv},
    {{"txt", "text"}, {"txt", "text"}, &ss__reader_txt},
    {{"parquet"}, {"parquet", "geoparquet", "gpq", "pq"}, &ss__reader_parquet},
    {{"arrow", "feather"}, {"arrow", "arrows", "feather", "ipc"}, &ss__reader_arrow},
};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

static bool is_among(const char *const names[4], const char *name, size_t n)
{
    for (size_t i = 0; i < 4 && names[i] != NULL; i++) {
        if (strlen(names[i]) == n && strncasecmp(names[i], name, n) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- by name ---- */

static const struct ss__reader *find_by_option(const char *name)
{
    for (size_t i = 0; i < N_FORMATS; i++) {
        if (is_among(formats[i].names, name, strlen(name))) {
            return formats[i].reader;
        }
    }
    return NULL;
}

/* The last ending of name[0, *n), cut off from it; "" if there is none. */
static const char *take_ending(const char *name, size_t *n, size_t *n_ending)
{
    for (size_t at = *n; at > 0; at--) {
        if (name[at - 1] == '.') {
            *n_ending = *n - at;
            *n = at - 1;
            return name + at;
        }
    }
    *n_ending = 0;
    return "";
}

const struct ss__reader *ss__format_by_name(const char *path)
{
    static const char *const packed[2][4] = {{"gz", "zst", "bz2", "xz"}, {"zstd", "bgz"}};
    const char *name = ss__path_name(path);
    size_t n = strlen(name), n_ending = 0;
    const char *ending = take_ending(name, &n, &n_ending);
    if (is_among(packed[0], ending, n_ending) || is_among(packed[1], ending, n_ending)) {
        ending = take_ending(name, &n, &n_ending);
    }
    for (size_t i = 0; i < N_FORMATS; i++) {
        if (is_among(formats[i].endings, ending, n_ending)) {
            return formats[i].reader;
        }
    }
    return NULL;
}

bool ss__format_knows_name(const char *path)
{
    return ss__format_by_name(path) != NULL;
}

/* ---- by content ---- */

#define SENTENCE_TAR                                                                           \
    "is a tar archive; those are read from files on disk whose name ends in .tar, .tar.gz, "   \
    ".tgz, .tar.zst, .tar.xz or .tar.bz2, others must be unpacked first"

/* Kinds that are recognised in order to be refused by name. */
static const struct {
    const char *mark;
    size_t n, at; /* where the mark is */
    const char *sentence;
} refused[] = {
    {"\xFF\xFE", 2, 0, "is UTF-16 text; convert it first: iconv -f UTF-16 -t UTF-8"},
    {"\xFE\xFF", 2, 0, "is UTF-16 text; convert it first: iconv -f UTF-16 -t UTF-8"},
    {"FEA1", 4, 0, "is a Feather file of version 1; save it as version 2 or as Parquet"},
    {"PK\x03\x04", 4, 0,
     "is a zip archive; those are read from files on disk whose name ends in .zip, others must "
     "be unpacked first"},
    {"ustar\0", 6, 257, SENTENCE_TAR},
    {"ustar  ", 8, 257, SENTENCE_TAR},
    {"\x04\x22\x4D\x18", 4, 0,
     "is compressed by lz4; decompress it or use gzip, zstd, bzip2 or xz"},
};

static ss_status refuse_known(const struct ss__stream *stream, ss_err *err)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (stream->n_bytes >= refused[i].at + refused[i].n &&
            memcmp(stream->data + refused[i].at, refused[i].mark, refused[i].n) == 0) {
            return ss__fail_file(err, stream->name, SS_E_UNSUPPORTED, "this %s",
                                 refused[i].sentence);
        }
    }
    return SS_OK;
}

/* A JSON object at the start: a line of JSON Lines, or a document if it goes over lines. An
 * array counts if its first element is whole. */
static const struct ss__reader *find_json(const struct ss__stream *stream)
{
    struct ss__scan scan = {stream->data, stream->data + stream->n_bytes, NULL, false};
    const ss__json_kind kind = ss__scan_peek(&scan);
    const char *start = scan.at;
    const bool is_array = ss__scan_char(&scan, '[');
    if (kind != SS__JSON_OBJECT && !is_array) {
        return NULL;
    }
    const bool empty = is_array && ss__scan_char(&scan, ']');
    const bool whole = empty || ss__scan_value(&scan);
    if (!whole && !(scan.ended && !stream->at_end)) {
        return NULL;
    }
    if (is_array) {
        const char *next = scan.at;
        const bool goes_on = !whole || empty || ss__scan_char(&scan, ',') ||
                             ss__scan_char(&scan, ']') || next == scan.end;
        return goes_on ? &ss__reader_json : NULL;
    }
    return memchr(start, '\n', (size_t)(scan.at - start)) == NULL ? &ss__reader_jsonl
                                                                  : &ss__reader_json;
}

/* What the start is beyond doubt. */
static const struct ss__reader *find_by_content(const struct ss__stream *stream)
{
    static const struct {
        const char *head;
        size_t n;
        const struct ss__reader *reader;
    } heads[] = {{"PAR1", 4, &ss__reader_parquet},
                 {"PARE", 4, &ss__reader_parquet},
                 {"ARROW1", 6, &ss__reader_arrow},
                 {"\xFF\xFF\xFF\xFF", 4, &ss__reader_arrow}};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        if (stream->n_bytes >= heads[i].n &&
            memcmp(stream->data, heads[i].head, heads[i].n) == 0) {
            return heads[i].reader;
        }
    }
    return find_json(stream);
}

/* Whether one of the fields of data[0, n) is "text", in quotes or not. */
static bool names_text(const char *data, size_t n, char delimiter)
{
    for (size_t at = 0; at <= n;) {
        const char *next = memchr(data + at, delimiter, n - at);
        const size_t end = next == NULL ? n : (size_t)(next - data);
        const size_t length = end - at;
        if ((length == 4 && memcmp(data + at, "text", 4) == 0) ||
            (length == 6 && memcmp(data + at, "\"text\"", 6) == 0)) {
            return true;
        }
        at = end + 1;
    }
    return false;
}

/* An Arrow stream of old writers: no mark, the length of the metadata, which begins with a
 * small distance. */
static bool is_old_arrow(const struct ss__stream *stream)
{
    const uint8_t *data = (const uint8_t *)stream->data;
    if (stream->n_bytes < 16) {
        return false;
    }
    const size_t n = (size_t)data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16;
    const size_t root = (size_t)data[4] | (size_t)data[5] << 8;
    return data[3] == 0 && n % 4 == 0 && n > root && root >= 4 && root % 4 == 0 &&
           data[6] == 0 && data[7] == 0;
}

/* What a file without a telling name may be: a table, if its first line has several fields and
 * one of them is "text"; else plain text, if it is text at all. */
static const struct ss__reader *guess(const struct ss__stream *stream)
{
    const bool is_text =
        stream->n_bytes > 0 && memchr(stream->data, 0, stream->n_bytes) == NULL;
    const char *feed = is_text ? memchr(stream->data, '\n', stream->n_bytes) : NULL;
    size_t n_line = feed == NULL ? 0 : (size_t)(feed - stream->data);
    n_line -= n_line > 0 && feed[-1] == '\r';
    if (memchr(stream->data, '\t', n_line) != NULL && names_text(stream->data, n_line, '\t')) {
        return &ss__reader_tsv;
    }
    if (memchr(stream->data, ',', n_line) != NULL && names_text(stream->data, n_line, ',')) {
        return &ss__reader_csv;
    }
    const struct ss__reader *binary = is_old_arrow(stream) ? &ss__reader_arrow : NULL;
    return is_text ? &ss__reader_txt : binary;
}

ss_status ss__skip_mark(struct ss__stream *stream, ss_err *err)
{
    ss_status status = SS_OK;
    SS_TRY(ss__stream_need(stream, 3, err));
    if (stream->offset == 0 && stream->n_bytes >= 3 &&
        memcmp(stream->data, "\xEF\xBB\xBF", 3) == 0) {
        ss__stream_take(stream, 3);
    }
out:
    return status;
}

ss_status ss__format_find(struct ss__stream *stream, const char *path, const char *forced,
                          const struct ss__reader **reader, ss_err *err)
{
    ss_status status = SS_OK;
    *reader = NULL;
    if (forced != NULL) {
        *reader = find_by_option(forced);
        if (*reader == NULL) {
            status = ss__fail(err, SS_E_USAGE,
                              "'%s' is not a dataset format; expected jsonl, json, csv, tsv, "
                              "txt, parquet or arrow",
                              forced);
            ss__err_about(err, "format");
            goto out;
        }
    }
    SS_TRY(ss__stream_need(stream, HEAD_BYTES, err));
    SS_TRY(refuse_known(stream, err));
    SS_TRY(ss__skip_mark(stream, err));
    *reader = *reader == NULL ? find_by_content(stream) : *reader;
    *reader = *reader == NULL ? ss__format_by_name(path) : *reader;
    *reader = *reader == NULL ? guess(stream) : *reader;
    if (*reader == NULL) {
        SS_FAIL_FILE(stream->name, SS_E_UNSUPPORTED,
                     stream->n_bytes == 0
                         ? "the file is empty"
                         : "neither content nor name is that of a dataset; say which with the "
                           "option format (jsonl, json, csv, tsv, txt, parquet or arrow)");
    }
out:
    return status;
}

ss_status ss__dataset_sniff(const char *path, struct ss__sniff *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__stream stream = {0};
    const struct ss__reader *reader = NULL;
    *out = (struct ss__sniff){0};
    SS_TRY(ss__stream_open(path, &stream, err));
    status = ss__format_find(&stream, path, NULL, &reader, err);
    if (status == SS_E_UNSUPPORTED) {
        status = SS_OK;
    }
    out->format = reader == NULL ? NULL : reader->format;
    out->codec = ss__stream_codec(&stream);
out:
    ss__stream_close(&stream);
    return status;
}
