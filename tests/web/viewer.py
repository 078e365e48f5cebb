"""A viewer that a test asks: the process, its link, its token."""
import contextlib
import json
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request


class Viewer:
    def __init__(self, program, run, *words):
        self.process = subprocess.Popen([program, "view", run, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.link = self.process.stdout.readline().decode().strip()
        assert self.link, self.process.stderr.read().decode()
        self.port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/#t=[0-9a-f]{64}", self.link)[1])
        self.code = self.link[-64:]
        self.token = None

    def take_token(self):
        self.token = self.ask("POST", "/api/v1/session", {"code": self.code})[1]["token"]

    def ask(self, method, path, body=None, headers=None):
        """Status, answer (JSON or bytes) and headers of a well-formed request."""
        more = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            more["Content-Type"] = "application/json"
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method, headers=more | (headers or {}),
                                         data=None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, data, got = answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            status, data, got = error.code, error.read(), error.headers
        return status, json.loads(data) if data and "json" in (got["Content-Type"] or "") else data, got

    def get(self, path):
        """The answer to a GET that has to succeed."""
        status, answer, _ = self.ask("GET", path)
        assert status == 200, answer
        return answer

    def post(self, path, body):
        status, answer, _ = self.ask("POST", path, body)
        assert status == 200, answer
        return answer

    def raw(self, data, seconds=15):
        """What comes back for bytes as they are."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as s:
            with contextlib.suppress(OSError):
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
            back = b""
            with contextlib.suppress(ConnectionError):
                while part := s.recv(65536):
                    back += part
            return back

    def close(self):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(20) == 0
        self.process.stdout.close()
        self.process.stderr.close()
