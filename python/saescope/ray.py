"""Ray: an analysis by the workers of a cluster. `ray` is imported when it is needed.

    import saescope.ray
    dataset = ray.data.read_parquet("s3://…", include_paths=True)
    state = saescope.ray.state_of(dataset, "ORG/ENCODER", "ORG/SAE", text="abstract", key="id")
    run = saescope.Run.from_state(state, "run")

Each call of a worker gives the state of the rows that it was given, so that a task which Ray does again is the same bytes and counts once.
One actor takes all processors of a node, since weights are in memory once for a process; reading tasks take a part of a processor, because
Ray waits without a word where actors leave none for them."""
from . import _state
from ._encoder import SAE, Encoder

MERGED_AT_ONCE = 8


class Gatherer:
    """An actor: models are opened once for each process."""

    def __init__(self, encoder, sae, options):
        self.encoder, self.sae, self.options = Encoder(encoder), SAE(sae), options

    def __call__(self, batch):
        state = _state.state_of([batch], self.encoder, self.sae, **self.options)
        return {"state": [] if state is None else [state]}


def _merge_tree(ray, states):
    """Tasks of a few states each, until one is left. The objects stay in Ray's store, not in the driver."""
    merge = ray.remote(lambda *some: _state.merge_states(some))
    refs = [ray.put(state) for state in states]
    while len(refs) > 1:
        refs = [merge.remote(*refs[i:i + MERGED_AT_ONCE]) for i in range(0, len(refs), MERGED_AT_ONCE)]
    return ray.get(refs[0]) if refs else None


def state_of(dataset, encoder, sae, *, actors=1, num_cpus=None, batch_size=20_000, **options):
    """The state of all rows of a ray.data.Dataset, by `actors` workers. encoder, sae: paths or names, opened by each worker.

    num_cpus    of each actor; None: of a node all but one, which is left for reading
    batch_size  rows of one state
    options     as those of saescope.state_of; with key=None ties depend on the partitions
    """
    import ray
    if not isinstance(encoder, str) or not isinstance(sae, str):
        raise TypeError("name encoder and sae by a path or name: each worker opens them")
    if num_cpus is None:
        num_cpus = max(1, min(int(node["Resources"].get("CPU", 1)) for node in ray.nodes() if node["Alive"]) - 1)
    total = int(ray.cluster_resources().get("CPU", 0))
    if actors * num_cpus >= total:
        raise ValueError(f"{actors} actors of {num_cpus} processors take all {total} of the cluster, and nothing is left to read the rows: "
                         "Ray would wait for ever; give fewer actors or num_cpus")
    found = dataset.map_batches(Gatherer, fn_constructor_args=(encoder, sae, options), batch_format="pyarrow", batch_size=batch_size,
                                compute=ray.data.ActorPoolStrategy(size=actors), num_cpus=num_cpus)
    return _merge_tree(ray, (row["state"] for row in found.iter_rows()))
