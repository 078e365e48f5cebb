/* Formatting an error never fails: no memory is taken, and a message that is too long is cut.
 * Numbers in messages have a decimal point whatever locale the program has set (number.h). */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

/* Names, and the exit codes of the program: those of sysexits.h, so that scripts tell a wrong
 * call from bad data and a server that is away (docs/architecture.md, §7). */
static const struct {
    const char *name;
    int exit_code;
} statuses[SS_N_STATUS] = {
    [SS_OK] = {"ok", 0},
    [SS_E_USAGE] = {"usage error", 64},
    [SS_E_DATA] = {"bad data", 65},
    [SS_E_SHAPE] = {"shapes disagree", 65},
    [SS_E_NONFINITE] = {"not finite", 65},
    [SS_E_UNSUPPORTED] = {"not supported", 65},
    [SS_E_LIMIT] = {"over a limit", 65},
    [SS_E_NOINPUT] = {"no such input", 66},
    [SS_E_EXISTS] = {"exists already", 74},
    [SS_E_NETWORK] = {"service unavailable", 69},
    [SS_E_IO] = {"reading or writing failed", 74},
    [SS_E_NOMEM] = {"out of memory", 70},
    [SS_E_STOPPED] = {"stopped", 75},
    [SS_E_INTERNAL] = {"internal fault", 70},
};

static bool is_known(ss_status status)
{
    return (unsigned)status < SS_N_STATUS;
}

const char *ss_status_name(ss_status status)
{
    return is_known(status) ? statuses[status].name : "unknown status";
}

int ss_status_exit_code(ss_status status)
{
    return is_known(status) ? statuses[status].exit_code : 70;
}

const char *ss_version(void)
{
    return SS_VERSION;
}

unsigned ss_version_number(void)
{
    return SS_VERSION_NUMBER;
}

/* Field by field, since ss_err is 1.7 KiB of texts of which one byte each matters. */
static void err_reset(ss_err *err, ss_status code)
{
    err->code = code;
    err->option = SS_OPTION_NONE;
    err->offset = SS_NOWHERE;
    err->row = SS_NOWHERE;
    err->item[0] = '\0';
    err->file[0] = '\0';
    err->message[0] = '\0';
}

/* The first option that the message names, between grave accents: the message is the one place
 * where it stands, so the two cannot differ. */
static ss_option option_in(const char *message)
{
    char name[32];
    ss_option option = SS_OPTION_NONE;
    for (const char *at = strchr(message, '`'); at != NULL; at = strchr(at + 1, '`')) {
        const size_t n = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz_");
        if (n > 0 && n < sizeof name && at[1 + n] == '`') {
            memcpy(name, at + 1, n);
            name[n] = '\0';
            if (ss_option_parse(name, &option)) {
                return option;
            }
        }
    }
    return SS_OPTION_NONE;
}

ss_status ss__fail(ss_err *err, ss_status code, const char *format, ...)
{
    if (err != NULL) {
        va_list arguments;
        err_reset(err, code);
        va_start(arguments, format);
        ss__vsnprintf(err->message, sizeof err->message, format, arguments);
        va_end(arguments);
        err->option = option_in(err->message);
    }
    return code;
}

ss_status ss__fail_file(ss_err *err, const char *file, ss_status code, const char *format, ...)
{
    if (err != NULL) {
        va_list arguments;
        err_reset(err, code);
        va_start(arguments, format);
        ss__vsnprintf(err->message, sizeof err->message, format, arguments);
        va_end(arguments);
        err->option = option_in(err->message);
        ss__err_in_file(err, file);
    }
    return code;
}

ss_status ss__fail_as(ss_err *err, const ss_err *why)
{
    if (err != NULL) {
        *err = *why;
    }
    return why->code;
}

ss_status ss__fail_nomem(ss_err *err, const char *what)
{
    return ss__fail(err, SS_E_NOMEM, "out of memory while making room for %s", what);
}

ss_status ss__fail_errno(ss_err *err, const char *file, const char *doing, int error_number)
{
    /* what cannot be read is an input that is not there; all else is a fault of the machine */
    const bool reading = strcmp(doing, "open") == 0 || strcmp(doing, "list") == 0;
    const bool missing = error_number == ENOENT || error_number == ENOTDIR ||
                         error_number == EACCES || error_number == EPERM ||
                         error_number == ELOOP;
    const ss_status code = error_number == ENOMEM ? SS_E_NOMEM
                           : reading && missing   ? SS_E_NOINPUT
                                                  : SS_E_IO;
    char text[128];
    void *previous = ss__locale_enter(); /* sentences are English, in all their parts */
#if defined(__GLIBC__) && defined(_GNU_SOURCE)
    const char *reason = strerror_r(error_number, text, sizeof text);
#else
    const char *reason = strerror_r(error_number, text, sizeof text) == 0 ? text : "unknown";
#endif
    ss__locale_leave(previous);
    return ss__fail_file(err, file, code, "cannot %s: %s", doing, reason);
}

void ss__err_at_row(ss_err *err, uint64_t row)
{
    if (err != NULL) {
        err->row = row;
    }
}

void ss__err_at_offset(ss_err *err, uint64_t offset)
{
    if (err != NULL) {
        err->offset = offset;
    }
}

void ss__err_about(ss_err *err, const char *item)
{
    if (err != NULL) {
        snprintf(err->item, sizeof err->item, "%s", item);
    }
}

/* The appended text may name an option, which then counts if none stood before it. */
void ss__err_append(ss_err *err, const char *text)
{
    if (err != NULL) {
        const size_t n = strlen(err->message);
        snprintf(err->message + n, sizeof err->message - n, "%s", text);
        err->option = option_in(err->message);
    }
}

/* Called by every level that knows the file; the innermost one, which came first, stays. */
void ss__err_in_file(ss_err *err, const char *file)
{
    char message[sizeof err->message];
    if (err == NULL || err->file[0] != '\0') {
        return;
    }
    snprintf(err->file, sizeof err->file, "%s", file);
    snprintf(message, sizeof message, "%.500s: %.500s", err->file, err->message);
    memcpy(err->message, message, sizeof message);
}

/* In a buffer of fixed size, as errors are: saying something takes no memory. */
void ss__log(const struct ss_log *log, ss_level level, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    if (log == NULL || log->fn == NULL) {
        return;
    }
    va_start(arguments, format);
    ss__vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    log->fn(log->user, level, message);
}
