/* Lower case as Unicode has it, and words found in it. */
#include "run/text_words.h"

#include <string.h>

#include "base/utf8.h"
#include "tokenizer/unicode.h"

enum { FINAL_SIGMA = 0x3C2, SIGMA = 0x3C3 };

/* Append valid UTF-8 in lower case; both forms of the small sigma are one. */
static void add_lower(struct ss__buf *out, const char *data, size_t n)
{
    uint32_t lower[SS_TOKENIZER_CHAR_MAX_EXPANSION], c = 0;
    char bytes[4];
    for (size_t at = 0, length = 0; at < n; at += length) {
        length = ss__utf8_decode(data + at, n - at, &c);
        if (length == 0) {
            return;
        }
        const bool changes = (ss_tokenizer_char_record(c) & SS_TOKENIZER_CHAR_LOWERS) != 0;
        const size_t n_lower = changes ? ss_tokenizer_char_lower(c, lower) : 1;
        lower[0] = changes ? lower[0] : c == FINAL_SIGMA ? SIGMA : c;
        for (size_t i = 0; i < n_lower; i++) {
            ss__buf_add(out, bytes, ss__utf8_encode(lower[i], bytes));
        }
    }
}

ss_status ss_run_words_split(const char *text, struct ss_run_words *words, ss_err *err)
{
    const char *at = NULL, *end = NULL;
    *words = (struct ss_run_words){0};
    if (ss__utf8_valid_prefix(text, strlen(text)) != strlen(text)) {
        return ss__fail(err, SS_E_USAGE, "the words to search for are not valid UTF-8");
    }
    add_lower(&words->words, text, strlen(text));
    SS_RETURN_IF_ERROR(ss__buf_check(&words->words, err));
    at = words->words.data;
    end = at + words->words.n_bytes;
    while (at < end) {
        const char *begin = at;
        while (at < end && *at != ' ' && *at != '\t' && *at != '\n') {
            at++;
        }
        if (at > begin && words->n_parts == SS_RUN_MAX_WORDS) {
            return ss__fail(err, SS_E_USAGE, "more than %d words to search for",
                            SS_RUN_MAX_WORDS);
        }
        if (at > begin) {
            words->parts[words->n_parts++] = (struct ss_text){begin, (size_t)(at - begin)};
        }
        at++;
    }
    if (words->n_parts == 0) {
        return ss__fail(err, SS_E_USAGE, "there are no words to search for");
    }
    return SS_OK;
}

bool ss_run_words_hold(struct ss_run_words *words, struct ss_text text)
{
    struct ss__buf *lower = &words->text;
    lower->n_bytes = 0;
    add_lower(lower, text.data, text.n_bytes);
    for (size_t i = 0; i < words->n_parts; i++) {
        const struct ss_text *part = &words->parts[i];
        if (lower->n_bytes == 0 ||
            memmem(lower->data, lower->n_bytes, part->data, part->n_bytes) == NULL) {
            return false;
        }
    }
    return true;
}

size_t ss_run_words_count(const struct ss_run_words *words)
{
    size_t n = 0;
    for (size_t i = 0; i < words->n_parts; i++) {
        const struct ss_text *part = &words->parts[i];
        const char *at = words->text.data, *end = at + words->text.n_bytes;
        while (at < end &&
               (at = memmem(at, (size_t)(end - at), part->data, part->n_bytes)) != NULL) {
            at += part->n_bytes;
            n++;
        }
    }
    return n;
}

void ss_run_words_release(struct ss_run_words *words)
{
    ss__buf_release(&words->words);
    ss__buf_release(&words->text);
    *words = (struct ss_run_words){0};
}
