/* Facts of parts, added up. Merging has to be commutative and associative down to the bytes,
 * as it is of the reducers, so everything that is the same for everybody has one order that
 * does not depend on who came first: files as in the dataset, bad rows by file and row,
 * warnings by their bytes (each once), parts by number. What describes one command (options,
 * title, models) is taken from the lowest part. Times add up, whether parts ran beside each
 * other or one after another. */
#include "pass/facts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"

enum { N_MERGED = 2 };

void ss_pass_facts_release(struct ss_pass_facts *facts)
{
    ss__free(facts->files);
    ss__free(facts->file_rows);
    ss__free(facts->first_rows);
    ss__free(facts->bad);
    ss__free(facts->warnings);
    ss__free(facts->parts);
    ss__json_free(facts->dataset);
    ss__json_free(facts->options);
    ss__json_free(facts->models);
    ss__arena_release(&facts->arena);
    *facts = (struct ss_pass_facts){.n_files = 0};
}

static ss_status copy(struct ss_pass_facts *facts, const char *text, const char **out,
                      ss_err *err)
{
    *out = ss__arena_strndup(&facts->arena, text, strlen(text));
    return *out == NULL ? ss__fail_nomem(err, "a name") : SS_OK;
}

ss_status ss_pass_facts_add_warning(struct ss_pass_facts *facts, const char *sentence,
                                    ss_err *err)
{
    size_t at = 0;
    while (at < facts->n_warnings && strcmp(facts->warnings[at], sentence) != 0) {
        at++;
    }
    if (at < facts->n_warnings) {
        return SS_OK;
    }
    SS_GROW_OR_RETURN(facts->warnings, facts->warnings_capacity, facts->n_warnings + 1);
    SS_RETURN_IF_ERROR(copy(facts, sentence, &facts->warnings[facts->n_warnings], err));
    facts->n_warnings++;
    return SS_OK;
}

static int compare_warnings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void ss_pass_facts_sort_warnings(struct ss_pass_facts *facts)
{
    if (facts->n_warnings > 0) {
        ss__sort(facts->warnings, facts->n_warnings, sizeof *facts->warnings, compare_warnings);
    }
}

/* ---- numbers of rows ---- */

/* Numbers over the whole dataset: of each file the rows before it. They exist from here on,
 * when all files are known; until then rows are known by file and place in it, which does not
 * depend on who read what. */
ss_status ss_pass_facts_number(struct ss_pass_facts *facts, ss_err *err)
{
    uint64_t n = 0;
    ss__free(facts->first_rows);
    facts->first_rows = NULL;
    SS_ALLOC_OR_RETURN(facts->first_rows, facts->n_files);
    for (size_t i = 0; i < facts->n_files; i++) {
        facts->first_rows[i] = n;
        n += facts->file_rows[i] == SS_PASS_ROWS_UNKNOWN ? 0 : facts->file_rows[i];
    }
    return SS_OK;
}

uint64_t ss_pass_facts_row(const struct ss_pass_facts *facts, uint32_t file, uint64_t row)
{
    return file < facts->n_files ? facts->first_rows[file] + row : row;
}

const char *ss_pass_facts_file(const struct ss_pass_facts *facts, uint32_t file)
{
    return file < facts->n_files ? facts->files[file] : "";
}

/* ---- merging ---- */

/* Of a file that a part did not read to its end nobody but the others knows the rows. Two
 * that know must agree: a file that changed between two workers would give a run that nobody
 * could make again. */
static ss_status merge_files(struct ss_pass_facts *facts, const struct ss_pass_facts *other,
                             const char *const names[N_MERGED], ss_err *err)
{
    if (facts->n_files != other->n_files) {
        return ss__fail_file(
            err, names[1], SS_E_DATA,
            "it was made of %zu files, and %s of %zu; parts are of one dataset", other->n_files,
            names[0], facts->n_files);
    }
    for (size_t i = 0; i < facts->n_files; i++) {
        const uint64_t a = facts->file_rows[i], b = other->file_rows[i];
        if (a != SS_PASS_ROWS_UNKNOWN && b != SS_PASS_ROWS_UNKNOWN && a != b) {
            return ss__fail_file(err, names[1], SS_E_DATA,
                                 "it found %llu rows in %.300s, where %s found %llu: the file "
                                 "changed while parts were made; make them again",
                                 (unsigned long long)b, facts->files[i], names[0],
                                 (unsigned long long)a);
        }
        facts->file_rows[i] = a == SS_PASS_ROWS_UNKNOWN ? b : a;
    }
    return SS_OK;
}

