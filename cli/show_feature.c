/* One feature of a run on the screen, for people and as JSON. */
#include <string.h>

#include "show.h"

enum {
    INDENT = 14,
    KEPT_BYTES = 512, /* of kept columns: more than a line shows */
    TEXT_LINES = 8,
    LABEL_LINES = 3,
    SAMPLE_LINES = 2,
    N_SHOWN_SAMPLES = 5,
    N_BINS = 12,
    N_JSON_BINS = 64,
    BAR_CELLS = 36, /* where there is so much room */
    BIN_CELLS = 34, /* before a bar */
    RANK_CELLS = 12
};

static void print_bold(const struct showing *showing, const char *text)
{
    printf("%s%s%s", showing->colours ? "\033[1m" : "", text,
           showing->colours ? "\033[0m" : "");
}

static void print_name(const char *name)
{
    printf("  %-*s", INDENT - 2, name);
}

/* ---- the label ---- */

static void print_area(const char *name, const struct ss_label_auc *auc, const char *kind)
{
    if (auc->value == auc->value) {
        print_name(name);
        printf("%.3f (%.3f to %.3f), %zu texts against %zu %s\n", auc->value, auc->low,
               auc->high, auc->n_positives, auc->n_negatives, kind);
    }
}

static void print_share(const char *name, const struct ss_label_share *share, const char *of)
{
    if (share->n > 0) {
        print_name(name);
        printf("%.0f %% (%.0f to %.0f) of %zu %s\n", 100 * share->value, 100 * share->low,
               100 * share->high, share->n, of);
    }
}

/* The label, how sure it is, and how well it does on texts that it was not made from. */
static void print_label(const struct showing *showing, size_t feature)
{
    struct ss_description label = {.struct_size = sizeof label};
    if (showing->descriptions == NULL ||
        ss_descriptions_get(showing->descriptions, feature, &label) != SS_OK) {
        return;
    }
    printf("  %-*s", INDENT - 4, "label"); /* two more spaces come with the text */
    cli_print_wrapped(stdout, cli_text_of(label.label[0] == '\0' ? "–" : label.label), INDENT,
                      showing->columns, LABEL_LINES);
    if (label.description[0] != '\0') {
        printf("  %-*s", INDENT - 4, "description");
        cli_print_wrapped(stdout, cli_text_of(label.description), INDENT, showing->columns,
                          LABEL_LINES + 2);
    }
    print_name("verdict");
    puts(label.status);
    print_area("AUC", &label.random, "random ones");
    print_area("  near", &label.near, "that are like them");
    print_area("  miss", &label.miss, "that nearly fire");
    print_share("found", &label.tpr, "texts in which it fires");
    print_share("  wrongly", &label.fpr, "in which it does not");
    print_share("sentences", &label.sentences, "texts: the strongest is nearer");
    if (label.ceiling_mean == label.ceiling_mean) {
        print_name("at most");
        printf("AUC %.3f by the mean of its texts", label.ceiling_mean);
        if (label.ceiling_probe == label.ceiling_probe) {
            printf(", %.3f by a linear probe", label.ceiling_probe);
        }
        putchar('\n');
    }
}

/* ---- the histogram ---- */

static void print_bar(double share, size_t n_cells)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const size_t filled = (size_t)(share * (double)n_cells * 8 + 0.5);
    for (size_t i = 0; i < filled / 8; i++) {
        fputs("█", stdout);
    }
    fputs(filled == 0 && share > 0 ? "▏" : eighths[filled % 8], stdout);
}

static void print_histogram(const struct showing *showing, size_t feature)
{
    struct ss_activation_bin bins[N_BINS];
    char number[32];
    uint64_t most = 1;
    const size_t left = showing->columns > BIN_CELLS ? showing->columns - BIN_CELLS : 1;
    const size_t n = ss_samples_histogram(showing->samples, feature, N_BINS, bins);
    for (size_t i = 0; i < n; i++) {
        most = bins[i].count > most ? bins[i].count : most;
    }
    if (n > 0) {
        puts("\nActivations, by their size");
    }
    for (size_t i = 0; i < n; i++) {
        printf("  %8.4g to %-8.4g %9s ", bins[i].low, bins[i].high,
               cli_thousands(bins[i].count, number));
        print_bar((double)bins[i].count / (double)most, left < BAR_CELLS ? left : BAR_CELLS);
        putchar('\n');
    }
}

/* ---- texts ---- */

/* {"file": "a.csv", "kept": {"id": 7}} as a.csv, id 7; --json has it as it is. Into out, cut to
 * what a line may hold. Returns its bytes. */
