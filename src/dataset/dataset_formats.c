/* Which format a file has: by marks that no text begins with, then by how its name ends, then
 * by what its first line looks like. Names that say JSON leave open which kind of JSON it is.
 */
#include <string.h>

#include "arrow/arrow.h"
#include "base/lfs.h"
#include "base/mem.h"
#include "base/number.h"
#include "dataset/dataset.h"
#include "dataset/dataset_files.h"
#include "format/format.h"
#include "parquet/parquet.h"

enum { HEAD_BYTES = 64 << 10 };

/* One line per format. Names are also what the option `format` takes. */
static const struct {
    const char *names[4];      /* the reader's own first */
    const char *extensions[4]; /* of files, without the dot */
    const struct ss_format_reader *reader;
    const char *kind; /* of repo_kinds.c: which files stand together in a folder */
} formats[] = {
    {{"jsonl", "ndjson"}, {"jsonl", "ndjson", "jsonlines"}, &ss_format_reader_jsonl, "json"},
    {{"json"}, {"json"}, &ss_format_reader_json, "json"},
    {{"csv"}, {"csv"}, &ss_format_reader_csv, "csv"},
    {{"tsv"}, {"tsv", "tab"}, &ss_format_reader_tsv, "csv"},
    {{"txt", "text"}, {"txt", "text"}, &ss_format_reader_txt, "text"},
    {{"parquet"}, {"parquet", "geoparquet", "gpq", "pq"}, &ss_parquet_reader, "parquet"},
    {{"arrow", "feather"}, {"arrow", "arrows", "feather", "ipc"}, &ss_arrow_reader, "arrow"},
};
enum { N_FORMATS = sizeof formats / sizeof formats[0], NO_FORMAT = N_FORMATS };

/* Case does not matter: .CSV is csv. */
static bool is_among(const char *const names[4], const char *name, size_t n)
{
    for (size_t i = 0; i < 4 && names[i] != NULL; i++) {
        if (strlen(names[i]) == n && ss__begin_alike_ignoring_case(names[i], name, n)) {
            return true;
        }
    }
    return false;
}

/* ---- by name ---- */

/* What a caller says counts over everything that the file looks like. */
static const struct ss_format_reader *find_by_option(const char *name)
{
    for (size_t i = 0; i < N_FORMATS; i++) {
        if (is_among(formats[i].names, name, strlen(name))) {
            return formats[i].reader;
        }
    }
    return NULL;
}

/* The extension before that of a compression. */
static size_t find_by_name(const char *path)
{
    const char *name = ss__path_name(path);
    size_t n_extension = 0;
    const char *extension =
        ss_source_name_extension(name, ss_source_name_bytes(name), &n_extension);
    for (size_t i = 0; i < N_FORMATS; i++) {
        if (is_among(formats[i].extensions, extension, n_extension)) {
            return i;
        }
    }
    return NO_FORMAT;
}

const struct ss_format_reader *ss_dataset_format_by_name(const char *path)
{
    const size_t i = find_by_name(path);
    return i == NO_FORMAT ? NULL : formats[i].reader;
}

const char *ss_dataset_format_kind(const char *path)
{
    const size_t i = find_by_name(path);
    return i == NO_FORMAT ? NULL : formats[i].kind;
}

/* What jobs of Spark and Hadoop call their text files: part-00000, part-m-00000, also packed.
 */
static bool is_part(const char *path)
{
    const char *name = ss__path_name(path);
    const size_t n = ss_source_name_bytes(name);
    size_t at = n > 5 && memcmp(name, "part-", 5) == 0 ? 5 : n;
    at += at + 2 < n && name[at + 1] == '-' && (name[at] == 'm' || name[at] == 'r') ? 2 : 0;
    return at < n && name[at] >= '0' && name[at] <= '9' && memchr(name, '.', n) == NULL;
}

bool ss_dataset_format_knows_name(const char *path)
{
    return find_by_name(path) != NO_FORMAT || is_part(path);
}

/* ---- by content ---- */

/* A JSON object at the start: a line of JSON Lines, or a document if it goes over lines. An
 * array counts if its first element is whole. */
