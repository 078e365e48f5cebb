/* The family of a feature: what is above and below it, and the families that hold it. */
#include "show.h"

enum { FAMILY_LABEL = 30, MOST_CHILDREN = 20 };

static void print_member(const struct showing *showing, size_t feature, const char *before,
                         const struct ss_family_parent *parent)
{
    struct ss_feature facts = {.struct_size = sizeof facts};
    struct ss_description description = {.struct_size = sizeof description, .label = ""};
    ss_run_feature(showing->run, feature, &facts);
    if (showing->descriptions != NULL) {
        (void)ss_descriptions_get(showing->descriptions, feature, &description);
    }
    printf("    %-12s%6zu  %6.2f %%  ", before, feature, (double)facts.rate_pct);
    if (parent != NULL) {
        printf("phi %.2f, lift %5.3g  ", parent->phi, parent->lift);
    }
    cli_print_safely(stdout, cli_text_of(description.label), FAMILY_LABEL);
    putchar('\n');
}

/* By parents: what is above, up to the root, and what hangs below directly. */
static void print_relatives(const struct showing *showing, size_t feature)
{
    struct ss_family_parent parent = {.struct_size = sizeof parent};
    size_t n_children = 0;
    for (size_t at = feature; ss_families_parent(showing->families, at, &parent) == SS_OK;
         at = parent.parent) {
        print_member(showing, parent.parent, at == feature ? "parent" : "above it", &parent);
    }
    for (size_t f = 0; f < showing->info.n_features; f++) {
        if (ss_families_parent(showing->families, f, &parent) == SS_OK &&
            parent.parent == feature && n_children++ < MOST_CHILDREN) {
            print_member(showing, f, "child", &parent);
        }
    }
    if (n_children > MOST_CHILDREN) {
        printf("    and %zu more children\n", n_children - MOST_CHILDREN);
    }
}

/* Families that hold the feature: those whose parent it is first, by their order. */
void cli_show_family(const struct showing *showing, size_t feature)
{
    bool is_found = false;
    printf("  family      by the rule %s\n", ss_families_rule(showing->families));
    print_relatives(showing, feature);
    for (size_t i = 0; i < ss_families_n(showing->families); i++) {
        struct ss_family family = {.struct_size = sizeof family};
        bool is_member = false;
        (void)ss_families_get(showing->families, i, &family);
        for (size_t j = 0; j < family.n_members; j++) {
            is_member = is_member || family.members[j] == feature;
        }
        if (is_member && (family.members[0] == feature || !is_found)) {
            printf("    %s %zu, %zu features",
                   family.members[0] == feature ? "its own family:" : "in the family of",
                   family.members[0], family.n_members);
            if (family.lift == family.lift) {
                printf("; held-out lift %.2f (%.2f to %.2f), %zu pairs", family.lift,
                       family.lift_low, family.lift_high, family.n_held_out);
            }
            putchar('\n');
        }
        is_found = is_found || is_member;
    }
    if (!is_found) {
        puts("    none: no feature fires with it more often than by chance, as far as these "
             "rows tell");
    }
}

void cli_show_json_family(const struct showing *showing, size_t feature)
{
    struct ss_family_parent parent = {.struct_size = sizeof parent};
    char numbers[2][CLI_NUMBER_BYTES];
    const char *before = "";
    printf(", \"family\": {\"rule\": \"%s\", \"parent\": ",
           ss_families_rule(showing->families));
    if (ss_families_parent(showing->families, feature, &parent) == SS_OK) {
        printf("{\"feature\": %zu, \"phi\": %s, \"lift\": %s, \"rows\": %llu}", parent.parent,
               cli_number(parent.phi, numbers[0]), cli_number(parent.lift, numbers[1]),
               (unsigned long long)parent.n_rows);
    } else {
        printf("null");
    }
    printf(", \"families\": [");
    for (size_t i = 0; i < ss_families_n(showing->families); i++) {
        struct ss_family family = {.struct_size = sizeof family};
        (void)ss_families_get(showing->families, i, &family);
        for (size_t j = 0; j < family.n_members; j++) {
            if (family.members[j] == feature) {
                printf("%s{\"parent\": %zu, \"size\": %zu}", before, family.members[0],
                       family.n_members);
                before = ", ";
            }
        }
    }
    printf("]}");
}
