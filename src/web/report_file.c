/* One file with everything: pages, script and the data of a run, to be opened anywhere without a
 * network.
 *
 *   a policy that lets the browser run this script alone, and fetch nothing
 *   the style
 *   the data of pages.h as base64, which the browser does not execute
 *   the modules of assets/ as one script
 *
 * The same run and options give the same bytes. */
#include <string.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/output.h"
#include "base/sized.h"
#include "web/assets.h"
#include "web/pages.h"

enum { DEFAULT_BUDGET = 10000000 };
#define MAX_BYTES ((uint64_t)500000000) /* strings of browsers end near 2^29 */
#define ALL SIZE_MAX

/* What is left out first where the budget is small: first ends of texts, then samples, then
 * what is below the best texts. */
static const struct ss_web_level levels[] = {
    {0, ALL, 10, 2000, true, false},   {1000, ALL, 10, 2000, true, false},
    {500, ALL, 10, 1000, true, false}, {500, ALL, 5, 1000, true, false},
    {240, ALL, 5, 1000, true, false},  {240, ALL, 3, 0, true, false},
    {240, ALL, 0, 0, true, false},     {160, ALL, 0, 0, true, false},
    {160, 5, 0, 0, true, false},       {160, 3, 0, 0, false, false},
    {120, 1, 0, 0, false, false},
};
enum { N_LEVELS = sizeof levels / sizeof levels[0] };

static const char data_begin[] = "<script type=\"application/octet-stream\" id=\"data\">";
static const char data_end[] = "</script>";

/* ---- the page around the data ---- */

static void add_hash_source(struct ss__buf *buf, const char *data, size_t n_bytes)
{
    uint8_t digest[SS__SHA256_BYTES];
    ss__sha256_of((struct ss_text){data, n_bytes}, (struct ss_text){"", 0}, digest);
    ss__buf_add_text(buf, "'sha256-");
    ss__base64_add(buf, digest, sizeof digest);
    ss__buf_add_text(buf, "'");
}

static void add_head(struct ss__buf *buf, const struct ss_web_asset *style,
                     const struct ss__buf *script)
{
    ss__buf_add_text(buf,
                     "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
                     "'none'; script-src ");
    add_hash_source(buf, script->data, script->n_bytes);
    ss__buf_add_text(buf, "; style-src ");
    add_hash_source(buf, style->data, (size_t)(style->end - style->data));
    ss__buf_add_text(buf, "; img-src data: blob:; base-uri 'none'; form-action 'none'; "
                          "require-trusted-types-for 'script'; trusted-types 'none'\">\n"
                          "<meta name=\"viewport\" content=\"width=device-width, "
                          "initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light "
                          "dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n"
                          "<title>saescope report</title>\n<style>");
    ss__buf_add(buf, style->data, (size_t)(style->end - style->data));
    ss__buf_add_text(buf, "</style>\n</head>\n<body>\n<noscript>This report needs "
                          "JavaScript; it makes no requests.</noscript>\n");
}

static ss_status add_page(const struct ss_web_zip *zip, struct ss__buf *page, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf script = {0};
    ss_web_add_script(&script);
    SS_TRY(ss__buf_check(&script, err));
    add_head(page, ss_web_asset_find("style.css"), &script);
    ss__buf_add_text(page, data_begin);
    ss__base64_add(page, zip->bytes.data, zip->bytes.n_bytes);
    ss__buf_add_text(page, data_end);
    ss__buf_add_text(page, "\n<script>");
    ss__buf_add(page, script.data, script.n_bytes);
    ss__buf_add_text(page, "</script>\n</body>\n</html>\n");
    SS_TRY(ss__buf_check(page, err));
out:
    ss__buf_release(&script);
    return status;
}

/* ---- the budget ---- */

struct fitting {
    uint64_t budget, n_smallest;
    bool no_texts;
};

/* The page at one level; empty where it does not fit. */
static ss_status try_level(const struct ss_web_source *source, const struct ss_web_level *level,
                           struct fitting *fitting, struct ss__buf *page,
                           struct ss_web_counts *counts, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_web_zip zip = {0};
    page->n_bytes = 0;
    SS_TRY(ss_web_pages_build(source, level, fitting->budget, &zip, counts, err));
    if (zip.bytes.n_bytes > 0 && zip.bytes.n_bytes / 3 * 4 < MAX_BYTES) {
        SS_TRY(add_page(&zip, page, err));
        fitting->n_smallest = page->n_bytes;
    }
    if (page->n_bytes > fitting->budget) {
        page->n_bytes = 0;
    }
out:
    ss_web_zip_release(&zip);
    return status;
}

