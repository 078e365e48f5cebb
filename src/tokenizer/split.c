/* Each splitter finds the next place to cut. They run one behind the other over spans, without
 * copies of the text.
 *
 * A splitter's part goes to the next one at once, by recursion that is as deep as there are
 * splitters, and from the last one to the model. So no list of parts is kept, and cutting ends
 * as soon as a text has as many ids as are wanted. Behaviours (removed, isolated, merged …)
 * decide whether a part joins the one before it, for which one part is held back. The last
 * splitter of byte-level models, which nearly all texts go through, has a loop of its own
 * (add_matches) that takes cuts 64 bytes at a time. */
#include "tokenizer/split.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/ascii64.h"
#include "tokenizer/tokenizer_priv.h"
#include "tokenizer/unicode.h"

/* ---- single characters and texts ---- */

bool ss_tokenizer_find_text(const struct ss_tokenizer_splitter *splitter,
                            const struct ss_text *text, size_t at, size_t *start, size_t *stop)
{
    const char *found = at < text->n_bytes
                            ? memmem(text->data + at, text->n_bytes - at, splitter->replacement,
                                     splitter->n_replacement)
                            : NULL;
    if (found == NULL) {
        return false;
    }
    *start = (size_t)(found - text->data);
    *stop = *start + splitter->n_replacement;
    return true;
}

static bool find_class(const struct ss_text *text, size_t at, uint8_t mask, size_t *start,
                       size_t *stop)
{
    for (size_t length = 0; at < text->n_bytes; at += length) {
        if ((ss_tokenizer_split_class(text->data + at, text->n_bytes - at, &length) & mask) !=
            0) {
            *start = at;
            *stop = at + length;
            return true;
        }
    }
    return false;
}

bool ss_tokenizer_find_white_space(const struct ss_tokenizer_splitter *splitter,
                                   const struct ss_text *text, size_t at, size_t *start,
                                   size_t *stop)
{
    (void)splitter;
    return find_class(text, at, SS_TOKENIZER_SPLIT_SPACE, start, stop);
}

bool ss_tokenizer_find_digit(const struct ss_tokenizer_splitter *splitter,
                             const struct ss_text *text, size_t at, size_t *start, size_t *stop)
{
    (void)splitter;
    return find_class(text, at, SS_TOKENIZER_SPLIT_DIGIT, start, stop);
}

bool ss_tokenizer_find_punctuation(const struct ss_tokenizer_splitter *splitter,
                                   const struct ss_text *text, size_t at, size_t *start,
                                   size_t *stop)
{
    (void)splitter;
    for (size_t n = 0; at < text->n_bytes; at += n) {
        uint32_t c = SS__REPLACEMENT;
        n = ss__max_size(ss__utf8_decode(text->data + at, text->n_bytes - at, &c), 1);
        if (ss_tokenizer_char_class_of(c) == SS_TOKENIZER_CHAR_PUNCT) {
            *start = at;
            *stop = at + n;
            return true;
        }
    }
    return false;
}

/* Of the Whitespace pre-tokenizer: 0 white space, 1 symbol, 2 word. */
static unsigned word_class(const struct ss_text *text, size_t at, size_t *n)
{
    uint32_t c = SS__REPLACEMENT;
    *n = ss__max_size(ss__utf8_decode(text->data + at, text->n_bytes - at, &c), 1);
    if ((ss_tokenizer_char_record(c) & SS_TOKENIZER_CHAR_WORD) != 0) {
        return 2;
    }
    return ss__is_white_space(c) ? 0 : 1;
}

/* \w+|[^\w\s]+ */
bool ss_tokenizer_find_word_or_symbols(const struct ss_tokenizer_splitter *splitter,
                                       const struct ss_text *text, size_t at, size_t *start,
                                       size_t *stop)
{
    size_t n = 0;
    unsigned class = 0;
    (void)splitter;
    for (; at < text->n_bytes && (class = word_class(text, at, &n)) == 0; at += n) {
    }
    *start = at;
    while (at < text->n_bytes && word_class(text, at, &n) == class) {
        at += n;
    }
    *stop = at;
    return *stop > *start;
}

/* ---- editing ---- */

static bool begins_with(const struct ss_text *text, const char *with, size_t n)
{
    return text->n_bytes >= n && memcmp(text->data, with, n) == 0;
}

