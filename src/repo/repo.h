/* How a dataset repository is laid out: which of its files make a split of a configuration, in
 * which order, and how they are read. Pure: works on a list of paths and the text of its card,
 * so that a folder and a repository on the hub are treated alike.
 *
 *   card      the YAML between the first two lines "---" of README.md: `configs`, each with
 *             config_name, data_files, data_dir, default and options of its reader
 *   patterns  those of the card, else the first default set of which a pattern matches
 *   kind      the most common known extension of the files of the first split; files without an
 *             extension of that kind are left out where the card did not name them
 *
 * Order and repetition are those of the reference library: patterns one after the other, the
 * matches of each sorted by bytes; a file that two patterns match is read twice. */
#ifndef SS_REPO_H
#define SS_REPO_H

#include "base/arena.h"
#include "base/error.h"
#include "format/format.h"

/* ---- the card (repo_card.c) ---- */

/* Patterns of one split, in order. Strings belong to the card. */
struct ss_repo_split {
    const char *name;
    const char **patterns;
    size_t n, capacity;
};

/* An option of the reader, "sep: ;". */
struct ss_repo_option {
    const char *name;
    struct ss_format_option_value value;
};

struct ss_repo_config {
    const char *name;
    const char *data_dir; /* "" if none; no slash at its end */
    bool is_default;      /* by its own word */
    bool has_data_files;
    struct ss_repo_split *splits; /* [n_splits], if has_data_files */
    size_t n_splits, splits_capacity;
    struct ss_repo_option *options;
    size_t n_options, options_capacity;
};

struct ss_repo_card {
    struct ss__arena arena;
    struct ss_repo_config *configs;
    size_t n_configs, configs_capacity;
    const char *only_info; /* configuration of the only `dataset_info`, else NULL */
    uint64_t n_visited;    /* nodes of YAML, which aliases can repeat without end */
};

enum { SS_REPO_MAX_YAML_BYTES = 4 << 20 };

/* Read the front matter of a README (no front matter: an empty card), or with `is_bare` a whole
 * YAML text, whose `configs` replace those that are there. `file` is for messages.
 * Errors: SS_E_DATA, SS_E_LIMIT, SS_E_NOMEM; the card can be released in any case. */
SS_MUST_USE ss_status ss_repo_card_read(const char *file, struct ss_text text, bool is_bare,
                                        struct ss_repo_card *card, ss_err *err);
void ss_repo_card_release(struct ss_repo_card *card);

/* Add a file to a split of a card that is made, not read; both are new if they have to be. The
 * pattern is borrowed. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_repo_card_add(struct ss_repo_card *card, const char *config_name,
                                       const char *split_name, const char *pattern,
                                       ss_err *err);

/* ---- patterns (repo_glob.c) ---- */

/* Whether a pattern holds one of "*?[". */
bool ss_repo_is_pattern(const char *text);

/* Whether a path matches a pattern: `*` and `?` and `[set]` within a component, `**` as a whole
 * component any number of them. Hidden files and folders, "__folders" and files about the
 * repository match only if the pattern names them. */
bool ss_repo_match(const char *pattern, const char *path);

/* A message if a pattern cannot be used ("**" inside a component, ".."), else NULL. */
const char *ss_repo_pattern_fault(const char *pattern);

/* "folder/pattern" in the arena; the pattern itself, borrowed, where the folder is "". */
SS_MUST_USE ss_status ss_repo_pattern_in(struct ss__arena *arena, const char *folder,
                                         const char *pattern, const char **out, ss_err *err);

/* ---- kinds of files (repo_kinds.c) ---- */

/* A kind of data, named as the reference library names its reader. */
struct ss_repo_kind {
    const char *name;
    const char *extensions; /* "csv tsv", known in lower case, and in upper case if any_case */
    bool any_case;
    bool is_readable;
    const char *format; /* that its files are read as; NULL: as each file says itself */
};

/* Whether a file has a known extension anywhere in its name. */
bool ss_repo_has_known_extension(const char *path);

/* The kind of a list of files by its most common extension; NULL if none is known. `format`
 * gets "tsv" where the extension says so, else that of the kind. */
const struct ss_repo_kind *ss_repo_kind_of(const char *const *paths, size_t n,
                                           const char **format);

/* Whether a file is one of a kind by one of its extensions, compression and the like aside. */
bool ss_repo_is_of_kind(const struct ss_repo_kind *kind, const char *path);

/* ---- splits that the card does not name (repo_defaults.c) ---- */

struct ss_repo {
    const char *name;         /* for messages */
    const char *const *paths; /* [n_paths] sorted by bytes, relative, with "/" */
    size_t n_paths;
    const struct ss_repo_card *card;
    bool reads_archives; /* of samples, as files on this machine */
};

/* The splits of a folder ("": the whole repository) by the first default set of patterns of
 * which one matches, into *found, which is zeroed or holds those of a call before. Its strings
 * are constants or the arena's, its arrays owned: to be released on errors too. Errors:
 * SS_E_NOINPUT (there are no data files), SS_E_LIMIT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_repo_default_splits(const struct ss_repo *repo, const char *folder,
                                             struct ss__arena *arena,
                                             struct ss_repo_config *found, ss_err *err);
void ss_repo_default_splits_release(struct ss_repo_config *found);

/* ---- the choice (repo.c) ---- */

/* What was asked for; NULL: the default configuration, the only split. */
struct ss_repo_request {
    const char *config, *split;
};

/* What is to be read. Strings belong to the choice; `kind` is NULL if no extension is known. */
struct ss_repo_choice {
    struct ss__arena arena;
    const char **paths; /* in reading order; views into the repository's list */
    size_t n, capacity;
    const char *config, *split; /* "default" where there are no configurations */
    const struct ss_repo_kind *kind;
    const char *format; /* for all files, or NULL */
    struct ss_format_row_options rows;
    const char *repeated; /* a file that is read twice, or NULL */
    const char *ignored;  /* options of the card that no reader knows, or NULL */
};

/* Choose files. Errors: SS_E_USAGE (no such configuration or split, or one must be chosen: the
 * message lists them; a slice), SS_E_NOINPUT (no data), SS_E_DATA (a card that contradicts
 * itself), SS_E_UNSUPPORTED (a loading script, a kind of files or an option of a reader that is
 * not read), SS_E_NOMEM. On error *out is empty. */
SS_MUST_USE ss_status ss_repo_choose(const struct ss_repo *repo,
                                     const struct ss_repo_request *request,
                                     struct ss_repo_choice *out, ss_err *err);
void ss_repo_choice_release(struct ss_repo_choice *choice);

/* Its last step: options that the card gives for the reader of the chosen kind
 * (repo_options.c). Errors: SS_E_UNSUPPORTED, SS_E_NOMEM. `config` may be NULL. */
SS_MUST_USE ss_status ss_repo_apply_options(const char *repo,
                                            const struct ss_repo_config *config,
                                            struct ss_repo_choice *out, ss_err *err);

#endif
