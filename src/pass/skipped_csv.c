/* skipped_rows.csv: the rows of the dataset that could not be read, where such rows are left
 * out (docs/formats.md). */
#include <inttypes.h>
#include <string.h>

#include "base/output.h"
#include "folder/results.h"
#include "pass/facts.h"

/* In quotes where it has to be. */
static void add_field(struct ss__buf *buf, const char *text)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        ss__buf_add_text(buf, text);
        return;
    }
    ss__buf_add_byte(buf, '"');
    for (; *text != '\0'; text++) {
        ss__buf_add(buf, "\"\"", *text == '"');
        ss__buf_add_byte(buf, *text);
    }
    ss__buf_add_byte(buf, '"');
}

ss_status ss_pass_skipped_csv_write(const struct ss_pass_facts *facts, const char *path,
                                    ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf buf = {0};
    ss__buf_add_text(&buf, "file,row,reason,problem\n");
    for (size_t i = 0; i < facts->n_bad; i++) {
        const struct ss_pass_bad_row *row = &facts->bad[i];
        add_field(&buf, ss_pass_facts_file(facts, row->file));
        ss__buf_printf(&buf, ",%" PRIu64 ",%s,", ss_pass_facts_row(facts, row->file, row->row),
                       ss_format_fault_name(row->fault));
        add_field(&buf, row->problem);
        ss__buf_add_byte(&buf, '\n');
    }
    SS_TRY(ss__buf_check(&buf, err));
    SS_TRY(ss__file_write(path, buf.data, buf.n_bytes, err));
out:
    ss__buf_release(&buf);
    return status;
}
