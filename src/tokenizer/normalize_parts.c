/* Most of a text is ASCII that no normaliser changes. Here such texts are told from others, and
 * of the others only the parts around what may change are normalised.
 *
 * Parts are cut at seams: between two characters that stay as they are and are no spaces, with
 * one more that stays on either side. Whatever lies beyond these four, steps see the same
 * neighbours in a part as in the whole: no cluster of characters that the four are in, no mark
 * that is put in order or composed, and no run of spaces reaches across. */
#include "base/mem.h"
#include "tokenizer/tokenizer_priv.h"

/* Whether one of 64 bytes may change; for runs of spaces the byte behind them is read as
 * well. */
static bool changes_block(const struct ss_tokenizer_normalizer *normalizer, const char *text)
{
    bool changes = false;
    for (size_t i = 0; i < SS_TOKENIZER_BLOCK_BYTES; i++) {
        changes |= normalizer->changes[(uint8_t)text[i]];
    }
    return changes ||
           (normalizer->changes_spaces && (ss_tokenizer_block_equal(text, ' ') &
                                           ss_tokenizer_block_equal(text + 1, ' ')) != 0);
}

/* Where something may change, at or behind `at`; n if nowhere. */
static size_t find_change(const struct ss_tokenizer_normalizer *normalizer, const char *text,
                          size_t n, size_t at)
{
    const bool *changes = normalizer->changes;
    const bool spaces = normalizer->changes_spaces;
    while (n - at >= SS_TOKENIZER_BLOCK_BYTES && !changes_block(normalizer, text + at)) {
        at += SS_TOKENIZER_BLOCK_BYTES;
    }
    for (; at < n; at++) {
        const bool two = spaces && text[at] == ' ' && at + 1 < n && text[at + 1] == ' ';
        if (changes[(uint8_t)text[at]] || two) {
            break;
        }
    }
    return at;
}

bool ss_tokenizer_normalizer_keeps(const struct ss_tokenizer_normalizer *normalizer,
                                   const char *text, size_t n_bytes)
{
    return normalizer->n_steps == 0 || find_change(normalizer, text, n_bytes, 0) == n_bytes;
}

/* Whether a part may end before text[at]. */
static bool is_seam(const struct ss_tokenizer_normalizer *normalizer, const char *text,
                    size_t n, size_t at)
{
    const bool *changes = normalizer->changes;
    return at >= 2 && at + 1 < n && !changes[(uint8_t)text[at - 2]] &&
           !changes[(uint8_t)text[at - 1]] && !changes[(uint8_t)text[at]] &&
           !changes[(uint8_t)text[at + 1]] && text[at - 1] != ' ' && text[at] != ' ';
}

/* What stays as it is is copied. Around a character that changes, a part is normalised that
 * begins and ends at seams. */
ss_status ss_tokenizer_normalize(const struct ss_tokenizer_normalizer *normalizer,
                                 struct ss_tokenizer_normal_scratch *scratch, const char *text,
                                 size_t n_bytes, struct ss__buf *out, ss_err *err)
{
    size_t n_start_bytes = 1; /* ASCII that stays as it is */
    if (normalizer->has_context) {
        return ss_tokenizer_normalize_whole(normalizer, scratch, text, n_bytes, out, err);
    }
    for (size_t at = 0; at < n_bytes;) {
        const size_t change = find_change(normalizer, text, n_bytes, at);
        size_t start = change, stop = change;
        if (change < n_bytes) {
            for (start -= ss__min_size(2, change - at);
                 start > at && !is_seam(normalizer, text, n_bytes, start); start--) {
            }
            for (stop++; stop < n_bytes && !is_seam(normalizer, text, n_bytes, stop); stop++) {
            }
        }
        ss__buf_add(out, text + at, start - at);
        if (start < stop) {
            SS_RETURN_IF_ERROR(ss_tokenizer_normalize_whole(normalizer, scratch, text + start,
                                                            stop - start, out, err));
            n_start_bytes = start == 0 ? scratch->n_start_bytes : n_start_bytes;
        }
        at = stop;
    }
    scratch->n_start_bytes = n_start_bytes;
    ss_tokenizer_pad_text(out);
    return ss__buf_check(out, err);
}
