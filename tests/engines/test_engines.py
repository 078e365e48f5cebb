"""Engines that exist: the run of all rows by the workers of each is that of one process, byte for byte.

`make test-engines` runs this file alone. What is not installed is skipped, and the skips are counted; the adapters for Ray and Spark are
tested with stand-ins, too (tests/python/test_state.py), so that nothing of them depends on an engine being there. PYTHON says which
interpreter has the engines; the package is that of build/release/python."""
import json
import os
import random
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("SAESCOPE", ROOT / "build/release/saescope"))
PACKAGE = PROGRAM.parent / "python"
MODEL, SAE = ROOT / "tests/data/encoder/mpnet-mean", ROOT / "tests/data/run/sae-jumprelu"
PYTHON = os.environ.get("PYTHON", sys.executable)
N_ROWS = 400
COMPARED = ["features.csv", "top_activations.json", "fire_rate.npy", "histograms.npz", "centroids.npz", "coactivation.npz", "evidence/samples.arrow",
            "evidence/texts.arrow", "evidence/embeddings.npy"]


def has(module):
    return subprocess.run([PYTHON, "-c", f"import {module}, pyarrow"], capture_output=True, env=environment()).returncode == 0


def environment(**more):
    path = os.pathsep.join([str(PACKAGE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore", "PYSPARK_PYTHON": PYTHON, **more}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Rows in one file, their run by one process, and by one process as rows that are handed over."""
    folder = tmp_path_factory.mktemp("engines")
    rng, words = random.Random(4), "star galaxy dust cold gas spectrum planet orbit".split()
    rows = [{"text": " ".join(rng.choices(words, k=rng.randint(1, 6))) if i % 17 else None, "id": i} for i in range(N_ROWS)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    subprocess.run([PROGRAM, "analyze", "-q", "-m", MODEL, "-s", SAE, "-d", "rows.jsonl", "-o", "run", "--steps", "none", "--title", "T"],
                   check=True, cwd=folder)
    return folder


def same(place, found):
    differing = [name for name in COMPARED if (place / found / name).read_bytes() != (place / "run" / name).read_bytes()]
    assert not differing, differing


def python(place, code, timeout=600):
    """Run code that leaves a state in `state`; its run is compared with that of one process."""
    head = f"""
        import json, sys, saescope
        MODEL, SAE, FILE = {str(MODEL)!r}, {str(SAE)!r}, "rows.jsonl"
        rows = [json.loads(line) for line in open(FILE)]
        options = dict(key=("file", "row"), files=[FILE], file_rows=[len(rows)])
    """
    tail = """
        saescope.Run.from_state(state, sys.argv[1], title="T")
    """
    name = f"out-{random.randrange(10 ** 9)}"
    done = subprocess.run([PYTHON, "-c", textwrap.dedent(head) + textwrap.dedent(code) + textwrap.dedent(tail), name], cwd=place, env=environment(),
                          capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr[-3000:]
    same(place, name)
    return done.stdout


def merge(place, parts, out):
    subprocess.run([PROGRAM, "merge", *sorted(map(str, (place / parts).glob("*.state"))), "-o", out, "--steps", "none", "--title", "T", "-q"], check=True,
                   cwd=place)
    same(place, out)


ANALYZE = [str(w) for w in (PROGRAM, "analyze", "-q", "-m", MODEL, "-s", SAE, "-d", "rows.jsonl", "--threads", "1")]


def test_xargs(place):
    command = " ".join([*ANALYZE, "--part", "K/7", "-o", "xargs"])
    subprocess.run(f"seq 7 | xargs -P 2 -I K {command}", shell=True, check=True, cwd=place)
    merge(place, "xargs", "xargs-run")


@pytest.mark.parametrize("ranks", [2, 4])
def test_open_mpi(place, ranks):
    if shutil.which("mpirun") is None:
        pytest.skip("no mpirun (openmpi-bin)")
    env = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    out = f"mpi-{ranks}"
    subprocess.run(["mpirun", "-n", str(ranks), "--oversubscribe", *ANALYZE, "--part", "auto", "-o", out], check=True, cwd=place, env=env,
                   capture_output=True, timeout=300)
    assert len(list((place / out).iterdir())) == ranks
    merge(place, out, f"{out}-run")


def test_a_slurm_array_by_its_variables(place):
    """A task that is requeued does its part again: it is there."""
    for task in (10, 12, 14, 12):
        env = {**os.environ, "SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_MIN": "10", "SLURM_ARRAY_TASK_MAX": "14", "SLURM_ARRAY_TASK_STEP": "2",
               "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_PROCID": "0", "SLURM_NTASKS": "1"}
        subprocess.run([*ANALYZE, "--part", "auto", "-o", "slurm"], check=True, cwd=place, env=env)
    merge(place, "slurm", "slurm-run")


def test_a_slurm_array_that_is_requeued(place):
    if shutil.which("sbatch") is None or subprocess.run(["sinfo"], capture_output=True).returncode != 0:
        pytest.skip("no Slurm that runs jobs")
    subprocess.run(["sbatch", "--wait", "--array=0-3", "--wrap", " ".join([*ANALYZE, "--part", "auto", "-o", "sbatch"])], check=True, cwd=place, timeout=600)
    merge(place, "sbatch", "sbatch-run")


def test_ray_with_a_worker_that_dies(place):
    """An actor is killed at its first batch; Ray starts another, which does it again."""
    if not has("ray"):
        pytest.skip("no ray")
    python(place, """
        import os, ray, saescope.ray
        class Dies(saescope.ray.Gatherer):
            def __call__(self, batch):
                if not os.path.exists("died"):
                    open("died", "w").close()
                    os._exit(1)
                return super().__call__(batch)
        saescope.ray.Gatherer = Dies
        ray.init(num_cpus=3, logging_level="ERROR", log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": os.environ["PYTHONPATH"]}})
        here = os.getcwd()
        dataset = ray.data.from_items([{"text": row["text"], "file": FILE, "row": row["id"]} for row in rows], override_num_blocks=6)
        ray.data.DataContext.get_current().actor_task_retry_on_errors = True
        state = saescope.ray.state_of(dataset, MODEL, SAE, actors=2, num_cpus=1, batch_size=50, **options)
        ray.shutdown()
    """)


def test_ray_says_that_nothing_is_left_for_reading(place):
    if not has("ray"):
        pytest.skip("no ray")
    python(place, """
        import os, ray, saescope.ray
        ray.init(num_cpus=2, logging_level="ERROR", log_to_driver=False)
        dataset = ray.data.from_items([{"text": row["text"]} for row in rows])
        try:
            saescope.ray.state_of(dataset, MODEL, SAE, actors=2, num_cpus=1)
            raise SystemExit("it was not refused")
        except ValueError as error:
            assert "nothing is left to read" in str(error)
        ray.shutdown()
        state = saescope.state_of([{"text": [r["text"] for r in rows], "file": [FILE] * len(rows), "row": [r["id"] for r in rows]}], MODEL, SAE, **options)
    """)


def test_spark_with_a_task_that_fails(place):
    if not has("pyspark") or shutil.which("java") is None:
        pytest.skip("no pyspark, or no java")
    python(place, """
        import os, saescope.spark
        from pyspark.sql import SparkSession
        inner = saescope.spark.gather
        def gather(*words):
            of_partition = inner(*words)
            def dies_once(batches):
                if not os.path.exists("/tmp/saescope-died-%d" % pid):
                    open("/tmp/saescope-died-%d" % pid, "w").close()
                    os._exit(1)
                yield from of_partition(batches)
            return dies_once
        pid = os.getpid()
        saescope.spark.gather = gather
        spark = (SparkSession.builder.master("local[2,4]").config("spark.ui.enabled", "false").config("spark.driver.host", "127.0.0.1")
                 .config("spark.executorEnv.PYTHONPATH", os.environ["PYTHONPATH"]).getOrCreate())
        spark.sparkContext.setLogLevel("OFF")
        frame = spark.createDataFrame([(row["text"], FILE, row["id"]) for row in rows], "text string, file string, row bigint").repartition(5)
        state = saescope.spark.state_of(frame, MODEL, SAE, **options)
        spark.stop()
        assert os.path.exists("/tmp/saescope-died-%d" % pid)
        os.remove("/tmp/saescope-died-%d" % pid)
    """, timeout=900)


def test_dask(place):
    if not has("distributed"):
        pytest.skip("no dask")
    python(place, """
        if __name__ == "__main__":
            from functools import partial                             # submit has a `key` of its own
            from distributed import Client, LocalCluster
            with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster, Client(cluster) as client:
                batches = [{"text": [r["text"] for r in part], "file": [FILE] * len(part), "row": [r["id"] for r in part]}
                           for part in (rows[i::5] for i in range(5))]
                states = [client.submit(partial(saescope.state_of, **options), [batch], MODEL, SAE) for batch in batches]
                state = client.submit(saescope.merge_states, states).result()
    """)


def test_datasets(place):
    if not has("datasets"):
        pytest.skip("no datasets")
    python(place, """
        import datasets
        table = datasets.Dataset.from_list([{"text": row["text"], "file": FILE, "row": row["id"]} for row in rows])
        halves = [saescope.state_of(table.shard(2, i).with_format("arrow").iter(70), MODEL, SAE, **options) for i in range(2)]
        state = saescope.merge_states(halves)
    """)
