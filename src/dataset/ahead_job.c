/* What the thread of a reader ahead does for one file: find it, and read it as a stream or in
 * the parts that are planned.
 *
 * Of a map the last 64 KiB are read first, and more if the footer of a Parquet file is longer.
 * The first four bytes are not asked for: they are put there as the last four say them. */
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "dataset/ahead_priv.h"
#include "dataset/dataset_files.h"
#include "dataset/parquet_priv.h"

enum { MAGIC_BYTES = 4, TRAILER_BYTES = 8 };

/* ---- the client ---- */

static ss_status need_client(struct ss_source_ahead *ahead, ss_err *err)
{
    struct ss_net_hub_options options = {.net = ss_net_options_from_environment()};
    options.net.offline |= ahead->options.offline;
    options.net.log = (struct ss_log){ss_source_ahead_note, ahead};
    options.net.stop = (struct ss_net_stop){ss_source_ahead_is_stopped, ahead};
    return ahead->hub != NULL ? SS_OK : ss_net_hub_new(&options, &ahead->hub, err);
}

void ss_source_ahead_release_client(struct ss_source_ahead *ahead)
{
    ss_net_hub_free(ahead->hub);
    ahead->hub = NULL;
}

/* A plain address; the token goes with it only where it is the hub's own. */
static ss_status locate(void *user, char **url, char **authorization, ss_err *err)
{
    const struct ss_source_ahead *ahead = user;
    char own[SS_NET_URL_ORIGIN_BYTES], hub[SS_NET_URL_ORIGIN_BYTES];
    const char *secret = ss_net_hub_authorization(ahead->hub);
    const bool is_hub = ss_net_url_origin(ahead->name, own) &&
                        ss_net_url_origin(ss_net_hub_endpoint(ahead->hub), hub) &&
                        strcmp(own, hub) == 0;
    *url = ss__strdup(ahead->name);
    *authorization = is_hub && secret != NULL ? ss__strdup(secret) : NULL;
    return *url == NULL || (is_hub && secret != NULL && *authorization == NULL)
               ? ss__fail_nomem(err, "an address")
               : SS_OK;
}

static ss_status find_file(struct ss_source_ahead *ahead, struct ss_net_remote **out,
                           ss_err *err)
{
    struct ss_net_hub_name name;
    SS_RETURN_IF_ERROR(need_client(ahead, err));
    if (ss_net_hub_is_reference(ahead->name)) {
        SS_RETURN_IF_ERROR(ss_net_hub_parse(ahead->name, SS_NET_HUB_DATASET, &name, err));
        SS_RETURN_IF_ERROR(ss_net_hub_remote(ahead->hub, &name, ahead->is_map, out, NULL, err));
    } else {
        const struct ss_net_remote_options options = {.name = ahead->name,
                                                      .locate = locate,
                                                      .user = ahead,
                                                      .n_bytes = SS_NOWHERE,
                                                      .needs_ranges = ahead->is_map};
        SS_RETURN_IF_ERROR(ss_net_remote_new(ss_net_hub_net(ahead->hub), &options, out, err));
    }
    return SS_OK;
}

/* ---- a map ---- */

static ss_status make_map(struct ss_source_ahead *ahead, struct ss_net_remote *remote,
                          struct ss__map *out, ss_err *err)
{
    uint64_t n_bytes = 0;
    SS_RETURN_IF_ERROR(ss_net_remote_size(remote, &n_bytes, err));
    if (n_bytes == SS_NOWHERE) {
        return ss__fail_file(
            err, ahead->name, SS_E_UNSUPPORTED,
            "the server does not tell the size of the file, so it cannot be read in "
            "parts");
    }
    if (n_bytes < MAGIC_BYTES + TRAILER_BYTES || n_bytes > PTRDIFF_MAX) {
        return ss__fail_file(err, ahead->name, SS_E_DATA,
                             "not a Parquet file: the server says that it has %llu bytes",
                             (unsigned long long)n_bytes);
    }
    void *data = mmap(NULL, (size_t)n_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) {
        return ss__fail_file(err, ahead->name, SS_E_NOMEM, "no room for a file of %llu bytes",
                             (unsigned long long)n_bytes);
    }
    *out = (struct ss__map){.data = data, .n_bytes = (size_t)n_bytes, .kind = SS__MAP_PARTS};
    return SS_OK;
}

