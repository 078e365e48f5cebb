/* Each line goes out in one write to a file that is open for appending, so that several
 * processes may share one; a lock tells whether somebody else has it open. */
#include "run/llm_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/output.h"

enum { MODE = 0666 };
#define MAX_ANSWER_BYTES ((size_t)2 << 30)

/* ---- opening ---- */

static ss_status open_for_appending(const char *path, int *out, ss_err *err)
{
    *out = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, MODE);
    return *out < 0 ? ss__fail_errno(err, path, "write", errno) : SS_OK;
}

/* The place behind the last newline. */
static ss_status end_of_lines(int file, off_t size, off_t *end, const char *path, ss_err *err)
{
    char bytes[4096];
    for (*end = size; *end > 0;) {
        const size_t n = (size_t)(*end < (off_t)sizeof bytes ? *end : (off_t)sizeof bytes);
        const ssize_t got = pread(file, bytes, n, *end - (off_t)n);
        if (got != (ssize_t)n) {
            return ss__fail_errno(err, path, "read", got < 0 ? errno : EIO);
        }
        for (size_t i = n; i > 0; i--) {
            if (bytes[i - 1] == '\n') {
                *end += (off_t)i - (off_t)n;
                return SS_OK;
            }
        }
        *end -= (off_t)n;
    }
    return SS_OK;
}

/* Take off a line that a process which was killed began. */
static ss_status mend_end(struct ss_run_llm_files *files, ss_err *err)
{
    struct stat facts;
    off_t end = 0;
    const bool is_alone = flock(files->answers, LOCK_EX | LOCK_NB) == 0;
    if (fstat(files->answers, &facts) != 0) {
        return ss__fail_errno(err, files->answers_path, "read", errno);
    }
    SS_RETURN_IF_ERROR(
        end_of_lines(files->answers, facts.st_size, &end, files->answers_path, err));
    if (end < facts.st_size && is_alone && ftruncate(files->answers, end) != 0) {
        return ss__fail_errno(err, files->answers_path, "write", errno);
    }
    files->needs_newline = end < facts.st_size && !is_alone;
    (void)flock(files->answers, LOCK_SH | LOCK_NB); /* where there are no locks, nobody asks */
    return SS_OK;
}

static ss_status read_answers(struct ss_run_llm_files *files,
                              const struct ss_run_llm_files_options *options, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf text = {0};
    size_t n_bad = 0;
    SS_TRY(ss_describe_llm_answers_new(&files->known, err));
    if (ss__path_stat(files->answers_path) == SS__PATH_NONE) {
        goto out;
    }
    SS_TRY(ss__file_read(files->answers_path, MAX_ANSWER_BYTES, &text, err));
    SS_TRY(ss_describe_llm_answers_read(files->known, (struct ss_text){text.data, text.n_bytes},
                                        &n_bad, err));
    if (n_bad > 0) {
        ss__log(&options->log, SS_LEVEL_WARNING,
                "%s: %zu lines are no answers and are passed over", files->answers_path, n_bad);
    }
out:
    ss__buf_release(&text);
    return status;
}

ss_status ss_run_llm_files_open(struct ss_run_llm_files *files,
                                const struct ss_run_llm_files_options *options, ss_err *err)
{
    ss_status status = SS_OK;
    char *own = ss__path_join(options->run_dir, SS_RUN_FOLDER_LLM);
    const char *folder = options->cache_dir == NULL ? own : options->cache_dir;
    *files = SS_RUN_LLM_FILES_CLOSED;
    files->logs_prompts = options->logs_prompts;
    if (own != NULL) {
        files->answers_path = ss__path_join(folder, SS_RUN_FILE_ANSWERS);
        files->log_path = ss__path_join(own, SS_RUN_FILE_LOG);
    }
    if (files->answers_path == NULL || files->log_path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    if (!options->only_reads) {
        SS_TRY(ss__make_folder(own, NULL, err));
        SS_TRY(ss__make_folder(folder, NULL, err));
        SS_TRY(open_for_appending(files->answers_path, &files->answers, err));
        SS_TRY(mend_end(files, err));
        SS_TRY(open_for_appending(files->log_path, &files->log, err));
    }
    SS_TRY(read_answers(files, options, err));
out:
    ss__free(own);
    return status;
}

/* ---- writing ---- */

static ss_status append(int file, const char *path, const struct ss__buf *line, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss__buf_check(line, err));
    ssize_t n = 0;
    do {
        n = write(file, line->data, line->n_bytes);
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)line->n_bytes) {
        return ss__fail_errno(err, path, "write", n < 0 ? errno : ENOSPC);
    }
    return SS_OK;
}

