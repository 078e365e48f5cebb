/* What Python's json.dump writes, byte for byte: separators, escapes, the shortest digits of a
 * double. Results of the Python workflow can then be compared by their bytes
 * (docs/spec/seed-behaviour.md, §4). */
#include "base/json_write.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/json_tree.h"
#include "base/number.h"
#include "base/utf8.h"

/* ---- strings ---- */

static void add_escaped_unit(struct ss__buf *buf, uint32_t unit)
{
    ss__buf_printf(buf, "\\u%04x", unit);
}

/* The rule of ensure_ascii: control characters and the two that JSON needs are always escaped,
 * others only on request; beyond U+FFFF by a surrogate pair, in lower-case hexadecimal. */
static void add_code_point(struct ss__buf *buf, const char *bytes, size_t n,
                           uint32_t code_point, bool ascii)
{
    static const char plain[] = "\"\\\b\f\n\r\t", escape[] = "\"\\bfnrt";
    const char *found =
        code_point == 0 ? NULL : (code_point < 0x80 ? strchr(plain, (int)code_point) : NULL);
    if (found != NULL) {
        ss__buf_add_byte(buf, '\\');
        ss__buf_add_byte(buf, escape[found - plain]);
    } else if (code_point < 0x20 || (ascii && code_point >= 0x7F && code_point < 0x10000)) {
        add_escaped_unit(buf, code_point);
    } else if (ascii && code_point >= 0x10000) {
        add_escaped_unit(buf, 0xD800 + ((code_point - 0x10000) >> 10));
        add_escaped_unit(buf, 0xDC00 + ((code_point - 0x10000) & 0x3FF));
    } else {
        ss__buf_add(buf, bytes, n);
    }
}

/* How many bytes from here on stand for themselves. */
static size_t plain_run(const char *text, size_t n)
{
    size_t at = 0;
    while (at < n && text[at] >= 0x20 && text[at] < 0x7F && text[at] != '"' &&
           text[at] != '\\') {
        at++;
    }
    return at;
}

void ss__json_add_string(struct ss__buf *buf, const char *text, size_t n_bytes, bool ascii)
{
    ss__buf_add_byte(buf, '"');
    for (size_t at = 0; at < n_bytes;) {
        const size_t plain = plain_run(text + at, n_bytes - at);
        ss__buf_add(buf, text + at, plain);
        at += plain;
        if (at == n_bytes) {
            break;
        }
        uint32_t code_point = 0;
        const size_t length = ss__utf8_decode(text + at, n_bytes - at, &code_point);
        if (length == 0) { /* the contract excludes it: keep the output valid all the same */
            ss__buf_add(buf, "\xEF\xBF\xBD", 3);
            at++;
            continue;
        }
        add_code_point(buf, text + at, length, code_point, ascii);
        at += length;
    }
    ss__buf_add_byte(buf, '"');
}

/* ---- values ---- */

/* How values are written: `keeps_all` keeps numbers that JSON has no form for as Python writes
 * them, for our own parser. */
struct form {
    bool is_compact, keeps_all;
};

static void add_value(struct ss__buf *buf, const struct ss__json *value, struct form form);

static void add_text(struct ss__buf *buf, const struct ss__json *string)
{
    ss__json_add_string(buf, string->of.text, string->n, false);
}

static void add_array(struct ss__buf *buf, const struct ss__json *array, struct form form)
{
    ss__buf_add_byte(buf, '[');
    for (size_t i = 0; i < array->n; i++) {
        ss__buf_add_text(buf, i == 0 ? "" : form.is_compact ? "," : ", ");
        add_value(buf, &array->of.items[i], form); /* as deep as the parser let it be */
    }
    ss__buf_add_byte(buf, ']');
}

/* Members with commas between, without the one called `except` (nullable), behind *n_written.
 */
static void add_members(struct ss__buf *buf, const struct ss__json *object, const char *except,
                        struct form form, size_t *n_written)
{
    for (size_t i = 0; i < ss__json_count(object); i++) {
        const struct ss__json_member *member = &object->of.object->members[i];
        if (except == NULL || strcmp(member->key.of.text, except) != 0) {
            ss__buf_add_text(buf, (*n_written)++ == 0 ? "" : form.is_compact ? "," : ", ");
            add_text(buf, &member->key);
            ss__buf_add_text(buf, form.is_compact ? ":" : ": ");
            add_value(buf, &member->value, form);
        }
    }
}

static void add_object(struct ss__buf *buf, const struct ss__json *object, struct form form)
{
    size_t n_written = 0;
    ss__buf_add_byte(buf, '{');
    add_members(buf, object, NULL, form, &n_written);
    ss__buf_add_byte(buf, '}');
}

static void add_value(struct ss__buf *buf, const struct ss__json *value, struct form form)
{
    switch (ss__json_tag_of(value)) {
    case SS__JSON_IS_INTEGER:
        ss__buf_add(buf, value->of.text, value->n);
        break;
    case SS__JSON_IS_REAL:
        if (form.keeps_all || isfinite(ss__json_real(value))) {
            ss__buf_add(buf, value->of.text, value->n);
        } else {
            ss__buf_add_text(buf, "null");
        }
        break;
    case SS__JSON_IS_STRING:
        add_text(buf, value);
        break;
    case SS__JSON_IS_ARRAY:
        add_array(buf, value, form);
        break;
    case SS__JSON_IS_OBJECT:
        add_object(buf, value, form);
        break;
    case SS__JSON_IS_TRUE:
    case SS__JSON_IS_FALSE:
        ss__buf_add_text(buf, ss__json_is_true(value) ? "true" : "false");
        break;
    case SS__JSON_IS_NULL:
        ss__buf_add_text(buf, "null");
        break;
    }
}

