/* What people see: errors, notices, safe text, numbers, and the care that output really
 * arrives. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static bool writes_json; /* errors, too */

void cli_errors_as_json(void)
{
    writes_json = true;
}

const char *cli_name_flags(const char *message, char out[CLI_MESSAGE_BYTES])
{
    const size_t n = strlen(message);
    if (strchr(message, '`') == NULL || n >= CLI_MESSAGE_BYTES) {
        return message;
    }
    memcpy(out, message, n + 1);
    for (char *at = strchr(out, '`'); at != NULL; at = strchr(at + 1, '`')) {
        char *const end = strchr(at + 1, '`');
        ss_option option = SS_OPTION_NONE;
        if (end == NULL) {
            break;
        }
        *end = '\0';
        if (ss_option_parse(at + 1, &option)) {
            const size_t n_name = (size_t)(end - at) - 1;
            memmove(at + 2, at + 1, n_name); /* as long as with its accents */
            memcpy(at, "--", 2);
            for (char *c = at + 2; c < at + 2 + n_name; c++) {
                *c = (char)(*c == '_' ? '-' : *c);
            }
            at = end;
        } else {
            *end = '`';
        }
    }
    return out;
}

/* {"schema": 1, "error": {"status": …, "exit": N, "message": …, facts that are known}} */
static void print_json_error(const ss_err *err)
{
    char message[CLI_MESSAGE_BYTES];
    fputs("{\"schema\": 1, \"error\": {\"status\": ", stderr);
    cli_print_json(stderr, cli_text_of(ss_status_name(err->code)));
    fprintf(stderr, ", \"exit\": %d, \"message\": ", ss_status_exit_code(err->code));
    cli_print_json(stderr, cli_text_of(cli_name_flags(err->message, message)));
    if (err->file[0] != '\0') {
        fputs(", \"file\": ", stderr);
        cli_print_json(stderr, cli_text_of(err->file));
    }
    if (err->item[0] != '\0') {
        fputs(", \"item\": ", stderr);
        cli_print_json(stderr, cli_text_of(err->item));
    }
    if (err->row != SS_NOWHERE) {
        fprintf(stderr, ", \"row\": %llu", (unsigned long long)err->row);
    }
    if (err->offset != SS_NOWHERE) {
        fprintf(stderr, ", \"offset\": %llu", (unsigned long long)err->offset);
    }
    fputs("}}\n", stderr);
}

