/* Added tokens: texts that are cut out before words are made. The search goes through the text
 * once, leftmost first, longest at each place; a match that `single_word` forbids is passed
 * over as a whole; `lstrip` and `rstrip` widen a match over white space, but the search goes on
 * right behind the token's own text. All of this is the reference's behaviour. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer_priv.h"
#include "tokenizer/unicode.h"

/* ---- the list ---- */

/* The order of calls gives new tokens their ids, so callers keep the reference's
 * (load_added.c). A text that is added again keeps its id and its place, and is special if it
 * ever was. */
ss_status ss_tokenizer_added_add(struct ss_tokenizer_added *added,
                                 const struct ss_tokenizer_vocab *vocab,
                                 const struct ss_tokenizer_added_token *token, ss_err *err)
{
    const char *text = NULL;
    if (token->n_bytes == 0) {
        return SS_OK;
    }
    if (token->n_bytes > SS_TOKENIZER_MAX_ADDED_TOKEN_BYTES) {
        return ss__fail(err, SS_E_LIMIT,
                        "the added token '%.40s…' has %zu bytes, at most %d are read",
                        token->text, token->n_bytes, SS_TOKENIZER_MAX_ADDED_TOKEN_BYTES);
    }
    const int32_t index = ss_tokenizer_trie_find(&added->by_text, token->text, token->n_bytes);
    if (index >= 0) { /* the same text again: its newer flags hold */
        struct ss_tokenizer_added_token *old = &added->tokens[index];
        const struct ss_tokenizer_added_token kept = *old;
        *old = *token;
        old->text = kept.text;
        old->id = kept.id;
        old->special = kept.special || token->special;
        old->was_normalized = kept.was_normalized || token->normalized;
        return SS_OK;
    }
    if (added->n_tokens >= SS_TOKENIZER_MAX_ADDED_TOKENS) {
        return ss__fail(err, SS_E_LIMIT, "more than %d added tokens",
                        SS_TOKENIZER_MAX_ADDED_TOKENS);
    }
    SS_GROW_OR_RETURN(added->tokens, added->tokens_capacity, added->n_tokens + 1);
    SS_RETURN_IF_ERROR(ss_tokenizer_trie_add(&added->by_text, token->text, token->n_bytes,
                                             (int32_t)added->n_tokens, err));
    text = ss__arena_strndup(&added->texts, token->text, token->n_bytes);
    if (text == NULL) {
        return ss__fail_nomem(err, "an added token");
    }
    struct ss_tokenizer_added_token *place = &added->tokens[added->n_tokens];
    *place = *token;
    place->text = text;
    place->was_normalized = token->normalized;
    place->id = ss_tokenizer_trie_find(&vocab->trie, token->text, token->n_bytes);
    if (place->id < 0) {
        place->id = (int32_t)ss__max_size(vocab->n_texts, added->end_id);
    }
    added->end_id = ss__max_size(added->end_id, (size_t)place->id + 1);
    added->n_tokens++;
    return SS_OK;
}

const struct ss_tokenizer_added_token *
ss_tokenizer_added_find(const struct ss_tokenizer_added *added, const char *text,
                        size_t n_bytes)
{
    const int32_t index = ss_tokenizer_trie_find(&added->by_text, text, n_bytes);
    return index < 0 ? NULL : &added->tokens[index];
}

const struct ss_tokenizer_added_token *
ss_tokenizer_added_of_id(const struct ss_tokenizer_added *added, int32_t id)
{
    for (size_t i = 0; i < added->n_tokens; i++) {
        if (added->tokens[i].id == id) {
            return &added->tokens[i];
        }
    }
    return NULL;
}

/* Into the trie, and into the few pairs of first bytes by which a text is searched: where all
 * tokens begin with '<' or '[', 64 bytes that have neither are passed at once. */
static ss_status index_token(struct ss_tokenizer_added_set *set, const char *text,
                             size_t n_bytes, size_t index, ss_err *err)
{
    const struct ss_tokenizer_added_start start = {(uint8_t)text[0],
                                                   n_bytes > 1 ? (uint8_t)text[1] : -1};
    if (ss_tokenizer_trie_find(&set->trie, text, n_bytes) >= 0) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(ss_tokenizer_trie_add(&set->trie, text, n_bytes, (int32_t)index, err));
    set->n_tokens++;
    for (size_t i = 0; i < ss__min_size(set->n_first, SS_TOKENIZER_MAX_ADDED_STARTS); i++) {
        struct ss_tokenizer_added_start *known = &set->first[i];
        if (known->byte == start.byte && known->second != start.second) {
            known->second = -1;
        }
    }
    if (!set->starts[start.byte]) {
        set->starts[start.byte] = true;
        if (set->n_first < SS_TOKENIZER_MAX_ADDED_STARTS) {
            set->first[set->n_first] = start;
        }
        set->n_first++;
    }
    return SS_OK;
}

/* Two sets: tokens that are searched in the raw text, and those that are searched in the
 * normalised one, as they are normalised themselves. */
ss_status ss_tokenizer_added_index(struct ss_tokenizer_added *added, ss_err *err)
{
    for (size_t i = 0; i < added->n_tokens; i++) {
        const struct ss_tokenizer_added_token *token = &added->tokens[i];
        if (!token->normalized) {
            SS_RETURN_IF_ERROR(index_token(&added->raw, token->text, token->n_bytes, i, err));
        } else if (token->n_plain > 0) {
            SS_RETURN_IF_ERROR(
                index_token(&added->normalized, token->plain, token->n_plain, i, err));
        } else {
            return ss__fail(err, SS_E_UNSUPPORTED,
                            "the added token with id %d is normalised to an empty text",
                            token->id);
        }
    }
    return SS_OK;
}

