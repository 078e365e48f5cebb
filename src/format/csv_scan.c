/* The scanner of delimited text: one record's fields, with quotes and escapes, out of bytes in
 * memory.
 *
 * It never looks behind the data: where the next byte would decide (a quote that may be
 * doubled, "\r" before "\n", a delimiter of several bytes) it asks for more. Fields are places
 * in the data; only those with doubled quotes or escapes are written anew, when they are asked
 * for. */
#include "format/csv_scan.h"

#include <string.h>

struct cursor {
    const char *data;
    size_t n, at;
    const struct ss_format_csv_syntax *syntax;
    bool at_end;
};

/* ---- characters ---- */

static bool is_line_end(const struct ss_format_csv_syntax *syntax, char c)
{
    return syntax->terminator != 0 ? c == syntax->terminator : c == '\n' || c == '\r';
}

static bool is_blank(const struct ss_format_csv_syntax *syntax, char c)
{
    return (c == ' ' || c == '\t') && c != syntax->delimiter[0];
}

/* Whether a delimiter is at the cursor; one that the data cuts off is none, which its caller
 * has made sure of. */
static bool at_delimiter(const struct cursor *c)
{
    const size_t n = c->syntax->n_delimiter;
    return c->n - c->at >= n && c->data[c->at] == c->syntax->delimiter[0] &&
           (n == 1 || memcmp(c->data + c->at, c->syntax->delimiter, n) == 0);
}

/* Whether a character is the special one, if there is such a one. */
static bool is(char special, char c)
{
    return special != 0 && c == special;
}

void ss_format_csv_prepare(struct ss_format_csv_syntax *syntax)
{
    const char special[] = {syntax->delimiter[0], syntax->escape, syntax->comment,
                            syntax->terminator == 0 ? '\n' : syntax->terminator,
                            syntax->terminator == 0 ? '\r' : syntax->terminator};
    for (size_t i = 0; i < sizeof special; i++) {
        syntax->stops[(unsigned char)special[i]] = true;
    }
}

/* ---- fields ---- */

/* From the cursor on, the first quote or escape character; NULL if there is none. */
static const char *find_special(const struct cursor *c, size_t from)
{
    const char *quote = memchr(c->data + from, c->syntax->quote, c->n - from);
    if (c->syntax->escape == 0) {
        return quote;
    }
    const size_t n = quote == NULL ? c->n - from : (size_t)(quote - (c->data + from));
    const char *escape = memchr(c->data + from, c->syntax->escape, n);
    return escape == NULL ? quote : escape;
}

/* Behind a closing quote nothing else may stand. */
static bool ends_field(const struct cursor *c)
{
    return c->at == c->n || at_delimiter(c) || is_line_end(c->syntax, c->data[c->at]) ||
           is(c->syntax->comment, c->data[c->at]);
}

/* A field that begins with a quote; `at` is behind that. */
static ss_format_csv_result scan_quoted(struct cursor *c, struct ss_format_csv_field *field)
{
    *field = (struct ss_format_csv_field){.start = c->at, .quoted = true};
    for (size_t from = c->at;;) {
        const char *special = from >= c->n ? NULL : find_special(c, from);
        if (special == NULL) {
            return c->at_end ? SS_FORMAT_CSV_OPEN_QUOTE : SS_FORMAT_CSV_MORE;
        }
        const size_t at = (size_t)(special - c->data);
        if (at + 1 == c->n && !c->at_end) {
            return SS_FORMAT_CSV_MORE;
        }
        const bool is_escape = is(c->syntax->escape, *special);
        const bool is_doubled = !is_escape && !c->syntax->no_doubled_quotes && at + 1 < c->n &&
                                special[1] == c->syntax->quote;
        if (!is_escape && !is_doubled) {
            field->n_bytes = at - field->start;
            c->at = at + 1;
            break;
        }
        field->escaped = true;
        from = at + 2;
    }
    if (!c->at_end && c->n - c->at < c->syntax->n_delimiter) {
        return SS_FORMAT_CSV_MORE;
    }
    return ends_field(c) ? SS_FORMAT_CSV_RECORD : SS_FORMAT_CSV_AFTER_QUOTE;
}

