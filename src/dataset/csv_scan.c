#include "dataset/csv_scan.h"

#include <string.h>

struct cursor {
    const char *data;
    size_t n, at;
    char delimiter;
    bool at_end;
};

/* A field that begins with a quote; `at` is behind that. */
static ss__csv_result scan_quoted(struct cursor *c, struct ss__csv_field *field)
{
    *field = (struct ss__csv_field){.start = c->at, .quoted = true};
    for (size_t from = c->at;;) {
        const char *quote = memchr(c->data + from, '"', c->n - from);
        if (quote == NULL) {
            return c->at_end ? SS__CSV_OPEN_QUOTE : SS__CSV_MORE;
        }
        const size_t at = (size_t)(quote - c->data);
        if (at + 1 == c->n && !c->at_end) {
            return SS__CSV_MORE;
        }
        if (at + 1 == c->n || quote[1] != '"') {
            field->n_bytes = at - field->start;
            c->at = at + 1;
            break;
        }
        field->doubled = true;
        from = at + 2;
    }
    const bool ends = c->at == c->n || c->data[c->at] == c->delimiter ||
                      c->data[c->at] == '\n' || c->data[c->at] == '\r';
    return ends ? SS__CSV_RECORD : SS__CSV_AFTER_QUOTE;
}

static ss__csv_result scan_plain(struct cursor *c, struct ss__csv_field *field)
{
    const size_t start = c->at;
    size_t at = start;
    while (at < c->n && c->data[at] != c->delimiter && c->data[at] != '\n' &&
           c->data[at] != '\r') {
        at++;
    }
    *field = (struct ss__csv_field){.start = start, .n_bytes = at - start};
    c->at = at;
    return at == c->n && !c->at_end ? SS__CSV_MORE : SS__CSV_RECORD;
}

static ss__csv_result scan_field(struct cursor *c, struct ss__csv_field *field)
{
    if (c->at < c->n && c->data[c->at] == '"') {
        c->at++;
        return scan_quoted(c, field);
    }
    return scan_plain(c, field);
}

ss__csv_result ss__csv_scan(const char *data, size_t n, char delimiter, bool at_end,
                            struct ss__csv_record *record)
{
    struct cursor c = {data, n, 0, delimiter, at_end};
    bool goes_on = true;
    record->n_fields = 0;
    while (goes_on) {
        struct ss__csv_field field;
        const ss__csv_result result = scan_field(&c, &field);
        if (result != SS__CSV_RECORD) {
            return result;
        }
        if (record->n_fields < record->room) {
            record->fields[record->n_fields] = field;
        }
        record->n_fields++;
        goes_on = c.at < n && data[c.at] == delimiter;
        c.at += goes_on;
    }
    if (c.at < n && data[c.at] == '\r') {
        if (c.at + 1 == n && !at_end) {
            return SS__CSV_MORE;
        }
        c.at += c.at + 1 < n && data[c.at + 1] == '\n' ? 2 : 1;
    } else if (c.at < n) {
        c.at++;
    } else if (!at_end) {
        return SS__CSV_MORE;
    }
    record->n_bytes = c.at;
    return SS__CSV_RECORD;
}