static ss_status fill(struct ss_net_remote *remote, const struct ss__map *map, size_t begin,
                      size_t end, ss_err *err)
{
    uint8_t *data = (uint8_t *)(uintptr_t)map->data;
    return ss_net_remote_read_into(remote, begin, end - begin, data + begin, err);
}

static ss_status read_tail(struct ss_source_ahead *ahead, struct ss_net_remote *remote,
                           const struct ss__map *map, ss_err *err)
{
    const size_t n = map->n_bytes;
    const size_t n_tail = ss__min_size(n, SS_SOURCE_AHEAD_TAIL_BYTES);
    SS_RETURN_IF_ERROR(fill(remote, map, n - n_tail, n, err));
    const uint8_t *trailer = map->data + n - TRAILER_BYTES;
    const size_t n_footer = (size_t)trailer[0] | (size_t)trailer[1] << 8 |
                            (size_t)trailer[2] << 16 | (size_t)trailer[3] << 24;
    const bool is_parquet = memcmp(trailer + 4, "PAR", 3) == 0;
    if (is_parquet && n_footer > SS_SOURCE_AHEAD_MAX_FOOTER_BYTES) {
        return ss__fail_file(err, ahead->name, SS_E_LIMIT,
                             "its footer claims %zu bytes, more than %d", n_footer,
                             SS_SOURCE_AHEAD_MAX_FOOTER_BYTES);
    }
    if (is_parquet && n_footer <= n - MAGIC_BYTES - TRAILER_BYTES &&
        n_footer + TRAILER_BYTES > n_tail) {
        SS_RETURN_IF_ERROR(fill(remote, map, n - TRAILER_BYTES - n_footer, n - n_tail, err));
    }
    memcpy((void *)(uintptr_t)map->data, trailer + 4, MAGIC_BYTES);
    return SS_OK;
}

static ss_status serve_map(struct ss_source_ahead *ahead, struct ss_net_remote *remote,
                           ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__map map = {.data = NULL};
    struct ss_source_ranges plan = {.items = NULL};
    struct ss_source_range range = {0};
    uint64_t serial = 0;
    SS_TRY(make_map(ahead, remote, &map, err));
    SS_TRY(read_tail(ahead, remote, &map, err));
    if (ahead->column != NULL &&
        ss_parquet_plan(ahead->name, &map, ahead->column, &plan) == SS_OK) {
        ss_source_ahead_plan(ahead, &plan);
    }
    ss_source_ahead_say_head(ahead, map);
    map = (struct ss__map){.data = NULL};
    while (ss_source_ahead_next_range(ahead, &range, &serial)) {
        SS_TRY(ss_source_ahead_pull(ahead, remote, range, serial, err));
    }
out:
    if (map.data != NULL) {
        munmap((void *)(uintptr_t)map.data, map.n_bytes);
    }
    return status;
}

ss_status ss_source_ahead_job(struct ss_source_ahead *ahead, ss_err *err)
{
    struct ss_net_remote *remote = NULL;
    ss_status status = SS_OK;
    SS_TRY(find_file(ahead, &remote, err));
    if (ahead->is_map) {
        SS_TRY(serve_map(ahead, remote, err));
    } else {
        const struct ss_source_range whole = {0, SS_NOWHERE};
        SS_TRY(ss_source_ahead_pull(ahead, remote, whole, ahead->serial, err));
    }
out:
    ss_net_remote_free(remote);
    return status;
}