static ss_status fail_budget(const char *folder, const struct fitting *fitting, ss_err *err)
{
    return ss__fail_file(
        err, folder, SS_E_LIMIT,
        "the smallest report of it has %llu bytes and `budget` allows %llu; give a "
        "larger one%s",
        (unsigned long long)fitting->n_smallest, (unsigned long long)fitting->budget,
        fitting->no_texts ? "" : ", or leave the texts out with `no_texts`");
}

static ss_status fit(const struct ss_web_source *source, struct fitting *fitting,
                     struct ss__buf *page, struct ss_report_result *result, ss_err *err)
{
    for (size_t i = 0; i < N_LEVELS; i++) {
        struct ss_web_level level = levels[i];
        struct ss_web_counts counts = {0};
        level.no_texts = fitting->no_texts;
        if (level.n_tops == ALL) {
            level.n_tops = source->run->info.top_k;
        }
        SS_RETURN_IF_ERROR(try_level(source, &level, fitting, page, &counts, err));
        if (page->n_bytes > 0) {
            result->n_bytes = page->n_bytes;
            result->n_texts = counts.n_texts;
            result->n_texts_cut = counts.n_cut;
            result->n_chars = level.n_chars;
            result->n_tops = level.n_tops;
            result->n_samples = source->has_evidence ? level.n_samples : 0;
            result->has_histograms = source->has_evidence && level.has_histograms;
            return SS_OK;
        }
    }
    return fail_budget(source->folder, fitting, err);
}

ss_status ss_report_file(const char *run_dir, const char *path,
                         const struct ss_report_options *options, struct ss_report_result *out,
                         ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_web_source source = {0};
    struct ss__buf page = {0};
    struct ss__out file = SS__OUT_CLOSED;
    struct ss_report_options read = {.struct_size = sizeof read};
    struct ss_report_result result = {.struct_size = sizeof result};
    SS_TRY(ss__result_check(out, "ss_report_result", err));
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_report_options, err));
    struct ss__asking asking = {.stop = read.progress};
    struct fitting fitting = {.budget =
                                  read.budget_bytes == 0 ? DEFAULT_BUDGET : read.budget_bytes,
                              .no_texts = read.no_texts};
    SS_TRY(ss_web_source_open(run_dir, &asking, &source, err));
    SS_TRY(ss_web_source_compare(&source, read.with, err));
    SS_TRY(ss__out_open_named(path, read.force, &file, err));
    SS_TRY(fit(&source, &fitting, &page, &result, err));
    SS_TRY(ss__out_write(&file, page.data, page.n_bytes, err));
    SS_TRY(ss__out_commit(&file, err));
    if (out != NULL) {
        (void)ss__result_write(out, &result, sizeof result);
    }
out:
    ss__out_abort(&file);
    ss__buf_release(&page);
    ss_web_source_release(&source);
    return status;
}

/* ---- the numbers back ---- */

static ss_status decode_data(const char *path, const struct ss__buf *page, uint8_t *out,
                             size_t *n_out, ss_err *err)
{
    static const char zip_begin[] = "PK\003\004";
    const char *begin = memmem(page->data, page->n_bytes, data_begin, sizeof data_begin - 1);
    if (begin == NULL) {
        return ss__fail_file(err, path, SS_E_DATA, "this is no report that saescope made");
    }
    begin += sizeof data_begin - 1;
    const size_t n_left = (size_t)(page->data + page->n_bytes - begin);
    const char *end = memmem(begin, n_left, data_end, sizeof data_end - 1);
    if (end == NULL ||
        !ss__base64_decode(begin, (size_t)(end - begin), out, page->n_bytes, n_out) ||
        *n_out < 4 || memcmp(out, zip_begin, 4) != 0) {
        return ss__fail_file(err, path, SS_E_DATA, "the data in this report is damaged");
    }
    return SS_OK;
}

ss_status ss_report_extract(const char *path, const char *out_path, bool force, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf page = {0};
    struct ss__out file = SS__OUT_CLOSED;
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    SS_TRY(ss__file_read(path, (size_t)MAX_BYTES, &page, err));
    SS_ALLOC(bytes, page.n_bytes + 1);
    SS_TRY(decode_data(path, &page, bytes, &n_bytes, err));
    SS_TRY(ss__out_open_named(out_path, force, &file, err));
    SS_TRY(ss__out_write(&file, bytes, n_bytes, err));
    SS_TRY(ss__out_commit(&file, err));
out:
    ss__out_abort(&file);
    ss__buf_release(&page);
    ss__free(bytes);
    return status;
}
