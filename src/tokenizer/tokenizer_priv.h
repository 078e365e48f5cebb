/* What the files of this room share: the loaded tokenizer, the scratch memory of a call, and
 * the stages that a text passes: added tokens, normaliser, words, pieces. */
#ifndef SS_TOKENIZER_PRIV_H
#define SS_TOKENIZER_PRIV_H

#include "base/arena.h"
#include "base/buf.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/trie.h"

enum {
    SS__MAX_VOCAB_ID = (1 << 22) - 1, /* the largest known vocabularies have 262,144 */
    SS__MAX_ADDED_TOKENS = 1 << 16,
    SS__MAX_ADDED_TOKEN_BYTES = 1 << 12, /* bounds the work at one place of a text */
    SS__MAX_TEMPLATE_IDS = 16,
    SS__MAX_STEPS = 32
};

/* ---- vocabulary ---- */

/* Texts by id. Zeroed is empty. */
struct ss__vocab {
    char *bytes;
    size_t n_bytes, n_bytes_room;
    struct ss__vocab_text {
        uint32_t start, length; /* length SS__NO_TEXT where no text has this id */
    } * texts;
    size_t n_ids, n_texts_room; /* n_ids: largest id + 1 */
    size_t n_texts;             /* how many different texts there are */
    struct ss__trie trie;       /* text to id */
};

#define SS__NO_TEXT UINT32_MAX
#define SS__NO_NODE UINT32_MAX

/* Add a text. One that is there moves to the new id; an id that has another text is an error.
 * Errors: SS_E_DATA, SS_E_LIMIT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss__vocab_add(struct ss__vocab *vocab, const char *text, size_t n_bytes,
                                    int64_t id, ss_err *err);
/* The text of an id, NULL if it has none; not terminated. */
const char *ss__vocab_text(const struct ss__vocab *vocab, int32_t id, size_t *n_bytes);
void ss__vocab_release(struct ss__vocab *vocab);

/* ---- added tokens ---- */

struct ss__added_token {
    const char *text;
    size_t n_bytes;
    const char *plain; /* its text after the normaliser */
    size_t n_plain;
    int32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
    bool was_normalized; /* now or before its flags changed: decodes to `plain` */
};

/* Tokens of one kind (raw or normalised) with what finds them. */
struct ss__added_set {
    struct ss__trie trie; /* text as it is searched, to an index into `tokens` */
    bool starts[256];     /* bytes that some text begins with */
    uint8_t first[4];     /* those bytes, if there are at most 4 */
    size_t n_first;       /* how many there are */
    size_t n_tokens;
};

struct ss__added {
    struct ss__added_token *tokens; /* in the order they were added */
    size_t n_tokens, n_tokens_room;
    size_t end_id; /* largest id + 1 */
    struct ss__trie by_text;
    struct ss__arena texts;
    struct ss__added_set raw, normalized;
};

/* Add a token as the reference does: it takes the id of its text in the vocabulary, else the id
 * of the same token added before, else the next free one. Empty ones are ignored. `token->id`
 * is not read; the text is copied. */
SS_MUST_USE ss_status ss__added_add(struct ss__added *added, const struct ss__vocab *vocab,
                                    const struct ss__added_token *token, ss_err *err);
const struct ss__added_token *ss__added_find(const struct ss__added *added, const char *text,
                                             size_t n_bytes);
const struct ss__added_token *ss__added_of_id(const struct ss__added *added, int32_t id);
/* Make all tokens findable, when all are added and `plain` is set: those with `normalized` by
 * that, the others by `text`. Of two that are found by the same text the earlier one counts. */
SS_MUST_USE ss_status ss__added_index(struct ss__added *added, ss_err *err);
void ss__added_release(struct ss__added *added);

/* A walk over the tokens in a text, leftmost first and longest at each place. */
struct ss__added_walk {
    const struct ss__added *added;
    const struct ss__added_set *set;
    const char *text;
    size_t n_bytes;
    size_t at;   /* where the search goes on */
    size_t done; /* end of the last match, with the white space it swallowed */
    size_t next[4];
};
struct ss__added_match {
    const struct ss__added_token *token;
    size_t before, start,
        stop; /* plain text [before, start), may be empty; token [start, stop) */
};
void ss__added_walk_init(struct ss__added_walk *walk, const struct ss__added *added,
                         const struct ss__added_set *set, const char *text, size_t n_bytes);
/* False at the end; then [walk->done, n_bytes) is plain text. */
bool ss__added_next(struct ss__added_walk *walk, struct ss__added_match *match);

/* ---- normaliser ---- */

