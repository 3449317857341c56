"""The engine's snapshots as its clients read them."""

import msgspec
from msgspec import Raw, field

from cockpit.core.fleet import Fleet, Run


class _Sheet(Fleet, frozen=True):
    runs: dict[str, Raw] = field(default_factory=dict)  # type: ignore[assignment]


_sheets = msgspec.json.Decoder(_Sheet)
_runs = msgspec.json.Decoder(Run)
_OTHERS = tuple(name for name in Fleet.__struct_fields__ if name != "runs")


class Snapshots:
    """A run that is told in the same bytes as in the snapshot before is the same object again.

    Of hundreds of runs few have changed a quarter of a second later: the others need neither be
    decoded nor compared where they are drawn.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Raw, Run]] = {}

    def read(self, data: bytes) -> Fleet:
        sheet = _sheets.decode(data)
        self._known = {name: self._run(name, told) for name, told in sheet.runs.items()}
        runs = {name: run for name, (_, run) in self._known.items()}
        return Fleet(runs=runs, **{name: getattr(sheet, name) for name in _OTHERS})

    def _run(self, name: str, told: Raw) -> tuple[Raw, Run]:
        known = self._known.get(name)
        if known is not None and known[0] == told:
            return known
        return told.copy(), _runs.decode(told)
