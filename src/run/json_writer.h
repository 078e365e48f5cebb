/* Writing a JSON document with an indent of two, keys in the order of the calls. A NULL key
 * makes an element of a list. Failure to get memory shows in `buf`. */
#ifndef SS_RUN_JSON_WRITER_H
#define SS_RUN_JSON_WRITER_H

#include "base/json.h"
#include <stdint.h>

#include "base/buf.h"

struct ss__json_writer {
    struct ss__buf buf;
    size_t depth;
    bool has_items; /* the innermost open object or list */
};

void ss__put_open(struct ss__json_writer *writer, const char *key, char bracket);
void ss__put_close(struct ss__json_writer *writer, char bracket);
void ss__put_text(struct ss__json_writer *writer, const char *key, const char *text);
void ss__put_count(struct ss__json_writer *writer, const char *key, uint64_t count);
void ss__put_number(struct ss__json_writer *writer, const char *key, double number);
void ss__put_bool(struct ss__json_writer *writer, const char *key, bool value);
void ss__put_null(struct ss__json_writer *writer, const char *key);
/* A tree as it stands, on one line. */
void ss__put_tree(struct ss__json_writer *writer, const char *key, const struct ss__json *tree);

#endif
