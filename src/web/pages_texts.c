/* The distinct texts that pages show, and their arrays:
 *
 *   texts_0000, texts_0001, …  the UTF-8 of 256 texts each, one behind the other
 *   text_bytes      of each text what is shown
 *   text_lengths    how long it is
 *   text_rows, text_counts    the first row that has it, how many have it; -1, 0: not known
 *   text_files, text_kept     a line each: the name of its file; columns kept as JSON
 *
 * Chunks are small enough to be read when a page needs them, and large enough to compress. */
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"
#include "web/pages_priv.h"

enum { CHUNK_TEXTS = 256, FIRST_SLOTS = 1024, NAME_BYTES = 32 };

static ss_status grow_slots(struct ss_web_texts *texts, ss_err *err)
{
    const size_t n_slots = texts->n_slots == 0 ? FIRST_SLOTS : texts->n_slots * 2;
    uint32_t *slots = NULL;
    SS_ALLOC_OR_RETURN(slots, n_slots);
    for (size_t i = 0; i < texts->n; i++) {
        const struct ss_text text = texts->items[i].text;
        size_t at = ss__hash64(text.data, text.n_bytes) & (n_slots - 1);
        while (slots[at] != 0) {
            at = (at + 1) & (n_slots - 1);
        }
        slots[at] = (uint32_t)(i + 1);
    }
    ss__free(texts->slots);
    texts->slots = slots;
    texts->n_slots = n_slots;
    return SS_OK;
}

static void learn(struct ss_web_text *known, const struct ss_web_text *text)
{
    if (known->row == SS_NOWHERE) {
        known->row = text->row;
        known->file = text->file;
    }
    if (known->count == 0) {
        known->count = text->count;
    }
    if (known->kept.n_bytes == 0) {
        known->kept = text->kept;
    }
}

struct ss_web_text ss_web_text_of_evidence(const struct ss_folder_evidence *evidence,
                                           size_t row)
{
    return (struct ss_web_text){.text = evidence->texts[row],
                                .row = evidence->positions[row],
                                .count = evidence->counts[row],
                                .kept = evidence->kept[row],
                                .file = evidence->files[row]};
}

/* The slot of a text, or the empty one where it would be. */
static size_t slot_of(const struct ss_web_texts *texts, struct ss_text text)
{
    size_t at = ss__hash64(text.data, text.n_bytes) & (texts->n_slots - 1);
    for (; texts->slots[at] != 0; at = (at + 1) & (texts->n_slots - 1)) {
        const struct ss_text known = texts->items[texts->slots[at] - 1].text;
        if (known.n_bytes == text.n_bytes && memcmp(known.data, text.data, text.n_bytes) == 0) {
            break;
        }
    }
    return at;
}

bool ss_web_texts_find(const struct ss_web_texts *texts, struct ss_text text, uint32_t *number)
{
    const size_t at = texts->n_slots == 0 ? 0 : slot_of(texts, text);
    if (texts->n_slots == 0 || texts->slots[at] == 0) {
        return false;
    }
    *number = texts->slots[at] - 1;
    return true;
}

ss_status ss_web_texts_add(struct ss_web_texts *texts, const struct ss_web_text *text,
                           uint32_t *number, ss_err *err)
{
    if (texts->n_slots / 2 <= texts->n) {
        SS_RETURN_IF_ERROR(grow_slots(texts, err));
    }
    const size_t at = slot_of(texts, text->text);
    if (texts->slots[at] != 0) {
        *number = texts->slots[at] - 1;
        learn(&texts->items[*number], text);
        return SS_OK;
    }
    if (texts->n >= INT32_MAX) {
        return ss__fail(err, SS_E_LIMIT, "more than 2^31 texts");
    }
    SS_GROW_OR_RETURN(texts->items, texts->capacity, texts->n + 1);
    texts->items[texts->n] = *text;
    *number = (uint32_t)texts->n;
    texts->slots[at] = (uint32_t)++texts->n;
    return SS_OK;
}

void ss_web_texts_release(struct ss_web_texts *texts)
{
    ss__free(texts->items);
    ss__free(texts->slots);
    *texts = (struct ss_web_texts){0};
}

size_t ss_web_excerpt_bytes(struct ss_text text, size_t n_chars)
{
    size_t n_bytes = 0, n = 0;
    for (; n_bytes < text.n_bytes && n_chars > 0; n_bytes++) {
        const bool is_first = ((unsigned char)text.data[n_bytes] & 0xC0) != 0x80;
        if (is_first && n++ == n_chars) {
            return n_bytes;
        }
    }
    return text.n_bytes;
}

/* ---- arrays ---- */

