/* What the files that read a tokenizer folder share. */
#ifndef SS_TOKENIZER_LOAD_PRIV_H
#define SS_TOKENIZER_LOAD_PRIV_H

#include "base/json.h"
#include "tokenizer/tokenizer_priv.h"

enum { SS__KNOWN_MAX_WORD_POINTS = 100 }; /* of known classes, whatever tokenizer.json says */

/* A JSON file of the folder. */
struct ss__json_file {
    char *path;
    struct ss__json *root; /* NULL if there is no such file */
};

/* A piece that stands before those of a SentencePiece file: a token with a role, or a text. */
struct ss__first_piece {
    const char *role, *text;
    double score;
};

/* A token that a SentencePiece file has beside its ordinary pieces. */
struct ss__kept_token {
    struct ss_text text;
    bool special;
};

/* How a tokenizer class is built: the known classes make their own pipeline and take only the
 * vocabulary and the added tokens from tokenizer.json; the generic one takes all from there. */
struct ss__tokenizer_class {
    const char *name;
    const char *model_type; /* that means this class where none is named; NULL if none does */
    const struct ss__piece_kind *kind; /* NULL: generic, as tokenizer.json says */
    enum { SS__ROLES_BERT, SS__ROLES_MPNET, SS__ROLES_ROBERTA, SS__N_ROLE_SETS } roles;
    bool mask_lstrip;               /* where the mask token is given by its text alone */
    const char *begin, *end;        /* roles of what stands around a text */
    int32_t unknown_piece;          /* of Unigram; -1: the one that is called as the role */
    const char *const *more_tokens; /* special ones that it has by itself, ended by NULL */
    const struct ss__first_piece *first_pieces; /* ended by an empty one */
    size_t n_replaced; /* how many of the first pieces of a SentencePiece file are left out */
};

struct ss__loading {
    const struct ss__tokenizer_options *options;
    const struct ss__tokenizer_class *class;
    const char *folder;
    struct ss__json_file tokenizer, config, special_map, added_map, model_config;
    char *vocab_path, *merges_path; /* of the vocabulary where there is no tokenizer.json */
    const char *unknown_text;
    struct ss__kept_token *kept; /* of a SentencePiece file: instead of the config's list */
    size_t n_kept, n_kept_room;
    struct ss__tokenizer *self; /* being filled */
};

/* Kind, vocabulary and settings of the model: of tokenizer.json, or of the file that the class
 * has its vocabulary in. */
SS_MUST_USE ss_status ss__load_model(struct ss__loading *loading, ss_err *err);
/* The id of `unknown_text`, when vocabulary and pipeline are there. */
SS_MUST_USE ss_status ss__find_unknown(struct ss__loading *loading, ss_err *err);
/* The readers of one model in tokenizer.json. */
SS_MUST_USE ss_status ss__load_bpe(struct ss__loading *loading, const struct ss__json *model,
                                   ss_err *err);
SS_MUST_USE ss_status ss__load_unigram(struct ss__loading *loading,
                                       const struct ss__json *model, ss_err *err);
/* The next piece of Unigram, and what is to be done behind the last. */
SS_MUST_USE ss_status ss__unigram_add(struct ss__tokenizer *tokenizer, const char *piece,
                                      size_t n_bytes, double score, ss_err *err);
SS_MUST_USE ss_status ss__unigram_prepare(struct ss__tokenizer *tokenizer, int64_t unknown,
                                          ss_err *err);
int64_t ss__known_unknown(const struct ss__loading *loading);
/* vocab.json and merges.txt. */
SS_MUST_USE ss_status ss__load_bpe_files(struct ss__loading *loading, ss_err *err);
/* sentencepiece.bpe.model (sentencepiece.c). */
SS_MUST_USE ss_status ss__load_sentencepiece(struct ss__loading *loading, ss_err *err);
/* An object of texts with their ids into the vocabulary. */
SS_MUST_USE ss_status ss__load_ids(struct ss__loading *loading, const char *path,
                                   struct ss__json *vocab, ss_err *err);

/* All that the generic class reads from tokenizer.json but model and added tokens. */
SS_MUST_USE ss_status ss__load_generic_pipeline(struct ss__loading *loading, ss_err *err);
SS_MUST_USE ss_status ss__load_normalizer(struct ss__loading *loading, ss_err *err);
SS_MUST_USE ss_status ss__load_splitters(struct ss__loading *loading, ss_err *err);
/* The begin and end ids of the generic class; after the added tokens. */
SS_MUST_USE ss_status ss__load_template(struct ss__loading *loading, ss_err *err);

/* The normaliser of the known sentence-piece classes: the compiled map of tokenizer.json, or
 * the one that the model's file had. */
SS_MUST_USE ss_status ss__load_charsmap(struct ss__loading *loading, ss_err *err);
/* The splitters of the known byte-level and sentence-piece classes. */
SS_MUST_USE ss_status ss__add_byte_splitter(struct ss__tokenizer *tokenizer, bool space_first,
                                            ss_err *err);
SS_MUST_USE ss_status ss__add_mark_splitters(struct ss__tokenizer *tokenizer, bool mark_first,
                                             ss_err *err);

/* The BERT normaliser. */
struct ss__bert_settings {
    bool clean, cjk, lower;
    int strip_accents; /* -1: as `lower` */
};
SS_MUST_USE ss_status ss__push_bert(struct ss__normalizer *normalizer,
                                    const struct ss__bert_settings *settings, ss_err *err);
SS_MUST_USE ss_status ss__read_bert_normalizer(const char *path, const struct ss__json *object,
                                               struct ss__bert_settings *settings, ss_err *err);
/* strip_accents: true, false, or null or absent. */
SS_MUST_USE ss_status ss__read_strip_accents(const char *path, const struct ss__json *object,
                                             int *value, ss_err *err);

/* What the known classes do, from tokenizer_config.json. */
SS_MUST_USE ss_status ss__load_known_pipeline(struct ss__loading *loading, ss_err *err);

/* Added and special tokens of all files, in the reference's order; fills the ids with a role
 * and, for the known classes, begin and end. */
SS_MUST_USE ss_status ss__load_added(struct ss__loading *loading, ss_err *err);

/* The text of a role such as "unk_token"; NULL if it has none. */
const char *ss__load_role_text(const struct ss__loading *loading, const char *key);
/* Its id, -1 if it has none; after ss__load_added. */
int32_t ss__load_role_id(const struct ss__loading *loading, const char *key);

/* Whether a JSON value is an object whose `type` is `name`. */
bool ss__json_is_type(const struct ss__json *object, const char *name);
/* The `type` of an object, "" if it has none. */
const char *ss__json_type(const struct ss__json *object);

#endif
