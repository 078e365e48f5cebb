/* Text between added tokens through normaliser, splitters and model, word by word.
 *
 * Metaspace tokenizers, whose words begin with a replacement for the space, have a way of their
 * own: where the splitters are the usual ones, words are found by their spaces alone, and
 * cached without the replacement, so that the text need not be copied with replacements in it.
 * A text that has the replacement character itself takes the general way. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer_priv.h"

/* Run the model on a word and cache the result under `key`. */
static ss_status add_uncached_word(const struct ss_tokenizer *self,
                                   struct ss_tokenizer_token_scratch *scratch,
                                   const struct ss_text *key, const struct ss_text *word,
                                   ss_err *err)
{
    const size_t n_before = scratch->n_ids;
    const ss_status status = self->model->add_word(self, scratch, word, err);
    if (status == SS_OK) {
        ss_tokenizer_scratch_cache_word(scratch, key, n_before);
    }
    return status;
}

ss_status ss_tokenizer_add_cached_word(const struct ss_tokenizer *self,
                                       struct ss_tokenizer_token_scratch *scratch,
                                       const struct ss_text *word, ss_err *err)
{
    if (self->metaspace != SS_TOKENIZER_METASPACE_NONE) { /* words are cached without their
                                                             replacement character */
        return self->model->add_word(self, scratch, word, err);
    }
    return ss_tokenizer_scratch_push_cached(scratch, word)
               ? SS_OK
               : add_uncached_word(self, scratch, word, word, err);
}

/* ---- Metaspace words ---- */

/* Whether the splitters are Metaspace's usual ones, with which words can be found in the raw
 * text. */
void ss_tokenizer_words_prepare(struct ss_tokenizer *self)
{
    const struct ss_tokenizer_splitter *spaces = self->splitters;
    const struct ss_tokenizer_splitter *splitter = &self->splitters[self->n_splitters == 2];
    uint32_t replacement = 0; /* one code point, so that a word's last bytes and a replacement
                                 cannot form another one */
    const bool splits_at_replacement =
        self->n_splitters > 0 && self->n_splitters <= 2 &&
        splitter->find == ss_tokenizer_find_text && !splitter->inverted &&
        splitter->behavior == SS_TOKENIZER_MERGED_WITH_NEXT &&
        ss__utf8_decode(splitter->replacement, splitter->n_replacement, &replacement) ==
            splitter->n_replacement;
    const bool splits_at_spaces =
        self->n_splitters == 2 && spaces->find == ss_tokenizer_find_white_space &&
        !spaces->inverted && spaces->behavior == SS_TOKENIZER_REMOVED &&
        spaces->edit == SS_TOKENIZER_EDIT_NONE;
    self->metaspace = SS_TOKENIZER_METASPACE_NONE;
    if (splits_at_replacement && splitter->edit == SS_TOKENIZER_EDIT_METASPACE_ALWAYS) {
        self->metaspace = splits_at_spaces         ? SS_TOKENIZER_METASPACE_WORDS
                          : self->n_splitters == 1 ? SS_TOKENIZER_METASPACE_SPACES
                                                   : SS_TOKENIZER_METASPACE_NONE;
    } else if (splits_at_replacement && splitter->edit == SS_TOKENIZER_EDIT_METASPACE_FIRST &&
               self->n_splitters == 1) {
        self->metaspace = SS_TOKENIZER_METASPACE_SPACES_FIRST;
    }
}

/* The replacement character and then `rest`, which is the cache key. */
static ss_status add_metaspace_word(const struct ss_tokenizer *self,
                                    struct ss_tokenizer_token_scratch *scratch,
                                    const struct ss_text *rest, ss_err *err)
{
    const struct ss_tokenizer_splitter *splitter = &self->splitters[self->n_splitters - 1];
    struct ss__buf *buf = &scratch->edited[0];
    if (ss_tokenizer_scratch_push_cached(scratch, rest)) {
        return SS_OK;
    }
    buf->n_bytes = 0;
    buf->failed = false;
    ss__buf_add(buf, splitter->replacement, splitter->n_replacement);
    ss__buf_add(buf, rest->data, rest->n_bytes);
    SS_RETURN_IF_ERROR(ss__buf_check(buf, err));
    return add_uncached_word(self, scratch, rest, &(struct ss_text){buf->data, buf->n_bytes},
                             err);
}

/* An iterator over the positions at which words end. */
struct space_walk {
    const struct ss_tokenizer *self;
    const struct ss_text *text;
    size_t block; /* where the block begins that `spaces` is about */
    uint64_t
        spaces; /* places of it that may be one: also all longer characters where some are */
};

/* Every lead byte of a longer character may be white space; next_space looks at the
 * character. */
static uint64_t spaces_in(const struct space_walk *walk, size_t block)
{
    const char *text = walk->text->data + block;
    uint64_t spaces = ss_tokenizer_block_equal(text, ' ');
    for (unsigned i = 0;
         walk->self->metaspace == SS_TOKENIZER_METASPACE_WORDS && i < SS_TOKENIZER_BLOCK_BYTES;
         i += 16) {
        const ss_tokenizer_bytes16 x = ss_tokenizer_bytes16_load(text + i);
        spaces |= (ss_tokenizer_bytes16_among(x, 0, '\t', 5) |
                   ss_tokenizer_bytes16_among(x, 0, (char)0xC0, 64))
                  << i;
    }
    return spaces & ss_tokenizer_low_bits(walk->text->n_bytes - block);
}

