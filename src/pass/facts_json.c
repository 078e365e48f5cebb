/* Facts as JSON, in a state (docs/formats.md). Reading trusts nothing: a state is a file like any
 * other. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "pass/facts.h"

/* Members that are counts, of the object that is the same for everybody. */
static const struct {
    const char *key;
    size_t offset;
} counts[] = {
    {"read", offsetof(struct ss_pass_facts, counts.n_read)},
    {"used", offsetof(struct ss_pass_facts, counts.n_used)},
    {"repaired", offsetof(struct ss_pass_facts, counts.n_repaired)},
    {"unmatched", offsetof(struct ss_pass_facts, counts.n_unmatched)},
    {"unsampled", offsetof(struct ss_pass_facts, counts.n_unsampled)},
    {"tokens", offsetof(struct ss_pass_facts, n_tokens)},
    {"reembedded", offsetof(struct ss_pass_facts, n_reembedded)},
    {"tied_rows", offsetof(struct ss_pass_facts, sae_counts.n_tied_rows)},
    {"borderline_pairs", offsetof(struct ss_pass_facts, sae_counts.n_borderline_pairs)},
    {"absent", offsetof(struct ss_pass_facts, n_absent)},
};
enum { N_COUNTS = sizeof counts / sizeof counts[0] };

/* ---- writing ---- */

static void put_counts(struct ss__json_writer *writer, const char *key, const uint64_t *values,
                       size_t n)
{
    ss__put_open(writer, key, '[');
    for (size_t i = 0; i < n; i++) {
        if (values[i] == SS_PASS_ROWS_UNKNOWN) {
            ss__put_null(writer, NULL);
        } else {
            ss__put_count(writer, NULL, values[i]);
        }
    }
    ss__put_close(writer, ']');
}

