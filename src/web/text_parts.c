/* Sentences and words by simple rules, whatever the language; nothing of the text is left out. */
#include "web/text_parts.h"

#include <string.h>

#include "base/utf8.h"

/* A place in a text, and the code point there; a length of 0 at its end. */
struct cursor {
    struct ss_text text;
    size_t at, n;
    uint32_t c;
};

static void look(struct cursor *cursor)
{
    cursor->c = 0;
    cursor->n = ss__utf8_decode(cursor->text.data + cursor->at,
                                cursor->text.n_bytes - cursor->at, &cursor->c);
    if (cursor->n == 0 && cursor->at < cursor->text.n_bytes) {
        cursor->n = 1; /* no UTF-8 */
    }
}

static void step(struct cursor *cursor)
{
    cursor->at += cursor->n;
    look(cursor);
}

static bool is_of(uint32_t c, const uint32_t *set)
{
    while (*set != 0 && *set != c) {
        set++;
    }
    return *set != 0;
}

/* Pass white space; gives how many newlines it has. */
static size_t pass_space(struct cursor *cursor)
{
    size_t n = 0;
    while (cursor->n > 0 && ss__is_white_space(cursor->c)) {
        n += cursor->c == '\n';
        step(cursor);
    }
    return n;
}

static bool ends_sentence(struct cursor *cursor)
{
    static const uint32_t wide[] = {0x3002, 0xFF01, 0xFF1F, 0};
    static const uint32_t stops[] = {'.', '!', '?', 0x2026, 0};
    static const uint32_t closing[] = {'"', '\'', ')', ']', 0x2019, 0x201D, 0xBB, 0x300D, 0};
    const bool is_wide = is_of(cursor->c, wide), is_stop = is_of(cursor->c, stops);
    step(cursor);
    while ((is_wide || is_stop) &&
           (is_of(cursor->c, closing) || is_of(cursor->c, stops) || is_of(cursor->c, wide))) {
        step(cursor);
    }
    const size_t before = cursor->at;
    const size_t n_newlines = pass_space(cursor);
    const bool has_space = cursor->at > before;
    const bool goes_on = cursor->c >= 'a' && cursor->c <= 'z';
    return is_wide || n_newlines > 1 || (is_stop && has_space && !goes_on);
}

/* Han, kana and their extensions, which are written without spaces. */
static bool is_word_alone(uint32_t c)
{
    return (c >= 0x3040 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0x20000 && c <= 0x3FFFF);
}

static bool ends_word(struct cursor *cursor)
{
    const bool is_alone = is_word_alone(cursor->c);
    step(cursor);
    const size_t before = cursor->at;
    (void)pass_space(cursor);
    return is_alone || cursor->at > before || is_word_alone(cursor->c);
}

size_t ss_web_split(struct ss_text text, ss_web_unit unit, struct ss_web_part *parts,
                    size_t n_most)
{
    struct cursor cursor = {.text = text};
    size_t n = 0, start = 0;
    look(&cursor);
    (void)pass_space(&cursor); /* what stands before goes with the first */
    while (cursor.n > 0) {
        const bool ends = unit == SS_WEB_WORDS ? ends_word(&cursor) : ends_sentence(&cursor);
        if (ends || cursor.n == 0) {
            if (n < n_most) {
                parts[n] = (struct ss_web_part){start, cursor.at};
            }
            n++;
            start = cursor.at;
        }
    }
    return n;
}
