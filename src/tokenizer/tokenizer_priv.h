/* What the files of this room share: the loaded tokenizer, the scratch memory of a call, and
 * the stages of a text: added tokens, normaliser, words, tokens.
 *
 *   raw text     added tokens that are matched as they stand are cut out          added.c
 *   stretches    normalised where something may change                            normalize*.c
 *   normalised   added tokens that are matched in normalised text are cut out     added.c
 *   words        by splitters, or by the model's own way over text                split*.c, words.c
 *   ids          from the word cache, or from the model                           bpe, unigram, wordpiece
 */
#ifndef SS_TOKENIZER_PRIV_H
#define SS_TOKENIZER_PRIV_H

#include "base/arena.h"
#include "base/buf.h"
#include "tokenizer/ascii64.h"
#include "tokenizer/split.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/trie.h"
#include "tokenizer/word_cache.h"

enum {
    SS_TOKENIZER_MAX_VOCAB_ID = (1 << 22) - 1, /* the largest known vocabularies have 262,144 */
    SS_TOKENIZER_MAX_ADDED_TOKENS = 1 << 16,
    SS_TOKENIZER_MAX_ADDED_TOKEN_BYTES = 1
                                         << 12, /* bounds the work at one position of a text */
    SS_TOKENIZER_MAX_ADDED_STARTS = 4,
    SS_TOKENIZER_MAX_TEMPLATE_IDS = 16,
    SS_TOKENIZER_MAX_STEPS = 32
};

/* ---- vocabulary ---- */

/* Texts by id. Zeroed is empty. */
struct ss_tokenizer_vocab {
    char *bytes;
    size_t n_bytes, bytes_capacity;
    struct ss_tokenizer_vocab_text {
        uint32_t start, length; /* length SS_TOKENIZER_NO_TEXT where no text has this id */
    } * texts;
    size_t n_ids, texts_capacity;  /* n_ids: largest id + 1 */
    size_t n_texts;                /* how many different texts there are */
    struct ss_tokenizer_trie trie; /* text to id */
};

#define SS_TOKENIZER_NO_TEXT UINT32_MAX
#define SS_TOKENIZER_NO_NODE UINT32_MAX

/* Add a text. One that is there moves to the new id; an id that has another text is an error.
 * Errors: SS_E_DATA, SS_E_LIMIT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_tokenizer_vocab_add(struct ss_tokenizer_vocab *vocab, const char *text,
                                             size_t n_bytes, int64_t id, ss_err *err);
/* The text of an id, NULL if it has none; not terminated. */
const char *ss_tokenizer_vocab_text(const struct ss_tokenizer_vocab *vocab, int32_t id,
                                    size_t *n_bytes);
void ss_tokenizer_vocab_release(struct ss_tokenizer_vocab *vocab);

/* ---- added tokens ---- */

struct ss_tokenizer_added_token {
    const char *text;
    size_t n_bytes;
    const char *plain; /* its text after the normaliser */
    size_t n_plain;
    int32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
    bool was_normalized; /* now or before its flags changed: decodes to `plain` */
};

/* Tokens of one kind (raw or normalised) with what finds them. */
struct ss_tokenizer_added_set {
    struct ss_tokenizer_trie trie; /* text as it is searched, to an index into `tokens` */
    bool starts[256];              /* bytes that some text begins with */
    struct ss_tokenizer_added_start {
        uint8_t byte;
        int second; /* the byte behind it, -1 if that differs from text to text */
    } first[SS_TOKENIZER_MAX_ADDED_STARTS]; /* the same, if there are not more */
    size_t n_first;                         /* how many there are */
    size_t n_tokens;
};

/* All added tokens, and the two sets that are searched in a text. */
struct ss_tokenizer_added {
    struct ss_tokenizer_added_token *tokens; /* in the order they were added */
    size_t n_tokens, tokens_capacity;
    size_t end_id; /* largest id + 1 */
    struct ss_tokenizer_trie by_text;
    struct ss__arena texts;
    struct ss_tokenizer_added_set raw, normalized;
    bool splits_special_tokens; /* `split_special_tokens`: special tokens are not matched in
                                   texts */
};