void ss_tokenizer_added_release(struct ss_tokenizer_added *added)
{
    ss__free(added->tokens);
    ss__arena_release(&added->texts);
    ss_tokenizer_trie_release(&added->by_text);
    ss_tokenizer_trie_release(&added->raw.trie);
    ss_tokenizer_trie_release(&added->normalized.trie);
    *added = (struct ss_tokenizer_added){0};
}

/* ---- the search ---- */

/* Where in a block some text may begin, by its first two bytes. */
static uint64_t starts_in(const struct ss_tokenizer_added_walk *walk, size_t block)
{
    const struct ss_tokenizer_added_set *set = walk->set;
    const char *text = walk->text + block;
    uint64_t starts = 0;
    for (size_t i = 0; i < set->n_first; i++) {
        const struct ss_tokenizer_added_start *start = &set->first[i];
        const uint64_t firsts = ss_tokenizer_block_equal(text, (char)start->byte);
        starts |= start->second < 0 || firsts == 0
                      ? firsts
                      : firsts & ss_tokenizer_block_equal(text + 1, (char)start->second);
    }
    return starts & ss_tokenizer_low_bits(walk->n_bytes - block);
}

void ss_tokenizer_added_walk_init(struct ss_tokenizer_added_walk *walk,
                                  const struct ss_tokenizer_added *added,
                                  const struct ss_tokenizer_added_set *set, const char *text,
                                  size_t n_bytes)
{
    *walk = (struct ss_tokenizer_added_walk){
        .added = added, .set = set, .text = text, .n_bytes = n_bytes};
    if (n_bytes > 0 && set->n_first <= SS_TOKENIZER_MAX_ADDED_STARTS) {
        walk->starts = starts_in(walk, 0);
    }
}

/* The next place where a token may begin. */
static size_t next_start(struct ss_tokenizer_added_walk *walk, size_t at)
{
    const struct ss_tokenizer_added_set *set = walk->set;
    if (set->n_first > SS_TOKENIZER_MAX_ADDED_STARTS) {
        while (at < walk->n_bytes && !set->starts[(uint8_t)walk->text[at]]) {
            at++;
        }
        return at;
    }
    for (;;) {
        const uint64_t starts = walk->starts & ~ss_tokenizer_low_bits(at - walk->block);
        if (starts != 0) {
            return walk->block + ss_tokenizer_lowest_bit(starts);
        }
        at = ss__max_size(at, walk->block + SS_TOKENIZER_BLOCK_BYTES);
        if (at >= walk->n_bytes) {
            return walk->n_bytes;
        }
        walk->block = at;
        walk->starts = starts_in(walk, at);
    }
}

/* The code point that ends before `at` > 0, and where it starts. */
static uint32_t code_point_before(const char *text, size_t at, size_t *start)
{
    uint32_t code_point = SS__REPLACEMENT;
    *start = at - 1;
    while (*start > 0 && ((uint8_t)text[*start] & 0xC0) == 0x80) {
        --*start;
    }
    (void)ss__utf8_decode(text + *start, at - *start, &code_point);
    return code_point;
}

static bool is_word(uint32_t code_point)
{
    return (ss_tokenizer_char_record(code_point) & SS_TOKENIZER_CHAR_WORD) != 0;
}

/* Of a token with single_word: no word character on either side. */
static bool stands_alone(const struct ss_tokenizer_added_walk *walk, size_t start, size_t stop)
{
    size_t ignored = 0;
    uint32_t after = ' ';
    if (start > 0 && is_word(code_point_before(walk->text, start, &ignored))) {
        return false;
    }
    (void)ss__utf8_decode(walk->text + stop, walk->n_bytes - stop, &after);
    return !is_word(after);
}

/* White space in front, but nothing that the match before has taken. */
static size_t strip_left(const struct ss_tokenizer_added_walk *walk, size_t start)
{
    while (start > walk->done) {
        size_t before = 0;
        if (!ss__is_white_space(code_point_before(walk->text, start, &before))) {
            break;
        }
        start = ss__max_size(before, walk->done);
    }
    return start;
}

static size_t strip_right(const struct ss_tokenizer_added_walk *walk, size_t stop)
{
    while (stop < walk->n_bytes) {
        uint32_t code_point = 0;
        const size_t n = ss__utf8_decode(walk->text + stop, walk->n_bytes - stop, &code_point);
        if (n == 0 || !ss__is_white_space(code_point)) {
            break;
        }
        stop += n;
    }
    return stop;
}

/* `done` is where the last match ended with the white space that it took, `at` where the search
 * goes on: right behind the text of the token. */
bool ss_tokenizer_added_next(struct ss_tokenizer_added_walk *walk,
                             struct ss_tokenizer_added_match *match)
{
    if (walk->set->n_tokens == 0) {
        return false;
    }
    for (;;) {
        const size_t start = next_start(walk, walk->at);
        size_t length = 0;
        if (start >= walk->n_bytes) {
            return false;
        }
        const int32_t index =
            ss_tokenizer_trie_longest(&walk->set->trie, SS_TOKENIZER_TRIE_ROOT,
                                      walk->text + start, walk->n_bytes - start, &length);
        if (index < 0) {
            walk->at = start + 1;
            continue;
        }
        const struct ss_tokenizer_added_token *token = &walk->added->tokens[index];
        const size_t stop = start + length;
        walk->at = stop;
        if ((token->special && walk->added->splits_special_tokens) ||
            (token->single_word && !stands_alone(walk, start, stop))) {
            continue;
        }
        match->token = token;
        match->before = walk->done;
        match->start = token->lstrip ? strip_left(walk, start) : start;
        match->start = ss__max_size(match->start, walk->done);
        match->stop = token->rstrip ? strip_right(walk, stop) : stop;
        walk->done = match->stop;
        return true;
    }
}
