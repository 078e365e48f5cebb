/* The container of tensors: growing it, indexing its names, looking things up, closing it.
 *
 * Readers add tensors and strings in the order of the file; finishing sorts both by name,
 * refuses what is given twice, and from then on nothing changes, so that threads may share an
 * open container. Counts are bounded by constants, since a few bytes of a hostile file can
 * announce millions of names. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "weights/weights_priv.h"

/* By value: names and shapes are the reader's business, which has them in the arena. */
ss_status ss_weights_add(struct ss_weights *self, const struct ss_weights_tensor *tensor,
                         ss_err *err)
{
    if (self->n >= SS_WEIGHTS_MAX_TENSORS) {
        return ss__fail_file(err, self->source.file, SS_E_LIMIT, "holds more than %d tensors",
                             SS_WEIGHTS_MAX_TENSORS);
    }
    SS_GROW_OR_RETURN(self->tensors, self->capacity, self->n + 1);
    self->tensors[self->n++] = *tensor;
    return SS_OK;
}

ss_status ss_weights_add_metadata(struct ss_weights *self, const char *key, const char *value,
                                  ss_err *err)
{
    if (self->n_metadata >= SS_WEIGHTS_MAX_METADATA) {
        return ss__fail_file(err, self->source.file, SS_E_LIMIT,
                             "holds more than %d metadata strings", SS_WEIGHTS_MAX_METADATA);
    }
    SS_GROW_OR_RETURN(self->metadata, self->metadata_capacity, self->n_metadata + 1);
    self->metadata[self->n_metadata++] =
        (struct ss_weights_metadata_entry){.key = key, .value = value};
    return SS_OK;
}

/* So that a config key whose value could not be kept is an error where it is needed, and no
 * default. */
ss_status ss_weights_add_unreadable(struct ss_weights *self, const char *key, const char *what,
                                    ss_err *err)
{
    const ss_status status = ss_weights_add_metadata(self, key, what, err);
    if (status == SS_OK) {
        self->metadata[self->n_metadata - 1].is_unreadable = true;
    }
    return status;
}