/* Add a token as the reference does: it takes the id of its text in the vocabulary, else the id
 * of the same token added before, else the next free one. Empty ones are ignored. `token->id`
 * is not read; the text is copied. */
SS_MUST_USE ss_status ss_tokenizer_added_add(struct ss_tokenizer_added *added,
                                             const struct ss_tokenizer_vocab *vocab,
                                             const struct ss_tokenizer_added_token *token,
                                             ss_err *err);
const struct ss_tokenizer_added_token *
ss_tokenizer_added_find(const struct ss_tokenizer_added *added, const char *text,
                        size_t n_bytes);
const struct ss_tokenizer_added_token *
ss_tokenizer_added_of_id(const struct ss_tokenizer_added *added, int32_t id);
/* Make all tokens findable, when all are added and `plain` is set: those with `normalized` by
 * that, the others by `text`. Of two that are found by the same text the earlier one counts. */
SS_MUST_USE ss_status ss_tokenizer_added_index(struct ss_tokenizer_added *added, ss_err *err);
void ss_tokenizer_added_release(struct ss_tokenizer_added *added);

/* A walk over the tokens in a text, leftmost first and longest at each place. */
struct ss_tokenizer_added_walk {
    const struct ss_tokenizer_added *added;
    const struct ss_tokenizer_added_set *set;
    const char *text;
    size_t n_bytes;
    size_t at;       /* where the search goes on */
    size_t done;     /* end of the last match, with the white space it swallowed */
    size_t block;    /* where the block begins that `starts` is about */
    uint64_t starts; /* places of it that a token may begin at */
};
struct ss_tokenizer_added_match {
    const struct ss_tokenizer_added_token *token;
    size_t before, start,
        stop; /* plain text [before, start), may be empty; token [start, stop) */
};
/* What is read beyond the end of a text in blocks: zeros behind the text in `buf`, which do not
 * count. ss__buf_check tells whether there was memory for them. */
void ss_tokenizer_pad_text(struct ss__buf *buf);

/* SS_TOKENIZER_BLOCK_BYTES can be read beyond the text. */
void ss_tokenizer_added_walk_init(struct ss_tokenizer_added_walk *walk,
                                  const struct ss_tokenizer_added *added,
                                  const struct ss_tokenizer_added_set *set, const char *text,
                                  size_t n_bytes);
/* False at the end; then [walk->done, n_bytes) is plain text. */
bool ss_tokenizer_added_next(struct ss_tokenizer_added_walk *walk,
                             struct ss_tokenizer_added_match *match);

/* ---- normaliser ---- */

typedef enum ss_tokenizer_step {
    SS_TOKENIZER_STEP_CLEAN,          /* drop controls, all white space becomes U+0020 */
    SS_TOKENIZER_STEP_SPACE_CJK,      /* spaces around ideographs */
    SS_TOKENIZER_STEP_DECOMPOSE,      /* NFD */
    SS_TOKENIZER_STEP_DECOMPOSE_MORE, /* NFKD */
    SS_TOKENIZER_STEP_COMPOSE,        /* NFC and NFKC, behind one of these */
    SS_TOKENIZER_STEP_STRIP_ACCENTS,  /* remove Mn */
    SS_TOKENIZER_STEP_STRIP_MARKS,    /* remove M* */
    SS_TOKENIZER_STEP_LOWER,
    SS_TOKENIZER_STEP_BYTES,          /* every byte as byte-level models write it */
    SS_TOKENIZER_STEP_NMT,            /* drop controls, some other characters become U+0020 */
    SS_TOKENIZER_STEP_STRIP_LEFT,     /* white space at the beginning */
    SS_TOKENIZER_STEP_STRIP_RIGHT,    /* white space at the end */
    SS_TOKENIZER_STEP_PREPEND,        /* `to` in front of a text that is not empty */
    SS_TOKENIZER_STEP_REPLACE,        /* `from` by `to` */
    SS_TOKENIZER_STEP_REPLACE_SPACES, /* runs of two or more U+0020 by `to` */
    SS_TOKENIZER_STEP_CHARSMAP        /* clusters of characters by `map` */
} ss_tokenizer_step;