static const struct ss_format_reader *find_json(const struct ss_source_stream *stream)
{
    struct ss_format_scan scan = {stream->data, stream->data + stream->n_bytes, NULL, false,
                                  false};
    const ss_format_json_kind kind = ss_format_scan_peek(&scan);
    const char *start = scan.at;
    const bool is_array = ss_format_scan_char(&scan, '[');
    if (kind != SS_FORMAT_JSON_OBJECT && !is_array) {
        return NULL;
    }
    const bool empty = is_array && ss_format_scan_char(&scan, ']');
    const bool whole = empty || ss_format_scan_value(&scan);
    if (!whole && !(scan.ended && !stream->at_end)) {
        return NULL;
    }
    if (is_array) {
        const char *next = scan.at;
        const bool goes_on = !whole || empty || ss_format_scan_char(&scan, ',') ||
                             ss_format_scan_char(&scan, ']') || next == scan.end;
        return goes_on ? &ss_format_reader_json : NULL;
    }
    return memchr(start, '\n', (size_t)(scan.at - start)) == NULL ? &ss_format_reader_jsonl
                                                                  : &ss_format_reader_json;
}

/* Binary formats, by their marks. "PAR1" could begin a text, but no text has a NUL. */
static const struct ss_format_reader *find_by_mark(const struct ss_source_stream *stream)
{
    static const struct {
        const char *head;
        size_t n;
        const struct ss_format_reader *reader;
    } heads[] = {{"PAR1", 4, &ss_parquet_reader},
                 {"PARE", 4, &ss_parquet_reader},
                 {"ARROW1", 6, &ss_arrow_reader},
                 {"\xFF\xFF\xFF\xFF", 4, &ss_arrow_reader}};
    const bool has_nul = memchr(stream->data, 0, stream->n_bytes) != NULL;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0] && has_nul; i++) {
        if (stream->n_bytes >= heads[i].n &&
            memcmp(stream->data, heads[i].head, heads[i].n) == 0) {
            return heads[i].reader;
        }
    }
    return NULL;
}

