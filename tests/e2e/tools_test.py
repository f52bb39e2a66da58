# SPDX-License-Identifier: Apache-2.0
"""What Courier's tools do, as verbs of posthousectl and under their old names, beside Debian's own (R12, R13, R65, R127 to R136)."""
import os
import subprocess
import time

import pytest

from lib.imap import Imap
from lib.server import BIN, Server

CTL = os.path.join(BIN, "posthousectl")


def run(*argv, stdin="", expect=0, **kw):
    done = subprocess.run([CTL, *argv], input=stdin, capture_output=True, text=True, timeout=30, check=False, **kw)
    assert done.returncode == expect, (argv, done)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def server():
    s = Server(users=("demo", "gone:{PLAIN}secret7::::::expires=2020-01-01", "off:{PLAIN}secret7::::::disableimap=1", "popper:{PLAIN}secret7::::/srv/popper::quota=1000S"), LOGIN_PENALTY_MAX=15000).start()
    yield s
    s.stop()


# ---- authtest ------------------------------------------------------------------------------------------------

def test_authtest_prints_the_record(server):
    said = run("-C", server.conf, "authtest", "popper", "secret7")
    assert said.startswith("Authentication succeeded.\n\n")
    for line in ("     Authenticated: popper  (uid ", "    Home Directory: /srv/popper\n", "             Quota: 1000S\n",
                 "Encrypted Password: (not shown)\n", "           Options: quota=1000S\n", "            Module: passwd-file\n"):
        assert line in said, said
    assert "secret7" not in said
    assert "Home Directory: /srv/popper" in run("-C", server.conf, "authtest", "popper")
    assert "succeeded" in run("-C", server.conf, "authtest", "-s", "imap", "-p", "popper", stdin="secret7\n")
    assert '"home": "/srv/popper"' in run("-C", server.conf, "authtest", "--json", "popper").replace('":"', '": "')


def test_authtest_says_why_not(server):
    ask = ("-C", server.conf, "authtest")
    assert "FAILED: wrong password" in run(*ask, "popper", "secret8", expect=1)
    assert "FAILED: no module knows" in run(*ask, "nobody-here", "x", expect=1)
    assert "FAILED: no module knows" in run(*ask, "nobody-here", expect=1)
    assert "FAILED: no module knows" in run(*ask, "bad\x01name", expect=1)
    assert "FAILED: no module knows" in run(*ask, "", expect=1)
    said = run(*ask, "off", "secret7", expect=1)
    assert "FAILED: the account may not log in" in said and "Home Directory" in said
    assert "FAILED: wrong password" in run(*ask, "off", "x", expect=1)
    assert "FAILED: the account has expired" in run(*ask, "gone", "secret7", expect=1)
    assert "succeeded" in run(*ask, "-s", "smtp", "off", "secret7")
    assert "posthousectl passwd" in run(*ask, "demo", "demo", "new", expect=2)
    run(*ask, expect=2)
    run(*ask, "x" * 5000, expect=1)
    assert "no password" in run(*ask, "-p", "demo", stdin="", expect=1)
    for secret in ("secret7", "secret8"):
        assert secret not in server.log()


def test_authtest_is_no_guess(server):
    """However often: who logs in afterwards waits for no penalty."""
    for i in range(20):
        run("-C", server.conf, "authtest", "demo", "wrong%d" % i, expect=1)
    begun = time.monotonic()
    with Imap(server.port) as c:
        assert c.cmd("LOGIN demo demo").ok
    assert time.monotonic() - begun < 5


def test_authtest_without_a_frontend(server, tmp_path):
    assert "isn't running" in run("-C", server.conf, "--set", "RUNDIR=%s" % tmp_path, "authtest", "demo", expect=1)
