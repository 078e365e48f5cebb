#include "run/json_writer.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"

static void begin_line(struct ss__json_writer *writer)
{
    ss__buf_add_byte(&writer->buf, '\n');
    for (size_t i = 0; i < writer->depth; i++) {
        ss__buf_add_text(&writer->buf, "  ");
    }
}

static void add_string(struct ss__json_writer *writer, const char *text)
{
    ss__json_add_string(&writer->buf, text, strlen(text), false);
}

static void begin_item(struct ss__json_writer *writer, const char *key)
{
    if (writer->has_items) {
        ss__buf_add_byte(&writer->buf, ',');
    }
    if (writer->depth > 0) {
        begin_line(writer);
    }
    if (key != NULL) {
        add_string(writer, key);
        ss__buf_add_text(&writer->buf, ": ");
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

void ss__put_close(struct ss__json_writer *writer, char bracket)
{
    writer->depth--;
    if (writer->has_items) {
        begin_line(writer);
    }
    ss__buf_add_byte(&writer->buf, bracket);
    writer->has_items = true;
    if (writer->depth == 0) {
        ss__buf_add_byte(&writer->buf, '\n');
    }
}

void ss__put_text(struct ss__json_writer *writer, const char *key, const char *text)
{
    begin_item(writer, key);
    add_string(writer, text);
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

static int add_chunk(const char *chunk, size_t n_bytes, void *buf)
{
    ss__buf_add(buf, chunk, n_bytes);
    return 0;
}

void ss__put_tree(struct ss__json_writer *writer, const char *key, const struct ss__json *tree)
{
    begin_item(writer, key);
    if (tree == NULL || json_dump_callback(tree, add_chunk, &writer->buf,
                                           JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) != 0) {
        ss__buf_add_text(&writer->buf, "null");
    }
}
