/* What the prefetcher's thread does for one file: find it, and read it as a stream or in the
 * ranges that are planned.
 *
 * All network work of reading a dataset is done here, in the prefetcher's thread, with a client
 * of its own; the reader's thread sees bytes, an end, or the error that the client found.
 * Redirects, retries and what is checked of responses: net/remote.c and docs/spec/protocols.md,
 * §1 and §2. */
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "source/prefetch_priv.h"

/* ---- the client ---- */

static ss_status need_client(struct ss_source_prefetcher *prefetcher, ss_err *err)
{
    struct ss_net_hub_options options = {.net = ss_net_options_from_environment()};
    options.net.offline |= prefetcher->options.offline;
    options.net.log = (struct ss_log){ss_source_prefetch_note, prefetcher};
    options.net.stop = (struct ss_net_stop){ss_source_prefetch_is_stopped, prefetcher};
    return prefetcher->hub != NULL ? SS_OK : ss_net_hub_new(&options, &prefetcher->hub, err);
}

void ss_source_prefetch_release_client(struct ss_source_prefetcher *prefetcher)
{
    ss_net_hub_free(prefetcher->hub);
    prefetcher->hub = NULL;
}

/* A plain URL; the token goes with it only where its origin (scheme, host, port) is the hub's
 * own: a dataset that lists files of another server must not send the user's token there. */
static ss_status locate(void *user, char **url, char **authorization, ss_err *err)
{
    const struct ss_source_prefetcher *prefetcher = user;
    char own[SS_NET_URL_ORIGIN_BYTES], hub[SS_NET_URL_ORIGIN_BYTES];
    const char *secret = ss_net_hub_authorization(prefetcher->hub);
    const bool is_hub = ss_net_url_origin(prefetcher->name, own) &&
                        ss_net_url_origin(ss_net_hub_endpoint(prefetcher->hub), hub) &&
                        strcmp(own, hub) == 0;
    *url = ss__strdup(prefetcher->name);
    *authorization = is_hub && secret != NULL ? ss__strdup(secret) : NULL;
    return *url == NULL || (is_hub && secret != NULL && *authorization == NULL)
               ? ss__fail_nomem(err, "a URL")
               : SS_OK;
}

static ss_status find_file(struct ss_source_prefetcher *prefetcher, struct ss_net_remote **out,
                           ss_err *err)
{
    struct ss_net_hub_name name;
    SS_RETURN_IF_ERROR(need_client(prefetcher, err));
    if (ss_net_hub_is_reference(prefetcher->name)) {
        SS_RETURN_IF_ERROR(ss_net_hub_parse(prefetcher->name, SS_NET_HUB_DATASET, &name, err));
        SS_RETURN_IF_ERROR(ss_net_hub_remote(prefetcher->hub, &name,
                                             prefetcher->planner != NULL, out, NULL, err));
    } else {
        const struct ss_net_remote_options options = {.name = prefetcher->name,
                                                      .locate = locate,
                                                      .user = prefetcher,
                                                      .n_bytes = SS_NOWHERE,
                                                      .needs_ranges =
                                                          prefetcher->planner != NULL};
        SS_RETURN_IF_ERROR(
            ss_net_remote_new(ss_net_hub_net(prefetcher->hub), &options, out, err));
    }
    return SS_OK;
}

/* ---- a map ---- */

/* Memory of the file's size: address space alone (MAP_NORESERVE) until bytes come, so a file
 * larger than the machine's memory can be read by its parts. */
static ss_status make_map(struct ss_source_prefetcher *prefetcher, struct ss_net_remote *remote,
                          struct ss__map *out, ss_err *err)
{
    uint64_t n_bytes = 0;
    SS_RETURN_IF_ERROR(ss_net_remote_size(remote, &n_bytes, err));
    if (n_bytes == SS_NOWHERE) {
        return ss__fail_file(
            err, prefetcher->name, SS_E_UNSUPPORTED,
            "the server does not tell the size of the file, so it cannot be read in "
            "parts");
    }
    if (n_bytes > PTRDIFF_MAX) {
        return ss__fail_file(err, prefetcher->name, SS_E_DATA,
                             "the server says that it has %llu bytes",
                             (unsigned long long)n_bytes);
    }
    *out = (struct ss__map){.data = NULL, .kind = SS__MAP_PARTIAL};
    if (n_bytes == 0) {
        return SS_OK;
    }
    void *data = mmap(NULL, (size_t)n_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) {
        return ss__fail_file(err, prefetcher->name, SS_E_NOMEM,
                             "no room for a file of %llu bytes", (unsigned long long)n_bytes);
    }
    out->data = data;
    out->n_bytes = (size_t)n_bytes;
    return SS_OK;
}

static ss_status fill(struct ss_source_partial *file, size_t begin, size_t end, ss_err *err)
{
    uint8_t *data = (uint8_t *)(uintptr_t)file->map.data;
    return ss_net_remote_read_into(file->user, begin, end - begin, data + begin, err);
}

/* Size, then what the planner needs to know (the tail of a Parquet file), then range after
 * range until the reader ends the job. The map becomes the prefetcher's once its head is
 * told. */
static ss_status serve_map(struct ss_source_prefetcher *prefetcher,
                           struct ss_net_remote *remote, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_source_partial file = {.name = prefetcher->name, .fill = fill, .user = remote};
    struct ss_source_ranges plan = {.items = NULL};
    struct ss_source_range range = {0};
    uint64_t serial = 0;
    bool is_planned = false;
    SS_TRY(make_map(prefetcher, remote, &file.map, err));
    SS_TRY(prefetcher->planner(&file, prefetcher->hint, &plan, &is_planned, err));
    if (is_planned) {
        ss_source_prefetch_plan(prefetcher, &plan);
    }
    ss_source_prefetch_say_head(prefetcher, file.map);
    file.map = (struct ss__map){.data = NULL};
    while (ss_source_prefetch_next_range(prefetcher, &range, &serial)) {
        SS_TRY(ss_source_prefetch_pull(prefetcher, remote, range, serial, err));
    }
out:
    ss__free(plan.items);
    if (file.map.data != NULL) {
        munmap((void *)(uintptr_t)file.map.data, file.map.n_bytes);
    }
    return status;
}

ss_status ss_source_prefetch_job(struct ss_source_prefetcher *prefetcher, ss_err *err)
{
    struct ss_net_remote *remote = NULL;
    ss_status status = SS_OK;
    SS_TRY(find_file(prefetcher, &remote, err));
    if (prefetcher->planner != NULL) {
        SS_TRY(serve_map(prefetcher, remote, err));
    } else {
        const struct ss_source_range whole = {0, SS_NOWHERE};
        SS_TRY(ss_source_prefetch_pull(prefetcher, remote, whole, prefetcher->serial, err));
    }
out:
    ss_net_remote_free(remote);
    return status;
}
