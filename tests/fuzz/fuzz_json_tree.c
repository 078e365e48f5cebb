/* JSON documents as trees; what was read is written, and must be read again. */
#include <stdlib.h>

#include "base/json_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    ss_err err;
    struct ss__json *json = NULL, *again = NULL;
    struct ss__buf text = {0};
    if (ss__json_parse("fuzz", (const char *)data, n, &json, &err) == SS_OK) {
        ss__json_add_value(&text, json, n % 2 == 0);
        if (ss__json_parse("again", text.data, text.n_bytes, &again, &err) != SS_OK) {
            abort();
        }
    }
    ss__json_free(json);
    ss__json_free(again);
    ss__buf_release(&text);
    return 0;
}
