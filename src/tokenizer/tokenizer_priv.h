/* What the files of this room share: the loaded tokenizer, the scratch memory of a call, and
 * the stages that a text passes: added tokens, normaliser, words, pieces. */
#ifndef SS_TOKENIZER_PRIV_H
#define SS_TOKENIZER_PRIV_H

#include "base/arena.h"
#include "base/buf.h"
#include "tokenizer/ascii64.h"
#include "tokenizer/known.h"
#include "tokenizer/split.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/trie.h"

enum {
    SS__MAX_VOCAB_ID = (1 << 22) - 1, /* the largest known vocabularies have 262,144 */
    SS__MAX_ADDED_TOKENS = 1 << 16,
    SS__MAX_ADDED_TOKEN_BYTES = 1 << 12, /* bounds the work at one place of a text */
    SS__MAX_ADDED_STARTS = 4,
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
    struct ss__added_start {
        uint8_t byte;
        int second; /* the byte behind it, -1 if that differs from text to text */
    } first[SS__MAX_ADDED_STARTS]; /* the same, if there are not more */
    size_t n_first;                /* how many there are */
    size_t n_tokens;
};

struct ss__added {
    struct ss__added_token *tokens; /* in the order they were added */
    size_t n_tokens, n_tokens_room;
    size_t end_id; /* largest id + 1 */
    struct ss__trie by_text;
    struct ss__arena texts;
    struct ss__added_set raw, normalized;
    bool passes_special; /* special tokens are not looked for in texts */
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
    size_t at;       /* where the search goes on */
    size_t done;     /* end of the last match, with the white space it swallowed */
    size_t block;    /* where the block begins that `starts` is about */
    uint64_t starts; /* places of it that a token may begin at */
};
struct ss__added_match {
    const struct ss__added_token *token;
    size_t before, start,
        stop; /* plain text [before, start), may be empty; token [start, stop) */
};
/* What is read beyond the end of a text in blocks: zeros behind the text in `buf`, which do not
 * count. ss__buf_check tells whether there was memory for them. */
void ss__pad_text(struct ss__buf *buf);

/* SS__BLOCK_BYTES can be read beyond the text. */
void ss__added_walk_init(struct ss__added_walk *walk, const struct ss__added *added,
                         const struct ss__added_set *set, const char *text, size_t n_bytes);
/* False at the end; then [walk->done, n_bytes) is plain text. */
bool ss__added_next(struct ss__added_walk *walk, struct ss__added_match *match);

/* ---- normaliser ---- */

typedef enum ss__step {
    SS__STEP_CLEAN,          /* drop controls, all white space becomes U+0020 */
    SS__STEP_SPACE_CJK,      /* spaces around ideographs */
    SS__STEP_DECOMPOSE,      /* NFD */
    SS__STEP_DECOMPOSE_MORE, /* NFKD */
    SS__STEP_COMPOSE,        /* NFC and NFKC, behind one of these */
    SS__STEP_STRIP_ACCENTS,  /* remove Mn */
    SS__STEP_STRIP_MARKS,    /* remove M* */
    SS__STEP_LOWER,
    SS__STEP_BYTES,          /* every byte as byte-level models write it */
    SS__STEP_NMT,            /* drop controls, some other characters become U+0020 */
    SS__STEP_STRIP_LEFT,     /* white space at the beginning */
    SS__STEP_STRIP_RIGHT,    /* white space at the end */
    SS__STEP_PREPEND,        /* `to` in front of a text that is not empty */
    SS__STEP_REPLACE,        /* `from` by `to` */
    SS__STEP_REPLACE_SPACES, /* runs of two or more U+0020 by `to` */
    SS__STEP_CHARSMAP        /* clusters of characters by `map` */
} ss__step;

/* The compiled map of a sentence-piece model (charsmap.c). */
struct ss__charsmap {
    uint32_t *units; /* [n_units] */
    char *text;
    size_t n_units, n_text;
    bool keeps[128]; /* ASCII characters that the map does not have */
};

struct ss__normal_step {
    ss__step kind;
    const uint32_t *from, *to;
    size_t n_from, n_to;
    const struct ss__charsmap *map;
};

