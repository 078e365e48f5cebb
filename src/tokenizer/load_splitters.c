/* The pre-tokenizer of tokenizer.json, or of a known class, as a list of splitters. Byte-level
 * ones cut text and then write it as bytes; the latter is left to the model where that is BPE
 * and nothing comes between, since it then reads bytes as they are. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "tokenizer/load_priv.h"

enum { MAX_DEPTH = 4 };

/* What is being read. */
struct reading {
    struct ss_tokenizer *self;
    const char *path;
};

/* The next free splitter. */
static ss_status take_splitter(const struct reading *reading,
                               struct ss_tokenizer_splitter **out, ss_err *err)
{
    struct ss_tokenizer *self = reading->self;
    if (self->n_splitters >= SS_TOKENIZER_MAX_SPLITTERS) {
        return ss__fail_file(err, reading->path, SS_E_LIMIT, "more than %d pre-tokenizers",
                             SS_TOKENIZER_MAX_SPLITTERS);
    }
    *out = &self->splitters[self->n_splitters++];
    return SS_OK;
}

/* Where more than BPE follows the splitter that makes bytes of the text, that is done here. */
static ss_status write_bytes(const struct reading *reading, ss_err *err)
{
    struct ss_tokenizer_splitter *splitter = NULL;
    if (reading->self->bpe.byte_level) {
        reading->self->bpe.byte_level = false;
        SS_RETURN_IF_ERROR(take_splitter(reading, &splitter, err));
        splitter->edit = SS_TOKENIZER_EDIT_BYTES;
    }
    return SS_OK;
}

/* The next one, behind the writing of bytes that a splitter before it has left over. */
static ss_status next_splitter(const struct reading *reading,
                               struct ss_tokenizer_splitter **out, ss_err *err)
{
    SS_RETURN_IF_ERROR(write_bytes(reading, err));
    return take_splitter(reading, out, err);
}

static ss_status set_replacement(const struct reading *reading, const char *text,
                                 struct ss_tokenizer_splitter *splitter, ss_err *err)
{
    const size_t n = strlen(text);
    if (n == 0 || n > SS_TOKENIZER_MAX_REPLACEMENT_BYTES) {
        return ss__fail_file(err, reading->path, SS_E_UNSUPPORTED,
                             "a pre-tokenizer splits at a text of %zu bytes; 1 to %d are read",
                             n, SS_TOKENIZER_MAX_REPLACEMENT_BYTES);
    }
    memcpy(splitter->replacement, text, n);
    splitter->n_replacement = (uint8_t)n;
    return SS_OK;
}

/* The names in the order of ss_tokenizer_behavior: what happens to a match, which is otherwise
 * a word of its own. */
static ss_status read_behavior(const struct reading *reading, const struct ss__json *object,
                               struct ss_tokenizer_splitter *splitter, ss_err *err)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};
    const char *name = "Isolated";
    SS_RETURN_IF_ERROR(ss__json_text(reading->path, object, "behavior", &name, err));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            splitter->behavior = (ss_tokenizer_behavior)i;
            return SS_OK;
        }
    }
    return ss__fail_file(err, reading->path, SS_E_DATA,
                         "the split behaviour '%.40s' is not known", name);
}

/* ---- kinds ---- */

/* GPT-2's pattern cuts the text; its bytes then become characters, which is left to whoever
 * comes next (the head of this file). */
static ss_status read_byte_level(const struct reading *reading, const struct ss__json *object,
                                 ss_err *err)
{
    struct ss_tokenizer_splitter *splitter = NULL;
    bool space_first = true, use_regex = true;
    SS_RETURN_IF_ERROR(
        ss__json_bool(reading->path, object, "add_prefix_space", &space_first, err));
    SS_RETURN_IF_ERROR(ss__json_bool(reading->path, object, "use_regex", &use_regex, err));
    SS_RETURN_IF_ERROR(next_splitter(reading, &splitter, err));
    splitter->edit = space_first ? SS_TOKENIZER_EDIT_SPACE_FIRST : SS_TOKENIZER_EDIT_NONE;
    splitter->find = use_regex ? ss_tokenizer_find_gpt2 : NULL;
    splitter->behavior = SS_TOKENIZER_ISOLATED;
    reading->self->n_splitters -= !space_first && !use_regex; /* it would do nothing */
    reading->self->bpe.byte_level = true;
    return SS_OK;
}

