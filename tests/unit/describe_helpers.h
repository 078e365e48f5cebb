/* What tests of the room describe share: lines of JSON, and a stand-in for an encoder. */
#ifndef SS_TEST_DESCRIBE_HELPERS_H
#define SS_TEST_DESCRIBE_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "describe/describe_priv.h"

enum { STAND_IN_WIDTH = 16 };

/* Lines of a file that are a JSON document each. */
struct json_lines {
    struct ss__buf buf;
    size_t at;
};

static inline struct json_lines open_lines(const char *path)
{
    struct json_lines lines = {0};
    assert_int_equal(ss__file_read(path, (size_t)64 << 20, &lines.buf, NULL), SS_OK);
    return lines;
}

/* The next document, or NULL at the end (ss__json_free). */
static inline struct ss__json *next_line(struct json_lines *lines)
{
    struct ss__json *value = NULL;
    if (lines->at == lines->buf.n_bytes) {
        return NULL;
    }
    const char *begin = lines->buf.data + lines->at;
    const char *end = memchr(begin, '\n', lines->buf.n_bytes - lines->at);
    const size_t n = end == NULL ? lines->buf.n_bytes - lines->at : (size_t)(end - begin);
    assert_int_equal(ss__json_parse("line", begin, n, &value, NULL), SS_OK);
    lines->at += n + (end != NULL);
    return value;
}

static inline struct ss_text json_text(const struct ss__json *value)
{
    return (struct ss_text){ss__json_string(value), ss__json_string_bytes(value)};
}

/* tools/make_keyword_data.py has the same: small whole numbers by the hash of a word and of its
 * first four letters, summed over the pieces between spaces. */
static inline void add_word_vector(struct ss_text word, float *out)
{
    const uint64_t stem =
        ss_describe_hash_text((struct ss_text){word.data, ss__min_size(4, word.n_bytes)});
    const uint64_t whole = ss_describe_hash_text(word);
    for (size_t k = 0; k < STAND_IN_WIDTH; k++) {
        out[k] += (float)(6 * ((int)(stem >> 4 * k & 15) - 7) + (int)(whole >> 4 * k & 7) - 3);
    }
}

static inline void embed_stand_in(struct ss_text text, float *out)
{
    size_t begin = 0;
    memset(out, 0, STAND_IN_WIDTH * sizeof *out);
    for (size_t i = 0; i <= text.n_bytes; i++) {
        if (i == text.n_bytes || text.data[i] == ' ') {
            if (i > begin) {
                add_word_vector((struct ss_text){text.data + begin, i - begin}, out);
            }
            begin = i + 1;
        }
    }
}

static inline ss_status stand_in(void *user, const struct ss_text *texts, size_t n, float *out,
                                 ss_err *err)
{
    size_t *n_embedded = user;
    (void)err;
    if (n_embedded != NULL) {
        *n_embedded += n;
    }
    for (size_t i = 0; i < n; i++) {
        embed_stand_in(texts[i], out + i * STAND_IN_WIDTH);
    }
    return SS_OK;
}

#endif