/* What a normalizer does to printable ASCII. */
typedef enum ss__ascii_effect {
    SS__ASCII_KEPT,
    SS__ASCII_IN_WORDS, /* at most controls are removed and capitals lowered */
    SS__ASCII_REWRITTEN
} ss__ascii_effect;

struct ss__normalizer {
    struct ss__normal_step steps[SS__MAX_STEPS];
    size_t n_steps;
    bool lowers_ascii;
    ss__ascii_effect ascii;
    bool changes[256];   /* bytes that a text which stays as it is does not have */
    bool changes_spaces; /* two spaces, one after the other */
    bool has_context;    /* a text can not be normalised in parts */
};

struct ss__points {
    uint32_t *data;
    size_t n, n_room;
};

/* data is borrowed. */
SS_MUST_USE ss_status ss__charsmap_parse(const char *data, size_t n_bytes,
                                         struct ss__charsmap *map, ss_err *err);
void ss__charsmap_release(struct ss__charsmap *map);
/* Append to `out`, which is empty, what the points become; of the first *n_start points these
 * are *n_start afterwards. */
SS_MUST_USE ss_status ss__charsmap_run(const struct ss__charsmap *map,
                                       const struct ss__points *in, struct ss__points *out,
                                       size_t *n_start, ss_err *err);
/* Where the cluster of characters that begins at `at` ends (grapheme.c). */
size_t ss__cluster_end(const struct ss__points *points, size_t at);

/* Two buffers that the steps work between. */
struct ss__normal_scratch {
    struct ss__points points, other;
    struct ss__points marks; /* of a long run that is being sorted */
    size_t n_start; /* at the beginning of `points`, those that the text's first one became */
    size_t n_start_bytes; /* of what was written last */
};
void ss__normal_scratch_release(struct ss__normal_scratch *scratch);

/* Whether the steps leave this text as it is, as far as can be told at once. */
bool ss__normalizer_keeps(const struct ss__normalizer *normalizer, const char *text,
                          size_t n_bytes);
/* Add a step that has texts, which are borrowed. */
SS_MUST_USE ss_status ss__normalizer_push_step(struct ss__normalizer *normalizer,
                                               const struct ss__normal_step *step, ss_err *err);
SS_MUST_USE ss_status ss__normalizer_push(struct ss__normalizer *normalizer, ss__step step,
                                          ss_err *err);
/* Append the normalised text to `out`. `text` is valid UTF-8. Only what may change is worked on
 * where that makes no difference; the other function always works on the whole. */
SS_MUST_USE ss_status ss__normalize(const struct ss__normalizer *normalizer,
                                    struct ss__normal_scratch *scratch, const char *text,
                                    size_t n_bytes, struct ss__buf *out, ss_err *err);
SS_MUST_USE ss_status ss__normalize_whole(const struct ss__normalizer *normalizer,
                                          struct ss__normal_scratch *scratch, const char *text,
                                          size_t n_bytes, struct ss__buf *out, ss_err *err);

/* ---- the loaded tokenizer ---- */

/* How tokens become text again. */
typedef enum ss__joining {
    SS__JOIN_SPACES,    /* no decoder: a space between tokens */
    SS__JOIN_WORDPIECE, /* a space but before continuing pieces, which lose their prefix */
    SS__JOIN_BYTES,     /* tokens are bytes as text */
    SS__JOIN_MARKS,     /* a mark is a space, none in the first token */
    SS__JOIN_SUFFIX,    /* a suffix is a space, none at the end */
    SS__JOIN_UNKNOWN    /* a decoder that is not read */
} ss__joining;

struct ss__decoder {
    ss__joining joining;
    bool cleans;       /* token by token, as the WordPiece decoder */
    bool cleans_text;  /* the whole text again: `clean_up_tokenization_spaces` */
    bool keeps_first;  /* a mark in the first token is a space too */
    const char *affix; /* prefix, mark or suffix; of SS__JOIN_UNKNOWN its name */
};