static void put_bad(struct ss__json_writer *writer, const struct ss_pass_facts *facts)
{
    put_counts(writer, "bad_counts", facts->n_bad_of, SS_FORMAT_N_FAULTS);
    ss__put_open(writer, "bad", '[');
    for (size_t i = 0; i < facts->n_bad; i++) {
        const struct ss_pass_bad_row *row = &facts->bad[i];
        ss__put_open(writer, NULL, '{');
        ss__put_count(writer, "file", row->file);
        ss__put_count(writer, "row", row->row);
        ss__put_count(writer, "fault", (uint64_t)row->fault);
        ss__put_text(writer, "problem", row->problem);
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
}

static void put_texts(struct ss__json_writer *writer, const char *key, const char *const *texts,
                      size_t n)
{
    ss__put_open(writer, key, '[');
    for (size_t i = 0; i < n; i++) {
        ss__put_text(writer, NULL, texts[i]);
    }
    ss__put_close(writer, ']');
}

static void put_mismatch(struct ss__json_writer *writer, const struct ss_pass_facts *facts)
{
    if (facts->n_mismatched > 0) {
        ss__put_open(writer, "mismatch", '{');
        ss__put_count(writer, "n", facts->n_mismatched);
        ss__put_count(writer, "file", facts->mismatched_file);
        ss__put_count(writer, "row", facts->mismatched_row);
        ss__put_text(writer, "what", facts->mismatch == NULL ? "" : facts->mismatch);
        ss__put_close(writer, '}');
    }
}

void ss_pass_facts_put(struct ss__json_writer *writer, const struct ss_pass_facts *facts)
{
    for (size_t i = 0; i < N_COUNTS; i++) {
        uint64_t value = 0;
        memcpy(&value, (const char *)facts + counts[i].offset, sizeof value);
        ss__put_count(writer, counts[i].key, value);
    }
    ss__put_count(writer, "first_absent", facts->first_absent);
    put_counts(writer, "skipped", facts->counts.n_skipped, SS_N_ROW_KINDS);
    ss__put_number(writer, "error_margin", facts->error_margin);
    ss__put_number(writer, "largest_error", facts->largest_error);
    put_counts(writer, "file_rows", facts->file_rows, facts->n_files);
    put_bad(writer, facts);
    put_mismatch(writer, facts);
    put_texts(writer, "warnings", facts->warnings, facts->n_warnings);
}

void ss_pass_facts_put_record(struct ss__json_writer *writer, const struct ss_pass_facts *facts)
{
    ss__put_count(writer, "n_parts", facts->n_parts);
    ss__put_open(writer, "parts", '[');
    for (size_t i = 0; i < facts->n_done; i++) {
        ss__put_open(writer, NULL, '{');
        ss__put_count(writer, "part", facts->parts[i].part);
        ss__put_text(writer, "id", facts->parts[i].id);
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
    ss__put_number(writer, "seconds", facts->seconds);
    ss__put_number(writer, "seconds_waiting", facts->seconds_waiting);
    ss__put_text(writer, "dataset_name",
                 facts->dataset_name == NULL ? "" : facts->dataset_name);
    if (facts->title != NULL) {
        ss__put_text(writer, "title", facts->title);
    }
    put_texts(writer, "files", facts->files, facts->n_files);
    ss__put_tree(writer, "dataset", facts->dataset);
    ss__put_tree(writer, "options", facts->options);
    ss__put_tree(writer, "models", facts->models);
}

/* ---- reading ---- */

struct reading {
    struct ss_pass_facts *facts;
    const char *file;
    const char *fault; /* the first member that is not as it has to be */
};

static const struct ss__json *get(struct reading *reading, const struct ss__json *object,
                                  const char *key, bool (*is_kind)(const struct ss__json *))
{
    const struct ss__json *value = ss__json_get(object, key);
    if (reading->fault == NULL && !is_kind(value)) {
        reading->fault = key;
    }
    return value;
}

static uint64_t count_of(struct reading *reading, const struct ss__json *value, const char *key)
{
    if (reading->fault == NULL &&
        (!ss__json_is_integer(value) || ss__json_integer(value) < 0)) {
        reading->fault = key;
    }
    return (uint64_t)ss__json_integer(value);
}

static double number_of(struct reading *reading, const struct ss__json *object, const char *key)
{
    const double value = ss__json_real(get(reading, object, key, ss__json_is_number));
    if (reading->fault == NULL && (!isfinite(value) || value < 0)) {
        reading->fault = key;
    }
    return value;
}

/* A copy of a string without zeros in it; NULL when memory ran out, "" for anything else. */
static const char *text_of(struct reading *reading, const struct ss__json *value,
                           const char *key)
{
    const char *text = ss__json_string(value);
    if (text == NULL || strlen(text) != ss__json_string_bytes(value)) {
        reading->fault = reading->fault == NULL ? key : reading->fault;
        text = "";
    }
    return ss__arena_strndup(&reading->facts->arena, text, strlen(text));
}

static void read_counts(struct reading *reading, const struct ss__json *object, const char *key,
                        uint64_t *out, size_t n)
{
    const struct ss__json *list = get(reading, object, key, ss__json_is_array);
    if (reading->fault == NULL && ss__json_count(list) != n) {
        reading->fault = key;
    }
    for (size_t i = 0; reading->fault == NULL && i < n; i++) {
        const struct ss__json *value = ss__json_at(list, i);
        out[i] = ss__json_is_null(value) ? SS_PASS_ROWS_UNKNOWN : count_of(reading, value, key);
    }
}

static ss_status read_texts(struct reading *reading, const struct ss__json *object,
                            const char *key, const char ***out, size_t *n, ss_err *err)
{
    const struct ss__json *list = get(reading, object, key, ss__json_is_array);
    const size_t n_texts = ss__json_count(list);
    SS_ALLOC_OR_RETURN(*out, n_texts);
    for (; *n < n_texts; ++*n) {
        (*out)[*n] = text_of(reading, ss__json_at(list, *n), key);
        if ((*out)[*n] == NULL) {
            return ss__fail_nomem(err, "names");
        }
    }
    return SS_OK;
}

static ss_status read_bad(struct reading *reading, const struct ss__json *common, ss_err *err)
{
    struct ss_pass_facts *facts = reading->facts;
    const struct ss__json *list = get(reading, common, "bad", ss__json_is_array);
    const size_t n = ss__json_count(list);
    if (n > SS_FORMAT_MAX_BAD_ROWS) {
        reading->fault = "bad";
        return SS_OK;
    }
    SS_ALLOC_OR_RETURN(facts->bad, n);
    for (; facts->n_bad < n && reading->fault == NULL; facts->n_bad++) {
        const struct ss__json *item = ss__json_at(list, facts->n_bad);
        struct ss_pass_bad_row *row = &facts->bad[facts->n_bad];
        const uint64_t file = count_of(reading, ss__json_get(item, "file"), "bad");
        const uint64_t fault = count_of(reading, ss__json_get(item, "fault"), "bad");
        *row = (struct ss_pass_bad_row){
            .file = (uint32_t)file,
            .row = count_of(reading, ss__json_get(item, "row"), "bad"),
            .fault = (ss_format_fault)fault,
            .problem = text_of(reading, ss__json_get(item, "problem"), "bad")};
        if (row->problem == NULL) {
            return ss__fail_nomem(err, "names");
        }
        const struct ss_pass_bad_row *before = facts->n_bad == 0 ? NULL : row - 1;
        if (file >= facts->n_files || fault == 0 || fault >= SS_FORMAT_N_FAULTS ||
            (before != NULL &&
             (before->file > file || (before->file == file && before->row >= row->row)))) {
            reading->fault = reading->fault == NULL ? "bad" : reading->fault;
        }
    }
    return SS_OK;
}

static ss_status read_mismatch(struct reading *reading, const struct ss__json *common,
                               ss_err *err)
{
    struct ss_pass_facts *facts = reading->facts;
    const struct ss__json *found = ss__json_get(common, "mismatch");
    if (found == NULL) {
        return SS_OK;
    }
    facts->n_mismatched = count_of(reading, ss__json_get(found, "n"), "mismatch");
    facts->mismatched_row = count_of(reading, ss__json_get(found, "row"), "mismatch");
    const uint64_t file = count_of(reading, ss__json_get(found, "file"), "mismatch");
    facts->mismatched_file = (uint32_t)file;
    facts->mismatch = text_of(reading, ss__json_get(found, "what"), "mismatch");
    if (reading->fault == NULL && (facts->n_mismatched == 0 || file >= facts->n_files)) {
        reading->fault = "mismatch";
    }
    return facts->mismatch == NULL ? ss__fail_nomem(err, "names") : SS_OK;
}

static ss_status read_common(struct reading *reading, const struct ss__json *common,
                             ss_err *err)
{
    struct ss_pass_facts *facts = reading->facts;
    for (size_t i = 0; i < N_COUNTS; i++) {
        const uint64_t value =
            count_of(reading, ss__json_get(common, counts[i].key), counts[i].key);
        memcpy((char *)facts + counts[i].offset, &value, sizeof value);
    }
    facts->first_absent =
        (uint32_t)count_of(reading, ss__json_get(common, "first_absent"), "first_absent");
    facts->error_margin = number_of(reading, common, "error_margin");
    facts->largest_error = number_of(reading, common, "largest_error");
    read_counts(reading, common, "skipped", facts->counts.n_skipped, SS_N_ROW_KINDS);
    read_counts(reading, common, "bad_counts", facts->n_bad_of, SS_FORMAT_N_FAULTS);
    SS_ALLOC_OR_RETURN(facts->file_rows, facts->n_files);
    read_counts(reading, common, "file_rows", facts->file_rows, facts->n_files);
    SS_RETURN_IF_ERROR(read_bad(reading, common, err));
    SS_RETURN_IF_ERROR(read_mismatch(reading, common, err));
    SS_RETURN_IF_ERROR(
        read_texts(reading, common, "warnings", &facts->warnings, &facts->n_warnings, err));
    facts->warnings_capacity = facts->n_warnings;
    return SS_OK;
}

static ss_status read_parts(struct reading *reading, const struct ss__json *record, ss_err *err)
{
    struct ss_pass_facts *facts = reading->facts;
    const struct ss__json *list = get(reading, record, "parts", ss__json_is_array);
    const size_t n = ss__json_count(list);
    facts->n_parts = count_of(reading, ss__json_get(record, "n_parts"), "n_parts");
    SS_ALLOC_OR_RETURN(facts->parts, n);
    for (; facts->n_done < n && reading->fault == NULL; facts->n_done++) {
        const struct ss__json *item = ss__json_at(list, facts->n_done);
        struct ss_pass_part *part = &facts->parts[facts->n_done];
        part->part = count_of(reading, ss__json_get(item, "part"), "parts");
        part->id = text_of(reading, ss__json_get(item, "id"), "parts");
        if (part->id == NULL) {
            return ss__fail_nomem(err, "names");
        }
        if (part->part == 0 || (facts->n_parts > 0 && part->part > facts->n_parts) ||
            (facts->n_done > 0 && part[-1].part >= part->part)) {
            reading->fault = reading->fault == NULL ? "parts" : reading->fault;
        }
    }
    return SS_OK;
}

/* A document of its own, of a member. */
static ss_status copy_tree(struct reading *reading, const struct ss__json *object,
                           const char *key, struct ss__json **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    if (ss__json_is_null(ss__json_get(object, key))) { /* of a run that is not complete */
        return SS_OK;
    }
    ss__put_tree(&writer, NULL, get(reading, object, key, ss__json_is_object));
    SS_TRY(ss__buf_check(&writer.buf, err));
    SS_TRY(ss__json_parse(reading->file, writer.buf.data, writer.buf.n_bytes, out, err));
out:
    ss__buf_release(&writer.buf);
    return status;
}

static ss_status read_record(struct reading *reading, const struct ss__json *record,
                             ss_err *err)
{
    struct ss_pass_facts *facts = reading->facts;
    const struct ss__json *title = ss__json_get(record, "title");
    SS_RETURN_IF_ERROR(read_parts(reading, record, err));
    facts->seconds = number_of(reading, record, "seconds");
    facts->seconds_waiting = number_of(reading, record, "seconds_waiting");
    facts->dataset_name =
        text_of(reading, ss__json_get(record, "dataset_name"), "dataset_name");
    facts->title = title == NULL ? NULL : text_of(reading, title, "title");
    if (facts->dataset_name == NULL || (title != NULL && facts->title == NULL)) {
        return ss__fail_nomem(err, "names");
    }
    SS_RETURN_IF_ERROR(
        read_texts(reading, record, "files", &facts->files, &facts->n_files, err));
    SS_RETURN_IF_ERROR(copy_tree(reading, record, "dataset", &facts->dataset, err));
    SS_RETURN_IF_ERROR(copy_tree(reading, record, "options", &facts->options, err));
    return copy_tree(reading, record, "models", &facts->models, err);
}

ss_status ss_pass_facts_read(struct ss_pass_facts *facts, const char *file,
                             const struct ss__json *common, const struct ss__json *record,
                             ss_err *err)
{
    struct reading reading = {facts, file, NULL};
    *facts = (struct ss_pass_facts){.n_files = 0};
    SS_RETURN_IF_ERROR(read_record(&reading, record, err));
    SS_RETURN_IF_ERROR(read_common(&reading, common, err));
    return reading.fault == NULL
               ? SS_OK
               : ss__fail_file(err, file, SS_E_DATA,
                               "its member '%s' is missing, or not what it has to be: this is "
                               "not a state, or it is damaged",
                               reading.fault);
}
