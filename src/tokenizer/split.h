/* Pre-tokenizers: normalised text is cut into words by a list of splitters, each of which cuts
 * what the one before it left. The classes of characters are the reference's own. */
#ifndef SS_TOKENIZER_SPLIT_H
#define SS_TOKENIZER_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct ss_tokenizer;
struct ss_tokenizer_token_scratch;
struct ss_tokenizer_splitter;

enum { SS_TOKENIZER_MAX_SPLITTERS = 16, SS_TOKENIZER_MAX_REPLACEMENT_BYTES = 32 };

/* What the patterns of pre-tokenizers ask about a character. */
enum {
    SS_TOKENIZER_SPLIT_LETTER = 1 << 0,
    SS_TOKENIZER_SPLIT_NUMBER = 1 << 1,
    SS_TOKENIZER_SPLIT_MARK = 1 << 2,
    SS_TOKENIZER_SPLIT_UPPER = 1 << 3, /* Lu Lt Lm Lo M */
    SS_TOKENIZER_SPLIT_LOWER = 1 << 4, /* Ll Lm Lo M */
    SS_TOKENIZER_SPLIT_DIGIT = 1 << 5, /* of the Digits pre-tokenizer */
    SS_TOKENIZER_SPLIT_SPACE = 1 << 6,
    SS_TOKENIZER_SPLIT_NEWLINE = 1 << 7 /* CR or LF */
};

extern const uint8_t ss_tokenizer_split_ascii[128];
uint8_t ss_tokenizer_split_class_of_long(const char *text, size_t n_bytes, size_t *length);

/* The class of the character at text[0] and the number of its bytes; n_bytes > 0. */
static inline uint8_t ss_tokenizer_split_class(const char *text, size_t n_bytes, size_t *length)
{
    if ((uint8_t)text[0] < sizeof ss_tokenizer_split_ascii) {
        *length = 1;
        return ss_tokenizer_split_ascii[(uint8_t)text[0]];
    }
    return ss_tokenizer_split_class_of_long(text, n_bytes, length);
}

/* The next match at or after `at`, never empty; false if there is none. */
typedef bool ss_tokenizer_find_fn(const struct ss_tokenizer_splitter *splitter,
                                  const struct ss_text *text, size_t at, size_t *start,
                                  size_t *stop);

/* What becomes of a match and of the text beside it. */
typedef enum ss_tokenizer_behavior {
    SS_TOKENIZER_REMOVED,
    SS_TOKENIZER_ISOLATED,
    SS_TOKENIZER_MERGED_WITH_PREVIOUS,
    SS_TOKENIZER_MERGED_WITH_NEXT,
    SS_TOKENIZER_CONTIGUOUS /* neighbouring matches are one */
} ss_tokenizer_behavior;

/* What is done to a text before it is cut. */
typedef enum ss_tokenizer_edit {
    SS_TOKENIZER_EDIT_NONE,
    SS_TOKENIZER_EDIT_SPACE_FIRST,      /* a space in front unless there is one */
    SS_TOKENIZER_EDIT_METASPACE,        /* Metaspace: spaces become the replacement character */
    SS_TOKENIZER_EDIT_METASPACE_ALWAYS, /* prepend_scheme "always" */
    SS_TOKENIZER_EDIT_METASPACE_FIRST,  /* prepend_scheme "first" */
    SS_TOKENIZER_EDIT_BYTES /* every byte becomes the character that byte-level models write */
} ss_tokenizer_edit;

struct ss_tokenizer_splitter {
    ss_tokenizer_find_fn *find; /* NULL: does not cut */
    ss_tokenizer_behavior behavior;
    ss_tokenizer_edit edit;
    bool inverted; /* matches are what `find` does not match */
    uint8_t n_replacement, n_max_digits;
    size_t length;                                        /* of a piece, in code points */
    char replacement[SS_TOKENIZER_MAX_REPLACEMENT_BYTES]; /* of Metaspace, or the text that
                                               ss_tokenizer_find_text looks for */
};

/* A span of text between two splitters. */
struct ss_tokenizer_span {
    struct ss_text text;
    size_t n_start; /* bytes at its beginning that the whole text's first character became */
};

/* Split a span by the tokenizer's splitters from number `level` on; the words go to its model.
 */
SS_MUST_USE ss_status ss_tokenizer_split(const struct ss_tokenizer *tokenizer,
                                         struct ss_tokenizer_token_scratch *scratch,
                                         size_t level, struct ss_tokenizer_span span,
                                         ss_err *err);

/* Single characters or texts (split.c). */
ss_tokenizer_find_fn ss_tokenizer_find_text, ss_tokenizer_find_white_space,
    ss_tokenizer_find_punctuation, ss_tokenizer_find_digit, ss_tokenizer_find_word_or_symbols;
/* Stretches of one script or of a fixed length (split_more.c). */
ss_tokenizer_find_fn ss_tokenizer_find_script, ss_tokenizer_find_length;
/* Words of the patterns that models are published with (split_patterns.c). */
ss_tokenizer_find_fn ss_tokenizer_find_gpt2, ss_tokenizer_find_gpt4, ss_tokenizer_find_gpt4o;

/* Where the words at the beginning of a stretch end, the first of which begins at `at`: bit i
 * stands for at + i, i > 0. No bit: the splitter function finds the next word.
 * SS_TOKENIZER_BLOCK_BYTES can be read from `at` on. */
typedef uint64_t ss_tokenizer_cut_fn(const struct ss_text *text, size_t at);
ss_tokenizer_cut_fn ss_tokenizer_cut_gpt2;

/* The splitter function of a regular expression, with n_max_digits set; false for one that is
 * not known.
 */
bool ss_tokenizer_find_pattern(const char *pattern, struct ss_tokenizer_splitter *splitter);

#endif
