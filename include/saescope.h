/* saescope: what the features of a sparse autoencoder mean in a text dataset.
 *
 * A text goes dataset -> tokens -> embedding -> sparse activations -> statistics. The objects
 * of this header follow that way, and each can be used alone:
 *
 *   ss_fetch     a model, SAE or dataset by its name, downloaded once
 *   ss_encoder   a sentence encoder folder, read once, shared by all threads
 *   ss_sae       a sparse autoencoder, read once, shared by all threads
 *   ss_dataset   rows of text from files or standard input, read in order
 *   ss_analyze   one pass over a dataset: fire rates, densities, top texts
 *   ss_run       the results of an analysis, in memory or read back from its folder
 *   ss_descriptions  what the features of a run mean, in words, and how sure that is
 *
 * Conventions
 *   Status     every call that can fail returns ss_status (0 is success) and fills the nullable
 *              last argument `err` with a sentence that says what, where, expected and found.
 *   Ownership  "borrows" until the call returns (or as said), "copies", "takes", "gives" (the
 *              caller releases). Strings that are returned stay valid as long as their object.
 *              An argument of which nothing is said is borrowed; options may be NULL, which are
 *              the defaults, and what is not nullable may not.
 *   Zero       a zeroed struct is always valid to release; every *_free accepts NULL.
 *   Threads    encoder and sae are immutable after opening and may be shared; all scratch
 *              memory lives in ss_work, one per caller.
 *   Results    do not depend on the number of threads, on batches, or on what else is in a
 *              batch. The library never prints, exits, or changes process-wide state.
 *              One exception: where the processor has a tile unit (AMX), the first call that
 *              computes asks Linux to save its registers for this process.
 */
#ifndef SAESCOPE_H
#define SAESCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header; ss_version and ss_version_number tell that of the library. */
#define SS_VERSION "0.2.0"
#define SS_VERSION_NUMBER 200 /* 10000 major + 100 minor + patch */

#if defined(__GNUC__)
#define SS_API __attribute__((visibility("default")))
#define SS_MUST_USE __attribute__((warn_unused_result))
#else
#define SS_API
#define SS_MUST_USE
#endif

/* ---- status ---- */

typedef enum ss_status {
    SS_OK = 0,
    SS_E_USAGE,       /* an option or argument is wrong */
    SS_E_DATA,        /* a file is malformed */
    SS_E_SHAPE,       /* shapes or widths disagree */
    SS_E_NONFINITE,   /* NaN or infinity where numbers must be finite */
    SS_E_UNSUPPORTED, /* well-formed, but of a kind that is not read */
    SS_E_LIMIT,       /* larger than the limits of the reader */
    SS_E_NOINPUT,     /* a file or folder is missing or not readable */
    SS_E_EXISTS,      /* an output is there already */
    SS_E_NETWORK,     /* a service could not be reached */
    SS_E_IO,          /* reading or writing failed */
    SS_E_NOMEM,       /* out of memory */
    SS_E_STOPPED,     /* stopped on request before the end */
    SS_E_INTERNAL,    /* a fault of this library */
    SS_N_STATUS
} ss_status;

/* Where there is no row or byte offset to name. */
#define SS_NOWHERE UINT64_MAX

/* What a user of the library, of the program or of a binding may set. Messages name an option by
 * its id between grave accents, as in "say which with `text_column`"; the program shows a flag
 * in its place, a binding its argument. */
typedef enum ss_option {
    SS_OPTION_NONE = 0,
    SS_OPTION_MODEL,
    SS_OPTION_EMBEDDINGS,
    SS_OPTION_EMBEDDING_COLUMN,
    SS_OPTION_SAE,
    SS_OPTION_DATASET,
    SS_OPTION_SPLIT,
    SS_OPTION_CONFIG,
    SS_OPTION_CACHE_DATASET,
    SS_OPTION_OUT,
    SS_OPTION_TEXT_COLUMN,
    SS_OPTION_KEEP,
    SS_OPTION_FORMAT,
    SS_OPTION_TEXT_UNIT,
    SS_OPTION_CSV,
    SS_OPTION_ENCODING,
    SS_OPTION_FIELD,
    SS_OPTION_ON_BAD_ROW,
    SS_OPTION_NUM_EXAMPLES,
    SS_OPTION_SKIP_EMPTY,
    SS_OPTION_NULL,
    SS_OPTION_WITH_TEXT,
    SS_OPTION_TOP_K,
    SS_OPTION_KEEP_DUPLICATES,
    SS_OPTION_PROMPT,
    SS_OPTION_PROMPT_NAME,
    SS_OPTION_MAX_TOKENS,
    SS_OPTION_TRUNCATE_DIM,
    SS_OPTION_PRECISION,
    SS_OPTION_SAE_FORMAT,
    SS_OPTION_SAE_TOP_K,
    SS_OPTION_TO,
    SS_OPTION_ALLOW_ROUNDING,
    SS_OPTION_BATCHTOPK,
    SS_OPTION_BATCHTOPK_THRESHOLD,
    SS_OPTION_CALIBRATION_ROWS,
    SS_OPTION_BATCH_ROWS,
    SS_OPTION_AS,
    SS_OPTION_THREADS,
    SS_OPTION_BATCH_TOKENS,
    SS_OPTION_FORCE,
    SS_OPTION_OFFLINE,
    SS_OPTION_EVIDENCE,
    SS_OPTION_EVIDENCE_BYTES,
    SS_OPTION_SAMPLE_ROWS,
    SS_OPTION_STEPS,
    SS_OPTION_MODEL_ID,
    SS_OPTION_SOURCE_ID,
    SS_OPTION_AUTHOR_ID,
    SS_OPTION_PAIRS_BYTES,
    SS_OPTION_NO_PAIRS,
    SS_OPTION_RECIPE,
    SS_OPTION_KIND,
    SS_OPTION_DICT_SIZE,
    SS_OPTION_BATCH_SIZE,
    SS_OPTION_MAX_STEPS,
    SS_OPTION_LR,
    SS_OPTION_L1_COEFF,
    SS_OPTION_BANDWIDTH,
    SS_OPTION_PREFIXES,
    SS_OPTION_LLM,
    SS_OPTION_LLM_MODEL,
    SS_OPTION_LLM_PRICE,
    SS_OPTION_LLM_JOBS,
    SS_OPTION_LLM_CANDIDATES,
    SS_OPTION_MAX_COST,
    SS_OPTION_MAX_CALLS,
    SS_OPTION_MAX_LLM_TOKENS,
    SS_OPTION_BUDGET,
    SS_OPTION_NO_TEXTS,
    SS_OPTION_PORT,
    SS_OPTION_WHERE,
    SS_OPTION_SAMPLE,
    SS_OPTION_PART,
    SS_OPTION_ALLOW_MISSING,
    SS_OPTION_APPEND,
    SS_OPTION_PLAN,
    SS_OPTION_PARTS,
    SS_OPTION_SAVE_EMBEDDINGS,
    SS_N_OPTIONS
} ss_option;

/* The id of an option, such as "text_column"; "" for SS_OPTION_NONE. Never NULL.
 *
 * Threads  any */
SS_API const char *ss_option_name(ss_option option);

/* The option with an id. False, and *option as it was, where there is none.
 *
 * Threads  any */
SS_API bool ss_option_parse(const char *name, ss_option *option);

/* What went wrong. `message` is a whole sentence; the other fields repeat its facts for
 * programs: the option that it names first, the file ("" if none), the byte offset and row
 * (SS_NOWHERE if none), and the tensor, column or key concerned ("" if none). A caller may leave
 * it uninitialised. */
typedef struct ss_err {
    ss_status code;
    ss_option option;
    uint64_t offset;
    uint64_t row;
    char item[160];
    char file[512];
    char message[1024];
} ss_err;

/* Name of a status, such as "bad data"; never NULL.
 *
 * Threads  any */
SS_API const char *ss_status_name(ss_status status);

/* The exit code a command should end with: 0, 64 usage, 65 data, 66 no input, 69 service,
 * 70 internal, 74 I/O, 75 stopped.
 *
 * Threads  any */
SS_API int ss_status_exit_code(ss_status status);

/* The version of the library that is linked, as SS_VERSION.
 *
 * Threads  any */
SS_API const char *ss_version(void);

/* The same as a number, as SS_VERSION_NUMBER, to compare.
 *
 * Threads  any */
SS_API unsigned ss_version_number(void);

/* Whether this build of the library has something, and this machine can run it: the kernels
 * "avx2", "avx2-vnni", "avx512", "avx512-vnni" and "amx", and "cuda", which no build has yet.
 * False for a name that is not known.
 *
 * Threads  any */
SS_API bool ss_has_feature(const char *name);

/* ---- memory ---- */

/* Where the library takes its memory from. */
struct ss_allocator {
    /* At least n_bytes, aligned to `alignment`, a power of two; NULL where there are none. */
    void *(*allocate)(void *user, size_t n_bytes, size_t alignment);
    /* As realloc: `block` is NULL or was allocated with an alignment of at most 16. */
    void *(*reallocate)(void *user, void *block, size_t n_bytes);
    void (*release)(void *user, void *block); /* `block` may be NULL */
    void *user;
};

/* Take all memory of the library from an allocator, for the whole process, before the library is
 * used for the first time. It gives what the library's own code asks for, thread stacks aside;
 * the libraries that it stands on (TLS, codecs, pictures) keep to malloc.
 *
 * allocator  copied; its functions are called from all threads
 * Errors     SS_E_USAGE (a function is missing, or memory was taken already)
 * Threads    one, before any other call */
SS_API SS_MUST_USE ss_status ss_set_allocator(const struct ss_allocator *allocator,
                                              ss_err *err);

/* ---- files that are cut while they are read ---- */

/* Weights and embeddings are mapped: where another program cuts such a file while it is in use,
 * touching what is gone raises SIGBUS, which ends the process unless a handler takes it. The
 * library installs none, since handlers are the program's. A handler of SIGBUS (sigaction with
 * SA_SIGINFO) that calls this with si_addr and returns where the result is true lets the call
 * under way end with SS_E_IO, which names the file; where it is false, the fault is not the
 * library's.
 *
 * Threads  any; safe in signal handlers */
SS_API bool ss_recover_fault(const void *address);

/* ---- structs that grow ---- */

/* A struct whose first member is struct_size may get members at its end in later versions. The
 * caller sets struct_size to the size that it was compiled with, and leaves members that it does
 * not use at zero, which is the default of each:
 *
 *     struct ss_encoder_options options = {.struct_size = sizeof options, .max_tokens = 128};
 *
 * or ss_encoder_options_init(&options), and then members one by one. The library reads no more
 * than that of options, and takes members beyond it at their defaults; it writes no more than
 * that of results. Options of a newer header that an older library does not know are refused if
 * they are set. (A program that may meet an older library than its header uses _init, which
 * clears what is between members, too.) A call that is given a struct_size of 0 fails with
 * SS_E_USAGE.
 *
 * All other structs of this header, ss_err among them, are complete: they do not change. */
#define SS_DEFINE_INIT(name)                                                                   \
    static inline void name##_init(struct name *object)                                        \
    {                                                                                          \
        memset(object, 0, sizeof *object);                                                     \
        object->struct_size = sizeof *object;                                                  \
    }

/* ---- log and progress ---- */

typedef enum ss_level { SS_LEVEL_NOTICE, SS_LEVEL_WARNING } ss_level;

/* Receives messages that a user should see, such as a default prompt that is applied. They name
 * options as those of errors do. `fn` may be NULL. Called only from the thread that called the
 * library. */
struct ss_log {
    void (*fn)(void *user, ss_level level, const char *message);
    void *user;
};

/* What a call is doing when it reports. */
typedef enum ss_stage {
    SS_STAGE_WAIT,     /* nothing that is counted: only whether to stop is asked */
    SS_STAGE_ROWS,     /* going through the rows of a dataset */
    SS_STAGE_DOWNLOAD, /* downloading a file */
    SS_STAGE_STEP      /* what follows the pass: `name` says what, rows are parts of it */
} ss_stage;

struct ss_progress {
    size_t struct_size; /* of the library's */
    ss_stage stage;
    uint64_t n_bytes_done;    /* of the file; or of the dataset's as they are stored, roughly */
    uint64_t n_bytes_total;   /* 0: not known, as of a pipe */
    uint64_t n_bytes_resumed; /* of those done: were there from an earlier try */
    uint64_t n_rows_done;
    uint64_t n_rows_total; /* 0: not known */
    uint64_t n_tokens_done;
    double seconds;   /* since the file or the rows were begun */
    const char *name; /* of the file in its repository, or of the step; "" for rows */
    bool is_end;      /* of the file, the rows or the step */
    const char *unit; /* what rows of a step are, such as "feature"; else "row" */
};

/* Called about ten times a second while a call works or waits; a result other than 0 ends it
 * with SS_E_STOPPED. `fn` may be NULL. `progress` is borrowed until it returns. Called from the
 * thread that called the library, and while a dataset is read also from the library's reading
 * thread, then at SS_STAGE_WAIT. */
struct ss_progress_callback {
    int (*fn)(void *user, const struct ss_progress *progress);
    void *user;
};

/* ---- things that have a name instead of a path ---- */

typedef enum ss_fetch_kind { SS_FETCH_MODEL, SS_FETCH_SAE, SS_FETCH_DATASET } ss_fetch_kind;

