/* Files of answers: answers.jsonl, to which a line is added as soon as an answer comes, and
 * log.jsonl, a line for each question. */
#ifndef SS_RUN_LLM_FILES_H
#define SS_RUN_LLM_FILES_H

#include "describe/llm.h"

#define SS_RUN_FOLDER_LLM "llm"
#define SS_RUN_FILE_ANSWERS "answers.jsonl"
#define SS_RUN_FILE_LOG "log.jsonl"

struct ss_run_llm_files {
    int answers, log;   /* descriptors; -1: not open */
    char *answers_path; /* for messages */
    char *log_path;
    bool needs_newline; /* the last line is not whole, and somebody else may be writing it */
    bool is_dirty;      /* what was written is not flushed yet */
    bool logs_prompts;
    struct ss__buf line;
    struct ss_describe_llm_answers *known;
};
#define SS_RUN_LLM_FILES_CLOSED ((struct ss_run_llm_files){.answers = -1, .log = -1})

struct ss_run_llm_files_options {
    const char *run_dir;
    const char *cache_dir; /* of answers; NULL: in the run's folder */
    bool logs_prompts;
    bool only_reads; /* nothing is made or changed */
    struct ss_log log;
};

/* Open or make the files, and read the answers. A last line that was not written to its end is
 * taken off, unless another process has the file. Errors: SS_E_IO, SS_E_LIMIT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_run_llm_files_open(struct ss_run_llm_files *files,
                                            const struct ss_run_llm_files_options *options,
                                            ss_err *err);
/* The functions that keep and log; they belong to the files. */
struct ss_describe_llm_hooks ss_run_llm_files_hooks(struct ss_run_llm_files *files);
/* Flush and close; best effort after a failure. */
SS_MUST_USE ss_status ss_run_llm_files_finish(struct ss_run_llm_files *files, ss_err *err);
void ss_run_llm_files_release(struct ss_run_llm_files *files);

#endif
