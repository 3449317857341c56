"""A judge for what a model wrote: the sandbox, twice, and the agent's own results."""

from collections.abc import Mapping, Sequence

from cockpit.architect.blobs import Blobs
from cockpit.architect.compile import arguments
from cockpit.architect.overlay import Overlay
from cockpit.architect.replay import judged, scene, tell
from cockpit.architect.sandbox import Sandbox
from cockpit.architect.stage import play
from cockpit.architect.synthesize import Judge
from cockpit.core.script import Script
from cockpit.core.trace import Trace

SEEDS = (1, 4242)
"""Hash seeds of the two performances: what depends on the order of a set shows."""


def in_sandbox(sandbox: Sandbox, blobs: Blobs) -> Judge:
    """Runs scripts in the worlds of runs; for each run the first thing that is not as the agent left it."""

    def judge(script: Script, traces: Sequence[Trace]) -> Mapping[str, str]:
        kept = Overlay(blobs)
        told = tell(traces, kept, sandbox)
        given = {trace.run: arguments(script, trace) for trace in traces}
        scenes = [scene(script, trace, kept, given[trace.run] or ()) for trace in traces]
        found: dict[str, str] = {}
        for seed in SEEDS:
            for one in play(scenes, kept, sandbox, hash_seed=seed):
                wrong = judged(script, one, told[one.name])
                if wrong and not found.get(one.name):
                    found[one.name] = wrong[0]
                found.setdefault(one.name, "")
        return found

    return judge