/* The name of what is fetched, such as "model"; "unknown" for another value. Never NULL.
 *
 * Threads  any */
SS_API const char *ss_fetch_kind_name(ss_fetch_kind value);

/* The value with a name. False, and *value as it was, where there is none.
 *
 * Threads  any */
SS_API bool ss_fetch_kind_parse(const char *name, ss_fetch_kind *value);

struct ss_fetch_options {
    size_t struct_size;
    const char *cache_dir; /* of the hub; NULL: as HF_HUB_CACHE or HF_HOME say */
    bool offline;          /* use what is there; also HF_HUB_OFFLINE */
    struct ss_log log;
    struct ss_progress_callback progress;
};
SS_DEFINE_INIT(ss_fetch_options)

/* Where a thing lies, and what it is. Strings belong to the result; "" where they have no
 * meaning, as `source` and `commit` of a path. */
struct ss_fetch_result {
    size_t struct_size;
    char *path;   /* file or folder on this machine */
    char *source; /* "hf:org/name", "wandb:entity/project/name:alias" */
    char *name;   /* to show: "org/name", or the path's last component */
    char *commit; /* of the hub */
};
SS_DEFINE_INIT(ss_fetch_result)

/* Find a thing by its name and download what is not there yet.
 *
 * reference  a path, which wins where it exists; else
 *              org/name[@revision]                      a repository of the hub (model, SAE),
 *                                                       unless a folder `org` is here
 *              hf:[datasets/]org/name[@revision][/path] the same, marked; hf:// too
 *              wandb:entity/project/name[:alias]        an artifact
 *            For a model the files that an encoder needs are fetched, else all below the path.
 *            A path that does not exist and is no name is given back as it is.
 * out        gives (ss_fetch_result_release)
 * Errors     SS_E_NOINPUT (no such repository, revision or file; private, gated), SS_E_NETWORK,
 *            SS_E_DATA (content that is not what its hash says), SS_E_IO, SS_E_STOPPED,
 *            SS_E_USAGE (a name of no form), SS_E_NOMEM; what was downloaded is resumed by
 *            the next call
 * Threads    any, one call at a time per cache entry waits for the other
 * Source     tests/net/test_hub.py */
SS_API SS_MUST_USE ss_status ss_fetch(ss_fetch_kind kind, const char *reference,
                                      const struct ss_fetch_options *options,
                                      struct ss_fetch_result *out, ss_err *err);

/* Release the strings of a result, and empty it.
 *
 * Threads  any */
SS_API void ss_fetch_result_release(struct ss_fetch_result *result);

/* ---- texts and scratch ---- */

/* A view of UTF-8 bytes; may hold NUL. */
struct ss_text {
    const char *data;
    size_t n_bytes;
};

/* Scratch memory and worker threads for calls into an encoder or SAE. One call at a time. */
typedef struct ss_work ss_work;

/* Make a workspace with `n_threads` threads, the caller's included (0: one per available core);
 * with fewer where the system does not start as many, which changes no result.
 *
 * out      gives (ss_work_free); NULL on error
 * Errors   SS_E_NOMEM, SS_E_USAGE
 * Threads  any */
SS_API SS_MUST_USE ss_status ss_work_new(size_t n_threads, ss_work **out, ss_err *err);
/* End the threads and free what they used. NULL is fine.
 *
 * Threads  any; not while it is in use */
SS_API void ss_work_free(ss_work *work);

/* How many threads there are.
 *
 * Threads  any */
SS_API size_t ss_work_n_threads(const ss_work *work);

/* Ask whether to stop during later calls with this workspace, at SS_STAGE_WAIT; what they gave
 * out is then not complete.
 *
 * progress  copied
 * Threads   not during a call with it */
SS_API void ss_work_set_progress(ss_work *work, struct ss_progress_callback progress);

/* ---- precision ---- */

/* How near embeddings come to exact arithmetic; measured bounds stand in docs/numerics.md. On
 * every level softmax, LayerNorm, GELU, residuals and pooling are fp32. */
typedef enum ss_precision {
    SS_PRECISION_HIGH,    /* the default: 2e-5 relative, by the fastest way that holds it */
    SS_PRECISION_HIGHEST, /* fp32: 1e-6 */
    SS_PRECISION_MEDIUM,  /* 16-bit numbers: 8e-3, cosine 0.9999 */
    SS_PRECISION_LOW,     /* 8-bit whole numbers: cosine 0.997 */
    SS_N_PRECISIONS
} ss_precision;

/* "high", "highest", "medium", "low"; never NULL.
 *
 * Threads  any */
SS_API const char *ss_precision_name(ss_precision precision);

/* The precision with a name. False, and *precision as it was, where there is none.
 *
 * Threads  any */
SS_API bool ss_precision_parse(const char *name, ss_precision *precision);

/* ---- encoder ---- */

typedef struct ss_encoder ss_encoder;

struct ss_encoder_options {
    size_t struct_size;
    const char *prompt;      /* put before every text; NULL: as prompt_name says */
    const char *prompt_name; /* one of the model's named prompts; NULL: the model's default */
    size_t max_tokens;       /* lower the model's limit; 0: the model's */
    ss_precision precision;
    size_t truncate_dim; /* keep the first values of an embedding only, as models trained for
                            it allow; 0: as the model says; more than it has: all */
    bool with_mask_head; /* also read the language-model head, for ss_fill_mask */
    const char *name;    /* to show; NULL: the folder's last component */
    const char *source;  /* where it came from and the commit, to be recorded; NULL: "" */
    const char *commit;
    ss_work *work; /* whose threads prepare the weights, borrowed until the call returns;
                            NULL: the caller's thread alone */
    struct ss_progress_callback progress;
    struct ss_log log;
};
SS_DEFINE_INIT(ss_encoder_options)

/* Open a sentence-transformers or transformers folder.
 *
 * path     folder, borrowed
 * options  borrowed; NULL for the defaults (all zero)
 * out      gives (ss_encoder_free); NULL on error
 * Errors   SS_E_NOINPUT, SS_E_DATA, SS_E_SHAPE, SS_E_NONFINITE, SS_E_UNSUPPORTED (an unknown
 *          architecture, activation or module, by name), SS_E_USAGE, SS_E_STOPPED, SS_E_IO,
 *          SS_E_NOMEM
 * Threads  any; the encoder may then be shared
 * Source   tests/unit/test_encoder_oracle.c, tests/unit/test_encoder_bad.c */
SS_API SS_MUST_USE ss_status ss_encoder_open(const char *path,
                                             const struct ss_encoder_options *options,
                                             ss_encoder **out, ss_err *err);
/* Free an encoder, once the runs that borrow it are freed. NULL is fine.
 *
 * Threads  any; not while it is in use */
SS_API void ss_encoder_free(ss_encoder *encoder);

/* Facts about an encoder; strings live as long as it does. */
struct ss_encoder_info {
    size_t struct_size;
    const char *path;
    const char *name;            /* as it was opened, else the folder's last component */
    const char *source, *commit; /* as it was opened, "" if that said none */
    const char *architecture;    /* "mpnet", "bert", "distilbert", "modernbert", "nomic_bert" */
    const char *pooling;         /* "mean", "cls+max", ... */
    const char *kernels;         /* "amx", "avx512", "avx2", "reference", ... */
    const char *precision;       /* "high", ... */
    const char *numbers; /* what matrix products are made of at it: "fp32", "int16", ... */
    const char *prompt;  /* text put before every row, "" if none */
    size_t width;        /* of an embedding */
    size_t hidden_width; /* of the transformer; a dense layer behind it may change it */
    size_t n_layers, n_heads, n_vocab;
    size_t max_tokens; /* of a text, prompt and special tokens included */
    uint64_t n_parameters;
    bool normalized; /* embeddings have unit length; not where they are truncated */
    bool has_mask_head;
};
SS_DEFINE_INIT(ss_encoder_info)

/* Facts about an encoder.
 *
 * out      written
 * Errors   SS_E_USAGE (struct_size is not set), and then nothing is written
 * Threads  any */
SS_API ss_status ss_encoder_describe(const ss_encoder *encoder, struct ss_encoder_info *out);

/* Embed texts.
 *
 * texts    [n], borrowed; valid UTF-8 (invalid bytes are replaced by U+FFFD)
 * out      [n, width] f32 row-major, written
 * n_tokens nullable; receives the number of tokens that were encoded
 * Errors   SS_E_NOMEM, SS_E_STOPPED, SS_E_IO (the model's file was cut or written to meanwhile)
 * Threads  one call per `work` at a time
 * Cost     proportional to tokens; no padding */
SS_API SS_MUST_USE ss_status ss_encoder_embed(const ss_encoder *encoder, ss_work *work,
                                              const struct ss_text *texts, size_t n, float *out,
                                              uint64_t *n_tokens, ss_err *err);

/* Token ids of one text, special tokens included, cut to the encoder's limit.
 *
 * work     has the scratch, borrowed
 * text     borrowed
 * ids      gives an array of *n_ids (release with ss_ids_free)
 * Errors   SS_E_NOMEM
 * Threads  one call per `work` at a time */
SS_API SS_MUST_USE ss_status ss_encoder_tokenize(const ss_encoder *encoder, ss_work *work,
                                                 struct ss_text text, int32_t **ids,
                                                 size_t *n_ids, ss_err *err);
/* Free the ids of a text. NULL is fine.
 *
 * Threads  any; not while it is in use */
SS_API void ss_ids_free(int32_t *ids);

/* One candidate for a masked token. `token_str` and `sequence` belong to the result. */
struct ss_mask_candidate {
    float score;
    int32_t token;
    char *token_str;
    char *sequence;
};

/* Candidates of every mask of a text: [n_masks, n_candidates], best first. */
struct ss_mask_result {
    size_t n_masks;
    size_t n_candidates;
    struct ss_mask_candidate *candidates;
};

/* Fill the mask tokens of a text, as the usual fill-mask pipeline does.
 *
 * text     borrowed; holds the model's mask token at least once
 * top_k    candidates per mask, best first; equal scores: lower token id first
 * out      gives (ss_mask_result_release)
 * Errors   SS_E_UNSUPPORTED (no head), SS_E_DATA (no mask, or too long), SS_E_USAGE (top_k is
 *          0), SS_E_NOMEM
 * Threads  one call per `work` at a time */
SS_API SS_MUST_USE ss_status ss_fill_mask(const ss_encoder *encoder, ss_work *work,
                                          struct ss_text text, size_t top_k,
                                          struct ss_mask_result *out, ss_err *err);
/* Free the candidates and their texts, and empty the result; an empty one is fine.
 *
 * Threads  any; not while it is in use */
SS_API void ss_mask_result_release(struct ss_mask_result *result);

/* ---- sparse autoencoder ---- */

typedef struct ss_sae ss_sae;

/* How a batch-top-k SAE, which stores no threshold, is read row by row. */
typedef enum ss_batchtopk_rule {
    SS_BATCHTOPK_REFUSE,    /* the default: an error that names the choices */
    SS_BATCHTOPK_THRESHOLD, /* h where h > threshold: given, or calibrated on the first rows */
    SS_BATCHTOPK_ROW_TOPK,  /* the k largest of each row */
    SS_BATCHTOPK_BATCH      /* batches of `batch_rows` in input order, as in training */
} ss_batchtopk_rule;

/* The name of a rule, such as "row-topk"; "unknown" for another value. Never NULL.
 *
 * Threads  any */
SS_API const char *ss_batchtopk_rule_name(ss_batchtopk_rule value);

/* The value with a name. False, and *value as it was, where there is none.
 *
 * Threads  any */
SS_API bool ss_batchtopk_rule_parse(const char *name, ss_batchtopk_rule *value);

struct ss_sae_options {
    size_t struct_size;
    ss_batchtopk_rule batchtopk_rule;
    double batchtopk_threshold; /* for SS_BATCHTOPK_THRESHOLD; NaN or 0: calibrate */
    uint64_t calibration_rows;  /* rows to calibrate on; 0: 10,000 */
    size_t batch_rows;          /* for SS_BATCHTOPK_BATCH; 0: 64 */
    const char *format;         /* NULL: detected automatically; else "sparsify", ... */
    size_t top_k;               /* k, for formats that do not store it; 0: not given */
    const char *source;         /* where it came from and the commit, recorded; NULL: "" */
    const char *commit;
    struct ss_progress_callback progress;
    struct ss_log log;
};
SS_DEFINE_INIT(ss_sae_options)

/* Open a sparse autoencoder of any of the formats in docs/formats.md.
 *
 * path     folder, or the weights file in it, borrowed
 * options  borrowed; NULL for the defaults (all zero)
 * out      gives (ss_sae_free); NULL on error
 * Errors   SS_E_NOINPUT, SS_E_DATA, SS_E_SHAPE, SS_E_NONFINITE, SS_E_UNSUPPORTED (a format,
 *          activation or setting, by name), SS_E_USAGE, SS_E_STOPPED, SS_E_IO, SS_E_NOMEM
 * Threads  any; the SAE may then be shared
 * Source   tests/unit/test_sae_kinds.c, tests/unit/test_sae_oracle.c */
SS_API SS_MUST_USE ss_status ss_sae_open(const char *path, const struct ss_sae_options *options,
                                         ss_sae **out, ss_err *err);
