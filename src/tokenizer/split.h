/* Pre-tokenizers: normalised text is cut into words by a list of splitters, each of which cuts
 * what the one before it left. The classes of characters are the reference's own. */
#ifndef SS_TOKENIZER_SPLIT_H
#define SS_TOKENIZER_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct ss__tokenizer;
struct ss__token_scratch;
struct ss__splitter;

enum { SS__MAX_SPLITTERS = 16, SS__MAX_MARK_BYTES = 32 };

/* What the patterns of pre-tokenizers ask about a character. */
enum {
    SS__SPLIT_LETTER = 1 << 0,
    SS__SPLIT_NUMBER = 1 << 1,
    SS__SPLIT_MARK = 1 << 2,
    SS__SPLIT_UPPER = 1 << 3, /* Lu Lt Lm Lo M */
    SS__SPLIT_LOWER = 1 << 4, /* Ll Lm Lo M */
    SS__SPLIT_DIGIT = 1 << 5, /* of the Digits pre-tokenizer */
    SS__SPLIT_SPACE = 1 << 6,
    SS__SPLIT_NEWLINE = 1 << 7 /* CR or LF */
};

extern const uint8_t ss__split_ascii[128];
uint8_t ss__split_class_of_long(const char *text, size_t n_bytes, size_t *length);

/* The class of the character at text[0] and the number of its bytes; n_bytes > 0. */
static inline uint8_t ss__split_class(const char *text, size_t n_bytes, size_t *length)
{
    if ((uint8_t)text[0] < sizeof ss__split_ascii) {
        *length = 1;
        return ss__split_ascii[(uint8_t)text[0]];
    }
    return ss__split_class_of_long(text, n_bytes, length);
}

/* The next match at or after `at`, never empty; false if there is none. */
typedef bool ss__find_fn(const struct ss__splitter *splitter, const struct ss_text *text,
                         size_t at, size_t *start, size_t *stop);

/* What becomes of a match and of the text beside it. */
typedef enum ss__behavior {
    SS__REMOVED,
    SS__ISOLATED,
    SS__MERGED_WITH_PREVIOUS,
    SS__MERGED_WITH_NEXT,
    SS__CONTIGUOUS /* neighbouring matches are one */
} ss__behavior;

/* What is done to a text before it is cut. */
typedef enum ss__edit {
    SS__EDIT_NONE,
    SS__EDIT_SPACE_FIRST, /* a space in front unless there is one */
    SS__EDIT_MARK,        /* spaces become the mark */
    SS__EDIT_MARK_ALWAYS, /* and one stands in front */
    SS__EDIT_MARK_FIRST,  /* in front only where the whole text begins */
    SS__EDIT_BYTES        /* every byte becomes the character that byte-level models write */
} ss__edit;

struct ss__splitter {
    ss__find_fn *find; /* NULL: does not cut */
    ss__behavior behavior;
    ss__edit edit;
    bool inverted; /* matches are what `find` does not match */
    uint8_t n_mark, n_max_digits;
    size_t length;                 /* of a piece, in code points */
    char mark[SS__MAX_MARK_BYTES]; /* of Metaspace, or the text that ss__find_text looks for */
};

/* A run of text on its way through the splitters. */
struct ss__piece {
    struct ss_text text;
    size_t n_start; /* bytes at its beginning that the whole text's first character became */
};

/* Cut a piece by the tokenizer's splitters from number `level` on; the words go to its model.
 */
SS_MUST_USE ss_status ss__split(const struct ss__tokenizer *tokenizer,
                                struct ss__token_scratch *scratch, size_t level,
                                struct ss__piece piece, ss_err *err);

/* Single characters or texts (split.c). */
ss__find_fn ss__find_text, ss__find_white_space, ss__find_punctuation, ss__find_digit,
    ss__find_word_or_symbols;
/* Stretches of one script or of a fixed length (split_more.c). */
ss__find_fn ss__find_script, ss__find_length;
/* Words of the patterns that models are published with (split_patterns.c). */
ss__find_fn ss__find_gpt2, ss__find_gpt4, ss__find_gpt4o;

/* Where the words at the beginning of a stretch end, the first of which begins at `at`: bit i
 * stands for at + i, i > 0. No bit: the finder must look for the next word. SS__BLOCK_BYTES can
 * be read from `at` on. */
typedef uint64_t ss__cut_fn(const struct ss_text *text, size_t at);
ss__cut_fn ss__cut_gpt2;

/* The finder of a regular expression, with n_max_digits set; false for one that is not known.
 */
bool ss__find_pattern(const char *pattern, struct ss__splitter *splitter);

#endif
