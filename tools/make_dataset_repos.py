"""Layouts of dataset repositories with what the library `datasets` reads of them.

Usage: make_dataset_repos.py tests/data/dataset_repos/layouts.json   (datasets 5.2.0, pyarrow 26)

Each case is a list of paths, the text of README.md ("" for none), and asks: a configuration, a split, and the rows
(text column) that a streaming load gives, or the class of its error. What a file holds follows from its path alone
(`content`, which tests/oracle/test_dataset_repos.py has too), so rows tell which files were read, in which order."""
import json
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import datasets  # noqa: E402

datasets.disable_progress_bars()
datasets.logging.set_verbosity_error()
SEED = 20260101


def content(path):
    """Two rows that name the file; the ending says the format."""
    rows = [f"{path} {i}" for i in range(2)]
    name = path.rsplit("/", 1)[-1]
    ends = name.split(".")[1:]
    if "jsonl" in ends or "ndjson" in ends:
        return "".join(json.dumps({"text": row}) + "\n" for row in rows)
    if "json" in ends:
        return json.dumps([{"text": row} for row in rows])
    if "csv" in ends:
        return "id,text\n" + "".join(f"{i},{row}\n" for i, row in enumerate(rows))
    if "tsv" in ends:
        return "id\ttext\n" + "".join(f"{i}\t{row}\n" for i, row in enumerate(rows))
    return "".join(row + "\n" for row in rows)


def yaml(body):
    return f"---\n{body}---\n# A dataset\n"