/* Spaces become the replacement, and words begin with it. `add_prefix_space` is the older form
 * of the prepend scheme. */
static ss_status read_metaspace(const struct reading *reading, const struct ss__json *object,
                                ss_err *err)
{
    static const struct {
        const char *name;
        ss_tokenizer_edit edit;
    } schemes[] = {{"always", SS_TOKENIZER_EDIT_METASPACE_ALWAYS},
                   {"first", SS_TOKENIZER_EDIT_METASPACE_FIRST},
                   {"never", SS_TOKENIZER_EDIT_METASPACE}};
    struct ss_tokenizer_splitter *splitter = NULL;
    const char *mark = "\xE2\x96\x81", *scheme = NULL;
    bool splits = true, prefixes = true;
    SS_RETURN_IF_ERROR(ss__json_text(reading->path, object, "replacement", &mark, err));
    SS_RETURN_IF_ERROR(ss__json_text(reading->path, object, "prepend_scheme", &scheme, err));
    SS_RETURN_IF_ERROR(ss__json_bool(reading->path, object, "split", &splits, err));
    SS_RETURN_IF_ERROR(
        ss__json_bool(reading->path, object, "add_prefix_space", &prefixes, err));
    if (scheme == NULL) { /* the older form */
        scheme = prefixes ? "always" : "never";
    }
    SS_RETURN_IF_ERROR(next_splitter(reading, &splitter, err));
    SS_RETURN_IF_ERROR(set_replacement(reading, mark, splitter, err));
    splitter->find = splits ? ss_tokenizer_find_text : NULL;
    splitter->behavior = SS_TOKENIZER_MERGED_WITH_NEXT;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        splitter->edit =
            strcmp(scheme, schemes[i].name) == 0 ? schemes[i].edit : splitter->edit;
    }
    if (splitter->edit == SS_TOKENIZER_EDIT_NONE) {
        return ss__fail_file(err, reading->path, SS_E_DATA,
                             "the prepend scheme '%.40s' is not known", scheme);
    }
    return SS_OK;
}

/* Regular expressions are not run: those of published tokenizers are known by their text, and
 * each has a scanner of its own (split_patterns.c). */
static ss_status read_split(const struct reading *reading, const struct ss__json *object,
                            ss_err *err)
{
    struct ss_tokenizer_splitter *splitter = NULL;
    const struct ss__json *pattern = ss__json_get(object, "pattern");
    const char *text = NULL, *regex = NULL;
    SS_RETURN_IF_ERROR(ss__json_text(reading->path, pattern, "String", &text, err));
    SS_RETURN_IF_ERROR(ss__json_text(reading->path, pattern, "Regex", &regex, err));
    SS_RETURN_IF_ERROR(next_splitter(reading, &splitter, err));
    SS_RETURN_IF_ERROR(read_behavior(reading, object, splitter, err));
    SS_RETURN_IF_ERROR(
        ss__json_bool(reading->path, object, "invert", &splitter->inverted, err));
    if (text != NULL) {
        splitter->find = ss_tokenizer_find_text;
        SS_RETURN_IF_ERROR(set_replacement(reading, text, splitter, err));
    } else if (regex == NULL) {
        return ss__fail_file(err, reading->path, SS_E_DATA,
                             "the pre-tokenizer Split has no pattern");
    } else if (!ss_tokenizer_find_pattern(regex, splitter)) {
        return ss__fail_file(
            err, reading->path, SS_E_UNSUPPORTED,
            "the pre-tokenizer splits by the regular expression '%.200s', which is "
            "not one of those that are read",
            regex);
    }
    return SS_OK;
}

/* A splitter that cuts at what `find` finds. */
static ss_status add_splitter(const struct reading *reading, ss_tokenizer_find_fn *find,
                              ss_tokenizer_behavior behavior,
                              struct ss_tokenizer_splitter **out, ss_err *err)
{
    SS_RETURN_IF_ERROR(next_splitter(reading, out, err));
    (*out)->find = find;
    (*out)->behavior = behavior;
    return SS_OK;
}

