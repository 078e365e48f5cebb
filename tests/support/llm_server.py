"""A stand-in for a service of language models: chat completions and Anthropic's messages on the loopback.

What it says is a pure function of the prompt (the most frequent long word of the texts on which the feature fires; detection by that word),
so that whole runs can be compared. What it does is scripted by a table: a list of cells for the first requests, or a function of the request;
then it answers well. Requests are recorded.

    python3 llm_server.py PORT     serves until it is ended
"""
import collections
import json
import math
import re
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from email.utils import formatdate

TEXT = re.compile(r'<text((?: \w+="[^"]*")*)>\n(.*?)\n</text>', re.S)


def words(text):
    return re.findall(r"[^\W\d_]{4,}", text.lower())


def say(messages):
    """The object that a good model gives for a prompt."""
    user = messages[-1]["content"]
    texts = TEXT.findall(user)
    keys = [re.search(r'key="(\w+)"', a) for a, _ in texts]
    if not any(keys):
        fires = [body for a, body in texts if (s := re.search(r'strength="(\d+)"', a)) and int(s.group(1)) > 0]
        others = collections.Counter(w for a, body in texts if 'strength="0"' in a for w in set(words(body)))
        counts = collections.Counter(w for body in fires for w in set(words(body)))
        best = max(counts, key=lambda w: (counts[w] - others[w], w)) if counts else "nothing"
        return {"description": f"Texts that mention {best}.", "kind": "topic", "label": best}
    label = words(texts[0][1])[0]
    many = 10 if "from 0 (not at all) to 10" in messages[0]["content"] + user else 1
    marked = [re.search(r"<< (.*?) >>", body, re.S) for _, body in texts]
    return {k.group(1): many * (label in words(m.group(1) if m else body)) for k, m, (_, body) in zip(keys, marked, texts) if k}


def usage(messages, text):
    return {"prompt_tokens": sum(len(m["content"].encode()) for m in messages) // 4, "completion_tokens": len(text) // 4 + 1}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize, disable_nagle_algorithm = 1 << 16, True

    def log_message(self, *words):
        pass

    def send(self, code, body, headers=(), kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def answer(self, messages, content=..., finish="stop", used=..., **message):
        """A good response, or one with other members."""
        text = json.dumps(say(messages)) if content is ... else content
        used = usage(messages, str(text)) if used is ... else used
        if self.path.endswith("/v1/messages") and "anthropic-version" in self.headers:
            body = {"id": "m", "type": "message", "role": "assistant", "model": "stand-in",
                    "content": [] if text is None else [{"type": "text", "text": text[:3]}, {"type": "text", "text": text[3:]}],
                    "stop_reason": {"stop": "end_turn", "length": "max_tokens"}.get(finish, finish)}
            if used is not None:
                body["usage"] = {"input_tokens": used["prompt_tokens"], "output_tokens": used["completion_tokens"]}
        else:
            body = {"id": "c", "object": "chat.completion", "model": "stand-in", "system_fingerprint": "fp",
                    "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}]}
            if used is not None:
                body["usage"] = used
        return body

    def do_GET(self):
        server = self.server
        with server.lock:
            server.gets.append(self.path)
            loading = server.loading > 0
            server.loading -= loading
        self.send(503 if loading else 200, {"status": "loading model" if loading else "ok"})

    def do_POST(self):
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = json.loads(body)
        with server.lock:
            number = len(server.requests)
            server.requests.append({"path": self.path, "headers": dict(self.headers), "body": request, "raw": body})
            server.open += 1
            server.most_open = max(server.most_open, server.open)
        try:
            messages = list(request["messages"])
            if "system" in request:
                messages.insert(0, {"role": "system", "content": request["system"]})
            cell = server.script(number, request) if callable(server.script) else (
                server.script[number] if number < len(server.script) else None)
            time.sleep(server.delay)
            (cell or ok)(self, messages, request)
        finally:
            with server.lock:
                server.open -= 1


# ---- cells: what may come back ----

def ok(h, messages, request):
    h.send(200, h.answer(messages))


def with_content(make):
    """Another content than a JSON object alone."""
    return lambda h, messages, request: h.send(200, h.answer(messages, make(json.dumps(say(messages)))))


def with_body(**changes):
    return lambda h, messages, request: h.send(200, h.answer(messages, **changes))


def error(status, message="no", headers=(), /, **more):
    return lambda h, messages, request: h.send(status, {"error": {"message": message, "type": "error", "param": None, "code": None, **more}}, headers)


def with_logprobs(h, messages, request):
    """As ok; the token of each number says 0.9 for 1 and 0.3 for 0, among others in its place that are no such number."""
    text = json.dumps(say(messages))
    tokens = []
    for token in re.findall(r"\s?\w+|\s?[^\w\s]+", text):
        top = [{"token": token, "logprob": -0.2}]
        if token.strip() in ("0", "1"):
            one = 0.9 if token.strip() == "1" else 0.3
            top = [{"token": " 1", "logprob": math.log(one / 2)}, {"token": "1", "logprob": math.log(one / 2)},
                   {"token": " 0", "logprob": math.log(1 - one)}, {"token": " 10", "logprob": -0.1}, {"token": " no", "logprob": -0.1}]
        tokens.append({"token": token, "logprob": -0.1, "top_logprobs": top})
    assert "".join(t["token"] for t in tokens) == text
    body = h.answer(messages, text)
    body["choices"][0]["logprobs"] = {"content": tokens}
    h.send(200, body)


def raw(code, body, headers=(), kind="application/json"):
    return lambda h, messages, request: h.send(code, body, headers, kind)


def retry_at(seconds):
    return lambda h, messages, request: h.send(429, {"error": {"message": "slow down", "type": "rate_limit"}},
                                               [("Retry-After", formatdate(time.time() + seconds, usegmt=True))])


def stall(seconds):
    def cell(h, messages, request):
        time.sleep(seconds)
        h.close_connection = True
    return cell


def closed_in_the_middle(h, messages, request):
    h.send_response(200)
    h.send_header("Content-Length", "1000")
    h.end_headers()
    h.wfile.write(b'{"choices"')
    h.wfile.flush()
    h.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    h.close_connection = True


def chunked(h, messages, request):
    data = json.dumps(h.answer(messages)).encode()
    h.send_response(200)
    h.send_header("Transfer-Encoding", "chunked")
    h.end_headers()
    for i in range(0, len(data), 50):
        part = data[i:i + 50]
        h.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
    h.wfile.write(b"0\r\n\r\n")


def unless(holds, otherwise):
    """ok where holds(request), else the other cell: a server that takes requests of one kind alone."""
    return lambda number, request: None if holds(request) else otherwise


class Server:
    """with Server(script) as server: server.url, server.requests, …"""

    def __init__(self, script=(), delay=0, port=0):
        self.http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.http.daemon_threads = True
        self.http.script, self.http.delay = script, delay
        self.http.lock, self.http.requests, self.http.gets = threading.Lock(), [], []
        self.http.open = self.http.most_open = self.http.loading = 0
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def __getattr__(self, name):
        return getattr(self.http, name)

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *why):
        self.http.shutdown()
        self.http.server_close()


if __name__ == "__main__":
    with Server(port=int(sys.argv[1])) as server:
        print(server.url, flush=True)
        threading.Event().wait()