def handmade():
    shards = [f"data/{s}-{i:05d}-of-00002.csv" for s in ("train", "extra", "test") for i in range(2)]
    keywords = ["train", "training", "validation", "valid", "dev", "val", "test", "testing", "eval", "evaluation"]
    configs = "configs:\n- config_name: a\n  data_files: a/*.csv\n- config_name: b\n  data_files:\n  - b/2.csv\n  - b/1.csv\n"
    splits = ("configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: [x/*.csv, y/2.csv]\n"
              "  - split: held.out\n    path: y/1.csv\n")
    base = ["a/1.csv", "a/2.csv", "b/1.csv", "b/2.csv"]
    yield "one_file", ["rows.csv"], "", [(None, "train"), (None, "test"), (None, "all")]
    yield "two_formats", ["a.csv", "b.csv", "c.txt"], "", [(None, "train")]
    yield "tie_json_csv", ["a.csv", "b.jsonl"], "", [(None, "train")]
    yield "tie_txt_tsv", ["a.tsv", "b.txt"], "", [(None, "train")]
    yield "shards", shards, "", [(None, s) for s in ("train", "extra", "test", "all", "train+test", "extra + train", "train[:1]", "no")]
    yield "shards_nested_name", ["data/a-00000-of-00001-00000-of-00001.jsonl"], "", [(None, "a-00000-of-00001"), (None, "a")]
    yield "shards_other_folder", ["other/train-00000-of-00001.csv", "other/x-00000-of-00001.csv"], "", [(None, "train"), (None, "x")]
    for word in keywords:
        yield f"name_{word}", [f"{word}.csv", f"my_{word}_2.csv", f"x{word}.csv", f"sub/a-{word}.csv"], "", [(None, s) for s in ("train", "validation", "test")]
        yield f"folder_{word}", [f"{word}/1.csv", f"my-{word}/2.csv", f"{word}_x/y/3.csv", f"{word}x/4.csv"], "", [(None, s) for s in ("train", "validation", "test")]
    yield "twice", ["train/train_1/a.csv", "train/b.csv"], "", [(None, "train")]
    yield "twice_in_name", ["train.train.csv", "train.csv"], "", [(None, "train")]
    yield "folders_before_names", ["train/test.csv", "train/a.csv", "test.csv"], "", [(None, "train"), (None, "test")]
    yield "hidden", [".hidden.csv", ".git/x.csv", "__pycache__/y.csv", "__z.csv", "a.csv"], "", [(None, "train")]
    yield "ignored", ["config.json", "dataset_info.json", "a.jsonl", "sub/dataset_dict.json"], "", [(None, "train")]
    yield "no_ending", ["a", "b.csv"], "", [(None, "train")]
    yield "upper_case", ["A.CSV", "b.csv", "c.Csv"], "", [(None, "train")]
    yield "part_endings", ["a.csv.part1", "b.part2.csv", "c.v1.2.csv"], "", [(None, "train")]
    yield "other_kind_split", ["train.csv", "test.txt"], "", [(None, "train"), (None, "test")]
    yield "script", ["data.py"], "", [(None, "train")]
    yield "images", ["a.png", "b.jpg", "metadata.csv"], "", [(None, "train")]
    yield "unicode_names", ["データ/train.csv", "é.csv", "train é.csv"], "", [(None, "train")]
    yield "configs", base, yaml(configs), [(None, "train"), ("a", "train"), ("b", "train"), ("c", "train"), ("a", "test")]
    yield "configs_default", base, yaml(configs + "  default: true\n"), [(None, "train")]
    yield "configs_default_no", base, yaml(configs + "  default: no\n"), [(None, "train")]
    yield "configs_two_defaults", base, yaml(configs + "  default: yes\n- config_name: default\n  data_files: a/1.csv\n"), [(None, "train")]
    yield "configs_named_default", base, yaml(configs + "- config_name: default\n  data_files: a/1.csv\n"), [(None, "train"), ("b", "train")]
    yield "configs_info", base, yaml("dataset_info:\n  config_name: b\n" + configs), [(None, "train")]
    yield "configs_info_list", base, yaml("dataset_info:\n- config_name: a\n- config_name: b\n" + configs), [(None, "train")]
    yield "splits", ["x/1.csv", "x/2.csv", "y/1.csv", "y/2.csv"], yaml(splits), [(None, s) for s in ("train", "held.out", "all", "held.out+train", "x")]
    yield "data_dir", base, yaml("configs:\n- config_name: a\n  data_dir: a\n- config_name: b\n  data_dir: b/\n"), [("a", "train"), ("b", "train"), (None, "train")]
    yield "data_dir_splits", ["a/train.csv", "a/test.csv", "b/train/1.csv", "b/dev/1.csv"], yaml("configs:\n- config_name: a\n  data_dir: a\n- config_name: b\n  data_dir: b\n"), [(c, s) for c in "ab" for s in ("train", "test", "validation")]
    yield "data_dir_files", base, yaml("configs:\n- config_name: a\n  data_dir: b\n  data_files: '1.csv'\n"), [("a", "train")]
    yield "data_dir_globs", ["b/1.csv", "b/x/1.csv", "1.csv"], yaml("configs:\n- config_name: a\n  data_dir: b\n  data_files: '**/1.csv'\n"), [("a", "train")]
    yield "missing_file", base, yaml("configs:\n- config_name: a\n  data_files: c.csv\n"), [("a", "train")]
    yield "missing_pattern", base, yaml("configs:\n- config_name: a\n  data_files: [c/*.csv, 'a/*']\n"), [("a", "train")]
    yield "duplicate_split", base, yaml("configs:\n- config_name: a\n  data_files:\n  - {split: train, path: a/*}\n  - {split: train, path: b/*}\n"), [("a", "train")]
    yield "bad_split_name", base, yaml("configs:\n- config_name: a\n  data_files:\n  - {split: my-split, path: a/*}\n"), [("a", "my-split")]
    yield "data_files_map", base, yaml("configs:\n- config_name: a\n  data_files: {train: a/*}\n"), [("a", "train")]
    yield "anchors", base, yaml("x: &p [a/2.csv, a/1.csv]\nconfigs:\n- config_name: a\n  data_files: *p\n"), [("a", "train")]
    yield "merge", base, yaml("x: &p {data_files: b/*.csv}\nconfigs:\n- <<: *p\n  config_name: a\n"), [("a", "train")]
    yield "flow", base, yaml("configs: [{config_name: a, data_files: [a/1.csv]}, {config_name: 'b', data_files: \"b/*\"}]\n"), [("a", "train"), ("b", "train")]
    yield "null_files", ["a/train.csv"], yaml("configs:\n- config_name: a\n  data_dir: a\n  data_files:\n"), []
    yield "no_front_matter", ["train.csv"], "# Title\n---\nconfigs:\n- config_name: x\n---\n", [(None, "train"), ("x", "train")]
    yield "open_front_matter", ["train.csv"], "---\nconfigs:\n- config_name: x\n  data_files: a.csv\n", [(None, "train")]
    yield "crlf", base, yaml(configs).replace("\n", "\r\n"), [("b", "train")]
    yield "blank_before", base, "\n  \n" + yaml(configs), [("b", "train")]
    yield "bad_yaml", base, "---\nconfigs: [\n---\n", [(None, "train")]
    yield "tab_yaml", base, "---\nconfigs:\n\t- x\n---\n", [(None, "train")]
    yield "list_yaml", base, "---\n- a\n---\n", [(None, "train")]
    yield "configs_map", base, "---\nconfigs:\n  a: b\n---\n", [(None, "train")]
    yield "no_config_name", base, "---\nconfigs:\n- data_files: a/1.csv\n---\n", [(None, "train")]
    yield "empty_configs", base, "---\nconfigs: []\n---\n", [(None, "train")]
    for i, pattern in enumerate(["**", "**/*", "*", "*/*", "a/**", "a/*", "[ab]/1.csv", "[!a]/1.csv", "?/[1-2].csv", "a/[12]*", "**/1.csv", "./a/1.csv",
                                 "a/../b/1.csv", "a**", "a/**.csv", "**/a/**/1.csv", "{a,b}/1.csv", "a/1.csv*", "[]a]/1.csv", "[a-]/2.csv", "[", "a/[1", "a//1.csv",
                                 "a/", "a", "__x/*", "*/.h.csv", ".h/*", "**/.h.csv", "[_]_x/*"]):
        extra = ["a/c/1.csv", "c/a/d/1.csv", "__x/1.csv", "a/.h.csv", ".h/1.csv", "]/1.csv", "-/2.csv", "[/1.csv", "top.csv"]
        yield f"pattern_{i}", base + extra, yaml(f"configs:\n- config_name: a\n  data_files: {json.dumps(pattern)}\n"), [("a", "train")]
    yield "sep", ["x.csv"], yaml("configs:\n- config_name: a\n  data_files: x.csv\n  sep: ','\n"), [("a", "train")]
    yield "tsv", ["x.tsv", "y.tsv"], "", [(None, "train")]
    yield "unknown_option", ["x.csv"], yaml("configs:\n- config_name: a\n  data_files: x.csv\n  nonsense: 1\n"), [("a", "train")]
    yield "sample_by", ["x.txt"], yaml("configs:\n- config_name: a\n  data_files: x.txt\n  sample_by: document\n"), [("a", "train")]


