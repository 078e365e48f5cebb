/* families.json and feature_families.json, written from what was found.
 *
 * The former has everything, the options that a family depends on among it, so that two files
 * can be compared; the latter is as the Python workflow has it (docs/formats.md). Numbers
 * that are not finite become null. What is ready is written a megabyte at a time, since lists
 * of families grow with features. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/output.h"
#include "base/sort.h"
#include "folder/families_file.h"
#include "stats/stats.h"

enum { FLUSH_BYTES = 1 << 20 };

struct writing {
    const struct ss_folder_families *families;
    struct ss__out out;
    struct ss__buf buf;
};

static ss_status flush(struct writing *writing, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss__buf_check(&writing->buf, err));
    SS_RETURN_IF_ERROR(
        ss__out_write(&writing->out, writing->buf.data, writing->buf.n_bytes, err));
    writing->buf.n_bytes = 0;
    return SS_OK;
}

static ss_status flush_if_full(struct writing *writing, ss_err *err)
{
    return writing->buf.n_bytes < FLUSH_BYTES ? SS_OK : flush(writing, err);
}

/* JSON has no numbers that are not finite. */
static void add_number(struct ss__buf *buf, double value)
{
    char text[SS__DOUBLE_TEXT_BYTES];
    if (isfinite(value)) {
        ss__buf_add(buf, text, ss__format_double(value, text));
    } else {
        ss__buf_add_text(buf, "null");
    }
}

static void add_key_number(struct ss__buf *buf, const char *key, double value)
{
    ss__buf_printf(buf, ", \"%s\": ", key);
    add_number(buf, value);
}

static void add_options(struct writing *writing)
{
    const struct ss_graph_family_options *options = &writing->families->options;
    const struct ss_graph_table *table = writing->families->table;
    struct ss__buf *buf = &writing->buf;
    ss__buf_printf(buf, "{\n  \"rule\": \"%s\",\n  \"options\": {",
                   ss_graph_rule_name(options->rule));
    if (options->rule == SS_GRAPH_PARENTS) {
        ss__buf_printf(buf, "\"score\": \"%s\"", ss_graph_score_name(options->score));
        add_key_number(buf, "q", options->largest_q);
        ss__buf_printf(buf, ", \"count\": %" PRIu64, options->least_count);
        add_key_number(buf, "lift", options->least_lift);
        add_key_number(buf, "parent_rate", options->most_parent_rate);
    } else {
        ss__buf_add_text(buf, "\"tau\": ");
        add_number(buf, options->tau);
    }
    ss__buf_printf(buf, "},\n  \"rows\": %" PRIu64 ",\n  \"features\": %zu,\n",
                   ss_graph_n_rows(table, SS_GRAPH_ALL), table->n_features);
}

static void add_held_out(struct ss__buf *buf, const struct ss_graph_held_out *held_out)
{
    ss__buf_printf(buf, "{\"pairs\": %zu, \"rows\": %" PRIu64, held_out->n, held_out->n_both);
    add_key_number(buf, "expected", held_out->n_expected);
    add_key_number(buf, "lift", held_out->lift);
    add_key_number(buf, "low", held_out->lift_low);
    add_key_number(buf, "high", held_out->lift_high);
    ss__buf_printf(buf, ", \"meaning_pairs\": %zu", held_out->n_meant);
    add_key_number(buf, "meaning", held_out->meaning);
    add_key_number(buf, "meaning_low", held_out->meaning_low);
    add_key_number(buf, "meaning_high", held_out->meaning_high);
}

/* What the whole rule is worth where it did not look. */
static void add_summary(struct writing *writing)
{
    const struct ss_folder_families *families = writing->families;
    struct ss__buf *buf = &writing->buf;
    if (families->options.rule != SS_GRAPH_PARENTS) {
        ss__buf_printf(buf, "  \"before_dropping_alike\": %zu,\n", families->found.n_before);
        return;
    }
    ss__buf_printf(buf,
                   "  \"skipped\": {\"dead\": %zu, \"too_rare\": %zu, \"none_significant\": "
                   "%zu},\n  \"held_out\": ",
                   families->found.n_dead, families->found.n_rare, families->found.n_without);
    add_held_out(buf, &families->held_out.sum);
    add_key_number(buf, "median_lift", families->held_out.median_lift);
    add_key_number(buf, "parent_given_child", families->held_out.conditional);
    ss__buf_add_text(buf, "},\n");
}

