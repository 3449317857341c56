"""A script at work: what it leaves, what it cannot reach, and what never gets into the workspace."""

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cockpit.architect.result import judged
from cockpit.architect.sandbox import best, why_none
from cockpit.core.script import EXIT_DONE, EXIT_DRIFT, Capabilities, Script
from cockpit.engine.workbench import Workbench
from tests.families.blobs import Blobs

pytestmark = pytest.mark.skipif(best() is None, reason=why_none())

HEAD = """
import hashlib, json, os, sys, socket, pathlib
out = []
def write(path, text):
    place = pathlib.Path(path); place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    out.append({"path": path, "sha256": hashlib.sha256(text.encode()).hexdigest()})
def done(code=0, **more):
    print(json.dumps({"status": "done", "outputs": out, "sources": [], "skipped": [], **more}))
    sys.exit(code)
"""
MAY = Capabilities(read=("data/*",), write=("reports/*.md",))


@pytest.fixture
def bench():
    return Workbench(Blobs())


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "visits.txt").write_text("41\n")
    (folder / "private.txt").write_text("nobody's business\n")
    return folder


def act(bench, workspace, body, may=MAY, seconds=20, dry=False):
    script = Script(task="t", purpose="p", source=HEAD + body, capabilities=may)
    run = bench.act(script, workspace, "2026-11-23", seconds * 1000, dry=dry)
    verdict = judged(script, run.said, run.look)
    return run, verdict, (run.keep() if verdict.passed else "not kept")


def report(workspace):
    found = workspace / "reports" / "a.md"
    return found.read_text() if found.exists() else None


def test_what_kept_its_contract_is_there_afterwards(bench, workspace):
    body = 'write("reports/a.md", open("data/visits.txt").read()); done()'
    run, verdict, against = act(bench, workspace, body)
    assert (verdict.ending, against) == ("done", ""), run.said
    assert report(workspace) == "41\n"
    assert sorted(each.name for each in workspace.iterdir()) == ["data", "private.txt", "reports"]


def test_what_gave_up_half_way_leaves_nothing(bench, workspace):
    body = 'write("reports/a.md", "half"); done(3, status="drift", reason="a row is missing")'
    run, verdict, _ = act(bench, workspace, body)
    assert run.said.exit_code == EXIT_DRIFT
    assert (verdict.ending, verdict.reason) == ("drift", "a row is missing")
    assert report(workspace) is None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("done()", "wrote nothing"),
        ('write("reports/a.md", ""); done()', "is empty"),
        ('write("reports/a.md", "x"); out[0]["sha256"] = "0" * 64; done()', "not what it says"),
        ('write("reports/a.md", "x"); os.remove("reports/a.md"); done()', "not there"),
        ('write("elsewhere.md", "x"); done()', "may not"),
        ('write("reports/a.md", "x"); print("bye")', "last line"),
        ('out.append({"path": "../../etc/passwd", "sha256": ""}); done()', "may not"),
    ],
)
def test_a_script_that_says_it_is_done_and_is_not(bench, workspace, body, why):
    run, verdict, _ = act(bench, workspace, body)
    assert run.said.exit_code == EXIT_DONE, run.said
    assert verdict.ending == "broken"
    assert why in verdict.reason
    assert report(workspace) is None


def test_what_it_wrote_and_did_not_say_is_not_kept(bench, workspace):
    body = 'write("reports/a.md", "x"); pathlib.Path("data/visits.txt").write_text("0"); done()'
    _, verdict, against = act(bench, workspace, body)
    assert verdict.passed
    assert "data/visits.txt, which it may not" in against
    assert (workspace / "data" / "visits.txt").read_text() == "41\n"
    assert report(workspace) is None