/* Free an SAE, once the runs that borrow it are freed. NULL is fine.
 *
 * Threads  any; not while it is in use */
SS_API void ss_sae_free(ss_sae *sae);

struct ss_sae_info {
    size_t struct_size;
    const char *path;
    const char *source, *commit; /* as it was opened, "" if that said none */
    const char *format;          /* "saes-for-sbert", "saelens", ... */
    const char *kind;            /* "jumprelu", "topk", "batchtopk", "vanilla", "gated", ... */
    const char *variant;         /* what the format calls that kind */
    const char *rule;       /* the activation rule as a formula, with the conventions applied */
    const char *model_name; /* the encoder its config names, "" if none */
    const char *dtype;      /* as stored: "float32", ... */
    size_t width;           /* of an embedding */
    size_t n_features;
    size_t top_k;                 /* 0 where it has no meaning */
    uint64_t config_num_examples; /* as its config says, 0 if absent; only reported */
    bool normalizes_input;
};
SS_DEFINE_INIT(ss_sae_info)

/* Facts about an SAE.
 *
 * out      written; its strings live as long as the SAE
 * Errors   SS_E_USAGE (struct_size is not set), and then nothing is written
 * Threads  any */
SS_API ss_status ss_sae_describe(const ss_sae *sae, struct ss_sae_info *out);

/* Activations > 0 of a batch, by row, ascending feature within a row. */
struct ss_sparse {
    size_t n_rows;
    size_t *offsets;    /* [n_rows + 1] */
    uint32_t *features; /* [offsets[n_rows]] */
    float *values;      /* [offsets[n_rows]] */
    size_t n_rows_room; /* capacity, for reuse */
    size_t n_values_room;
};

/* Release what it holds, and empty it.
 *
 * Threads  any */
SS_API void ss_sparse_release(struct ss_sparse *sparse);

/* Encode embeddings.
 *
 * x        [n, width] f32 row-major, borrowed, finite; with n = 0 only the rule is checked
 * out      gives; may be a result of an earlier call, whose memory is then used again
 * Errors   SS_E_NONFINITE (err->row), SS_E_NOMEM, SS_E_UNSUPPORTED for a batch-top-k rule that
 *          has no row-wise meaning
 * Ties     equal values at the k-th place: lower feature first
 * Threads  one call per `work` at a time
 * Cost     2 n width n_features flop; the dense [n, n_features] matrix is never formed, and a
 *          call that is like one before, with the same `work` and `out`, allocates nothing */
SS_API SS_MUST_USE ss_status ss_sae_encode(const ss_sae *sae, ss_work *work, const float *x,
                                           size_t n, struct ss_sparse *out, ss_err *err);

/* Thresholds of a jumprelu SAE, exp(log_threshold), [n_features], which live as long as it
 * does; NULL for other kinds.
 *
 * Threads  any */
SS_API const float *ss_sae_thresholds(const ss_sae *sae);

struct ss_convert_options {
    size_t struct_size;
    bool force;          /* replace files of an output folder that exists */
    bool allow_rounding; /* let thresholds move to the nearest that the target can hold */
    const struct ss_sae_options *sae; /* borrowed; NULL for the defaults */
};
SS_DEFINE_INIT(ss_convert_options)

/* What a conversion did. Strings are constants. */
struct ss_convert_result {
    size_t struct_size;
    const char *from; /* the format that was read */
    const char *kind; /* as the target calls it */
    uint64_t n_rounded_thresholds;
};
SS_DEFINE_INIT(ss_convert_result)

/* Write an SAE in another format: the same activations, bit for bit, or an error that says what
 * the target cannot say.
 *
 * path     as for ss_sae_open
 * to       "seed" (config.json and sae.pt) or "saelens" (cfg.json and sae_weights.safetensors)
 * out_dir  made if it is missing
 * options  borrowed; NULL for the defaults
 * out      nullable; written, empty on error
 * Errors   those of ss_sae_open; SS_E_UNSUPPORTED, SS_E_USAGE, SS_E_EXISTS, SS_E_IO; on error
 *          nothing is left in the output folder
 * Threads  any
 * Source   docs/formats.md; tests/unit/test_run_convert.c, tests/oracle/test_convert.py */
SS_API SS_MUST_USE ss_status ss_sae_convert(const char *path, const char *to,
                                            const char *out_dir,
                                            const struct ss_convert_options *options,
                                            struct ss_convert_result *out, ss_err *err);

/* ---- dataset ---- */

typedef struct ss_dataset ss_dataset;

typedef enum ss_text_unit { SS_UNIT_LINE, SS_UNIT_PARAGRAPH, SS_UNIT_DOCUMENT } ss_text_unit;

/* The name of a unit, such as "paragraph"; "unknown" for another value. Never NULL.
 *
 * Threads  any */
SS_API const char *ss_text_unit_name(ss_text_unit value);

/* The value with a name. False, and *value as it was, where there is none.
 *
 * Threads  any */
SS_API bool ss_text_unit_parse(const char *name, ss_text_unit *value);

/* What a row that cannot be read does: a broken line of JSON, too many fields, an open quote, a
 * text column that holds something else, bytes that are none of the encoding, too long a row. */
typedef enum ss_bad_rows {
    SS_BAD_ROWS_STOP, /* an error */
    SS_BAD_ROWS_SKIP  /* it is given as SS_ROW_BAD, and the next line is gone on with */
} ss_bad_rows;

/* The name of a rule, such as "skip"; "unknown" for another value. Never NULL.
 *
 * Threads  any */
SS_API const char *ss_bad_rows_name(ss_bad_rows value);

/* The value with a name. False, and *value as it was, where there is none.
 *
 * Threads  any */
SS_API bool ss_bad_rows_parse(const char *name, ss_bad_rows *value);

struct ss_dataset_options {
    size_t struct_size;
    const char *text_column; /* or "{title}. {abstract}" of several; NULL: "text", else the
                                only column of strings */
    const char *format;      /* NULL: by content, then by name; else "jsonl", "csv", ... */
    ss_text_unit text_unit;  /* what a row of a plain text file is */
    const char *split;       /* of a dataset repository: "train", "train+test", "all" */
    const char *config;      /* its configuration; NULL: the default one */
    bool offline;            /* of the hub only what its cache has; also HF_HUB_OFFLINE */
    bool cache_dataset;      /* keep files of the hub in its cache instead of streaming them */
    const char *keep;        /* columns to carry along, with commas between; NULL: none */
    ss_bad_rows on_bad_row;
    const char *csv; /* how delimited text is written: "delimiter=;,quotechar='", as the
                        options of pandas.read_csv are called; NULL: comma or tab, double
                        quotes, a header. Goes before what a dataset's card says */
    const char
        *encoding;     /* of text files, as Python calls it: "latin-1", "utf-16"; NULL: UTF-8 */
    bool all_columns;  /* ss_dataset_each_json shows columns of Parquet and Arrow without text,
                          too */
    const char *field; /* key under which a JSON document has its rows; NULL: it is them */
    struct ss_progress_callback progress;
    struct ss_log log;
    const char *where; /* rows wanted, such as "year >= 2007 and kind in ('a', 'b')"; others are
                          numbered and passed over; docs/datasets.md has the grammar. NULL: all */
    uint64_t sample;   /* of these, so many at random, in their order; 0: all */
    uint64_t seed;     /* of the sample: the same seed and rows give the same sample */
};
SS_DEFINE_INIT(ss_dataset_options)

/* Open files as one dataset, in path order.
 *
 * A path may also be an address, "https://…", a file or pattern on the hub,
 * "hf://datasets/ORG/NAME[@REVISION]/PATH", or a dataset there, "hf:ORG/NAME[@REVISION]", of
 * which `config` and `split` choose. Such files are read in place, by a thread that runs ahead;
 * nothing is kept. A dataset is read at one commit; where its own files are of a kind that is
 * not read, those that the hub made of it are, with a warning. Access and cache are told by the
 * environment variables of the hub's clients (HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_OFFLINE
 * …).
 *
 * A local archive, .zip, .tar, .tar.gz, .tar.zst, .tar.xz or .tar.bz2, stands for the files in
 * it as a folder does for its own; one in a folder does not. A compressed tar is unpacked to a
 * file without a name in TMPDIR. A member is called "ARCHIVE!/MEMBER".
 *
 * With `split` or `config` the only path is such a dataset or a folder that is laid out like a
 * dataset repository: README.md may say which files make which split, else their names do. Its
 * files are read in the order of the reference library, a file twice where two of its patterns
 * match it.
 *
 * paths    [n_paths], borrowed: files, folders, glob patterns, or "-" for standard input
 * out      gives (ss_dataset_close); NULL on error
 * Errors   SS_E_NOINPUT, SS_E_DATA, SS_E_UNSUPPORTED, SS_E_NOMEM, SS_E_USAGE (no such split or
 *          configuration, or one must be chosen; the sentence lists them), SS_E_NETWORK
 * Threads  caller only */
SS_API SS_MUST_USE ss_status ss_dataset_open(const char *const *paths, size_t n_paths,
                                             const struct ss_dataset_options *options,
                                             ss_dataset **out, ss_err *err);
/* Close a dataset and its files, and end the threads that read ahead. NULL is fine.
 *
 * Threads  any; not while it is in use */
SS_API void ss_dataset_close(ss_dataset *dataset);

/* A row that a caller gives. */
struct ss_given_row {
    size_t struct_size;           /* of the library's */
    struct ss_text text;          /* bytes that are no UTF-8 are replaced by U+FFFD */
    bool is_null;                 /* there is no text */
    const struct ss_text *values; /* [n_columns] of the source as JSON; NULL: all are null */
};

/* Where rows come from that are in no file: a list, a query, a stream of another program. */
struct ss_row_source {
    size_t struct_size;
    /* Fill in the next row, zeroed before, and *has_row; what it points at is borrowed until the
     * next call. A result other than 0 ends the reading call with SS_E_STOPPED. */
    int (*next)(void *user, struct ss_given_row *row, bool *has_row);
    void *user;
    const char *const *columns; /* [n_columns] names of what is carried along with a text */
    size_t n_columns;
    uint64_t n_rows;  /* 0: not known */
    const char *name; /* to show and to record; NULL: "memory" */
};
SS_DEFINE_INIT(ss_row_source)

/* Take the rows of a dataset from a function of the caller.
 *
 * source   borrowed until the dataset is closed; `next` is called from one thread at a time,
 *          while ss_analyze and its like read also from the library's reading thread
 * options  borrowed; NULL for the defaults; only `log`, `progress`, `where`, `sample` and
 *          `seed` are looked at
 * out      gives (ss_dataset_close); NULL on error
 * Errors   SS_E_USAGE (no function, a column without a name, or called "text"), SS_E_NOMEM
 * Threads  caller only
 * Source   tests/unit/test_dataset_given.c */
SS_API SS_MUST_USE ss_status ss_dataset_from_rows(const struct ss_row_source *source,
                                                  const struct ss_dataset_options *options,
                                                  ss_dataset **out, ss_err *err);

/* What a row holds. Blank means white space only. */
typedef enum ss_row_kind {
    SS_ROW_TEXT,
    SS_ROW_NULL,
    SS_ROW_EMPTY,
    SS_ROW_BLANK,
    SS_ROW_BAD, /* only with SS_BAD_ROWS_SKIP: it could not be read; its text is empty */
    SS_N_ROW_KINDS
} ss_row_kind;

/* The name of a kind of row, such as "null"; "unknown" for another value. Never NULL.
 *
 * Threads  any */
SS_API const char *ss_row_kind_name(ss_row_kind value);

/* The value with a name. False, and *value as it was, where there is none.
 *
 * Threads  any */
SS_API bool ss_row_kind_parse(const char *name, ss_row_kind *value);

struct ss_row {
    size_t struct_size;
    uint64_t id;         /* 0-based, over the whole dataset, also where rows are passed over */
    struct ss_text text; /* valid UTF-8; borrowed until the next ss_dataset_next */
    ss_row_kind kind;
    struct ss_text
        kept;          /* a JSON object of the columns to keep; borrowed as the text; else "" */
    bool repaired;     /* invalid UTF-8 was replaced by U+FFFD */
    const char *file;  /* "-" for standard input; lives as long as the dataset */
    size_t file_index; /* of that file in the order of the dataset */
    uint64_t file_row; /* 0-based, in that file */
    const char *fault; /* of a bad row its kind ("too many fields", static), else "" */
    const char *problem; /* of a bad row, or a null one whose file lacks the column: the
                            sentence, borrowed as the text; else "" */
};
SS_DEFINE_INIT(ss_row)

/* Read the next row. At the end *has_row is false.
 *
 * Errors   SS_E_DATA (err->row, err->offset), SS_E_IO, SS_E_LIMIT
 * Threads  caller only */
SS_API SS_MUST_USE ss_status ss_dataset_next(ss_dataset *dataset, struct ss_row *row,
                                             bool *has_row, ss_err *err);

/* Rows to be given if the files say so without being read, else 0.
 *
 * Threads  caller only */
SS_API uint64_t ss_dataset_n_rows(const ss_dataset *dataset);