static size_t plain_kept(struct ss_text kept, char out[KEPT_BYTES])
{
    static const char begin[] = "{\"file\": ", inner[] = "\"kept\": {";
    bool in_string = false;
    size_t n = 0, i = kept.n_bytes > sizeof begin ? sizeof begin - 1 : 0;
    for (; i < kept.n_bytes && n + 1 < KEPT_BYTES; i++) {
        const char c = kept.data[i];
        if (!in_string && kept.n_bytes - i >= sizeof inner &&
            memcmp(kept.data + i, inner, sizeof inner - 1) == 0) {
            i += sizeof inner - 2;
        } else if (c == '"') {
            in_string = !in_string;
        } else if (in_string && c == '\\' && i + 1 < kept.n_bytes) {
            out[n++] = c;
            out[n++] = kept.data[++i];
        } else if (in_string || strchr("{}:", c) == NULL) {
            out[n++] = c;
        }
    }
    return n;
}

static void print_kept(const struct showing *showing, uint64_t row, struct ss_text kept)
{
    char number[32], line[64], plain[KEPT_BYTES];
    if (row != SS_NOWHERE && kept.n_bytes > 0) {
        snprintf(line, sizeof line, "row %s  ", cli_thousands(row, number));
        printf("%*s%s", INDENT, "", line);
        cli_print_safely(stdout, (struct ss_text){plain, plain_kept(kept, plain)},
                         showing->columns - INDENT - strlen(line));
        putchar('\n');
    }
}

static void print_top(const struct showing *showing, size_t feature, size_t rank)
{
    struct ss_top_text top = {.struct_size = sizeof top};
    ss_run_top(showing->run, feature, rank, &top);
    printf("%4zu %7.4g", rank + 1, (double)top.activation);
    cli_print_wrapped(stdout, top.text, INDENT, showing->columns, TEXT_LINES);
    print_kept(showing, top.row, top.kept);
}

/* A few texts of a kind, beginning with the first. */
static void print_samples(const struct showing *showing, size_t feature, ss_sample_kind kind,
                          const char *title)
{
    struct ss_sample sample = {.struct_size = sizeof sample};
    const size_t n = ss_samples_count(showing->samples, feature, kind);
    if (n > 0) {
        printf("\n%s (%zu of %zu)\n", title, n < N_SHOWN_SAMPLES ? n : N_SHOWN_SAMPLES, n);
    }
    for (size_t i = 0; i < n && i < N_SHOWN_SAMPLES; i++) {
        (void)ss_samples_get(showing->samples, feature, kind, i, &sample);
        printf("%*.4g", RANK_CELLS, (double)sample.activation);
        cli_print_wrapped(stdout, sample.text, INDENT, showing->columns, SAMPLE_LINES);
    }
}

/* ---- the whole ---- */

void cli_show_feature(const struct showing *showing, size_t feature)
{
    struct ss_feature facts = {.struct_size = sizeof facts};
    char number[32], rows[64];
    ss_run_feature(showing->run, feature, &facts);
    printf("Feature ");
    snprintf(number, sizeof number, "%zu", feature);
    print_bold(showing, number);
    cli_say(stdout, " of %s", showing->path);
    if (!facts.dead) {
        print_label(showing, feature);
    }
    print_name("rate");
    printf("%.4g %% (%.4g to %.4g)\n", (double)facts.rate_pct, facts.rate_low_pct,
           facts.rate_high_pct);
    print_name("fires");
    printf("%s of %s\n", cli_thousands(facts.n_fires, number),
           cli_plural(showing->info.n_rows_used, "row", rows));
    if (facts.dead) {
        puts("  It never fires: a dead feature.");
        return;
    }
    print_name("activation");
    printf("largest %.4g, mean %.4g\n", (double)facts.max_activation, facts.mean_activation);
    if (showing->families != NULL) {
        cli_show_family(showing, feature);
    }
    if (showing->samples != NULL) {
        print_histogram(showing, feature);
    }
    puts("\nStrongest texts");
    for (size_t rank = 0; rank < facts.n_top; rank++) {
        print_top(showing, feature, rank);
    }
    if (showing->samples != NULL) {
        print_samples(showing, feature, SS_SAMPLE_FIRING_SCORE, "Texts in which it fires");
        print_samples(showing, feature, SS_SAMPLE_MISS_SCORE, "Texts in which it nearly fires");
    }
}

/* ---- as JSON ---- */

