/* Records of delimited text, found in a stream. A record may be as long as the window's limit;
 * while it is not all there, the stream is asked for twice as much, so that scanning it again
 * and again costs no more than twice its length. */
#include <string.h>

#include "base/mem.h"
#include "format/csv_priv.h"

ss_status ss_format_csv_fail(const struct ss_format_csv *csv, uint64_t offset,
                             const char *problem, ss_err *err)
{
    const ss_status status = ss__fail_file(err, csv->stream->name, SS_E_DATA, "line %llu: %s",
                                           (unsigned long long)csv->n_line, problem);
    ss__err_at_offset(err, offset);
    return status;
}

/* Lines that a record takes, whatever ends them. */
static uint64_t count_lines(const char *data, size_t n)
{
    uint64_t n_lines = 0;
    for (const char *end = data + n; data < end; n_lines++) {
        const char *feed = memchr(data, '\n', (size_t)(end - data));
        data = feed == NULL ? end : feed + 1;
    }
    return n_lines;
}

/* What the scanner found, as a message; the offset is that of the record's first byte. */
static ss_status fail_scan(const struct ss_format_csv *csv, size_t at,
                           ss_format_csv_result result, ss_format_fault *fault, ss_err *err)
{
    static const char *const problems[] = {
        [SS_FORMAT_CSV_OPEN_QUOTE] = "a field in quotes is not closed before the file ends",
        [SS_FORMAT_CSV_OPEN_ESCAPE] = "an escape character is the last of the file",
        [SS_FORMAT_CSV_AFTER_QUOTE] =
            "text follows the closing quote of a field; a quote inside a "
            "field in quotes is written twice",
    };
    *fault = SS_FORMAT_FAULT_QUOTE;
    return ss_format_csv_fail(csv, csv->stream->offset + at, problems[result], err);
}

/* A record may have more fields than there is memory for so far: it is scanned again then. */
static ss_status make_fields(struct ss_format_csv *csv, size_t n, ss_err *err)
{
    SS_GROW_OR_RETURN(csv->record.fields, csv->record.capacity, n);
    return SS_OK;
}

ss_status ss_format_csv_find_record(struct ss_format_csv *csv, size_t *at, bool *has_record,
                                    ss_format_fault *fault, ss_err *err)
{
    ss_status status = SS_OK;
    ss_format_fault unused = SS_FORMAT_FAULT_NONE;
    struct ss_source_stream *stream = csv->stream;
    fault = fault == NULL ? &unused : fault;
    *fault = SS_FORMAT_FAULT_NONE;
    *has_record = false;
    while (!*has_record) {
        SS_TRY(ss_source_stream_need(stream, *at + 1, err));
        if (*at == stream->n_bytes) {
            break;
        }
        csv->row = stream->data + *at;
        csv->n_line = csv->n_passed + 1;
        const size_t n_left = stream->n_bytes - *at;
        const ss_format_csv_result result =
            ss_format_csv_scan(csv->row, n_left, &csv->syntax, stream->at_end, &csv->record);
        if (result == SS_FORMAT_CSV_MORE) {
            status = ss_source_stream_need(stream, *at + 2 * n_left, err);
            *fault = status == SS_E_LIMIT ? SS_FORMAT_FAULT_TOO_LARGE : SS_FORMAT_FAULT_NONE;
            SS_TRY(status);
            continue;
        }
        if (result != SS_FORMAT_CSV_RECORD) {
            SS_TRY(fail_scan(csv, *at, result, fault, err));
        }
        if (csv->record.n_fields > csv->record.capacity &&
            csv->record.capacity < SS_FORMAT_CSV_MAX_COLUMNS) {
            SS_TRY(make_fields(
                csv, ss__min_size(csv->record.n_fields, SS_FORMAT_CSV_MAX_COLUMNS), err));
            continue;
        }
        *has_record = !csv->record.is_blank;
        csv->n_passed += count_lines(csv->row, csv->record.n_bytes);
        *at += csv->record.n_bytes;
    }
out:
    return status;
}

/* A view of the window where nothing is escaped, which is nearly always; else a copy in `cell`,
 * valid until the next field. */
struct ss_text ss_format_csv_field_text(struct ss_format_csv *csv, size_t i)
{
    const struct ss_format_csv_field field = csv->record.fields[i];
    if (!field.escaped) {
        return (struct ss_text){csv->row + field.start, field.n_bytes};
    }
    csv->cell.n_bytes = 0;
    ss_format_csv_unescape(csv->row, field, &csv->syntax, &csv->cell);
    return (struct ss_text){csv->cell.data, csv->cell.n_bytes};
}

/* In steps of what is there, so that a line longer than any window can be passed. */
ss_status ss_format_csv_skip_line(struct ss_format_csv *csv, size_t at, ss_err *err)
{
    struct ss_source_stream *stream = csv->stream;
    const char end = csv->syntax.terminator == 0 ? '\n' : csv->syntax.terminator;
    ss_source_stream_take(stream, at);
    for (;;) {
        const char *feed = memchr(stream->data, end, stream->n_bytes);
        const size_t n = feed == NULL ? stream->n_bytes : (size_t)(feed - stream->data) + 1;
        ss_source_stream_take(stream, n);
        if (feed != NULL || stream->at_end) {
            break;
        }
        SS_RETURN_IF_ERROR(ss_source_stream_more(stream, err));
    }
    csv->n_passed++;
    return SS_OK;
}