struct ss_dataset_info {
    size_t struct_size;
    const char *format;      /* "jsonl", "parquet", ...; "mixed" if files differ */
    const char *text_column; /* "" where rows have none */
    size_t n_files;
    const char *const *files; /* [n_files], "-" for standard input */
    size_t n_archives;
    const char *const *archives; /* [n_archives] whose members are files "ARCHIVE!/MEMBER" */
    /* Of a dataset repository, else "": its name, the commit (40 hexadecimal digits; "" for a
     * folder), configuration and split. */
    const char *repository, *commit, *config, *split;
};
SS_DEFINE_INIT(ss_dataset_info)

/* Facts about a dataset, as far as it was read.
 *
 * out      written; its strings live as long as the dataset
 * Errors   SS_E_USAGE (struct_size is not set), and then nothing is written
 * Threads  caller only */
SS_API ss_status ss_dataset_describe(const ss_dataset *dataset, struct ss_dataset_info *out);

/* ---- embeddings that were made before ---- */

typedef struct ss_embeddings ss_embeddings;

struct ss_embeddings_options {
    size_t struct_size;
    const char *column; /* name of a column or array, or a pattern with one * that names columns
                           of one number; NULL: the only array, or "embedding", "embeddings",
                           "vector", or the only column of lists, or the only series of columns
                           of one number whose names end in 0, 1, 2 … or 1, 2, 3 … */
    struct ss_log log;
    struct ss_progress_callback progress;
};
SS_DEFINE_INIT(ss_embeddings_options)

/* Open rows of numbers: an array of two dimensions in a .npy, .npz or safetensors file, or a
 * column of lists, or columns of one number each, in Parquet, Arrow, JSON Lines or CSV. They
 * are read as a stream, once.
 *
 * path     borrowed
 * options  borrowed; NULL for the defaults
 * out      gives (ss_embeddings_free); NULL on error
 * Errors   SS_E_NOINPUT, SS_E_DATA, SS_E_SHAPE, SS_E_NONFINITE, SS_E_UNSUPPORTED, SS_E_STOPPED,
 *          SS_E_USAGE, SS_E_NOMEM
 * Threads  caller only */
SS_API SS_MUST_USE ss_status ss_embeddings_open(const char *path,
                                                const struct ss_embeddings_options *options,
                                                ss_embeddings **out, ss_err *err);
/* Close embeddings and free what was read of them. NULL is fine.
 *
 * Threads  any; not while it is in use */
SS_API void ss_embeddings_free(ss_embeddings *embeddings);

struct ss_embeddings_info {
    size_t struct_size;
    const char *path, *format; /* "npy", "parquet", … */
    const char *column;        /* "" for an array */
    uint64_t n_rows;           /* 0: not known before they are read */
    size_t width;
};
SS_DEFINE_INIT(ss_embeddings_info)

/* Facts about embeddings.
 *
 * out      written; its strings live as long as the embeddings
 * Errors   SS_E_USAGE (struct_size is not set), and then nothing is written
 * Threads  caller only */
SS_API ss_status ss_embeddings_describe(const ss_embeddings *embeddings,
                                        struct ss_embeddings_info *out);

/* ---- analysis ---- */

typedef struct ss_run ss_run;

struct ss_option_record; /* saescope_tools.h */

/* How much of the texts is kept beside the results, for what is made of a run later: labels and
 * their scores, maps, pages (docs/formats.md, "evidence"). */
typedef enum ss_evidence { SS_EVIDENCE_FULL, SS_EVIDENCE_LIGHT, SS_EVIDENCE_NONE } ss_evidence;

#define SS_ALL_ROWS UINT64_MAX

struct ss_analyze_options {
    size_t struct_size;
    const char *out_dir;         /* NULL: keep the results in memory only */
    bool force;                  /* replace an output folder that exists */
    uint64_t num_examples;       /* stop after so many used rows; 0: all */
    size_t top_k;                /* texts per feature; 0: 10 */
    bool keep_duplicates;        /* let equal texts fill a feature's list */
    size_t n_threads;            /* 0: one per available core */
    size_t batch_tokens;         /* token budget of a batch; 0: chosen for the machine */
    const char *title;           /* of the histogram; NULL: names the dataset */
    ss_embeddings *embeddings;   /* take these instead of embedding texts; read to their end */
    const char *save_embeddings; /* a .npy file for the embeddings of this pass, a row per row
                                    of the dataset, NaN where it was not used; NULL: none */
    ss_evidence evidence;        /* written into out_dir only */
    uint64_t evidence_bytes;     /* keep less, so that its files stay below this; 0: no bound */
    uint64_t sample_rows;        /* texts sampled from each half; SS_ALL_ROWS; 0: 4096 */
    uint64_t sample_seed;        /* another one samples other texts; below 2^63 */
    const struct ss_option_record *records; /* [n_records], borrowed */
    size_t n_records;
    struct ss_log log;
    struct ss_progress_callback progress;
    const char *steps;      /* what to make of the folder when it is complete: "labels"
                          (ss_describe_run), "families" (ss_families_run), "map" (ss_map_run),
                          "all", "none", or names with commas between; what lacks something is
                          skipped, and the log says why; NULL: none */
    uint64_t pairs_bytes;   /* memory for counting which features fire together, beyond which
                             temporary files are used; 0: 512 MB */
    bool no_pairs;          /* do not count them: then there are no families */
    uint64_t part, n_parts; /* only part `part`, from 1 on, of n_parts: its state is written to
                               out_dir, as 00001-of-00003.state, for ss_merge, and there is no
                               run; 0: all rows */
    double
        checkpoint_seconds; /* how often what was gathered is kept in out_dir, so that the same
                                  call goes on after it was stopped; 0: 10, but at most a
                                  hundredth of the time; below 0: never */
    bool append; /* add the rows to the finished run in out_dir, as if they had come behind its
                    own; files that it has already are left out (docs/parts.md) */
    const char
        *plan; /* a file of ss_plan_write: refuse other files than those it was made of, and
                         take the number of parts from it if n_parts is 0; NULL: none */
};
SS_DEFINE_INIT(ss_analyze_options)

/* Embed and encode every row once and gather statistics; write them if an output folder is
 * given.
 *
 * encoder, sae   borrowed until the run is freed; encoder NULL with options->embeddings
 * dataset        borrowed, read to its end or to num_examples; with embeddings it has a row for
 *                each of them, or is NULL: then texts are "row N". Embeddings of nothing but
 *                NaN, and of zeros beside a null text, count as rows without a text (null); all
 *                others are used
 * out            gives; NULL on error, and of a part
 * Errors         SS_E_SHAPE (widths differ), SS_E_EXISTS, SS_E_UNSUPPORTED (a batch-top-k SAE
 *                without a rule), those of ss_dataset_next, SS_E_LIMIT, SS_E_IO, SS_E_USAGE,
 *                SS_E_STOPPED, SS_E_NOMEM; on error nothing is left in the output folder but a
 *                checkpoint, from which the same call goes on (SS_E_DATA where it is of other
 *                options or files), or, where a step failed, a run without the files of that step
 * Threads        caller only
 * Precision      at SS_PRECISION_HIGH every text fires what it fires at SS_PRECISION_HIGHEST:
 *                where that could be in doubt it is embedded again there (docs/numerics.md)
 * Memory         weights + fixed batches + statistics, whatever the number of rows; and the
 *                layers' weights a second time once a text was embedded again
 * Source         tests/unit/test_run_analyze.c, tests/unit/test_run_reembed.c */
SS_API SS_MUST_USE ss_status ss_analyze(const ss_encoder *encoder, const ss_sae *sae,
                                        ss_dataset *dataset,
                                        const struct ss_analyze_options *options, ss_run **out,
                                        ss_err *err);

/* Write down how a dataset is cut into parts: its files with what they are known by, and which bytes
 * of which file are of which part (docs/formats.md). Workers that are given the plan refuse files
 * that changed since.
 *
 * dataset  borrowed, before its first row is read
 * n_parts  from 1 on
 * path     of the plan
 * force    replace a file that exists
 * Errors   SS_E_USAGE (rows that cannot be cut; too many parts), SS_E_EXISTS, SS_E_IO, SS_E_NOMEM
 * Threads  caller only */
SS_API SS_MUST_USE ss_status ss_plan_write(ss_dataset *dataset, uint64_t n_parts,
                                           const char *path, bool force, ss_err *err);

struct ss_merge_options {
    size_t struct_size;
    const char *out_dir; /* NULL: keep the results in memory only */
    const char
        *state_path;    /* write the state of all to this file instead, to be merged again */
    bool force;         /* replace an output folder or file that exists */
    bool allow_missing; /* parts that are not there: the log lists them */
    const char *model_path, *sae_path; /* where they are now; NULL: where the parts had them */
    const char *title, *steps;         /* as in struct ss_analyze_options */
    size_t n_threads;                  /* 0: one per available core */
    uint64_t pairs_bytes;              /* as in struct ss_analyze_options */
    struct ss_log log;
    struct ss_progress_callback progress;
};
SS_DEFINE_INIT(ss_merge_options)

/* Add up states of parts, in any order, and write the run of all rows: its files have the bytes
 * that one pass over them would have written, but for run.json. A state that is there already
 * with the same content is left out.
 *
 * states   [n_states] paths, borrowed
 * out      gives; NULL on error, and with options->state_path
 * Errors   SS_E_DATA (damaged; of another analysis, with what differs; a part twice that is not
 *          the same), SS_E_UNSUPPORTED (of a later version), SS_E_NOINPUT (a part is missing; an
 *          encoder or SAE is not where it was), SS_E_EXISTS, SS_E_IO, SS_E_STOPPED, SS_E_NOMEM
 * Threads  caller only
 * Memory   the state of all and one part
 * Source   docs/formats.md; tests/cli/test_parts.py */
SS_API SS_MUST_USE ss_status ss_merge(const char *const *states, size_t n_states,
                                      const struct ss_merge_options *options, ss_run **out,
                                      ss_err *err);

/* ---- rows that a loop of the caller hands over ---- */

/* An analysis whose rows come when the caller has them: in the workers of an engine, in a service.
 * ss_analysis_open → ss_analysis_add, of any number of rows, again and again → ss_analysis_state:
 * bytes for another process, which ss_analysis_merge or ss_states_merge add up, in any order; or
 * ss_analysis_finish: the run. A batch of texts is embedded at the end of each call: hand over
 * hundreds of them at a time. All calls: one thread at a time.
 *
 * After an error, but SS_E_USAGE, which is found before anything is done, an analysis is only good
 * to be freed; other calls then return SS_E_USAGE. */
typedef struct ss_analysis ss_analysis;

struct ss_push_options {
    size_t struct_size;
    const char *name;          /* of the rows, to show and to record; NULL: "memory" */
    const char *const *files;  /* [n_files] that the rows are of, equal for all whose states are
                                  merged; NULL: one of that name */
    const uint64_t *file_rows; /* [n_files] rows in each, of any kind; NULL: not known, and then
                                  rows are numbered in their files, not over all */
    size_t n_files;
    const char *const *columns; /* [n_columns] names of what is carried along with a text */
    size_t n_columns;
};
SS_DEFINE_INIT(ss_push_options)

/* Where a row is decides between equal activations, and names it; rows of one analysis, in however
 * many processes, are each at a place of their own. */
struct ss_pushed_rows {
    size_t struct_size;
    size_t n;
    const struct ss_text *texts;  /* [n] bytes that are no UTF-8 are replaced by U+FFFD */
    const bool *is_null;          /* [n] there is no text; NULL: of none */
    const struct ss_text *values; /* [n, n_columns] as JSON; NULL: all are null */
    const uint32_t *files;        /* [n] places in `files`; NULL: all are of the first */
    const uint64_t *rows; /* [n] numbers in their files, below 2^40; NULL: on from the row
                                     before, from 0 */
};
SS_DEFINE_INIT(ss_pushed_rows)

/* Begin.
 *
 * encoder, sae  borrowed until the analysis is freed, and the run, as in ss_analyze
 * options       borrowed for the call, but its strings until the analysis is freed; out_dir is
 *               opened by ss_analysis_finish. Refused: embeddings, save_embeddings, num_examples,
 *               n_parts, append; checkpoint_seconds is not looked at
 * rows          copied; NULL for the defaults
 * out           gives (ss_analysis_free); NULL on error
 * Errors        SS_E_USAGE (also of rules over rows from the first one on), SS_E_SHAPE, SS_E_NOMEM
 * Threads       caller only
 * Source        tests/unit/test_run_push.c */
SS_API SS_MUST_USE ss_status ss_analysis_open(const ss_encoder *encoder, const ss_sae *sae,
                                              const struct ss_analyze_options *options,
                                              const struct ss_push_options *rows,
                                              ss_analysis **out, ss_err *err);

/* Embed, encode and gather some rows.
 *
 * rows    borrowed for the call
 * Errors  SS_E_USAGE (a file or row that is none), SS_E_LIMIT, SS_E_STOPPED, SS_E_NOMEM, SS_E_IO,
 *         those of embedding
 * Threads  one at a time
 * Memory   a few batches, and what the statistics need */
SS_API SS_MUST_USE ss_status ss_analysis_add(ss_analysis *analysis,
                                             const struct ss_pushed_rows *rows, ss_err *err);

/* What was gathered so far, as bytes (docs/formats.md); more may be added afterwards.
 *
 * out     gives (ss_analysis_free_state); NULL on error
 * Errors  SS_E_USAGE (no rows yet), SS_E_IO, SS_E_NOMEM
 * Threads  one at a time */
