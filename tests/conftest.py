import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
sys.path.insert(0, str(ROOT / "tests/net"))


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout.decode("utf8"), done.stderr.decode("utf8")


@pytest.fixture(scope="session")
def program():
    path = Path(os.environ.get("SAESCOPE", ROOT / "build/release/saescope"))
    assert path.exists(), f"{path} is not built"
    return path


@pytest.fixture
def run(program):
    def call(*words, stdin=b"", env=None, **more):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SAESCOPE_") or k == "SAESCOPE_CPU"}
        environment.update(env or {})
        return Result(subprocess.run([program, *map(str, words)], input=stdin, capture_output=True, env=environment, timeout=300, **more))
    return call


@pytest.fixture
def world():
    """The scripted servers of tests/net: world(folder, scenario) is a context."""
    from world import World
    return World
