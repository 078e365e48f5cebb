/* Opening files that are elsewhere, and beginning on the next one in time. */
#include "dataset/dataset_remote.h"

#include <string.h>

#include "base/mem.h"
#include "net/hub.h"
#include "parquet/parquet.h"

/* Whether a file is read in parts: Parquet by its name, not packed. */
static bool wants_map(const char *name)
{
    char *file = ss_source_file_name(name);
    const bool is_parquet = file != NULL && !ss_source_is_compressed_name(file) &&
                            ss_dataset_format_by_name(file) == &ss_parquet_reader;
    ss__free(file);
    return is_parquet;
}

/* Begin on the next file, if it is elsewhere; a failure shows when it is opened. */
static void begin_next(void *user)
{
    struct ss_dataset_remotes *remotes = user;
    const size_t next = remotes->current + 1;
    const char *name = next < remotes->paths->n ? remotes->paths->items[next] : "";
    struct ss_source_prefetcher *reader = remotes->readers[next % 2];
    if (remotes->keeper != NULL || !ss_source_is_remote(name) ||
        ss_source_prefetch_name(reader) != NULL) {
        return;
    }
    const ss_status status =
        wants_map(name)
            ? ss_source_prefetch_map(reader, name, ss_parquet_planner, *remotes->column, NULL)
            : ss_source_prefetch_stream(reader, name, NULL);
    (void)status;
}

static ss_status make_readers(struct ss_dataset_remotes *remotes, ss_err *err)
{
    const struct ss_source_prefetch_options options = {.offline = remotes->offline,
                                                       .is_interrupted =
                                                           &remotes->halt->is_interrupted,
                                                       .log = remotes->log,
                                                       .stop = remotes->stop,
                                                       .when_idle = begin_next,
                                                       .user = remotes};
    for (size_t i = 0; i < 2 && remotes->readers[i] == NULL; i++) {
        SS_RETURN_IF_ERROR(ss_source_prefetch_new(&options, &remotes->readers[i], err));
    }
    return SS_OK;
}

/* The reader of a file, already at it if it was begun. */
static struct ss_source_prefetcher *take_reader(struct ss_dataset_remotes *remotes,
                                                size_t current, bool *is_begun)
{
    struct ss_source_prefetcher *reader = remotes->readers[current % 2];
    const char *begun = ss_source_prefetch_name(reader);
    *is_begun = begun != NULL && strcmp(begun, remotes->paths->items[current]) == 0;
    remotes->current = current;
    return reader;
}

static ss_status read_ahead(void *user, void *out, size_t n, size_t *n_read, ss_err *err)
{
    return ss_source_prefetch_read(user, out, n, n_read, err);
}

static ss_status open_stream(struct ss_dataset_remotes *remotes, size_t current,
                             struct ss_source_stream *out, ss_err *err)
{
    bool is_begun = false;
    const char *name = remotes->paths->items[current];
    struct ss_source_prefetcher *reader = take_reader(remotes, current, &is_begun);
    const struct ss_source_stream_source source = {.read = read_ahead, .user = reader};
    if (!is_begun || wants_map(name)) {
        SS_RETURN_IF_ERROR(ss_source_prefetch_stream(reader, name, err));
    }
    SS_RETURN_IF_ERROR(ss_source_stream_open_source(name, &source, out, err));
    out->halt = remotes->halt;
    return SS_OK;
}

static ss_status open_map(struct ss_dataset_remotes *remotes, size_t current,
                          struct ss__map *map, struct ss_source_prefetcher **prefetcher,
                          ss_err *err)
{
    ss_status status = SS_OK;
    bool is_begun = false;
    const char *name = remotes->paths->items[current];
    *prefetcher = NULL;
    *map = (struct ss__map){.data = NULL};
    if (!wants_map(name)) {
        return SS_OK;
    }
    struct ss_source_prefetcher *reader = take_reader(remotes, current, &is_begun);
    if (!is_begun) {
        SS_TRY(ss_source_prefetch_map(reader, name, ss_parquet_planner, NULL, err));
    }
    status = ss_source_prefetch_head(reader, map, err);
    if (status == SS_E_UNSUPPORTED) { /* no parts to be had: the whole file must come */
        ss_source_prefetch_stop(reader);
        return SS_OK;
    }
    *prefetcher = status == SS_OK ? reader : NULL;
out:
    return status;
}