void ss__json_add_value(struct ss__buf *buf, const struct ss__json *value, bool is_compact)
{
    add_value(buf, value, (struct form){.is_compact = is_compact});
}

/* Written and read again: of a key that stands twice the last one holds, which is what merging
 * means. */
ss_status ss__json_merge(const struct ss__json *base, const struct ss__json *over,
                         const char *except, struct ss__json **out, ss_err *err)
{
    ss_status status = SS_OK;
    const struct form form = {.is_compact = true, .keeps_all = true};
    struct ss__buf text = {0};
    size_t n_written = 0;
    *out = NULL;
    ss__buf_add_byte(&text, '{');
    add_members(&text, base, NULL, form, &n_written);
    add_members(&text, over, except, form, &n_written);
    ss__buf_add_byte(&text, '}');
    SS_TRY(ss__buf_check(&text, err));
    SS_TRY(ss__json_parse("merged settings", text.data, text.n_bytes, out, err));
out:
    ss__buf_release(&text);
    return status;
}

/* ---- documents ---- */

static void begin_line(struct ss__json_writer *writer)
{
    static const char *const indents[SS__N_JSON_STYLES] = {
        [SS__JSON_INDENT_2] = "  ", [SS__JSON_INDENT_4] = "    "};
    if (indents[writer->style] == NULL) {
        return;
    }
    ss__buf_add_byte(&writer->buf, '\n');
    for (size_t i = 0; i < writer->depth; i++) {
        ss__buf_add_text(&writer->buf, indents[writer->style]);
    }
}

/* What stands before an item: a comma, a new line with its indent, its key. */
static void begin_item(struct ss__json_writer *writer, const char *key)
{
    if (writer->has_items) {
        ss__buf_add_byte(&writer->buf, ',');
    }
    if (writer->depth > 0) {
        begin_line(writer);
    }
    if (key != NULL) {
        ss__json_add_string(&writer->buf, key, strlen(key), false);
        ss__buf_add_text(&writer->buf, writer->style == SS__JSON_COMPACT ? ":" : ": ");
    }
    writer->has_items = true;
}

void ss__put_open(struct ss__json_writer *writer, const char *key, char bracket)
{
    begin_item(writer, key);
    ss__buf_add_byte(&writer->buf, bracket);
    writer->depth++;
    writer->has_items = false;
}

/* An empty object is "{}" on one line, as Python writes it. */
void ss__put_close(struct ss__json_writer *writer, char bracket)
{
    writer->depth--;
    if (writer->has_items) {
        begin_line(writer);
    }
    ss__buf_add_byte(&writer->buf, bracket);
    writer->has_items = true;
    if (writer->depth == 0 && writer->style != SS__JSON_COMPACT) {
        ss__buf_add_byte(&writer->buf, '\n');
    }
}

void ss__put_text(struct ss__json_writer *writer, const char *key, const char *text)
{
    begin_item(writer, key);
    ss__json_add_string(&writer->buf, text, strlen(text), false);
}

void ss__put_string(struct ss__json_writer *writer, const char *key, struct ss_text text)
{
    begin_item(writer, key);
    ss__json_add_string(&writer->buf, text.data, text.n_bytes, false);
}

void ss__put_count(struct ss__json_writer *writer, const char *key, uint64_t count)
{
    begin_item(writer, key);
    ss__buf_printf(&writer->buf, "%" PRIu64, count);
}

void ss__put_number(struct ss__json_writer *writer, const char *key, double number)
{
    char text[SS__DOUBLE_TEXT_BYTES];
    begin_item(writer, key);
    ss__buf_add(&writer->buf, text, ss__format_double(number, text));
}

void ss__put_bool(struct ss__json_writer *writer, const char *key, bool value)
{
    begin_item(writer, key);
    ss__buf_add_text(&writer->buf, value ? "true" : "false");
}

void ss__put_null(struct ss__json_writer *writer, const char *key)
{
    begin_item(writer, key);
    ss__buf_add_text(&writer->buf, "null");
}

void ss__put_value(struct ss__json_writer *writer, const char *key,
                   const struct ss__json *value)
{
    begin_item(writer, key);
    ss__json_add_value(&writer->buf, value, writer->style == SS__JSON_COMPACT);
}

void ss__put_tree(struct ss__json_writer *writer, const char *key, const struct ss__json *value)
{
    const char *name = NULL;
    const struct ss__json *item = NULL;
    size_t i = 0;
    if (ss__json_is_array(value)) {
        ss__put_open(writer, key, '[');
        SS_JSON_EACH (value, i, item) {
            ss__put_tree(writer, NULL, item);
        }
        ss__put_close(writer, ']');
    } else if (ss__json_is_object(value)) {
        ss__put_open(writer, key, '{');
        SS_JSON_EACH_MEMBER (value, name, item) {
            ss__put_tree(writer, name, item);
        }
        ss__put_close(writer, '}');
    } else {
        ss__put_value(writer, key, value);
    }
}
