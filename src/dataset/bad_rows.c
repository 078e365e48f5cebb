/* Rows that could not be read and were left out: how many of each kind, and which. */
#include "dataset/bad_rows.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"

const char *ss__fault_name(ss__fault fault)
{
    static const char *const names[SS__N_FAULTS] = {
        [SS__FAULT_NONE] = "",
        [SS__FAULT_SYNTAX] = "malformed JSON",
        [SS__FAULT_NO_ROW] = "not a row",
        [SS__FAULT_TYPE] = "wrong type",
        [SS__FAULT_REPEATED] = "column twice",
        [SS__FAULT_LONG_ROW] = "too many fields",
        [SS__FAULT_QUOTE] = "bad quoting",
        [SS__FAULT_TOO_LARGE] = "too large",
        [SS__FAULT_ENCODING] = "undecodable",
    };
    return names[fault];
}

ss_status ss__bad_rows_add(struct ss__bad_rows *rows, const struct ss__bad_row *row,
                           ss_err *err)
{
    ss_status status = SS_OK;
    rows->n_of[row->fault]++;
    rows->n++;
    if (rows->n_listed == SS__MAX_BAD_ROWS) {
        goto out;
    }
    SS_GROW(rows->items, rows->room, rows->n_listed + 1);
    struct ss__bad_row *place = &rows->items[rows->n_listed];
    *place = *row;
    place->problem = ss__arena_strndup(&rows->arena, row->problem, strlen(row->problem));
    if (place->problem == NULL) {
        SS_TRY(ss__fail_nomem(err, "rows that are left out"));
    }
    rows->n_listed++;
out:
    return status;
}

void ss__bad_rows_say(struct ss__bad_rows *rows, const struct ss_log *log)
{
    struct ss__buf list = {0};
    if (rows->n == 0 || rows->is_said) {
        return;
    }
    rows->is_said = true;
    for (size_t i = 1; i < SS__N_FAULTS; i++) {
        if (rows->n_of[i] > 0) {
            ss__buf_printf(&list, "%s%s %" PRIu64, list.n_bytes == 0 ? "" : ", ",
                           ss__fault_name((ss__fault)i), rows->n_of[i]);
        }
    }
    const char *text = ss__buf_text(&list);
    ss__log(log, SS_LEVEL_WARNING,
            "%" PRIu64 " rows could not be read and were left out (%s); the first: %s", rows->n,
            text == NULL ? "" : text, rows->n_listed == 0 ? "" : rows->items[0].problem);
    ss__buf_release(&list);
}

void ss__bad_rows_release(struct ss__bad_rows *rows)
{
    ss__free(rows->items);
    ss__arena_release(&rows->arena);
    *rows = (struct ss__bad_rows){0};
}