/* The compiled map of a sentence-piece model (charsmap.c). */
struct ss_tokenizer_charsmap {
    uint32_t *units; /* [n_units] */
    char *text;
    size_t n_units, n_text;
    bool keeps[128]; /* ASCII characters that the map does not have */
};

struct ss_tokenizer_normal_step {
    ss_tokenizer_step kind;
    const uint32_t *from, *to;
    size_t n_from, n_to;
    const struct ss_tokenizer_charsmap *map;
};

/* What a normalizer does to printable ASCII. */
typedef enum ss_tokenizer_ascii_effect {
    SS_TOKENIZER_ASCII_KEPT,
    SS_TOKENIZER_ASCII_IN_WORDS, /* at most controls are removed and capitals lowered */
    SS_TOKENIZER_ASCII_REWRITTEN
} ss_tokenizer_ascii_effect;

struct ss_tokenizer_normalizer {
    struct ss_tokenizer_normal_step steps[SS_TOKENIZER_MAX_STEPS];
    size_t n_steps;
    bool lowers_ascii;
    ss_tokenizer_ascii_effect ascii;
    bool changes[256];   /* bytes that a text which stays as it is does not have */
    bool changes_spaces; /* two spaces, one after the other */
    bool has_context;    /* a text can not be normalised in parts */
};

struct ss_tokenizer_points {
    uint32_t *data;
    size_t n, capacity;
};

/* data is borrowed. */
SS_MUST_USE ss_status ss_tokenizer_charsmap_parse(const char *data, size_t n_bytes,
                                                  struct ss_tokenizer_charsmap *map,
                                                  ss_err *err);
void ss_tokenizer_charsmap_release(struct ss_tokenizer_charsmap *map);
/* Append to `out`, which is empty, what the points become; of the first *n_start points these
 * are *n_start afterwards. */
SS_MUST_USE ss_status ss_tokenizer_charsmap_run(const struct ss_tokenizer_charsmap *map,
                                                const struct ss_tokenizer_points *in,
                                                struct ss_tokenizer_points *out,
                                                size_t *n_start, ss_err *err);
/* Where the cluster of characters that begins at `at` ends (grapheme.c). */
size_t ss_tokenizer_cluster_end(const struct ss_tokenizer_points *points, size_t at);

/* Two buffers that the steps work between. */
struct ss_tokenizer_normal_scratch {
    struct ss_tokenizer_points points, other;
    struct ss_tokenizer_points marks; /* of a long run that is being sorted */
    size_t n_start; /* at the beginning of `points`, those that the text's first one became */
    size_t n_start_bytes; /* of what was written last */
};
void ss_tokenizer_normal_scratch_release(struct ss_tokenizer_normal_scratch *scratch);
/* What the buffers take. */
size_t ss_tokenizer_normal_scratch_bytes(const struct ss_tokenizer_normal_scratch *scratch);

/* Whether the steps leave this text as it is, as far as can be told at once. */
bool ss_tokenizer_normalizer_keeps(const struct ss_tokenizer_normalizer *normalizer,
                                   const char *text, size_t n_bytes);
/* Add a step that has texts, which are borrowed. */
SS_MUST_USE ss_status
ss_tokenizer_normalizer_push_step(struct ss_tokenizer_normalizer *normalizer,
                                  const struct ss_tokenizer_normal_step *step, ss_err *err);
SS_MUST_USE ss_status ss_tokenizer_normalizer_push(struct ss_tokenizer_normalizer *normalizer,
                                                   ss_tokenizer_step step, ss_err *err);
/* Append the normalised text to `out`. `text` is valid UTF-8. Only what may change is worked on
 * where that makes no difference; the other function always works on the whole. */