int cli_usage_error(const struct cli_command *command, const char *format, ...)
{
    char sentence[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    if (writes_json) {
        ss_err err = {.code = SS_E_USAGE, .offset = SS_NOWHERE, .row = SS_NOWHERE};
        snprintf(err.message, sizeof err.message, "%s", sentence);
        print_json_error(&err);
        return CLI_USAGE;
    }
    fprintf(stderr, "saescope%s%s: ", command == NULL ? "" : " ",
            command == NULL ? "" : command->name);
    cli_print_safely(stderr, cli_text_of(sentence), 0);
    fprintf(stderr, "\nTry 'saescope%s%s --help'.\n", command == NULL ? "" : " ",
            command == NULL ? "" : command->name);
    return CLI_USAGE;
}

int cli_fail(const ss_err *err)
{
    static const ss_err unsaid = {.code = SS_E_INTERNAL,
                                  .message = "it failed without saying why; please report it"};
    char message[CLI_MESSAGE_BYTES];
    cli_progress_end_line();
    err = err->code == SS_OK ? &unsaid : err; /* a failure is never exit code 0 */
    if (writes_json) {
        print_json_error(err);
        return ss_status_exit_code(err->code);
    }
    fputs("saescope: ", stderr);
    cli_print_safely(stderr, cli_text_of(cli_name_flags(err->message, message)), 0);
    fputc('\n', stderr);
    return ss_status_exit_code(err->code);
}

int cli_no_memory(void)
{
    return cli_fail(&(const ss_err){.code = SS_E_NOMEM, .message = "out of memory"});
}

int cli_fail_before(const ss_err *err, const char *out)
{
    if (err->code != SS_E_STOPPED || out == NULL) {
        return cli_fail(err);
    }
    cli_progress_end_line();
    fputs("saescope: ", stderr);
    cli_print_safely(stderr, cli_text_of(err->message), 0);
    fputs("; nothing was written to ", stderr);
    cli_print_safely(stderr, cli_text_of(out), 0);
    fputc('\n', stderr);
    return ss_status_exit_code(err->code);
}

/* Warnings of this command, to be said again at its end. */
enum { MOST_WARNINGS = 16, WARNING_BYTES = 1200, SUMMARY_INDENT = 15 };
static char warnings[MOST_WARNINGS][WARNING_BYTES];
static size_t n_warnings;

void cli_print_warnings(void)
{
    for (size_t i = 0; i < n_warnings; i++) {
        fputs(i == 0 ? "\nWarning      " : "             ", stdout);
        cli_print_wrapped(stdout, cli_text_of(warnings[i]), SUMMARY_INDENT,
                          cli_output_columns(), SIZE_MAX);
    }
}

void cli_print_json_warnings(void)
{
    putchar('[');
    for (size_t i = 0; i < n_warnings; i++) {
        printf("%s", i == 0 ? "" : ", ");
        cli_print_json(stdout, cli_text_of(warnings[i]));
    }
    putchar(']');
}

static void print_notice(void *user, ss_level level, const char *sentence)
{
    const struct cli_values *values = user;
    char message[CLI_MESSAGE_BYTES];
    sentence = cli_name_flags(sentence, message);
    if (level == SS_LEVEL_WARNING && n_warnings < MOST_WARNINGS) {
        snprintf(warnings[n_warnings++], WARNING_BYTES, "%s", sentence);
    }
    if (level == SS_LEVEL_NOTICE && cli_given(values, OPT_QUIET)) {
        return;
    }
    cli_progress_end_line();
    fprintf(stderr, "%s: ", level == SS_LEVEL_WARNING ? "warning" : "note");
    cli_print_safely(stderr, cli_text_of(sentence), 0);
    fputc('\n', stderr);
}

struct ss_log cli_log(const struct cli_values *values)
{
    return (struct ss_log){print_notice, (void *)(uintptr_t)values};
}

bool cli_colours(const struct cli_values *values, FILE *to)
{
    const char *no = getenv("NO_COLOR"), *force = getenv("FORCE_COLOR"), *term = getenv("TERM");
    if (cli_given(values, OPT_NO_COLOR) || (no != NULL && no[0] != '\0')) {
        return false;
    }
    if (force != NULL && force[0] != '\0') {
        return true;
    }
    return isatty(fileno(to)) && term != NULL && strcmp(term, "dumb") != 0;
}

/* ---- text from outside ---- */

/* Length of the character at text, its code point in *code_point; 1 and U+FFFD if invalid:
 * also overlong forms, surrogates, and what is above U+10FFFF. */
static size_t next_character(const char *text, size_t n, uint32_t *code_point)
{
    static const struct {
        uint8_t mask, lead, payload;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0x7F, 0},
                 {0xE0, 0xC0, 0x1F, 0x80},
                 {0xF0, 0xE0, 0x0F, 0x800},
                 {0xF8, 0xF0, 0x07, 0x10000}};
    const uint8_t first = (uint8_t)text[0];
    for (size_t length = 1; length <= 4 && length <= n; length++) {
        if ((first & forms[length - 1].mask) != forms[length - 1].lead) {
            continue;
        }
        uint32_t value = first & forms[length - 1].payload;
        for (size_t i = 1; i < length; i++) {
            if (((uint8_t)text[i] & 0xC0) != 0x80) {
                *code_point = 0xFFFD;
                return 1;
            }
            value = value << 6 | ((uint8_t)text[i] & 0x3F);
        }
        const bool is_valid = value >= forms[length - 1].least && value <= 0x10FFFF &&
                              (value < 0xD800 || value > 0xDFFF);
        *code_point = is_valid ? value : 0xFFFD;
        return is_valid ? length : 1;
    }
    *code_point = 0xFFFD;
    return 1;
}

/* Controls (C0, DEL, C1) and the characters that turn or hide the direction of writing. */
static bool is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x061C || c == 0x200E || c == 0x200F ||
           (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x2028 ||
           c == 0x2029 || c == 0xFEFF;
}