static ss_status put_chunks(const struct ss_web_texts *texts, const uint32_t *n_bytes,
                            struct ss_web_zip *zip, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf chunk = {0};
    char name[NAME_BYTES];
    for (size_t i = 0; i < texts->n; i++) {
        ss__buf_add(&chunk, texts->items[i].text.data, n_bytes[i]);
        if ((i + 1) % CHUNK_TEXTS == 0 || i + 1 == texts->n) {
            ss__snprintf(name, sizeof name, "texts_%04zu", i / CHUNK_TEXTS);
            SS_TRY(ss__buf_check(&chunk, err));
            SS_TRY(ss_web_zip_add_array(zip, name, "|u1", chunk.data, chunk.n_bytes, err));
            chunk.n_bytes = 0;
        }
    }
out:
    ss__buf_release(&chunk);
    return status;
}

/* A line of JSON a text; nothing where no column was kept. */
static ss_status put_kept(const struct ss_web_texts *texts, struct ss_web_zip *zip, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf lines = {0};
    size_t n_kept = 0;
    for (size_t i = 0; i < texts->n; i++) {
        n_kept += texts->items[i].kept.n_bytes > 0;
        ss__buf_add(&lines, texts->items[i].kept.data, texts->items[i].kept.n_bytes);
        ss__buf_add_byte(&lines, '\n');
    }
    SS_TRY(ss__buf_check(&lines, err));
    if (n_kept > 0) {
        SS_TRY(ss_web_zip_add_array(zip, "text_kept", "|u1", lines.data, lines.n_bytes, err));
    }
out:
    ss__buf_release(&lines);
    return status;
}

/* The name of each text's file, without folders; nothing where none is known. */
static ss_status put_files(const struct ss_web_texts *texts, struct ss_web_zip *zip,
                           ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf lines = {0};
    size_t n_files = 0;
    for (size_t i = 0; i < texts->n; i++) {
        const struct ss_text file = texts->items[i].file;
        size_t at = file.n_bytes;
        n_files += file.n_bytes > 0;
        while (at > 0 && file.data[at - 1] != '/') {
            at--;
        }
        for (; at < file.n_bytes; at++) {
            ss__buf_add_byte(&lines, file.data[at] == '\n' ? ' ' : file.data[at]);
        }
        ss__buf_add_byte(&lines, '\n');
    }
    SS_TRY(ss__buf_check(&lines, err));
    if (n_files > 0) {
        SS_TRY(ss_web_zip_add_array(zip, "text_files", "|u1", lines.data, lines.n_bytes, err));
    }
out:
    ss__buf_release(&lines);
    return status;
}

static ss_status put_facts(const struct ss_web_texts *texts, struct ss_web_zip *zip,
                           ss_err *err)
{
    ss_status status = SS_OK;
    double *rows = NULL;
    uint32_t *counts = NULL, *lengths = NULL;
    SS_ALLOC(rows, texts->n);
    SS_ALLOC(counts, texts->n);
    SS_ALLOC(lengths, texts->n);
    for (size_t i = 0; i < texts->n; i++) {
        const struct ss_web_text *text = &texts->items[i];
        rows[i] = text->row == SS_NOWHERE ? -1 : (double)text->row;
        counts[i] = text->count > UINT32_MAX ? UINT32_MAX : (uint32_t)text->count;
        lengths[i] = (uint32_t)text->text.n_bytes;
    }
    SS_TRY(ss_web_zip_add_array(zip, "text_rows", "<f8", rows, texts->n, err));
    SS_TRY(ss_web_zip_add_array(zip, "text_counts", "<u4", counts, texts->n, err));
    SS_TRY(ss_web_zip_add_array(zip, "text_lengths", "<u4", lengths, texts->n, err));
out:
    ss__free(rows);
    ss__free(counts);
    ss__free(lengths);
    return status;
}

ss_status ss_web_texts_put(const struct ss_web_texts *texts, size_t n_chars, bool no_texts,
                           struct ss_web_zip *zip, ss_err *err)
{
    ss_status status = SS_OK;
    uint32_t *n_bytes = NULL;
    SS_ALLOC(n_bytes, texts->n);
    for (size_t i = 0; i < texts->n && !no_texts; i++) {
        n_bytes[i] = (uint32_t)ss_web_excerpt_bytes(texts->items[i].text, n_chars);
    }
    SS_TRY(put_facts(texts, zip, err));
    SS_TRY(put_files(texts, zip, err));
    SS_TRY(ss_web_zip_add_array(zip, "text_bytes", "<u4", n_bytes, texts->n, err));
    if (!no_texts) {
        SS_TRY(put_kept(texts, zip, err));
        SS_TRY(put_chunks(texts, n_bytes, zip, err));
    }
out:
    ss__free(n_bytes);
    return status;
}
