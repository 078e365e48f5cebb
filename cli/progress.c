/* The progress bar, in the shape people know:
 *     analyze:  42%|████▏     | 6,423/15,292 [00:31<00:43, 206 rows/s, 41.2k tokens/s]
 * Without a known total there is no percent and no bar. When stderr is no terminal, a plain
 * line comes every LINE_SECONDS. Rates are moving averages (weight 0.3 for the newest). */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

#define AVERAGE_WEIGHT 0.3
#define LINE_SECONDS 10.0
#define DRAW_SECONDS 0.1
#define STEP_SECONDS 0.5 /* before a step is shown on a terminal */
enum { BAR_LEAST = 10, BAR_MOST = 40 };

void cli_progress_start(struct cli_progress *progress, const struct cli_values *values,
                        const char *label)
{
    const char *term = getenv("TERM");
    *progress = (struct cli_progress){.label = label, .next_line_seconds = LINE_SECONDS};
    progress->quiet = cli_given(values, OPT_QUIET);
    progress->is_terminal =
        isatty(STDERR_FILENO) && (term == NULL || strcmp(term, "dumb") != 0);
}

/* Columns that COLUMNS or the terminal behind a descriptor say; else 80. */
static size_t columns_of(int descriptor)
{
    struct winsize size = {0};
    const char *columns = getenv("COLUMNS");
    const long asked = columns == NULL ? 0 : strtol(columns, NULL, 10);
    if (asked > 0 && asked < 1000) {
        return (size_t)asked;
    }
    return ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

size_t cli_error_columns(void)
{
    return columns_of(STDERR_FILENO);
}

size_t cli_output_columns(void)
{
    const size_t n = columns_of(STDOUT_FILENO);
    return n < 40 ? 40 : n > 200 ? 200 : n;
}

static void format_time(double seconds, char out[32])
{
    const unsigned long whole = seconds < 0 || seconds > 3.6e6 ? 0 : (unsigned long)seconds;
    if (whole >= 3600) {
        snprintf(out, 32, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
    } else {
        snprintf(out, 32, "%02lu:%02lu", whole / 60, whole % 60);
    }
}

/* 41234 → "41.2k" */
static void format_rate(double rate, char out[16])
{
    static const char suffixes[] = "kMG";
    size_t step = 0;
    while (rate >= 1000 && step < 3) {
        rate /= 1000;
        step++;
    }
    const int decimals = rate < 10 ? 2 : rate < 100 ? 1 : 0;
    snprintf(out, 16, "%.*f%.*s", decimals, rate, step > 0 ? 1 : 0,
             suffixes + (step > 0 ? step - 1 : 0));
}

static void format_rates(const struct cli_progress *progress, bool has_tokens, char out[64])
{
    char rows[16], tokens[16];
    const bool is_slow = progress->rate_rows > 0 && progress->rate_rows < 1;
    format_rate(is_slow ? 1 / progress->rate_rows : progress->rate_rows, rows);
    format_rate(progress->rate_tokens, tokens);
    const char *unit = progress->unit == NULL ? "row" : progress->unit;
    snprintf(out, 64, "%s %s%s%s%s%s%s", rows, is_slow ? "s/" : "", unit, is_slow ? "" : "s/s",
             has_tokens ? ", " : "", has_tokens ? tokens : "", has_tokens ? " tokens/s" : "");
}

static void format_bar(double share, size_t n_cells, char *out)
{
    static const char *const eighths[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const size_t filled = (size_t)(share * (double)n_cells * 8 + 0.5);
    size_t n = 0;
    for (size_t i = 0; i < n_cells; i++) {
        const size_t rest = filled > 8 * i ? filled - 8 * i : 0;
        const char *cell = rest >= 8 ? "█" : eighths[rest];
        memcpy(out + n, cell, strlen(cell));
        n += strlen(cell);
    }
    out[n] = '\0';
}

/* What a line is made of; the share is of rows or, where these are not known, of bytes. */
struct facts {
    double share; /* below 0: not known */
    char elapsed[32], left[32], rates[64], done[32], total[32];
};

static void gather(const struct cli_progress *progress, const struct ss_progress *now,
                   struct facts *facts)
{
    double left = -1;
    *facts = (struct facts){.share = -1};
    if (now->n_rows_total > 0) {
        facts->share = (double)now->n_rows_done / (double)now->n_rows_total;
        left = progress->rate_rows > 0
                   ? (double)(now->n_rows_total - now->n_rows_done) / progress->rate_rows
                   : -1;
        cli_thousands(now->n_rows_total, facts->total);
    } else if (now->n_bytes_total > 0) {
        facts->share = (double)now->n_bytes_done / (double)now->n_bytes_total;
        left = facts->share > 0 ? now->seconds * (1 - facts->share) / facts->share : -1;
    }
    facts->share = facts->share > 1 ? 1 : facts->share;
    format_time(now->seconds, facts->elapsed);
    snprintf(facts->left, sizeof facts->left, "?");
    if (left >= 0) {
        format_time(left, facts->left);
    }
    format_rates(progress, now->n_tokens_done > 0, facts->rates);
    cli_thousands(now->n_rows_done, facts->done);
}

/* Rows, "6,423/15,292" or "6,423 rows", and the times; with rates or without. */
static void format_tail(const struct facts *facts, bool has_rates, char out[256])
{
    const char *noun = strcmp(facts->done, "1") == 0 ? " row" : " rows";
    snprintf(out, 256, "%s%s%s [%s%s%s%s%s]", facts->done, facts->total[0] != '\0' ? "/" : noun,
             facts->total, facts->elapsed, facts->share >= 0 ? "<" : "",
             facts->share >= 0 ? facts->left : "", has_rates ? ", " : "",
             has_rates ? facts->rates : "");
}

/* The most of it that fits into the columns of a terminal: all, without the bar, without rates,
 * at last only as much as there is room for. */
static void format_line(const struct cli_progress *progress, const struct ss_progress *now,
                        char *out, size_t n_room)
{
    struct facts facts;
    char tail[256], percent[16] = "", bar[4 * BAR_MOST + 1];
    const size_t columns =
        progress->is_terminal ? columns_of(STDERR_FILENO) - 1 : n_room - sizeof bar;
    gather(progress, now, &facts);
    if (facts.share >= 0) {
        snprintf(percent, sizeof percent, "%3.0f%%", 100 * facts.share);
    }
    format_tail(&facts, true, tail);
    const size_t n_text = strlen(progress->label) + 2 + strlen(percent) + 3 + strlen(tail);
    size_t n_cells = progress->is_terminal && columns > n_text ? columns - n_text : 0;
    n_cells = n_cells > BAR_MOST ? BAR_MOST : n_cells;
    if (facts.share >= 0 && n_cells >= BAR_LEAST) {
        format_bar(facts.share, n_cells, bar);
        snprintf(out, n_room, "%s: %s|%s| %s", progress->label, percent, bar, tail);
        return;
    }
    if (n_text - 2 > columns) {
        format_tail(&facts, false, tail);
    }
    snprintf(out, n_room, "%s: %s%s%s", progress->label, percent, percent[0] == '\0' ? "" : " ",
             tail);
    if (strlen(out) > columns) {
        snprintf(out, n_room, "%s%s%s", percent, percent[0] == '\0' ? "" : " ", facts.done);
        out[columns < n_room ? columns : n_room - 1] = '\0';
    }
}

/* Whether a bar stands on the last line of the terminal, which then has no end. */
static bool is_line_open;

void cli_progress_end_line(void)
{
    if (is_line_open) {
        fputc('\n', stderr);
    }
    is_line_open = false;
}

static void put_line(struct cli_progress *progress, const char *line)
{
    fprintf(stderr, progress->is_terminal ? "\r%s\033[K" : "%s\n", line);
    fflush(stderr);
    progress->was_drawn = true;
    is_line_open = progress->is_terminal;
}

static double average(double before, double now)
{
    return before == 0 ? now : before + AVERAGE_WEIGHT * (now - before);
}

static void update_rates(struct cli_progress *progress, const struct ss_progress *now)
{
    const double seconds = now->seconds - progress->last_seconds;
    if (seconds < 0.05 || (progress->unit != NULL && now->n_rows_done == progress->last_rows)) {
        return; /* of what comes slowly, the rate is known when something has come */
    }
    progress->rate_rows = average(progress->rate_rows,
                                  (double)(now->n_rows_done - progress->last_rows) / seconds);
    progress->rate_tokens = average(
        progress->rate_tokens, (double)(now->n_tokens_done - progress->last_tokens) / seconds);
    progress->last_seconds = now->seconds;
    progress->last_rows = now->n_rows_done;
    progress->last_tokens = now->n_tokens_done;
}

static void show_rows(struct cli_progress *progress, const struct ss_progress *now)
{
    char line[512];
    if (!progress->quiet && now->n_rows_done > 0) {
        update_rates(progress, now);
        const bool is_due =
            progress->is_terminal || now->seconds >= progress->next_line_seconds;
        if (is_due) {
            format_line(progress, now, line, sizeof line);
            put_line(progress, line);
            progress->next_line_seconds = now->seconds + LINE_SECONDS;
        }
    }
}

/* What steps do, said once when their bar or line first comes. */
static const struct {
    const char *name, *sentence;
} steps[] = {
    {"labels", "Looking for phrases that tell a feature's texts from others"},
    {"scores", "Scoring labels on texts that they were not made from"},
    {"sentences", "Comparing labels with single sentences"},
    {"keywords", "Embedding the words of the top texts"},
    {"families", "Finding families of features that fire together"},
    {"names", "Naming clusters by what tells them from others"},
    {"map", "Making clusters and a map of features and texts"},
};

static void say_step(const struct cli_progress *progress)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (strcmp(steps[i].name, progress->step) == 0) {
            fprintf(stderr, "%s\n", steps[i].sentence);
        }
    }
}

static void forget_rates(struct cli_progress *progress)
{
    progress->rate_rows = progress->rate_tokens = progress->last_seconds = 0;
    progress->last_rows = progress->last_tokens = 0;
}

static void begin_step(struct cli_progress *progress, const struct ss_progress *now)
{
    cli_progress_end(progress);
    forget_rates(progress);
    if (progress->step[0] == '\0') {
        progress->rows_label = progress->label;
        progress->rows_unit = progress->unit;
    }
    snprintf(progress->step, sizeof progress->step, "%s", now->name);
    progress->next_line_seconds = progress->is_terminal ? STEP_SECONDS : LINE_SECONDS;
    progress->label = progress->step;
    progress->unit = now->unit;
}

/* Steps come one after the other, each with a bar; those that are over at once go unseen. */
static void show_step(struct cli_progress *progress, const struct ss_progress *now)
{
    char line[512];
    if (progress->quiet) {
        return;
    }
    if (strcmp(progress->step, now->name) != 0) {
        begin_step(progress, now);
    }
    update_rates(progress, now);
    if (now->seconds >= progress->next_line_seconds ||
        (progress->is_terminal && progress->was_drawn)) {
        if (!progress->was_drawn) {
            say_step(progress);
        }
        format_line(progress, now, line, sizeof line);
        put_line(progress, line);
        progress->next_line_seconds = now->seconds + LINE_SECONDS;
    }
    if (now->is_end) {
        cli_progress_end(progress);
        forget_rates(progress);
        progress->step[0] = '\0';
        progress->label = progress->rows_label;
        progress->unit = progress->rows_unit;
    }
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void cli_progress_rows(struct cli_progress *progress, uint64_t n_rows, uint64_t n_total,
                       uint64_t n_tokens)
{
    const double now = seconds_now();
    progress->started = progress->started == 0 ? now : progress->started;
    if (now - progress->drawn >= DRAW_SECONDS) {
        progress->drawn = now;
        const struct ss_progress facts = {.n_rows_done = n_rows,
                                          .n_rows_total = n_total,
                                          .n_tokens_done = n_tokens,
                                          .seconds = now - progress->started};
        show_rows(progress, &facts);
    }
}

/* ---- downloads ---- */

/* model.safetensors:  42%|████▏     | 184MB/438MB [00:03<00:04, 61.2MB/s] */
static void format_transfer(const struct cli_progress *progress, const struct ss_progress *now,
                            char *out, size_t n_room)
{
    char elapsed[32], left[32] = "?", rate[16], done[16], total[16], bar[4 * BAR_LEAST + 1];
    format_time(now->seconds, elapsed);
    format_rate(progress->rate_rows, rate);
    format_rate((double)now->n_bytes_done, done);
    if (now->n_bytes_total == 0) {
        snprintf(out, n_room, "%.80s: %sB [%s, %sB/s]", now->name, done, elapsed, rate);
        return;
    }
    const double share = (double)now->n_bytes_done / (double)now->n_bytes_total;
    if (progress->rate_rows > 0) {
        format_time((double)(now->n_bytes_total - now->n_bytes_done) / progress->rate_rows,
                    left);
    }
    format_rate((double)now->n_bytes_total, total);
    format_bar(share, BAR_LEAST, bar);
    snprintf(out, n_room, "%.80s: %3.0f%%|%s| %sB/%sB [%s<%s, %sB/s]", now->name, 100 * share,
             bar, done, total, elapsed, left, rate);
}

static void update_transfer_rate(struct cli_progress *progress, const struct ss_progress *now)
{
    if (now->seconds < progress->last_seconds || progress->last_seconds == 0) {
        progress->last_rows = now->n_bytes_resumed; /* another file */
        progress->rate_rows = 0;
        progress->last_seconds = 0;
        progress->next_line_seconds = LINE_SECONDS;
    }
    const double seconds = now->seconds - progress->last_seconds;
    if (seconds >= 0.05 && now->n_bytes_done >= progress->last_rows) {
        progress->rate_rows = average(
            progress->rate_rows, (double)(now->n_bytes_done - progress->last_rows) / seconds);
        progress->last_seconds = now->seconds;
        progress->last_rows = now->n_bytes_done;
    }
}

/* Small files come and go unseen. */
static void show_transfer(struct cli_progress *progress, const struct ss_progress *now)
{
    char line[512];
    if (progress->quiet) {
        return;
    }
    update_transfer_rate(progress, now);
    const bool is_due = progress->is_terminal ? now->seconds > 0.2 || progress->was_drawn
                                              : now->seconds >= progress->next_line_seconds;
    if (is_due) {
        format_transfer(progress, now, line, sizeof line);
        fputs(progress->is_terminal ? "\r" : "", stderr);
        cli_print_safely(stderr, cli_text_of(line),
                         progress->is_terminal ? cli_error_columns() - 1 : 0);
        fputs(progress->is_terminal ? "\033[K" : "\n", stderr);
        fflush(stderr);
        progress->was_drawn = true;
        is_line_open = progress->is_terminal;
        progress->next_line_seconds = now->seconds + LINE_SECONDS;
    }
    if (now->is_end) {
        progress->last_seconds = 0;
        cli_progress_end(progress);
    }
}

static int show(void *user, const struct ss_progress *now)
{
    if (now->stage == SS_STAGE_ROWS) {
        show_rows(user, now);
    } else if (now->stage == SS_STAGE_DOWNLOAD) {
        show_transfer(user, now);
    } else if (now->stage == SS_STAGE_STEP) {
        show_step(user, now);
    }
    return cli_is_stopped();
}

struct ss_progress_callback cli_show_progress(struct cli_progress *progress)
{
    return (struct ss_progress_callback){show, progress};
}

void cli_progress_end(struct cli_progress *progress)
{
    cli_progress_end_line();
    progress->was_drawn = false;
}
