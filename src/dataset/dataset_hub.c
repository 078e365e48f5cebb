/* Datasets on the hub: which files of a repository are read.
 *
 *   hf:ORG/NAME[@REV]                     configuration and split of the repository
 *   hf://datasets/ORG/NAME[@REV]/PATH     a file, a folder or a pattern in it
 *
 * The revision is asked for once and pinned: every file is read at that commit. Files that the
 * cache has are read from there. A repository whose own files are of a kind that is not read
 * has often been converted by the hub: revision refs/convert/parquet holds
 * CONFIG/SPLIT/NNNN.parquet, or CONFIG/partial-SPLIT/… of the first gigabytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dataset/dataset_files.h"
#include "dataset/layout.h"
#include "net/hub.h"
#include "repo/repo.h"

#define CONVERTED "refs/convert/parquet"

enum { MAX_CARD_BYTES = 64 << 20 };

/* A repository that is looked at. */
struct resolving {
    struct ss_net_hub *hub;
    struct ss_net_hub_name name; /* its revision is a commit once the tree is there */
    bool keeps;                  /* what is read comes into the cache */
    struct ss_net_hub_tree tree;
    const char **paths; /* [n_paths], views; of the whole tree until dead ones are dropped */
    size_t n_paths;
    const struct ss_log *log;
    struct ss_repo_card card;
    char title[SS_NET_HUB_ID_BYTES + 4]; /* "hf:org/name" */
};

static void release_resolving(struct resolving *resolving)
{
    ss__free(resolving->paths);
    ss_net_hub_tree_release(&resolving->tree);
    ss_repo_card_release(&resolving->card);
}

/* ---- the listing ---- */

/* Let the cache know the revision that was asked for, and have the card. */
static ss_status keep_card(const struct resolving *resolving, ss_err *err)
{
    struct ss_net_hub_name readme = resolving->name;
    char *path = NULL;
    snprintf(readme.path, sizeof readme.path, "README.md");
    const ss_status status =
        ss_net_hub_get(resolving->hub, &readme, SS_NET_HUB_IF_AVAILABLE, &path, NULL, err);
    ss__free(path);
    return status;
}

static ss_status list_files(struct resolving *resolving, ss_err *err)
{
    struct ss_net_hub_name whole = resolving->name;
    whole.path[0] = '\0';
    if (resolving->keeps) {
        SS_RETURN_IF_ERROR(keep_card(resolving, err));
    }
    SS_RETURN_IF_ERROR(ss_net_hub_list(resolving->hub, &whole, &resolving->tree, err));
    SS_ALLOC_OR_RETURN(resolving->paths, resolving->tree.n);
    resolving->n_paths = resolving->tree.n;
    for (size_t i = 0; i < resolving->tree.n; i++) {
        resolving->paths[i] = resolving->tree.entries[i].path;
    }
    snprintf(resolving->name.revision, sizeof resolving->name.revision, "%s",
             resolving->tree.commit);
    return SS_OK;
}

/* The place of a file in the cache, if it is there; else NULL. */
static char *find_kept(const struct resolving *resolving, const char *path)
{
    struct ss__buf place = {.data = NULL};
    ss__buf_printf(&place, "%s/datasets--", ss_net_hub_cache_dir(resolving->hub));
    for (const char *c = resolving->name.id; *c != '\0'; c++) {
        ss__buf_add(&place, *c == '/' ? "--" : c, *c == '/' ? 2 : 1);
    }
    ss__buf_printf(&place, "/snapshots/%s/%s", resolving->tree.commit, path);
    const char *text = ss__buf_text(&place);
    char *found =
        text != NULL && ss__path_stat(text) == SS__PATH_FILE ? ss__strdup(text) : NULL;
    ss__buf_release(&place);
    return found;
}