SS_API SS_MUST_USE ss_status ss_analysis_state(ss_analysis *analysis, char **out,
                                               size_t *n_bytes, ss_err *err);
/* NULL is fine.
 *
 * Threads  any */
SS_API void ss_analysis_free_state(char *state);

/* Take over what another gathered of other rows. A state that is in already is left out.
 *
 * state   borrowed for the call, and not trusted
 * Errors  SS_E_DATA (damaged; of another analysis, with what differs), SS_E_UNSUPPORTED (of a
 *         later version), SS_E_NOMEM, SS_E_IO. Those of the first two kinds leave the analysis as
 *         it was
 * Threads  one at a time */
SS_API SS_MUST_USE ss_status ss_analysis_merge(ss_analysis *analysis, struct ss_text state,
                                               ss_err *err);

/* Make the run of all rows, and its folder if one was named. The analysis is then only good to be
 * freed.
 *
 * out     gives (ss_run_free); NULL on error
 * Errors  those of ss_analyze
 * Threads  one at a time */
SS_API SS_MUST_USE ss_status ss_analysis_finish(ss_analysis *analysis, ss_run **out,
                                                ss_err *err);

/* NULL is fine.
 *
 * Threads  one at a time */
SS_API void ss_analysis_free(ss_analysis *analysis);

/* Add up states without encoder and SAE: as bytes again.
 *
 * states       [n_states] borrowed, not trusted: of ss_analysis_state, or files of parts
 * pairs_bytes  as in struct ss_analyze_options
 * out          gives (ss_analysis_free_state); NULL on error
 * Errors       SS_E_USAGE (no states), those of ss_merge
 * Threads      any
 * Memory       the sum and one state */
SS_API SS_MUST_USE ss_status ss_states_merge(const struct ss_text *states, size_t n_states,
                                             uint64_t pairs_bytes, char **out, size_t *n_bytes,
                                             ss_err *err);

struct ss_run_options {
    size_t struct_size;
    struct ss_log log;
    struct ss_progress_callback progress;
};
SS_DEFINE_INIT(ss_run_options)

/* Read the results of an earlier analysis from its folder.
 *
 * dir      borrowed
 * options  borrowed; NULL for the defaults
 * out      gives (ss_run_free); NULL on error
 * Errors   SS_E_NOINPUT, SS_E_DATA (an incomplete or damaged folder), SS_E_STOPPED, SS_E_NOMEM
 * Threads  any; the run may then be shared */
SS_API SS_MUST_USE ss_status ss_run_open(const char *dir, const struct ss_run_options *options,
                                         ss_run **out, ss_err *err);
/* Free a run in memory; its folder stays. NULL is fine.
 *
 * Threads  any; not while it is in use */
SS_API void ss_run_free(ss_run *run);

struct ss_run_info {
    size_t struct_size;
    const char *model_name, *sae_path, *dataset_name, *title;
    uint64_t n_rows_read, n_rows_used;
    uint64_t n_rows_skipped[SS_N_ROW_KINDS]; /* by kind; [SS_ROW_TEXT] is 0 */
    uint64_t n_rows_repaired;
    uint64_t
        n_rows_reembedded; /* at `highest`: nearer to other features than `high` is exact */
    uint64_t n_tokens;
    double seconds;
    size_t n_features;
    size_t top_k;
    size_t n_dead;
    double median_rate_pct; /* over all features */
    uint64_t n_rows_passed; /* of those read: passed over by `where` or `sample`, neither used
                               nor skipped */
};
SS_DEFINE_INIT(ss_run_info)

/* Facts about a run.
 *
 * out      written; its strings live as long as the run
 * Errors   SS_E_USAGE (struct_size is not set), and then nothing is written
 * Threads  any */
SS_API ss_status ss_run_describe(const ss_run *run, struct ss_run_info *out);

/* Statistics of one feature. Rates are in percent of used rows, with Wilson 95 % limits;
 * activations are in the SAE's own scale, 0 where the feature never fires. */
struct ss_feature {
    size_t struct_size;
    uint64_t n_fires;
    float rate_pct;
    double rate_low_pct, rate_high_pct;
    float max_activation;
    double mean_activation; /* over the rows where it fires */
    bool dead;
    size_t n_top;
};
SS_DEFINE_INIT(ss_feature)

/* Statistics of one feature.
 *
 * feature  < n_features
 * out      written
 * Errors   SS_E_USAGE (struct_size is not set; no such feature), and then nothing is written
 * Threads  any */
SS_API ss_status ss_run_feature(const ss_run *run, size_t feature, struct ss_feature *out);

/* A top text of a feature. In a run read back from a folder `row` is SS_NOWHERE where no
 * columns were kept. */
struct ss_top_text {
    size_t struct_size;
    float activation;
    uint64_t row;
    struct ss_text text; /* lives as long as the run */
    struct ss_text kept; /* {"file": …, "kept": {…}} of its row if columns are kept, else "" */
};
SS_DEFINE_INIT(ss_top_text)

/* The rank-th (0-based) strongest text of a feature.
 *
 * rank     < n_top of the feature
 * out      written; its texts live as long as the run
 * Errors   SS_E_USAGE (struct_size is not set; no such feature or rank), and then nothing is written
 * Threads  any */
SS_API ss_status ss_run_top(const ss_run *run, size_t feature, size_t rank,
                            struct ss_top_text *out);

/* The n most frequent features, by falling fires, then rising index; dead ones come last.
 * Returns how many there are, at most n.
 *
 * features  [n], written
 * Threads   any */
SS_API size_t ss_run_most_frequent(const ss_run *run, size_t n, size_t *features);

/* What features are listed by, the largest first; equal ones by rising index. */
typedef enum ss_feature_order {
    SS_ORDER_INDEX, /* the smallest first */
    SS_ORDER_RATE,
    SS_ORDER_MAX,  /* largest activation */
    SS_ORDER_MEAN, /* mean activation */
    SS_ORDER_TEXTS /* top texts that hold the words */
} ss_feature_order;

/* The name of an order, such as "rate"; "unknown" for another value. Never NULL.
 *
 * Threads  any */
SS_API const char *ss_feature_order_name(ss_feature_order value);

/* The value with a name. False, and *value as it was, where there is none.
 *
 * Threads  any */
SS_API bool ss_feature_order_parse(const char *name, ss_feature_order *value);

/* Which features are meant; a zeroed one: all. */
struct ss_feature_query {
    size_t struct_size;
    const char *words; /* all of which one top text holds, as parts of its words too, whatever
                          their case; spaces between them; NULL: any */
    bool has_rate;     /* the rate is within the next two, both included */
    double rate_least_pct, rate_most_pct;
    bool is_dead; /* those that never fire */
    ss_feature_order order;
};
SS_DEFINE_INIT(ss_feature_query)

struct ss_feature_match {
    size_t feature;
    size_t n_texts; /* of its top texts that hold all words; 0 without words */
};

/* Find features.
 *
 * query    borrowed
 * matches  [n_features of the run], of which the first *n_matches are written
 * Errors   SS_E_USAGE (no words, not UTF-8), SS_E_NOMEM
 * Threads  any */
SS_API SS_MUST_USE ss_status ss_run_select(const ss_run *run,
                                           const struct ss_feature_query *query,
                                           struct ss_feature_match *matches, size_t *n_matches,
                                           ss_err *err);

/* ---- pictures ---- */

struct ss_plot_options {
    size_t struct_size;
    const char *title; /* NULL: as recorded in the run */
    double width_in;   /* inches; 0: 6.4 */
    double height_in;  /* inches; 0: 4.8 */
    double dpi;        /* for png; 0: 150 */
    size_t n_bins;     /* 0: 50 */
    bool fixed_range;  /* bins over -10..0 instead of the data's own range */
    bool force;        /* replace a file that exists */
    bool zoom;         /* of a run: the features that fire alone, the axis over their rates */
};
SS_DEFINE_INIT(ss_plot_options)

/* Draw the density histogram of a run, log10(rate/100 + 1e-10).
 *
 * path     whose extension says the format: .svg, .png or .pdf
 * options  borrowed; NULL for the defaults
 * Errors   SS_E_USAGE (another extension, an impossible size), SS_E_EXISTS, SS_E_IO,
 *          SS_E_NOMEM
 * Threads  any */
SS_API SS_MUST_USE ss_status ss_plot_density(const ss_run *run, const char *path,
                                             const struct ss_plot_options *options,
                                             ss_err *err);

/* Draw the histogram of a jumprelu SAE's thresholds.
 *
 * path     as for ss_plot_density, and so `options`
 * Errors   those of ss_plot_density, and SS_E_UNSUPPORTED for another kind of SAE
 * Threads  any */
SS_API SS_MUST_USE ss_status ss_plot_thresholds(const ss_sae *sae, const char *path,
                                                const struct ss_plot_options *options,
                                                ss_err *err);

/* ---- descriptions: what features mean, in words ---- */

typedef struct ss_descriptions ss_descriptions;

typedef enum ss_label_method {
    SS_METHOD_CONTRAST, /* phrases that tell a feature's texts from others */
    SS_METHOD_SEED,     /* keywords as the Python workflow makes them, from the top texts */
    SS_METHOD_NONE      /* no labels */
} ss_label_method;

/* The two forms of that workflow: all clusters of keywords, or the best three of larger ones. */
typedef enum ss_seed_variant { SS_SEED_EXPLAINER, SS_SEED_TUTORIAL } ss_seed_variant;

/* How a service of language models is spoken to. */
typedef enum ss_llm_api {
    SS_LLM_API_GUESSED, /* by the host */
    SS_LLM_API_OPENAI,  /* chat completions: OpenAI, OpenRouter, llama.cpp, Ollama, vLLM, … */
    SS_LLM_API_ANTHROPIC
} ss_llm_api;

/* Descriptions by a language model. Texts of the dataset are sent to it, and nothing else is
 * sent anywhere. Its key comes from the environment: SAESCOPE_LLM_KEY; OPENAI_API_KEY,
 * OPENROUTER_API_KEY and ANTHROPIC_API_KEY for their own hosts alone. */
struct ss_llm_options {
    size_t struct_size;
    const char *url;   /* base of the service, such as http://localhost:8080/v1 */
    const char *model; /* as the service calls it */
    ss_llm_api api;
    const char *reasoning_effort; /* NULL: as the service has it */
    const char *cache_dir; /* of answers, for several runs; NULL: "llm" in the run's folder */
    size_t n_jobs;         /* requests at once; 0: 4 */
    size_t n_candidates;   /* descriptions of a feature, of which the best is kept; 0: 1 */
    bool detection;        /* ask it, too, which texts of the other half have the property */
    bool simulation;       /* and how strongly they have it */
    bool hints;            /* show it the labels that were made without it */
    bool ask_again;        /* answers of earlier calls that could not be used */
    bool log_prompts;
    bool offline; /* only a service on this machine is asked; also SAESCOPE_OFFLINE */
    bool dry_run; /* nothing is sent or written: the report says what would be */
    double price_in, price_out; /* of a million tokens, in any currency */
    double max_cost;            /* of this call, in the same; 0: no limit */
    double answer_seconds;      /* to wait for one answer; 0: 600 */
    uint64_t max_calls, max_tokens;
    bool fuzzing;  /* ask it, too, whether single sentences have the property: of each text the
                      one on which the SAE, which it needs, fires most or least */
    bool logprobs; /* of `detection`: ask for probabilities, which give an AUC; servers that
                      have none are asked without */
};
SS_DEFINE_INIT(ss_llm_options)

struct ss_describe_options {
    size_t struct_size;
    ss_label_method method;
    ss_seed_variant seed_variant;
    const ss_encoder *keyword_model; /* of SS_METHOD_SEED: ranks words; NULL: the run's */
    bool no_score;                   /* labels without scores */
    bool plain_similarity;           /* cosines as they are, for comparison with others */
    const char *stop_words; /* words that no phrase begins or ends with: a file with one a line,
                               "none", "auto" (those that most texts hold); NULL: English ones,
                               where the texts are English, else as "auto" */
    size_t n_threads;       /* 0: one per core */
    struct ss_progress_callback
        progress; /* told of what is done at SS_STAGE_STEP, of questions to `llm` as of rows */
    struct ss_log log;
    bool no_sentence_test; /* do not score labels on single sentences, too */
    const ss_sae *sae;     /* for that test: the run's, which is checked by the hashes of its
                              files; NULL: opened from where it was; if it is gone the log says
                              that there is no such test */
    const struct ss_llm_options *llm; /* NULL: no language model */
};
SS_DEFINE_INIT(ss_describe_options)

/* Make labels for the features of a run from the evidence in its folder, score them on the half
 * of the texts that they were not made from, and write feature_keywords.json, descriptions.json
 * and descriptions.csv into the folder, with a record in run.json. The dataset is not needed.
 *
 * encoder  the run's, which is checked by the hashes of its files; NULL: opened from where it
 *          was
 * out      nullable; gives (ss_descriptions_free), with `llm` also on SS_E_STOPPED and
 *          SS_E_NETWORK once the files are written: features without an answer have the labels
 *          made without it, and the same call goes on from there
 * Errors   SS_E_NOINPUT (the run has no evidence, or the encoder is gone), SS_E_DATA (another
 *          encoder; a damaged run), SS_E_IO, SS_E_STOPPED, SS_E_NOMEM; with `llm` SS_E_USAGE,
 *          SS_E_STOPPED (a limit, no credit), SS_E_NETWORK (more than 1 % without an answer)
 * Threads  caller only; the files depend on neither threads nor batches
 * Source   docs/descriptions.md; tests/cli/test_describe.py */
