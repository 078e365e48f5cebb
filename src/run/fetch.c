/* ss_fetch: a table of the ways in which a thing can be named. The first row that a name is of
 * fetches it: what is here as a path is taken as it is, whatever else the name could mean. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sized.h"
#include "base/stop.h"
#include "net/artifact.h"
#include "net/hub.h"
#include "run/embedded.h"

struct wanted {
    ss_fetch_kind kind;
    const char *reference;
    const struct ss_fetch_options *options;
};

/* A scheme handler: whether a reference is of its scheme, and how to fetch it. */
struct scheme_handler {
    bool (*is_mine)(const struct wanted *wanted);
    ss_status (*fetch)(const struct wanted *wanted, struct ss_fetch_result *out, ss_err *err);
};

static void release(struct ss_fetch_result *result)
{
    ss__free(result->path);
    ss__free(result->source);
    ss__free(result->name);
    ss__free(result->commit);
}

/* Of a caller's result only as much as it has room for was written. */
void ss_fetch_result_release(struct ss_fetch_result *result)
{
    struct ss_fetch_result whole = {.struct_size = sizeof whole};
    const struct ss_fetch_result none = {.struct_size = sizeof none};
    if (SS_READ_OPTIONS(&whole, result, ss_fetch_result, NULL) == SS_OK) {
        release(&whole);
        (void)ss__result_write(result, &none, sizeof none);
    }
}

/* While a server is waited for, the callback is asked too. */
static int ask(void *user)
{
    return ss__stop_requested(user);
}

static struct ss_net_options net_options(const struct wanted *wanted)
{
    struct ss_net_options net = ss_net_options_from_environment();
    net.offline |= wanted->options->offline;
    net.log = wanted->options->log;
    net.progress = wanted->options->progress;
    net.stop = (struct ss_net_stop){ask, (void *)(uintptr_t)&wanted->options->progress};
    return net;
}

/* Results are the caller's to release. */
static ss_status keep(char **out, const char *text, ss_err *err)
{
    *out = ss__strdup(text);
    return *out == NULL ? ss__fail_nomem(err, "a path") : SS_OK;
}

/* ---- paths ---- */

static bool is_path(const struct wanted *wanted)
{
    return ss__path_stat(wanted->reference) != SS__PATH_NONE;
}

/* Nothing is checked: whoever opens it says what is wrong with it. */
static ss_status take_path(const struct wanted *wanted, struct ss_fetch_result *out,
                           ss_err *err)
{
    SS_RETURN_IF_ERROR(keep(&out->path, wanted->reference, err));
    SS_RETURN_IF_ERROR(keep(&out->source, "", err));
    SS_RETURN_IF_ERROR(keep(&out->name, ss__path_name(wanted->reference), err));
    return keep(&out->commit, "", err);
}

/* ---- artifacts ---- */

static bool is_artifact(const struct wanted *wanted)
{
    return ss_net_artifact_is_name(wanted->reference);
}

static ss_status fetch_artifact(const struct wanted *wanted, struct ss_fetch_result *out,
                                ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net *net = NULL;
    const struct ss_net_options options = net_options(wanted);
    const struct ss_net_artifact_options artifact = {0};
    SS_TRY(ss_net_new(&options, &net, err));
    SS_TRY(ss_net_artifact_fetch(net, wanted->reference, &artifact, &out->path, err));
    SS_TRY(keep(&out->source, wanted->reference, err));
    SS_TRY(keep(&out->name, ss__path_name(out->path), err));
    SS_TRY(keep(&out->commit, "", err));
out:
    ss_net_free(net);
    return status;
}

/* ---- in the library ---- */

static bool is_embedded(const struct wanted *wanted)
{
    return strncmp(wanted->reference, SS_RUN_EMBEDDED_SCHEME, strlen(SS_RUN_EMBEDDED_SCHEME)) ==
           0;
}

static ss_status take_embedded(const struct wanted *wanted, struct ss_fetch_result *out,
                               ss_err *err)
{
    const char *name = wanted->reference + strlen(SS_RUN_EMBEDDED_SCHEME);
    SS_RETURN_IF_ERROR(ss_run_embedded_unpack(name, &out->path, err));
    SS_RETURN_IF_ERROR(keep(&out->source, wanted->reference, err));
    SS_RETURN_IF_ERROR(keep(&out->name, name, err));
    return keep(&out->commit, "", err);
}

/* ---- the hub ---- */

/* Whether a name of the form A/B begins with a folder that is here: then it is a path with a
 * mistake in it, and no server needs to hear of it. */
static bool begins_here(const char *reference)
{
    const size_t n = strcspn(reference, "/");
    char folder[SS_NET_HUB_ID_BYTES];
    if (n >= sizeof folder) {
        return false;
    }
    memcpy(folder, reference, n);
    folder[n] = '\0';
    return ss__path_stat(folder) != SS__PATH_NONE;
}

/* Without "hf:" a name must have a slash, so that a mistyped word is never asked for. */
static bool is_of_hub(const struct wanted *wanted)
{
    const char *reference = wanted->reference;
    return ss_net_hub_is_reference(reference) ||
           (ss_net_hub_is_id(reference) && strchr(reference, '/') != NULL &&
            !begins_here(reference));
}

/* A name without a namespace may be short for one of the usual namespace of sentence encoders,
 * as their library reads it. */