typedef enum ss__step {
    SS__STEP_CLEAN,         /* drop controls, all white space becomes U+0020 */
    SS__STEP_SPACE_CJK,     /* spaces around ideographs */
    SS__STEP_DECOMPOSE,     /* NFD */
    SS__STEP_STRIP_ACCENTS, /* remove Mn */
    SS__STEP_STRIP_MARKS,   /* remove M* */
    SS__STEP_LOWER,
    SS__N_STEPS
} ss__step;

struct ss__normalizer {
    ss__step steps[SS__MAX_STEPS];
    size_t n_steps;
    bool lowers_ascii; /* the only thing that the steps do to printable ASCII */
};

struct ss__points {
    uint32_t *data;
    size_t n, n_room;
};

/* Two buffers that the steps work between. */
struct ss__normal_scratch {
    struct ss__points points, other;
    struct ss__points marks; /* of a long run that is being sorted */
};
void ss__normal_scratch_release(struct ss__normal_scratch *scratch);

SS_MUST_USE ss_status ss__normalizer_push(struct ss__normalizer *normalizer, ss__step step,
                                          ss_err *err);
/* Append the normalised text to `out`. `text` is valid UTF-8. */
SS_MUST_USE ss_status ss__normalize(const struct ss__normalizer *normalizer,
                                    struct ss__normal_scratch *scratch, const char *text,
                                    size_t n_bytes, struct ss__buf *out, ss_err *err);

/* ---- the loaded tokenizer ---- */

struct ss__decoder {
    bool joins_with_spaces; /* no decoder: tokens with a space between */
    bool cleans;            /* token by token, as the WordPiece decoder */
    bool cleans_text;       /* the whole text again: `clean_up_tokenization_spaces` */
    char *prefix;           /* of continuing pieces */
};

/* A kind of pieces: how a plain stretch of text, raw or normalised, becomes ids. */
struct ss__piece_kind {
    const char *name;
    SS_MUST_USE ss_status (*add_raw)(const struct ss__tokenizer *, struct ss__token_scratch *,
                                     const char *text, size_t n_bytes, ss_err *err);
    SS_MUST_USE ss_status (*add_normalized)(const struct ss__tokenizer *,
                                            struct ss__token_scratch *, const char *text,
                                            size_t n_bytes, ss_err *err);
};
extern const struct ss__piece_kind ss__wordpiece_kind;

struct ss__tokenizer {
    const struct ss__piece_kind *kind;
    struct ss__vocab vocab;
    struct ss__added added;
    struct ss__normalizer normalizer;
    struct ss__decoder decoder;
    uint64_t fingerprint; /* of all that decides the ids of a word */
    int32_t begin[SS__MAX_TEMPLATE_IDS], end[SS__MAX_TEMPLATE_IDS];
    size_t n_begin, n_end;
    struct ss__special_ids specials;
    size_t max_length;
    bool truncates_left;
    /* WordPiece */
    char *prefix; /* of continuing pieces, "##" */
    size_t max_word_points;
    int32_t unknown;
    uint32_t continuing; /* trie node of the prefix, SS__NO_NODE if no piece has it */
    uint8_t byte_class[256];
    int32_t punctuation[128]; /* id of each ASCII punctuation character */
};

/* Append ids to those of the call. */
SS_MUST_USE ss_status ss__scratch_push(struct ss__token_scratch *scratch, const int32_t *ids,
                                       size_t n, ss_err *err);

/* Prepare what add_raw reads, when vocabulary, normaliser and unknown id are set. */
SS_MUST_USE ss_status ss__wordpiece_prepare(struct ss__tokenizer *tokenizer, ss_err *err);

/* ---- scratch ---- */

/* One remembered stretch of text without spaces, with its ids: 64 bytes. */
struct ss__known_word {
    uint64_t hash;
    uint8_t n_bytes, n_ids; /* n_bytes 0: free */
    char bytes[30];
    int32_t ids[6];
};

enum { SS__N_KNOWN_WORDS = 1 << 15 };

struct ss__token_scratch {
    struct ss__known_word *known; /* [SS__N_KNOWN_WORDS] */
    uint64_t known_for;           /* fingerprint of the tokenizer they belong to */
    int32_t *ids;
    size_t n_ids, n_ids_room;
    size_t max_ids; /* enough: more would be cut off */
    struct ss__normal_scratch normal;
    struct ss__buf repaired;   /* a text whose UTF-8 was not valid */
    struct ss__buf segment;    /* a normalised stretch between added tokens */
    struct ss__buf normalized; /* a normalised word */
};

#endif
