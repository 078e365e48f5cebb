/* Texts cut into words: letters, digits and the marks on them, with a hyphen or an apostrophe
 * inside; compared in lower case. Characters of scripts that put no spaces between words are
 * words of their own, which are glued together. Punctuation that ends a clause is a break. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "describe/corpus.h"
#include "tokenizer/unicode.h"

/* ---- characters ---- */

struct stretch {
    uint32_t first, last;
};

/* Blocks of scripts without spaces between words: Thai, Lao, Myanmar, Khmer, Han, kana. */
static const struct stretch glued[] = {
    {0x0E00, 0x0EFF},   {0x1000, 0x109F},   {0x1780, 0x17FF}, {0x2E80, 0x2FDF},
    {0x3005, 0x3007},   {0x3021, 0x3029},   {0x3040, 0x30FF}, {0x3100, 0x312F},
    {0x31A0, 0x31BF},   {0x31F0, 0x31FF},   {0x3400, 0x4DBF}, {0x4E00, 0x9FFF},
    {0xA9E0, 0xA9FF},   {0xAA60, 0xAA7F},   {0xF900, 0xFAFF}, {0xFF66, 0xFF9F},
    {0x1AFF0, 0x1B16F}, {0x20000, 0x3FFFD},
};

static bool is_glued_character(uint32_t c)
{
    size_t i = 0;
    if (c < glued[0].first) {
        return false;
    }
    while (i < sizeof glued / sizeof glued[0] && c > glued[i].last) {
        i++;
    }
    return i < sizeof glued / sizeof glued[0] && c >= glued[i].first;
}

/* Ends of clauses beside the ASCII ones: of CJK, full-width forms, Arabic, Devanagari,
 * Armenian, Ethiopic, and dashes and quotes. */
static const struct stretch clause_ends[] = {
    {0x00A1, 0x00A1}, {0x00AB, 0x00AB}, {0x00BB, 0x00BB}, {0x00BF, 0x00BF}, {0x0589, 0x0589},
    {0x060C, 0x060C}, {0x061B, 0x061B}, {0x061F, 0x061F}, {0x06D4, 0x06D4}, {0x0964, 0x0965},
    {0x1361, 0x1368}, {0x2013, 0x2015}, {0x201C, 0x201F}, {0x2026, 0x2026}, {0x3001, 0x3003},
    {0x3008, 0x3011}, {0x3014, 0x301F}, {0xFF01, 0xFF01}, {0xFF08, 0xFF09}, {0xFF0C, 0xFF0C},
    {0xFF0E, 0xFF0E}, {0xFF1A, 0xFF1B}, {0xFF1F, 0xFF1F}, {0xFF61, 0xFF64},
};

static bool ends_clause(uint32_t c)
{
    if (c < 0x80) {
        return c != 0 && strchr(".,;:()[]!?$\\{}\"", (int)c) != NULL;
    }
    for (size_t i = 0; i < sizeof clause_ends / sizeof clause_ends[0]; i++) {
        if (c >= clause_ends[i].first && c <= clause_ends[i].last) {
            return true;
        }
    }
    return false;
}

static bool is_mark(uint32_t c)
{
    return c >= 0x300 && (ss_tokenizer_char_record(c) & SS_TOKENIZER_CHAR_ANY_MARK) != 0;
}

static bool joins(uint32_t c)
{
    return c == '-' || c == '\'' || c == 0x2019 || c == 0x2010 || c == 0x2011;
}

/* ---- cutting ---- */

struct reader {
    struct ss_text text;
    size_t at;
};

/* The character at `at`, and how many bytes it has; 0 at the end. */
static size_t look(struct ss_text text, size_t at, uint32_t *c)
{
    *c = SS__REPLACEMENT;
    if (at >= text.n_bytes) {
        *c = 0;
        return 0;
    }
    const size_t n = ss__utf8_decode(text.data + at, text.n_bytes - at, c);
    return n == 0 ? 1 : n;
}

