/* Names and values as messages and rows show them. */
#include "format/listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/sort.h"
#include "base/utf8.h"
#include "format/reader.h"

void ss_format_add_column_name(struct ss__buf *out, const struct ss_text *name)
{
    for (size_t i = 0; i < name->n_bytes; i++) {
        const unsigned char byte = (unsigned char)name->data[i];
        if (byte < 0x20 || byte == 0x7F) {
            ss__buf_printf(out, "\\x%02x", byte);
        } else {
            ss__buf_add_byte(out, name->data[i]);
        }
    }
}

/* By bytes: names may hold NUL. */
static int compare_names(const void *a, const void *b)
{
    const struct ss_text *left = a, *right = b;
    const size_t n = ss__min_size(left->n_bytes, right->n_bytes);
    const int order = n == 0 ? 0 : memcmp(left->data, right->data, n);
    return order != 0 ? order
                      : (left->n_bytes > right->n_bytes) - (left->n_bytes < right->n_bytes);
}

bool ss_format_names_repeat(struct ss_text *names, size_t n)
{
    bool repeat = false;
    ss__sort(names, n, sizeof *names, compare_names);
    for (size_t i = 1; i < n; i++) {
        repeat |= compare_names(&names[i - 1], &names[i]) == 0;
    }
    return repeat;
}

/* Repaired as the text column is, so that a row shows the same text. */
void ss_format_add_json_text(struct ss__buf *out, const char *text, size_t n_bytes)
{
    struct ss__buf repaired = {0};
    if (ss__utf8_valid_prefix(text, n_bytes) == n_bytes) {
        ss__json_add_string(out, text, n_bytes, false);
        return;
    }
    ss__utf8_repair(text, n_bytes, &repaired);
    out->failed |= repaired.failed;
    ss__json_add_string(out, repaired.data, repaired.n_bytes, false);
    ss__buf_release(&repaired);
}

void ss_format_add_json_bytes(struct ss__buf *out, const struct ss_text *bytes)
{
    static const char digits[] = "0123456789abcdef";
    if (ss__utf8_valid_prefix(bytes->data, bytes->n_bytes) == bytes->n_bytes) {
        ss_format_add_json_text(out, bytes->data, bytes->n_bytes);
        return;
    }
    ss__buf_add_text(out, "{\"hex\": \"");
    for (size_t i = 0; i < bytes->n_bytes; i++) {
        const unsigned char byte = (unsigned char)bytes->data[i];
        ss__buf_add_byte(out, digits[byte >> 4]);
        ss__buf_add_byte(out, digits[byte & 15]);
    }
    ss__buf_add_text(out, "\"}");
}

/* Spaces around a name are none of it; a name that has a comma cannot be given this way. */
ss_status ss_format_split_names(const char *list, char ***names, size_t *n_names, ss_err *err)
{
    size_t capacity = 0;
    for (const char *at = list; at != NULL;) {
        size_t n = strcspn(at, ",");
        const char *next = at[n] == ',' ? at + n + 1 : NULL;
        for (; n > 0 && at[0] == ' '; n--) {
            at++;
        }
        while (n > 0 && at[n - 1] == ' ') {
            n--;
        }
        if (n == 0) {
            return ss__fail(err, SS_E_USAGE, "there is an empty name among the columns '%s'",
                            list);
        }
        SS_GROW_OR_RETURN(*names, capacity, *n_names + 1);
        (*names)[*n_names] = ss__strndup(at, n);
        if ((*names)[*n_names] == NULL) {
            return ss__fail_nomem(err, "a column name");
        }
        ++*n_names;
        at = next;
    }
    return SS_OK;
}