/* The next place at or behind `at`, and the length of what stands there; the end of the text
 * and 1 if there is none. */
static size_t next_space(struct space_walk *walk, size_t at, size_t *length)
{
    const size_t n = walk->text->n_bytes;
    for (;;) {
        const uint64_t spaces = walk->spaces & ~ss_tokenizer_low_bits(at - walk->block);
        if (spaces != 0) {
            at = walk->block + ss_tokenizer_lowest_bit(spaces);
            if ((ss_tokenizer_split_class(walk->text->data + at, n - at, length) &
                 SS_TOKENIZER_SPLIT_SPACE) != 0) {
                return at;
            }
            at += *length;
            continue;
        }
        at = ss__max_size(at, walk->block + SS_TOKENIZER_BLOCK_BYTES);
        if (at >= n) {
            *length = 1;
            return n;
        }
        walk->block = at;
        walk->spaces = spaces_in(walk, at);
    }
}

/* The words into which the splitters would split a text that does not contain the replacement.
 * Between white space there is no word, between two spaces an empty one. */
static ss_status add_metaspace_words(const struct ss_tokenizer *self,
                                     struct ss_tokenizer_token_scratch *scratch,
                                     const struct ss_text *text, ss_err *err)
{
    const bool has_empty = self->metaspace != SS_TOKENIZER_METASPACE_WORDS;
    const size_t n = text->n_bytes;
    struct space_walk walk = {.self = self, .text = text};
    size_t at = 0, length = 0;
    walk.spaces = spaces_in(&walk, 0);
    for (size_t start = has_empty && text->data[0] == ' '; start <= n; start = at + length) {
        at = next_space(&walk, start, &length);
        if (scratch->n_ids >= scratch->max_ids) {
            break;
        }
        if (at > start || has_empty) {
            SS_RETURN_IF_ERROR(add_metaspace_word(
                self, scratch, &(struct ss_text){text->data + start, at - start}, err));
        }
    }
    return SS_OK;
}

static bool has_replacement(const struct ss_tokenizer *self, const struct ss_text *text)
{
    const struct ss_tokenizer_splitter *splitter = &self->splitters[self->n_splitters - 1];
    return memchr(text->data, splitter->replacement[0], text->n_bytes) != NULL &&
           memmem(text->data, text->n_bytes, splitter->replacement, splitter->n_replacement) !=
               NULL;
}

/* ---- segments between added tokens ---- */

/* Bytes at the beginning of a stretch that the text's first character became. */
static size_t start_of(const struct ss_tokenizer_token_scratch *scratch, const char *text,
                       size_t n_bytes)
{
    const char *segment = scratch->segment.data;
    uint32_t c = 0;
    if (text == scratch->text_start) {
        return ss__max_size(ss__utf8_decode(text, n_bytes, &c), 1);
    }
    if (segment == NULL || text < segment || text >= segment + scratch->segment.n_bytes) {
        return 0;
    }
    const size_t at = (size_t)(text - segment);
    return scratch->n_segment_start - ss__min_size(at, scratch->n_segment_start);
}

ss_status ss_tokenizer_add_words(const struct ss_tokenizer *self,
                                 struct ss_tokenizer_token_scratch *scratch, const char *text,
                                 size_t n_bytes, ss_err *err)
{
    const size_t n_start = start_of(scratch, text, n_bytes);
    const struct ss_tokenizer_span span = {.text = {text, n_bytes}, .n_start = n_start};
    const bool begins_with_replacement =
        n_start > 0 || self->metaspace != SS_TOKENIZER_METASPACE_SPACES_FIRST ||
        (n_bytes > 0 && text[0] == ' ');
    if (n_bytes == 0) {
        return SS_OK;
    }
    return self->metaspace != SS_TOKENIZER_METASPACE_NONE && begins_with_replacement &&
                   !has_replacement(self, &span.text)
               ? add_metaspace_words(self, scratch, &span.text, err)
               : ss_tokenizer_split(self, scratch, 0, span, err);
}

ss_status ss_tokenizer_add_words_raw(const struct ss_tokenizer *self,
                                     struct ss_tokenizer_token_scratch *scratch,
                                     const char *text, size_t n_bytes, ss_err *err)
{
    if (ss_tokenizer_normalizer_keeps(&self->normalizer, text, n_bytes)) {
        return ss_tokenizer_add_words(self, scratch, text, n_bytes, err);
    }
    scratch->segment.n_bytes = 0;
    SS_RETURN_IF_ERROR(ss_tokenizer_normalize(&self->normalizer, &scratch->normal, text,
                                              n_bytes, &scratch->segment, err));
    scratch->n_segment_start = text == scratch->text_start ? scratch->normal.n_start_bytes : 0;
    return ss_tokenizer_add_words(self, scratch, scratch->segment.data,
                                  scratch->segment.n_bytes, err);
}