/* Behind the marks that follow. */
static size_t skip_marks(struct ss_text text, size_t at)
{
    uint32_t c = 0;
    size_t n = look(text, at, &c);
    while (n > 0 && is_mark(c)) {
        at += n;
        n = look(text, at, &c);
    }
    return at;
}

/* The end of the word that begins with an alphanumeric character at `at`. */
static size_t end_of_word(struct ss_text text, size_t at)
{
    uint32_t c = 0;
    size_t n = look(text, at, &c);
    while (n > 0) {
        uint32_t next = 0;
        if (ss_describe_is_alphanumeric(c) && !is_glued_character(c)) {
            at = skip_marks(text, at + n);
        } else if (joins(c) && look(text, at + n, &next) > 0 &&
                   ss_describe_is_alphanumeric(next) && !is_glued_character(next)) {
            at += n;
        } else {
            break;
        }
        n = look(text, at, &c);
    }
    return at;
}

/* The next word or break; false at the end. A break has begin = end. */
static bool next_piece(struct reader *reader, size_t *begin, size_t *end, bool *is_glued)
{
    uint32_t c = 0;
    size_t n = look(reader->text, reader->at, &c);
    while (n > 0) {
        *begin = *end = reader->at;
        *is_glued = is_glued_character(c);
        if (ss_describe_is_alphanumeric(c)) {
            *end = *is_glued ? skip_marks(reader->text, reader->at + n)
                             : end_of_word(reader->text, reader->at);
            reader->at = *end;
            return true;
        }
        reader->at += n;
        if (ends_clause(c)) {
            return true;
        }
        n = look(reader->text, reader->at, &c);
    }
    return false;
}

/* ---- the corpus ---- */

static bool is_number(struct ss_text word)
{
    for (size_t i = 0; i < word.n_bytes; i++) {
        if (word.data[i] < '0' || word.data[i] > '9') {
            return false;
        }
    }
    return true;
}

static bool is_one_character(struct ss_text word)
{
    uint32_t c = 0;
    return look(word, 0, &c) == word.n_bytes;
}

static ss_status add_place(struct ss_describe_corpus *corpus, uint32_t word, size_t begin,
                           size_t end, ss_err *err)
{
    if (corpus->n >= UINT32_MAX - 1) {
        return ss__fail(err, SS_E_LIMIT, "more than %zu words in the texts that were kept",
                        corpus->n);
    }
    SS_GROW_OR_RETURN(corpus->words, corpus->words_room, corpus->n + 1);
    SS_GROW_OR_RETURN(corpus->begins, corpus->begins_room, corpus->n + 1);
    SS_GROW_OR_RETURN(corpus->ends, corpus->ends_room, corpus->n + 1);
    corpus->words[corpus->n] = word;
    corpus->begins[corpus->n] = (uint32_t)begin;
    corpus->ends[corpus->n] = (uint32_t)end;
    corpus->n++;
    return SS_OK;
}

static ss_status add_word(struct ss_describe_corpus *corpus, struct ss_text word, bool is_glued,
                          uint32_t *number, ss_err *err)
{
    const size_t n_before = corpus->strings.n;
    SS_RETURN_IF_ERROR(ss_describe_strings_add(&corpus->strings, word, number, err));
    if (corpus->strings.n > n_before) {
        SS_GROW_OR_RETURN(corpus->facts, corpus->facts_room, corpus->strings.n);
        corpus->facts[*number] = (struct ss_describe_word){
            .can_end = is_glued || (!is_number(word) && !is_one_character(word)),
            .can_join = true,
            .is_glued = is_glued,
            .form = SS_DESCRIBE_NO_STRING};
    }
    return SS_OK;
}

/* Count the form in which a text has a word. */
static ss_status count_form(struct ss_describe_corpus *corpus, uint32_t word,
                            struct ss_text surface, ss_err *err)
{
    const size_t n_before = corpus->forms.n;
    uint32_t form = 0;
    SS_RETURN_IF_ERROR(ss_describe_strings_add(&corpus->forms, surface, &form, err));
    SS_GROW_OR_RETURN(corpus->form_counts, corpus->form_counts_room, corpus->forms.n);
    corpus->form_counts[form] = corpus->forms.n > n_before ? 1 : corpus->form_counts[form] + 1;
    uint32_t *best = &corpus->facts[word].form;
    if (*best == SS_DESCRIBE_NO_STRING ||
        corpus->form_counts[form] > corpus->form_counts[*best]) {
        *best = form;
    }
    return SS_OK;
}