static ss_status add_file(const struct resolving *resolving, const char *path,
                          struct ss_dataset_file_list *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf name = {.data = NULL};
    SS_GROW(out->items, out->capacity, out->n + 1);
    out->items[out->n] = find_kept(resolving, path);
    if (out->items[out->n] == NULL) {
        ss__buf_printf(&name, "hf://datasets/%s@%s/%s", resolving->name.id,
                       resolving->tree.commit, path);
        const char *text = ss__buf_text(&name);
        out->items[out->n] = text == NULL ? NULL : ss__strdup(text);
    }
    if (out->items[out->n] == NULL) {
        SS_TRY(ss__fail_nomem(err, "a file name"));
    }
    out->n++;
out:
    ss__buf_release(&name);
    return status;
}

/* ---- the card ---- */

/* By the listing, without asking the server. */
static bool has_file(const struct resolving *resolving, const char *path)
{
    for (size_t i = 0; i < resolving->tree.n; i++) {
        if (strcmp(resolving->tree.entries[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

/* A small file into memory, from the cache or, keeping nothing, from the hub. */
static ss_status read_small(const struct resolving *resolving, const char *path,
                            struct ss__buf *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_remote *remote = NULL;
    struct ss_net_hub_name name = resolving->name;
    uint64_t n_bytes = 0;
    char *kept = find_kept(resolving, path);
    if (kept != NULL) {
        SS_TRY(ss__file_read(kept, MAX_CARD_BYTES, out, err));
        goto out;
    }
    snprintf(name.path, sizeof name.path, "%s", path);
    SS_TRY(ss_net_hub_remote(resolving->hub, &name, false, &remote, NULL, err));
    SS_TRY(ss_net_remote_size(remote, &n_bytes, err));
    if (n_bytes > MAX_CARD_BYTES) { /* SS_NOWHERE too */
        SS_FAIL_FILE(path, SS_E_LIMIT, "is larger than %d bytes, or of unknown size",
                     MAX_CARD_BYTES);
    }
    char *data = ss__buf_reserve(out, (size_t)n_bytes);
    if (data == NULL) {
        SS_TRY(ss__buf_check(out, err));
        goto out;
    }
    SS_TRY(ss_net_remote_read_into(remote, 0, (size_t)n_bytes, data, err));
    out->n_bytes += (size_t)n_bytes;
out:
    ss_net_remote_free(remote);
    ss__free(kept);
    return status;
}

/* Two files may be a card; what both say adds up. */
static ss_status read_card(struct resolving *resolving, ss_err *err)
{
    static const struct {
        const char *path;
        bool is_bare;
    } files[] = {{"README.md", false}, {".huggingface.yaml", true}};
    ss_status status = SS_OK;
    struct ss__buf text = {.data = NULL};
    char file[SS_NET_HUB_ID_BYTES + 32];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (!has_file(resolving, files[i].path)) {
            continue;
        }
        text.n_bytes = 0;
        snprintf(file, sizeof file, "%s/%s", resolving->title, files[i].path);
        SS_TRY(read_small(resolving, files[i].path, &text, err));
        const struct ss_text view = {text.data == NULL ? "" : text.data, text.n_bytes};
        SS_TRY(ss_repo_card_read(file, view, files[i].is_bare, &resolving->card, err));
    }
out:
    ss__buf_release(&text);
    return status;
}

/* ---- a path or pattern ---- */

/* In the folder, at any depth. */
static bool is_below(const char *folder, const char *path)
{
    const size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/';
}

static ss_status read_listed(void *user, size_t index, size_t max_bytes, struct ss__buf *out,
                             ss_err *err)
{
    const struct resolving *resolving = user;
    (void)max_bytes; /* what is small is bounded already */
    return read_small(resolving, resolving->paths[index], out, err);
}

/* The same rules as for a folder on this machine. */
static struct ss_dataset_layout layout_of(struct resolving *resolving)
{
    return (struct ss_dataset_layout){.name = resolving->title,
                                      .paths = resolving->paths,
                                      .n = resolving->n_paths,
                                      .read = read_listed,
                                      .user = resolving,
                                      .log = resolving->log};
}

/* Of a pattern, what it matches; files of bookkeeping only where it names them. */
static void keep_matches(struct resolving *resolving)
{
    const char *wanted = resolving->name.path;
    const bool names_them = strchr("*?[", ss__path_name(wanted)[0]) == NULL;
    size_t n = 0;
    for (size_t i = 0; i < resolving->n_paths; i++) {
        const char *path = resolving->paths[i], *name = ss__path_name(path);
        const bool is_book =
            ss_format_name_is_hidden(name) || ss_format_name_is_about_data(name);
        if (ss_repo_match(wanted, path) && (names_them || !is_book)) {
            resolving->paths[n++] = path;
        }
    }
    resolving->n_paths = n;
}

/* Of a folder, as of one on this machine. The documents of its layout are read, too. */
static ss_status keep_rows(struct resolving *resolving, ss_err *err)
{
    ss_status status = SS_OK;
    bool *is_data = NULL;
    size_t n = 0;
    for (size_t i = 0; i < resolving->n_paths; i++) {
        if (is_below(resolving->name.path, resolving->paths[i])) {
            resolving->paths[n++] = resolving->paths[i];
        }
    }
    resolving->n_paths = n;
    SS_ALLOC(is_data, n);
    const struct ss_dataset_layout layout = layout_of(resolving);
    SS_TRY(ss_dataset_layout_choose(&layout, is_data, err));
    n = 0;
    for (size_t i = 0; i < resolving->n_paths; i++) {
        if (is_data[i]) {
            resolving->paths[n++] = resolving->paths[i];
        }
    }
    resolving->n_paths = n;
out:
    ss__free(is_data);
    return status;
}

/* A file by its name; of a folder or pattern the files of known formats. */
static ss_status add_path(struct resolving *resolving, struct ss_dataset_file_list *out,
                          ss_err *err)
{
    const char *wanted = resolving->name.path;
    const size_t n_before = out->n;
    if (has_file(resolving, wanted)) {
        return add_file(resolving, wanted, out, err);
    }
    if (ss_repo_is_pattern(wanted)) {
        keep_matches(resolving);
    } else {
        SS_RETURN_IF_ERROR(keep_rows(resolving, err));
    }
    for (size_t i = 0; i < resolving->n_paths; i++) {
        if (ss_dataset_format_knows_name(resolving->paths[i])) {
            SS_RETURN_IF_ERROR(add_file(resolving, resolving->paths[i], out, err));
        }
    }
    if (out->n == n_before) {
        return ss__fail_file(err, resolving->title, SS_E_NOINPUT,
                             "has no file of a known format at '%.300s' in revision %s", wanted,
                             resolving->tree.commit);
    }
    return SS_OK;
}

/* Files of saved datasets and tables that hold no live rows are not chosen from. */
static ss_status drop_dead(struct resolving *resolving, ss_err *err)
{
    ss_status status = SS_OK;
    bool *is_live = NULL;
    size_t n = 0;
    SS_ALLOC(is_live, resolving->n_paths);
    memset(is_live, true, resolving->n_paths * sizeof *is_live);
    const struct ss_dataset_layout layout = layout_of(resolving);
    SS_TRY(ss_dataset_layout_drop_dead(&layout, is_live, err));
    for (size_t i = 0; i < resolving->n_paths; i++) {
        if (is_live[i]) {
            resolving->paths[n++] = resolving->paths[i];
        }
    }
    resolving->n_paths = n;
out:
    ss__free(is_live);
    return status;
}

/* ---- what the hub converted ---- */

/* Whether a path is CONFIG/SPLIT/NAME.parquet; the parts are copied. */
static bool parse_converted(const char *path, char config[256], char split[256])
{
    const char *slash = strchr(path, '/');
    const char *next = slash == NULL ? NULL : strchr(slash + 1, '/');
    if (next == NULL || strchr(next + 1, '/') != NULL || slash - path > 255 ||
        next - slash > 255 || strstr(next, ".parquet") == NULL) {
        return false;
    }
    snprintf(config, 256, "%.*s", (int)(slash - path), path);
    snprintf(split, 256, "%.*s", (int)(next - slash - 1), slash + 1);
    return true;
}

/* The name of the split that a folder of converted files is of. */
static const char *plain_split(const char *split)
{
    static const char partial[] = "partial-";
    return strncmp(split, partial, sizeof partial - 1) == 0 ? split + sizeof partial - 1
                                                            : split;
}

/* A card that says of the converted files what their folders say. */
static ss_status make_card(struct resolving *resolving, ss_err *err)
{
    for (size_t i = 0; i < resolving->tree.n; i++) {
        char config[256], split[256];
        if (parse_converted(resolving->paths[i], config, split)) {
            SS_RETURN_IF_ERROR(ss_repo_card_add(&resolving->card, config, plain_split(split),
                                                resolving->paths[i], err));
        }
    }
    return SS_OK;
}

/* The hub converts the first gigabytes of a large split only. */
static bool is_partial(const struct ss_repo_choice *choice)
{
    for (size_t i = 0; i < choice->n; i++) {
        if (strstr(choice->paths[i], "/partial-") != NULL) {
            return true;
        }
    }
    return false;
}

/* The commit that the files were converted from, "" if the server does not tell. */
static void ask_converted_from(const struct resolving *resolving,
                               char commit[SS_NET_HUB_COMMIT_BYTES])
{
    static const char default_hub[] = "https://huggingface.co";
    struct ss__buf url = {.data = NULL};
    struct ss_net_response response = {0};
    const char *endpoint = ss_net_hub_endpoint(resolving->hub);
    const bool is_default = strcmp(endpoint, default_hub) == 0;
    commit[0] = '\0';
    ss__buf_printf(&url, "%s/splits?dataset=",
                   is_default ? "https://datasets-server.huggingface.co" : endpoint);
    ss_net_url_quote(&url, resolving->name.id, "");
    const struct ss_net_request request = {
        .url = ss__buf_text(&url),
        .authorization = is_default ? NULL : ss_net_hub_authorization(resolving->hub)};
    if (request.url != NULL &&
        ss_net_send(ss_net_hub_net(resolving->hub), &request, &response, NULL) == SS_OK) {
        const char *revision = ss_net_header(&response, "X-Revision");
        if (revision != NULL && ss_net_hub_is_commit(revision)) {
            snprintf(commit, SS_NET_HUB_COMMIT_BYTES, "%s", revision);
        }
    }
    ss_net_response_release(&response);
    ss__buf_release(&url);
}

static void say_converted(const struct ss_log *log, const struct resolving *converted,
                          const char *commit, const struct ss_repo_choice *choice)
{
    char from[SS_NET_HUB_COMMIT_BYTES];
    ask_converted_from(converted, from);
    if (strcmp(from, commit) == 0) {
        ss__log(
            log, SS_LEVEL_NOTICE,
            "%s: its own files are not read here; rows come from the Parquet files that the "
            "hub made of them",
            converted->title);
    } else {
        ss__log(
            log, SS_LEVEL_WARNING,
            "%s: its own files are not read here; rows come from the Parquet files that the "
            "hub made of %s%s, not of %s",
            converted->title, from[0] == '\0' ? "a revision it does not tell" : "revision ",
            from, commit);
    }
    if (is_partial(choice)) {
        ss__log(log, SS_LEVEL_WARNING,
                "%s: the hub converted only the first part of split '%s', so these are not all "
                "of its rows",
                converted->title, choice->split);
    }
}

/* ---- a repository ---- */

/* Archives of the hub are not read. */
static ss_status choose(const struct resolving *resolving,
                        const struct ss_repo_request *request, struct ss_repo_choice *out,
                        ss_err *err)
{
    const struct ss_repo repo = {resolving->title, resolving->paths, resolving->n_paths,
                                 &resolving->card, .reads_archives = false};
    return ss_repo_choose(&repo, request, out, err);
}

static ss_status add_choice(const struct resolving *resolving, struct ss_repo_choice *choice,
                            struct ss_dataset_found *use, ss_err *err)
{
    for (size_t i = 0; i < choice->n; i++) {
        SS_RETURN_IF_ERROR(add_file(resolving, choice->paths[i], &use->paths, err));
    }
    return ss_dataset_found_note_choice(resolving->title, resolving->tree.commit, choice, use,
                                        err);
}

/* Use the converted files instead; `refusal` says why the own ones are not read, and stands if
 * there are none. */
static ss_status use_converted(const struct resolving *own,
                               const struct ss_repo_request *request, const ss_err *refusal,
                               struct ss_dataset_found *use, ss_err *err)
{
    struct resolving converted = {.hub = own->hub, .name = own->name, .keeps = own->keeps};
    struct ss_repo_choice choice = {.kind = NULL};
    ss_status status = SS_OK;
    snprintf(converted.name.revision, sizeof converted.name.revision, "%s", CONVERTED);
    memcpy(converted.title, own->title, sizeof converted.title);
    status = list_files(&converted, err);
    if (status == SS_OK) {
        status = make_card(&converted, err);
    }
    if (status == SS_E_NOINPUT || (status == SS_OK && converted.card.n_configs == 0)) {
        status = refusal->code;
        if (err != NULL) {
            *err = *refusal;
        }
    }
    SS_TRY(status);
    SS_TRY(choose(&converted, request, &choice, err));
    say_converted(use->log, &converted, own->tree.commit, &choice);
    SS_TRY(add_choice(&converted, &choice, use, err));
out:
    ss_repo_choice_release(&choice);
    release_resolving(&converted);
    return status;
}

/* Converted files are the second choice: they may be of another revision, or a part. */
static ss_status add_repository(struct resolving *resolving,
                                const struct ss_repo_request *request,
                                struct ss_dataset_found *use, ss_err *err)
{
    ss_status status = SS_OK;
    ss_err refusal;
    struct ss_repo_choice choice = {.kind = NULL};
    SS_TRY(read_card(resolving, err));
    SS_TRY(drop_dead(resolving, err));
    status = choose(resolving, request, &choice, &refusal);
    if (status == SS_E_UNSUPPORTED) {
        status = use_converted(resolving, request, &refusal, use, err);
        goto out;
    }
    if (status != SS_OK) {
        if (err != NULL) {
            *err = refusal;
        }
        goto out;
    }
    SS_TRY(add_choice(resolving, &choice, use, err));
out:
    ss_repo_choice_release(&choice);
    return status;
}

ss_status ss_dataset_hub_files(struct ss_net_hub *hub, const char *text,
                               const struct ss_repo_request *request,
                               struct ss_dataset_found *use, ss_err *err)
{
    ss_status status = SS_OK;
    struct resolving resolving = {.hub = hub, .keeps = use->keeps, .log = use->log};
    SS_TRY(ss_net_hub_parse(text, SS_NET_HUB_DATASET, &resolving.name, err));
    if (resolving.name.kind != SS_NET_HUB_DATASET) {
        SS_FAIL(SS_E_USAGE, "'%.300s' is no dataset; expected hf:ORG/NAME", text);
    }
    snprintf(resolving.title, sizeof resolving.title, "hf:%s", resolving.name.id);
    SS_TRY(list_files(&resolving, err));
    if (resolving.name.path[0] != '\0') {
        SS_TRY(add_path(&resolving, &use->paths, err));
        SS_TRY(ss_dataset_found_note_choice(resolving.title, resolving.tree.commit, NULL, use,
                                            err));
    } else {
        SS_TRY(add_repository(&resolving, request, use, err));
    }
out:
    release_resolving(&resolving);
    return status;
}
