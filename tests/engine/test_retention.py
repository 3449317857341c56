import os

from cockpit.core.trace import Trace
from cockpit.engine.retention import Retention
from cockpit.journal import evidence, paths, traces
from cockpit.journal.evidence import Evidence, Row
from cockpit.journal.keeping import EvidenceSettings
from cockpit.journal.store import Journal

DAY = 86_400_000


async def test_what_is_too_old_goes_from_the_disk_and_the_reason_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path))
    journal, blobs, said = Journal(paths.journal_file()), evidence.store(), []
    for run, began in (("r1", 1 * DAY), ("r2", 99 * DAY)):
        trace = Trace(run=run, agent="codex", began=began, ended=began, prompts=(f"do {run}",))
        row = Row(
            run=run, agent="codex", project="/w", began=began, ended=began, bytes=1,
            body=evidence.put(blobs, trace),
        )  # fmt: skip
        journal.write([traces.kept(row)]).result(5)
    for path in blobs.root.rglob("*"):
        os.utime(path, (1, 1))
    keeper = Retention(
        settings=EvidenceSettings(), journal=journal, blobs=blobs, record=said.append,
        now=lambda: 100 * DAY,
    )  # fmt: skip
    assert [row.run for row in await keeper.let_go()] == ["r1"]
    assert await keeper.let_go() == []
    with Evidence.reading(paths.journal_file(), blobs) as kept:
        first, second = kept.rows()
        assert (first.body, first.gone) == ("", "older than 90d")
        assert kept.trace(first) is None
        assert kept.trace(second).task == "do r2"
    assert len([path for path in blobs.root.rglob("*") if path.is_file()]) == 1
    assert [event.text for event in said] == ["evidence of 1 runs was let go: older than 90d"]
    journal.close()
