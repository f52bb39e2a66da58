# SPDX-License-Identifier: Apache-2.0
"""R38, U10: how long a quiet client is kept, and what keeps its connection alive."""
import os
import re
import subprocess
import time

import pytest

from lib.imap import Imap
from lib.server import BIN, wait_for
from lib.shell import Shell


def timers(port):
    """What ss says of the server's ends of connections to this port."""
    text = subprocess.run(["ss", "-tnoH", "state", "established", "sport", "=", ":%d" % port], check=True,
                          capture_output=True, text=True).stdout
    return re.findall(r"timer:\(keepalive,([^,]+),", text), text


@pytest.mark.parametrize("seconds", [0, 90])
def test_tcp_keepalive_is_as_set(server, seconds):
    s = server(IMAP_TCP_KEEPALIVE=seconds).start()
    with Imap(s.port) as plain, Imap(s.sslport, tls=True) as tls:
        plain.login("demo")
        tls.login("demo")
        for port in (s.port, s.sslport):
            if not seconds:
                assert not timers(port)[0]
                continue
            found = wait_for("a keepalive timer", lambda p=port: timers(p)[0])  # once its last answer is acknowledged
            minutes, _, rest = found[0].rpartition("min")
            assert int(minutes or 0) * 60 + float((rest or "0").rstrip("sec") or 0) <= 90, found


@pytest.mark.skipif(not os.environ.get("POSTHOUSE_LONG"), reason="a minute and more")
def test_idle_is_no_input_unless_the_setting_says_so(server):
    strict, kind = server(IMAP_TIMEOUT=60).start(), server(IMAP_TIMEOUT=60, IMAP_IDLE_MAX=3600).start()
    with Imap(strict.port, timeout=120) as idler, Imap(strict.port) as talker, Imap(kind.port) as kept, \
            Imap(kind.port, timeout=120) as silent:
        for c in (idler, talker, kept, silent):
            c.login("demo")
        began = time.monotonic()
        for c in (idler, kept):
            c.idle()
        while time.monotonic() - began < 55:
            assert not idler.pending(5)
            talker.ok("NOOP")
        assert idler.read_line() == b"* BYE Disconnected for inactivity." and idler.closed()
        assert 59 < time.monotonic() - began < 75
        assert silent.read_line() == b"* BYE Disconnected for inactivity."
        talker.ok("NOOP")
        assert not kept.pending(3)
        assert kept.done().ok
        kept.ok("NOOP")
        assert "TIMEOUT, user=demo" in strict.log()


FAKETIME = "/usr/lib/%s-linux-gnu/faketime/libfaketime.so.1" % os.uname().machine


@pytest.mark.skipif("/gcc-san/" in BIN + "/", reason="AddressSanitizer wants to be the first library")
def test_thirty_minutes_on_a_clock_that_runs(tmp_path):
    """imapd's clocks and waits run 300 times as fast; the defaults, whole. How long each session was is in its log line."""
    def shell(name, **settings):
        for sub in ("cur", "new", "tmp"):
            (tmp_path / name / sub).mkdir(parents=True)
        return Shell(tmp_path / name, prefix=["env", "LD_PRELOAD=" + FAKETIME, "FAKETIME=+0 x300"], timeout=60,
                     IMAP_CLOCK_SKEW_MAX=0, **settings)

    def ended(c):
        assert c.read_line() == b"* BYE Disconnected for inactivity." and c.closed()
        return int(wait_for("the log line", lambda: re.search(r"TIMEOUT, user=demo, .*time=(\d+),", c.log())).group(1))

    assert os.path.exists(FAKETIME)
    kept, idler, silent, talker = shell("kept", IMAP_IDLE_MAX=3600), shell("idler"), shell("silent"), shell("talker")
    try:
        for c in (kept, idler):
            c.idle()
        assert not talker.pending(1)
        talker.ok("NOOP")
        assert ended(idler) >= 1800 and ended(silent) >= 1800
        assert not kept.pending(0)
        assert ended(talker) >= 1800 + 250
        assert ended(kept) >= 3600
    finally:
        for c in (kept, idler, silent, talker):
            c.close()