void cli_print_safely(FILE *to, struct ss_text text, size_t n_columns)
{
    size_t n_shown = 0;
    bool after_space = n_columns > 0;
    for (size_t at = 0; at < text.n_bytes;) {
        uint32_t c = 0;
        const size_t length = next_character(text.data + at, text.n_bytes - at, &c);
        const bool is_space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
        if (n_columns > 0 && n_shown >= n_columns - 1) {
            fputs("…", to);
            return;
        }
        if (is_space && n_columns == 0 && (c == ' ' || c == '\t')) {
            fputc(' ', to);
        } else if (is_space) {
            fputs(after_space ? "" : " ", to);
            n_shown += !after_space;
        } else if (is_unsafe(c) || c == 0xFFFD) {
            fputs("\xEF\xBF\xBD", to);
            n_shown++;
        } else {
            fwrite(text.data + at, 1, length, to);
            n_shown++;
        }
        after_space = is_space && n_columns > 0;
        at += length;
    }
}

void cli_say(FILE *to, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    const int n_bytes = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (n_bytes >= 0) {
        cli_print_safely(to, (struct ss_text){text, (size_t)n_bytes}, 0);
        free(text);
    }
    fputc('\n', to);
}

static void print_escape(FILE *to, uint32_t c)
{
    static const char plain[] = "\b\f\n\r\t", letter[] = "bfnrt";
    const char *found = c == 0 || c > 0x7F ? NULL : strchr(plain, (int)c);
    if (found != NULL) {
        fprintf(to, "\\%c", letter[found - plain]);
    } else {
        fprintf(to, "\\u%04x", c);
    }
}

void cli_print_raw_json(FILE *to, struct ss_text json)
{
    size_t kept = 0;
    for (size_t at = 0; at < json.n_bytes;) {
        uint32_t c = (uint8_t)json.data[at];
        const size_t length =
            c >= 0x20 && c < 0x7F ? 1 : next_character(json.data + at, json.n_bytes - at, &c);
        if (is_unsafe(c) || c == 0xFFFD) {
            fwrite(json.data + kept, 1, at - kept, to);
            print_escape(to, c);
            kept = at + length;
        }
        at += length;
    }
    fwrite(json.data + kept, 1, json.n_bytes - kept, to);
}

/* Cells that a character takes in a terminal: 2 for East Asian wide ones and emoji, 0 for marks
 * that stand on the one before. */
static size_t cells_of(uint32_t c)
{
    static const struct {
        uint32_t first, last;
        size_t n;
    } ranges[] = {{0x300, 0x36F, 0},    {0x1100, 0x115F, 2}, {0x200B, 0x200D, 0},
                  {0x20D0, 0x20FF, 0},  {0x2E80, 0xA4CF, 2}, {0xAC00, 0xD7A3, 2},
                  {0xF900, 0xFAFF, 2},  {0xFE00, 0xFE0F, 0}, {0xFE30, 0xFE6F, 2},
                  {0xFF00, 0xFF60, 2},  {0xFFE0, 0xFFE6, 2}, {0x1F300, 0x1FAFF, 2},
                  {0x20000, 0x3FFFD, 2}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (c >= ranges[i].first && c <= ranges[i].last) {
            return ranges[i].n;
        }
    }
    return 1;
}