SS_API SS_MUST_USE ss_status ss_describe_run(const char *run_dir, const ss_encoder *encoder,
                                             const struct ss_describe_options *options,
                                             ss_descriptions **out, ss_err *err);

/* A label from elsewhere; phrases may stand in it with commas between. */
struct ss_label {
    size_t feature;
    const char *text;
};

/* Labels to score: an array, a file, or both. */
struct ss_labels {
    size_t struct_size;
    const struct ss_label *labels; /* [n_labels] */
    size_t n_labels;
    const char
        *path; /* rows with the columns "feature" and "label", in any format of a dataset;
                         NULL: none */
};
SS_DEFINE_INIT(ss_labels)

/* Score labels on the score half of a run's evidence; nothing is written.
 *
 * labels   borrowed
 * options  borrowed; NULL for the defaults; method is not looked at
 * out      gives (ss_descriptions_free): the other features have no label
 * Errors   those of ss_describe_run; SS_E_USAGE (no such feature, two labels for one), those of
 *          ss_dataset_next
 * Threads  caller only */
SS_API SS_MUST_USE ss_status ss_score_labels(const char *run_dir, const ss_encoder *encoder,
                                             const struct ss_labels *labels,
                                             const struct ss_describe_options *options,
                                             ss_descriptions **out, ss_err *err);

/* Read the descriptions in a run's folder.
 *
 * out      gives (ss_descriptions_free); NULL on error
 * Errors   SS_E_NOINPUT (there are none), SS_E_DATA, SS_E_NOMEM
 * Threads  any */
SS_API SS_MUST_USE ss_status ss_descriptions_open(const char *run_dir, ss_descriptions **out,
                                                  ss_err *err);
/* Free descriptions. NULL is fine.
 *
 * Threads  any; not while they are in use */
SS_API void ss_descriptions_free(ss_descriptions *descriptions);
/* How many features there are: those of the run, with a label or without.
 *
 * Threads  any */
SS_API size_t ss_descriptions_n_features(const ss_descriptions *descriptions);

/* What a score says of a label, by its 95 % intervals. */
typedef enum ss_label_status {
    SS_LABEL_SHARP,   /* random: low end 0.9 or more, and near 0.7 or more */
    SS_LABEL_TOPICAL, /* random: low end 0.75 or more */
    SS_LABEL_WEAK,    /* better than chance */
    SS_LABEL_CHANCE,
    SS_LABEL_TOO_FEW, /* fewer than 10 texts to score with on one side, or 20 on the other */
    SS_LABEL_NONE,    /* no label */
    SS_LABEL_UNSCORED,
    SS_N_LABEL_STATUSES
} ss_label_status;
/* "sharp", "too few", …; never NULL.
 *
 * Threads  any */
SS_API const char *ss_label_status_name(ss_label_status status);

struct ss_keyword {
    const char *text;
    double weight;
};

/* The area under the ROC curve with its 95 % interval; NaN where there is none. */
struct ss_label_auc {
    double value, low, high;
    size_t n_positives, n_negatives;
};

/* A share of n texts with Wilson's interval at 95 %; n is 0 where there is none. */
struct ss_label_share {
    double value, low, high;
    size_t n;
};

struct ss_description {
    size_t struct_size;
    const char *label;                 /* "": none */
    const char *method;                /* "contrast", "seed", "llm", "given" */
    const char *status;                /* the name of its ss_label_status */
    const struct ss_keyword *keywords; /* [n_keywords] best first */
    size_t n_keywords;
    /* against texts on which the feature does not fire: random ones; those nearest to the texts
     * that it does; those on which it nearly does */
    struct ss_label_auc random, near, miss;
    double f1, precision, coverage, lift, strength; /* docs/descriptions.md; NaN: none */
    const char *similarity;                         /* of the scores: "centred", "plain" */
    size_t n_pool;                                  /* texts that negatives were taken from */
    struct ss_label_share tpr, fpr;  /* of positives, of random negatives: found by a threshold
                                         that the other half chose */
    double balanced_accuracy;        /* of these */
    struct ss_label_share sentences; /* strongest sentences nearer to the label than weakest */
    double ceiling_mean, ceiling_probe; /* random: areas that no label passes */
    const char *description;            /* a sentence of a language model; "": none */
};
SS_DEFINE_INIT(ss_description)

/* What is known of one feature.
 *
 * feature  < ss_descriptions_n_features
 * out      written; strings live as long as the descriptions
 * Errors   SS_E_USAGE (struct_size is not set; no such feature), and then nothing is written
 * Threads  any */
SS_API ss_status ss_descriptions_get(const ss_descriptions *descriptions, size_t feature,
                                     struct ss_description *out);
/* The features whose labels are surest.
 *
 * features  [n], of which the first *n_found are written
 * Errors    SS_E_NOMEM
 * Threads   any */
SS_API SS_MUST_USE ss_status ss_descriptions_sharpest(const ss_descriptions *descriptions,
                                                      size_t n, size_t *features,
                                                      size_t *n_found, ss_err *err);
/* How many labels have a status.
 *
 * Threads  any */
SS_API size_t ss_descriptions_count(const ss_descriptions *descriptions,
                                    ss_label_status status);

/* What asking a language model came to. */
struct ss_llm_report {
    size_t struct_size;
    const char *host;        /* "": none was asked */
    uint64_t n_texts;        /* of the dataset that its prompts show, each counted once */
    uint64_t n_described;    /* features */
    uint64_t n_missing;      /* features that have texts and no description */
    const char *failures;    /* of questions: "3 refused, 1 unreadable"; "": none */
    uint64_t n_calls;        /* requests of this call; of a dry run what there would be */
    uint64_t n_answers_kept; /* answers of earlier calls */
    uint64_t n_tokens_in, n_tokens_out;
    double cost;        /* by the prices that were given */
    const char *prompt; /* of a dry run: one in full; else "" */
};
SS_DEFINE_INIT(ss_llm_report)

/* What the call that made the descriptions asked of a language model.
 *
 * out      written; strings live as long as the descriptions
 * Errors   SS_E_USAGE (struct_size is not set), and then nothing is written
 * Threads  any */
SS_API ss_status ss_descriptions_llm(const ss_descriptions *descriptions,
                                     struct ss_llm_report *out);

typedef enum ss_export {
    SS_EXPORT_NEURONPEDIA_UPLOAD, /* bodies of its POST /api/feature/upload-batch */
    SS_EXPORT_NEURONPEDIA_IMPORT, /* explanations/batch-N.jsonl.gz for an own instance */
    SS_EXPORT_NEURONPEDIA_BULK, /* all its files: MODEL/SOURCE/features/…, activations/… */
    SS_EXPORT_SAEDASHBOARD      /* batch-N.json as SAEDashboard writes them */
} ss_export;

struct ss_export_options {
    size_t struct_size;
    ss_export kind;
    const char *model_id;  /* as the site has them, in lower case for uploads */
    const char *source_id; /* an upload's "source", an import's "layer" */
    const char *author_id; /* of an import and of bulk files */
    bool force;            /* replace files that exist */
};
SS_DEFINE_INIT(ss_export_options)

/* Write a run's folder in the form of another program. Features without a text are left out; of
 * uploads and imports those without a label, too. The other two have texts by intervals of the
 * activation, no text twice, where the run has evidence.
 *
 * dir       made if it is missing: batch-N.json, or what the form says
 * n_files   nullable, written
 * Errors    SS_E_NOINPUT (no descriptions), SS_E_USAGE (an id is missing), SS_E_EXISTS, SS_E_IO,
 *           SS_E_DATA, SS_E_NOMEM
 * Threads   any
 * Source    docs/formats.md */
SS_API SS_MUST_USE ss_status ss_descriptions_export(const char *run_dir, const char *dir,
                                                    const struct ss_export_options *options,
                                                    size_t *n_files, ss_err *err);

/* ---- samples: texts of every kind that a run kept of a feature ---- */

typedef struct ss_samples ss_samples;

typedef enum ss_sample_kind {
    SS_SAMPLE_TOP,             /* of both halves; SS_RUN's top texts */
    SS_SAMPLE_STRONGEST,       /* of the half that makes labels */
    SS_SAMPLE_FIRING_DESCRIBE, /* a uniform sample of the texts in which it fires, by half */
    SS_SAMPLE_FIRING_SCORE,
    SS_SAMPLE_MISS_DESCRIBE, /* of the pool, those in which it nearly fires, by half */
    SS_SAMPLE_MISS_SCORE,
    SS_N_SAMPLE_KINDS
} ss_sample_kind;

/* Read the evidence in a run's folder.
 *
 * out      gives (ss_samples_free); NULL on error
 * Errors   SS_E_NOINPUT (the run has none), SS_E_DATA, SS_E_IO, SS_E_NOMEM
 * Threads  any; they may then be shared */
SS_API SS_MUST_USE ss_status ss_samples_open(const char *run_dir, ss_samples **out,
                                             ss_err *err);
/* Free samples with their texts. NULL is fine.
 *
 * Threads  any; not while they are in use */
SS_API void ss_samples_free(ss_samples *samples);

struct ss_sample {
    size_t struct_size;
    struct ss_text text, kept; /* kept: a JSON object of the columns carried along, or empty */
    float activation;          /* of a miss: the pre-activation */
    uint64_t row;              /* over the whole dataset, the first that has the text */
    uint64_t count;            /* of rows that have it; 0: not known */
};
SS_DEFINE_INIT(ss_sample)

/* How many texts of a kind there are, 0 for a feature that is none.
 *
 * Threads  any */
SS_API size_t ss_samples_count(const ss_samples *samples, size_t feature, ss_sample_kind kind);
/* A text of them, the strongest first, of uniform samples in the order of their keys.
 *
 * out      written; texts live as long as the samples
 * Errors   SS_E_USAGE (struct_size is not set; no such text), and then nothing is written
 * Threads  any */
SS_API ss_status ss_samples_get(const ss_samples *samples, size_t feature, ss_sample_kind kind,
                                size_t rank, struct ss_sample *out);

/* How many active values of a feature lie in [low, high). */
struct ss_activation_bin {
    double low, high;
    uint64_t count;
};
/* The histogram of a feature's activations over all rows, in bins of equal size on a logarithmic
 * scale, from an eighth of an octave up.
 *
 * bins     [n_most], of which as many are written as the result says; 0: it never fires
 * Threads  any */
SS_API size_t ss_samples_histogram(const ss_samples *samples, size_t feature, size_t n_most,
                                   struct ss_activation_bin *bins);
/* ---- families ---- */

typedef struct ss_families ss_families;

/* How families are found; docs/families.md has the rules. */
typedef enum ss_family_rule {
    SS_FAMILIES_PARENTS, /* each feature has one parent at most, by a test */
    SS_FAMILIES_SEED,    /* a builder of the Python workflow: spanning trees of features */
    SS_FAMILIES_SEED_KEYWORDS, /* its other one, over features with good keywords: the run needs
                                  feature_keywords.json of SS_METHOD_SEED */
    SS_FAMILIES_SAERCH,        /* arXiv 2408.00657 */
    SS_N_FAMILY_RULES
} ss_family_rule;

/* By what a parent is chosen. */
typedef enum ss_family_score {
    SS_FAMILY_COSINE, /* cosine of the activations, times the logarithm of the lift */
    SS_FAMILY_PHI,
    SS_FAMILY_NPMI,
    SS_FAMILY_CONDITIONAL, /* low end of the interval of P(parent given child) */
    SS_N_FAMILY_SCORES
} ss_family_score;

struct ss_families_options {
    size_t struct_size;
    ss_family_rule rule;
    ss_family_score score;   /* of SS_FAMILIES_PARENTS, as the next four; each 0: its default */
    double largest_q;        /* of the pair of parent and child; 0.01 */
    double least_lift;       /* 2 */
    uint64_t least_count;    /* rows in which both fire; 5 */
    double most_parent_rate; /* no parent fires in a larger share of the rows; 1; saerch: no
                                feature at all, 0.2 */
    double tau;              /* of the other rules: smallest share that makes an edge; 0.1 */
    double least_phi;        /* pairs.arrow holds all pairs with as much; 0: the best 50 of each
                                feature */
    bool matrix;             /* write coactivation_matrix.npy, too: up to 16,384 features */
    size_t n_threads;        /* 0: one per core */
    struct ss_progress_callback progress; /* told of parts at SS_STAGE_STEP */
    struct ss_log log;
    const ss_encoder *encoder; /* the run's, for phrases, checked by the hashes of its files;
                                  NULL: opened from where it was, if it is there */
    bool no_labels;            /* no phrases */
};
SS_DEFINE_INIT(ss_families_options)

/* What came out. Numbers without a value are NaN. */
struct ss_families_info {
    size_t struct_size;
    size_t n_families;                /* subtrees counted */
    size_t n_trees;                   /* that are in no other one */
    size_t n_largest;                 /* features of the largest */
    size_t n_parents;                 /* features with a parent */
    size_t n_dead, n_rare, n_without; /* that never fire, too rarely, have nobody */
    size_t n_held_out;                /* pairs found on one half of the texts */
    double median_lift;               /* on the other half, over these pairs */
    double lift, lift_low, lift_high; /* of their sums, with a 95 % interval */
    size_t n_meant; /* pairs whose features have texts enough there to compare their words: */
    double meaning, meaning_low, meaning_high; /* the mean cosine, with a 95 % interval */
};
SS_DEFINE_INIT(ss_families_info)

