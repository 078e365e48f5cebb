/* Text to token ids and back, with ids equal to the reference tokenizer's on every input.
 *
 * A loaded tokenizer does not change: threads share it, each with a scratch of its own. Ids
 * depend on the text alone; the word cache in the scratch changes nothing but the time. What
 * the reference is, and how the claim is tested: docs/numerics.md, "Encoders";
 * docs/spec/encoders.md, §5 to 7. */
#ifndef SS_TOKENIZER_H
#define SS_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"

struct ss_tokenizer;

struct ss_tokenizer_options {
    const char *model_type; /* "bert", "mpnet", "distilbert": decides where no class is named */
    bool lower_case_first;  /* `do_lower_case` of the sentence config: a Lowercase step in front
                             */
    /* An object of arguments for the tokenizer, such as `model_max_length` or
     * `truncation_side`: each counts over the same key of tokenizer_config.json. Nullable,
     * borrowed, not changed. */
    struct ss__json *arguments;
    struct ss_log log;
};

/* Load the tokenizer of a model folder.
 *
 * folder   borrowed for the call, as are the options (NULL: defaults)
 * out      gives (ss_tokenizer_free); immutable, shared by all threads; NULL on error
 * Errors   SS_E_NOINPUT (no tokenizer files), SS_E_DATA, SS_E_UNSUPPORTED (a class, key or step
 *          by its name), SS_E_LIMIT, SS_E_NOMEM
 * Threads  any
 * Source   tests/unit/test_tokenizer_data.c, tests/oracle/test_tokenizer.py */
SS_MUST_USE ss_status ss_tokenizer_load(const char *folder,
                                        const struct ss_tokenizer_options *options,
                                        struct ss_tokenizer **out, ss_err *err);
void ss_tokenizer_free(struct ss_tokenizer *tokenizer);

size_t ss_tokenizer_n_vocab(const struct ss_tokenizer *tokenizer); /* largest id + 1 */
/* `model_max_length` of tokenizer_config.json, 0 if absent or absurd (over 10^9). */
size_t ss_tokenizer_max_length(const struct ss_tokenizer *tokenizer);

/* Whether tokens have other types than 0 (`token_type_ids`), which are not given out. */
bool ss_tokenizer_has_types(const struct ss_tokenizer *tokenizer);

/* Ids with a role; -1 if the tokenizer has none. */
struct ss_tokenizer_special_ids {
    int32_t begin, end, pad, unknown, mask;
};
struct ss_tokenizer_special_ids ss_tokenizer_specials(const struct ss_tokenizer *tokenizer);

/* A batch of texts as one run of ids: text i has ids[offsets[i]] … ids[offsets[i + 1] - 1]. */
struct ss_tokenizer_tokens {
    int32_t *ids;
    size_t *offsets; /* [n_texts + 1]; NULL while empty */
    size_t n_texts;
    size_t ids_capacity, offsets_capacity;
};
/* Empty a batch and keep its memory; release it. */
void ss_tokenizer_tokens_reset(struct ss_tokenizer_tokens *tokens);
void ss_tokenizer_tokens_release(struct ss_tokenizer_tokens *tokens);
static inline size_t ss_tokenizer_tokens_n_ids(const struct ss_tokenizer_tokens *tokens)
{
    return tokens->n_texts == 0 ? 0 : tokens->offsets[tokens->n_texts];
}

/* Per-thread memory of the tokenizer: buffers and the cache of words. */
struct ss_tokenizer_token_scratch;
/* Some megabytes, nearly all of it the word cache; gives *out. Errors: SS_E_NOMEM. One thread
 * at a time. */
SS_MUST_USE ss_status ss_tokenizer_token_scratch_new(struct ss_tokenizer_token_scratch **out,
                                                     ss_err *err);
void ss_tokenizer_token_scratch_free(struct ss_tokenizer_token_scratch *scratch);
size_t
ss_tokenizer_token_scratch_bytes(const struct ss_tokenizer_token_scratch *scratch); /* about */

/* Append one text: begin, the first max_ids - 2 pieces (the last, where the tokenizer truncates
 * on the left), end.
 *
 * text     borrowed; invalid UTF-8 is read as U+FFFD per maximal invalid part max_ids  with
 * begin and end; 0: no limit tokens   gets one text more; unchanged on error
 * Errors   SS_E_NOMEM, SS_E_LIMIT (a word of gigabytes)
 * Threads  one call per scratch */
SS_MUST_USE ss_status ss_tokenizer_tokenize(const struct ss_tokenizer *tokenizer,
                                            struct ss_tokenizer_token_scratch *scratch,
                                            struct ss_text text, size_t max_ids,
                                            struct ss_tokenizer_tokens *tokens, ss_err *err);

/* Text of ids, as the reference's decode with clean-up; gives a terminated string (ss__free).
 * With skip_special, special tokens are left out; ids without a text always are. Errors:
 * SS_E_UNSUPPORTED (the tokenizer's decoder), SS_E_NOMEM. Threads: any. */
SS_MUST_USE ss_status ss_tokenizer_detokenize(const struct ss_tokenizer *tokenizer,
                                              const int32_t *ids, size_t n_ids,
                                              bool skip_special, char **out, ss_err *err);

#endif