static ss_status keep_file(struct ss_dataset_remotes *remotes, const char *name, char **out,
                           ss_err *err)
{
    struct ss_net_hub_name parsed;
    *out = NULL;
    if (remotes->keeper == NULL || !ss_net_hub_is_reference(name)) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(ss_net_hub_parse(name, SS_NET_HUB_DATASET, &parsed, err));
    return ss_net_hub_get(remotes->keeper, &parsed, SS_NET_HUB_REQUIRED, out, NULL, err);
}

ss_status ss_dataset_remotes_open(struct ss_dataset_remotes *remotes, size_t current,
                                  struct ss_source_stream *stream, struct ss__map *map,
                                  struct ss_source_prefetcher **prefetcher, ss_err *err)
{
    ss_status status = SS_OK;
    char *kept = NULL;
    const char *path = remotes->paths->items[current];
    if (!ss_source_is_remote(path)) {
        remotes->current = current;
        return ss_source_stream_open(path, remotes->halt, stream, err);
    }
    SS_TRY(keep_file(remotes, path, &kept, err));
    if (kept != NULL) {
        SS_TRY(ss_source_stream_open(kept, remotes->halt, stream, err));
        goto out;
    }
    SS_TRY(open_map(remotes, current, map, prefetcher, err));
    if (*prefetcher == NULL) {
        SS_TRY(open_stream(remotes, current, stream, err));
    }
out:
    ss__free(kept);
    return status;
}

void ss_dataset_remotes_close(struct ss_dataset_remotes *remotes, size_t current)
{
    struct ss_source_prefetcher *reader = remotes->readers[current % 2];
    const char *begun = reader == NULL ? NULL : ss_source_prefetch_name(reader);
    if (begun != NULL && strcmp(begun, remotes->paths->items[current]) == 0) {
        ss_source_prefetch_stop(reader);
    }
}

void ss_dataset_remotes_release(struct ss_dataset_remotes *remotes)
{
    ss_source_prefetch_free(remotes->readers[0]);
    ss_source_prefetch_free(remotes->readers[1]);
    ss_net_hub_free(remotes->keeper);
    *remotes = (struct ss_dataset_remotes){.paths = NULL};
}

/* ---- finding files ---- */

/* Sentences of a client of the hub go where the dataset's do at that time. */
static void forward(void *user, ss_level level, const char *sentence)
{
    ss__log(user, level, "%s", sentence);
}

static int is_interrupted(void *user)
{
    const struct ss_dataset_remotes *remotes = user;
    return atomic_load(&remotes->halt->is_interrupted) ||
           (remotes->stop.fn != NULL && remotes->stop.fn(remotes->stop.user) != 0);
}

static ss_status make_hub(struct ss_dataset_remotes *remotes, struct ss_net_hub **out,
                          ss_err *err)
{
    struct ss_net_hub_options options = {.net = ss_net_options_from_environment()};
    options.net.offline |= remotes->offline;
    options.net.log = (struct ss_log){forward, remotes->log};
    options.net.stop = (struct ss_net_stop){is_interrupted, remotes};
    return ss_net_hub_new(&options, out, err);
}

static bool any_remote(const char *const *paths, size_t n)
{
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        found |= ss_source_is_remote(paths[i]);
    }
    return found;
}

ss_status ss_dataset_remotes_find(struct ss_dataset_remotes *remotes, const char *const *paths,
                                  size_t n_paths, const struct ss_dataset_options *options,
                                  struct ss_dataset_found *use, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_hub *hub = NULL;
    const struct ss_repo_wish wish = {options == NULL ? NULL : options->config,
                                      options == NULL ? NULL : options->split};
    use->keeps = options != NULL && options->cache_dataset;
    remotes->offline = options != NULL && options->offline;
    remotes->stop = options == NULL ? (struct ss_stop){NULL, NULL} : options->stop;
    if (any_remote(paths, n_paths)) {
        SS_TRY(make_hub(remotes, &hub, err));
    }
    SS_TRY(ss_dataset_find_files(paths, n_paths, &wish, hub, use, err));
    if (any_remote((const char *const *)use->paths.items, use->paths.n)) {
        SS_TRY(make_readers(remotes, err));
    }
    if (use->keeps) {
        remotes->keeper = hub;
        hub = NULL;
    }
out:
    ss_net_hub_free(hub);
    return status;
}
