/* saescope_tools.h: what the program `saescope` needs beyond saescope.h, for its inspect, cache and
 * show commands: reports to print, rows as JSON, the cache of the hub.
 *
 * It is installed, since whatever the program can do a C program that links the library can do,
 * too. But it is not part of the stable interface: reports say in words and tables what people
 * look at, so these structs and functions may change in any version. Conventions are those of
 * saescope.h. */
#ifndef SAESCOPE_TOOLS_H
#define SAESCOPE_TOOLS_H

#include "saescope.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- options of a run ---- */

/* How the text of a value is read, and written as JSON. */
typedef enum ss_value_kind {
    SS_VALUE_TEXT,
    SS_VALUE_NUMBER, /* a JSON number */
    SS_VALUE_BOOL,   /* "true" or "false" */
    SS_VALUE_LIST    /* a JSON array */
} ss_value_kind;

/* One resolved option, which ss_analyze records in run.json (records of its options). Origin:
 * "default", "command line", "environment". Records of one name that follow each other are a
 * list. */
struct ss_option_record {
    const char *name, *value, *origin;
    ss_value_kind kind;
};

/* ---- inspection ---- */

typedef enum ss_path_kind {
    SS_PATH_ENCODER,
    SS_PATH_SAE,
    SS_PATH_DATASET,
    SS_PATH_WEIGHTS,
    SS_PATH_ARCHIVE,
    SS_PATH_JSON,
    SS_PATH_RUN
} ss_path_kind;

struct ss_inspect_options {
    size_t struct_size;
    const char
        *as;    /* NULL: decide by content; else "model", "sae", "dataset", "weights", ... */
    bool check; /* read everything in it */
    const struct ss_dataset_options *dataset; /* of a dataset; borrowed; NULL: the defaults */
    const struct ss_sae_options *sae;         /* of an SAE; the same */
    struct ss_log log;
    struct ss_progress_callback progress; /* told of the rows of a dataset that is checked */
};
SS_DEFINE_INIT(ss_inspect_options)

/* What a path is, as facts to print or to serialise. All strings belong to the report. */
struct ss_fact {
    const char *name;  /* "width"; in JSON the key, spaces as underscores */
    const char *value; /* "768" */
    ss_value_kind kind;
};
struct ss_report {
    ss_path_kind kind;
    const char *title; /* "A sentence encoder" */
    struct ss_fact *facts;
    size_t n_facts;
    /* A table below the facts (tensors, columns, first features): header then rows, row-major. */
    const char **cells; /* [n_table_rows, n_table_columns], first row the header */
    size_t n_table_rows, n_table_columns;
    const ss_value_kind *kinds; /* [n_table_columns] of the columns */
    void *memory;
};

/* Find out what a file or folder is; with `check`, read everything in it.
 *
 * path     borrowed
 * options  borrowed; NULL for the defaults
 * out      gives (ss_report_release)
 * Errors   SS_E_NOINPUT, SS_E_USAGE (an unknown `as`), SS_E_STOPPED, SS_E_NOMEM, and what
 *          opening and reading such a thing gives
 * Threads  any */
SS_API SS_MUST_USE ss_status ss_inspect(const char *path,
                                        const struct ss_inspect_options *options,
                                        struct ss_report *out, ss_err *err);
/* Free the facts and the table of a report, and empty it.
 *
 * Threads  any; not while it is in use */
SS_API void ss_report_release(struct ss_report *report);

/* Call `fn` with the next rows of a file as JSON objects, of Parquet and Arrow with columns that
 * hold no text only where options->all_columns says so, until it returns other
 * than 0 or `limit` rows were given (0: all). `json` is one line without a newline, borrowed
 * until `fn` returns.
 *
 * paths    [n_paths], borrowed, as for ss_dataset_open, and so `options`
 * Errors   those of ss_dataset_open and ss_dataset_next
 * Threads  caller only */
SS_API SS_MUST_USE ss_status ss_dataset_each_json(const char *const *paths, size_t n_paths,
                                                  const struct ss_dataset_options *options,
                                                  uint64_t limit,
                                                  int (*fn)(void *user, struct ss_text json),
                                                  void *user, ss_err *err);

/* ---- the cache of the hub ---- */

/* A repository in the cache of the hub. Strings belong to the list. */
struct ss_cache_repo {
    const char *kind; /* "model", "dataset", "space" */
    const char *id;   /* "org/name" */
    const char *path; /* its folder */
    const char *refs; /* what names its revisions have, such as "main, v1"; "" for none */
    uint64_t n_bytes; /* on the disk, each content once */
    size_t n_files, n_revisions;
    int64_t used_at; /* seconds since 1970: when its newest content came */
};

struct ss_cache_list {
    struct ss_cache_repo *repos; /* by kind, then id */
    size_t n_repos;
    char *path; /* of the cache */
    void *memory;
};

