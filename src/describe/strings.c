/* Strings by number, each embedded once whatever asks for it, and lists of terms. */
#include <math.h>
#include <string.h>

#include "base/stop.h"
#include "describe/describe_priv.h"
#include "tensor/tensor.h"

/* ---- the table ---- */

enum { FIRST_SLOTS = 1024 };

static void put_in_slot(uint32_t *slots, size_t n_slots, uint64_t hash, uint32_t number)
{
    size_t i = hash & (n_slots - 1);
    while (slots[i] != 0) {
        i = (i + 1) & (n_slots - 1);
    }
    slots[i] = number + 1;
}

static ss_status grow_slots(struct ss_describe_strings *strings, ss_err *err)
{
    uint32_t *slots = NULL;
    const size_t n_slots = strings->n_slots == 0 ? FIRST_SLOTS : 2 * strings->n_slots;
    SS_ALLOC_OR_RETURN(slots, n_slots);
    for (size_t i = 0; i < strings->n; i++) {
        put_in_slot(slots, n_slots, ss_describe_hash_text(strings->texts[i]), (uint32_t)i);
    }
    ss__free(strings->slots);
    strings->slots = slots;
    strings->n_slots = n_slots;
    return SS_OK;
}

static uint32_t find_hashed(const struct ss_describe_strings *strings, struct ss_text text,
                            uint64_t hash)
{
    for (size_t i = hash & (strings->n_slots - 1); strings->slots[i] != 0;
         i = (i + 1) & (strings->n_slots - 1)) {
        const uint32_t number = strings->slots[i] - 1;
        if (ss_describe_compare_texts(strings->texts[number], text) == 0) {
            return number;
        }
    }
    return SS_DESCRIBE_NO_STRING;
}

uint32_t ss_describe_strings_find(const struct ss_describe_strings *strings,
                                  struct ss_text text)
{
    return strings->n == 0 ? SS_DESCRIBE_NO_STRING
                           : find_hashed(strings, text, ss_describe_hash_text(text));
}

ss_status ss_describe_strings_add(struct ss_describe_strings *strings, struct ss_text text,
                                  uint32_t *number, ss_err *err)
{
    ss_status status = SS_OK;
    if (strings->n >= strings->n_slots / 2) {
        SS_TRY(grow_slots(strings, err));
    }
    const uint64_t hash = ss_describe_hash_text(text);
    *number = find_hashed(strings, text, hash);
    if (*number != SS_DESCRIBE_NO_STRING) {
        return SS_OK;
    }
    if (strings->n >= SS_DESCRIBE_NO_STRING - 1) {
        SS_FAIL(SS_E_LIMIT, "more than %zu distinct words and phrases", strings->n);
    }
    SS_GROW(strings->texts, strings->room, strings->n + 1);
    const char *copy = ss__arena_strndup(&strings->arena, text.data, text.n_bytes);
    if (copy == NULL) {
        status = ss__fail_nomem(err, "words");
        goto out;
    }
    *number = (uint32_t)strings->n;
    strings->texts[strings->n++] = (struct ss_text){copy, text.n_bytes};
    put_in_slot(strings->slots, strings->n_slots, hash, *number);
out:
    return status;
}

void ss_describe_strings_release(struct ss_describe_strings *strings)
{
    ss__arena_release(&strings->arena);
    ss__free(strings->texts);
    ss__free(strings->slots);
    ss__free(strings->vectors);
    *strings = (struct ss_describe_strings){0};
}

/* ---- vectors ---- */

void ss_describe_normalize(const float *x, size_t width, float *out)
{
    const float length = sqrtf(ss_tensor_sum_squares(x, width));
    const float factor = length > 0 ? length : 1;
    for (size_t k = 0; k < width; k++) {
        out[k] = x[k] / factor;
    }
}

enum { BATCH_TEXTS = 512, BATCH_BYTES = 1 << 18 };

ss_status ss_describe_embed_all(const struct ss_describe_batch *batch, float *out, ss_err *err)
{
    struct ss__asking asking = {.stop = batch->stop};
    struct ss__step step;
    size_t done = 0;
    ss__step_begin(&step, batch->stop, batch->step, "text");
    while (done < batch->n) {
        size_t n = 0;
        size_t n_bytes = 0;
        while (done + n < batch->n && n < BATCH_TEXTS && n_bytes < BATCH_BYTES) {
            n_bytes += batch->texts[done + n].n_bytes;
            n++;
        }
        SS_RETURN_IF_ERROR(ss__check_stop(&asking, err));
        SS_RETURN_IF_ERROR(batch->embedder->embed(batch->embedder->user, batch->texts + done, n,
                                                  out + done * batch->embedder->width, err));
        done += n;
        if (batch->step != NULL) {
            SS_RETURN_IF_ERROR(ss__step_tell(&step, done, batch->n, err));
        }
    }
    return SS_OK;
}

ss_status ss_describe_strings_embed(struct ss_describe_strings *strings, ss_err *err)
{
    const size_t width = strings->embedder.width;
    const size_t first = strings->n_embedded;
    const struct ss_describe_batch batch = {.embedder = &strings->embedder,
                                            .texts = strings->texts + first,
                                            .n = strings->n - first,
                                            .stop = strings->stop,
                                            .step = strings->step};
    if (batch.n == 0) {
        return SS_OK;
    }
    SS_GROW_OR_RETURN(strings->vectors, strings->vectors_room, strings->n * width);
    float *new = strings->vectors + first *width;
    SS_RETURN_IF_ERROR(ss_describe_embed_all(&batch, new, err));
    for (size_t i = 0; i < batch.n && !strings->keeps_lengths; i++) {
        ss_describe_normalize(new + i *width, width, new + i *width);
    }
    strings->n_embedded = strings->n;
    return SS_OK;
}

/* ---- lists of terms ---- */

ss_status ss_describe_terms_init(struct ss_describe_terms *terms, size_t n_features,
                                 ss_err *err)
{
    *terms = (struct ss_describe_terms){.n_features = n_features};
    SS_ALLOC_OR_RETURN(terms->offsets, n_features + 1);
    return SS_OK;
}

ss_status ss_describe_terms_add(struct ss_describe_terms *terms, size_t *n, struct ss_text text,
                                double weight, ss_err *err)
{
    ss_status status = SS_OK;
    SS_GROW(terms->terms, terms->terms_room, *n + 1);
    const char *copy = ss__arena_strndup(&terms->arena, text.data, text.n_bytes);
    if (copy == NULL) {
        status = ss__fail_nomem(err, "terms");
        goto out;
    }
    terms->terms[(*n)++] = (struct ss_describe_term){{copy, text.n_bytes}, weight};
out:
    return status;
}

void ss_describe_terms_release(struct ss_describe_terms *terms)
{
    ss__free(terms->offsets);
    ss__free(terms->terms);
    ss__arena_release(&terms->arena);
    *terms = (struct ss_describe_terms){0};
}