FOLDERS = ["", "data/", "train/", "test/", "val/", "a/", "a/train/", "my train/", "dev-set/", "x.test/", "raw/eval/", ".h/", "__c/", "data/training.1/"]
NAMES = ["train", "test", "dev", "rows", "a", "b-train", "c_test", "valid 1", "train-00000-of-00002", "train-00001-of-00002", "x-00000-of-00001",
         "evaluation", "my.val", "trainx", "0train", "metadata", "TRAIN"]
ENDS = [".csv", ".csv", ".jsonl", ".json", ".txt", ".tsv", ".py", ".png", ".md", ".csv.bak", ""]


def drawn(rng, i):
    ends = [e for e in rng.sample(ENDS, 3)]
    paths = sorted({rng.choice(FOLDERS) + rng.choice(NAMES) + rng.choice(ends) for _ in range(rng.randint(1, 14))})
    files = {p for p in paths if not any(q.startswith(p + "/") for q in paths)}
    return f"drawn_{i}", sorted(files), "", [(None, s) for s in ("train", "validation", "test", "x", "all")]


def load(folder, config, split):
    try:
        rows = datasets.load_dataset(str(folder), config, split=split, streaming=True)
        return {"rows": [row["text"] for row in rows]}
    except Exception as error:  # whatever it is, there are no rows
        return {"error": type(error).__name__}


def main():
    out = Path(sys.argv[1])
    rng = random.Random(SEED)
    cases = list(handmade()) + [drawn(rng, i) for i in range(150)]
    result = []
    for name, paths, readme, asks in cases:
        folder = Path(tempfile.mkdtemp(prefix="repo")) / "repo"
        for path in paths:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content(path).encode())
        if readme:
            (folder / "README.md").write_bytes(readme.encode())
        result.append({"name": name, "paths": paths, "readme": readme,
                       "asks": [{"config": c, "split": s, **load(folder, c, s)} for c, s in asks]})
        shutil.rmtree(folder.parent)
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in result)
    out.write_text(f'{{"datasets": "{datasets.__version__}", "seed": {SEED}, "cases": [\n{lines}\n]}}\n', "utf8")
    n = sum("rows" in ask for case in result for ask in case["asks"])
    print(f"{len(result)} layouts, {n} asks with rows, {sum(len(c['asks']) for c in result) - n} with an error")


if __name__ == "__main__":
    main()