/* List the cache of the hub. A cache that is not there is empty.
 *
 * cache_dir  borrowed; NULL: as HF_HUB_CACHE or HF_HOME say
 * out        gives (ss_cache_list_release)
 * Errors     SS_E_USAGE (no place for a cache), SS_E_IO, SS_E_NOINPUT (not readable),
 *            SS_E_NOMEM
 * Threads    any */
SS_API SS_MUST_USE ss_status ss_cache_list(const char *cache_dir, struct ss_cache_list *out,
                                           ss_err *err);
/* Free the repositories of a list, and empty it.
 *
 * Threads  any; not while it is in use */
SS_API void ss_cache_list_release(struct ss_cache_list *list);

/* Something in the cache that is not as it should be. */
struct ss_cache_finding {
    const char *path;
    const char *what; /* "unfinished download", "content without a name", ... */
    uint64_t n_bytes; /* on the disk; 0 for a link */
};

struct ss_cache_check_options {
    size_t struct_size;
    const char *cache_dir; /* as above */
    bool dry_run;          /* of ss_cache_prune: say what would go */
    void (*found)(void *user, const struct ss_cache_finding *finding); /* may be NULL */
    void *user;
    struct ss_progress_callback progress; /* only asked whether to stop */
};
SS_DEFINE_INIT(ss_cache_check_options)

struct ss_cache_sum {
    size_t n_checked; /* files whose content was compared with its hash */
    size_t n_unknown; /* files whose hash is not known, as those of a cache without links */
    size_t n_findings;
    uint64_t n_bytes; /* of the findings, on the disk */
};

/* Compare the content of every file in the cache with the hash that names it, and every link
 * with what it leads to. Success also where there are findings. Nothing is changed.
 *
 * Errors   as ss_cache_list, SS_E_STOPPED
 * Threads  any */
SS_API SS_MUST_USE ss_status ss_cache_verify(const struct ss_cache_check_options *options,
                                             struct ss_cache_sum *out, ss_err *err);

/* Remove what nobody can use: unfinished downloads, content that no snapshot names, links that
 * lead nowhere. What is in use by another program, or young enough to be, stays. Nothing is
 * removed through a link.
 *
 * Errors   as ss_cache_list, SS_E_STOPPED
 * Threads  any */
SS_API SS_MUST_USE ss_status ss_cache_prune(const struct ss_cache_check_options *options,
                                            struct ss_cache_sum *out, ss_err *err);

/* ---- the SAE that is built in ---- */

/* Open the SAE in this library that was trained on the embeddings of an encoder, whatever the
 * encoder is called: it is told by what it makes of a few sentences. ss_fetch knows it as
 * "embedded:NAME", and unpacks it into the user's cache, where later steps find it again.
 *
 * encoder  borrowed
 * out      gives (ss_sae_free); NULL on error
 * Errors   SS_E_NOINPUT where there is none for it, SS_E_IO (the cache), SS_E_NOMEM
 * Threads  any
 * Source   docs/saes.md; tests/cli/test_embedded.py */
SS_API SS_MUST_USE ss_status ss_sae_open_embedded(const ss_encoder *encoder,
                                                  const struct ss_sae_options *options,
                                                  ss_sae **out, ss_err *err);

/* ---- more of training ---- */

struct ss_train_extras {
    size_t struct_size;
    const char *dtype; /* of the weights that are written: "float32" (NULL), "float16" */
    double target_l0; /* jumprelu: mean active features of a row; 0: top_k, recipe seed: none */
    const char *const *axes; /* [n_axes] a sweep: "top_k=16,32", "dict_size=768,1536" */
    size_t n_axes;
    int (*on_trained)(void *user, const char *folder,
                      const struct ss_train_result *done); /* each SAE; not 0 stops */
    void *user;
};
SS_DEFINE_INIT(ss_train_extras)

/* As ss_train, with more to choose. With axes an SAE for every combination of their values, on
 * rows that are embedded and read once: out_dir gets a folder for each, as ss_train makes it, with
 * sweep.csv, and sweep.svg and .png of explained variance over active features.
 *
 * extras   borrowed; NULL is ss_train
 * Errors   those of ss_train
 * Threads  caller only
 * Source   docs/training.md; tests/cli/test_train.py */
SS_API SS_MUST_USE ss_status ss_train_more(const ss_encoder *encoder, ss_dataset *dataset,
                                           const char *out_dir,
                                           const struct ss_train_options *options,
                                           const struct ss_train_extras *extras, ss_err *err);

/* ---- names ---- */

/* Edits (insert, drop, change, swap of neighbours) that lead from one name to the other, of
 * which the first 48 bytes are looked at.
 *
 * Errors   none
 * Threads  any */
SS_API size_t ss_edit_distance(const char *a, const char *b);

#ifdef __cplusplus
}
#endif

#endif
