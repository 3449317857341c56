"""Both kinds of sandbox, for real: what a hostile script tries does not work."""

import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from cockpit.architect import sandbox
from cockpit.architect.sandbox import Bubblewrap, Cell, Limits, Sandlock

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="both are of Linux")


def _kinds():
    missing = {Sandlock: sandbox._sandlock_missing(), Bubblewrap: sandbox._bubblewrap_missing()}
    for kind, why in missing.items():
        yield pytest.param(
            kind(), id=kind.kind, marks=pytest.mark.skipif(bool(why), reason=why or "-")
        )


@pytest.fixture(params=_kinds())
def kind(request):
    return request.param


@pytest.fixture
def room(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


HELP = """
import os, socket, subprocess, sys
def attempt(name, what):
    try:
        print(name, "DONE", what())
    except BaseException as error:
        print(name, "refused", type(error).__name__)
"""


def run(kind, room: Path, code: str, **changes):
    cell = Cell(folder=str(room), **({"writable": (str(room),)} | changes))
    return kind.run([sandbox.python(), *sandbox.PYTHON_FLAGS, "-c", HELP + code], cell)


def attempts(kind, room: Path, code: str, **changes) -> dict[str, str]:
    ended = run(kind, room, code, **changes)
    lines = ended.output.decode().splitlines()
    assert lines, ended
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}


def listening(path: str) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()

    def answer():
        while True:
            try:
                wire, _ = server.accept()
            except OSError:
                return
            with wire:
                wire.sendall(b"secret")

    threading.Thread(target=answer, daemon=True).start()
    return server


def test_it_may_do_its_work(kind, room):
    told = attempts(
        kind,
        room,
        "attempt('write', lambda: open('a.txt', 'w').write('hello'))\n"
        "attempt('move', lambda: os.replace('a.txt', 'b.txt'))\n"
        "attempt('git', lambda: subprocess.run(['git', '--version']).returncode)\n",
        programs=("/usr/bin/git",),
        environment={"PATH": "/usr/bin"},
    )
    assert all(
        words.startswith("DONE") for name, words in told.items() if name in ("write", "move")
    )
    assert told["git"].startswith(("version", "DONE"))
    assert (room / "b.txt").read_text() == "hello"


def test_nothing_but_its_own_socket_answers(kind, room, tmp_path):
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    udp.setblocking(False)
    abstract = f"cockpit-test-{os.getpid()}-{kind.kind}"
    broker, operator = tmp_path / "broker", tmp_path / "operator"
    servers = [
        listening(str(broker)),
        listening(str(operator)),
        listening(f"\0{abstract}"),
        tcp,
    ]
    ask = "def ask(path):\n s = socket.socket(socket.AF_UNIX); s.settimeout(3); s.connect(path); return s.recv(9)\n"
    told = attempts(
        kind,
        room,
        ask
        + f"attempt('broker', lambda: ask({str(broker)!r}))\n"
        + f"attempt('operator', lambda: ask({str(operator)!r}))\n"
        + "attempt('bus', lambda: ask('/run/dbus/system_bus_socket'))\n"
        + f"attempt('abstract', lambda: ask('\\0{abstract}'))\n"
        + f"attempt('datagram', lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'x', {str(operator)!r}))\n"
        + f"attempt('tcp', lambda: socket.create_connection(('127.0.0.1', {tcp.getsockname()[1]}), 3))\n"
        + f"attempt('udp', lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {udp.getsockname()[1]})) / 0)\n"
        + "attempt('name', lambda: socket.getaddrinfo('example.com', 80))\n",
        writable=(str(room), str(broker)),
    )
    with pytest.raises(BlockingIOError):
        udp.recv(10)
    for server in (*servers, udp):
        server.close()
    assert told.pop("broker") == "DONE b'secret'"
    reached = {name: words for name, words in told.items() if words.startswith("DONE")}
    assert not reached, reached


