/* run.json: what went into a run, what was done and what came out. */
#ifndef SS_PASS_MANIFEST_H
#define SS_PASS_MANIFEST_H

#include "folder/manifest_read.h"
#include "pass/facts.h"
#include "pass/inputs_json.h"
#include "sae/sae.h"

struct ss_pass_manifest {
    const ss_encoder *encoder; /* NULL with options->embeddings */
    const ss_sae *sae;
    const struct ss_analyze_options *options;
    const struct ss_run *run;
    const struct ss_pass_facts *facts; /* whose warnings may still grow */
    const struct ss__json *identity;   /* as ss_pass_identity */
    size_t n_threads, batch_tokens;
    const struct ss_pass_evidence_gathered *evidence; /* NULL: there is none */
    struct ss_log log;                                /* for warnings */
    struct ss__asking *asking;
    const char *folder; /* where the other files lie, to be hashed */
};

/* Hash the files and write the manifest. Errors: SS_E_IO, SS_E_NOINPUT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_manifest_write(const struct ss_pass_manifest *manifest,
                                             const char *path, ss_err *err);

#endif
