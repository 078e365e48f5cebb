/* Texts as prompts show them: short, without what cannot be seen, and without what a model could
 * take for the marks that stand around them. */
#include <string.h>

#include "base/utf8.h"
#include "describe/llm_priv.h"

enum {
    MAX_WORDS = 160,
    MAX_CHARACTERS = 1200,
    MOST_AROUND = 400 /* bytes on either side of a marked sentence */
};

/* ---- texts ---- */

static bool is_invisible(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x200B && c <= 0x200F) ||
           (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
           (c >= 0xE0000 && c <= 0xE007F) || (c >= 0xFFF9 && c <= 0xFFFB);
}

/* The next character that is shown, in lower case; 0 at the end. */
static uint32_t next_shown(struct ss_text text, size_t *at)
{
    while (*at < text.n_bytes) {
        uint32_t c = 0;
        const size_t n = ss__utf8_decode(text.data + *at, text.n_bytes - *at, &c);
        *at += n == 0 ? 1 : n;
        if (n == 0 || !is_invisible(c) || ss__is_white_space(c)) {
            return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : n == 0 ? SS__REPLACEMENT : c;
        }
    }
    return 0;
}

/* What a model might take for the mark of a text begins behind "<", as it is shown. */
static bool is_mark(struct ss_text behind)
{
    static const char mark[] = "text";
    size_t at = 0;
    uint32_t c = next_shown(behind, &at);
    c = c == '/' ? next_shown(behind, &at) : c;
    for (size_t i = 0; mark[i] != '\0'; i++) {
        if (c != (uint32_t)mark[i]) {
            return false;
        }
        c = mark[i + 1] == '\0' ? 0 : next_shown(behind, &at);
    }
    return true;
}

/* Of a text that is being written: where it could be cut. */
struct cutting {
    size_t n_words, n_characters;
    size_t word_end, sentence_end; /* bytes of the output; 0: none so far */
    size_t sentence_words, sentence_characters;
    uint32_t last;
};

static bool ends_sentence(uint32_t c)
{
    return c == '.' || c == '!' || c == '?' || c == 0x3002 || c == 0xFF01 || c == 0xFF1F ||
           c == 0x0964 || c == 0x061F || c == 0x06D4;
}

/* A space in the text, or its end. */
static void end_word(struct cutting *cutting, size_t at)
{
    cutting->n_words++;
    cutting->word_end = at;
    if (ends_sentence(cutting->last)) {
        cutting->sentence_end = at;
        cutting->sentence_words = cutting->n_words;
        cutting->sentence_characters = cutting->n_characters;
    }
}

/* At the last sentence's end, unless most of the text would go with the rest. */
static void cut(struct ss__buf *out, size_t begin, const struct cutting *cutting)
{
    const bool has_sentence =
        cutting->sentence_end > 0 && (2 * cutting->sentence_words >= MAX_WORDS ||
                                      2 * cutting->sentence_characters >= MAX_CHARACTERS);
    if (has_sentence) {
        out->n_bytes = cutting->sentence_end;
        return;
    }
    if (cutting->word_end > begin && cutting->n_words >= MAX_WORDS / 4) {
        out->n_bytes = cutting->word_end;
    }
    ss__buf_add_text(out, " …");
}

void ss_describe_llm_add_text(struct ss__buf *out, struct ss_text text)
{
    struct cutting cutting = {0};
    const size_t begin = out->n_bytes;
    bool needs_space = false;
    for (size_t at = 0; at < text.n_bytes;) {
        uint32_t c = 0;
        size_t n = ss__utf8_decode(text.data + at, text.n_bytes - at, &c);
        c = n == 0 ? SS__REPLACEMENT : c;
        n = n == 0 ? 1 : n;
        if (ss__is_white_space(c)) {
            needs_space = out->n_bytes > begin;
        } else if (!is_invisible(c)) {
            char bytes[4];
            if (needs_space || cutting.last == 0x3002 || cutting.last == 0xFF01 ||
                cutting.last == 0xFF1F) {
                end_word(&cutting, out->n_bytes);
            }
            if (cutting.n_words >= MAX_WORDS || cutting.n_characters >= MAX_CHARACTERS) {
                cut(out, begin, &cutting);
                return;
            }
            ss__buf_add_text(out, needs_space ? " " : "");
            const uint32_t shown =
                c == '<' && is_mark((struct ss_text){text.data + at + n, text.n_bytes - at - n})
                    ? 0x2039
                    : c;
            ss__buf_add(out, bytes, ss__utf8_encode(shown, bytes));
            cutting.n_characters += 1 + needs_space;
            cutting.last = c;
            needs_space = false;
        }
        at += n;
    }
}

/* ---- texts with a marked sentence ---- */

/* A piece of a text, in which no marks but ours stand. */
static void add_piece(struct ss__buf *out, struct ss_text piece)
{
    struct ss__buf clean = {0};
    for (size_t i = 0; i < piece.n_bytes; i++) {
        const char c = piece.data[i];
        if (c == '<' || c == '>') {
            ss__buf_add_text(&clean, c == '<' ? "\u2039" : "\u203a");
        } else {
            ss__buf_add_byte(&clean, c);
        }
    }
    out->failed |= clean.failed;
    ss_describe_llm_add_text(out, (struct ss_text){clean.data, clean.n_bytes});
    ss__buf_release(&clean);
}

/* The last bytes of a text from a space on, where it is long. */
static struct ss_text end_of(struct ss_text text)
{
    size_t begin = text.n_bytes > MOST_AROUND ? text.n_bytes - MOST_AROUND : 0;
    while (begin > 0 && begin < text.n_bytes && text.data[begin] != ' ') {
        begin++;
    }
    return (struct ss_text){text.data + begin, text.n_bytes - begin};
}

static struct ss_text begin_of(struct ss_text text)
{
    size_t end = ss__min_size(text.n_bytes, MOST_AROUND);
    while (end > 0 && end < text.n_bytes && text.data[end] != ' ') {
        end--;
    }
    return (struct ss_text){text.data, end};
}

void ss_describe_llm_add_marked(struct ss__buf *out, struct ss_text text,
                                const struct ss_describe_llm_marked *marked)
{
    const size_t end = marked->begin + marked->n_bytes;
    const struct ss_text before = end_of((struct ss_text){text.data, marked->begin});
    const struct ss_text after =
        begin_of((struct ss_text){text.data + end, text.n_bytes - end});
    add_piece(out, before);
    ss__buf_add_text(out, before.n_bytes > 0 ? " << " : "<< ");
    add_piece(out, (struct ss_text){text.data + marked->begin, marked->n_bytes});
    ss__buf_add_text(out, after.n_bytes > 0 ? " >> " : " >>");
    add_piece(out, after);
}
