/* Facts and tables about a path, as ss_inspect gives them out.
 *
 * Whoever adds a fact need not check for memory: failure is kept and told by the one call
 * that finishes the report. Texts come from files that nobody has vouched for, so they are
 * repaired to valid UTF-8 here, once, for everybody who shows them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "run/inspect.h"
#include "saescope_tools.h"

/* Behind report->memory. */
struct memory {
    struct ss__arena arena;
    struct ss__buf text; /* being repaired */
    size_t facts_capacity, cells_capacity, n_cells;
    bool failed;
};

ss_status ss_run_report_init(struct ss_report *report, ss_err *err)
{
    *report = (struct ss_report){0};
    report->memory = ss__alloc(1, sizeof(struct memory));
    return report->memory == NULL ? ss__fail_nomem(err, "a report") : SS_OK;
}

ss_status ss_run_report_finish(struct ss_report *report, ss_err *err)
{
    const struct memory *memory = report->memory;
    if (report->n_table_columns > 0) {
        report->n_table_rows = memory->n_cells / report->n_table_columns;
    }
    return memory->failed ? ss__fail_nomem(err, "a report") : SS_OK;
}

void ss_report_release(struct ss_report *report)
{
    struct memory *memory = report->memory;
    if (memory != NULL) {
        ss__arena_release(&memory->arena);
        ss__buf_release(&memory->text);
    }
    ss__free(memory);
    ss__free(report->facts);
    ss__free((void *)(uintptr_t)report->cells);
    *report = (struct ss_report){0};
}

static const char *keep(struct memory *memory, const char *text, size_t n_bytes)
{
    memory->text.n_bytes = 0;
    (void)ss__utf8_repair(text, n_bytes, &memory->text);
    const char *copy =
        ss__arena_strndup(&memory->arena, memory->text.data, memory->text.n_bytes);
    memory->failed = memory->failed || memory->text.failed || copy == NULL;
    return copy;
}

static void add_fact(struct ss_report *report, const char *name, const char *value,
                     ss_value_kind kind)
{
    struct memory *memory = report->memory;
    void *facts = report->facts;
    const char *copy = keep(memory, value, strlen(value));
    if (copy == NULL || !ss__grow(&facts, &memory->facts_capacity, report->n_facts + 1,
                                  sizeof *report->facts)) {
        memory->failed = true;
        return;
    }
    report->facts = facts;
    report->facts[report->n_facts++] =
        (struct ss_fact){.name = name, .value = copy, .kind = kind};
}

void ss_run_report_text(struct ss_report *report, const char *name, const char *value)
{
    add_fact(report, name, value, SS_VALUE_TEXT);
}

void ss_run_report_count(struct ss_report *report, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    add_fact(report, name, text, SS_VALUE_NUMBER);
}

void ss_run_report_number(struct ss_report *report, const char *name, double value)
{
    char text[SS__DOUBLE_TEXT_BYTES + 1] = {0};
    ss__format_double(value, text);
    add_fact(report, name, text, SS_VALUE_NUMBER);
}

void ss_run_report_bool(struct ss_report *report, const char *name, bool value)
{
    add_fact(report, name, value ? "true" : "false", SS_VALUE_BOOL);
}

void ss_run_report_cell(struct ss_report *report, const char *text, size_t n_bytes)
{
    struct memory *memory = report->memory;
    void *cells = (void *)(uintptr_t)report->cells;
    const char *copy = keep(memory, text, n_bytes);
    if (copy == NULL || !ss__grow(&cells, &memory->cells_capacity, memory->n_cells + 1,
                                  sizeof *report->cells)) {
        memory->failed = true;
        return;
    }
    report->cells = cells;
    report->cells[memory->n_cells++] = copy;
}

void ss_run_report_table(struct ss_report *report, size_t n_columns, const char *const *header,
                         const ss_value_kind *kinds)
{
    report->n_table_columns = n_columns;
    report->kinds = kinds;
    for (size_t i = 0; i < n_columns; i++) {
        ss_run_report_cell(report, header[i], strlen(header[i]));
    }
}

void ss_run_report_truncate(struct ss_report *report, size_t n_facts)
{
    struct memory *memory = report->memory;
    report->n_facts = n_facts;
    report->n_table_columns = 0;
    memory->n_cells = 0;
}