/* Every space becomes the replacement. */
static void add_marked(struct ss__buf *buf, const struct ss_tokenizer_splitter *splitter,
                       const struct ss_text *text)
{
    for (size_t at = 0; at < text->n_bytes;) {
        const char *space = memchr(text->data + at, ' ', text->n_bytes - at);
        const size_t stop = space == NULL ? text->n_bytes : (size_t)(space - text->data);
        ss__buf_add(buf, text->data + at, stop - at);
        if (space != NULL) {
            ss__buf_add(buf, splitter->replacement, splitter->n_replacement);
        }
        at = stop + 1;
    }
}

/* Every byte as byte-level models write it. */
static void add_bytes(struct ss__buf *buf, struct ss_tokenizer_span *span)
{
    const struct ss_text *text = &span->text;
    const size_t n_start = span->n_start;
    for (size_t i = 0; i < text->n_bytes; i++) {
        char place[4];
        ss__buf_add(buf, place, ss_tokenizer_byte_text((uint8_t)text->data[i], place));
        span->n_start = i < n_start ? buf->n_bytes : span->n_start;
    }
}

/* A space that becomes a mark, and a mark or space in front, belong to what was there. */
static size_t marked_start(const struct ss_tokenizer_splitter *splitter,
                           const struct ss_tokenizer_span *span)
{
    size_t n = span->n_start;
    for (size_t i = 0; i < span->n_start && i < span->text.n_bytes; i++) {
        n += span->text.data[i] == ' ' ? (size_t)splitter->n_replacement - 1 : 0;
    }
    return n;
}

/* Change a piece as its splitter asks; a changed text lives in the buffer of the level. */
static ss_status edit(const struct ss_tokenizer_splitter *splitter, struct ss__buf *buf,
                      struct ss_tokenizer_span *span, ss_err *err)
{
    const struct ss_text *text = &span->text;
    const bool space_first = splitter->edit == SS_TOKENIZER_EDIT_SPACE_FIRST;
    if (splitter->edit == SS_TOKENIZER_EDIT_NONE ||
        (space_first && begins_with(text, " ", 1))) {
        return SS_OK;
    }
    buf->n_bytes = 0;
    buf->failed = false;
    if (splitter->edit == SS_TOKENIZER_EDIT_BYTES) {
        add_bytes(buf, span);
    } else if (space_first) {
        ss__buf_add_byte(buf, ' ');
        span->n_start += span->n_start > 0;
        ss__buf_add(buf, text->data, text->n_bytes);
    } else {
        const bool marked = begins_with(text, " ", 1) ||
                            begins_with(text, splitter->replacement, splitter->n_replacement);
        const bool at_start = span->n_start > 0;
        span->n_start = marked_start(splitter, span);
        if (!marked && (splitter->edit == SS_TOKENIZER_EDIT_METASPACE_ALWAYS ||
                        (splitter->edit == SS_TOKENIZER_EDIT_METASPACE_FIRST && at_start))) {
            ss__buf_add(buf, splitter->replacement, splitter->n_replacement);
            span->n_start += at_start ? splitter->n_replacement : 0;
        }
        add_marked(buf, splitter, text);
    }
    ss_tokenizer_pad_text(buf);
    span->text = (struct ss_text){buf->data, buf->n_bytes};
    return ss__buf_check(buf, err);
}

/* ---- cutting ---- */

/* Whether a part joins the one before it. */
static bool joins(ss_tokenizer_behavior behavior, bool after_match, bool is_match)
{
    switch (behavior) {
    case SS_TOKENIZER_MERGED_WITH_PREVIOUS:
        return is_match && !after_match;
    case SS_TOKENIZER_MERGED_WITH_NEXT:
        return !is_match && after_match;
    case SS_TOKENIZER_CONTIGUOUS:
        return is_match == after_match;
    case SS_TOKENIZER_REMOVED:
    case SS_TOKENIZER_ISOLATED:
    default:
        return false;
    }
}

/* The cutting of one piece: parts are held back until it is clear that nothing joins them. */
struct cut {
    const struct ss_tokenizer *tokenizer;
    struct ss_tokenizer_token_scratch *scratch;
    size_t level;
    struct ss_tokenizer_span span;
    size_t start, stop; /* the part that is held back */
    bool is_match;
};

/* The part that was held back goes to the next splitter, with what of the text's first
 * character is in it. */
static ss_status emit(struct cut *cut, ss_err *err)
{
    const struct ss_tokenizer_span part = {
        .text = {cut->span.text.data + cut->start, cut->stop - cut->start},
        .n_start = cut->span.n_start - ss__min_size(cut->start, cut->span.n_start)};
    return part.text.n_bytes == 0
               ? SS_OK
               : ss_tokenizer_split(cut->tokenizer, cut->scratch, cut->level + 1, part, err);
}

