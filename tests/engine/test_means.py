"""What `cockpit doctor` says about stopping is what was found."""

import os
import subprocess
from pathlib import Path

import pytest

from cockpit.engine import cgroups, kernel
from cockpit.engine.means import means
from tests.engine import hostile


def found():
    return {name: there for name, there, _ in means()}


def test_every_means_is_looked_for(monkeypatch):
    assert found()["orphans"] == kernel.LINUX
    assert found()["control groups"] == (cgroups.base() is not None)
    monkeypatch.setattr(kernel, "LINUX", False)
    monkeypatch.setattr(cgroups, "base", lambda: None)
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    assert found() == {
        "control groups": False,
        "orphans": False,
        "reused pids": False,
        "after a crash": True,
    }
    assert all(text for _, _, text in means())


def test_a_group_is_only_used_where_it_works(monkeypatch, tmp_path):
    cgroups.base.cache_clear()
    monkeypatch.setattr(cgroups, "_mount", lambda: tmp_path)
    monkeypatch.setattr(cgroups, "_own", lambda: "/")
    try:
        assert cgroups.base() is None  # a plain directory has no cgroup.kill
        assert cgroups.make("run-x") == ""
        assert cgroups.members("") == []
        cgroups.kill("")
        cgroups.remove("")
    finally:
        cgroups.base.cache_clear()


def test_a_kernel_that_does_not_list_children_is_asked_otherwise(monkeypatch):
    nest = hostile.Hostile()
    try:
        process, pids = nest.start(hostile.SETSID_CHILD, pids=1)
        listed = kernel.descendants(process.pid)
        monkeypatch.setattr(kernel, "_lists_children", lambda: False)
        assert kernel.descendants(process.pid) == listed
        assert [row.pid for row in listed] == pids
    finally:
        nest.clean_up()


@pytest.mark.skipif(cgroups.base() is None, reason="no control group to be had here")
def test_groups_that_nobody_removed_are_removed(monkeypatch):
    old, full, young = (
        cgroups.make(f"test-{name}-{os.getpid()}") for name in ("old", "full", "young")
    )
    process = subprocess.Popen(["sleep", "600"])
    try:
        Path(full, "cgroup.procs").write_text(str(process.pid))
        assert cgroups.members(full) == [process.pid]
        os.utime(old, (0, 0))
        os.utime(full, (0, 0))
        cgroups.tidy()
        assert [Path(group).exists() for group in (old, full, young)] == [False, True, True]
        cgroups.kill(full)
        assert process.wait() == -9
    finally:
        process.kill()
        process.wait()
        for group in (old, full, young):
            cgroups.remove(group)
