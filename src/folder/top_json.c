/* top_activations.json: a list over features of lists of [activation, text], strongest first;
 * the bytes of Python's json.dump(lists, file, indent=2, ensure_ascii=False). Activations are
 * f32 values widened to double. Read back by a scanner for just this shape: it keeps nothing
 * but the texts, and its depth is three. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/output.h"
#include "base/utf8.h"
#include "folder/results.h"

/* ---- writing ---- */

static void add_top(struct ss__buf *buf, const struct ss_top_text *top, bool is_first)
{
    char number[SS__DOUBLE_TEXT_BYTES];
    ss__buf_add_text(buf, is_first ? "\n    [\n      " : ",\n    [\n      ");
    ss__buf_add(buf, number, ss__format_double((double)top->activation, number));
    ss__buf_add_text(buf, ",\n      ");
    ss__json_add_string(buf, top->text.data, top->text.n_bytes, false);
    ss__buf_add_text(buf, "\n    ]");
}

ss_status ss_folder_top_json_write(const struct ss_run *run, const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__out out = SS__OUT_CLOSED;
    struct ss__buf buf = {0};
    const size_t n = run->info.n_features;
    SS_TRY(ss__out_open(path, &out, err));
    ss__buf_add_text(&buf, "[");
    for (size_t f = 0; f < n; f++) {
        SS_TRY(ss__check_stop(run->asking, err));
        ss__buf_add_text(&buf, f == 0 ? "\n  [" : ",\n  [");
        for (size_t rank = 0; rank < run->features[f].n_top; rank++) {
            add_top(&buf, &run->tops[run->top_offsets[f] + rank], rank == 0);
        }
        ss__buf_add_text(&buf, run->features[f].n_top == 0 ? "]" : "\n  ]");
        SS_TRY(ss__buf_check(&buf, err));
        SS_TRY(ss__out_write(&out, buf.data, buf.n_bytes, err));
        buf.n_bytes = 0;
    }
    ss__buf_add_text(&buf, n == 0 ? "]" : "\n]");
    SS_TRY(ss__buf_check(&buf, err));
    SS_TRY(ss__out_write(&out, buf.data, buf.n_bytes, err));
    SS_TRY(ss__out_commit(&out, err));
out:
    ss__out_abort(&out);
    ss__buf_release(&buf);
    return status;
}

/* ---- reading ---- */

struct scan {
    const char *path, *data;
    size_t n, at;
    struct ss__buf text; /* the string in hand */
};

static ss_status malformed(const struct scan *scan, const char *expected, ss_err *err)
{
    const ss_status status = ss__fail_file(err, scan->path, SS_E_DATA,
                                           "expected %s at byte %zu", expected, scan->at);
    ss__err_at_offset(err, scan->at);
    return status;
}

/* The next byte that is not white space; NUL at the end. */
static char peek(struct scan *scan)
{
    while (scan->at < scan->n && strchr(" \t\r\n", scan->data[scan->at]) != NULL &&
           scan->data[scan->at] != '\0') {
        scan->at++;
    }
    return scan->at < scan->n ? scan->data[scan->at] : '\0';
}

static bool accept(struct scan *scan, char wanted)
{
    const bool found = peek(scan) == wanted;
    scan->at += found;
    return found;
}

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char lower = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
    const char *found = lower == '\0' ? NULL : strchr(digits, lower);
    return found == NULL ? -1 : (int)(found - digits);
}

/* Four hexadecimal digits; false if they are not there. */
static bool read_unit(struct scan *scan, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        const int value = scan->at < scan->n ? hex_value(scan->data[scan->at]) : -1;
        if (value < 0) {
            return false;
        }
        *unit = *unit << 4 | (uint32_t)value;
        scan->at++;
    }
    return true;
}