/* One word for each digit, or for each run of them. */
static ss_status read_digits(const struct reading *reading, const struct ss__json *object,
                             ss_err *err)
{
    struct ss_tokenizer_splitter *splitter = NULL;
    bool single = false;
    SS_RETURN_IF_ERROR(ss__json_bool(reading->path, object, "individual_digits", &single, err));
    return add_splitter(reading, ss_tokenizer_find_digit,
                        single ? SS_TOKENIZER_ISOLATED : SS_TOKENIZER_CONTIGUOUS, &splitter,
                        err);
}

static ss_status read_punctuation(const struct reading *reading, const struct ss__json *object,
                                  ss_err *err)
{
    struct ss_tokenizer_splitter *splitter = NULL;
    SS_RETURN_IF_ERROR(add_splitter(reading, ss_tokenizer_find_punctuation,
                                    SS_TOKENIZER_ISOLATED, &splitter, err));
    return read_behavior(reading, object, splitter, err);
}

static ss_status read_delimiter(const struct reading *reading, const struct ss__json *object,
                                ss_err *err)
{
    struct ss_tokenizer_splitter *splitter = NULL;
    const char *text = "";
    SS_RETURN_IF_ERROR(ss__json_text(reading->path, object, "delimiter", &text, err));
    SS_RETURN_IF_ERROR(
        add_splitter(reading, ss_tokenizer_find_text, SS_TOKENIZER_REMOVED, &splitter, err));
    return set_replacement(reading, text, splitter, err);
}

static ss_status read_white_space(const struct reading *reading, const struct ss__json *object,
                                  ss_err *err)
{
    struct ss_tokenizer_splitter *splitter = NULL;
    (void)object;
    return add_splitter(reading, ss_tokenizer_find_white_space, SS_TOKENIZER_REMOVED, &splitter,
                        err);
}

/* What is found is kept: `inverted` makes the rest the match, which is removed. */
static ss_status read_words(const struct reading *reading, const struct ss__json *object,
                            ss_err *err)
{
    struct ss_tokenizer_splitter *splitter = NULL;
    (void)object;
    SS_RETURN_IF_ERROR(add_splitter(reading, ss_tokenizer_find_word_or_symbols,
                                    SS_TOKENIZER_REMOVED, &splitter, err));
    splitter->inverted = true;
    return SS_OK;
}

static ss_status read_scripts(const struct reading *reading, const struct ss__json *object,
                              ss_err *err)
{
    struct ss_tokenizer_splitter *splitter = NULL;
    (void)object;
    SS_RETURN_IF_ERROR(
        add_splitter(reading, ss_tokenizer_find_script, SS_TOKENIZER_REMOVED, &splitter, err));
    splitter->inverted = true;
    return SS_OK;
}

static ss_status read_length(const struct reading *reading, const struct ss__json *object,
                             ss_err *err)
{
    struct ss_tokenizer_splitter *splitter = NULL;
    SS_RETURN_IF_ERROR(
        add_splitter(reading, ss_tokenizer_find_length, SS_TOKENIZER_ISOLATED, &splitter, err));
    splitter->length = 5;
    SS_RETURN_IF_ERROR(ss__json_size(reading->path, object, "length", &splitter->length, err));
    if (splitter->length == 0) {
        return ss__fail_file(err, reading->path, SS_E_DATA,
                             "the pre-tokenizer FixedLength has length 0");
    }
    return SS_OK;
}

static ss_status read_bert(const struct reading *reading, const struct ss__json *object,
                           ss_err *err)
{
    struct ss_tokenizer_splitter *splitter = NULL;
    SS_RETURN_IF_ERROR(read_white_space(reading, object, err));
    return add_splitter(reading, ss_tokenizer_find_punctuation, SS_TOKENIZER_ISOLATED,
                        &splitter, err);
}

