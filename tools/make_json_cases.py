#!/usr/bin/env python3
"""Make tests/data/json/cases.txt: what Python's json module makes of JSON texts.

A line each: the text in base64, then "no" where json.loads refuses its UTF-8 or its form, else the
value as json.dumps writes it, in base64, lone surrogates as U+FFFD. The texts are written by hand
and by a seeded generator that breaks good ones. Made with Python 3.11.
"""
import base64
import json
import pathlib
import random

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIXED = [
    b"", b" ", b"{}", b"[]", b"null", b"true", b"false", b"nul", b"NULL", b"True", b"\xef\xbb\xbf{}",
    b"NaN", b"-NaN", b"Infinity", b"-Infinity", b"+1", b"nan", b"inf", b"1e999", b"-1e999", b"1e-999",
    b"0", b"-0", b"00", b"01", b"-01", b"1.", b".5", b"1.5", b"1e5", b"1E+5", b"1e", b"1e+", b"-", b"1.0e-5",
    b"123456789012345678901234567890", b"-9223372036854775808", b"9223372036854775807", b"9223372036854775808",
    b"0.0030000000000000001", b"2.2250738585072011e-308", b"5e-324", b"1.7976931348623157e308",
    b'"a"', b'"', b'"\\"', b'"\\u00e9"', b'"\\ud83d\\ude00"', b'"\\ud83d"', b'"\\ude00x"', b'"\\ud83d\\u0041"',
    b'"\\ud83dx"', b'"\\u12"', b'"\\u12G4"', b'"\\x41"', b'"\\/\\b\\f\\n\\r\\t\\"\\\\"', b'"\\u0000"', b'"a\nb"', b'"\x7f"',
    b'"\x1f"', '"é漢😀"'.encode(), b'"\xff"', b'"\xed\xa0\x80"', b'{"a":1,"a":2}', b'{"a":1,"b":2,"a":3}', b'{"a":1,}',
    b"[1,]", b"[,1]", b"[1 2]", b'{"a" 1}', b'{"a":}', b"{1:2}", b"{'a':1}", b"[1]x", b"[1] ]", b"{}{}", b"//c\n1",
    b"[NaN, Infinity, -Infinity, 1e400]", b'{"x": NaN}', b'[[[[]]], {"a": [{}]}]', b"\t\r\n [ 1 , 2 ] \n",
    b'{"": 0}', b'{"\\u0061": 1, "a": 2}', b"[" * 300 + b"]" * 300, b"[1e5, 1E5, 1.e5]", b"\x0c[]", b"\xa0[]",
    json.dumps({f"k{i}": i for i in range(40)}).encode(), b'{"k":0,' + b",".join(b'"k":%d' % i for i in range(30)) + b"}",
]


def random_value(rng, depth):
    kind = rng.randrange(8 if depth > 0 else 6)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.randint(-10**rng.randrange(1, 22), 10**rng.randrange(1, 22))
    if kind == 2:
        return rng.uniform(-1, 1) * 10.0**rng.randrange(-30, 30)
    if kind in (3, 4):
        return "".join(chr(rng.choice([rng.randrange(0xD800), rng.randrange(0x80), 0x1F600, 0x22, 0x5C])) for _ in range(rng.randrange(8)))
    if kind == 5:
        return rng.choice([float("nan"), float("inf"), 0.0, -0.0])
    if kind == 6:
        return [random_value(rng, depth - 1) for _ in range(rng.randrange(5))]
    return {str(random_value(rng, 0)): random_value(rng, depth - 1) for _ in range(rng.randrange(12))}


def random_texts(n):
    rng = random.Random(20)
    for i in range(n):
        text = json.dumps(random_value(rng, 4), ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
        for _ in range(rng.randrange(3) if i % 2 else 0):
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice([b"", b",", b'"', b"\\", b"}", b"]", b"0", b"\x01", b" ", b":"]) + text[at + rng.randrange(2):]
        if len(text) < 2000:
            yield text


def whole(value):
    """The value with lone surrogates replaced."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if any(0xD800 <= ord(c) < 0xE000 for c in value) else value
    if isinstance(value, list):
        return [whole(item) for item in value]
    return {whole(k): whole(v) for k, v in value.items()} if isinstance(value, dict) else value


def main():
    lines = []
    for text in FIXED + list(random_texts(700)):
        try:
            value = json.loads(text.removeprefix(b"\xef\xbb\xbf").decode("utf-8"))
            answer = base64.b64encode(json.dumps(whole(value), ensure_ascii=False).encode()).decode()
        except (ValueError, RecursionError):
            answer = "no"
        lines.append(f"{base64.b64encode(text).decode() or '='} {answer}\n")
    folder = ROOT / "tests/data/json"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cases.txt").write_text("".join(lines))
    print(len(lines), "texts")


if __name__ == "__main__":
    main()
