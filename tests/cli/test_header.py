"""The header can be frozen: programs that were compiled with smaller or larger structs run with this library."""
import re
import shutil
import subprocess

import pytest

from conftest import ROOT

MODEL, SAE, ROWS = (ROOT / "tests/data" / name for name in ("encoder/mpnet-mean", "run/sae-jumprelu", "changes/rows.parquet"))

# Every struct stands before bytes that no library may touch. Only members that all headers below have are used.
PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include "saescope.h"

#define GUARDED(type, name) struct { struct type is; unsigned char guard[128]; } name; \
    memset(&name, 0xA5, sizeof name); type##_init(&name.is)
#define CHECK_GUARD(name) for (size_t i_ = 0; i_ < sizeof name.guard; i_++) { \
    if (name.guard[i_] != 0xA5) { fprintf(stderr, #name " was overrun\n"); exit(1); } }
#define TRY(call) if ((call) != SS_OK) { fprintf(stderr, "%s\n", err.message); return 1; }

int main(int n, char **words)
{
    ss_err err;
    ss_encoder *encoder = NULL;
    ss_sae *sae = NULL;
    ss_dataset *dataset = NULL;
    ss_run *run = NULL;
    const char *rows = words[3];
    GUARDED(ss_encoder_options, encoder_options);
    GUARDED(ss_sae_options, sae_options);
    GUARDED(ss_dataset_options, dataset_options);
    GUARDED(ss_analyze_options, options);
    GUARDED(ss_encoder_info, encoder_info);
    GUARDED(ss_sae_info, sae_info);
    GUARDED(ss_run_info, run_info);
    GUARDED(ss_feature, feature);
    GUARDED(ss_top_text, top);
    GUARDED(ss_row, row);
    bool has_row = false;
    (void)n;
    TRY(ss_encoder_open(words[1], &encoder_options.is, &encoder, &err));
    TRY(ss_sae_open(words[2], &sae_options.is, &sae, &err));
    TRY(ss_dataset_open(&rows, 1, &dataset_options.is, &dataset, &err));
    TRY(ss_dataset_next(dataset, &row.is, &has_row, &err));
    printf("%d %.*s\n", has_row, (int)row.is.text.n_bytes, row.is.text.data);
    TRY(ss_analyze(encoder, sae, dataset, &options.is, &run, &err));
    TRY(ss_encoder_describe(encoder, &encoder_info.is));
    TRY(ss_sae_describe(sae, &sae_info.is));
    TRY(ss_run_describe(run, &run_info.is));
    printf("%s %s %s\n", encoder_info.is.name, sae_info.is.format, run_info.is.dataset_name);
    for (size_t f = 0; f < 16; f++) {
        TRY(ss_run_feature(run, f, &feature.is));
        printf("%llu\n", (unsigned long long)feature.is.n_fires);
        if (feature.is.n_fires > 0) {
            TRY(ss_run_top(run, f, 0, &top.is));
            printf("%.9g\n", (double)top.is.activation);
        }
    }
    CHECK_GUARD(encoder_options) CHECK_GUARD(sae_options) CHECK_GUARD(dataset_options) CHECK_GUARD(options)
    CHECK_GUARD(encoder_info) CHECK_GUARD(sae_info) CHECK_GUARD(run_info) CHECK_GUARD(feature) CHECK_GUARD(top) CHECK_GUARD(row)
#ifdef NEW_MEMBER
    options.is.added = 1;
    ss_run_free(run);
    run = NULL;
    if (ss_analyze(encoder, sae, dataset, &options.is, &run, &err) != SS_E_UNSUPPORTED) { return 2; }
#endif
    encoder_options.is.struct_size = 0;
    ss_encoder *none = NULL;
    if (ss_encoder_open(words[1], &encoder_options.is, &none, &err) != SS_E_USAGE || none != NULL) { return 3; }
    ss_run_free(run);
    ss_dataset_close(dataset);
    ss_sae_free(sae);
    ss_encoder_free(encoder);
    return 0;
}
"""
SIZED = re.compile(r"(struct (ss_\w+) \{\n    size_t struct_size;[^\n]*\n)(.*?)(\};\nSS_DEFINE_INIT\(\2\)\n)", re.S)
# Up to which member the program needs each.
NEEDED = {"ss_row": "text;", "ss_encoder_info": "*name;", "ss_sae_info": "*format;", "ss_run_info": "*title;", "ss_feature": "n_fires;",
          "ss_top_text": "activation;"}


def members(body):
    """The declarations of a struct, each with the comments around it."""
    text = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    return [m.strip() for m in text.split(";") if m.strip()]


def smaller(found):
    """Half of the members at most, but those that the program needs."""
    declared = members(found.group(3))
    need = NEEDED.get(found.group(2))
    least = next((i + 1 for i, m in enumerate(declared) if need and f"{m};".endswith(need)), 0)
    kept = declared[:max(least, len(declared) // 2, 1)]
    return found.group(1) + "".join(f"    {m};\n" for m in kept) + found.group(4)


def larger(found):
    return found.group(1) + found.group(3) + "    unsigned long long added, added_too;\n" + found.group(4)


@pytest.fixture(scope="module")
def run_with(program, tmp_path_factory):
    library = program.parent / "src/libsaescope.so"
    if not library.exists() or shutil.which("gcc") is None:
        pytest.skip("no shared library or compiler")

    def run(change, *flags):
        folder = tmp_path_factory.mktemp("header")
        header = (ROOT / "include/saescope.h").read_text(encoding="utf8")
        changed, n = SIZED.subn(change, header) if change else (header, 20)
        assert n >= 20
        (folder / "saescope.h").write_text(changed)
        (folder / "a.c").write_text(PROGRAM)
        subprocess.run(["gcc", "-std=c11", "-Wall", "-Werror", *flags, f"-I{folder}", folder / "a.c", library, f"-Wl,-rpath,{library.parent}", "-o", folder / "a"], check=True)
        done = subprocess.run([folder / "a", MODEL, SAE, ROWS], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout
    return run


def test_programs_with_smaller_and_larger_structs_run(run_with):
    same = run_with(None)
    assert same.startswith("1 ") and len(same.splitlines()) > 18
    assert run_with(smaller) == same
    assert run_with(larger, "-DNEW_MEMBER") == same