static int compare_bad(const void *a, const void *b)
{
    const struct ss_pass_bad_row *x = a, *y = b;
    return x->file != y->file ? (x->file > y->file) - (x->file < y->file)
                              : (x->row > y->row) - (x->row < y->row);
}

/* The first so many of all, by file and row: each part kept that many of its own, so the
 * first of all are among them. */
static ss_status merge_bad(struct ss_pass_facts *facts, const struct ss_pass_facts *other,
                           ss_err *err)
{
    struct ss_pass_bad_row *all = NULL;
    SS_ALLOC_OR_RETURN(all, facts->n_bad + other->n_bad);
    if (facts->n_bad > 0) {
        memcpy(all, facts->bad, facts->n_bad * sizeof *all);
    }
    ss__free(facts->bad);
    facts->bad = all;
    for (size_t i = 0; i < other->n_bad; i++) {
        struct ss_pass_bad_row *row = &all[facts->n_bad];
        *row = other->bad[i];
        SS_RETURN_IF_ERROR(copy(facts, other->bad[i].problem, &row->problem, err));
        facts->n_bad++;
    }
    ss__sort(all, facts->n_bad, sizeof *all, compare_bad);
    facts->n_bad = ss__min_size(facts->n_bad, SS_FORMAT_MAX_BAD_ROWS);
    for (size_t i = 0; i < SS_FORMAT_N_FAULTS; i++) {
        facts->n_bad_of[i] += other->n_bad_of[i];
    }
    return SS_OK;
}

static int compare_parts(const void *a, const void *b)
{
    const struct ss_pass_part *x = a, *y = b;
    return (x->part > y->part) - (x->part < y->part);
}

static ss_status merge_parts(struct ss_pass_facts *facts, const struct ss_pass_facts *other,
                             ss_err *err)
{
    struct ss_pass_part *all = NULL;
    SS_ALLOC_OR_RETURN(all, facts->n_done + other->n_done);
    if (facts->n_done > 0) {
        memcpy(all, facts->parts, facts->n_done * sizeof *all);
    }
    ss__free(facts->parts);
    facts->parts = all;
    for (size_t i = 0; i < other->n_done; i++) {
        struct ss_pass_part *part = &all[facts->n_done];
        part->part = other->parts[i].part;
        SS_RETURN_IF_ERROR(copy(facts, other->parts[i].id, &part->id, err));
        facts->n_done++;
    }
    ss__sort(all, facts->n_done, sizeof *all, compare_parts);
    return SS_OK;
}

/* The files of both: of each, the entry that has a hash. */
static ss_status put_inputs(struct ss__json_writer *writer, const char *key,
                            const struct ss__json *a, const struct ss__json *b,
                            const char *const names[N_MERGED], ss_err *err)
{
    const size_t n = ss__json_count(a);
    ss__put_open(writer, key, '[');
    for (size_t i = 0; i < n; i++) {
        const struct ss__json *mine = ss__json_at(a, i), *theirs = ss__json_at(b, i);
        const char *hash = ss__json_string(ss__json_get(mine, "sha256"));
        const char *their_hash = ss__json_string(ss__json_get(theirs, "sha256"));
        if (hash != NULL && their_hash != NULL && strcmp(hash, their_hash) != 0) {
            const char *path = ss__json_string(ss__json_get(mine, "path"));
            return ss__fail_file(
                err, names[1], SS_E_DATA,
                "it read another %.300s than %s: their hashes differ; make the "
                "parts again",
                path == NULL ? "file" : path, names[0]);
        }
        const bool is_more = ss__json_count(theirs) > ss__json_count(mine);
        ss__put_tree(writer, NULL,
                     hash == NULL && (their_hash != NULL || is_more) ? theirs : mine);
    }
    ss__put_close(writer, ']');
    return SS_OK;
}