bool ss_dataset_format_is_binary(const struct ss_source_stream *stream)
{
    return find_by_mark(stream) != NULL;
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
static bool is_old_arrow(const struct ss_source_stream *stream)
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
static const struct ss_format_reader *guess(const struct ss_source_stream *stream)
{
    const bool is_text =
        stream->n_bytes > 0 && memchr(stream->data, 0, stream->n_bytes) == NULL;
    const char *feed = is_text ? memchr(stream->data, '\n', stream->n_bytes) : NULL;
    size_t n_line = feed == NULL ? 0 : (size_t)(feed - stream->data);
    n_line -= n_line > 0 && feed[-1] == '\r';
    if (memchr(stream->data, '\t', n_line) != NULL && names_text(stream->data, n_line, '\t')) {
        return &ss_format_reader_tsv;
    }
    if (memchr(stream->data, ',', n_line) != NULL && names_text(stream->data, n_line, ',')) {
        return &ss_format_reader_csv;
    }
    const struct ss_format_reader *binary = is_old_arrow(stream) ? &ss_arrow_reader : NULL;
    return is_text ? &ss_format_reader_txt : binary;
}

/* Whether all of a stream is white space. */
static bool is_blank(const struct ss_source_stream *stream)
{
    for (size_t i = 0; i < stream->n_bytes; i++) {
        if (strchr(" \t\r\n", stream->data[i]) == NULL || stream->data[i] == '\0') {
            return false;
        }
    }
    return stream->at_end;
}

/* Documents and tables: white space is none of them. */
static bool expects_head(const struct ss_format_reader *reader)
{
    return reader == &ss_format_reader_json || reader == &ss_format_reader_csv ||
           reader == &ss_format_reader_tsv;
}

/* A file without a byte has no rows. Readers of lines know that, those of JSON documents and
 * tables expect a head; Parquet and Arrow have a schema even then. */
static ss_status find_empty(const struct ss_source_stream *stream,
                            const struct ss_format_reader *named,
                            const struct ss_format_reader **reader, ss_err *err)
{
    if (named != NULL && named->needs_view) {
        return ss__fail_file(err, stream->name, SS_E_DATA,
                             "the file is empty, and %s has a schema even without rows; write "
                             "it again, or leave it out",
                             named == &ss_parquet_reader ? "Parquet" : "Arrow");
    }
    *reader = named == &ss_format_reader_txt || named == &ss_format_reader_jsonl ? named : NULL;
    return SS_OK;
}

static ss_status find_forced(const char *name, const struct ss_format_reader **reader,
                             ss_err *err)
{
    *reader = name == NULL ? NULL : find_by_option(name);
    if (name == NULL || *reader != NULL) {
        return SS_OK;
    }
    ss__fail(err, SS_E_USAGE,
             "'%s' is not a dataset format; expected jsonl, json, csv, tsv, txt, parquet or "
             "arrow",
             name);
    ss__err_about(err, "format");
    return SS_E_USAGE;
}

/* What a stream is that begins with some bytes, by marks, name, and its first line. */
static ss_status find_reader(const struct ss_source_stream *stream, const char *path,
                             const struct ss_format_reader **reader, ss_err *err)
{
    const struct ss_format_reader *named = ss_dataset_format_by_name(path);
    const bool may_be_json =
        named == NULL || named == &ss_format_reader_json || named == &ss_format_reader_jsonl;
    *reader = find_by_mark(stream);
    if (*reader == NULL && may_be_json) {
        *reader = find_json(stream);
    }
    *reader = *reader == NULL ? named : *reader;
    if (*reader == NULL) {
        SS_RETURN_IF_ERROR(ss_format_refuse_name(stream->name, path, err));
        *reader = guess(stream);
    }
    if (*reader == NULL) {
        return ss__fail_file(
            err, stream->name, SS_E_UNSUPPORTED,
            "neither content nor name is that of a dataset; say which with the "
            "option format (jsonl, json, csv, tsv, txt, parquet or arrow)");
    }
    return SS_OK;
}

ss_status ss_dataset_format_find(struct ss_source_stream *stream, const char *path,
                                 const char *forced, const struct ss_format_reader **reader,
                                 ss_err *err)
{
    const struct ss_format_reader *wanted = NULL;
    *reader = NULL;
    SS_RETURN_IF_ERROR(find_forced(forced, &wanted, err));
    SS_RETURN_IF_ERROR(ss_source_stream_need(stream, HEAD_BYTES, err));
    if (stream->at_end) {
        SS_RETURN_IF_ERROR(ss__lfs_check(stream->name, stream->data, stream->n_bytes, err));
    }
    const struct ss_format_reader *named =
        wanted == NULL ? ss_dataset_format_by_name(path) : wanted;
    SS_RETURN_IF_ERROR(
        ss_format_refuse_content(stream, named != NULL && !named->needs_view, err));
    SS_RETURN_IF_ERROR(ss_source_stream_skip_mark(stream, err));
    if (stream->n_bytes == 0 || (is_blank(stream) && expects_head(named))) {
        return find_empty(stream, named, reader, err);
    }
    /* Of JSON the first row that is none says so, and may be left out. */
    if (named == &ss_format_reader_csv || named == &ss_format_reader_tsv ||
        (named != NULL && named->needs_view)) {
        SS_RETURN_IF_ERROR(ss_format_refuse_page(stream, err));
    }
    *reader = wanted;
    if (*reader == NULL) {
        SS_RETURN_IF_ERROR(find_reader(stream, path, reader, err));
    }
    return SS_OK;
}

/* What is of a kind that is not read is no dataset, and no error here. */
ss_status ss_dataset_sniff(const char *path, struct ss_dataset_sniffer *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_source_stream stream = {0};
    const struct ss_format_reader *reader = NULL;
    *out = (struct ss_dataset_sniffer){0};
    SS_TRY(ss_source_stream_open(path, NULL, &stream, err));
    status = ss_dataset_format_find(&stream, path, NULL, &reader, err);
    if (status == SS_E_UNSUPPORTED) {
        status = SS_OK;
    } else if (status == SS_OK && reader == NULL) { /* empty: what its name says */
        reader = ss_dataset_format_by_name(path);
    }
    out->format = reader == NULL ? NULL : reader->format;
    out->codec = ss_source_stream_codec(&stream);
out:
    ss_source_stream_close(&stream);
    return status;
}

ss_status ss_dataset_refuse_known(const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_source_stream stream = {0};
    if (ss_source_stream_open(path, NULL, &stream, NULL) == SS_OK &&
        ss_source_stream_need(&stream, HEAD_BYTES, NULL) == SS_OK) {
        status = ss_format_refuse_content(&stream, false, err);
    }
    ss_source_stream_close(&stream);
    return status != SS_OK ? status : ss_format_refuse_name(path, path, err);
}
