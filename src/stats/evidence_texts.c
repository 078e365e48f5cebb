/* The texts that some list holds: a table in memory, and a record of each in a file without a
 * name, which only grows until it is compacted. Records are gathered in `pending` and written a
 * megabyte at a time, each whole, so that a record is either in the file or in memory.
 *
 * A record is features, activations, embedding, text and kept columns one behind the other,
 * numbers first so that they are aligned where the record is. */
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/temporary.h"
#include "stats/evidence_priv.h"

enum { MIN_BUCKETS = 1 << 10, COMPACT_SLACK_BYTES = 16 << 20, PENDING_BYTES = 1 << 20 };

/* A cryptographic hash, so that what is sampled has nothing to do with what a text says; and
 * one that anybody can compute, so that a sample can be checked. Equal rows without a text are
 * told apart by number. */
struct ss_stats_key ss_stats_key_of(uint64_t seed, struct ss_text text, uint64_t number)
{
    uint8_t digest[SS__SHA256_BYTES], before[8], of_number[8];
    struct ss_stats_key key = {0, 0};
    for (size_t i = 0; i < 8; i++) {
        before[i] = (uint8_t)(seed >> 8 * i);
        of_number[i] = (uint8_t)(number >> 8 * i);
    }
    if (text.n_bytes == 0) {
        text = (struct ss_text){(const char *)of_number, sizeof of_number};
    }
    ss__sha256_of((struct ss_text){(const char *)before, seed == 0 ? 0 : sizeof before}, text,
                  digest);
    for (size_t i = 0; i < 8; i++) {
        key.key = key.key << 8 | digest[i];
        key.rest = key.rest << 8 | digest[8 + i];
    }
    return key;
}

/* By half, then key: the order in which texts are saved. */
int ss_stats_held_compare(const struct ss_stats_held *a, const struct ss_stats_held *b)
{
    const int half_a = ss_stats_key_half(a->key), half_b = ss_stats_key_half(b->key);
    const int by_key = ss_stats_key_compare(a->key, b->key);
    return half_a != half_b ? half_a - half_b
           : by_key != 0    ? by_key
                            : (a->variant > b->variant) - (a->variant < b->variant);
}

/* The handle is the descriptor + 1, so that a zeroed struct has none. */
ss_status ss_stats_held_open(struct ss_stats_held_texts *texts, size_t width, ss_err *err)
{
    int descriptor = -1;
    *texts = (struct ss_stats_held_texts){.width = width};
    const ss_status status = ss__temporary_unnamed(&descriptor, err);
    texts->handle = status == SS_OK ? descriptor + 1 : 0;
    return status;
}

void ss_stats_held_close(struct ss_stats_held_texts *texts)
{
    if (texts->handle > 0) {
        close(texts->handle - 1);
    }
    ss__free(texts->slots);
    ss__free(texts->buckets);
    ss__buf_release(&texts->pending);
    *texts = (struct ss_stats_held_texts){0};
}

/* 4 bytes a feature, 4 an activation. */
static uint64_t record_bytes(const struct ss_stats_held_texts *texts,
                             const struct ss_stats_held *held)
{
    return (uint64_t)held->n_text + held->n_kept + 8 * (uint64_t)held->n_active +
           4 * (uint64_t)texts->width;
}

/* ---- the table ---- */

/* Keys are random bits already; those of equal texts with unequal embeddings share a chain. */
static uint32_t *bucket_of(const struct ss_stats_held_texts *texts, struct ss_stats_key key)
{
    return &texts->buckets[key.rest & (texts->n_buckets - 1)];
}

uint32_t ss_stats_held_find(const struct ss_stats_held_texts *texts, struct ss_stats_key key,
                            uint64_t variant)
{
    uint32_t at = texts->n_buckets == 0 ? 0 : *bucket_of(texts, key);
    while (at > 0) {
        const struct ss_stats_held *held = &texts->slots[at - 1];
        if (ss_stats_key_compare(held->key, key) == 0 && held->variant == variant) {
            return at - 1;
        }
        at = held->next;
    }
    return SS_STATS_NO_TEXT;
}

