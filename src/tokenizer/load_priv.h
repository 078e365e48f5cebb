/* What the files that read a tokenizer folder share.
 *
 * All functions here are called by the one thread that loads; errors name the file and key:
 * SS_E_DATA for what is damaged, SS_E_UNSUPPORTED for what the reference does and this room
 * does not, SS_E_LIMIT, SS_E_NOMEM. JSON trees are borrowed from `loading`; texts that the
 * tokenizer keeps are copied to its arena. */
#ifndef SS_TOKENIZER_LOAD_PRIV_H
#define SS_TOKENIZER_LOAD_PRIV_H

#include "base/json.h"
#include "tokenizer/tokenizer_priv.h"

enum {
    SS_TOKENIZER_DEFAULT_MAX_WORD_POINTS = 100
}; /* of known classes, whatever tokenizer.json says */

/* A JSON file of the folder. */
struct ss_tokenizer_json_file {
    char *path;
    struct ss__json *root; /* NULL if there is no such file */
};

/* A piece that stands before those of a SentencePiece file: a token with a role, or a text. */
struct ss_tokenizer_first_piece {
    const char *role, *text;
    double score;
};

/* A token that a SentencePiece file has beside its ordinary pieces. */
struct ss_tokenizer_kept_token {
    struct ss_text text;
    bool special;
};

/* A token with a name of its own, such as "query_token". */
struct ss_tokenizer_own_token {
    const char *key, *text;
    const struct ss__json *value; /* with its flags; nullable */
};

/* How a tokenizer class is built: the known classes make their own pipeline and take only the
 * vocabulary and the added tokens from tokenizer.json; the generic one takes all from there. */
struct ss_tokenizer_class {
    const char *name;
    const struct ss_tokenizer_model *model; /* NULL: generic, as tokenizer.json says */
    enum {
        SS_TOKENIZER_ROLES_NONE,
        SS_TOKENIZER_ROLES_BERT,
        SS_TOKENIZER_ROLES_FUNNEL,
        SS_TOKENIZER_ROLES_MPNET,
        SS_TOKENIZER_ROLES_ROBERTA,
        SS_TOKENIZER_N_ROLE_SETS
    } roles; /* what tokens with a role are called if no file says */
    const char *begin,
        *end;            /* roles of what stands around a text; NULL: as tokenizer.json says */
    bool mask_lstrip;    /* where the mask token is given by its text alone */
    bool always_lowers;  /* whatever `do_lower_case` says */
    bool has_clean_text; /* reads that key */
    const char *own_key, *own_text; /* a special token with a role of its own */
    int32_t begin_type;             /* token type of what stands in front */
    int32_t unknown_piece;          /* of Unigram; -1: the one that is called as the role */
    const char *const *more_tokens; /* special ones that it has by itself, ended by NULL */
    const struct ss_tokenizer_first_piece *first_pieces; /* ended by an empty one */
    size_t n_replaced; /* how many of the first pieces of a SentencePiece file are left out */
};

/* A tokenizer while it is read: the files, the class, and what has been found so far. Owns its
 * files and lists, and `self` until it is handed out. */
struct ss_tokenizer_loading {
    const struct ss_tokenizer_options *options;
    const struct ss_tokenizer_class *class;
    const char *folder;
    struct ss_tokenizer_json_file tokenizer, config, special_map, added_map, model_config;
    char *vocab_path, *merges_path; /* of the vocabulary where there is no tokenizer.json */
    const char *unknown_text;
    struct ss_tokenizer_kept_token
        *kept; /* of a SentencePiece file: instead of the config's list */
    size_t n_kept, kept_capacity;
    bool has_kept;
    struct ss_tokenizer_own_token *own; /* with names of their own */
    size_t n_own, own_capacity;
    struct ss_tokenizer *self; /* being filled */
};

/* The class of the tokenizer, from its name or the model's type (classes.c). */
SS_MUST_USE ss_status ss_tokenizer_choose_class(struct ss_tokenizer_loading *loading,
                                                ss_err *err);

/* Refuse the keys of the config, with the caller's arguments, that would change ids and are not
 * read, and warn of those that are not known; the same for tokenizer.json (tokenizer_keys.c).
 */
SS_MUST_USE ss_status ss_tokenizer_check_config_keys(const struct ss_tokenizer_loading *loading,
                                                     ss_err *err);
SS_MUST_USE ss_status
ss_tokenizer_check_tokenizer_keys(const struct ss_tokenizer_loading *loading, ss_err *err);

/* Kind, vocabulary and settings of the model: of tokenizer.json, or of the file that the class
 * has its vocabulary in. */
SS_MUST_USE ss_status ss_tokenizer_load_model(struct ss_tokenizer_loading *loading,
                                              ss_err *err);
/* The id of `unknown_text`, when vocabulary and pipeline are there. */
SS_MUST_USE ss_status ss_tokenizer_find_unknown(struct ss_tokenizer_loading *loading,
                                                ss_err *err);
/* The readers of one model in tokenizer.json. */
SS_MUST_USE ss_status ss_tokenizer_load_bpe(struct ss_tokenizer_loading *loading,
                                            const struct ss__json *model, ss_err *err);
SS_MUST_USE ss_status ss_tokenizer_load_unigram(struct ss_tokenizer_loading *loading,
                                                const struct ss__json *model, ss_err *err);
/* The next piece of Unigram, and what is to be done behind the last. */
SS_MUST_USE ss_status ss_tokenizer_unigram_add(struct ss_tokenizer *tokenizer,
                                               const char *piece, size_t n_bytes, double score,
                                               ss_err *err);
