/* Rarer ways to cut words: stretches of one script, and of a fixed length. */
#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/split.h"

#include "tokenizer/script_tables.inc"

enum { N_STARTS = sizeof script_starts / sizeof script_starts[0], NO_SCRIPT = 0 };

/* The stretch of code points that one is in, by halving. */
static uint32_t script_of(uint32_t code_point)
{
    size_t low = 0, high = N_STARTS;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (script_starts[middle] >> 8 <= code_point) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return script_starts[low] & 0xFF;
}

/* A stretch begins with a character that has a script, and goes on until one has another. What
 * stands before the first is in none, as in the reference. */
bool ss_tokenizer_find_script(const struct ss_tokenizer_splitter *splitter,
                              const struct ss_text *text, size_t at, size_t *start,
                              size_t *stop)
{
    uint32_t script = NO_SCRIPT;
    (void)splitter;
    for (size_t n = 0; at < text->n_bytes; at += n) {
        uint32_t c = SS__REPLACEMENT;
        n = ss__max_size(ss__utf8_decode(text->data + at, text->n_bytes - at, &c), 1);
        const uint32_t next = script_of(c);
        if (next == NO_SCRIPT || next == script) {
            continue;
        }
        if (script != NO_SCRIPT) {
            break;
        }
        script = next;
        *start = at;
    }
    *stop = at;
    return script != NO_SCRIPT;
}

/* So many code points, the last stretch as many as are left. */
bool ss_tokenizer_find_length(const struct ss_tokenizer_splitter *splitter,
                              const struct ss_text *text, size_t at, size_t *start,
                              size_t *stop)
{
    *start = at;
    for (size_t i = 0; i < splitter->length && at < text->n_bytes; i++) {
        uint32_t c = 0;
        at += ss__max_size(ss__utf8_decode(text->data + at, text->n_bytes - at, &c), 1);
    }
    *stop = at;
    return *stop > *start;
}