/* Find families among the features of a run from the counts of pairs in its folder, and write
 * families.json, feature_families.json and pairs.arrow into it, with a record in run.json. The
 * dataset is not needed.
 *
 * out      nullable; written
 * Errors   SS_E_NOINPUT (the run has no counts of pairs, or no keywords), SS_E_DATA (a damaged
 *          run), SS_E_USAGE, SS_E_LIMIT (too many features for the matrix), SS_E_IO,
 *          SS_E_STOPPED, SS_E_NOMEM
 * Threads  caller only; the files do not depend on threads
 * Source   docs/families.md; tests/oracle/test_families.py */
SS_API SS_MUST_USE ss_status ss_families_run(const char *run_dir,
                                             const struct ss_families_options *options,
                                             struct ss_families_info *out, ss_err *err);

/* Read the families in a run's folder.
 *
 * out      gives (ss_families_free); NULL on error
 * Errors   SS_E_NOINPUT (there are none), SS_E_DATA, SS_E_NOMEM
 * Threads  any */
SS_API SS_MUST_USE ss_status ss_families_open(const char *run_dir, ss_families **out,
                                              ss_err *err);
/* Free families. NULL is fine.
 *
 * Threads  any; not while they are in use */
SS_API void ss_families_free(ss_families *families);
/* "parents", "seed", …; lives as long as the families.
 *
 * Threads  any */
SS_API const char *ss_families_rule(const ss_families *families);
/* How many families there are.
 *
 * Threads  any */
SS_API size_t ss_families_n(const ss_families *families);

struct ss_family {
    size_t struct_size;
    const size_t *members; /* [n_members] the parent of all of them first */
    size_t n_members;
    size_t round;       /* by parents: how deep it lies in a tree; else in which it was found */
    const char *label;  /* the parent's; "": none */
    double block_ratio; /* how much more often features inside fire together than with others */
    size_t n_held_out;  /* as in struct ss_families_info, of the pairs inside; NaN: no value */
    double lift, lift_low, lift_high;
    size_t n_meant;
    double meaning, meaning_low, meaning_high;
    const char *phrases; /* what its texts say more often than others; "": none */
    double auc, auc_low,
        auc_high; /* how well phrases tell its texts, on texts that they are not
                                      made from; NaN: no value */
};
SS_DEFINE_INIT(ss_family)

/* A family, in the order of the file.
 *
 * index    < ss_families_n
 * out      written; lives as long as the families
 * Errors   SS_E_USAGE (struct_size is not set; no such family), and then nothing is written
 * Threads  any */
SS_API ss_status ss_families_get(const ss_families *families, size_t index,
                                 struct ss_family *out);

struct ss_family_parent {
    size_t struct_size;
    size_t parent;
    double phi, lift, q;
    uint64_t n_rows;    /* in which both fire */
    double conditional; /* P(parent given child) with its Wilson interval at 95 % */
    double conditional_low, conditional_high;
};
SS_DEFINE_INIT(ss_family_parent)

/* The parent of a feature, of families by parents.
 *
 * out      written
 * Errors   SS_E_USAGE (struct_size is not set; it has none), and then nothing is written
 * Threads  any */
SS_API ss_status ss_families_parent(const ss_families *families, size_t feature,
                                    struct ss_family_parent *out);
/* ---- pages ---- */

struct ss_report_options {
    size_t struct_size;
    uint64_t budget_bytes; /* of the file, which shows less of texts to stay below; 0: 10 MB */
    bool no_texts;         /* leave all texts of the dataset out; labels stay */
    bool force;            /* replace a file that exists */
    struct ss_progress_callback progress; /* only asked whether to stop */
    const char *with; /* the folder of a run to compare it with (ss_diff_run); NULL: none */
};
SS_DEFINE_INIT(ss_report_options)

/* What a report shows. */
struct ss_report_result {
    size_t struct_size;
    uint64_t n_bytes;         /* of the file */
    uint64_t n_texts;         /* distinct ones */
    uint64_t n_texts_cut;     /* of which so many are not whole */
    size_t n_chars;           /* of a text, at most; 0: all */
    size_t n_tops, n_samples; /* of a feature, at most */
    bool has_histograms;
};
SS_DEFINE_INIT(ss_report_result)

/* Write a run as one HTML file that shows it in a browser, without a network. Equal runs and
 * options give equal bytes.
 *
 * options  borrowed; NULL for the defaults
 * out      nullable, written on success
 * Errors   those of ss_run_open and ss_diff_run; SS_E_LIMIT (the budget is too small for the features alone),
 *          SS_E_EXISTS, SS_E_IO, SS_E_STOPPED, SS_E_NOMEM
 * Threads  any
 * Source   docs/pages.md; tests/web/test_report.py */
SS_API SS_MUST_USE ss_status ss_report_file(const char *run_dir, const char *path,
                                            const struct ss_report_options *options,
                                            struct ss_report_result *out, ss_err *err);

/* Take the arrays out of such a file, as an .npz archive that numpy.load reads.
 *
 * force    replace a file that exists
 * Errors   SS_E_NOINPUT, SS_E_DATA (no report, or a damaged one), SS_E_EXISTS, SS_E_IO,
 *          SS_E_NOMEM
 * Threads  any
 * Source   docs/pages.md */
SS_API SS_MUST_USE ss_status ss_report_extract(const char *path, const char *out_path,
                                               bool force, ss_err *err);

/* ---- clusters and a map ---- */

/* The vectors of features that clusters and the map are made of. */
typedef enum ss_map_vectors {
    SS_MAP_CENTROIDS, /* the mean embedding of a feature's texts, by activation, less that of all
                         texts; of features that fire in at least 5 rows */
    SS_MAP_KEYWORDS,  /* the mean embedding of a feature's three best keywords, by score, as the
                         Python workflow has it */
    SS_MAP_DECODER    /* the direction of the SAE's decoder, read from where the run had it; of
                         features that fire in at least 5 rows */
} ss_map_vectors;

typedef enum ss_cluster_method {
    SS_CLUSTERS_WARD, /* a cut through the tree of Ward's method: every feature has a cluster */
    SS_CLUSTERS_HDBSCAN /* as the package of that name: features may be noise */
} ss_cluster_method;

struct ss_map_options {
    size_t struct_size;
    ss_map_vectors vectors;
    ss_cluster_method method;
    size_t n_clusters;       /* of Ward's tree; 0: chosen by its heights (docs/map.md) */
    size_t min_cluster_size; /* of HDBSCAN; 0: 5 */
    size_t min_samples;      /* of HDBSCAN; 0: min_cluster_size */
    bool leaves;             /* of HDBSCAN: the leaves of its tree, not those of most mass */
    uint64_t seed;           /* of the map's draws */
    const char *place;       /* a dataset of texts to place on the map; NULL: none */
    const char *text_column; /* of it; NULL: found */
    bool no_labels;          /* clusters are not named by contrast */
    size_t n_threads;        /* 0: one per core */
    struct ss_progress_callback progress; /* told of parts at SS_STAGE_STEP */
    struct ss_log log;
};
SS_DEFINE_INIT(ss_map_options)

struct ss_map_result {
    size_t struct_size;
    size_t n_features; /* on the map */
    size_t n_rare;     /* that are not, since they fire too rarely */
    size_t n_clusters, n_noise;
    size_t n_texts, n_placed;
    double trustworthiness, kept; /* of the 15 nearest features: docs/map.md */
    double text_trustworthiness, text_kept;
};
SS_DEFINE_INIT(ss_map_result)

/* Cluster the features of a run, put them and the texts that the run keeps on a map, and write
 * clusters.csv, clusters.json, map.csv, map.svg, map.png, and placed.csv where texts are to be
 * placed, into the folder, with a record in run.json. The dataset is not needed.
 *
 * encoder  the run's, for labels of clusters, for keywords and for texts to place, checked by the
 *          hashes of its files; NULL: opened from where it was, if it is needed
 * options  borrowed; NULL for the defaults
 * out      nullable; written
 * Errors   SS_E_NOINPUT (the run has no centroids, or nothing that fires often enough), SS_E_USAGE
 *          (more clusters than features), SS_E_DATA, SS_E_IO, SS_E_STOPPED, SS_E_NOMEM
 * Threads  caller only; the files depend on neither threads nor machines
 * Source   docs/map.md; tests/cli/test_map.py, tests/oracle/test_map.py */
SS_API SS_MUST_USE ss_status ss_map_run(const char *run_dir, const ss_encoder *encoder,
                                        const struct ss_map_options *options,
                                        struct ss_map_result *out, ss_err *err);
struct ss_view_options {
    size_t struct_size;
    uint64_t port; /* 0: one that is free */
    /* Called with a link whenever there is a new one: at the beginning, and where wants_link,
     * which is asked about ten times a second, says so. Both may be NULL. */
    void (*ready)(void *user, const char *url);
    bool (*wants_link)(void *user);
    void *user;
    struct ss_progress_callback progress; /* asked whether to stop, which ends the call */
    struct ss_log log;
    const char *with; /* the folder of another run, to compare with; NULL: none */
};
SS_DEFINE_INIT(ss_view_options)

/* Show a run to browsers on this machine: the pages of ss_report_file, and the features of texts
 * that are typed there, by the run's encoder and SAE. Returns when it is asked to stop.
 *
 * A link has a code that is good once and for five minutes; the browser gets a token for it,
 * without which no data is given out.
 *
 * options  borrowed; NULL for the defaults
 * Errors   those of ss_run_open, and with another run those of ss_diff_run; SS_E_USAGE (no such
 *          port), SS_E_IO (a port in use), SS_E_NOMEM
 * Threads  any; the callbacks are called by the caller's
 * Source   docs/pages.md; tests/web/test_view.py */
SS_API SS_MUST_USE ss_status ss_view(const char *run_dir, const struct ss_view_options *options,
                                     ss_err *err);

/* ---- search ---- */

typedef struct ss_search ss_search;

#define SS_NO_FEATURE SIZE_MAX

typedef enum ss_search_by {
    SS_SEARCH_WORDS,   /* texts that hold all words, those that say them most often first */
    SS_SEARCH_MEANING, /* texts by the cosine of their embeddings with the query's */
    SS_SEARCH_FEATURES /* features whose label and keywords hold all words, by their rate */
} ss_search_by;

struct ss_search_options {
    size_t struct_size;
    ss_search_by by;
    size_t limit;                         /* that ss_search_sizes lists; 0: 10 */
    size_t n_threads;                     /* 0: one per core */
    struct ss_progress_callback progress; /* only asked whether to stop */
};
SS_DEFINE_INIT(ss_search_options)

/* Search the texts that a run kept (docs/formats.md, "evidence"), or its features.
 *
 * query    UTF-8, borrowed
 * out      gives (ss_search_free); NULL on error
 * Errors   SS_E_NOINPUT (no evidence, no descriptions, the encoder is gone), SS_E_DATA,
 *          SS_E_USAGE (no words), SS_E_STOPPED, SS_E_NOMEM
 * Ties     the earlier row, the lower feature
 * Threads  any
 * Source   docs/pages.md; tests/cli/test_search.py */
SS_API SS_MUST_USE ss_status ss_search_run(const char *run_dir, const char *query,
                                           const struct ss_search_options *options,
                                           ss_search **out, ss_err *err);
/* Free what a search found. NULL is fine.
 *
 * Threads  any; not while it is in use */
SS_API void ss_search_free(ss_search *search);
/* How many texts or features were looked at, fit, and are to be listed.
 *
 * Threads  any */
SS_API void ss_search_sizes(const ss_search *search, size_t *n_searched, size_t *n_found,
                            size_t *n_listed);

struct ss_search_hit {
    size_t struct_size;
    double score;        /* occurrences, a cosine, or a rate in percent */
    size_t feature;      /* SS_NO_FEATURE of a text */
    struct ss_text text; /* of a feature its label */
    uint64_t row;        /* of a text, over the whole dataset */
    struct ss_text file;
    size_t n_features; /* that fire in it, by rising number */
    const uint32_t *features;
    const float *activations;
};
SS_DEFINE_INIT(ss_search_hit)

/* One of what fits, by falling score.
 *
 * rank     < n_found
 * out      written; all of it lives as long as the search
 * Errors   SS_E_USAGE (struct_size is not set; no such rank), and then nothing is written
 * Threads  any */
SS_API ss_status ss_search_get(const ss_search *search, size_t rank, struct ss_search_hit *out);

/* ---- differences ---- */

typedef struct ss_diff ss_diff;

struct ss_diff_options {
    size_t struct_size;
    const char *by; /* a column that was kept: compare groups of one run by its values */
    struct ss_progress_callback progress; /* only asked whether to stop */
};
SS_DEFINE_INIT(ss_diff_options)

