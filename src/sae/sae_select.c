/* The k strongest of a stream of values, with ties decided by the lower id. */
#include "base/mem.h"
#include "sae/sae_priv.h"

static bool is_weaker(const struct ss__kept *a, const struct ss__kept *b)
{
    return a->value < b->value || (a->value == b->value && a->id > b->id);
}

static bool is_before(const struct ss__kept *a, const struct ss__kept *b)
{
    return a->id > b->id; /* the heap that sorts by id has the largest id first */
}

static void sink(struct ss__kept *heap, size_t n, size_t i,
                 bool (*first)(const struct ss__kept *, const struct ss__kept *))
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++) {
            least = first(&heap[child], &heap[least]) ? child : least;
        }
        if (least == i) {
            return;
        }
        const struct ss__kept moved = heap[i];
        heap[i] = heap[least];
        heap[least] = moved;
        i = least;
    }
}

void ss__strongest_offer(struct ss__strongest *self, float value, uint64_t id)
{
    float left = value;
    if (self->n < self->k) {
        size_t i = self->n++;
        const struct ss__kept entry = {value, id};
        while (i > 0 && is_weaker(&entry, &self->kept[(i - 1) / 2])) {
            self->kept[i] = self->kept[(i - 1) / 2];
            i = (i - 1) / 2;
        }
        self->kept[i] = entry;
        return;
    }
    if (self->k > 0 && value > self->kept[0].value) {
        left = self->kept[0].value;
        self->kept[0] = (struct ss__kept){value, id};
        sink(self->kept, self->n, 0, is_weaker);
    }
    self->best_left = left > self->best_left ? left : self->best_left;
}

void ss__strongest_sort_by_id(struct ss__strongest *self)
{
    for (size_t i = self->n / 2; i > 0; i--) {
        sink(self->kept, self->n, i - 1, is_before);
    }
    for (size_t left = self->n; left > 1; left--) {
        const struct ss__kept last = self->kept[0];
        self->kept[0] = self->kept[left - 1];
        self->kept[left - 1] = last;
        sink(self->kept, left - 1, 0, is_before);
    }
}

bool ss__strongest_is_tied(const struct ss__strongest *self)
{
    return self->n > 0 && self->n == self->k && self->kept[0].value == self->best_left;
}

ss_status ss__sparse_keep_strongest(struct ss_sparse *rows, size_t k, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__strongest strongest = {.k = k};
    const size_t n_values = rows->n_rows == 0 ? 0 : rows->offsets[rows->n_rows];
    size_t n_kept = 0;
    size_t start = 0;
    if (n_values <= k) {
        return SS_OK;
    }
    SS_ALLOC(strongest.kept, k);
    for (size_t i = 0; i < n_values; i++) {
        ss__strongest_offer(&strongest, rows->values[i], i);
    }
    ss__strongest_sort_by_id(&strongest);
    for (size_t r = 0; r < rows->n_rows; r++) {
        const size_t end = rows->offsets[r + 1];
        rows->offsets[r] = start;
        for (; n_kept < strongest.n && strongest.kept[n_kept].id < end; n_kept++) {
            rows->features[n_kept] = rows->features[strongest.kept[n_kept].id];
            rows->values[n_kept] = strongest.kept[n_kept].value;
        }
        start = n_kept;
    }
    rows->offsets[rows->n_rows] = n_kept;
out:
    ss__free(strongest.kept);
    return status;
}
