/* Parts that answers have in common. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sort.h"
#include "web/viewer_priv.h"

/* ---- refusals ---- */

void ss_web_refuse(struct ss_web_call *call, int status, const char *detail)
{
    ss_web_problem(call->response, status, detail);
}

/* A model that was moved may come back, which is why most is for now. */
void ss_web_refuse_error(struct ss_web_call *call, const ss_err *err)
{
    const int status = err->code == SS_E_USAGE         ? 400
                       : err->code == SS_E_UNSUPPORTED ? 404
                                                       : 503;
    ss_web_problem(call->response, status, err->message);
}

/* ---- numbers and texts ---- */

/* As features.csv has it: widened to a double. */
void ss_web_put_float(struct ss__json_writer *writer, const char *key, float value)
{
    ss__put_number(writer, key, (double)value);
}

void ss_web_put_finite(struct ss__json_writer *writer, const char *key, double value)
{
    if (isfinite(value)) {
        ss__put_number(writer, key, value);
    } else {
        ss__put_null(writer, key);
    }
}

struct active {
    uint32_t feature;
    float value;
};

static int by_activation(const void *left, const void *right)
{
    const struct active *a = left, *b = right;
    if (a->value != b->value) {
        return a->value > b->value ? -1 : 1;
    }
    return (a->feature > b->feature) - (a->feature < b->feature);
}

ss_status ss_web_put_active(struct ss__json_writer *writer, const struct ss_sparse *codes,
                            size_t row, size_t most, ss_err *err)
{
    const size_t first = codes->offsets[row], n = codes->offsets[row + 1] - first;
    struct active *active = NULL;
    SS_ALLOC_OR_RETURN(active, n);
    for (size_t i = 0; i < n; i++) {
        active[i] = (struct active){codes->features[first + i], codes->values[first + i]};
    }
    ss__sort(active, n, sizeof *active, by_activation);
    ss__put_count(writer, "n_active", n);
    ss__put_open(writer, "features", '[');
    for (size_t i = 0; i < n && i < most; i++) {
        ss__put_open(writer, NULL, '{');
        ss__put_count(writer, "feature", active[i].feature);
        ss_web_put_float(writer, "activation", active[i].value);
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
    ss__free(active);
    return SS_OK;
}

void ss_web_put_where(struct ss__json_writer *writer, const struct ss_folder_evidence *evidence,
                      size_t text)
{
    ss__put_count(writer, "row", evidence->positions[text]);
    ss__put_string(writer, "file", evidence->files[text]);
    ss__put_string(writer, "text", evidence->texts[text]);
}
