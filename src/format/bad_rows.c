/* Rows that could not be read and were left out: how many of each kind, and which. Counts are
 * of all, the list has the first of them, so that a file that is all wrong does not fill
 * memory. */
#include "format/bad_rows.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"

const char *ss_format_fault_name(ss_format_fault fault)
{
    static const char *const names[SS_FORMAT_N_FAULTS] = {
        [SS_FORMAT_FAULT_NONE] = "",
        [SS_FORMAT_FAULT_SYNTAX] = "malformed JSON",
        [SS_FORMAT_FAULT_NO_ROW] = "not a row",
        [SS_FORMAT_FAULT_TYPE] = "wrong type",
        [SS_FORMAT_FAULT_REPEATED] = "column twice",
        [SS_FORMAT_FAULT_LONG_ROW] = "too many fields",
        [SS_FORMAT_FAULT_QUOTE] = "bad quoting",
        [SS_FORMAT_FAULT_TOO_LARGE] = "too large",
        [SS_FORMAT_FAULT_ENCODING] = "undecodable",
    };
    return names[fault];
}

ss_status ss_format_bad_rows_add(struct ss_format_bad_rows *rows,
                                 const struct ss_format_bad_row *row, ss_err *err)
{
    rows->n_of[row->fault]++;
    rows->n++;
    if (rows->n_listed == SS_FORMAT_MAX_BAD_ROWS) {
        return SS_OK;
    }
    SS_GROW_OR_RETURN(rows->items, rows->capacity, rows->n_listed + 1);
    struct ss_format_bad_row *place = &rows->items[rows->n_listed];
    *place = *row;
    place->problem = ss__arena_strndup(&rows->arena, row->problem, strlen(row->problem));
    if (place->problem == NULL) {
        return ss__fail_nomem(err, "rows that are left out");
    }
    rows->n_listed++;
    return SS_OK;
}

/* Once, and as one line: thousands of bad rows would drown what else is said. */
void ss_format_bad_rows_say(struct ss_format_bad_rows *rows, const struct ss_log *log)
{
    struct ss__buf list = {0};
    if (rows->n == 0 || rows->is_said) {
        return;
    }
    rows->is_said = true;
    for (size_t i = 1; i < SS_FORMAT_N_FAULTS; i++) {
        if (rows->n_of[i] > 0) {
            ss__buf_printf(&list, "%s%s %" PRIu64, list.n_bytes == 0 ? "" : ", ",
                           ss_format_fault_name((ss_format_fault)i), rows->n_of[i]);
        }
    }
    const char *text = ss__buf_text(&list);
    ss__log(log, SS_LEVEL_WARNING,
            "%" PRIu64 " %s could not be read and %s left out (%s); the first: %s", rows->n,
            rows->n == 1 ? "row" : "rows", rows->n == 1 ? "was" : "were",
            text == NULL ? "" : text, rows->n_listed == 0 ? "" : rows->items[0].problem);
    ss__buf_release(&list);
}

void ss_format_bad_rows_release(struct ss_format_bad_rows *rows)
{
    ss__free(rows->items);
    ss__arena_release(&rows->arena);
    *rows = (struct ss_format_bad_rows){0};
}
