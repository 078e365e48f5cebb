"""The document of the API is what the server does: every route and parameter, every field of every answer."""
import json
import re
import sys

import pytest

from conftest import ROOT
from test_answers import start
from viewer import Viewer

DOCUMENT = json.loads((ROOT / "src/web/assets/openapi.json").read_text(encoding="utf8"))
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
HOSTILE = [line for line in (ROOT / "tests/web/hostile.txt").read_text(encoding="utf8").splitlines() if line]


@pytest.fixture(scope="module")
def viewer(program, tmp_path_factory):
    folder = start(program, tmp_path_factory.mktemp("openapi"))
    viewer = Viewer(program, folder / "run", "--with", folder / "other")
    viewer.take_token()
    yield viewer
    viewer.close()


# ---- schemas: the part of JSON Schema that the document uses ----

KEYWORDS = {"$ref", "type", "description", "required", "additionalProperties", "properties", "items", "enum", "const", "anyOf", "minimum", "maximum", "minItems", "maxItems", "default", "format"}


def resolve(schema):
    while "$ref" in schema:
        found = DOCUMENT
        for key in schema["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        schema = found
    return schema


def is_type(value, name):
    if name in ("integer", "number"):
        return not isinstance(value, bool) and isinstance(value, int if name == "integer" else (int, float))
    return isinstance(value, TYPES[name])


def faults(value, schema, where="$", seen=None):
    """Why a value does not fit; which optional fields came is added to `seen`."""
    schema = resolve(schema)
    assert set(schema) <= KEYWORDS, set(schema) - KEYWORDS
    if "anyOf" in schema:
        all_of = [faults(value, one, where, seen) for one in schema["anyOf"]]
        return [] if any(not one for one in all_of) else min(all_of, key=len)
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    if names and not any(is_type(value, name) for name in names):
        return [f"{where} is {value!r}, not {names}"]
    found = []
    if "const" in schema and value != schema["const"] or "enum" in schema and value not in schema["enum"]:
        found.append(f"{where} is {value!r}")
    if is_type(value, "number") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{where} is {value}")
    if isinstance(value, list):
        if len(value) > schema.get("maxItems", len(value)) or len(value) < schema.get("minItems", 0):
            found.append(f"{where} has {len(value)} items")
        for i, item in enumerate(value):
            found += faults(item, schema.get("items", {}), f"{where}[{i}]", seen)
    if isinstance(value, dict):
        properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
        found += [f"{where}.{key} is missing" for key in schema.get("required", []) if key not in value]
        for key, item in value.items():
            if key in properties:
                if seen is not None:
                    seen.add((id(schema), key))
                found += faults(item, properties[key], f"{where}.{key}", seen)
            elif more is False:
                found.append(f"{where}.{key} is not in the document")
            elif isinstance(more, dict):
                found += faults(item, more, f"{where}.{key}", seen)
    return found


def test_faults_are_found():
    schema = {"type": "object", "required": ["a"], "additionalProperties": False, "properties": {"a": {"type": "integer", "minimum": 0}, "b": {"type": ["string", "null"]}}}
    assert not faults({"a": 1, "b": None}, schema)
    for wrong in ({}, {"a": -1}, {"a": 1.5}, {"a": True}, {"a": 1, "b": 2}, {"a": 1, "c": 0}, []):
        assert faults(wrong, schema), wrong


# ---- the document and the routes ----


def test_the_document_is_sound():
    assert DOCUMENT["openapi"] == "3.1.0"
    text = json.dumps(DOCUMENT)
    for reference in set(re.findall(r'"\$ref": "([^"]+)"', text)):
        assert resolve({"$ref": reference})
    used = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert used == set(DOCUMENT["components"]["schemas"])


def routes_of_source():
    text = (ROOT / "src/web/viewer_api.c").read_text(encoding="utf8")
    own = (ROOT / "src/web/viewer.c").read_text(encoding="utf8")
    found = {(method.lower(), path + ("{id}" if path.endswith("/") else "")) for method, path in re.findall(r'\{SS_WEB_(GET|POST), "([^"]+)"', text)}
    return found | {("post" if path.endswith("session") else "get", path) for path in re.findall(r'"(/api/v1/[^"]+|/healthz)"', own)}


def test_routes_are_those_of_the_source():
    assert {(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods} == routes_of_source()


def test_parameters_are_those_of_the_source():
    for name, path in (("features", "features"), ("row", "rows"), ("search", "search"), ("diff", "diff")):
        source = (ROOT / f"src/web/viewer_{path}.c").read_text(encoding="utf8")
        listed = re.findall(r'"(\w+)"', re.search(rf"ss_web_{name}_parameters\[\] = \{{(.*?)\}};", source, re.S)[1])
        route = DOCUMENT["paths"][f"/api/v1/{path}" + ("/{id}" if name == "row" else "")]["get"]
        assert listed == [item["name"] for item in route["parameters"] if item["in"] == "query"]


TEXT = "A comet. It has a tail! Is it near?"
REQUESTS = [
    ("get", "/api/v1/openapi.json", None), ("get", "/api/v1/live", None), ("get", "/api/v1/run", None), ("get", "/healthz", None),
    ("get", "/api/v1/features?limit=3", None), ("get", "/api/v1/features?show=dead&sort=feature", None), ("get", "/api/v1/features/0", None), ("get", "/api/v1/features/5", None),
    ("get", "/api/v1/rows/0", None), ("get", "/api/v1/rows/3?near=2", None), ("get", "/api/v1/search?q=comet", None), ("get", "/api/v1/search?q=a&by=features", None),
    ("get", "/api/v1/search?q=a&by=meaning", None), ("get", "/api/v1/diff", None), ("get", "/api/v1/diff?by=kind&limit=5", None),
    ("post", "/api/v1/encode", {"texts": [TEXT, "x " * 900], "near": 2, "top": 3}), ("post", "/api/v1/influence", {"text": TEXT, "features": [1, 2], "unit": "word", "sentence": 1, "from": 0}),
    ("post", "/api/v1/steer", {"row": 0, "changes": [{"feature": 1, "activation": 0}], "keep_error": True, "limit": 3}), ("post", "/api/v1/steer", {"text": TEXT, "changes": []}),
]


def route_of(path):
    return re.sub(r"/\d+$", "/{id}", path.split("?")[0])


def test_every_answer_and_every_field(viewer):
    seen, asked = set(), {"/api/v1/session", "/api/v1/pages.npz"}
    for method, path, body in REQUESTS:
        operation = DOCUMENT["paths"][route_of(path)][method]
        asked.add(route_of(path))
        if body is not None:
            assert not faults(body, operation["requestBody"]["content"]["application/json"]["schema"], "request", seen)
        status, answer, headers = viewer.ask(method.upper(), path, body)
        assert status == 200 and headers["Content-Type"] in operation["responses"]["200"]["content"]
        assert not faults(answer, operation["responses"]["200"]["content"]["application/json"]["schema"], path, seen), path
        if "304" in operation["responses"]:
            assert viewer.ask("GET", path, headers={"If-None-Match": headers["ETag"]})[0] == 304
    assert asked == set(DOCUMENT["paths"])
    of_run = {"Model", "Sae", "Dataset", "Reconstruction", "Problem", "Session"}  # not all of these come of every run
    for name, schema in DOCUMENT["components"]["schemas"].items():
        if name not in of_run and "properties" in schema:
            missing = [key for key in schema["properties"] if (id(schema), key) not in seen]
            assert not missing, f"no answer had {missing} of {name}"


def test_refusals_are_in_the_document(viewer):
    token, viewer.token = viewer.token, None
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            status, answer, headers = viewer.ask(method.upper(), path.replace("{id}", "0"), {} if method == "post" else None)
            assert status == (401 if "401" in operation["responses"] else 200), path
            if status == 401:
                assert not faults(answer, DOCUMENT["components"]["schemas"]["Problem"]) and headers["Content-Type"] == "application/problem+json"
    viewer.token = token
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            wrong = viewer.ask(method.upper(), path.replace("{id}", "4294967294") + "?nothing=1", {"nothing": 1} if method == "post" else None)
            assert str(wrong[0]) in operation["responses"] or wrong[0] in (400, 404), (path, wrong[0])
            assert wrong[0] >= 400 and not faults(wrong[1], DOCUMENT["components"]["schemas"]["Problem"])
            other = viewer.ask("POST" if method == "get" else "GET", path.replace("{id}", "0"), {} if method == "get" else None)
            assert other[0] == 405, path


def test_the_document_is_served(viewer):
    status, answer, headers = viewer.ask("GET", "/api/v1/openapi.json")
    assert status == 200 and answer == DOCUMENT and headers["Content-Type"] == "application/json"


# ---- hostile values in every text field, hostile bytes on every route ----


def test_hostile_texts_through_every_field(viewer):
    """An answer is JSON of the document's form, or a problem; nothing is echoed as markup, and the server goes on."""
    from urllib.parse import quote
    assert len(HOSTILE) >= 400
    for i, text in enumerate(HOSTILE):
        given = quote(text.encode("utf8", "surrogatepass"), safe="")
        requests = [("GET", f"/api/v1/search?q={given}", None), ("GET", f"/api/v1/features?q={given}", None), ("GET", f"/api/v1/diff?by={given}", None),
                    ("POST", "/api/v1/influence", {"text": text, "features": [i % 24], "unit": ["sentence", "word"][i % 2]}), ("POST", "/api/v1/steer", {"text": text, "changes": [], "limit": 1}),
                    ("POST", "/api/v1/encode", {"texts": [text], "top": 1}), ("POST", "/api/v1/influence", {"text": "a", "features": [1], "unit": text}), ("POST", "/api/v1/steer", {text: 1, "row": 0})]
        method, path, body = requests[i % len(requests)]
        status, answer, headers = viewer.ask(method, path, body)
        assert status in (200, 400, 404) or status == 414 and len(path) > 2000, (text, status, answer)
        schema = DOCUMENT["paths"][route_of(path)][method.lower()]["responses"]["200"]["content"]["application/json"]["schema"] if status == 200 else {"$ref": "#/components/schemas/Problem"}
        assert not faults(answer, schema) and headers["Content-Type"].endswith("json") and headers["X-Content-Type-Options"] == "nosniff"
    assert viewer.ask("GET", "/healthz")[0] == 200


def raw_requests(port, token):
    host, auth = f"Host: 127.0.0.1:{port}\r\n", f"Authorization: Bearer {token}\r\n"
    for path in ("rows/0/../../run", "rows/%30", "rows/0%00", "rows/0/", "rows//0", "rows/00000000000", "rows/18446744073709551616", "search?q=%", "search?q=%4", "search?q=%zz", "search?q=%c0%ae", "search?q=a&by=words%00",
                 "search?q=" + "a" * 600, "search?q=%ed%a0%80", "diff?by=%2e%2e%2frun.json", "diff?with=/etc/passwd", "diff?limit=1&limit=2", "diff?q_max=1e", "diff?q_max=0x1", "diff?q_max=inf", "diff?offset=1e3",
                 "live?x=1", "openapi.json?x", "openapi.json/", "openapi", "live/", "rows/0?near=%31%30%30%30", "rows/0?near=1#x", "search?q=a\tb"):
        yield f"GET /api/v1/{path} HTTP/1.1\r\n{host}{auth}\r\n".encode("latin-1")
    for route in ("encode", "influence", "steer"):
        head = f"POST /api/v1/{route} HTTP/1.1\r\n{host}{auth}"
        kind = "Content-Type: application/json\r\n"
        for body in (b"", b"{", b"[]", b"null", b"5", b'"a"', b"{}{}", b'{"text":"a"} x', b'{"text":', b"\xff\xfe", b"\x00" * 50, b'{"a":' * 3000, b"[" * 60000, b'{"row":-9223372036854775808}', b'{"row":1e400}',
                     b'{"texts":["\\ud800"],"texts":[1]}', b'{"limit":99999999999999999999}'):
            yield f"{head}{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body
        yield f"{head}{kind}Content-Length: 65537\r\n\r\n".encode() + b"{" * 65537
        yield f"{head}Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{{}}".encode()
        yield f"{head}{kind}Content-Length: 10\r\n\r\n{{}}".encode()  # shorter than it says
        yield f"{head.replace(token, token[::-1])}{kind}Content-Length: 2\r\n\r\n{{}}".encode()


def test_hostile_bytes_on_the_routes(viewer):
    n = 0
    for data in raw_requests(viewer.port, viewer.token):
        back = viewer.raw(data)
        n += 1
        assert back == b"" or re.match(rb"HTTP/1\.1 4\d\d ", back), (data[:200], back[:100])
        assert back.count(b"HTTP/1.1 ") <= 1 and b"<" not in back.split(b"\r\n\r\n", 1)[-1] and b"rows_used" not in back
    assert n >= 90
    assert viewer.ask("GET", "/api/v1/run")[0] == 200