static ss_status cut_text(struct ss_describe_corpus *corpus, struct ss_text text,
                          struct ss__buf *lower, ss_err *err)
{
    struct reader reader = {.text = text};
    size_t begin = 0;
    size_t end = 0;
    bool is_glued = false;
    if (text.n_bytes > UINT32_MAX) {
        return ss__fail(err, SS_E_LIMIT, "a text of %zu bytes", text.n_bytes);
    }
    while (next_piece(&reader, &begin, &end, &is_glued)) {
        uint32_t number = SS_DESCRIBE_BREAK;
        if (end > begin) {
            lower->n_bytes = 0;
            ss_describe_lower((struct ss_text){text.data + begin, end - begin}, lower);
            SS_RETURN_IF_ERROR(ss__buf_check(lower, err));
            SS_RETURN_IF_ERROR(add_word(corpus, (struct ss_text){lower->data, lower->n_bytes},
                                        is_glued, &number, err));
            SS_RETURN_IF_ERROR(count_form(
                corpus, number, (struct ss_text){text.data + begin, end - begin}, err));
        }
        SS_RETURN_IF_ERROR(add_place(corpus, number, begin, end, err));
    }
    return SS_OK;
}

ss_status ss_describe_corpus_init(struct ss_describe_corpus *corpus,
                                  const struct ss_text *texts, size_t n_texts, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf lower = {0};
    *corpus = (struct ss_describe_corpus){.n_texts = n_texts, .texts = texts};
    SS_ALLOC(corpus->offsets, n_texts + 1);
    for (size_t t = 0; t < n_texts; t++) {
        SS_TRY(cut_text(corpus, texts[t], &lower, err));
        corpus->offsets[t + 1] = corpus->n;
    }
out:
    ss__buf_release(&lower);
    return status;
}

void ss_describe_corpus_release(struct ss_describe_corpus *corpus)
{
    ss__free(corpus->offsets);
    ss__free(corpus->words);
    ss__free(corpus->begins);
    ss__free(corpus->ends);
    ss__free(corpus->facts);
    ss__free(corpus->form_counts);
    ss_describe_strings_release(&corpus->strings);
    ss_describe_strings_release(&corpus->forms);
    *corpus = (struct ss_describe_corpus){0};
}

/* ---- looking for words ---- */

bool ss_describe_text_holds(const struct ss_describe_corpus *corpus, size_t text,
                            const uint32_t *words, size_t n)
{
    const size_t end = corpus->offsets[text + 1];
    for (size_t i = corpus->offsets[text]; n > 0 && i + n <= end; i++) {
        if (memcmp(corpus->words + i, words, n * sizeof *words) == 0) {
            return true;
        }
    }
    return false;
}

ss_status ss_describe_corpus_find(const struct ss_describe_corpus *corpus, struct ss_text part,
                                  uint32_t *words, size_t n_room, size_t *n, bool *is_known,
                                  ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf lower = {0};
    struct reader reader = {.text = part};
    size_t begin = 0;
    size_t end = 0;
    bool is_glued = false;
    *n = 0;
    *is_known = true;
    while (*is_known && next_piece(&reader, &begin, &end, &is_glued)) {
        if (end == begin) {
            continue;
        }
        lower.n_bytes = 0;
        ss_describe_lower((struct ss_text){part.data + begin, end - begin}, &lower);
        SS_TRY(ss__buf_check(&lower, err));
        const uint32_t number = ss_describe_strings_find(
            &corpus->strings, (struct ss_text){lower.data, lower.n_bytes});
        *is_known = number != SS_DESCRIBE_NO_STRING && *n < n_room;
        if (*is_known) {
            words[(*n)++] = number;
        }
    }
    *is_known = *is_known && *n > 0;
out:
    ss__buf_release(&lower);
    return status;
}
