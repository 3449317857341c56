"""A demo agent ends when it is told to, whatever it is in the middle of."""

import subprocess
import sys

import pytest

SWALLOWS = """
import os, signal, sys, threading
from cockpit.demo import ending

class Closing:
    def __del__(self):
        os.kill(os.getpid(), signal.Signals[sys.argv[1]])

ending.heed()
try:
    Closing()
    print("swallowed", flush=True)
    threading.Event().wait(20)
except (KeyboardInterrupt, SystemExit) as ended:
    ending.heard()
    threading.Event().wait(3 * ending.AGAIN_S)
    print(repr(ended))
"""


@pytest.mark.parametrize(
    ("name", "ended"), [("SIGINT", "KeyboardInterrupt()"), ("SIGTERM", "SystemExit(143)")]
)
def test_a_signal_that_a_finaliser_swallowed_is_raised_again(name, ended):
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWS, name], capture_output=True, text=True, timeout=15
    )
    assert done.stdout.splitlines() == ["swallowed", ended]
    assert "Exception ignored in" in done.stderr
