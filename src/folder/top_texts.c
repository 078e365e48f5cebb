/* top_texts.jsonl: where the top texts come from, a line for each of top_activations.json, in
 * the same order. Written when columns of the dataset are carried along (docs/formats.md). */
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/json_write.h"
#include "base/number.h"
#include "base/output.h"
#include "base/utf8.h"
#include "folder/results.h"
#include "format/format.h"

bool ss_folder_run_has_kept(const struct ss_run *run)
{
    return run->top_offsets[run->info.n_features] > 0 && run->tops[0].kept.n_bytes > 0;
}

static void add_line(struct ss__buf *buf, size_t feature, size_t rank,
                     const struct ss_top_text *top)
{
    char number[SS__DOUBLE_TEXT_BYTES];
    ss__buf_printf(buf, "{\"feature\": %zu, \"rank\": %zu, \"activation\": ", feature, rank);
    ss__buf_add(buf, number, ss__format_double((double)top->activation, number));
    ss__buf_printf(buf, ", \"row\": %" PRIu64 ", \"text\": ", top->row);
    ss__json_add_string(buf, top->text.data, top->text.n_bytes, false);
    ss__buf_add_text(buf, ", ");
    ss__buf_add(buf, top->kept.data + 1, top->kept.n_bytes - 1); /* but for its "{" */
    ss__buf_add_byte(buf, '\n');
}

ss_status ss_folder_top_texts_write(const struct ss_run *run, const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__out out = SS__OUT_CLOSED;
    struct ss__buf buf = {0};
    SS_TRY(ss__out_open(path, &out, err));
    for (size_t f = 0; f < run->info.n_features; f++) {
        SS_TRY(ss__check_stop(run->asking, err));
        for (size_t rank = 0; rank < run->features[f].n_top; rank++) {
            add_line(&buf, f, rank, &run->tops[run->top_offsets[f] + rank]);
        }
        SS_TRY(ss__buf_check(&buf, err));
        SS_TRY(ss__out_write(&out, buf.data, buf.n_bytes, err));
        buf.n_bytes = 0;
    }
    SS_TRY(ss__out_commit(&out, err));
out:
    ss__out_abort(&out);
    ss__buf_release(&buf);
    return status;
}

/* ---- reading ---- */

struct line {
    const char *path;
    size_t number; /* from 1 */
    struct ss_format_scan scan;
};

static ss_status fail_line(const struct line *line, const char *expected, ss_err *err)
{
    return ss__fail_file(err, line->path, SS_E_DATA, "line %zu: expected %s", line->number,
                         expected);
}

/* The value under the next key, which must be `name`. */
static ss_status next_value(struct line *line, const char *name, bool is_first,
                            struct ss_text *value, ss_err *err)
{
    struct ss_format_scan_string key = {0};
    bool has_key = false;
    if (!ss_format_scan_key(&line->scan, is_first, &key, &has_key) || !has_key ||
        key.n_bytes != strlen(name) || memcmp(key.data, name, key.n_bytes) != 0) {
        return fail_line(line, name, err);
    }
    (void)ss_format_scan_peek(&line->scan);
    value->data = line->scan.at;
    if (!ss_format_scan_value(&line->scan)) {
        return fail_line(line, "a value", err);
    }
    value->n_bytes = (size_t)(line->scan.at - value->data);
    return SS_OK;
}

static bool is_count(struct ss_text text, uint64_t expected)
{
    uint64_t value = 0;
    return ss__parse_u64(text.data, text.n_bytes, &value) && value == expected;
}