void cli_show_json_facts(const struct showing *showing, size_t feature)
{
    struct ss_feature facts = {.struct_size = sizeof facts};
    char numbers[5][CLI_NUMBER_BYTES];
    ss_run_feature(showing->run, feature, &facts);
    printf("\"feature\": %zu, \"dead\": %s, \"n_fires\": %llu, \"rate_pct\": %s, "
           "\"rate_low_pct\": %s, \"rate_high_pct\": %s, \"max_activation\": %s, "
           "\"mean_activation\": %s",
           feature, facts.dead ? "true" : "false", (unsigned long long)facts.n_fires,
           cli_number_f32(facts.rate_pct, numbers[0]),
           cli_number(facts.rate_low_pct, numbers[1]),
           cli_number(facts.rate_high_pct, numbers[2]),
           cli_number_f32(facts.max_activation, numbers[3]),
           cli_number(facts.mean_activation, numbers[4]));
}

static void print_json_top(const struct showing *showing, size_t feature, size_t rank)
{
    struct ss_top_text top = {.struct_size = sizeof top};
    char number[CLI_NUMBER_BYTES];
    ss_run_top(showing->run, feature, rank, &top);
    printf("{\"activation\": %s, \"text\": ", cli_number_f32(top.activation, number));
    cli_print_json(stdout, top.text);
    if (top.row != SS_NOWHERE && top.kept.n_bytes > 2) {
        printf(", \"row\": %llu, ", (unsigned long long)top.row);
        cli_print_raw_json(stdout, (struct ss_text){top.kept.data + 1, top.kept.n_bytes - 2});
    }
    putchar('}');
}

static void print_json_histogram(const struct showing *showing, size_t feature)
{
    struct ss_activation_bin bins[N_JSON_BINS];
    char low[CLI_NUMBER_BYTES], high[CLI_NUMBER_BYTES];
    const size_t n = ss_samples_histogram(showing->samples, feature, N_JSON_BINS, bins);
    printf(", \"histogram\": [");
    for (size_t i = 0; i < n; i++) {
        printf("%s{\"low\": %s, \"high\": %s, \"count\": %llu}", i == 0 ? "" : ", ",
               cli_number(bins[i].low, low), cli_number(bins[i].high, high),
               (unsigned long long)bins[i].count);
    }
    putchar(']');
}

static void print_json_sample(const struct ss_sample *sample)
{
    char number[CLI_NUMBER_BYTES];
    printf("{\"activation\": %s, \"row\": %llu, \"text\": ",
           cli_number_f32(sample->activation, number), (unsigned long long)sample->row);
    cli_print_json(stdout, sample->text);
    if (sample->kept.n_bytes > 2) {
        printf(", ");
        cli_print_raw_json(stdout,
                           (struct ss_text){sample->kept.data + 1, sample->kept.n_bytes - 2});
    }
    putchar('}');
}

/* All of each kind but the top texts. */
static void print_json_samples(const struct showing *showing, size_t feature)
{
    static const char *const names[SS_N_SAMPLE_KINDS] = {
        [SS_SAMPLE_STRONGEST] = "strongest",
        [SS_SAMPLE_FIRING_DESCRIBE] = "firing_describe",
        [SS_SAMPLE_FIRING_SCORE] = "firing_score",
        [SS_SAMPLE_MISS_DESCRIBE] = "miss_describe",
        [SS_SAMPLE_MISS_SCORE] = "miss_score"};
    printf(", \"samples\": {");
    for (int kind = SS_SAMPLE_STRONGEST; kind < SS_N_SAMPLE_KINDS; kind++) {
        struct ss_sample sample = {.struct_size = sizeof sample};
        printf("%s\"%s\": [", kind == SS_SAMPLE_STRONGEST ? "" : ", ", names[kind]);
        for (size_t i = 0; ss_samples_get(showing->samples, feature, (ss_sample_kind)kind, i,
                                          &sample) == SS_OK;
             i++) {
            printf("%s", i == 0 ? "" : ", ");
            print_json_sample(&sample);
        }
        putchar(']');
    }
    putchar('}');
}

void cli_show_json_feature(const struct showing *showing, size_t feature)
{
    struct ss_feature facts = {.struct_size = sizeof facts};
    ss_run_feature(showing->run, feature, &facts);
    putchar('{');
    cli_show_json_facts(showing, feature);
    if (showing->descriptions != NULL) {
        struct ss_description description = {.struct_size = sizeof description};
        (void)ss_descriptions_get(showing->descriptions, feature, &description);
        printf(", \"description\": {");
        cli_print_json_description(&description);
        putchar('}');
    }
    if (showing->families != NULL) {
        cli_show_json_family(showing, feature);
    }
    printf(", \"top_texts\": [");
    for (size_t rank = 0; rank < facts.n_top; rank++) {
        printf("%s", rank == 0 ? "" : ", ");
        print_json_top(showing, feature, rank);
    }
    putchar(']');
    if (showing->samples != NULL) {
        print_json_histogram(showing, feature);
        print_json_samples(showing, feature);
    }
    putchar('}');
}