static void add_label(struct ss__buf *buf, const ss_descriptions *descriptions, size_t feature)
{
    if (descriptions != NULL && descriptions->labels[feature].n_bytes > 0) {
        ss__buf_add_text(buf, ", \"label\": ");
        ss__json_add_string(buf, descriptions->labels[feature].data,
                            descriptions->labels[feature].n_bytes, false);
    }
}

static void add_name(struct ss__buf *buf, const struct ss_folder_family_name *name)
{
    const struct ss_describe_auc *auc = &name->score.auc[SS_DESCRIBE_RANDOM];
    ss__buf_add_text(buf, ", \"phrases\": ");
    ss__json_add_string(buf, name->phrases.data == NULL ? "" : name->phrases.data,
                        name->phrases.n_bytes, false);
    ss__buf_printf(buf, ", \"status\": \"%s\", \"texts\": %zu",
                   ss_describe_verdict_name(name->score.verdict), name->n_texts);
    add_key_number(buf, "auc", auc->value);
    add_key_number(buf, "auc_low", auc->interval.low);
    add_key_number(buf, "auc_high", auc->interval.high);
}

static void add_members(struct ss__buf *buf, const struct ss_graph_families *found,
                        const struct ss_graph_family *family)
{
    for (size_t i = 0; i < family->n; i++) {
        ss__buf_printf(buf, "%s%" PRIu32, i == 0 ? "" : ", ",
                       found->members[family->first + i]);
    }
}

static void add_family(struct writing *writing, size_t index)
{
    const struct ss_folder_families *families = writing->families;
    const struct ss_graph_family *family = &families->found.families[index];
    struct ss__buf *buf = &writing->buf;
    ss__buf_printf(buf, "\n    {\"parent\": %" PRIu32 ", \"size\": %zu, \"round\": %" PRIu32,
                   family->root, family->n, family->round);
    add_label(buf, families->descriptions, family->root);
    if (families->names != NULL && families->names[index].is_named) {
        add_name(buf, &families->names[index]);
    }
    add_key_number(buf, "R_pc", family->parent_children);
    add_key_number(buf, "R_children", family->children);
    add_key_number(buf, "in_block", family->in_block);
    add_key_number(buf, "off_block", family->off_block);
    add_key_number(buf, "block_ratio", family->block_ratio);
    if (families->held_out.families != NULL) {
        ss__buf_add_text(buf, ", \"held_out\": ");
        add_held_out(buf, &families->held_out.families[index]);
        ss__buf_add_byte(buf, '}');
    }
    ss__buf_add_text(buf, ", \"members\": [");
    add_members(buf, &families->found, family);
    ss__buf_add_text(buf, "]}");
}

/* A parent beside its child, with P(parent given child) and its Wilson interval. */
static void add_parent(struct writing *writing, const struct ss_graph_parent *parent)
{
    const struct ss_graph_table *table = writing->families->table;
    struct ss__buf *buf = &writing->buf;
    const struct ss_graph_counts counts = {ss_graph_n_rows(table, SS_GRAPH_ALL),
                                           ss_graph_fires(table, SS_GRAPH_ALL, parent->parent),
                                           ss_graph_fires(table, SS_GRAPH_ALL, parent->child),
                                           ss_graph_count(table, SS_GRAPH_ALL, parent->index)};
    double low = 0, high = 1;
    ss_stats_wilson(counts.n_both, counts.n_b, &low, &high);
    ss__buf_printf(buf, "\n    {\"child\": %" PRIu32 ", \"parent\": %" PRIu32, parent->child,
                   parent->parent);
    add_key_number(buf, "phi", ss_graph_phi(counts));
    add_key_number(buf, "lift", ss_graph_lift(counts));
    ss__buf_printf(buf, ", \"rows\": %" PRIu64 ", \"child_rows\": %" PRIu64, counts.n_both,
                   counts.n_b);
    add_key_number(buf, "parent_given_child", (double)counts.n_both / (double)counts.n_b);
    add_key_number(buf, "low", low);
    add_key_number(buf, "high", high);
    add_key_number(buf, "q", exp(parent->log_q));
    ss__buf_add_byte(buf, '}');
}