SS_MUST_USE ss_status ss_tokenizer_normalize(const struct ss_tokenizer_normalizer *normalizer,
                                             struct ss_tokenizer_normal_scratch *scratch,
                                             const char *text, size_t n_bytes,
                                             struct ss__buf *out, ss_err *err);
SS_MUST_USE ss_status
ss_tokenizer_normalize_whole(const struct ss_tokenizer_normalizer *normalizer,
                             struct ss_tokenizer_normal_scratch *scratch, const char *text,
                             size_t n_bytes, struct ss__buf *out, ss_err *err);

/* ---- the loaded tokenizer ---- */

/* Decoders of tokenizer.json: how tokens become text. */
typedef enum ss_tokenizer_decoder_kind {
    SS_TOKENIZER_DECODER_SPACES,    /* no decoder: a space between tokens */
    SS_TOKENIZER_DECODER_WORDPIECE, /* a space but before continuing pieces, which lose their
                                    prefix */
    SS_TOKENIZER_DECODER_BYTES,     /* tokens are bytes as text */
    SS_TOKENIZER_DECODER_METASPACE, /* Metaspace: the replacement becomes a space, but not in
                                       the first token */
    SS_TOKENIZER_DECODER_SUFFIX,    /* a suffix is a space, none at the end */
    SS_TOKENIZER_DECODER_UNKNOWN    /* a decoder that is not read */
} ss_tokenizer_decoder_kind;

struct ss_tokenizer_decoder {
    ss_tokenizer_decoder_kind kind;
    bool cleans;      /* token by token, as the WordPiece decoder */
    bool cleans_text; /* the whole text again: `clean_up_tokenization_spaces` */
    bool keeps_first; /* the replacement becomes a space in the first token, too */
    const char
        *affix; /* prefix, replacement or suffix; of SS_TOKENIZER_DECODER_UNKNOWN its name */
};

/* A model of tokenizer.json: how text between added tokens, raw or normalised, becomes ids. */
struct ss_tokenizer_model {
    const char *name; /* as tokenizer.json names the model */
    SS_MUST_USE ss_status (*add_raw)(const struct ss_tokenizer *,
                                     struct ss_tokenizer_token_scratch *, const char *text,
                                     size_t n_bytes, ss_err *err);
    SS_MUST_USE ss_status (*add_normalized)(const struct ss_tokenizer *,
                                            struct ss_tokenizer_token_scratch *,
                                            const char *text, size_t n_bytes, ss_err *err);
    /* Append the ids of one word, not empty. */
    SS_MUST_USE ss_status (*add_word)(const struct ss_tokenizer *,
                                      struct ss_tokenizer_token_scratch *,
                                      const struct ss_text *word, ss_err *err);
};
/* WordPiece with the BERT pre-tokenizer, and models behind a list of splitters. */
extern const struct ss_tokenizer_model ss_tokenizer_bert_model, ss_tokenizer_wordpiece_model,
    ss_tokenizer_wordlevel_model, ss_tokenizer_bpe_model, ss_tokenizer_unigram_model;