def test_it_reads_nothing_of_its_operator(kind, room, tmp_path):
    home = tmp_path / "home"
    for name in (".ssh/id_ed25519", ".local/share/cockpit/journal.db", ".config/cockpit/keys"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("private")
    (room / "link").symlink_to(home / ".ssh/id_ed25519")
    (room / "folder").symlink_to(home)
    told = attempts(
        kind,
        room,
        f"for n in ('.ssh/id_ed25519', '.local/share/cockpit/journal.db', '.config/cockpit/keys'):\n"
        f"    attempt(n, lambda: open(os.path.join({str(home)!r}, n)).read())\n"
        "attempt('link', lambda: open('link').read())\n"
        "attempt('folder', lambda: open('folder/.ssh/id_ed25519').read())\n"
        "attempt('hard', lambda: os.link('/etc/passwd', 'hard') or open('hard').read())\n"
        f"attempt('parent', lambda: open('/proc/{os.getpid()}/environ').read())\n"
        "attempt('shadow', lambda: open('/etc/shadow').read())\n"
        "attempt('root', lambda: os.listdir(os.path.expanduser('~root')) or 1/0)\n"
        "attempt('memory', lambda: open('/proc/1/mem', 'rb').read(1) if os.getppid() > 2 else 1/0)\n",
    )
    reached = {name: words for name, words in told.items() if words.startswith("DONE")}
    assert not reached, reached


def test_it_writes_nowhere_else(kind, room, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (room / "out").symlink_to(other)
    attempts(
        kind,
        room,
        f"attempt('other', lambda: open({str(other / 'x')!r}, 'w').write('x'))\n"
        "attempt('symlink', lambda: open('out/x', 'w').write('x'))\n"
        f"attempt('up', lambda: open('../escaped', 'w').write('x'))\n"
        f"attempt('python', lambda: open({str(Path(os.__file__).parent / 'sitecustomize.py')!r}, 'w').write('x'))\n"
        "attempt('tmp', lambda: open('/tmp/cockpit-test-escaped', 'w').write('x'))\n",
    )
    assert not list(other.iterdir())
    assert not (tmp_path / "escaped").exists()
    assert not (Path(os.__file__).parent / "sitecustomize.py").exists()
    assert not Path("/tmp/cockpit-test-escaped").exists()


def test_no_secret_is_in_its_environment(kind, room, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")
    ended = run(kind, room, "print(sorted(os.environ), 'sk-ant' in str(os.environ))")
    assert b"ANTHROPIC" not in ended.output
    assert ended.output.endswith(b"False\n")


def test_it_cannot_signal_others(kind, room):
    told = attempts(kind, room, f"attempt('kill', lambda: os.kill({os.getpid()}, 0))\n")
    assert told["kill"].startswith("refused")


def test_many_processes_are_not_had(kind, room):
    code = """
children = []
try:
    while len(children) < 200:
        child = os.fork()
        if not child:
            import time
            time.sleep(20)
            os._exit(0)
        children.append(child)
except OSError:
    pass
print(len(children))
[os.kill(one, 9) for one in children]
"""
    if kind.kind == "bubblewrap" and os.geteuid() == 0:
        pytest.skip("the kernel does not count the processes of root")
    ended = run(kind, room, code, limits=Limits(seconds=20, processes=16))
    assert int(ended.output or b"0") < 24, ended


def test_memory_is_bounded(kind, room):
    code = "kept = []\nwhile True:\n    kept.append(bytearray(16_000_000))\n    print(len(kept), flush=True)\n"
    ended = run(kind, room, code, limits=Limits(seconds=20, memory=256 * 1024 * 1024))
    assert ended.code != 0
    assert len(ended.output.splitlines()) < 20


def test_time_is_bounded_and_children_end_with_it(kind, room):
    code = "child = os.fork()\nimport time\nwhile True:\n    open('alive', 'a').write('x') and time.sleep(0.05)\n"
    ended = run(kind, room, code, limits=Limits(seconds=1.0))
    assert ended.how == "timeout"
    size = (room / "alive").stat().st_size
    threading.Event().wait(0.3)
    assert (room / "alive").stat().st_size == size


def test_endless_output_ends(kind, room):
    code = "while True:\n    print('x' * 100_000)\n"
    ended = run(kind, room, code, limits=Limits(seconds=30, file_size=4 * 1024 * 1024, output=1000))
    assert ended.code != 0
    assert len(ended.output) == 1000


def test_a_child_that_stays_behind_is_ended(kind, room):
    code = """
import time
if os.fork() == 0:
    os.setsid()
    for _ in range(200):
        open('still', 'a').write('x')
        time.sleep(0.02)
    os._exit(0)
time.sleep(0.2)
"""
    assert run(kind, room, code).code == 0
    size = (room / "still").stat().st_size
    threading.Event().wait(0.3)
    assert (room / "still").stat().st_size == size


def test_there_is_one_on_this_machine_or_a_reason():
    assert (sandbox.best() is None) == bool(sandbox.why_none())


def test_without_any_the_operator_is_told_why(monkeypatch):
    monkeypatch.setattr(sandbox, "_sandlock_missing", lambda: "sandlock needs Landlock 6")
    monkeypatch.setattr(sandbox, "_bubblewrap_missing", lambda: "bubblewrap is not installed")
    found, why = sandbox._found.__wrapped__()
    assert found is None
    assert (
        why == "No sandbox on this machine: sandlock needs Landlock 6; bubblewrap is not installed."
    )
