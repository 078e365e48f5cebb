/* Files of torch.save before its zip form: pickles one after another, then raw numbers.
 *
 *   pickle   the magic number 0x1950a86a20f9469cfc6c
 *   pickle   1001, the protocol of the form
 *   pickle   {"protocol_version": 1001, "little_endian": True, "type_sizes": {…}}
 *   pickle   the saved object, which names storages by key
 *   pickle   the list of these keys, in the order in which they follow
 *   per key  8 bytes: the number of elements; then the elements
 *
 * Nothing may follow. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "weights/pickle_priv.h"

/* As a pickle holds an integer: the lowest byte first. */
static const uint8_t magic[] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

enum { MAGIC_WITHIN_BYTES = 32, PROTOCOL = 1001, COUNT_BYTES = 8 };

bool ss_weights_torch_stream_matches(const struct ss_source_bytes *source)
{
    const size_t n = ss__min_size(source->n_bytes, MAGIC_WITHIN_BYTES);
    return n > 0 && source->data[0] == 0x80 &&
           memmem(source->data, n, magic, sizeof magic) != NULL;
}

/* A file while it is read. */
struct stream {
    struct ss_source_bytes rest; /* what was not read yet */
    struct ss_weights_pickle object;
    struct ss_weights_pickle_storage **by_key; /* [object.n_storages] */
};

static ss_status wrong(const struct stream *stream, const char *what, ss_err *err)
{
    return ss__fail_file(err, stream->rest.file, SS_E_DATA, "not a valid torch file: %s", what);
}

/* Read the next pickle; release it after success and failure. */
static ss_status next_pickle(struct stream *stream, struct ss_weights_pickle *out, ss_err *err)
{
    const ss_status status = ss_weights_pickle_read(out, &stream->rest, err);
    stream->rest.data += out->at;
    stream->rest.n_bytes -= out->at;
    return status;
}

static bool is_int(const struct ss_weights_pickle_node *value, int64_t integer)
{
    return value != NULL && value->kind == SS_WEIGHTS_PICKLE_INT &&
           value->as.integer == integer;
}

/* ---- the three pickles before the object ---- */

static ss_status check_magic(const struct stream *stream,
                             const struct ss_weights_pickle_node *root, ss_err *err)
{
    return root->kind == SS_WEIGHTS_PICKLE_BIG_INT && root->n == sizeof magic &&
                   memcmp(root->as.text, magic, sizeof magic) == 0
               ? SS_OK
               : wrong(stream, "its magic number is missing", err);
}

static ss_status check_protocol(const struct stream *stream,
                                const struct ss_weights_pickle_node *root, ss_err *err)
{
    return is_int(root, PROTOCOL) ? SS_OK : wrong(stream, "its protocol is not 1001", err);
}

/* A zip says its byte order and is read in either; this older form is refused where it comes
 * from a big-endian machine. */
static ss_status check_system(const struct stream *stream,
                              const struct ss_weights_pickle_node *root, ss_err *err)
{
    const struct ss_weights_pickle_node *order = ss_weights_pickle_get(root, "little_endian");
    if (!is_int(ss_weights_pickle_get(root, "protocol_version"), PROTOCOL) || order == NULL ||
        order->kind != SS_WEIGHTS_PICKLE_BOOL) {
        return wrong(stream, "the facts about its system are missing", err);
    }
    return order->as.integer != 0
               ? SS_OK
               : ss__fail_file(err, stream->rest.file, SS_E_UNSUPPORTED,
                               "written on a big-endian machine; save it again on another");
}

/* Each check gets the value of its pickle, in the file's order. */
static ss_status read_preamble(struct stream *stream, ss_err *err)
{
    static ss_status (*const checks[])(const struct stream *,
                                       const struct ss_weights_pickle_node *,
                                       ss_err *) = {check_magic, check_protocol, check_system};
    ss_status status = SS_OK;
    for (size_t i = 0; status == SS_OK && i < sizeof checks / sizeof *checks; i++) {
        struct ss_weights_pickle pickle = {0};
        status = next_pickle(stream, &pickle, err);
        if (status == SS_OK) {
            status = checks[i](stream, pickle.root, err);
        }
        ss_weights_pickle_release(&pickle);
    }
    return status;
}

/* ---- storages ---- */

static int compare_texts(const char *a, size_t n_a, const char *b, size_t n_b)
{
    const int order = memcmp(a, b, ss__min_size(n_a, n_b));
    return order != 0 ? order : (n_a > n_b) - (n_a < n_b);
}