/* One part is held back, since the next may join it. */
static ss_status add_part(struct cut *cut, size_t start, size_t stop, bool is_match,
                          ss_err *err)
{
    const struct ss_tokenizer_splitter *splitter = &cut->tokenizer->splitters[cut->level];
    is_match = is_match != splitter->inverted;
    if (start == stop) {
        return SS_OK;
    }
    if (cut->stop > cut->start && joins(splitter->behavior, cut->is_match, is_match)) {
        cut->stop = stop;
    } else {
        SS_RETURN_IF_ERROR(emit(cut, err));
        const bool is_dropped = is_match && splitter->behavior == SS_TOKENIZER_REMOVED;
        cut->start = is_dropped ? stop : start;
        cut->stop = stop;
    }
    cut->is_match = is_match;
    return SS_OK;
}

/* The patterns: every match begins where the one before ended. */
static const struct pattern {
    ss_tokenizer_find_fn *find;
    ss_tokenizer_cut_fn *cut; /* NULL: none */
} patterns[] = {{ss_tokenizer_find_gpt2, ss_tokenizer_cut_gpt2},
                {ss_tokenizer_find_gpt4, NULL},
                {ss_tokenizer_find_gpt4o, NULL}};

static const struct pattern *pattern_of(ss_tokenizer_find_fn *find)
{
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        if (patterns[i].find == find) {
            return &patterns[i];
        }
    }
    return NULL;
}

/* Where nothing is between matches and each is a word. */
static ss_status add_matches(const struct ss_tokenizer *tokenizer,
                             struct ss_tokenizer_token_scratch *scratch,
                             const struct pattern *pattern,
                             const struct ss_tokenizer_splitter *splitter,
                             const struct ss_text *text, ss_err *err)
{
    size_t at = 0, start = 0, stop = 0;
    while (at < text->n_bytes) {
        const size_t block = at;
        uint64_t cuts = pattern->cut == NULL ? 0 : pattern->cut(text, block);
        do {
            if (scratch->n_ids >= scratch->max_ids) {
                return SS_OK;
            }
            if (cuts != 0) {
                stop = block + ss_tokenizer_lowest_bit(cuts);
            } else if (!splitter->find(splitter, text, at, &start, &stop)) {
                return SS_OK;
            }
            const struct ss_text word = {text->data + at, stop - at};
            SS_RETURN_IF_ERROR(ss_tokenizer_add_cached_word(tokenizer, scratch, &word, err));
            at = stop;
            cuts &= cuts - 1;
        } while (cuts != 0);
    }
    return SS_OK;
}

/* A splitter's edit comes before its cut; without a cut the span goes on as a whole. */
ss_status ss_tokenizer_split(const struct ss_tokenizer *tokenizer,
                             struct ss_tokenizer_token_scratch *scratch, size_t level,
                             struct ss_tokenizer_span span, ss_err *err)
{
    if (level == tokenizer->n_splitters) {
        return ss_tokenizer_add_cached_word(tokenizer, scratch, &span.text, err);
    }
    const struct ss_tokenizer_splitter *splitter = &tokenizer->splitters[level];
    SS_RETURN_IF_ERROR(edit(splitter, &scratch->edited[level], &span, err));
    if (splitter->find == NULL) {
        return ss_tokenizer_split(tokenizer, scratch, level + 1, span, err);
    }
    const struct pattern *pattern = pattern_of(splitter->find);
    if (pattern != NULL && level + 1 == tokenizer->n_splitters &&
        splitter->behavior == SS_TOKENIZER_ISOLATED && !splitter->inverted) {
        return add_matches(tokenizer, scratch, pattern, splitter, &span.text, err);
    }
    struct cut cut = {tokenizer, scratch, level, span, 0, 0, false};
    const size_t n_bytes = span.text.n_bytes;
    for (size_t at = 0, start = 0, stop = 0; at < n_bytes; at = stop) {
        if (scratch->n_ids >= scratch->max_ids) {
            return SS_OK;
        }
        if (!splitter->find(splitter, &span.text, at, &start, &stop)) {
            start = stop = n_bytes;
        }
        SS_RETURN_IF_ERROR(add_part(&cut, at, start, false, err));
        SS_RETURN_IF_ERROR(add_part(&cut, start, stop, true, err));
    }
    return emit(&cut, err);
}