static bool is_space(uint32_t c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* The next piece of text that goes on one line of n_cells: a word, or as much of it as fits.
 * Gives its bytes; *n_used: the cells it takes. */
static size_t next_piece(struct ss_text text, size_t at, size_t n_cells, size_t *n_used)
{
    size_t end = at;
    *n_used = 0;
    while (end < text.n_bytes) {
        uint32_t c = 0;
        const size_t length = next_character(text.data + end, text.n_bytes - end, &c);
        if (is_space(c) || *n_used + cells_of(c) > n_cells) {
            break;
        }
        *n_used += cells_of(c);
        end += length;
    }
    return end - at;
}

void cli_print_wrapped(FILE *to, struct ss_text text, size_t indent, size_t n_columns,
                       size_t n_lines)
{
    const size_t width = n_columns > indent + 10 ? n_columns - indent : 10;
    size_t at = 0, used = 0, line = 1;
    fputs("  ", to);
    while (at < text.n_bytes) {
        size_t n_cells = 0;
        if (is_space((unsigned char)text.data[at])) {
            at++;
            continue;
        }
        const size_t n = next_piece(text, at, width - 2, &n_cells); /* room for " …" */
        const bool is_glued = at > 0 && !is_space((unsigned char)text.data[at - 1]);
        if (used > 0 && (is_glued || used + 1 + n_cells > width - 2)) {
            if (line == n_lines) {
                fputs(" …", to);
                break;
            }
            fprintf(to, "\n%*s", (int)indent, "");
            line++;
            used = 0;
        }
        fputs(used > 0 ? " " : "", to);
        used += n_cells + (used > 0);
        cli_print_safely(to, (struct ss_text){text.data + at, n > 0 ? n : 1}, 0);
        at += n > 0 ? n : 1;
    }
    fputc('\n', to);
}

void cli_print_written(const char *folder, const char *what)
{
    printf("\nWritten to ");
    cli_print_safely(stdout, cli_text_of(folder), 0);
    puts(":");
    cli_print_wrapped(stdout, cli_text_of(what), 2, cli_output_columns(), SIZE_MAX);
}

void cli_print_json(FILE *to, struct ss_text text)
{
    fputc('"', to);
    for (size_t at = 0, begin = 0; at <= text.n_bytes; at++) {
        const bool is_end = at == text.n_bytes;
        if (is_end || text.data[at] == '"' || text.data[at] == '\\') {
            cli_print_raw_json(to, (struct ss_text){text.data + begin, at - begin});
            begin = at + 1;
            if (!is_end) {
                fprintf(to, "\\%c", text.data[at]);
            }
        }
    }
    fputc('"', to);
}

const char *cli_thousands(uint64_t n, char out[32])
{
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    size_t at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            out[at++] = ',';
        }
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

static const char *shortest(double value, bool is_f32, char out[CLI_NUMBER_BYTES])
{
    const double size = fabs(value);
    const int n_whole = size >= 10 && size < 1e15 ? (int)log10(size) + 1 : 1;
    for (int n = n_whole; n <= 17; n++) { /* "100" and not "1e+02" */
        snprintf(out, CLI_NUMBER_BYTES, "%.*g", n, value);
        if (is_f32 ? strtof(out, NULL) == (float)value : strtod(out, NULL) == value) {
            return out;
        }
    }
    snprintf(out, CLI_NUMBER_BYTES, "null"); /* not finite, or not a number */
    return out;
}

const char *cli_number(double value, char out[CLI_NUMBER_BYTES])
{
    return isfinite(value) ? shortest(value, false, out) : shortest(NAN, false, out);
}

const char *cli_number_f32(float value, char out[CLI_NUMBER_BYTES])
{
    return isfinite(value) ? shortest((double)value, true, out) : shortest(NAN, true, out);
}

const char *cli_seconds(double seconds, char out[32])
{
    const int n_decimals = seconds >= 9.95 ? 1 : seconds >= 0.095 ? 2 : 3;
    snprintf(out, 32, "%.*f s", n_decimals, seconds);
    return out;
}

const char *cli_plural(uint64_t n, const char *noun, char out[64])
{
    char number[32];
    snprintf(out, 64, "%s %.24s%s", cli_thousands(n, number), noun, n == 1 ? "" : "s");
    return out;
}

static bool pipe_is_ignored; /* by the caller, when the program began */

void cli_catch_write_signals(void)
{
    pipe_is_ignored = signal(SIGPIPE, SIG_IGN) == SIG_IGN;
    signal(SIGXFSZ, SIG_IGN);
}

static bool is_unread(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&output, 1, 0) > 0 && (output.revents & POLLERR) != 0;
}

static void end_by_pipe(void)
{
    if (!pipe_is_ignored) {
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
}

void cli_end_if_unread(void)
{
    if (is_unread()) {
        end_by_pipe();
    }
}

int cli_close_output(int code)
{
    const bool unread = is_unread();
    const bool failed_before = ferror(stdout) != 0;
    errno = 0;
    const bool failed = fclose(stdout) != 0;
    if (!failed && !failed_before) {
        return code;
    }
    const int reason = errno;
    if (unread && code == CLI_OK) {
        end_by_pipe();
    } else if (unread) {
        return code;
    }
    fprintf(stderr, "saescope: cannot write to standard output: %s\n",
            reason != 0 ? strerror(reason) : "it was closed or is full");
    return code == CLI_OK ? CLI_IO : code;
}