static ss_status get_model(struct ss_net_hub *hub, struct ss_net_hub_name *name, char **path,
                           char *commit, ss_err *err)
{
    static const char usual[] = "sentence-transformers/";
    ss_status status = ss_net_hub_get_model(hub, name, path, commit, err);
    const size_t n = strlen(name->id);
    if ((status == SS_E_NOINPUT || status == SS_E_NETWORK) && strchr(name->id, '/') == NULL &&
        n + sizeof usual <= sizeof name->id) {
        struct ss_net_hub_name longer = *name;
        memcpy(longer.id, usual, sizeof usual - 1);
        memcpy(longer.id + sizeof usual - 1, name->id, n + 1);
        if (ss_net_hub_get_model(hub, &longer, path, commit, NULL) == SS_OK) {
            *name = longer;
            status = SS_OK;
        }
    }
    return status;
}

/* Of a model the files that an encoder needs, of other things all of a folder. */
static ss_status get(const struct wanted *wanted, struct ss_net_hub *hub,
                     struct ss_net_hub_name *name, char **path, char *commit, ss_err *err)
{
    const bool is_model = name->kind == SS_NET_HUB_MODEL && name->path[0] == '\0' &&
                          wanted->kind == SS_FETCH_MODEL;
    return is_model ? get_model(hub, name, path, commit, err)
                    : ss_net_hub_get_folder(hub, name, wanted->kind == SS_FETCH_SAE, path,
                                            commit, err);
}

/* "hf:org/name/path", with the kind where it is not a model. */
static ss_status keep_source(const struct ss_net_hub_name *name, struct ss_fetch_result *out,
                             ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf text = {0};
    ss__buf_printf(&text, "hf:%s%s",
                   name->kind == SS_NET_HUB_DATASET ? "datasets/"
                   : name->kind == SS_NET_HUB_SPACE ? "spaces/"
                                                    : "",
                   name->id);
    if (name->path[0] != '\0') {
        ss__buf_printf(&text, "/%s", name->path);
    }
    SS_TRY(ss__buf_check(&text, err));
    SS_TRY(keep(&out->source, ss__buf_text(&text), err));
    SS_TRY(keep(&out->name, name->id, err));
out:
    ss__buf_release(&text);
    return status;
}

/* ORG/NAME may be a path that was mistyped. */
static ss_status say_both(const struct wanted *wanted, ss_status status, ss_err *err)
{
    if (err == NULL || ss_net_hub_is_reference(wanted->reference) || status == SS_E_STOPPED) {
        return status;
    }
    const ss_err why = *err;
    return ss__fail(err, status, "'%.200s' is neither a file here nor %s the hub: %.740s",
                    wanted->reference,
                    status == SS_E_NETWORK ? "to be reached on" : "to be had from",
                    why.message);
}

static ss_status fetch_of_hub(const struct wanted *wanted, struct ss_fetch_result *out,
                              ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_hub *hub = NULL;
    struct ss_net_hub_name name;
    char commit[SS_NET_HUB_COMMIT_BYTES] = "";
    const struct ss_net_hub_options options = {.cache_dir = wanted->options->cache_dir,
                                               .net = net_options(wanted)};
    const ss_net_hub_kind kind =
        wanted->kind == SS_FETCH_DATASET ? SS_NET_HUB_DATASET : SS_NET_HUB_MODEL;
    SS_TRY(ss_net_hub_parse(wanted->reference, kind, &name, err));
    SS_TRY(ss_net_hub_new(&options, &hub, err));
    SS_TRY(get(wanted, hub, &name, &out->path, commit, err));
    SS_TRY(keep_source(&name, out, err));
    SS_TRY(keep(&out->commit, commit, err));
out:
    ss_net_hub_free(hub);
    return status == SS_OK ? SS_OK : say_both(wanted, status, err);
}

/* ---- what is not there ---- */

/* A single word that names no file: said at once, with the form that names of the hub have. */
static bool is_word(const struct wanted *wanted)
{
    return ss_net_hub_is_id(wanted->reference) && strchr(wanted->reference, '/') == NULL;
}

static ss_status refuse_word(const struct wanted *wanted, struct ss_fetch_result *out,
                             ss_err *err)
{
    (void)out;
    return ss__fail_file(err, wanted->reference, SS_E_NOINPUT,
                         "no such file or folder; things of the hub are named %s",
                         wanted->kind == SS_FETCH_MODEL
                             ? "ORG/NAME, such as sentence-transformers/all-MiniLM-L6-v2"
                             : "hf:ORG/NAME");
}

/* ---- the table ---- */

static const struct scheme_handler scheme_handlers[] = {
    {is_path, take_path},      {is_embedded, take_embedded}, {is_artifact, fetch_artifact},
    {is_of_hub, fetch_of_hub}, {is_word, refuse_word},
};

ss_status ss_fetch(ss_fetch_kind kind, const char *reference,
                   const struct ss_fetch_options *options, struct ss_fetch_result *out,
                   ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_fetch_options read = {.struct_size = sizeof read};
    struct ss_fetch_result found = {.struct_size = sizeof found};
    const struct wanted wanted = {kind, reference, &read};
    ss_status (*fetch)(const struct wanted *, struct ss_fetch_result *, ss_err *) = take_path;
    SS_TRY(ss__result_check(out, "ss_fetch_result", err));
    (void)ss__result_write(out, &found, sizeof found);
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_fetch_options, err));
    for (size_t i = 0; i < sizeof scheme_handlers / sizeof scheme_handlers[0]; i++) {
        if (scheme_handlers[i].is_mine(&wanted)) {
            fetch = scheme_handlers[i].fetch;
            break;
        }
    }
    SS_TRY(fetch(&wanted, &found, err));
    (void)ss__result_write(out, &found, sizeof found);
out:
    if (status != SS_OK) {
        release(&found);
    }
    return status;
}