static int compare_keys(const void *left, const void *right)
{
    const struct ss_weights_pickle_storage *const *a = left;
    const struct ss_weights_pickle_storage *const *b = right;
    return compare_texts((*a)->key, (*a)->n_key, (*b)->key, (*b)->n_key);
}

/* The first of the sorted storages whose key is not below that of the node. */
static size_t find_first(const struct stream *stream, const struct ss_weights_pickle_node *key)
{
    size_t low = 0, high = stream->object.n_storages;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const struct ss_weights_pickle_storage *storage = stream->by_key[middle];
        if (compare_texts(storage->key, storage->n_key, key->as.text, key->n) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The numbers of one key: every mention of it must have their count and size. */
static ss_status bind_storage(struct stream *stream, const struct ss_weights_pickle_node *key,
                              ss_err *err)
{
    struct ss_source_bytes *rest = &stream->rest;
    uint64_t n_elements = 0;
    size_t i = key->kind == SS_WEIGHTS_PICKLE_TEXT ? find_first(stream, key) : SIZE_MAX;
    if (i >= stream->object.n_storages || rest->n_bytes < COUNT_BYTES) {
        return wrong(stream, "a storage is missing, or the file is cut short", err);
    }
    for (size_t b = COUNT_BYTES; b-- > 0;) {
        n_elements = n_elements << 8 | rest->data[b];
    }
    rest->data += COUNT_BYTES;
    rest->n_bytes -= COUNT_BYTES;
    const struct ss_weights_pickle_storage *first = stream->by_key[i];
    for (; i < stream->object.n_storages; i++) {
        struct ss_weights_pickle_storage *storage = stream->by_key[i];
        if (compare_texts(storage->key, storage->n_key, key->as.text, key->n) != 0) {
            break;
        }
        if (storage->data != NULL || storage->n_elements != n_elements ||
            storage->n_bytes != first->n_bytes) {
            return wrong(stream, "a storage has another size than its tensors need", err);
        }
        storage->data = rest->data;
    }
    if (first->data == NULL || first->n_bytes > rest->n_bytes) {
        return wrong(stream, "a storage is missing, or the file is cut short", err);
    }
    rest->data += first->n_bytes;
    rest->n_bytes -= (size_t)first->n_bytes;
    return SS_OK;
}

/* Each key once, in the order of the list; every storage that a tensor names has to be among
 * them. Sorted by key, so that a file with very many storages takes no quadratic time. */
static ss_status bind_storages(struct stream *stream, const struct ss_weights_pickle_node *keys,
                               ss_err *err)
{
    const size_t n = stream->object.n_storages;
    SS_ALLOC_OR_RETURN(stream->by_key, n);
    for (size_t i = 0; i < n; i++) {
        stream->by_key[i] = stream->object.storages[i];
    }
    ss__sort(stream->by_key, n, sizeof *stream->by_key, compare_keys);
    if (keys->kind != SS_WEIGHTS_PICKLE_LIST) {
        return wrong(stream, "the list of its storages is missing", err);
    }
    for (size_t i = 0; i < keys->n; i++) {
        SS_RETURN_IF_ERROR(bind_storage(stream, keys->as.items[i], err));
    }
    for (size_t i = 0; i < n; i++) {
        if (stream->by_key[i]->data == NULL) {
            return wrong(stream, "a tensor's storage is not listed", err);
        }
    }
    return SS_OK;
}

/* Keys come behind the object and numbers behind the keys, so tensors have no data until all of
 * it was gone through. */
ss_status ss_weights_torch_stream_read(struct ss_weights *self, ss_err *err)
{
    ss_status status = SS_OK;
    struct stream stream = {.rest = self->source};
    struct ss_weights_pickle keys = {0};
    stream.object.n_file_bytes = self->source.n_bytes;
    SS_TRY(read_preamble(&stream, err));
    SS_TRY(next_pickle(&stream, &stream.object, err));
    SS_TRY(next_pickle(&stream, &keys, err));
    SS_TRY(bind_storages(&stream, keys.root, err));
    if (stream.rest.n_bytes != 0) {
        status = wrong(&stream, "other bytes follow its storages", err);
        goto out;
    }
    SS_TRY(ss_weights_pickle_add_tensors(&stream.object, false, self, err));
out:
    ss__free(stream.by_key);
    ss_weights_pickle_release(&stream.object);
    ss_weights_pickle_release(&keys);
    return status;
}
