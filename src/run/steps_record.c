/* Records of finishing steps in run.json: its last member, "steps", has one for each, which a
 * later run of the step replaces. The rest of the file stays byte for byte. */
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/output.h"
#include "run/steps.h"

/* A line of the manifest begins so only there: strings hold no newlines, and depth is told by
 * the spaces. */
static const char steps_begin[] = ",\n  \"steps\": {";

/* Where the members before "steps" end, in a file that ends with an object's bracket. */
static size_t end_of_members(const struct ss__buf *text)
{
    const char *found = memmem(text->data, text->n_bytes, steps_begin, strlen(steps_begin));
    size_t n = found == NULL ? text->n_bytes : (size_t)(found - text->data);
    while (found == NULL && n > 0 && strchr(" \t\r\n", text->data[n - 1]) != NULL) {
        n--;
    }
    if (found == NULL && n > 0 && text->data[n - 1] == '}') {
        n--;
        while (n > 0 && strchr(" \t\r\n", text->data[n - 1]) != NULL) {
            n--;
        }
    }
    return n;
}

static void add_step(struct ss__buf *out, const char *name, bool is_first)
{
    ss__buf_add_text(out, is_first ? "\n    " : ",\n    ");
    ss__json_add_string(out, name, strlen(name), false);
    ss__buf_add_text(out, ": ");
}

static void add_steps(struct ss__buf *out, const struct ss__json *steps, const char *name,
                      const char *record)
{
    const char *key = NULL;
    const struct ss__json *value = NULL;
    bool is_first = true;
    ss__buf_add_text(out, steps_begin);
    SS_JSON_EACH_MEMBER ((struct ss__json *)(uintptr_t)steps, key, value) {
        if (strcmp(key, name) != 0) {
            add_step(out, key, is_first);
            ss__json_add_value(out, value, false);
            is_first = false;
        }
    }
    add_step(out, name, is_first);
    ss__buf_add_text(out, record);
    ss__buf_add_text(out, "\n  }\n}\n");
}

/* Put another hash in the place of the one that "outputs" has for a file, if it has. Lines
 * begin so only there. */
static void replace_hash(struct ss__buf *text, const struct ss_run_output *changed)
{
    char begin[128];
    ss__snprintf(begin, sizeof begin, "\n    \"%s\": \"", changed->name);
    char *found = memmem(text->data, text->n_bytes, begin, strlen(begin));
    const size_t n = strlen(changed->sha256);
    if (found != NULL && found + strlen(begin) + n < text->data + text->n_bytes) {
        memcpy(found + strlen(begin), changed->sha256, n);
    }
}

/* Two steps may end at the same time, and each puts its record beside what it has read: one waits
 * for the other. The folder itself is locked, since the file is replaced. The descriptor, or -1. */
static int lock_folder(const char *folder)
{
    enum { MOST_TRIES = 1000, PAUSE_NANOSECONDS = 10000000 };
    const int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; descriptor >= 0 && i < MOST_TRIES; i++) {
        if (ss__lock_try(descriptor) != SS__LOCK_TAKEN) {
            break; /* where a file system has no locks it goes without */
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_NANOSECONDS}, NULL);
    }
    return descriptor;
}

ss_status ss_run_steps_record(const char *folder, const char *name, const char *record,
                              const struct ss_run_output *changed, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf text = {0};
    struct ss__buf out = {0};
    struct ss__json *root = NULL;
    char *path = ss__path_join(folder, SS_FOLDER_FILE_MANIFEST);
    const int lock = lock_folder(folder);
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss__file_read(path, SS__JSON_MAX_BYTES, &text, err));
    SS_TRY(ss__json_parse(path, text.data, text.n_bytes, &root, err));
    if (!ss__json_is_object(root)) {
        SS_FAIL_FILE(path, SS_E_DATA, "not an object");
    }
    if (changed != NULL) {
        replace_hash(&text, changed);
    }
    ss__buf_add(&out, text.data, end_of_members(&text));
    add_steps(&out, ss__json_get(root, "steps"), name, record);
    SS_TRY(ss__buf_check(&out, err));
    SS_TRY(ss__file_write(path, out.data, out.n_bytes, err));
out:
    if (lock >= 0) {
        close(lock);
    }
    ss__json_free(root);
    ss__buf_release(&text);
    ss__buf_release(&out);
    ss__free(path);
    return status;
}
