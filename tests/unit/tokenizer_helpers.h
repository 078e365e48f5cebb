/* A loaded tokenizer with what a test needs around it. */
#ifndef TOKENIZER_HELPERS_H
#define TOKENIZER_HELPERS_H

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
#include "tokenizer/tokenizer.h"

struct fixture {
    struct ss_tokenizer *tokenizer;
    struct ss_tokenizer_token_scratch *scratch;
    struct ss_tokenizer_tokens tokens;
    ss_err err;
};

static inline void must(ss_status status, const ss_err *err)
{
    if (status != SS_OK) {
        fail_msg("%s", err->message);
    }
}

static inline void open_fixture(struct fixture *self, const char *folder,
                                const struct ss_tokenizer_options *options)
{
    *self = (struct fixture){0};
    must(ss_tokenizer_load(folder, options, &self->tokenizer, &self->err), &self->err);
    must(ss_tokenizer_token_scratch_new(&self->scratch, &self->err), &self->err);
}

static inline void close_fixture(struct fixture *self)
{
    ss_tokenizer_tokens_release(&self->tokens);
    ss_tokenizer_token_scratch_free(self->scratch);
    ss_tokenizer_free(self->tokenizer);
}

/* Tokenise one text into self->tokens alone. */
static inline void tokenize(struct fixture *self, const char *text, size_t n_bytes,
                            size_t max_ids)
{
    ss_tokenizer_tokens_reset(&self->tokens);
    must(ss_tokenizer_tokenize(self->tokenizer, self->scratch, (struct ss_text){text, n_bytes},
                               max_ids, &self->tokens, &self->err),
         &self->err);
}

/* Whether a text has the ids of a JSON array, past `n_around` ids at both ends. */
static inline bool ids_equal(struct fixture *self, const struct ss__json *text,
                             const struct ss__json *ids, size_t max_ids, size_t n_around)
{
    tokenize(self, ss__json_string(text), ss__json_string_bytes(text), max_ids);
    if (ss_tokenizer_tokens_n_ids(&self->tokens) != ss__json_count(ids) + 2 * n_around) {
        return false;
    }
    for (size_t i = 0; i < ss__json_count(ids); i++) {
        if (self->tokens.ids[n_around + i] != ss__json_integer(ss__json_at(ids, i))) {
            return false;
        }
    }
    return true;
}

static inline struct ss__json *need_json(const char *path)
{
    struct ss__json *root = NULL;
    ss_err err;
    must(ss__json_load(path, &root, &err), &err);
    return root;
}

#endif