static ss_status store(void *user, struct ss_text line, ss_err *err)
{
    struct ss_run_llm_files *files = user;
    files->line.n_bytes = 0;
    ss__buf_add_text(&files->line, files->needs_newline ? "\n" : "");
    ss__buf_add(&files->line, line.data, line.n_bytes);
    ss__buf_add_byte(&files->line, '\n');
    files->needs_newline = false;
    files->is_dirty = true;
    return append(files->answers, files->answers_path, &files->line, err);
}

static void add_time(struct ss__buf *out)
{
    struct tm parts;
    char text[32] = "";
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &parts) != NULL) {
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    }
    ss__buf_printf(out, "{\"time\":\"%s.%03ldZ\"", text, now.tv_nsec / 1000000);
}

static ss_status note(void *user, const struct ss_describe_llm_note *note, ss_err *err)
{
    struct ss_run_llm_files *files = user;
    struct ss__buf *line = &files->line;
    line->n_bytes = 0;
    add_time(line);
    ss__buf_printf(
        line,
        ",\"feature\":%zu,\"purpose\":\"%s\",\"key\":\"%s\",\"result\":\"%s\","
        "\"cached\":%s,\"status\":%ld,\"tries\":%zu,\"ms\":%.0f,\"tokens_in\":%" PRIu64
        ",\"tokens_out\":%" PRIu64 ",\"cost\":%.6f",
        note->feature, ss_describe_llm_purpose_name(note->purpose), note->key,
        ss_describe_llm_failure_name(note->failure), note->is_from_cache ? "true" : "false",
        note->code, note->n_tries, 1000 * note->seconds, note->spent.n_in, note->spent.n_out,
        note->spent.cost);
    if (files->logs_prompts && note->system != NULL && note->user != NULL) {
        ss__buf_add_text(line, ",\"system\":");
        ss__json_add_string(line, note->system, strlen(note->system), false);
        ss__buf_add_text(line, ",\"user\":");
        ss__json_add_string(line, note->user, strlen(note->user), false);
    }
    ss__buf_add_text(line, "}\n");
    return append(files->log, files->log_path, line, err);
}

static ss_status flush(void *user, ss_err *err)
{
    struct ss_run_llm_files *files = user;
    if (files->is_dirty && files->answers >= 0) {
        files->is_dirty = false;
        if (fsync(files->answers) != 0 && errno != EINVAL && errno != EROFS) {
            return ss__fail_errno(err, files->answers_path, "flush", errno);
        }
    }
    return SS_OK;
}

struct ss_describe_llm_hooks ss_run_llm_files_hooks(struct ss_run_llm_files *files)
{
    return (struct ss_describe_llm_hooks){store, note, flush, files};
}

ss_status ss_run_llm_files_finish(struct ss_run_llm_files *files, ss_err *err)
{
    return flush(files, err);
}

void ss_run_llm_files_release(struct ss_run_llm_files *files)
{
    ss_describe_llm_answers_free(files->known);
    ss__buf_release(&files->line);
    ss__free(files->answers_path);
    ss__free(files->log_path);
    if (files->answers >= 0) {
        (void)close(files->answers);
    }
    if (files->log >= 0) {
        (void)close(files->log);
    }
    *files = SS_RUN_LLM_FILES_CLOSED;
}
