/* Tables that are more than their files: some of the files lying there may be dead, and reading
 * them would bring back rows that were deleted or replaced.
 *
 *   Delta    _delta_log/N.json, a line per action: {"add": {"path"}}, {"remove": {"path"}};
 *            replayed from 0 on. A log whose beginning is a checkpoint is refused, and so are
 *            rows deleted within files (deletion vectors) and columns of other names there.
 *   Iceberg  metadata/….metadata.json; which files are live stands in Avro files. If the
 *            current snapshot counts as many files as lie in data/ and no deletes, all are.
 *   Hudi     .hoodie/; data files are GROUP_TOKEN_TIME.parquet: one of each group, and no logs
 *            of changes, is a table whose files are all live.
 *
 * What cannot be told for certain is refused, with the way out: export as Parquet. */
#include "base/json.h"
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sort.h"
#include "dataset/dataset_files.h"
#include "dataset/layout.h"

enum { MAX_COMMIT_BYTES = 256 << 20, VERSION_DIGITS = 20 };

#define GO_ON "; export it as Parquet files"

/* A file that a log names and that is not there: what the log says of it, and when. */
struct absent {
    char *name;
    size_t order;
    bool is_live;
};

/* A table that is looked at: `folder` is the beginning of a path, "" or with "/" at its end. */
struct table {
    const struct ss_dataset_layout *layout;
    const char *folder;
    size_t n_folder;
    bool *is_live; /* [layout->n] */
    struct absent *absent;
    size_t n_absent, absent_capacity;
};

/* Named by the table's folder, not by one of its files. */
static ss_status refuse(const struct table *table, const char *what, ss_err *err)
{
    struct ss__buf name = {0};
    ss__buf_printf(&name, "%s/%.*s", table->layout->name, (int)table->n_folder, table->folder);
    const char *text = ss__buf_text(&name);
    const ss_status status = ss__fail_file(err, text == NULL ? table->layout->name : text,
                                           SS_E_UNSUPPORTED, "%s" GO_ON, what);
    ss__buf_release(&name);
    return status;
}

/* The part of a path behind the table's folder, NULL if it is not below it. */
static const char *inner(const struct table *table, size_t index)
{
    const char *path = table->layout->paths[index];
    return strncmp(path, table->folder, table->n_folder) == 0 ? path + table->n_folder : NULL;
}

/* ---- Delta ---- */

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c);
    return at == NULL ? -1 : (int)(at - digits);
}

/* Paths in a log are quoted as in URLs. */
static void unquote(char *text)
{
    char *to = text;
    for (const char *at = text; *at != '\0'; at++, to++) {
        const int high = at[0] == '%' ? hex_digit(at[1]) : -1;
        const int low = high < 0 ? -1 : hex_digit(at[2]);
        *to = *at;
        if (low >= 0) {
            *to = (char)(high * 16 + low);
        }
        at += low < 0 ? 0 : 2;
    }
    *to = '\0';
}

/* Note that a file was added or removed; one that is not there may still be removed later. */
static ss_status mark(struct table *table, const char *path, bool is_live, ss_err *err)
{
    ss_status status = SS_OK;
    char *plain = ss__strdup(path);
    if (plain == NULL) {
        return ss__fail_nomem(err, "a file name");
    }
    unquote(plain);
    if (plain[0] == '/' || strstr(plain, "://") != NULL) {
        SS_TRY(refuse(table, "the log of this Delta table names files outside of it", err));
    }
    const size_t at =
        ss_dataset_layout_find(table->layout, table->folder, table->n_folder, plain);
    if (at < table->layout->n) {
        table->is_live[at] = is_live;
        goto out;
    }
    SS_GROW(table->absent, table->absent_capacity, table->n_absent + 1);
    table->absent[table->n_absent] = (struct absent){plain, table->n_absent, is_live};
    table->n_absent++;
    plain = NULL;
out:
    ss__free(plain);
    return status;
}