static ss_status merge_dataset(struct ss_pass_facts *facts, const struct ss_pass_facts *other,
                               const char *const names[N_MERGED], ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    struct ss__json *merged = NULL;
    const struct ss__json *value = NULL;
    const char *key = NULL;
    ss__put_open(&writer, NULL, '{');
    SS_JSON_EACH_MEMBER (facts->dataset, key, value) {
        if (ss__json_is_array(value)) {
            SS_TRY(
                put_inputs(&writer, key, value, ss__json_get(other->dataset, key), names, err));
        } else {
            ss__put_tree(&writer, key, value);
        }
    }
    ss__put_close(&writer, '}');
    SS_TRY(ss__buf_check(&writer.buf, err));
    SS_TRY(ss__json_parse(names[0], writer.buf.data, writer.buf.n_bytes, &merged, err));
    ss__json_free(facts->dataset);
    facts->dataset = merged;
out:
    ss__buf_release(&writer.buf);
    return status;
}

/* What is said of the command comes from the lowest part, whoever is merged first. */
static ss_status merge_record(struct ss_pass_facts *facts, const struct ss_pass_facts *other,
                              ss_err *err)
{
    if (other->n_done == 0 ||
        (facts->n_done > 0 && facts->parts[0].part < other->parts[0].part)) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(copy(facts, other->dataset_name, &facts->dataset_name, err));
    facts->title = NULL;
    if (other->title != NULL) {
        SS_RETURN_IF_ERROR(copy(facts, other->title, &facts->title, err));
    }
    ss__json_free(facts->options);
    ss__json_free(facts->models);
    facts->options = ss__json_share(other->options);
    facts->models = ss__json_share(other->models);
    return SS_OK;
}

/* The first of both. */
static ss_status merge_mismatch(struct ss_pass_facts *facts, const struct ss_pass_facts *other,
                                ss_err *err)
{
    const bool is_before = other->mismatched_file != facts->mismatched_file
                               ? other->mismatched_file < facts->mismatched_file
                               : other->mismatched_row < facts->mismatched_row;
    if (other->n_mismatched > 0 && (facts->n_mismatched == 0 || is_before)) {
        facts->mismatched_file = other->mismatched_file;
        facts->mismatched_row = other->mismatched_row;
        SS_RETURN_IF_ERROR(copy(facts, other->mismatch, &facts->mismatch, err));
    }
    facts->n_mismatched += other->n_mismatched;
    return SS_OK;
}

ss_status ss_pass_facts_merge(struct ss_pass_facts *facts, const struct ss_pass_facts *other,
                              const char *const names[N_MERGED], ss_err *err)
{
    SS_RETURN_IF_ERROR(merge_files(facts, other, names, err));
    SS_RETURN_IF_ERROR(merge_dataset(facts, other, names, err));
    SS_RETURN_IF_ERROR(merge_bad(facts, other, err));
    SS_RETURN_IF_ERROR(merge_record(facts, other, err));
    SS_RETURN_IF_ERROR(merge_parts(facts, other, err));
    for (size_t i = 0; i < other->n_warnings; i++) {
        SS_RETURN_IF_ERROR(ss_pass_facts_add_warning(facts, other->warnings[i], err));
    }
    ss_pass_facts_sort_warnings(facts);
    if (other->n_absent > 0 &&
        (facts->n_absent == 0 || other->first_absent < facts->first_absent)) {
        facts->first_absent = other->first_absent;
    }
    facts->n_absent += other->n_absent;
    SS_RETURN_IF_ERROR(merge_mismatch(facts, other, err));
    ss_pass_row_counts_add(&facts->counts, &other->counts);
    facts->n_tokens += other->n_tokens;
    facts->n_reembedded += other->n_reembedded;
    facts->sae_counts.n_tied_rows += other->sae_counts.n_tied_rows;
    facts->sae_counts.n_borderline_pairs += other->sae_counts.n_borderline_pairs;
    facts->largest_error = fmax(facts->largest_error, other->largest_error);
    facts->seconds += other->seconds;
    facts->seconds_waiting += other->seconds_waiting;
    return SS_OK;
}