/* A kind of pieces: how a plain stretch of text, raw or normalised, becomes ids. */
struct ss__piece_kind {
    const char *name; /* as tokenizer.json names the model */
    SS_MUST_USE ss_status (*add_raw)(const struct ss__tokenizer *, struct ss__token_scratch *,
                                     const char *text, size_t n_bytes, ss_err *err);
    SS_MUST_USE ss_status (*add_normalized)(const struct ss__tokenizer *,
                                            struct ss__token_scratch *, const char *text,
                                            size_t n_bytes, ss_err *err);
    /* Append the ids of one word, not empty. */
    SS_MUST_USE ss_status (*add_word)(const struct ss__tokenizer *, struct ss__token_scratch *,
                                      const struct ss_text *word, ss_err *err);
};
/* WordPiece with the BERT pre-tokenizer, and models behind a list of splitters. */
extern const struct ss__piece_kind ss__bert_kind, ss__wordpiece_kind, ss__wordlevel_kind,
    ss__bpe_kind, ss__unigram_kind;

/* Byte-pair encoding: pairs of ids that may be merged, by rank. */
struct ss__bpe {
    struct ss__merge {
        uint64_t pair; /* left id << 32 | right id */
        int32_t id;    /* of both together; -1: a free slot */
        uint32_t rank;
    } * merges; /* [n_slots] */
    size_t n_slots, n_merges;
    const char *prefix, *suffix; /* of continuing symbols and of the last one; "" if none */
    int32_t unknown;             /* -1: unknown characters are left out */
    bool fuses_unknown, falls_back_to_bytes, takes_whole_words;
    bool byte_level; /* the symbols of a word are its bytes, written as byte_text has them */
    int32_t byte_ids[256];     /* of one byte, -1 if unknown */
    int32_t fallback_ids[256]; /* of "<0x00>" … */
};

/* Unigram: the pieces of the best total score. */
struct ss__unigram {
    double *scores; /* [n_ids] */
    size_t n_scores_room;
    double unknown_score;
    int32_t unknown; /* -1 if there is none */
    bool falls_back_to_bytes;
    int32_t fallback_ids[256];
};

/* Tokenizers whose words are a mark and then a stretch without white space, as long as the text
 * itself does not hold the mark; their words are remembered without it. */
typedef enum ss__marking {
    SS__MARKS_NOT,
    SS__MARKS_WORDS,       /* between white space */
    SS__MARKS_SPACES,      /* behind every space, and the first word */
    SS__MARKS_SPACES_FIRST /* the same, but the first word only where the text begins */
} ss__marking;

struct ss__tokenizer {
    const struct ss__piece_kind *kind;
    struct ss__vocab vocab;
    struct ss__added added;
    struct ss__normalizer normalizer;
    struct ss__arena texts; /* that the settings point to */
    struct ss__charsmap charsmap;
    struct ss__decoder decoder;
    uint64_t fingerprint; /* of all that decides the ids of a word */
    int32_t begin[SS__MAX_TEMPLATE_IDS], end[SS__MAX_TEMPLATE_IDS];
    size_t n_begin, n_end;
    struct ss__special_ids specials;
    size_t max_length;
    bool truncates_left;
    bool has_types; /* some token of a text has another type than 0 */
    struct ss__splitter splitters[SS__MAX_SPLITTERS]; /* not of ss__bert_kind */
    size_t n_splitters;
    ss__marking marking;
    struct ss__bpe bpe;
    struct ss__unigram unigram;
    /* WordPiece */
    const char *prefix; /* of continuing pieces, "##" */
    size_t max_word_points;
    int32_t unknown;
    uint32_t continuing; /* trie node of the prefix, SS__NO_NODE if no piece has it */
    uint8_t byte_class[256];
    int32_t punctuation[128]; /* id of each ASCII punctuation character */
};

/* Append ids to those of the call. */
SS_MUST_USE ss_status ss__scratch_push(struct ss__token_scratch *scratch, const int32_t *ids,
                                       size_t n, ss_err *err);

/* The ids of a word through the memory of the words that were met before. */
SS_MUST_USE ss_status ss__add_known_word(const struct ss__tokenizer *tokenizer,
                                         struct ss__token_scratch *scratch,
                                         const struct ss_text *word, ss_err *err);
/* Find out whether words are known by their mark, when the splitters are there. */
void ss__words_prepare(struct ss__tokenizer *tokenizer);
/* add_raw and add_normalized of a kind with splitters. */
SS_MUST_USE ss_status ss__add_words_raw(const struct ss__tokenizer *tokenizer,
                                        struct ss__token_scratch *scratch, const char *text,
                                        size_t n_bytes, ss_err *err);