/* Compare how often features fire in two runs, or in groups of one.
 *
 * run_b    NULL with options->by, which is set then alone. With it A is all other texts of the
 *          sample and B is those of a group, for each group of 20 texts or more, the largest 64
 * out      gives (ss_diff_free); NULL on error
 * Errors   those of ss_run_open and, for runs of different SAEs, of ss_sae_open; SS_E_NOINPUT (no
 *          such column), SS_E_SHAPE (SAEs of different encoders), SS_E_USAGE
 * Threads  any
 * Cost     of runs of different SAEs: 2 n_features_a n_features_b width flop
 * Source   docs/pages.md; tests/cli/test_diff.py */
SS_API SS_MUST_USE ss_status ss_diff_run(const char *run_a, const char *run_b,
                                         const struct ss_diff_options *options, ss_diff **out,
                                         ss_err *err);
/* Free differences. NULL is fine.
 *
 * Threads  any; not while it is in use */
SS_API void ss_diff_free(ss_diff *diff);

struct ss_diff_info {
    size_t struct_size;
    size_t n;         /* differences */
    bool is_same_sae; /* features are the same by their number; else matched */
    size_t n_unmatched_a, n_unmatched_b;
};
SS_DEFINE_INIT(ss_diff_info)

/* Facts about differences.
 *
 * out      written, where its struct_size is set
 * Threads  any */
SS_API void ss_diff_describe(const ss_diff *diff, struct ss_diff_info *out);

/* Shares of rows in which a feature fires, in A and in B. */
struct ss_difference {
    size_t struct_size;
    size_t feature_a, feature_b;
    double similarity; /* cosine of their decoder directions; 1 where they are the same */
    const char *group; /* the value that B has; "" between runs */
    uint64_t n_fires_a, n_rows_a, n_fires_b, n_rows_b;
    double difference_pct, low_pct, high_pct; /* B - A; 95 % by Newcombe's method */
    double effect;                            /* Cohen's h */
    double odds_ratio; /* of B to A; infinite or NaN where a count is 0 */
    double z, p;       /* pooled, two-sided */
    double q;          /* Benjamini and Hochberg's, over all of them */
};
SS_DEFINE_INIT(ss_difference)

/* One of them, the surest first: by p, then feature, then group.
 *
 * i        < n
 * out      written; its text lives as long as the diff
 * Errors   SS_E_USAGE (struct_size is not set; no such difference), and then nothing is written
 * Threads  any */
SS_API ss_status ss_diff_get(const ss_diff *diff, size_t i, struct ss_difference *out);

/* ---- whole files ---- */

/* What becomes of a row without a text (null). */
typedef enum ss_null_rule {
    SS_NULL_DEFAULT, /* of the call: ss_embed_file stops, ss_encode_file has an empty row */
    SS_NULL_STOP,    /* an error that names the row */
    SS_NULL_SKIP,    /* the row is left out, and later rows move up */
    SS_NULL_ZERO,    /* a row of zeros; of features: an empty row */
    SS_NULL_NAN      /* a row of NaN, which ss_analyze and ss_encode_file take for missing */
} ss_null_rule;

/* The name of a rule, such as "zero"; "unknown" for another value. Never NULL.
 *
 * Threads  any */
SS_API const char *ss_null_rule_name(ss_null_rule value);

/* The value with a name. False, and *value as it was, where there is none.
 *
 * Threads  any */
SS_API bool ss_null_rule_parse(const char *name, ss_null_rule *value);

struct ss_embed_options {
    size_t struct_size;
    uint64_t num_examples; /* rows of the file; 0: all */
    bool skip_empty;       /* the same as SS_NULL_SKIP */
    bool force;            /* replace a file that exists */
    size_t n_threads, batch_tokens;
    ss_null_rule null_rule;
    struct ss_log log;
    struct ss_progress_callback progress;
};
SS_DEFINE_INIT(ss_embed_options)

/* What ss_embed_file wrote. */
struct ss_embed_result {
    size_t struct_size;
    uint64_t n_rows;         /* of the file */
    uint64_t n_rows_missing; /* read without a text: null, or bad rows that were left out */
    uint64_t n_tokens;
    double seconds;
};
SS_DEFINE_INIT(ss_embed_result)

/* Embed a dataset into a .npy file, f32 [rows, width], one row per dataset row. A text that is
 * empty is embedded like any other. Links are followed; a pipe, or a name such as /dev/stdout,
 * gets the whole file at the end. A name that ends as another format does is refused.
 *
 * encoder   borrowed
 * dataset   borrowed, read to its end or to num_examples
 * out_path  borrowed
 * options   borrowed; NULL for the defaults
 * done      nullable, written also on error
 * Errors    SS_E_DATA (a null row), SS_E_USAGE (the name), SS_E_EXISTS, SS_E_IO, SS_E_STOPPED,
 *           SS_E_NOMEM, those of ss_dataset_next and ss_encoder_embed
 * Threads   caller only */
SS_API SS_MUST_USE ss_status ss_embed_file(const ss_encoder *encoder, ss_dataset *dataset,
                                           const char *out_path,
                                           const struct ss_embed_options *options,
                                           struct ss_embed_result *done, ss_err *err);

struct ss_encode_options {
    size_t struct_size;
    uint64_t num_examples;     /* rows of the file; 0: all */
    ss_embeddings *embeddings; /* take these instead of embedding texts; read to their end */
    ss_null_rule null_rule;    /* SS_NULL_NAN has no meaning here */
    bool with_text;            /* write the texts, too */
    bool force;                /* replace a file that exists */
    size_t n_threads, batch_tokens;
    struct ss_log log;
    struct ss_progress_callback progress;
    const char *save_embeddings; /* as in struct ss_analyze_options */
};
SS_DEFINE_INIT(ss_encode_options)

/* What ss_encode_file wrote. */
struct ss_encode_result {
    size_t struct_size;
    uint64_t n_rows;            /* of the file */
    uint64_t n_rows_empty;      /* read without a text to encode: null, empty, blank */
    uint64_t n_rows_reembedded; /* as in struct ss_run_info */
    uint64_t n_activations, n_tokens;
    double seconds;
};
SS_DEFINE_INIT(ss_encode_result)

/* Encode a dataset into a file of each row's features: row i of the file is row i of the
 * dataset, and the features are those that ss_analyze counts.
 *
 * encoder, sae   as for ss_analyze
 * dataset        the same; its kept columns are written beside the features
 * out_path       the extension says the format: .npz, a matrix [rows, features] in CSR form for
 *                scipy.sparse.load_npz; .arrow or .feather; .jsonl (docs/formats.md)
 * rows           without a text that ss_analyze uses (null, empty, blank; an embedding of NaN)
 *                are rows without features; under SS_NULL_SKIP they are left out, under
 *                SS_NULL_STOP one that is null or NaN is an error
 * done           nullable, written also on error
 * Errors         those of ss_analyze; SS_E_USAGE (an unknown extension; texts or kept columns
 *                in an .npz)
 * Threads        caller only; the bytes of the file depend on neither threads nor batches
 * Memory         as ss_analyze without its statistics; parts of the file wait in unnamed files
 *                beside it, as large as it will be
 * Source         docs/formats.md; tests/cli/test_encode.py */
SS_API SS_MUST_USE ss_status ss_encode_file(const ss_encoder *encoder, const ss_sae *sae,
                                            ss_dataset *dataset, const char *out_path,
                                            const struct ss_encode_options *options,
                                            struct ss_encode_result *done, ss_err *err);

/* ---- training an SAE ---- */

/* How well an SAE reconstructs rows, how sparsely, and whether neighbours stay neighbours;
 * docs/training.md defines each. */
enum { SS_DENSITY_BINS = 50 };
struct ss_evaluation {
    size_t struct_size;
    uint64_t n_rows, n_features;
    double explained_variance, fvu, mse;                  /* of the rows as they came */
    double explained_variance_normalised, mse_normalised; /* as the SAE sees them */
    double cosine, norm_ratio, reconstruction_bias;
    double l0_mean, l0_median, l0_p95, l0_max, l1_mean; /* of a row */
    uint64_t n_dead;                                    /* features that no row fires */
    double dead_frac, dense_frac;                       /* dense: on more than a tenth */
    double knn_overlap, ndcg; /* of the 10 nearest rows; NaN of too few */
    double decoder_max_cosine, encoder_decoder_cosine;
    uint64_t density_counts[SS_DENSITY_BINS]; /* of log10(rate + 1e-10) */
    double density_range[2];
};
SS_DEFINE_INIT(ss_evaluation)

struct ss_evaluate_options {
    size_t struct_size;
    const struct ss_sae_options *sae; /* borrowed; NULL for the defaults */
    uint64_t num_examples;            /* the first rows; 0: 8,192 */
    size_t n_threads;
    struct ss_progress_callback progress;
};
SS_DEFINE_INIT(ss_evaluate_options)

/* Evaluate an SAE of any format on rows.
 *
 * sae         as for ss_sae_open
 * embeddings  borrowed, read as far as the rows go; rows without an embedding (NaN, zeros) are
 *             left out
 * out         written on success
 * Errors      those of ss_sae_open and of the embeddings; SS_E_SHAPE (another width),
 *             SS_E_UNSUPPORTED (a transcoder), SS_E_DATA (fewer than two rows)
 * Threads     caller only
 * Source      docs/training.md; tests/oracle/test_training.py */
SS_API SS_MUST_USE ss_status ss_evaluate(const char *sae, ss_embeddings *embeddings,
                                         const struct ss_evaluate_options *options,
                                         struct ss_evaluation *out, ss_err *err);

/* The same as JSON (docs/formats.md, evaluation.json).
 *
 * out      gives (ss_evaluation_json_free)
 * Errors   SS_E_NOMEM, SS_E_USAGE (struct_size)
 * Threads  any */
SS_API SS_MUST_USE ss_status ss_evaluation_json(const struct ss_evaluation *evaluation,
                                                char **out, ss_err *err);
/* Free the JSON of an evaluation. NULL is fine.
 *
 * Threads  any; not while it is in use */
SS_API void ss_evaluation_json_free(char *json);

/* Of a step of a training, as it goes by. */
struct ss_train_metrics {
    size_t struct_size;
    uint64_t step, n_steps;                           /* done, and of all */
    double loss, l2_loss, l0, explained_variance, lr; /* of the step's batch */
    uint64_t n_dead, n_features;
    double steps_per_second;
};
SS_DEFINE_INIT(ss_train_metrics)

struct ss_train_options {
    size_t struct_size;
    const char *recipe; /* "saescope" (default), or "seed", as SAEs-for-Sentence-BERT trains */
    const char *kind;   /* "vanilla", "topk", "batchtopk", "jumprelu"; NULL: the recipe's */
    uint64_t dict_size; /* features; 0 here and below: as the recipe says */
    uint64_t top_k;     /* active features of a row, of jumprelu the mean that is aimed at */
    uint64_t batch_size, max_steps; /* rows of a step, steps in all */
    uint64_t seed;                  /* of first weights and the order of rows */
    /* Adam's rate at its highest; the weight of the sparsity term (vanilla, jumprelu); how far
     * around a threshold its gradient looks (jumprelu) */
    double lr, l1_coeff, bandwidth;
    const char *prefixes;      /* "96,384,1536": nested dictionaries; the last is dict_size */
    uint64_t num_examples;     /* rows to read; 0: all */
    uint64_t checkpoint_steps; /* between two states that are saved; 0: 500 */
    ss_embeddings *embeddings; /* take these instead of embedding texts; read to their end */
    const char *dataset_name;  /* to be recorded; nullable */
    bool force;                /* replace an SAE that exists */
    size_t n_threads, batch_tokens;
    int (*on_step)(void *user, const struct ss_train_metrics *metrics); /* nullable; not 0
                                                                           stops */
    void *user;
    struct ss_log log;
    struct ss_progress_callback progress;
};
SS_DEFINE_INIT(ss_train_options)

struct ss_train_result {
    size_t struct_size;
    const char *kind; /* a constant */
    uint64_t n_steps, n_features, top_k;
    uint64_t n_rows, n_rows_held_out, n_rows_left_out;
    double seconds;
    struct ss_evaluation evaluation; /* on rows that were held out */
};
SS_DEFINE_INIT(ss_train_result)

/* Train an SAE on the embeddings of a dataset, or on embeddings.
 *
 * A tenth of the rows, chosen by their numbers, is never trained on; thresholds and figures are
 * of those. While it runs, OUT.training beside the folder holds the embeddings of a dataset and
 * the state; stopped or killed, the same call goes on from there, to the same bytes.
 *
 * encoder, dataset  borrowed; NULL with options->embeddings
 * out_dir           gets sae.pt and config.json in the format of SAEs-for-Sentence-BERT,
 *                   metrics.csv, curves.svg and .png, evaluation.json
 * done              nullable, written on success
 * Errors            SS_E_USAGE (an option; the state of another training), SS_E_DATA (too few
 *                   rows, all alike; training diverges), SS_E_EXISTS, SS_E_IO, SS_E_STOPPED,
 *                   those of ss_embed_file and of the embeddings
 * Threads           caller only; results do not depend on their number
 * Memory            64 MiB of rows, whatever their number; 6 dict_size width floats; those of a
 *                   batch
 * Source            docs/training.md; tests/unit/test_train_oracle.c, tests/cli/test_train.py */
SS_API SS_MUST_USE ss_status ss_train(const ss_encoder *encoder, ss_dataset *dataset,
                                      const char *out_dir,
                                      const struct ss_train_options *options,
                                      struct ss_train_result *done, ss_err *err);

#ifdef __cplusplus
}
#endif

#endif