static int compare_absent(const void *a, const void *b)
{
    const struct absent *left = a, *right = b;
    const int order = strcmp(left->name, right->name);
    return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

/* Fail if what the log said last of a file that is not there is that it counts. */
static ss_status check_absent(struct table *table, ss_err *err)
{
    if (table->n_absent > 0) {
        ss__sort(table->absent, table->n_absent, sizeof *table->absent, compare_absent);
    }
    for (size_t i = 0; i < table->n_absent; i++) {
        const struct absent *item = &table->absent[i];
        const bool is_last = i + 1 == table->n_absent || strcmp(item->name, item[1].name) != 0;
        if (is_last && item->is_live) {
            return ss__fail_file(
                err, table->layout->name, SS_E_NOINPUT,
                "the log of this Delta table names the file '%.200s', which is not "
                "there",
                item->name);
        }
    }
    return SS_OK;
}

static void release_absent(struct table *table)
{
    for (size_t i = 0; i < table->n_absent; i++) {
        ss__free(table->absent[i].name);
    }
    ss__free(table->absent);
    table->absent = NULL;
    table->n_absent = table->absent_capacity = 0;
}

/* Columns that were renamed or dropped have other names in the files than in the table. */
static ss_status check_metadata(const struct table *table, const struct ss__json *metadata,
                                ss_err *err)
{
    const struct ss__json *settings = ss__json_get(metadata, "configuration");
    const char *mode = ss__json_string(ss__json_get(settings, "delta.columnMapping.mode"));
    return mode == NULL || strcmp(mode, "none") == 0
               ? SS_OK
               : refuse(table,
                        "the columns of this Delta table have other names in its files "
                        "(column mapping), which is not read",
                        err);
}

/* Actions of other kinds (protocol, transactions) say nothing of files. */
static ss_status apply_action(struct table *table, const struct ss__json *action, ss_err *err)
{
    SS_RETURN_IF_ERROR(check_metadata(table, ss__json_get(action, "metaData"), err));
    const struct ss__json *add = ss__json_get(action, "add"),
                          *remove = ss__json_get(action, "remove");
    const struct ss__json *file = add == NULL ? remove : add;
    const char *path = ss__json_string(ss__json_get(file, "path"));
    if (file == NULL || path == NULL) {
        return SS_OK;
    }
    const struct ss__json *deleted = ss__json_get(add, "deletionVector");
    if (deleted != NULL && !ss__json_is_null(deleted)) {
        return refuse(table,
                      "rows of this Delta table were deleted within files (deletion vectors), "
                      "which is not read",
                      err);
    }
    return mark(table, path, add != NULL, err);
}

/* JSON Lines. */
static ss_status apply_commit(struct table *table, size_t index, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf text = {0}, name = {0};
    struct ss__json *action = NULL;
    const struct ss_dataset_layout *layout = table->layout;
    SS_TRY(layout->read(layout->user, index, MAX_COMMIT_BYTES, &text, err));
    for (size_t at = 0; at < text.n_bytes;) {
        const char *line = text.data + at;
        const char *feed = memchr(line, '\n', text.n_bytes - at);
        const size_t n = feed == NULL ? text.n_bytes - at : (size_t)(feed - line);
        at += n + 1;
        if (n == 0 || (n == 1 && line[0] == '\r')) {
            continue;
        }
        SS_TRY(ss__json_parse(ss_dataset_layout_file(layout, index, &name), line, n, &action,
                              err));
        SS_TRY(apply_action(table, action, err));
        ss__json_free(action);
        action = NULL;
    }
out:
    ss__json_free(action);
    ss__buf_release(&text);
    ss__buf_release(&name);
    return status;
}

/* Checkpoints and checksums stand beside the commits. */
static bool is_commit(const char *name)
{
    return strspn(name, "0123456789") == VERSION_DIGITS &&
           strcmp(name + VERSION_DIGITS, ".json") == 0;
}

/* Replay the commits, which are sorted by their versions. */
static ss_status apply_delta(struct table *table, bool *is_data, ss_err *err)
{
    static const char log[] = "_delta_log/";
    unsigned long long version = 0;
    for (size_t i = 0; i < table->layout->n; i++) {
        const char *path = inner(table, i);
        if (path == NULL || strncmp(path, log, sizeof log - 1) != 0 ||
            !is_commit(path + sizeof log - 1)) {
            continue;
        }
        if (strtoull(path + sizeof log - 1, NULL, 10) != version++) {
            SS_RETURN_IF_ERROR(
                refuse(table,
                       "the log of this Delta table does not begin with its first version, "
                       "but with a checkpoint, which is not read",
                       err));
        }
        SS_RETURN_IF_ERROR(apply_commit(table, i, err));
    }
    if (version == 0) {
        SS_RETURN_IF_ERROR(refuse(table, "this Delta table has a log without versions", err));
    }
    SS_RETURN_IF_ERROR(check_absent(table, err));
    for (size_t i = 0; i < table->layout->n; i++) {
        if (inner(table, i) != NULL) {
            is_data[i] = table->is_live[i];
        }
    }
    return SS_OK;
}

/* ---- Iceberg ---- */

/* NULL for a table that never had one. */
static const struct ss__json *current_snapshot(const struct ss__json *metadata)
{
    const struct ss__json *id = ss__json_get(metadata, "current-snapshot-id");
    const struct ss__json *snapshots = ss__json_get(metadata, "snapshots");
    for (size_t i = 0; ss__json_is_integer(id) && i < ss__json_count(snapshots); i++) {
        const struct ss__json *snapshot = ss__json_at(snapshots, i);
        const struct ss__json *own = ss__json_get(snapshot, "snapshot-id");
        if (ss__json_is_integer(own) && ss__json_integer(own) == ss__json_integer(id)) {
            return snapshot;
        }
    }
    return NULL;
}

/* A count of a snapshot's summary, written as a string; -1 if it is not there. */
static long long summary_count(const struct ss__json *snapshot, const char *key)
{
    const struct ss__json *summary = ss__json_get(snapshot, "summary");
    const char *text = ss__json_string(ss__json_get(summary, key));
    return text == NULL || text[0] == '\0' ? -1 : strtoll(text, NULL, 10);
}

/* `newest`: the metadata.json of the highest version. */
static ss_status apply_iceberg(const struct table *table, size_t newest, bool *is_data,
                               ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *metadata = NULL;
    long long n_files = 0;
    SS_TRY(ss_dataset_layout_read_json(table->layout, newest, &metadata, err));
    if (ss__json_get(metadata, "table-uuid") == NULL &&
        ss__json_get(metadata, "current-snapshot-id") == NULL) {
        goto out; /* somebody else's */
    }
    for (size_t i = 0; i < table->layout->n; i++) {
        const char *path = inner(table, i);
        const bool is_own = path != NULL && strncmp(path, "data/", 5) == 0;
        n_files +=
            is_own && ss_dataset_format_knows_name(path) && !ss_format_path_is_hidden(path);
        is_data[i] &= path == NULL || is_own;
    }
    const struct ss__json *snapshot = current_snapshot(metadata);
    if (summary_count(snapshot, "total-data-files") != n_files ||
        summary_count(snapshot, "total-delete-files") > 0) {
        SS_TRY(refuse(table,
                      "not all files of this Iceberg table are part of its current version, "
                      "and its list of those (Avro) is not read",
                      err));
    }
out:
    ss__json_free(metadata);
    return status;
}

/* "metadata" is a usual name for a folder: without data/ beside it it is somebody else's. */
static bool is_iceberg(const struct table *table, const char *name)
{
    static const char extension[] = ".metadata.json";
    const size_t n = strlen(name), n_end = sizeof extension - 1;
    bool has_data = false;
    for (size_t i = 0; i < table->layout->n && !has_data; i++) {
        const char *path = inner(table, i);
        has_data = path != NULL && strncmp(path, "data/", 5) == 0;
    }
    return has_data && n > n_end && strcmp(name + n - n_end, extension) == 0;
}

/* "v12.metadata.json", "00012-UUID.metadata.json" */
static unsigned long long metadata_version(const char *name)
{
    return strtoull(name + (name[0] == 'v'), NULL, 10);
}

/* ---- Hudi ---- */

/* Of a group with several files only the timeline tells which is current. */
static ss_status apply_hudi(const struct table *table, ss_err *err)
{
    static const char what[] =
        "this Hudi table holds several versions of its files, and its timeline is not read";
    const struct ss_dataset_layout *layout = table->layout;
    size_t n_group = 0;
    const char *before = NULL; /* sorted by bytes, files of one group follow each other */
    for (size_t i = 0; i < layout->n; i++) {
        const char *path = inner(table, i);
        if (path == NULL || strstr(path, ".hoodie") != NULL) {
            continue;
        }
        if (strstr(path, ".log.") != NULL) {
            return refuse(table, what, err);
        }
        if (!ss_dataset_format_knows_name(path) || ss_format_path_is_hidden(path)) {
            continue;
        }
        const char *name = ss__path_name(path);
        const size_t n = (size_t)(name - path) + strcspn(name, "_");
        if (before != NULL && n == n_group && memcmp(before, path, n) == 0 &&
            name[strcspn(name, "_")] == '_') {
            return refuse(table, what, err);
        }
        before = path;
        n_group = n;
    }
    return SS_OK;
}

/* ---- finding them ---- */

/* The length of a path up to its component `name`, SIZE_MAX if it has none. */
static size_t find_component(const char *path, const char *name)
{
    const size_t n = strlen(name);
    for (const char *at = path; at != NULL; at = strchr(at, '/')) {
        at += *at == '/';
        if (strncmp(at, name, n) == 0 && at[n] == '/') {
            return (size_t)(at - path);
        }
    }
    return SIZE_MAX;
}

/* Whether a file is the first of the layout below its table's `marker`. */
static bool begins_table(const struct ss_dataset_layout *layout, size_t index,
                         const char *marker, struct table *table)
{
    const char *path = layout->paths[index];
    const size_t n = find_component(path, marker);
    if (n == SIZE_MAX) {
        return false;
    }
    table->folder = path;
    table->n_folder = n;
    const size_t n_same = n + strlen(marker) + 1;
    return index == 0 || strncmp(layout->paths[index - 1], path, n_same) != 0;
}

static ss_status apply_metadata(struct table *table, size_t first, bool *is_data, ss_err *err)
{
    const struct ss_dataset_layout *layout = table->layout;
    size_t newest = layout->n;
    for (size_t i = first; i < layout->n; i++) {
        const char *path = inner(table, i);
        if (path == NULL || strncmp(path, "metadata/", 9) != 0) {
            break;
        }
        const char *name = path + 9;
        const bool is_newer =
            newest == layout->n ||
            metadata_version(name) >= metadata_version(ss__path_name(layout->paths[newest]));
        newest = is_iceberg(table, name) && is_newer ? i : newest;
    }
    return newest == layout->n ? SS_OK : apply_iceberg(table, newest, is_data, err);
}

ss_status ss_dataset_layout_apply_tables(const struct ss_dataset_layout *layout, bool *is_data,
                                         ss_err *err)
{
    ss_status status = SS_OK;
    struct table table = {.layout = layout, .folder = ""};
    SS_ALLOC(table.is_live, layout->n);
    for (size_t i = 0; i < layout->n; i++) {
        if (begins_table(layout, i, "_delta_log", &table)) {
            SS_TRY(apply_delta(&table, is_data, err));
            release_absent(&table);
        } else if (begins_table(layout, i, "metadata", &table)) {
            SS_TRY(apply_metadata(&table, i, is_data, err));
        } else if (begins_table(layout, i, ".hoodie", &table)) {
            SS_TRY(apply_hudi(&table, err));
        }
    }
out:
    release_absent(&table);
    ss__free(table.is_live);
    return status;
}
