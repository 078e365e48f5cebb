/* What parts the fields of a file whose delimiter nobody gave.
 *
 * The name of the file says a comma or a tab. Where the first record is one field by that, a
 * semicolon, tab, bar or comma is taken instead if it alone parts all of the first records into
 * as many fields. A header that holds such a character and fits none of them, or any other
 * character that parts all records alike, is refused: its lines would be taken for texts. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "format/csv_priv.h"

enum { LOOK_RECORDS = 100, LOOK_BYTES = 256 << 10 };

/* What a delimiter makes of the first records. */
struct fit {
    size_t n_fields;  /* of the first record */
    size_t n_records; /* whole ones that were looked at */
    bool is_even;     /* all have as many */
};

/* Only what is in the window is looked at; the record that its end cuts off is left out. */
static struct fit try_delimiter(const struct ss_format_csv *csv, char delimiter)
{
    struct fit fit = {.is_even = true};
    const struct ss_source_stream *stream = csv->stream;
    struct ss_format_csv_record record = {.n_fields = 0};
    struct ss_format_csv_syntax syntax = csv->syntax;
    syntax.delimiter[0] = delimiter;
    syntax.n_delimiter = 1;
    ss_format_csv_prepare(&syntax);
    for (size_t at = 0; at < stream->n_bytes && fit.n_records < LOOK_RECORDS;) {
        if (ss_format_csv_scan(stream->data + at, stream->n_bytes - at, &syntax, stream->at_end,
                               &record) != SS_FORMAT_CSV_RECORD) {
            fit.is_even &= fit.n_records > 0 && !stream->at_end; /* cut off by the window */
            break;
        }
        at += record.n_bytes;
        if (record.is_blank) {
            continue;
        }
        fit.n_fields = fit.n_records == 0 ? record.n_fields : fit.n_fields;
        fit.is_even &= record.n_fields == fit.n_fields;
        fit.n_records++;
    }
    return fit;
}

/* Names that were given say how many fields there are. */
static bool fits(const struct ss_format_csv *csv, const struct fit *fit)
{
    const size_t n_names = csv->options->n_names;
    return fit->is_even && fit->n_fields > 1 && (n_names == 0 || fit->n_fields == n_names);
}

/* A character as it is written on the command line. */
static const char *spelt(char c, char out[8])
{
    const char *name = c == '\t' ? "tab" : c == ',' ? "comma" : c == ' ' ? "space" : NULL;
    snprintf(out, 8, "%s", name == NULL ? (char[2]){c, '\0'} : name);
    return out;
}

/* Both ways out are told: the delimiter that it may be, and the one by which it is one
 * column. */
static ss_status refuse(const struct ss_format_csv *csv, char found, ss_err *err)
{
    char given[8], meant[8];
    size_t n_line = 0;
    while (n_line < ss__min_size(csv->record.n_bytes, 60) && csv->row[n_line] != '\n' &&
           csv->row[n_line] != '\r') {
        n_line++;
    }
    return ss__fail_file(
        err, csv->stream->name, SS_E_DATA,
        "its first line, '%.*s', is one column if '%s' is the delimiter; say which it is with "
        "`csv` delimiter=%s, or delimiter=%s if it is one column",
        (int)n_line, csv->row, spelt(csv->syntax.delimiter[0], given), spelt(found, meant),
        given);
}

/* The line by which a spreadsheet tells its delimiter. */
static ss_status refuse_mark(struct ss_format_csv *csv, ss_err *err)
{
    const struct ss_text text = ss_format_csv_field_text(csv, 0);
    if (text.n_bytes < 4 || text.n_bytes > 5 ||
        !ss__begin_alike_ignoring_case(text.data, "sep=", 4)) {
        return SS_OK;
    }
    char meant[8];
    const char c = text.n_bytes == 5 ? text.data[4] : csv->syntax.delimiter[0];
    return ss__fail_file(err, csv->stream->name, SS_E_DATA,
                         "its first line, 'sep=%c', tells the delimiter and is no header; read "
                         "it with `csv` delimiter=%s,skiprows=1",
                         c, spelt(c, meant));
}

/* Other characters are only doubted, since names may hold them. */
static ss_status doubt_others(struct ss_format_csv *csv, ss_err *err)
{
    char seen[256] = {0};
    const struct ss_format_csv_field field = csv->record.fields[0];
    for (size_t i = 0; i < field.n_bytes; i++) {
        const unsigned char c = (unsigned char)csv->row[field.start + i];
        if (isalnum(c) || c >= 0x80 || strchr("_-.'\"()", c) != NULL || seen[c] != 0) {
            continue;
        }
        seen[c] = 1;
        const struct fit fit = try_delimiter(csv, (char)c);
        if (fits(csv, &fit) && fit.n_records > 1) {
            SS_RETURN_IF_ERROR(refuse(csv, (char)c, err));
        }
    }
    return SS_OK;
}

/* Nothing is taken from the stream, so that the header is read again with what was found. */
ss_status ss_format_csv_find_delimiter(struct ss_format_csv *csv, ss_err *err)
{
    static const char usual[] = ";\t|,";
    ss_status status = SS_OK;
    const char given = csv->syntax.delimiter[0];
    char found = 0, held = 0;
    size_t at = 0, n_fit = 0;
    bool has_record = false;
    const uint64_t n_passed = csv->n_passed;
    SS_TRY(ss_source_stream_need(csv->stream, LOOK_BYTES, err));
    SS_TRY(ss_format_csv_find_record(csv, &at, &has_record, NULL, err));
    csv->n_passed = n_passed;
    if (!has_record || csv->record.n_fields > 1 || csv->options->n_names == 1) {
        goto out;
    }
    SS_TRY(refuse_mark(csv, err));
    for (size_t i = 0; usual[i] != '\0'; i++) {
        if (usual[i] == given || memchr(csv->row, usual[i], csv->record.n_bytes) == NULL) {
            continue;
        }
        held = held == 0 ? usual[i] : held;
        const struct fit fit = try_delimiter(csv, usual[i]);
        found = fits(csv, &fit) ? usual[i] : found;
        n_fit += fits(csv, &fit);
    }
    if (n_fit == 1 && !csv->options->finds_no_delimiter) {
        char name[8];
        csv->syntax.delimiter[0] = found;
        if (csv->log != NULL) {
            ss__log(csv->log, SS_LEVEL_NOTICE,
                    "%s: fields are parted by '%s', as its first lines are; `csv` delimiter= "
                    "says otherwise",
                    csv->stream->name, spelt(found, name));
        }
    } else if (held != 0) {
        status = refuse(csv, held, err);
    } else {
        SS_TRY(doubt_others(csv, err));
    }
out:
    return status;
}