SS_MUST_USE ss_status ss__add_words(const struct ss__tokenizer *tokenizer,
                                    struct ss__token_scratch *scratch, const char *text,
                                    size_t n_bytes, ss_err *err);

/* Remember that two ids may be merged into a third, with this rank. */
SS_MUST_USE ss_status ss__bpe_add_merge(struct ss__bpe *bpe, int32_t left, int32_t right,
                                        int32_t id, uint32_t rank, ss_err *err);
/* Merge the n > 0 symbols of the scratch, which are linked by their number, `id` of those that
 * were merged into the one before is -1. */
SS_MUST_USE ss_status ss__bpe_merge(const struct ss__bpe *bpe,
                                    struct ss__token_scratch *scratch, size_t n, ss_err *err);
/* The same for at most SS__BPE_FEW ids in place, of texts that are not empty; returns how many
 * are left. */
size_t ss__bpe_merge_few(const struct ss__bpe *bpe, int32_t *ids, size_t n);
enum { SS__BPE_FEW = 24 };
#define SS__NO_SYMBOL UINT32_MAX

/* Fill the ids of bytes, when vocabulary and settings are there. */
void ss__bpe_prepare(struct ss__bpe *bpe, const struct ss__vocab *vocab);
/* Ids of "<0x00>" to "<0xFF>", -1 where the vocabulary has none. */
void ss__find_fallback_ids(const struct ss__vocab *vocab, int32_t ids[256]);
/* A byte as byte-level models write it: a character, or its 1 or 2 bytes of UTF-8. */
uint32_t ss__byte_point(uint8_t byte);
size_t ss__byte_text(uint8_t byte, char out[4]);
/* The byte that a character stands for, -1 if it is none of those. */
int ss__byte_of_text(uint32_t code_point);

/* Prepare what add_raw reads, when vocabulary, normaliser and unknown id are set. */
SS_MUST_USE ss_status ss__wordpiece_prepare(struct ss__tokenizer *tokenizer, ss_err *err);

/* ---- scratch ---- */

/* What merging a word needs, and the best paths through one. */
struct ss__symbol {
    int32_t id; /* -1: merged into the one before */
    uint32_t previous, next;
};
struct ss__candidate {
    uint32_t rank, at;
    int32_t id;
};
struct ss__best_end {
    double score;
    size_t start;
    int32_t id; /* -1: not reached */
};

struct ss__token_scratch {
    struct ss__known known;
    uint64_t known_for; /* fingerprint of the tokenizer that these words belong to */
    int32_t *ids;
    size_t n_ids, n_ids_room;
    size_t max_ids; /* enough: more would be cut off */
    struct ss__normal_scratch normal;
    /* Texts that words are cut from can be read SS__BLOCK_BYTES beyond their end. */
    struct ss__buf raw;        /* the text, with valid UTF-8 */
    struct ss__buf segment;    /* a normalised stretch between added tokens */
    struct ss__buf normalized; /* a normalised word */
    const char *text_start;    /* of the whole text, while it is being cut */
    size_t n_segment_start; /* bytes at its beginning that the text's first character became */
    struct ss__buf edited[SS__MAX_SPLITTERS];
    struct ss__symbol *symbols;
    size_t n_symbols_room;
    struct ss__candidate *candidates; /* a heap, the lowest rank first */
    size_t n_candidates, n_candidates_room;
    struct ss__best_end *ends;
    size_t n_ends_room;
};

/* Append the ids of a word if they are remembered. */
static inline bool ss__scratch_push_known(struct ss__token_scratch *scratch,
                                          const struct ss_text *word)
{
    if (scratch->n_ids_room - scratch->n_ids <= SS__KNOWN_IDS) { /* the slow way makes room */
        return false;
    }
    const int n = ss__known_find(&scratch->known, word, scratch->ids + scratch->n_ids);
    scratch->n_ids += (size_t)(n < 0 ? 0 : n);
    return n >= 0;
}

/* Remember a word by its ids, those from number n_before on, unless they were cut short. */
static inline void ss__scratch_keep(struct ss__token_scratch *scratch,
                                    const struct ss_text *word, size_t n_before)
{
    if (scratch->n_ids < scratch->max_ids) {
        ss__known_keep(&scratch->known, word, scratch->ids + n_before,
                       scratch->n_ids - n_before);
    }
}

#endif