static const struct {
    const char *type;
    ss_status (*read)(const struct reading *, const struct ss__json *, ss_err *);
} kinds[] = {
    {"ByteLevel", read_byte_level},
    {"Metaspace", read_metaspace},
    {"Split", read_split},
    {"WhitespaceSplit", read_white_space},
    {"Whitespace", read_words},
    {"BertPreTokenizer", read_bert},
    {"Punctuation", read_punctuation},
    {"Digits", read_digits},
    {"CharDelimiterSplit", read_delimiter},
    {"UnicodeScripts", read_scripts},
    {"FixedLength", read_length},
};

/* Sequences are made flat: splitters run one behind the other in any case. */
static ss_status read_any(const struct reading *reading, const struct ss__json *object,
                          unsigned depth, ss_err *err)
{
    if (depth > MAX_DEPTH) {
        return ss__fail_file(err, reading->path, SS_E_LIMIT,
                             "pre-tokenizers are nested too deeply");
    }
    if (ss_tokenizer_json_is_type(object, "Sequence")) {
        const struct ss__json *list = ss__json_get(object, "pretokenizers");
        for (size_t i = 0; i < ss__json_count(list); i++) {
            SS_RETURN_IF_ERROR(read_any(reading, ss__json_at(list, i), depth + 1, err));
        }
        return SS_OK;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (ss_tokenizer_json_is_type(object, kinds[i].type)) {
            return kinds[i].read(reading, object, err);
        }
    }
    return ss__fail_file(
        err, reading->path, SS_E_UNSUPPORTED,
        "the pre-tokenizer '%.40s' is not supported; ByteLevel, Metaspace, Split, "
        "WhitespaceSplit, Whitespace, BertPreTokenizer, Punctuation, Digits, "
        "CharDelimiterSplit, UnicodeScripts, FixedLength and sequences of them are",
        ss_tokenizer_json_type(object));
}

/* BPE reads bytes as they are; for other models they are written here. */
ss_status ss_tokenizer_load_splitters(struct ss_tokenizer_loading *loading, ss_err *err)
{
    const struct reading reading = {loading->self, loading->tokenizer.path};
    const struct ss__json *object = ss__json_get(loading->tokenizer.root, "pre_tokenizer");
    if (object != NULL && !ss__json_is_null(object)) {
        SS_RETURN_IF_ERROR(read_any(&reading, object, 0, err));
    }
    if (loading->self->model != &ss_tokenizer_bpe_model) {
        SS_RETURN_IF_ERROR(write_bytes(&reading, err));
    }
    return SS_OK;
}

ss_status ss_tokenizer_add_byte_splitter(struct ss_tokenizer *self, bool space_first,
                                         ss_err *err)
{
    const struct reading reading = {self, ""};
    struct ss_tokenizer_splitter *splitter = NULL;
    SS_RETURN_IF_ERROR(
        add_splitter(&reading, ss_tokenizer_find_gpt2, SS_TOKENIZER_ISOLATED, &splitter, err));
    splitter->edit = space_first ? SS_TOKENIZER_EDIT_SPACE_FIRST : SS_TOKENIZER_EDIT_NONE;
    self->bpe.byte_level = true;
    return SS_OK;
}

/* White space is cut away before the replacement is put, as the class of XLM-RoBERTa builds
 * it. */
ss_status ss_tokenizer_add_metaspace_splitters(struct ss_tokenizer *self, bool prepend_first,
                                               ss_err *err)
{
    const struct reading reading = {self, ""};
    struct ss_tokenizer_splitter *splitter = NULL;
    SS_RETURN_IF_ERROR(add_splitter(&reading, ss_tokenizer_find_white_space,
                                    SS_TOKENIZER_REMOVED, &splitter, err));
    SS_RETURN_IF_ERROR(add_splitter(&reading, ss_tokenizer_find_text,
                                    SS_TOKENIZER_MERGED_WITH_NEXT, &splitter, err));
    SS_RETURN_IF_ERROR(set_replacement(&reading, "\xE2\x96\x81", splitter, err));
    splitter->edit =
        prepend_first ? SS_TOKENIZER_EDIT_METASPACE_ALWAYS : SS_TOKENIZER_EDIT_METASPACE;
    return SS_OK;
}
