/* Looking at a folder that somebody writes into, or will have added to: by the file that is renamed into
 * place last, whose identity changes with it. */
#include "web/viewer_live.h"

#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/stop.h"
#include "pass/pipeline.h"

enum { SCHEMA = 1, N_SAMPLES = 20 };
static const double look_seconds = 1;

void ss_web_make_etag(char etag[SS_WEB_ETAG_BYTES], struct ss_text bytes)
{
    uint8_t digest[SS__SHA256_BYTES];
    ss__sha256_of(bytes, (struct ss_text){"", 0}, digest);
    ss__snprintf(etag, SS_WEB_ETAG_BYTES, "\"%02x%02x%02x%02x%02x%02x%02x%02x\"", digest[0],
                 digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7]);
}

static struct ss_web_identity identity_of(const char *path)
{
    struct stat facts;
    if (stat(path, &facts) != 0) {
        return (struct ss_web_identity){0};
    }
    return (struct ss_web_identity){
        .device = (uint64_t)facts.st_dev,
        .inode = (uint64_t)facts.st_ino,
        .n_bytes = (uint64_t)facts.st_size,
        .seconds = (int64_t)facts.st_mtim.tv_sec,
        .nanoseconds = (int64_t)facts.st_mtim.tv_nsec,
    };
}

static bool is_same(const struct ss_web_identity *a, const struct ss_web_identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->n_bytes == b->n_bytes &&
           a->seconds == b->seconds && a->nanoseconds == b->nanoseconds;
}

/* Take the numbers of a place in place of those that are there; on failure these stay. */
static ss_status take(struct ss_web_live *live, const struct ss_web_place *place, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_web_api api = {0};
    struct ss_web_zip pages = {0};
    struct ss_web_counts counts = {0};
    SS_TRY(ss_web_api_open(&api, place, live->asking, live->options, err));
    const struct ss_web_level whole = {
        .n_tops = api.source.run->info.top_k, .n_samples = N_SAMPLES, .has_histograms = true};
    SS_TRY(ss_web_pages_build(&api.source, &whole, 0, &pages, &counts, err));
    ss_web_api_close(&live->api);
    ss_web_zip_release(&live->pages);
    live->api = api;
    live->pages = pages;
    live->has_run = true;
    ss_web_make_etag(live->etag,
                     (struct ss_text){live->pages.bytes.data, live->pages.bytes.n_bytes});
    return SS_OK;
out:
    ss_web_zip_release(&pages);
    ss_web_api_close(&api);
    return status;
}

/* What is there now, read if it is another file than the last time. */
static ss_status look(struct ss_web_live *live, ss_err *err)
{
    ss_status status = SS_OK;
    char *snapshot = NULL, *manifest = NULL;
    SS_TRY(ss_folder_look(live->folder, &live->state, &snapshot, err));
    const bool is_run = live->state == SS_FOLDER_COMPLETE;
    manifest = ss__path_join(live->folder, SS_FOLDER_FILE_MANIFEST);
    if (manifest == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    if (!is_run && snapshot == NULL) {
        goto out;
    }
    const struct ss_web_identity identity = identity_of(is_run ? manifest : snapshot);
    if (is_same(&identity, &live->identity)) {
        goto out;
    }
    const struct ss_web_place place = {live->folder, is_run ? NULL : snapshot};
    SS_TRY(take(live, &place, err));
    live->identity = identity;
out:
    ss__free(snapshot);
    ss__free(manifest);
    return status;
}

ss_status ss_web_live_open(struct ss_web_live *live, const char *folder,
                           struct ss__asking *asking, const struct ss_view_options *options,
                           ss_err *err)
{
    const struct ss_web_place place = {folder, NULL};
    *live = (struct ss_web_live){
        .folder = folder, .asking = asking, .options = options, .looked = ss__seconds_now()};
    ss_status status = look(live, err);
    if (live->state == SS_FOLDER_WRITTEN && status != SS_OK) {
        return SS_OK; /* it was replaced while it was read: there is a next time */
    }
    if (status == SS_OK && !live->has_run && live->state != SS_FOLDER_WRITTEN) {
        status = take(live, &place, err); /* says what is missing */
    }
    if (status != SS_OK) {
        ss_web_live_close(live);
    }
    return status;
}

void ss_web_live_look(struct ss_web_live *live)
{
    const double now = ss__seconds_now();
    if (now - live->looked < look_seconds) {
        return;
    }
    const ss_status status = look(live, NULL);
    (void)status; /* there is a next time */
    live->looked = now;
}

void ss_web_live_close(struct ss_web_live *live)
{
    ss_web_zip_release(&live->pages);
    ss_web_api_close(&live->api);
    live->has_run = false;
}

/* ---- answers ---- */

static const char *state_name(const struct ss_web_live *live)
{
    switch (live->state) {
    case SS_FOLDER_COMPLETE:
        return "done";
    case SS_FOLDER_WRITTEN:
        return "running";
    case SS_FOLDER_NONE: /* it was stopped, and took with it what it had made */
    case SS_FOLDER_INTERRUPTED:
        break;
    }
    return "interrupted";
}

void ss_web_live_answer(struct ss_web_live *live, struct ss_web_response *response)
{
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    const struct ss_run_info none = {0};
    const struct ss_run_info *info = live->has_run ? &live->api.source.run->info : &none;
    const int64_t n_total = ss__json_integer(
        ss__json_get(ss__json_get(live->api.source.manifest, "rows"), "total"));
    ss__put_open(&writer, NULL, '{');
    ss__put_count(&writer, "schema", SCHEMA);
    ss__put_text(&writer, "state", state_name(live));
    ss__put_count(&writer, "rows_read", info->n_rows_read);
    ss__put_count(&writer, "rows_used", info->n_rows_used);
    if (n_total > 0) {
        ss__put_count(&writer, "rows_total", (uint64_t)n_total);
    } else {
        ss__put_null(&writer, "rows_total");
    }
    ss__put_number(&writer, "seconds", info->seconds);
    if (live->has_run) {
        ss__put_text(&writer, "pages", live->etag);
    } else {
        ss__put_null(&writer, "pages");
    }
    ss__put_close(&writer, '}');
    ss__buf_add_byte(&writer.buf, '\n');
    response->body = writer.buf;
    response->type = "application/json";
    ss_web_make_etag(live->live_etag, (struct ss_text){writer.buf.data, writer.buf.n_bytes});
    response->etag = live->live_etag;
}

void ss_web_live_refuse(struct ss_web_response *response)
{
    ss_web_problem(response, 503, "The analysis has just begun: there are no numbers yet.");
    response->is_busy = true;
}