static bool read_unicode_escape(struct scan *scan)
{
    uint32_t unit = 0, low = 0;
    char bytes[4];
    if (!read_unit(scan, &unit)) {
        return false;
    }
    if (unit >= 0xD800 && unit < 0xE000) {
        const bool pair = unit < 0xDC00 && scan->n - scan->at >= 6 &&
                          scan->data[scan->at] == '\\' && scan->data[scan->at + 1] == 'u';
        scan->at += pair ? 2 : 0;
        if (!pair || !read_unit(scan, &low) || low < 0xDC00 || low > 0xDFFF) {
            return false;
        }
        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
    ss__buf_add(&scan->text, bytes, ss__utf8_encode(unit, bytes));
    return true;
}

static bool read_escape(struct scan *scan)
{
    static const char letters[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    const char letter = scan->at < scan->n ? scan->data[scan->at] : '\0';
    const char *found = letter == '\0' ? NULL : strchr(letters, letter);
    scan->at++;
    if (found != NULL) {
        ss__buf_add_byte(&scan->text, meaning[found - letters]);
        return true;
    }
    return letter == 'u' && read_unicode_escape(scan);
}

static ss_status read_string(struct scan *scan, ss_err *err)
{
    scan->text.n_bytes = 0;
    if (!accept(scan, '"')) {
        return malformed(scan, "a text", err);
    }
    for (;;) {
        size_t end = scan->at;
        while (end < scan->n && scan->data[end] != '"' && scan->data[end] != '\\' &&
               (unsigned char)scan->data[end] >= 0x20) {
            end++;
        }
        const size_t n = end - scan->at;
        const size_t n_valid = ss__utf8_valid_prefix(scan->data + scan->at, n);
        ss__buf_add(&scan->text, scan->data + scan->at, n_valid);
        scan->at += n_valid;
        if (n_valid < n || end == scan->n || (unsigned char)scan->data[end] < 0x20) {
            return malformed(scan, "valid UTF-8 and the end of the text", err);
        }
        scan->at++;
        if (scan->data[end] == '"') {
            return ss__buf_check(&scan->text, err);
        }
        if (!read_escape(scan)) {
            return malformed(scan, "a valid escape", err);
        }
    }
}

static ss_status read_activation(struct scan *scan, float *activation, ss_err *err)
{
    double value = 0;
    (void)peek(scan);
    const size_t begin = scan->at;
    while (scan->at < scan->n && scan->data[scan->at] != '\0' &&
           strchr("+-.eE0123456789", scan->data[scan->at]) != NULL) {
        scan->at++;
    }
    if (!ss__parse_double(scan->data + begin, scan->at - begin, &value) || !isfinite(value) ||
        value <= 0 || (double)(float)value != value) {
        scan->at = begin;
        return malformed(scan, "an activation, a 32-bit number above 0", err);
    }
    *activation = (float)value;
    return SS_OK;
}

/* One [activation, text] behind the tops that are there. */
static ss_status read_top(struct scan *scan, struct ss_run *run, size_t *n_tops, size_t *room,
                          ss_err *err)
{
    struct ss_top_text top = {.struct_size = sizeof top, .row = SS_NOWHERE};
    if (!accept(scan, '[')) {
        SS_RETURN_IF_ERROR(malformed(scan, "[activation, text]", err));
    }
    SS_RETURN_IF_ERROR(read_activation(scan, &top.activation, err));
    if (!accept(scan, ',')) {
        SS_RETURN_IF_ERROR(malformed(scan, "a comma", err));
    }
    SS_RETURN_IF_ERROR(read_string(scan, err));
    if (!accept(scan, ']')) {
        SS_RETURN_IF_ERROR(malformed(scan, "the end of [activation, text]", err));
    }
    top.text.data = ss__arena_strndup(&run->arena, scan->text.data, scan->text.n_bytes);
    top.text.n_bytes = scan->text.n_bytes;
    if (top.text.data == NULL) {
        return ss__fail_nomem(err, "a text");
    }
    SS_GROW_OR_RETURN(run->tops, *room, *n_tops + 1);
    run->tops[(*n_tops)++] = top;
    return SS_OK;
}

static ss_status check_feature(const struct scan *scan, const struct ss_run *run, size_t f,
                               ss_err *err)
{
    const struct ss_feature *feature = &run->features[f];
    const size_t first = run->top_offsets[f];
    bool falls = feature->n_top == 0 || run->tops[first].activation == feature->max_activation;
    for (size_t i = first + 1; i < first + feature->n_top; i++) {
        falls = falls && run->tops[i].activation <= run->tops[i - 1].activation;
    }
    if (!falls || feature->n_top > run->info.top_k || feature->n_top > feature->n_fires ||
        (feature->n_top == 0) != feature->dead) {
        return ss__fail_file(err, scan->path, SS_E_DATA,
                             "the texts of feature %zu do not agree with %s", f,
                             SS_FOLDER_FILE_FEATURES);
    }
    return SS_OK;
}

/* One list of the outer list. */
static ss_status read_feature(struct scan *scan, struct ss_run *run, size_t f, size_t *room,
                              ss_err *err)
{
    size_t n_tops = run->top_offsets[f];
    if (!accept(scan, '[')) {
        SS_RETURN_IF_ERROR(malformed(scan, "a list of texts", err));
    }
    if (!accept(scan, ']')) {
        do {
            SS_RETURN_IF_ERROR(read_top(scan, run, &n_tops, room, err));
        } while (accept(scan, ','));
        if (!accept(scan, ']')) {
            SS_RETURN_IF_ERROR(malformed(scan, "a comma or the end of a list", err));
        }
    }
    run->top_offsets[f + 1] = n_tops;
    run->features[f].n_top = n_tops - run->top_offsets[f];
    return check_feature(scan, run, f, err);
}

ss_status ss_folder_top_json_read(struct ss_run *run, const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__map map = {0};
    size_t room = 0;
    const size_t n = run->info.n_features;
    struct scan scan = {.path = path};
    SS_TRY(ss__file_load(path, &map, err));
    scan.data = (const char *)map.data;
    scan.n = map.n_bytes;
    SS_ALLOC(run->top_offsets, n + 1);
    if (!accept(&scan, '[')) {
        SS_TRY(malformed(&scan, "a list of features", err));
    }
    for (size_t f = 0; f < n; f++) {
        SS_TRY(ss__check_stop(run->asking, err));
        if (f > 0 && !accept(&scan, ',')) {
            SS_TRY(malformed(&scan, "the list of another feature", err));
        }
        SS_TRY(read_feature(&scan, run, f, &room, err));
    }
    if (!accept(&scan, ']') || peek(&scan) != '\0' || scan.at != scan.n) {
        SS_TRY(malformed(&scan, "the end of the file", err));
    }
out:
    ss__map_release(&map);
    ss__buf_release(&scan.text);
    return status;
}
