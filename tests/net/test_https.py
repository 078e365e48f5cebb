"""Encrypted servers: which are trusted, and that nothing leads from them to plain ones."""
import pytest

from helpers import assert_refused
from world import make_certificate

DATA = bytes(range(256)) * 100
NAMES = {"hub": "hf:org/m", "store": "wandb:ent/proj/sae:v0"}


@pytest.fixture
def root(tmp_path):
    for name in ("models/org/m/sae.pt", "artifacts/ent/proj/sae/v0/sae.pt"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(DATA)
    return tmp_path / "root"


@pytest.fixture
def fetch(run, world, root, tmp_path):
    def call(service, scenario=None, act=None, trusted=True):
        certificate = make_certificate(tmp_path)
        with world(root, scenario or {}, certificate, of=service) as servers:
            if act:
                act(servers)
            home = {"HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf"), "WANDB_CACHE_DIR": str(tmp_path / "wandb"),
                    "WANDB_ARTIFACT_DIR": str(tmp_path / "out"), "HF_TOKEN": "hf_secret", "SAESCOPE_NET_RETRY_SECONDS": "0.01"}
            servers.scenario.setdefault("tokens", {"hf_secret": []})
            trust = {"SSL_CERT_FILE": f"{certificate}.crt"} if trusted else {}
            done = run("fetch", "--as", "sae", NAMES[service], env={**home, **servers.environment(), **trust})
            done.plain = [r for r in servers.log if r.origin in servers.scenario.get("plain", [])]
            return done
    return call


@pytest.mark.parametrize("service", NAMES)
def test_certificates(fetch, tmp_path, service):
    assert_refused(fetch(service, trusted=False), 69, "certificate is not trusted", "SSL_CERT_FILE")
    done = fetch(service)
    assert done.code == 0, done.err
    assert [p for p in tmp_path.rglob("sae.pt") if "root" not in p.parts and p.read_bytes() == DATA]


@pytest.mark.parametrize("service,origin", [("hub", "cdn"), ("store", "storage")])
def test_an_address_given_out_is_not_weaker(fetch, service, origin):
    done = fetch(service, {"plain": [origin]})
    assert_refused(done, 69, "from https to http")
    assert done.plain == []


@pytest.mark.parametrize("service", NAMES)
def test_a_redirect_is_not_weaker(fetch, service):
    done = fetch(service, {"plain": ["web"]}, lambda servers: servers.play("redirect-elsewhere", "first-byte", 1, "sae.pt"))
    assert_refused(done, 69, "from https to http")
    assert done.plain == []
