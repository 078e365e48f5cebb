"""The command line itself: help, options, mistakes, streams. No model is needed."""
import subprocess

import json
import re
import shutil

import pytest

from conftest import ROOT

COMMANDS = ["analyze", "plan", "merge", "describe", "score", "families", "map", "show", "search", "diff", "report", "view", "train", "evaluate", "encode", "embed",
            "fill-mask", "tokenize", "inspect", "convert", "plot", "fetch", "cache", "completion"]


def test_help_goes_to_stdout_and_begins_with_examples(run):
    for words in (["--help"], ["help"], ["-h"]):
        done = run(*words)
        assert done.code == 0 and done.err == ""
        assert done.out.index("Examples:") < done.out.index("Commands:")
        assert all(f"\n  {name} " in done.out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(run, command):
    done = run(command, "--help")
    assert done.code == 0 and done.err == ""
    options = re.search(r"\n(Options|Input and output|Dataset):\n", done.out)  # in groups where there are many
    assert done.out.index("Examples:") < done.out.index("Usage:") < options.start()
    short = run(command, "-h")
    assert short.code == 0 and len(short.out) < len(done.out) and options.group() in short.out
    assert all(len(line) <= 80 for line in done.out.splitlines())
    assert run("help", command).out == done.out


@pytest.mark.parametrize("command, usage", [
    ("analyze", "saescope analyze {--model MODEL --dataset PATH | --embeddings PATH} [--sae SAE] --out PATH [options]"),
    ("embed", "saescope embed --model MODEL --dataset PATH --out PATH [options]"),
    ("plot", "saescope plot {RUN | --thresholds SAE} [options]"),
    ("fetch", "saescope fetch [options] NAME..."),
])
def test_usage_says_what_is_needed(run, command, usage):
    words = run(command, "--help").out.split("Usage: ")[1].split("\n\n")[0].split()
    assert " ".join(words) == usage


def test_without_a_command_help_goes_to_stderr(run):
    done = run()
    assert done.code == 64 and done.out == "" and "Commands:" in done.err


def test_version(run):
    for word in ("--version", "-V", "-v", "version"):
        assert run(word).out.startswith("saescope 0.")


@pytest.mark.parametrize("words, sentence", [
    (["analyse"], "unknown command 'analyse'; did you mean 'analyze'?"),
    (["frobnicate"], "unknown command 'frobnicate'"),
    (["analyze", "--modle", "x"], "unknown option '--modle'; did you mean '--model'?"),
    (["analyze"], "--model MODEL, --dataset PATH, --out PATH are needed, as in: saescope analyze"),
    (["analyze", "--embeddings", "x.npy"], "--out PATH is needed"),
    (["analyze", "--embeddings", "x.npy", "-o", "b"], "--sae SAE is needed with --embeddings"),
    (["analyze", "-s", "a", "-o", "b"], "--model MODEL is needed, or --embeddings PATH"),
    (["analyze", "-s", "a", "-o", "b", "-m", "c"], "--dataset PATH is needed"),
    (["analyze", "--model"], "--model needs a value: --model MODEL"),
    (["analyze", "--force=yes"], "--force takes no value"),
    (["embed", "-m", "a", "-m", "b"], "--model is given twice"),
    (["embed", "-t", "0"], "--threads: '0' is not a whole number of 1 or more"),
    (["embed", "-t", "1e3"], "--threads: '1e3' is not a whole number of 1 or more"),
    (["embed", "-t", "99999999999999999999"], "is not a whole number"),
    (["embed", "-n", "-5"], "is not a whole number"),
    (["analyze", "--batchtopk", "rowtopk"], "did you mean 'row-topk'?"),
    (["plot"], "a run folder is needed, or --thresholds SAE"),
    (["plot", "a", "--dpi", "nan"], "--dpi: 'nan' is not a number above 0"),
    (["inspect", "a", "b"], "unexpected argument 'b'"),
    (["inspect"], "PATH is needed"),
    (["completion", "tcsh"], "'tcsh' is not one of bash, zsh, fish"),
    (["--modle"], "unknown option '--modle'"),
])
def test_wrong_use_is_two_lines_on_stderr(run, words, sentence):
    done = run(*words)
    assert done.code == 64 and done.out == ""
    assert sentence in done.err and len(done.err.splitlines()) == 2
    assert done.err.splitlines()[1].startswith("Try 'saescope")


@pytest.mark.parametrize("words, sentence", [
    (["-n5x"], "--num-examples: '5x' is not a whole number"), (["-n=5"], "--num-examples: '=5' is not a whole number"),
    (["-qfnx"], "--num-examples: 'x' is not a whole number"), (["-qn"], "--num-examples needs a value"), (["-qz"], "unknown option '-qz'"),
    (["-zq"], "unknown option '-zq'"), (["-qq"], "--quiet is given twice"), (["-qn5", "-n", "6"], "--num-examples is given twice"),
    (["-qn5"], "--model MODEL, --dataset PATH, --out PATH are needed"), (["-qfn", "5"], "--model MODEL, --dataset PATH, --out PATH are needed")])
def test_letters_in_one_word(run, words, sentence):
    """As getopt reads them: flags one after another, the value of the last behind it."""
    done = run("embed", *words)
    assert done.code == 64 and sentence in done.err, done.err


def test_help_among_letters(run):
    assert run("embed", "-qh").out == run("embed", "-h").out


def test_environment_is_read_and_the_command_line_goes_before_it(run):
    assert "'x' is not a whole number" in run("embed", "-m", "a", "-d", "b", "-o", "c", env={"SAESCOPE_THREADS": "x"}).err
    assert "'y' is not a whole number" in run("embed", "-t", "y", env={"SAESCOPE_THREADS": "x"}).err


def test_control_characters_do_not_reach_the_terminal(run):
    done = run("inspect", "no\x1b[31msuch\u202efile\x07")
    assert done.code == 66
    assert not any(c in done.err for c in "\x1b\x07\u202e")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_name_every_command_and_option(run, shell):
    text = run("completion", shell).out
    assert all(name in text for name in COMMANDS) and "batchtopk-threshold" in text


@pytest.mark.parametrize("words, expected", [
    (["analyze", "--num"], ["--num-examples"]), (["an"], ["analyze"]), (["analyze", "--precision", ""], ["highest", "high", "medium", "low"]),
    (["analyze", "--precision", "=", "m"], ["medium"]), (["analyze", "--precision", "="], ["highest", "high", "medium", "low"]),
    (["analyze", "--model", "sub"], ["subject"]), (["analyze", "-m", "sub"], ["subject"]), (["analyze", "--text-column", "sub"], []),
    (["analyze", "--prompt", ""], []), (["analyze", "-n", ""], []), (["inspect", "sub"], ["subject"]), (["cache", ""], ["ls", "verify", "prune"]),
    (["completion", "z"], ["zsh"]), (["fetch", "--as", ""], ["model", "sae", "dataset"]), (["inspect", "--as", "w"], ["weights"]), (["fetch", "sub"], []),
    (["plot", "--thresholds", "sub"], ["subject"]),
])
def test_bash_completes(run, tmp_path, words, expected):
    (tmp_path / "subject").mkdir()
    script = tmp_path / "c.bash"
    script.write_text(run("completion", "bash").out + "\nCOMP_WORDS=(saescope " + " ".join(f"'{w}'" for w in words) +
                      f"); COMP_CWORD={len(words)}; _saescope; printf '%s\\n' \"${{COMPREPLY[@]}}\"\n")
    done = subprocess.run(["bash", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    got = [w for w in done.stdout.split() if not w.startswith("--") or words[-1].startswith("--")]
    assert got == expected and done.stderr == ""


def options_of(run, command):
    """[(option, its value as help names it, or None)] in the order of help."""
    words = re.findall(r"^ +(?:-\w, )?--([a-z0-9-]+)(?: ([A-Z][^ \n]*))?(?:  |$)", run(command, "--help").out, re.M)
    return [(name, value or None) for name, value in words]


def test_the_commands_of_this_file_are_all(run):
    listed = re.findall(r"^  ([a-z-]+) +\S", run("--help").out.split("Commands:")[1].split("saescope COMMAND")[0], re.M)
    assert listed == COMMANDS


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_have_every_option_of_every_command(run, shell):
    """The part of a script that is of a command names all its options."""
    lines = run("completion", shell).out.split("\n")
    start = {"bash": lambda c: f"    {c}:", "zsh": lambda c: f"        {c}) ", "fish": lambda c: f"complete -c saescope -n '__fish_seen_subcommand_from {c}'"}[shell]
    for command in COMMANDS:
        first = next(i for i, line in enumerate(lines) if line.startswith(start(command)))
        if shell == "zsh":
            last = next(i for i in range(first, len(lines)) if lines[i].endswith(";;"))
            part = "\n".join(lines[first:last + 1])
        else:
            part = "\n".join(line for line in lines if line.startswith(start(command)))
        for name, _ in options_of(run, command):
            assert re.search(rf"(--|-l ){name}(?![a-z-])", part), f"{command} --{name}"


def test_bash_completes_files_where_a_value_is_one(run, tmp_path):
    """Every option of every command: a file is offered where its value is one, and nowhere else. So are arguments."""
    (tmp_path / "subject").mkdir()
    words, expected = [], []
    for command in COMMANDS:
        for name, value in options_of(run, command):
            if value is not None:
                words.append([command, f"--{name}", "sub"])
                expected.append(value in {"PATH", "MODEL", "SAE", "SAE,SAE", "FILE", "DATASET", "RUN", "DIR"})
        words.append([command, "sub"])
        expected.append(command in {"merge", "describe", "score", "families", "map", "show", "search", "diff", "report", "view", "inspect", "plot"})
    calls = "".join(f"COMP_WORDS=(saescope {' '.join(w)}); COMP_CWORD={len(w)}; _saescope; echo \"${{COMPREPLY[*]}}\"\n" for w in words)
    script = tmp_path / "c.bash"
    script.write_text(run("completion", "bash").out + "\n" + calls)
    got = subprocess.run(["bash", script], capture_output=True, text=True, cwd=tmp_path, check=True).stdout.split("\n")
    assert len(words) > 250
    assert [w for w, e, line in zip(words, expected, got) if ("subject" in line) != e] == []


def lint_of(page):
    try:
        return subprocess.run(["mandoc", "-Tlint", "-Wwarning"], input=page.encode(), capture_output=True).stdout
    except FileNotFoundError:
        pytest.skip("no mandoc")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_man_pages_are_sound(run, command):
    page = run("manual", *([command] if command else [])).out
    for section in ("NAME", "SYNOPSIS", "ENVIRONMENT", "EXIT STATUS"):
        assert f".SH {section}" in page
    assert lint_of(page) == b""


def test_the_page_of_the_library_has_the_whole_header():
    header = (ROOT / "include/saescope.h").read_text(encoding="utf8")
    done = subprocess.run(["awk", "-f", ROOT / "cmake/library_page.awk", ROOT / "include/saescope.h"], capture_output=True, text=True, check=True)
    page = re.sub(r"\\(e|-|&)", lambda m: {"e": "\\", "-": "-", "&": ""}[m.group(1)], done.stdout)
    for name in set(re.findall(r"\b(?:ss_[a-z_0-9]+|SS_[A-Z_0-9]+)\b", header)) - {"SS_API", "SS_MUST_USE"}:
        assert name in page, name
    words = re.findall(r"[A-Za-z_]+", header.split("/* ---- status ---- */")[1])
    got = set(re.findall(r"[a-z_]+", page.lower()))
    assert {w for w in words if w.lower() not in got} <= {"SS_API", "SS_MUST_USE", "ifdef", "cplusplus", "__cplusplus", "endif", "extern"}
    assert lint_of(done.stdout) == b""


def test_every_variable_that_is_read_is_in_the_pages(run):
    """Names in capitals that the sources hold as strings beside their getenv; formats.md and the page have them all."""
    named = set()
    for path in [*ROOT.glob("src/**/*.c"), *ROOT.glob("cli/*.c")]:
        text = path.read_text(encoding="utf8")
        if "getenv(" in text or "env_is_true(" in text:
            named |= set(re.findall(r'"((?:HF|HUGGING|HUGGINGFACE|WANDB|SAESCOPE|SENTENCE|TRANSFORMERS|XDG|SSL|CURL|REQUESTS|HTTP|NO|FORCE)_[A-Z_]+|NETRC|TMPDIR)"', text))
    page = run("manual").out
    formats = "".join((ROOT / "docs" / name).read_text(encoding="utf8") for name in ("formats.md", "numerics.md", "datasets.md"))
    assert len(named) > 25 and {name for name in named if f"\\fB{name}\\fR" not in page} == set()
    assert {name for name in named if not re.search(rf"[`{{$]{name}\b", formats)} <= {"NO_COLOR", "FORCE_COLOR", "SAESCOPE_CPU"}
    assert "HF_TOKEN" not in run("manual", "show").out and "RUN/run.json" in run("manual", "show").out
    assert "HF_TOKEN" in run("manual", "cache").out and "RUN/run.json" not in run("manual", "embed").out


def test_a_full_or_closed_stdout_is_said(program):
    for redirect in (">/dev/full", ">&-"):
        done = subprocess.run(["sh", "-c", f'"$0" --help {redirect}', program], capture_output=True, text=True)
        assert done.returncode == 74, redirect
        assert done.stderr.startswith("saescope: cannot write to standard output")


def test_all_that_is_missing_is_named_at_once(run):
    done = run("embed")
    assert done.code == 64 and all(f"--{name}" in done.err.splitlines()[0] for name in ("model", "dataset", "out"))
    assert "as in: saescope embed" in done.err


@pytest.mark.parametrize("words, note", [
    (["--embedding-column", "x"], "--embedding-column has no effect without --embeddings"),
    (["--batch-rows", "4"], "--batch-rows has no effect without --batchtopk batch"),
    (["--batchtopk", "batch", "--calibration-rows", "4"], "--calibration-rows has no effect without --batchtopk threshold"),
    (["--prompt", "a", "--prompt-name", "b"], "--prompt-name has no effect beside --prompt"),
    (["--batchtopk", "batch", "--batch-rows", "4"], None),
])
def test_no_option_without_effect_passes_in_silence(run, words, note):
    """Said before the files, none of which is there, are looked for."""
    done = run("analyze", "-m", "./no", "-s", "./no", "-d", "./no", "-o", "./no/out", *words)
    assert done.code in (66, 74) and (note is None) == ("no effect" not in done.err) and (note is None or note in done.err)
    assert "no effect" not in run("analyze", "-m", "./no", "-s", "./no", "-d", "./no", "-o", "./no/out", "-q", *words).err


# One option after the other that another one, or a kind of file, makes useless; the runs are not there, so that nothing else is done.
NO_EFFECT = {
    "describe ./no": ["--seed-variant tutorial", "--no-score --no-sentence-test", "--no-score --similarity plain", "--method none --no-score", "--method seed --stop-words none",
                      "--model-id x", "--source-id x", "--author-id x", "--export saedashboard --model-id x --author-id x", "--force", "--llm-jobs 3", "--max-calls 3", "--llm-cache x",
                      "--export saedashboard --model-id x --no-score"],
    "families ./no": ["--prompt x"], "score ./no --feature 1 --label x": ["--prompt x"],
    "map ./no": ["--min-cluster-size 4", "--min-samples 4", "--leaves", "--text-column x", "--prompt x"],
    "show ./no 3": ["--sort max", "--limit 3"], "search ./no words": ["--threads 2", "--features --threads 2"],
    "diff ./no ./no": ["--json --print-csv", "--print-csv --limit 3", "--print-csv --most-q 0.1"],
    "report --extract ./no --out x.npz": ["--budget 3M", "--no-texts", "--with ./no"], "plot ./no --out x.png": ["--zoom --fixed-range"],
    "plot --thresholds ./no --out x.png": ["--fixed-range"], "plot ./no": ["--out x.svg --dpi 200"], "merge ./no.state --out x.state": ["--steps labels", "--title x"],
    "train --embeddings ./no.npy --out x": ["--kind topk --bandwidth 1", "--kind vanilla --top-k 3", "--kind jumprelu --target-l0 8 --top-k 3"],
    "tokenize -m ./no -d ./no": ["--seed 3"], "inspect ./no": ["--seed 3"], "cache ls": ["--dry-run"], "analyze -m ./no -s ./no -d ./no --part 1/2 -o x": ["--title x", "--steps all", "--view"],
}


@pytest.mark.parametrize("words", [f"{base} {more}" for base, all_more in NO_EFFECT.items() for more in all_more])
def test_no_option_of_any_command_without_effect_passes_in_silence(run, words, tmp_path):
    """The last option of each row, or the one of two that is named first."""
    named = {"--json --print-csv": "print-csv", "--print-csv --limit 3": "limit", "--export saedashboard --model-id x --no-score": "no-score"}
    *_, last = [w for w in words.split() if w.startswith("--")]
    name = next((f"--{v}" for k, v in named.items() if words.endswith(k)), last)
    if words.endswith("--dpi 200"):
        name = "--dpi"
    done = run(*words.split(), cwd=tmp_path)
    assert f"{name} has no effect" in done.err, done.err
    with_it = run(*words.split(), "-q", cwd=tmp_path).err if not words.startswith(("show", "cache")) else ""
    assert "no effect" not in with_it


# Options of texts beside embeddings alone: every one of every command that takes both.
@pytest.mark.parametrize("command", ["analyze", "encode", "train", "evaluate"])
def test_options_of_texts_beside_embeddings(run, command, tmp_path):
    values = {"text-unit": "line", "format": "jsonl", "on-bad-row": "skip", "precision": "low", "csv": "delimiter=;", "encoding": "latin-1"}
    of_texts = {"split", "config", "cache-dataset", "text-column", "keep", "format", "text-unit", "csv", "encoding", "field", "on-bad-row", "where", "sample", "seed",
                "prompt", "prompt-name", "max-tokens", "truncate-dim", "precision", "batch-tokens", "with-text"} - ({"seed"} if command == "train" else set())
    seen = 0
    for name, value in options_of(run, command):
        if name in of_texts:
            words = [f"--{name}"] + ([values.get(name, "8")] if value else [])
            done = run(command, "--embeddings", "./no.npy", "-s" if command != "train" else "--kind", "./no" if command != "train" else "topk",
                       *(["-o", "x"] if command != "evaluate" else []), *words, cwd=tmp_path)
            assert f"--{name} has no effect" in done.err or ("which is not given" in done.err and f"--{name}" in done.err), f"{name}: {done.err}"
            seen += 1
    assert seen >= 16


@pytest.mark.parametrize("file, words, note", [
    ("a.jsonl", ["--text-unit", "document"], "these are no text files, but jsonl"), ("a.parquet", ["--encoding", "latin-1"], "--encoding has no effect on parquet"),
    ("a.jsonl", ["--cache-dataset"], "nothing is read from the hub"), ("a.txt", ["--text-unit", "document"], None), ("a.jsonl", ["--encoding", "latin-1"], None),
    ("a.jsonl", ["--csv", "delimiter=;"], "no file is csv"), ("a.txt", ["--field", "x"], "no file is JSON"), ("a.jsonl", ["--split", "train"], "need a dataset folder"),
])
def test_options_of_other_kinds_of_files(run, tmp_path, file, words, note):
    (tmp_path / "a.jsonl").write_text('{"text": "a star"}\n')
    (tmp_path / "a.txt").write_text("a star\n")
    shutil.copy(next((ROOT / "tests/data/parquet").rglob("*.parquet")), tmp_path / "a.parquet")
    done = run("tokenize", "-m", ROOT / "tests/data/encoder/mpnet-mean", "-d", tmp_path / file, *words)
    assert (note is None and "effect" not in done.err and done.code == 0) or (note is not None and note in done.err), done.err


@pytest.mark.parametrize("name, value, note", [
    ("SAESCOPE_TOPK", "3", "SAESCOPE_TOPK has no effect; did you mean SAESCOPE_TOP_K?"), ("SAESCOPE_CPU", "neon", "avx512-vnni"),
    ("SAESCOPE_XYZZY_PLUGH", "1", "SAESCOPE_XYZZY_PLUGH has no effect"), ("SAESCOPE_CPU", "avx2", None), ("SAESCOPE_OFFLINE", "1", None),
    ("SAESCOPE_NET_TRIES", "2", None), ("SAESCOPE_TOP_K", "3", None), ("SAESCOPE_TOPK", "", None),
])
def test_no_variable_without_effect_passes_in_silence(run, name, value, note):
    done = run("inspect", "./no", env={name: value})
    assert done.code == 66 and (note is None) == ("no effect" not in done.err) and (note is None or note in done.err)


def test_errors_are_json_where_results_are(run):
    for words, code, facts in ((["inspect", "./no", "--json"], 66, {"file"}), (["inspect", "a", "b", "--json"], 64, set()), (["show", "--json", "--no-such"], 64, set()),
                               (["diff", "--no-such", "--json", "a"], 64, set()), (["analyze", "-n", "x", "--json"], 64, set())):
        done = run(*words)
        error = json.loads(done.err)["error"]
        assert done.code == code == error["exit"] and done.out == "" and facts <= set(error) and error["message"]