def test_a_link_is_no_way_out(bench, workspace):
    target = workspace.parent / "outside.md"
    body = f'os.mkdir("reports"); os.symlink({str(target)!r}, "reports/a.md"); done(skipped=["x"])'
    _, _, against = act(bench, workspace, body)
    assert "no plain file" in against
    (workspace / "reports").symlink_to(workspace.parent)
    _, _, against = act(bench, workspace, 'write("reports/a.md", "x"); done()')
    assert "out of the workspace" in against
    assert not (workspace.parent / "a.md").exists()


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(bench, workspace):
    (workspace / "reports").mkdir()
    (workspace / "reports" / "a.md").write_text("old")
    script = Script(
        task="t",
        purpose="p",
        source=HEAD + 'write("reports/a.md", "new"); done()',
        capabilities=MAY,
    )
    run = bench.act(script, workspace, "2026-11-23", 20_000, dry=False)
    (workspace / "reports" / "a.md").write_text("the operator's")
    assert "changed by somebody else" in run.keep()
    assert report(workspace) == "the operator's"


def test_it_sees_what_it_declared_and_nothing_else(bench, workspace, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("sk-very-secret")
    tries = [
        str(secret),
        str(workspace / "private.txt"),
        "private.txt",
        "/etc/passwd",
        "/proc/1/environ",
    ]
    body = f"""
found = []
for path in {tries!r}:
    try:
        found.append(open(path).read())
    except OSError:
        pass
write("reports/a.md", repr(found) + repr(sorted(os.environ))); done()
"""
    os.environ["A_KEY_OF_THE_ENGINE"] = "sk-9137"
    try:
        act(bench, workspace, body)
    finally:
        del os.environ["A_KEY_OF_THE_ENGINE"]
    told = report(workspace)
    assert told.startswith("[]")
    assert "A_KEY_OF_THE_ENGINE" not in told


def test_it_ends_at_its_limit(bench, workspace):
    run, verdict, _ = act(bench, workspace, "import time; time.sleep(60)", seconds=1)
    assert run.said.overdue
    assert verdict.ending == "overdue"


class _Door:
    """A server on loopback, as the gateway is one."""

    def __init__(self):
        self.seen = []
        door = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self):
                door.seen.append((self.path, self.headers.get("Authorization")))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"7")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def door():
    door = _Door()
    yield door
    door.server.shutdown()
    door.server.server_close()


ASK = """
def ask(url, **headers):
    wire = socket.socket(socket.AF_UNIX); wire.connect(os.environ["COCKPIT_BROKER"])
    lines = "".join(f"{name}: {value}\\r\\n" for name, value in headers.items())
    wire.sendall(f"GET {url} HTTP/1.1\\r\\n{lines}\\r\\n".encode())
    told = b""
    while more := wire.recv(65536):
        told += more
    return told.decode()
"""


def test_no_socket_leads_out_but_the_brokers(bench, workspace, door):
    body = f"""
tried = []
for family, place in ((socket.AF_INET, ("127.0.0.1", {door.port})), (socket.AF_INET6, ("::1", {door.port}))):
    try:
        socket.create_connection(place, 2) if family == socket.AF_INET else socket.socket(family).connect(place)
        tried.append("open")
    except OSError as error:
        tried.append("shut")
write("reports/a.md", " ".join(tried)); done()
"""
    act(bench, workspace, body)
    assert report(workspace) == "shut shut"
    assert door.seen == []


def test_the_broker_asks_only_declared_hosts_and_adds_the_secret_outside(workspace, door):
    host = f"127.0.0.1:{door.port}"
    may = Capabilities(
        hosts=(f"{host}/v1/*",),
        methods=("GET",),
        write=("reports/*.md",),
        secrets=("TOKEN@127.0.0.1",),
    )
    bench = Workbench(Blobs(), secrets={"TOKEN": "sk-broker", "OTHER": "sk-other"}.get)
    body = (
        ASK
        + f"""
told = [ask("http://{host}/v1/visits", Authorization="Bearer {{{{secret:TOKEN}}}}"),
        ask("http://{host}/admin"), ask("http://example.com/v1/visits"),
        ask("http://{host}/v1/x", Authorization="{{{{secret:OTHER}}}}")]
write("reports/a.md", "\\n".join(each.splitlines()[0] for each in told)); done()
"""
    )
    run, verdict, against = act(bench, workspace, body, may)
    assert (verdict.ending, against) == ("done", ""), run.said
    statuses = [line.split()[1] for line in report(workspace).splitlines()]
    assert statuses == ["200", "403", "403", "403"]
    assert door.seen == [("/v1/visits", "Bearer sk-broker")]


