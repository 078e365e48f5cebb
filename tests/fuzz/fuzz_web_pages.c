/* What pages show beside the numbers of a run: one of the files that steps write, whatever it
 * holds, beside a small run. The first byte says which; the pages are made, or it is refused. */
#include <stdint.h>

#include "base/mem.h"
#include "folder/families_file.h"
#include "folder/results.h"
#include "fuzz_folder.h"
#include "web/pages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

enum { N_FEATURES = 24, N_ROWS = 100 };

static const char *const names[] = {"map.csv",        "clusters.json",
                                    "pairs.arrow",    SS_FOLDER_FILE_NEIGHBOURS,
                                    "families.json",  SS_FOLDER_FILE_DESCRIPTIONS,
                                    "histograms.npz", "run.json"};
enum { N_NAMES = sizeof names / sizeof names[0] };

static const char manifest[] =
    "{\"schema\": 1, \"saescope_version\": \"x\", \"model\": {\"name\": \"m\", \"path\": "
    "\"/m\", "
    "\"files\": []}, \"sae\": {\"path\": \"/s\", \"format\": \"f\", \"kind\": \"k\", \"rule\": "
    "\"r\", \"n_features\": 24, \"files\": []}, \"dataset\": {\"name\": \"d\", \"format\": "
    "\"f\", "
    "\"text_column\": \"t\", \"files\": []}, \"settings\": {\"title\": \"t\", \"top_k\": 2}, "
    "\"rows\": {\"read\": 100, \"used\": 100, \"repaired\": 0, \"skipped\": {\"null\": 0, "
    "\"empty\": 0, \"blank\": 0}}, \"tokens\": 500, \"features\": {\"n\": 24, \"dead\": 0, "
    "\"median_rate_pct\": 2.0}, \"precision\": \"high\", \"timings\": {\"seconds\": 1.0}, "
    "\"outputs\": {}}";

static void put_features(void)
{
    static char table[16384] = "feature,n_fires,rate_pct,rate_low_pct,rate_high_pct,max_"
                               "activation,mean_activation,dead\n";
    static char tops[16384] = "[\n";
    size_t n = strlen(table), n_tops = strlen(tops);
    for (int f = 0; f < N_FEATURES; f++) {
        n += (size_t)snprintf(table + n, sizeof table - n, "%d,2,2.0,0.5,7.0,1.5,1.0,false\n",
                              f);
        n_tops +=
            (size_t)snprintf(tops + n_tops, sizeof tops - n_tops,
                             "  [\n    [\n      1.5,\n      \"a star %d\"\n    ],\n    [\n   "
                             "   0.5,\n      \"dust\"\n    ]\n  ]%s\n",
                             f, f + 1 < N_FEATURES ? "," : "");
    }
    n_tops += (size_t)snprintf(tops + n_tops, sizeof tops - n_tops, "]");
    fuzz_put(SS_FOLDER_FILE_FEATURES, table, n);
    fuzz_put(SS_FOLDER_FILE_TOP, tops, n_tops);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static const struct ss_web_level level = {0, 10, 10, 2000, true, false};
    static bool is_prepared;
    struct ss_web_source source = {0};
    struct ss_web_zip zip = {0};
    struct ss_web_counts counts = {0};
    ss_err err;
    if (n_bytes == 0) {
        return 0;
    }
    if (!is_prepared) {
        put_features();
        is_prepared = true;
    }
    const char *name = names[data[0] % N_NAMES];
    fuzz_put(SS_FOLDER_FILE_MANIFEST, manifest, sizeof manifest - 1);
    fuzz_put(name, data + 1, n_bytes - 1);
    if (ss_web_source_open(fuzz_folder(), NULL, &source, &err) == SS_OK) {
        (void)!ss_web_pages_build(&source, &level, 0, &zip, &counts, &err);
        if (strcmp(name, "run.json") == 0 && source.run->info.n_features != N_FEATURES) {
            abort(); /* features.csv would have been another run's */
        }
    }
    ss_web_zip_release(&zip);
    ss_web_source_release(&source);
    fuzz_drop(name);
    return 0;
}
