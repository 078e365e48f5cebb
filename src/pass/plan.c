/* A plan: how a dataset is cut into parts, written down once, so that workers which look at their own
 * listing of its files notice that one of them changed. The cut itself follows from the files
 * (dataset/dataset_share.c). */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/output.h"
#include "dataset/dataset.h"
#include "pass/analysis.h"
#include "pass/inputs_json.h"

static const char plan_format[] = "saescope plan";
enum { PLAN_VERSION = 1 };

/* ---- writing ---- */

static void put_parts(struct ss__json_writer *writer, const ss_dataset *dataset,
                      uint64_t n_parts)
{
    struct ss_dataset_info info = {.struct_size = sizeof info};
    struct ss_dataset_piece piece = {0};
    ss_dataset_describe(dataset, &info);
    ss__put_open(writer, "parts", '[');
    for (uint64_t part = 1; part <= n_parts; part++) {
        size_t at = 0;
        ss__put_open(writer, NULL, '[');
        while (ss_dataset_next_piece(dataset, part, &at, &piece)) {
            ss__put_open(writer, NULL, '{');
            ss__put_text(writer, "file", info.files[piece.file]);
            ss__put_count(writer, "begin", piece.begin);
            ss__put_count(writer, "end", piece.end);
            ss__put_close(writer, '}');
        }
        ss__put_close(writer, ']');
    }
    ss__put_close(writer, ']');
}

ss_status ss_plan_write(ss_dataset *dataset, uint64_t n_parts, const char *path, bool force,
                        ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json_writer writer = {0};
    struct ss__out out = SS__OUT_CLOSED;
    SS_TRY(ss_dataset_take_part(dataset, 1, n_parts, err));
    ss__put_open(&writer, NULL, '{');
    ss__put_text(&writer, "format", plan_format);
    ss__put_count(&writer, "version", PLAN_VERSION);
    ss__put_count(&writer, "n_parts", n_parts);
    SS_TRY(ss_pass_put_rows_identity(&writer, dataset, false, err));
    put_parts(&writer, dataset, n_parts);
    ss__put_close(&writer, '}');
    SS_TRY(ss__buf_check(&writer.buf, err));
    SS_TRY(ss__out_open_named(path, force, &out, err));
    SS_TRY(ss__out_write(&out, writer.buf.data, writer.buf.n_bytes, err));
    SS_TRY(ss__out_commit(&out, err));
out:
    ss__out_abort(&out);
    ss__buf_release(&writer.buf);
    return status;
}

/* ---- holding a dataset against one ---- */

static ss_status check_dataset(const char *path, const struct ss__json *plan,
                               const struct ss__json *now, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf place = {0};
    const char *text = NULL;
    SS_TRY(ss_pass_state_difference(ss__json_get(plan, "dataset"), ss__json_get(now, "dataset"),
                                    &place, &text, err));
    if (text != NULL) {
        status = ss__fail_file(err, path, SS_E_DATA,
                               "this plan was made of another dataset, or its files changed "
                               "since: %.400s differs; make the plan and all parts again",
                               text);
        ss__err_about(err, "plan");
    }
out:
    ss__buf_release(&place);
    return status;
}

ss_status ss_pass_plan_check(const char *path, const ss_dataset *dataset, uint64_t part,
                             uint64_t *n_parts, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *plan = NULL, *now = NULL;
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    if (part == 0) {
        ss__fail(err, SS_E_USAGE, "`plan` says how parts are cut: say which one, with `part`");
        SS_TRY(SS_E_USAGE);
    }
    SS_TRY(ss__json_load(path, &plan, err));
    const char *format = ss__json_string(ss__json_get(plan, "format"));
    const struct ss__json *number = ss__json_get(plan, "n_parts");
    if (format == NULL || strcmp(format, plan_format) != 0 || !ss__json_is_integer(number) ||
        ss__json_integer(number) < 1) {
        SS_FAIL_FILE(path, SS_E_DATA, "this is not a plan of saescope plan");
    }
    if (ss__json_integer(ss__json_get(plan, "version")) != PLAN_VERSION) {
        SS_FAIL_FILE(path, SS_E_UNSUPPORTED,
                     "a plan of another version than %d, which this saescope reads",
                     PLAN_VERSION);
    }
    if (*n_parts > 0 && *n_parts != (uint64_t)ss__json_integer(number)) {
        ss__fail_file(err, path, SS_E_USAGE, "this plan is of %lld parts, not of %llu",
                      (long long)ss__json_integer(number), (unsigned long long)*n_parts);
        SS_TRY(SS_E_USAGE);
    }
    ss__put_open(&writer, NULL, '{');
    SS_TRY(ss_pass_put_rows_identity(&writer, dataset, false, err));
    ss__put_close(&writer, '}');
    SS_TRY(ss__buf_check(&writer.buf, err));
    SS_TRY(ss__json_parse("the dataset", writer.buf.data, writer.buf.n_bytes, &now, err));
    SS_TRY(check_dataset(path, plan, now, err));
    *n_parts = (uint64_t)ss__json_integer(number);
out:
    ss__json_free(plan);
    ss__json_free(now);
    ss__buf_release(&writer.buf);
    return status;
}