def test_a_dry_run_says_so_to_the_script_and_leaves_nothing(bench, workspace):
    body = 'write("reports/a.md", "x"); done(skipped=sys.argv[1:])'
    script = Script(task="t", purpose="p", source=HEAD + body, capabilities=MAY)
    run = bench.act(script, workspace, "2026-11-23", 20_000, dry=True)
    assert judged(script, run.said, None).skipped == "--date, 2026-11-23, --dry-run"
    assert report(workspace) is None


def test_without_a_sandbox_it_still_has_no_environment_and_an_end(workspace):
    bench = Workbench(Blobs(), lambda: None)
    assert bench.held == ""
    os.environ["A_KEY_OF_THE_ENGINE"] = "sk-9137"
    try:
        _, verdict, against = act(
            bench, workspace, 'write("reports/a.md", repr(sorted(os.environ))); done()'
        )
    finally:
        del os.environ["A_KEY_OF_THE_ENGINE"]
    assert (verdict.ending, against) == ("done", "")
    assert "A_KEY_OF_THE_ENGINE" not in report(workspace)
    _, verdict, against = act(
        bench, workspace, 'write("x.md", "x"); out.clear(); done(skipped=["x"])'
    )
    assert "x.md, which it may not" in against


GIT = """
import subprocess
def git(*words):
    done = subprocess.run(["git", *words], capture_output=True, text=True)
    if done.returncode:
        print(done.stderr, file=sys.stderr); done_(3)
def done_(code):
    print(json.dumps({"status": "x", "outputs": out, "skipped": []})); sys.exit(code)
"""
MAY_COMMIT = Capabilities(
    write=("reports/*.md",), commands=("git add", "git commit"), read=("data/*",)
)


@pytest.fixture
def repository(workspace):
    for words in (
        ("init", "-q"), ("config", "user.name", "Mo"), ("config", "user.email", "mo@example.com"),
        ("add", "-A"), ("commit", "-q", "-m", "Begin"),
    ):  # fmt: skip
        subprocess.run(["git", *words], cwd=workspace, check=True, env=QUIET_GIT)
    return workspace


QUIET_GIT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}


def log(repository):
    words = ["git", "log", "--format=%s"]
    done = subprocess.run(
        words, cwd=repository, check=True, env=QUIET_GIT, capture_output=True, text=True
    )
    return done.stdout.split()


def test_a_script_that_commits_works_in_place(bench, repository):
    body = (
        GIT
        + """
write("reports/a.md", "x"); git("add", "reports/a.md"); git("commit", "-q", "-m", "Report"); done()
"""
    )
    run, verdict, against = act(bench, repository, body, MAY_COMMIT)
    assert (verdict.ending, against) == ("done", ""), run.said
    assert log(repository) == ["Report", "Begin"]


def test_in_place_it_writes_only_where_it_declared(bench, repository):
    body = (
        GIT
        + """
write("reports/a.md", "x")
for path in ("private.txt", "data/visits.txt", "new.txt"):
    try:
        open(path, "w").write("taken")
    except OSError:
        pass
done()
"""
    )
    act(bench, repository, body, MAY_COMMIT)
    assert (repository / "private.txt").read_text() == "nobody's business\n"
    assert (repository / "data" / "visits.txt").read_text() == "41\n"
    assert not (repository / "new.txt").exists()


def test_models_are_closed_even_where_the_host_was_declared(workspace, door):
    host = f"127.0.0.1:{door.port}"
    may = Capabilities(hosts=(host,), methods=("GET",), write=("reports/*.md",))
    body = ASK + f'write("reports/a.md", ask("http://{host}/v1/messages").splitlines()[0]); done()'
    act(Workbench(Blobs()), workspace, body, may)
    assert "200" in report(workspace)
    act(Workbench(Blobs(), models=lambda: frozenset({host})), workspace, body, may)
    assert "403" in report(workspace)
    assert len(door.seen) == 1
