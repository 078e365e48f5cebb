/* What the files that read a tokenizer folder share. */
#ifndef SS_TOKENIZER_LOAD_PRIV_H
#define SS_TOKENIZER_LOAD_PRIV_H

#include "base/json.h"
#include "tokenizer/tokenizer_priv.h"

/* A JSON file of the folder. */
struct ss__json_file {
    char *path;
    json_t *root; /* NULL if there is no such file */
};

/* How a tokenizer class is built: the known classes make their own pipeline and take only the
 * vocabulary and the added tokens from tokenizer.json; the generic one takes all from there. */
struct ss__tokenizer_class {
    const char *name;
    const char *model_type; /* that means this class where none is named; NULL if none does */
    bool generic;
    bool mpnet; /* which set of default tokens */
};

struct ss__loading {
    const struct ss__tokenizer_options *options;
    const struct ss__tokenizer_class *class;
    struct ss__json_file tokenizer, config, special_map, added_map, model_config;
    char *vocab_path; /* of vocab.txt */
    const char *unknown_text;
    struct ss__tokenizer *self; /* being filled */
};

/* The vocabulary: `vocab` of a model in tokenizer.json, or vocab.txt. */
SS_MUST_USE ss_status ss__load_vocab(struct ss__loading *loading, ss_err *err);

/* All that the generic class reads from tokenizer.json but vocabulary and added tokens. */
SS_MUST_USE ss_status ss__load_generic_pipeline(struct ss__loading *loading, ss_err *err);
/* The begin and end ids of the generic class; after the added tokens. */
SS_MUST_USE ss_status ss__load_template(struct ss__loading *loading, ss_err *err);

/* What the known classes do, from tokenizer_config.json. */
SS_MUST_USE ss_status ss__load_known_pipeline(struct ss__loading *loading, ss_err *err);

/* Added and special tokens of all files, in the reference's order; fills the ids with a role
 * and, for the known classes, begin and end. */
SS_MUST_USE ss_status ss__load_added(struct ss__loading *loading, ss_err *err);

/* The text of a role such as "unk_token"; NULL if it has none. */
SS_MUST_USE ss_status ss__load_role_text(const struct ss__loading *loading, const char *key,
                                         const char **text, ss_err *err);

/* Whether a JSON value is an object whose `type` is `name`. */
bool ss__json_is_type(const json_t *object, const char *name);
/* The `type` of an object, "" if it has none. */
const char *ss__json_type(const json_t *object);

#endif
