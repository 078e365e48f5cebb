/* Opening files that are elsewhere, and beginning on the next one in time. */
#include "dataset/dataset_remote.h"

#include <string.h>

#include "base/mem.h"
#include "base/stop.h"
#include "net/hub.h"
#include "parquet/parquet.h"

/* Who knows which ranges of a file will be read: Parquet by its name, not compressed, is not
 * read from its start to its end. */
static ss_source_planner *planner_of(const char *name)
{
    char *file = ss_source_file_name(name);
    const bool is_parquet = file != NULL && !ss_source_is_compressed_name(file) &&
                            ss_dataset_format_by_name(file) == &ss_parquet_reader;
    ss__free(file);
    return is_parquet ? ss_parquet_planner : NULL;
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
    (void)!ss_source_prefetch_begin(reader, name, planner_of(name), *remotes->column, NULL);
}

/* Two readers take turns: while one gives the rows of a file the other begins on the next. */
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

/* A remote file by ranges if its format asks for that and the server sends them, else in order.
 */
static ss_status open_remote(struct ss_dataset_remotes *remotes, size_t current,
                             struct ss_source_input *out, ss_err *err)
{
    struct ss__map map;
    const char *name = remotes->paths->items[current];
    struct ss_source_prefetcher *reader = remotes->readers[current % 2];
    ss_source_planner *planner = planner_of(name);
    remotes->current = current;
    if (planner == NULL) {
        return ss_source_prefetch_open(reader, name, NULL, out, err);
    }
    SS_RETURN_IF_ERROR(ss_source_prefetch_open(reader, name, planner, out, err));
    const ss_status status = out->ops->map(out->state, true, &map, err);
    if (status != SS_OK) {
        ss_source_input_close(out);
    }
    return status == SS_E_UNSUPPORTED ? ss_source_prefetch_open(reader, name, NULL, out, err)
                                      : status;
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

/* From the cache where the caller wants files kept, else without a copy on disk. */
ss_status ss_dataset_remotes_open(struct ss_dataset_remotes *remotes, size_t current,
                                  struct ss_source_input *out, ss_err *err)
{
    char *kept = NULL;
    SS_RETURN_IF_ERROR(keep_file(remotes, remotes->paths->items[current], &kept, err));
    const ss_status status = kept != NULL ? ss_source_input_open(kept, remotes->halt, out, err)
                                          : open_remote(remotes, current, out, err);
    ss__free(kept);
    return status;
}

void ss_dataset_remotes_release(struct ss_dataset_remotes *remotes)
{
    ss_source_prefetch_free(remotes->readers[0]);
    ss_source_prefetch_free(remotes->readers[1]);
    ss_net_hub_free(remotes->keeper);
    *remotes = (struct ss_dataset_remotes){.paths = NULL};
}

/* ---- finding files ---- */

/* Messages of a client of the hub go where the dataset's do at that time. */
static void forward(void *user, ss_level level, const char *message)
{
    ss__log(user, level, "%s", message);
}

static int is_interrupted(void *user)
{
    const struct ss_dataset_remotes *remotes = user;
    return atomic_load(&remotes->halt->is_interrupted) || ss__stop_requested(&remotes->stop);
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

/* A client of the hub is made only where something is elsewhere: reading local files asks
 * nobody. */
ss_status ss_dataset_remotes_find(struct ss_dataset_remotes *remotes, const char *const *paths,
                                  size_t n_paths, const struct ss_dataset_options *options,
                                  struct ss_dataset_found *use, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_hub *hub = NULL;
    const struct ss_repo_request request = {options == NULL ? NULL : options->config,
                                            options == NULL ? NULL : options->split};
    use->keeps = options != NULL && options->cache_dataset;
    remotes->offline = options != NULL && options->offline;
    remotes->stop =
        options == NULL ? (struct ss_progress_callback){NULL, NULL} : options->progress;
    if (any_remote(paths, n_paths)) {
        SS_TRY(make_hub(remotes, &hub, err));
    }
    SS_TRY(ss_dataset_find_files(paths, n_paths, &request, hub, use, err));
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