static ss_status grow_buckets(struct ss_stats_held_texts *texts, ss_err *err)
{
    uint32_t *buckets = NULL;
    const size_t n = texts->n_buckets == 0 ? MIN_BUCKETS : 2 * texts->n_buckets;
    SS_ALLOC_OR_RETURN(buckets, n);
    ss__free(texts->buckets);
    texts->buckets = buckets;
    texts->n_buckets = n;
    for (size_t i = 0; i < texts->n_slots; i++) {
        struct ss_stats_held *held = &texts->slots[i];
        if (held->n_lists > 0 || held->count > 0) {
            uint32_t *bucket = bucket_of(texts, held->key);
            held->next = *bucket;
            *bucket = (uint32_t)i + 1;
        }
    }
    return SS_OK;
}

/* Ids are 32 bits, of which one stands for none. */
static ss_status take_slot(struct ss_stats_held_texts *texts, uint32_t *slot, ss_err *err)
{
    if (texts->n_held >= texts->n_buckets) {
        SS_RETURN_IF_ERROR(grow_buckets(texts, err));
    }
    if (texts->free_slots > 0) {
        *slot = texts->free_slots - 1;
        texts->free_slots = texts->slots[*slot].next;
        return SS_OK;
    }
    if (texts->n_slots >= SS_STATS_NO_TEXT - 1) {
        return ss__fail(err, SS_E_LIMIT, "evidence of %u texts or more", SS_STATS_NO_TEXT - 1);
    }
    SS_GROW_OR_RETURN(texts->slots, texts->slots_capacity, texts->n_slots + 1);
    *slot = (uint32_t)texts->n_slots++;
    return SS_OK;
}

void ss_stats_held_forget(struct ss_stats_held_texts *texts, uint32_t slot)
{
    struct ss_stats_held *held = &texts->slots[slot];
    uint32_t *link = bucket_of(texts, held->key);
    while (*link != slot + 1) {
        link = &texts->slots[*link - 1].next;
    }
    *link = held->next;
    texts->n_live -= record_bytes(texts, held);
    *held = (struct ss_stats_held){.next = texts->free_slots};
    texts->free_slots = slot + 1;
    texts->n_held--;
}

/* ---- records ---- */

static ss_status flush(struct ss_stats_held_texts *texts, ss_err *err)
{
    struct ss__buf *pending = &texts->pending;
    const ss_status status =
        ss__write_all_at(texts->handle - 1, SS__TEMPORARY_UNNAMED, pending->data,
                         pending->n_bytes, texts->n_file - pending->n_bytes, err);
    pending->n_bytes = 0;
    return status;
}

/* Its place is known before it is written: n_file counts what is pending, too. */
static ss_status put_record(struct ss_stats_held_texts *texts, struct ss_stats_held *held,
                            const struct ss_stats_arrival *text, ss_err *err)
{
    struct ss__buf *pending = &texts->pending;
    const size_t n_before = pending->n_bytes;
    if (text->text.n_bytes > UINT32_MAX || text->kept.n_bytes > UINT32_MAX) {
        return ss__fail(err, SS_E_LIMIT, "a text of 4 GiB or more in the evidence");
    }
    held->n_text = (uint32_t)text->text.n_bytes;
    held->n_kept = (uint32_t)text->kept.n_bytes;
    held->n_active = (uint32_t)text->n_active;
    ss__buf_add(pending, text->features, text->n_active * sizeof *text->features);
    ss__buf_add(pending, text->activations, text->n_active * sizeof *text->activations);
    ss__buf_add(pending, text->embedding, texts->width * sizeof *text->embedding);
    ss__buf_add(pending, text->text.data, text->text.n_bytes);
    ss__buf_add(pending, text->kept.data, text->kept.n_bytes);
    SS_RETURN_IF_ERROR(ss__buf_check(pending, err));
    held->offset = texts->n_file;
    texts->n_file += pending->n_bytes - n_before;
    texts->n_live += pending->n_bytes - n_before;
    if (pending->n_bytes >= PENDING_BYTES) {
        SS_RETURN_IF_ERROR(flush(texts, err));
    }
    return SS_OK;
}

ss_status ss_stats_held_add(struct ss_stats_held_texts *texts,
                            const struct ss_stats_arrival *text, uint32_t *slot, ss_err *err)
{
    struct ss_stats_held made = {.key = text->key,
                                 .variant = text->variant,
                                 .row = text->position.row,
                                 .file = text->position.file};
    SS_RETURN_IF_ERROR(put_record(texts, &made, text, err));
    SS_RETURN_IF_ERROR(take_slot(texts, slot, err));
    uint32_t *bucket = bucket_of(texts, made.key);
    made.next = *bucket;
    texts->slots[*slot] = made;
    *bucket = *slot + 1;
    texts->n_held++;
    return SS_OK;
}

