#include "dataset/listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "dataset/dataset_priv.h"

void ss__add_column_name(struct ss__buf *out, const struct ss_text *name)
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

static int compare_names(const void *a, const void *b)
{
    const struct ss_text *left = a, *right = b;
    const size_t n = ss__min_size(left->n_bytes, right->n_bytes);
    const int order = n == 0 ? 0 : memcmp(left->data, right->data, n);
    return order != 0 ? order
                      : (left->n_bytes > right->n_bytes) - (left->n_bytes < right->n_bytes);
}

bool ss__names_repeat(struct ss_text *names, size_t n)
{
    bool repeat = false;
    qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 1; i < n; i++) {
        repeat |= compare_names(&names[i - 1], &names[i]) == 0;
    }
    return repeat;
}

void ss__add_json_bytes(struct ss__buf *out, const struct ss_text *bytes)
{
    static const char digits[] = "0123456789abcdef";
    if (ss__utf8_valid_prefix(bytes->data, bytes->n_bytes) == bytes->n_bytes) {
        ss__add_json_text(out, bytes->data, bytes->n_bytes);
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