/* {"file": …, "kept": …} as in a run that was just made. */
static ss_status keep_note(struct ss_run *run, struct ss_text file, struct ss_text kept,
                           struct ss_top_text *top, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf note = {0};
    ss__buf_add_text(&note, "{\"file\": ");
    ss__buf_add(&note, file.data, file.n_bytes);
    ss__buf_add_text(&note, ", \"kept\": ");
    ss__buf_add(&note, kept.data, kept.n_bytes);
    ss__buf_add_text(&note, "}");
    SS_TRY(ss__buf_check(&note, err));
    top->kept.data = ss__arena_strndup(&run->arena, note.data, note.n_bytes);
    top->kept.n_bytes = top->kept.data == NULL ? 0 : note.n_bytes;
    if (top->kept.data == NULL) {
        SS_TRY(ss__fail_nomem(err, "columns that are kept"));
    }
out:
    ss__buf_release(&note);
    return status;
}

static ss_status read_line(struct ss_run *run, struct line *line, size_t feature, size_t rank,
                           ss_err *err)
{
    static const char *const names[] = {"feature", "rank", "activation", "row",
                                        "text",    "file", "kept"};
    enum { FEATURE, RANK, ACTIVATION, ROW, TEXT, FILE_NAME, KEPT, N_NAMES };
    struct ss_text values[N_NAMES];
    struct ss_top_text *top = &run->tops[run->top_offsets[feature] + rank];
    double activation = 0;
    if (!ss_format_scan_char(&line->scan, '{')) {
        SS_RETURN_IF_ERROR(fail_line(line, "an object", err));
    }
    for (size_t i = 0; i < N_NAMES; i++) {
        SS_RETURN_IF_ERROR(next_value(line, names[i], i == 0, &values[i], err));
    }
    if (!ss_format_scan_char(&line->scan, '}') ||
        ss_format_scan_peek(&line->scan) != SS_FORMAT_JSON_NONE ||
        line->scan.at != line->scan.end) {
        SS_RETURN_IF_ERROR(fail_line(line, "the end of the object", err));
    }
    if (!is_count(values[FEATURE], feature) || !is_count(values[RANK], rank) ||
        !ss__parse_double(values[ACTIVATION].data, values[ACTIVATION].n_bytes, &activation) ||
        activation != (double)top->activation) {
        SS_RETURN_IF_ERROR(fail_line(line, "the same texts as in " SS_FOLDER_FILE_TOP, err));
    }
    if (!ss__parse_u64(values[ROW].data, values[ROW].n_bytes, &top->row)) {
        SS_RETURN_IF_ERROR(fail_line(line, "the number of a row", err));
    }
    return keep_note(run, values[FILE_NAME], values[KEPT], top, err);
}

/* The next line of what is left; false at the end. */
static bool next_line(const char **at, const char *end, struct line *line)
{
    if (*at == end) {
        return false;
    }
    const char *feed = memchr(*at, '\n', (size_t)(end - *at));
    line->scan = (struct ss_format_scan){.at = *at, .end = feed == NULL ? end : feed};
    line->number++;
    *at = feed == NULL ? end : feed + 1;
    return true;
}

ss_status ss_folder_top_texts_read(struct ss_run *run, const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__map map = {0};
    struct line line = {.path = path};
    SS_TRY(ss__file_map(path, &map, err));
    const char *at = (const char *)map.data, *end = at + map.n_bytes;
    if (map.n_bytes > 0 && ss__utf8_valid_prefix(at, map.n_bytes) != map.n_bytes) {
        SS_FAIL_FILE(path, SS_E_DATA, "this is not valid UTF-8");
    }
    for (size_t f = 0; f < run->info.n_features; f++) {
        SS_TRY(ss__check_stop(run->asking, err));
        for (size_t rank = 0; rank < run->features[f].n_top; rank++) {
            if (!next_line(&at, end, &line)) {
                SS_FAIL_FILE(path, SS_E_DATA, "there are fewer lines than texts in %s",
                             SS_FOLDER_FILE_TOP);
            }
            SS_TRY(read_line(run, &line, f, rank, err));
        }
    }
    if (at != end) {
        SS_FAIL_FILE(path, SS_E_DATA, "there are more lines than texts in %s",
                     SS_FOLDER_FILE_TOP);
    }
out:
    ss__map_release(&map);
    return status;
}
