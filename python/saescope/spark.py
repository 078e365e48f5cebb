"""Spark: an analysis by the executors of a cluster. `pyspark` is not imported here: a frame brings it along.

    import saescope.spark
    frame = spark.read.parquet("…").select("abstract", "_metadata.file_path", "_metadata.row_index")
    state = saescope.spark.state_of(frame, "ORG/ENCODER", "ORG/SAE", text="abstract", key=("file_path", "row_index"), files=files)
    run = saescope.Run.from_state(state, "run")

Spark's partitions do not follow the order of files, and monotonically_increasing_id changes with them: give a key. A task that is done
again gives the same bytes, of which Spark takes one. Keep Python workers (spark.python.worker.reuse), which hold the models, and give a
task all cores of its executor (spark.task.cpus)."""
from . import _state
from ._encoder import SAE, Encoder

SCHEMA = "bucket int, state binary"
_opened = {}


def _open(encoder, sae):
    """Models of this process: workers are used again."""
    if (encoder, sae) not in _opened:
        _opened[encoder, sae] = Encoder(encoder), SAE(sae)
    return _opened[encoder, sae]


def _table(buckets, states):
    """Spark wants the types exactly as they were declared."""
    import pyarrow
    return pyarrow.RecordBatch.from_arrays([pyarrow.array(buckets, pyarrow.int32()), pyarrow.array(states, pyarrow.binary())],
                                           names=["bucket", "state"])


def gather(encoder, sae, n_buckets, options):
    """What mapInArrow calls for each partition: record batches in, one state out."""
    def of_partition(batches):
        state = _state.state_of(batches, *_open(encoder, sae), **options)
        if state is not None:
            yield _table([int.from_bytes(state[-72:-64], "little", signed=False) % n_buckets if n_buckets > 1 else 0], [state])
    return of_partition


def merge(table):
    """What applyInArrow calls for each bucket: a table of states in, a table of one out."""
    import pyarrow
    return pyarrow.Table.from_batches([_table([0], [_state.merge_states(table.column("state").to_pylist())])])


def state_of(frame, encoder, sae, *, n_buckets=None, **options):
    """The state of all rows of a pyspark.sql.DataFrame. encoder, sae: paths or names, opened by each worker.

    n_buckets  how many tasks merge the states of partitions, before the driver merges theirs; None: about the root of their number,
               so that what comes to the driver stays below spark.driver.maxResultSize
    options    as those of saescope.state_of; with key=None ties depend on the partitions
    """
    if not isinstance(encoder, str) or not isinstance(sae, str):
        raise TypeError("name encoder and sae by a path or name: each worker opens them")
    n_buckets = n_buckets or max(1, round(frame.rdd.getNumPartitions() ** 0.5))
    states = frame.mapInArrow(gather(encoder, sae, n_buckets, options), SCHEMA)
    found = states.groupBy("bucket").applyInArrow(merge, SCHEMA).collect()
    return _state.merge_states(bytes(row["state"]) for row in found)