/* A family by its place in the list. */
struct placed {
    double block_ratio;
    size_t index;
};

static int by_ratio(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    return x->block_ratio != y->block_ratio
               ? (x->block_ratio < y->block_ratio) - (x->block_ratio > y->block_ratio)
               : (x->index > y->index) - (x->index < y->index);
}

/* By parents in the order in which they were made; by other rules as the Python workflow has
 * them, by falling block ratio. */
static ss_status write_families(struct writing *writing, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_graph_families *found = &writing->families->found;
    struct placed *order = NULL;
    SS_ALLOC(order, found->n);
    for (size_t i = 0; i < found->n; i++) {
        order[i] = (struct placed){found->families[i].block_ratio, i};
    }
    if (writing->families->options.rule != SS_GRAPH_PARENTS) {
        ss__sort(order, found->n, sizeof *order, by_ratio);
    }
    for (size_t i = 0; i < found->n; i++) {
        ss__buf_add_text(&writing->buf, i == 0 ? "" : ",");
        add_family(writing, order[i].index);
        SS_TRY(flush_if_full(writing, err));
    }
out:
    ss__free(order);
    return status;
}

static ss_status write_items(struct writing *writing, ss_err *err)
{
    const struct ss_graph_families *found = &writing->families->found;
    ss__buf_add_text(&writing->buf, "  \"families\": [");
    SS_RETURN_IF_ERROR(write_families(writing, err));
    ss__buf_printf(&writing->buf, "%s],\n  \"parents\": [", found->n > 0 ? "\n  " : "");
    for (size_t i = 0; i < found->n_parents; i++) {
        ss__buf_add_text(&writing->buf, i == 0 ? "" : ",");
        add_parent(writing, &found->parents[i]);
        SS_RETURN_IF_ERROR(flush_if_full(writing, err));
    }
    ss__buf_printf(&writing->buf, "%s]\n}\n", found->n_parents > 0 ? "\n  " : "");
    return SS_OK;
}

ss_status ss_folder_families_write(const struct ss_folder_families *families, const char *path,
                                   ss_err *err)
{
    ss_status status = SS_OK;
    struct writing writing = {.families = families, .out = SS__OUT_CLOSED};
    SS_TRY(ss__out_open(path, &writing.out, err));
    add_options(&writing);
    add_summary(&writing);
    SS_TRY(write_items(&writing, err));
    SS_TRY(flush(&writing, err));
    SS_TRY(ss__out_commit(&writing.out, err));
out:
    ss__out_abort(&writing.out);
    ss__buf_release(&writing.buf);
    return status;
}

/* json.dump(families, indent=2) */
ss_status ss_folder_family_lists_write(const struct ss_folder_families *families,
                                       const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_graph_families *found = &families->found;
    struct writing writing = {.families = families, .out = SS__OUT_CLOSED};
    SS_TRY(ss__out_open(path, &writing.out, err));
    ss__buf_add_byte(&writing.buf, '[');
    for (size_t i = 0; i < found->n; i++) {
        const struct ss_graph_family *family = &found->families[i];
        ss__buf_add_text(&writing.buf, i == 0 ? "\n  [" : ",\n  [");
        for (size_t j = 0; j < family->n; j++) {
            ss__buf_printf(&writing.buf, "%s\n    %" PRIu32, j == 0 ? "" : ",",
                           found->members[family->first + j]);
        }
        ss__buf_add_text(&writing.buf, "\n  ]");
        SS_TRY(flush_if_full(&writing, err));
    }
    ss__buf_add_text(&writing.buf, found->n > 0 ? "\n]" : "]");
    SS_TRY(flush(&writing, err));
    SS_TRY(ss__out_commit(&writing.out, err));
out:
    ss__out_abort(&writing.out);
    ss__buf_release(&writing.buf);
    return status;
}