static int compare_names(const void *left, const void *right)
{
    const struct ss_weights_tensor *const *a = left;
    const struct ss_weights_tensor *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

static int compare_pairs(const void *left, const void *right)
{
    const struct ss_weights_metadata_entry *a = left;
    const struct ss_weights_metadata_entry *b = right;
    return strcmp(a->key, b->key);
}

/* Two tensors of one name would make what is read depend on the search. Plain values of a
 * pickle may clash, since keys of different kinds become one name (1 and "1"): then neither can
 * be given. */
ss_status ss_weights_finish(struct ss_weights *self, ss_err *err)
{
    SS_ALLOC_OR_RETURN(self->by_name, self->n);
    for (size_t i = 0; i < self->n; i++) {
        self->by_name[i] = &self->tensors[i];
    }
    ss__sort(self->by_name, self->n, sizeof *self->by_name, compare_names);
    for (size_t i = 1; i < self->n; i++) {
        if (strcmp(self->by_name[i - 1]->name, self->by_name[i]->name) == 0) {
            return ss__fail_file(err, self->source.file, SS_E_DATA,
                                 "two tensors are called '%s'", self->by_name[i]->name);
        }
    }
    if (self->n_metadata > 0) {
        ss__sort(self->metadata, self->n_metadata, sizeof *self->metadata, compare_pairs);
    }
    for (size_t i = 1; i < self->n_metadata; i++) {
        if (strcmp(self->metadata[i - 1].key, self->metadata[i].key) != 0) {
            continue;
        }
        if (self->has_plain_values) {
            self->metadata[i - 1].is_unreadable = self->metadata[i].is_unreadable = true;
            self->metadata[i - 1].value = self->metadata[i].value = "given more than once";
        } else {
            return ss__fail_file(err, self->source.file, SS_E_DATA,
                                 "metadata key '%s' is given twice", self->metadata[i].key);
        }
    }
    return SS_OK;
}

/* Shards last as long as their index, whose tensors point into them. The mapping goes after the
 * tables, which point into it. */
void ss_weights_close(struct ss_weights *weights)
{
    if (weights == NULL) {
        return;
    }
    for (size_t i = 0; i < weights->n_shards; i++) {
        ss_weights_close(weights->shards[i]);
    }
    for (size_t i = 0; i < weights->n_inflated; i++) {
        ss__free(weights->inflated[i]);
    }
    ss__free(weights->shards);
    ss__free(weights->inflated);
    ss__free(weights->tensors);
    ss__free(weights->by_name);
    ss__free(weights->metadata);
    ss__arena_release(&weights->arena);
    ss__map_release(&weights->map);
    ss__free(weights->path);
    ss__free(weights);
}

const char *ss_weights_format(const struct ss_weights *weights)
{
    return weights->format;
}

const char *ss_weights_path(const struct ss_weights *weights)
{
    return weights->path;
}

size_t ss_weights_n_files(const struct ss_weights *weights)
{
    return weights->n_shards == 0 ? 1 : weights->n_shards;
}

const char *ss_weights_file(const struct ss_weights *weights, size_t index)
{
    return weights->n_shards == 0 ? weights->path : weights->shards[index]->path;
}

struct ss__file_facts ss_weights_file_facts(const struct ss_weights *weights, size_t index)
{
    return weights->n_shards == 0 ? weights->map.facts : weights->shards[index]->map.facts;
}

size_t ss_weights_n(const struct ss_weights *weights)
{
    return weights->n;
}

const struct ss_weights_tensor *ss_weights_at(const struct ss_weights *weights, size_t index)
{
    return &weights->tensors[index];
}

/* By bisection: a loader asks for some hundred names of a file that may have thousands. */
const struct ss_weights_tensor *ss_weights_find(const struct ss_weights *weights,
                                                const char *name)
{
    const struct ss_weights_tensor wanted = {.name = name};
    const struct ss_weights_tensor *key = &wanted;
    const struct ss_weights_tensor *const *found =
        ss__search(&key, weights->by_name, weights->n, sizeof *weights->by_name, compare_names);
    return found == NULL ? NULL : *found;
}

static const struct ss_weights_metadata_entry *find_metadata(const struct ss_weights *weights,
                                                             const char *key)
{
    const struct ss_weights_metadata_entry wanted = {.key = key};
    return ss__search(&wanted, weights->metadata, weights->n_metadata,
                      sizeof *weights->metadata, compare_pairs);
}

const char *ss_weights_metadata(const struct ss_weights *weights, const char *key)
{
    const struct ss_weights_metadata_entry *found = find_metadata(weights, key);
    return found == NULL || found->is_unreadable ? NULL : found->value;
}

/* Where values were left out for their number, no key can be said to be absent. */
const char *ss_weights_unreadable(const struct ss_weights *weights, const char *key)
{
    const struct ss_weights_metadata_entry *found = find_metadata(weights, key);
    if (found == NULL) {
        return weights->lacks_plain_values ? "perhaps among the many values that are not kept"
                                           : NULL;
    }
    return found->is_unreadable ? found->value : NULL;
}

const char *ss_weights_key(const struct ss_weights *weights, size_t index)
{
    return index < weights->n_metadata ? weights->metadata[index].key : NULL;
}

/* By addresses: a tensor of an index is the tensor of one of its shards. */
const struct ss_weights *ss_weights_file_of(const struct ss_weights *weights,
                                            const struct ss_weights_tensor *tensor)
{
    const struct ss__map *map = &weights->map;
    const uint8_t *data = tensor->data;
    const uint64_t n_bytes = tensor->n_elements * ss_weights_dtype_bytes(tensor->dtype);
    const struct ss_weights *found = NULL;
    for (size_t i = 0; i < weights->n_shards && found == NULL; i++) {
        found = ss_weights_file_of(weights->shards[i], tensor);
    }
    const bool is_here = map->n_bytes > 0 && data >= map->data &&
                         data < map->data + map->n_bytes &&
                         n_bytes <= (uint64_t)(map->data + map->n_bytes - data);
    return is_here && ss_weights_tensor_is_row_major(tensor) ? weights : found;
}

/* Only what lies in a file's mapping comes back by itself. */
void ss_weights_release_pages(const struct ss_weights *weights,
                              const struct ss_weights_tensor *tensor)
{
    const struct ss_weights *file = ss_weights_file_of(weights, tensor);
    if (file != NULL) {
        ss__map_release_pages(&file->map, tensor->data,
                              (size_t)tensor->n_elements *
                                  ss_weights_dtype_bytes(tensor->dtype));
    }
}

/* Whether a file was changed under its mapping: then what was read is of neither version. */
ss_status ss_weights_check(const struct ss_weights *weights, ss_err *err)
{
    ss_status status = ss__map_check(&weights->map, weights->path, err);
    for (size_t i = 0; i < weights->n_shards && status == SS_OK; i++) {
        status = ss_weights_check(weights->shards[i], err);
    }
    return status;
}

/* A stop is what was asked for, and is told as that. */
ss_status ss_weights_explain(const struct ss_weights *weights, ss_status status, ss_err *err)
{
    ss_err cause;
    const bool is_changed = status != SS_OK && status != SS_E_STOPPED && weights != NULL &&
                            ss_weights_check(weights, &cause) != SS_OK;
    if (is_changed && err != NULL) {
        *err = cause;
    }
    return is_changed ? SS_E_IO : status;
}

void ss_weights_set_stop(struct ss_weights *weights, struct ss__asking *asking)
{
    weights->source.asking = asking;
    for (size_t i = 0; i < weights->n_shards; i++) {
        ss_weights_set_stop(weights->shards[i], asking);
    }
}
