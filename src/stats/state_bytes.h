/* The bytes that reducers save themselves as: little-endian arrays, one behind the other, each
 * filled up with zeros to a multiple of 8 bytes. */
#ifndef SS_STATS_STATE_BYTES_H
#define SS_STATS_STATE_BYTES_H

#include <string.h>

#include "base/mem.h"

/* Where the bytes go. */
struct ss_stats_sink {
    ss_status (*write)(void *user, const void *data, size_t n_bytes, ss_err *err);
    void *user;
};

SS_MUST_USE static inline ss_status ss_stats_sink_put(const struct ss_stats_sink *sink,
                                                      const void *data, size_t n_bytes,
                                                      ss_err *err)
{
    static const char zeros[8];
    SS_RETURN_IF_ERROR(sink->write(sink->user, data, n_bytes, err));
    return n_bytes % 8 == 0 ? SS_OK : sink->write(sink->user, zeros, 8 - n_bytes % 8, err);
}

/* Where they come from. They are not trusted. */
struct ss_stats_source {
    const uint8_t *at, *end;
};

/* The next array of n items; NULL if it is not all there. */
static inline const uint8_t *ss_stats_source_next(struct ss_stats_source *source, uint64_t n,
                                                  size_t size)
{
    const uint8_t *array = source->at;
    const uint64_t n_left = (uint64_t)(source->end - source->at);
    uint64_t n_bytes = 0;
    if (!ss__mul_u64(n, size, &n_bytes) || n_bytes > n_left ||
        n_left - n_bytes < (-n_bytes & 7)) {
        return NULL;
    }
    source->at += n_bytes + (-n_bytes & 7);
    return array;
}

/* Item i of an array of numbers of up to 8 bytes. */
static inline uint64_t ss_stats_number_at(const uint8_t *array, size_t i, size_t size)
{
    uint64_t value = 0;
    memcpy(&value, array + i * size, size);
    return value;
}

#endif