/* Byte-pair encoding: pairs of ids that may be merged, by rank. */
struct ss_tokenizer_bpe {
    struct ss_tokenizer_merge {
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

/* Unigram: the segmentation with the best total score. */
struct ss_tokenizer_unigram {
    double *scores; /* [n_ids] */
    size_t scores_capacity;
    double unknown_score;
    int32_t unknown; /* -1 if there is none */
    bool falls_back_to_bytes;
    int32_t fallback_ids[256];
};

/* Metaspace tokenizers: a word is the replacement character (U+2581) and a run without white
 * space, as long as the text itself does not contain the replacement. Words are cached without
 * it. */
typedef enum ss_tokenizer_metaspace {
    SS_TOKENIZER_METASPACE_NONE,
    SS_TOKENIZER_METASPACE_WORDS,       /* between white space */
    SS_TOKENIZER_METASPACE_SPACES,      /* behind every space, and the first word */
    SS_TOKENIZER_METASPACE_SPACES_FIRST /* the same, but the first word only where the text
                                         * begins
                                         */
} ss_tokenizer_metaspace;

/* A loaded tokenizer. Immutable; owns all it points to. */
struct ss_tokenizer {
    const struct ss_tokenizer_model *model;
    struct ss_tokenizer_vocab vocab;
    struct ss_tokenizer_added added;
    struct ss_tokenizer_normalizer normalizer;
    struct ss__arena texts; /* that the settings point to */
    struct ss_tokenizer_charsmap charsmap;
    struct ss_tokenizer_decoder decoder;
    uint64_t fingerprint; /* of all that decides the ids of a word */
    int32_t begin[SS_TOKENIZER_MAX_TEMPLATE_IDS], end[SS_TOKENIZER_MAX_TEMPLATE_IDS];
    size_t n_begin, n_end;
    struct ss_tokenizer_special_ids specials;
    size_t max_length;
    bool truncates_left;
    bool has_types; /* some token of a text has another type than 0 */
    struct ss_tokenizer_splitter
        splitters[SS_TOKENIZER_MAX_SPLITTERS]; /* not of ss_tokenizer_bert_model */
    size_t n_splitters;
    ss_tokenizer_metaspace metaspace;
    struct ss_tokenizer_bpe bpe;
    struct ss_tokenizer_unigram unigram;
    /* WordPiece */
    const char *prefix; /* of continuing pieces, "##" */
    size_t max_word_points;
    int32_t unknown;
    uint32_t continuing; /* trie node of the prefix, SS_TOKENIZER_NO_NODE if no piece has it */
    uint8_t byte_class[256];
    int32_t punctuation[128]; /* id of each ASCII punctuation character */
};

/* Append ids to those of the call. */
SS_MUST_USE ss_status ss_tokenizer_scratch_push(struct ss_tokenizer_token_scratch *scratch,
                                                const int32_t *ids, size_t n, ss_err *err);

/* Append the ids of a word, from the word cache or else from the model. */
SS_MUST_USE ss_status ss_tokenizer_add_cached_word(const struct ss_tokenizer *tokenizer,
                                                   struct ss_tokenizer_token_scratch *scratch,
                                                   const struct ss_text *word, ss_err *err);
/* Choose how words of Metaspace tokenizers are cached; to be called when the splitters are set.
 */
void ss_tokenizer_words_prepare(struct ss_tokenizer *tokenizer);
/* add_raw and add_normalized of a kind with splitters. */
SS_MUST_USE ss_status ss_tokenizer_add_words_raw(const struct ss_tokenizer *tokenizer,
                                                 struct ss_tokenizer_token_scratch *scratch,
                                                 const char *text, size_t n_bytes, ss_err *err);
SS_MUST_USE ss_status ss_tokenizer_add_words(const struct ss_tokenizer *tokenizer,
                                             struct ss_tokenizer_token_scratch *scratch,
                                             const char *text, size_t n_bytes, ss_err *err);

/* Remember that two ids may be merged into a third, with this rank. */
SS_MUST_USE ss_status ss_tokenizer_bpe_add_merge(struct ss_tokenizer_bpe *bpe, int32_t left,
                                                 int32_t right, int32_t id, uint32_t rank,
                                                 ss_err *err);
/* Merge the n > 0 symbols of the scratch, which are linked by their number, `id` of those that
 * were merged into the one before is -1. */
SS_MUST_USE ss_status ss_tokenizer_bpe_merge(const struct ss_tokenizer_bpe *bpe,
                                             struct ss_tokenizer_token_scratch *scratch,
                                             size_t n, ss_err *err);
/* The same for at most SS_TOKENIZER_BPE_FEW ids in place, of texts that are not empty; returns
 * how many are left. */
size_t ss_tokenizer_bpe_merge_few(const struct ss_tokenizer_bpe *bpe, int32_t *ids, size_t n);
enum { SS_TOKENIZER_BPE_FEW = 24 };
#define SS_TOKENIZER_NO_SYMBOL UINT32_MAX

/* Fill the ids of bytes, when vocabulary and settings are there. */
void ss_tokenizer_bpe_prepare(struct ss_tokenizer_bpe *bpe,
                              const struct ss_tokenizer_vocab *vocab);
/* Ids of "<0x00>" to "<0xFF>", -1 where the vocabulary has none. */
void ss_tokenizer_find_fallback_ids(const struct ss_tokenizer_vocab *vocab, int32_t ids[256]);
/* A byte as byte-level models write it: a character, or its 1 or 2 bytes of UTF-8. */
uint32_t ss_tokenizer_byte_point(uint8_t byte);
size_t ss_tokenizer_byte_text(uint8_t byte, char out[4]);
/* The byte that a character stands for, -1 if it is none of those. */
int ss_tokenizer_byte_of_text(uint32_t code_point);

/* Prepare what add_raw reads, when vocabulary, normaliser and unknown id are set. */
SS_MUST_USE ss_status ss_tokenizer_wordpiece_prepare(struct ss_tokenizer *tokenizer,
                                                     ss_err *err);

/* ---- scratch ---- */

/* The symbols of a word while BPE merges them, and the lattice of Unigram. */
struct ss_tokenizer_symbol {
    int32_t id; /* -1: merged into the one before */
    uint32_t previous, next;
};
struct ss_tokenizer_candidate {
    uint32_t rank, at;
    int32_t id;
};
struct ss_tokenizer_lattice_node {
    double score;
    size_t start;
    int32_t id; /* -1: not reached */
};

/* Memory of a call, which grows to the largest one and is used again. One thread at a time. */
struct ss_tokenizer_token_scratch {
    struct ss_tokenizer_word_cache cache;
    uint64_t cache_fingerprint; /* fingerprint of the tokenizer that these words belong to */
    int32_t *ids;
    size_t n_ids, ids_capacity;
    size_t max_ids; /* ids beyond this would be truncated */
    struct ss_tokenizer_normal_scratch normal;
    /* Texts that words are cut from can be read SS_TOKENIZER_BLOCK_BYTES beyond their end. */
    struct ss__buf raw;        /* the text, with valid UTF-8 */
    struct ss__buf segment;    /* a normalised stretch between added tokens */
    struct ss__buf normalized; /* a normalised word */
    const char *text_start;    /* of the whole text, while it is being cut */
    size_t n_segment_start; /* bytes at its beginning that the text's first character became */
    struct ss__buf edited[SS_TOKENIZER_MAX_SPLITTERS];
    struct ss_tokenizer_symbol *symbols;
    size_t symbols_capacity;
    struct ss_tokenizer_candidate *candidates; /* a heap, the lowest rank first */
    size_t n_candidates, candidates_capacity;
    struct ss_tokenizer_lattice_node *lattice;
    size_t lattice_capacity;
};

/* Append the ids of a word if it is cached. */
static inline bool ss_tokenizer_scratch_push_cached(struct ss_tokenizer_token_scratch *scratch,
                                                    const struct ss_text *word)
{
    if (scratch->ids_capacity - scratch->n_ids <=
        SS_TOKENIZER_CACHED_IDS) { /* the general path grows the buffer */
        return false;
    }
    const int n =
        ss_tokenizer_word_cache_find(&scratch->cache, word, scratch->ids + scratch->n_ids);
    scratch->n_ids += (size_t)(n < 0 ? 0 : n);
    return n >= 0;
}

/* Cache a word with its ids, those from number n_before on, unless they were truncated. */
static inline void ss_tokenizer_scratch_cache_word(struct ss_tokenizer_token_scratch *scratch,
                                                   const struct ss_text *word, size_t n_before)
{
    if (scratch->n_ids < scratch->max_ids) {
        ss_tokenizer_word_cache_add(&scratch->cache, word, scratch->ids + n_before,
                                    scratch->n_ids - n_before);
    }
}

#endif
