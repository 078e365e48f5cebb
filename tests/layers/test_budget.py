"""The budget of functions, and labels that have something to release."""
import functools
import re
import statistics
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES, MOST_MEDIAN_LINES, MOST_PARAMETERS = 80, 20, 6
# Functions of more parameters: the way of data through a kernel, or a public call of the first release. The list only
# gets shorter.
MANY_PARAMETERS = set("""
    ss_encode_file ss_encoder_embed ss_dataset_each_json
    ss_tensor_linear ss_tensor_attend ss_tensor_layer_norm ss_encoder_pooling_run ss_sae_encode_part ss_sae_encode_counted
    ss_describe_corpus_find copy_array ss_weights_view_f32 ss_encoder_bind_view ss_encoder_adapter_apply fill_array
    ss_parquet_column_start ss_parquet_page_read unpack ss_arrow_batch_read
    ss_net_artifact_record_read get_offline ask_and_get get_online
    """.split())


def masked(text):
    """C of the same length without comments and literals."""
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)


def functions(text):
    """(name, number of parameters, body) of each function of a C file as clang-format leaves it."""
    code = masked(text)
    for start in re.finditer(r"^\{\n", code, re.M):
        end = code.find("\n}", start.start())
        head = code[max(code.rfind(stop, 0, start.start()) + len(stop) for stop in ("\n\n", ";\n", "}\n")):start.start()]
        named = re.search(r"\b(\w+)\(", re.sub(r"__attribute__\(\(.*?\)\)", "", head))
        if end < 0 or named is None:
            continue
        inside = re.sub(r"\([^()]*\)", "", head[head.index(named.group(1) + "(") + len(named.group(1)) + 1:].rstrip()[:-1])
        yield named.group(1), inside.count(",") + (inside.strip() not in ("", "void")), code[start.end():end + 1]


@functools.lru_cache
def all_functions(root):
    return [(f"{path.relative_to(root)}: {name}", name, n_parameters, body)
            for folder in ("src", "cli") for path in sorted((root / folder).rglob("*"))
            if path.suffix in (".c", ".h", ".inc") and not path.name.endswith("_tables.inc")
            for name, n_parameters, body in functions(path.read_text(encoding="utf8"))]


def over_budget(root):
    wrong, lines, many = [], [], set()
    for where, name, n_parameters, body in all_functions(root):
        lines.append(body.count("\n"))
        if lines[-1] > MOST_LINES:
            wrong.append(f"{where} has {lines[-1]} lines, at most {MOST_LINES} are read in one go")
        if n_parameters > MOST_PARAMETERS:
            many.add(name)
            if name not in MANY_PARAMETERS:
                wrong.append(f"{where} has {n_parameters} parameters, more than {MOST_PARAMETERS}: pass a struct")
    if statistics.median(lines) > MOST_MEDIAN_LINES:
        wrong.append(f"the median function has {statistics.median(lines)} lines, more than {MOST_MEDIAN_LINES}")
    return wrong


def idle_labels(root):
    """Labels `out` that only return the status which SS_TRY set."""
    return [f"{where} owns nothing: SS_RETURN_IF_ERROR instead of SS_TRY and the label" for where, _, _, body in all_functions(root)
            if re.search(r"\nout:\n    return status;\n$", body) and not re.search(r"(?<!ss_status )\bstatus (=(?!=)|[!=]=)|&status|JOIN\(", body)]


def test_functions_stay_within_the_budget():
    assert not over_budget(ROOT), "\n".join(over_budget(ROOT))


def test_the_label_out_releases_something():
    assert not idle_labels(ROOT), "\n".join(idle_labels(ROOT))