SS_MUST_USE ss_status ss_tokenizer_unigram_prepare(struct ss_tokenizer *tokenizer,
                                                   int64_t unknown, ss_err *err);
/* The id of Unigram's unknown piece, by the class. */
int64_t ss_tokenizer_unknown_id(const struct ss_tokenizer_loading *loading);
/* vocab.json and merges.txt. */
SS_MUST_USE ss_status ss_tokenizer_load_bpe_files(struct ss_tokenizer_loading *loading,
                                                  ss_err *err);
/* sentencepiece.bpe.model (sentencepiece.c). */
SS_MUST_USE ss_status ss_tokenizer_load_sentencepiece(struct ss_tokenizer_loading *loading,
                                                      ss_err *err);
/* An object of texts with their ids into the vocabulary. */
SS_MUST_USE ss_status ss_tokenizer_load_ids(struct ss_tokenizer_loading *loading,
                                            const char *path, struct ss__json *vocab,
                                            ss_err *err);

/* All that the generic class reads from tokenizer.json but model and added tokens. */
SS_MUST_USE ss_status ss_tokenizer_load_generic_pipeline(struct ss_tokenizer_loading *loading,
                                                         ss_err *err);
/* Parts of that: the normaliser and the splitters. */
SS_MUST_USE ss_status ss_tokenizer_load_normalizer(struct ss_tokenizer_loading *loading,
                                                   ss_err *err);
SS_MUST_USE ss_status ss_tokenizer_load_splitters(struct ss_tokenizer_loading *loading,
                                                  ss_err *err);
/* The begin and end ids of the generic class; after the added tokens. */
SS_MUST_USE ss_status ss_tokenizer_load_template(struct ss_tokenizer_loading *loading,
                                                 ss_err *err);

/* The normaliser of the known sentence-piece classes: the compiled map of tokenizer.json, or
 * the one that the model's file had. */
SS_MUST_USE ss_status ss_tokenizer_load_charsmap(struct ss_tokenizer_loading *loading,
                                                 ss_err *err);
/* The splitters of the known byte-level and sentence-piece classes. */
SS_MUST_USE ss_status ss_tokenizer_add_byte_splitter(struct ss_tokenizer *tokenizer,
                                                     bool space_first, ss_err *err);
SS_MUST_USE ss_status ss_tokenizer_add_metaspace_splitters(struct ss_tokenizer *tokenizer,
                                                           bool prepend_first, ss_err *err);

/* The BERT normaliser. */
struct ss_tokenizer_bert_settings {
    bool clean, cjk, lower;
    int strip_accents; /* -1: as `lower` */
};
SS_MUST_USE ss_status ss_tokenizer_push_bert(struct ss_tokenizer_normalizer *normalizer,
                                             const struct ss_tokenizer_bert_settings *settings,
                                             ss_err *err);
SS_MUST_USE ss_status
ss_tokenizer_read_bert_normalizer(const char *path, const struct ss__json *object,
                                  struct ss_tokenizer_bert_settings *settings, ss_err *err);
/* strip_accents: true, false, or null or absent. */
SS_MUST_USE ss_status ss_tokenizer_read_strip_accents(const char *path,
                                                      const struct ss__json *object, int *value,
                                                      ss_err *err);

/* What the known classes do, from tokenizer_config.json. */
SS_MUST_USE ss_status ss_tokenizer_load_supported_pipeline(struct ss_tokenizer_loading *loading,
                                                           ss_err *err);

/* Added and special tokens of all files, in the reference's order; fills the ids with a role
 * and, for the known classes, begin and end. */
SS_MUST_USE ss_status ss_tokenizer_load_added(struct ss_tokenizer_loading *loading,
                                              ss_err *err);

/* Find the tokens with names of their own, before the others are added; add them and the lists
 * of special tokens, behind the others (load_extra.c). */
SS_MUST_USE ss_status ss_tokenizer_load_own(struct ss_tokenizer_loading *loading, ss_err *err);
SS_MUST_USE ss_status ss_tokenizer_load_extra(struct ss_tokenizer_loading *loading,
                                              ss_err *err);
bool ss_tokenizer_load_is_own(const struct ss_tokenizer_loading *loading, const char *text);

/* Add a special token, with the flags of `value` (nullable), unless its text was added before.
 */
SS_MUST_USE ss_status ss_tokenizer_load_new_token(struct ss_tokenizer_loading *loading,
                                                  const struct ss__json *value,
                                                  const char *text, bool lstrip, ss_err *err);
/* Whether the config has `added_tokens_decoder`: then older files do not count. */
bool ss_tokenizer_load_lists_added(const struct ss_tokenizer_loading *loading);
bool ss_tokenizer_load_is_role(const char *key); /* such as "unk_token" */
/* The text of a token that is given as an object or as its text; NULL if it is neither. */
const char *ss_tokenizer_load_token_text(const struct ss__json *value);

/* The text of a role such as "unk_token"; NULL if it has none. */
const char *ss_tokenizer_load_role_text(const struct ss_tokenizer_loading *loading,
                                        const char *key);
/* Its id, -1 if it has none; after ss_tokenizer_load_added. */
int32_t ss_tokenizer_load_role_id(const struct ss_tokenizer_loading *loading, const char *key);

/* Whether a JSON value is an object whose `type` is `name`. */
bool ss_tokenizer_json_is_type(const struct ss__json *object, const char *name);
/* The `type` of an object, "" if it has none. */
const char *ss_tokenizer_json_type(const struct ss__json *object);

#endif