/* A table of bytes lets most be passed with one look; quotes inside are text. */
static ss_format_csv_result scan_plain(struct cursor *c, struct ss_format_csv_field *field)
{
    const struct ss_format_csv_syntax *syntax = c->syntax;
    *field = (struct ss_format_csv_field){.start = c->at};
    for (; c->at < c->n; c->at++) {
        const char byte = c->data[c->at];
        if (!syntax->stops[(unsigned char)byte]) {
            continue;
        }
        if (is(syntax->escape, byte)) {
            field->escaped = true;
            if (++c->at == c->n) {
                return c->at_end ? SS_FORMAT_CSV_OPEN_ESCAPE : SS_FORMAT_CSV_MORE;
            }
        } else if (byte == syntax->delimiter[0] && !c->at_end &&
                   c->n - c->at < syntax->n_delimiter) {
            return SS_FORMAT_CSV_MORE;
        } else if (at_delimiter(c) || is_line_end(syntax, byte) || is(syntax->comment, byte)) {
            break;
        }
    }
    field->n_bytes = c->at - field->start;
    return c->at == c->n && !c->at_end ? SS_FORMAT_CSV_MORE : SS_FORMAT_CSV_RECORD;
}

static ss_format_csv_result scan_field(struct cursor *c, struct ss_format_csv_field *field)
{
    while (c->syntax->skips_initial_space && c->at < c->n && c->data[c->at] == ' ' &&
           !at_delimiter(c)) {
        c->at++;
    }
    if (c->at < c->n && is(c->syntax->quote, c->data[c->at])) {
        c->at++;
        return scan_quoted(c, field);
    }
    return scan_plain(c, field);
}

/* ---- records ---- */

/* Pass the line end; false if more data is needed to tell where it ends. */
static bool pass_line_end(struct cursor *c)
{
    const struct ss_format_csv_syntax *syntax = c->syntax;
    if (c->at < c->n && is(syntax->comment, c->data[c->at])) {
        while (c->at < c->n && !is_line_end(syntax, c->data[c->at])) {
            c->at++;
        }
    }
    if (c->at == c->n) {
        return c->at_end;
    }
    if (syntax->terminator == 0 && c->data[c->at] == '\r') {
        if (c->at + 1 == c->n && !c->at_end) {
            return false;
        }
        c->at += c->at + 1 < c->n && c->data[c->at + 1] == '\n';
    }
    c->at++;
    return true;
}

/* Whether the line holds nothing, or only a comment; the cursor is then at its end. */
static bool is_blank_line(struct cursor *c)
{
    const struct ss_format_csv_syntax *syntax = c->syntax;
    size_t at = c->at;
    while (!syntax->keeps_blank_lines && at < c->n && is_blank(syntax, c->data[at])) {
        at++;
    }
    const bool is_empty = at == c->n || is_line_end(syntax, c->data[at]);
    const bool is_comment = c->at < c->n && is(syntax->comment, c->data[c->at]);
    if (!is_comment && (!is_empty || syntax->keeps_blank_lines)) {
        return false;
    }
    c->at = at;
    return true;
}

ss_format_csv_result ss_format_csv_scan(const char *data, size_t n,
                                        const struct ss_format_csv_syntax *syntax, bool at_end,
                                        struct ss_format_csv_record *record)
{
    struct cursor c = {data, n, 0, syntax, at_end};
    record->n_fields = 0;
    record->is_blank = is_blank_line(&c);
    for (bool goes_on = !record->is_blank; goes_on;) {
        struct ss_format_csv_field field;
        const ss_format_csv_result result = scan_field(&c, &field);
        if (result != SS_FORMAT_CSV_RECORD) {
            return result;
        }
        if (record->n_fields < record->capacity) {
            record->fields[record->n_fields] = field;
        }
        record->n_fields++;
        goes_on = at_delimiter(&c);
        c.at += goes_on ? syntax->n_delimiter : 0;
    }
    if (!pass_line_end(&c)) {
        return SS_FORMAT_CSV_MORE;
    }
    record->n_bytes = c.at;
    return SS_FORMAT_CSV_RECORD;
}

void ss_format_csv_unescape(const char *data, struct ss_format_csv_field field,
                            const struct ss_format_csv_syntax *syntax, struct ss__buf *out)
{
    const char *end = data + field.start + field.n_bytes;
    for (const char *at = data + field.start; at < end; at++) {
        const bool doubled = field.quoted && !syntax->no_doubled_quotes &&
                             is(syntax->quote, *at) && at + 1 < end && at[1] == *at;
        at += doubled || (is(syntax->escape, *at) && at + 1 < end);
        ss__buf_add_byte(out, *at);
    }
}