/* The earliest row speaks for a text, whatever order rows come in, so that its position and
 * kept columns depend on no order. The old record stays in the file until it is compacted. */
ss_status ss_stats_held_count(struct ss_stats_held_texts *texts, uint32_t slot,
                              const struct ss_stats_arrival *text, uint64_t count, ss_err *err)
{
    struct ss_stats_held *held = &texts->slots[slot];
    const struct ss_stats_position at = text->position;
    held->count += count;
    if (at.file < held->file || (at.file == held->file && at.row < held->row)) {
        const uint64_t n_bytes = record_bytes(texts, held);
        SS_RETURN_IF_ERROR(put_record(texts, held, text, err));
        texts->n_live -= n_bytes;
        held->file = at.file;
        held->row = at.row;
    }
    return SS_OK;
}

/* A record, wherever it is. */
static ss_status read_record(const struct ss_stats_held_texts *texts,
                             const struct ss_stats_held *held, void *out, ss_err *err)
{
    const size_t n_bytes = (size_t)record_bytes(texts, held);
    const uint64_t n_flushed = texts->n_file - texts->pending.n_bytes;
    if (held->offset < n_flushed) { /* records are flushed whole */
        return ss__read_all_at(texts->handle - 1, SS__TEMPORARY_UNNAMED, out, n_bytes,
                               held->offset, err);
    }
    if (n_bytes > 0) {
        memcpy(out, texts->pending.data + (held->offset - n_flushed), n_bytes);
    }
    return SS_OK;
}

ss_status ss_stats_held_read(const struct ss_stats_held_texts *texts, uint32_t slot,
                             struct ss__buf *memory, struct ss_stats_arrival *out, ss_err *err)
{
    const struct ss_stats_held *held = &texts->slots[slot];
    const size_t n_bytes = (size_t)record_bytes(texts, held);
    memory->n_bytes = 0;
    char *data = ss__buf_reserve(memory, n_bytes + 1);
    if (data == NULL) {
        return ss__fail_nomem(err, "a text of the evidence");
    }
    SS_RETURN_IF_ERROR(read_record(texts, held, data, err));
    memory->n_bytes = n_bytes;
    const size_t n_codes = 4 * (size_t)held->n_active;
    const char *text = data + 2 * n_codes + 4 * texts->width;
    *out = (struct ss_stats_arrival){
        .key = held->key,
        .variant = held->variant,
        .position = {held->file, held->row},
        .text = {text, held->n_text},
        .kept = {text + held->n_text, held->n_kept},
        .n_active = held->n_active,
        .features = (const uint32_t *)(const void *)data,
        .activations = (const float *)(const void *)(data + n_codes),
        .embedding = (const float *)(const void *)(data + 2 * n_codes),
    };
    return SS_OK;
}

/* Where less than half of the file is live, and not for a few megabytes: each record is then
 * copied once for each time that the file doubles. */
ss_status ss_stats_held_compact(struct ss_stats_held_texts *texts, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf record = {0};
    int descriptor = -1;
    uint64_t at = 0;
    if (texts->n_file <= 2 * texts->n_live + COMPACT_SLACK_BYTES) {
        return SS_OK;
    }
    SS_TRY(flush(texts, err));
    SS_TRY(ss__temporary_unnamed(&descriptor, err));
    for (size_t i = 0; i < texts->n_slots; i++) {
        struct ss_stats_held *held = &texts->slots[i];
        const size_t n_bytes = (size_t)record_bytes(texts, held);
        if (held->n_lists == 0) {
            continue;
        }
        record.n_bytes = 0;
        char *data = ss__buf_reserve(&record, n_bytes + 1);
        if (data == NULL) {
            SS_TRY(ss__fail_nomem(err, "a text of the evidence"));
        }
        SS_TRY(read_record(texts, held, data, err));
        SS_TRY(ss__write_all_at(descriptor, SS__TEMPORARY_UNNAMED, data, n_bytes, at, err));
        held->offset = at;
        at += n_bytes;
    }
    close(texts->handle - 1);
    texts->handle = descriptor + 1;
    texts->n_file = texts->n_live = at;
    descriptor = -1;
out:
    if (descriptor >= 0) {
        close(descriptor);
    }
    ss__buf_release(&record);
    return status;
}
