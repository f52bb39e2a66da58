# SPDX-License-Identifier: Apache-2.0
"""Strangers who mean harm before the login (B17, B19, B22, B25): bounded in time, bytes and attempts."""
import base64
import contextlib
import os
import resource
import socket
import time

import pytest

from lib.front import Front
from lib.server import wait_for

LONG = bool(os.environ.get("POSTHOUSE_LONG"))
HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(189)  # the beginning of a ClientHello, long enough to trickle


@pytest.fixture(scope="module")
def front():
    with Front(LOGIN_FAILURE_DELAY=0, LOGIN_FAILURE_MAX=5, PRELOGIN_MAX=16384).running() as f:
        yield f


def resident(front):
    with open("/proc/%d/statm" % front.pids("login")[0], encoding="ascii") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


def pour(sock, piece, most):
    """Sends until the server has enough of it; how much it took."""
    sent = 0
    with contextlib.suppress(OSError):
        while sent < most:
            sent += sock.send(piece)
    return sent


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("start, piece", [
    (b"a AUTHENTICATE PLAIN ", b"QUFB"), (b"a AUTHENTICATE PLAIN\r\n", b"QUFB"),
    (b"a AUTHENTICATE SCRAM-SHA-256 ", b"QUFB"),
    (b"a LOGIN demo \"", b"x"), (b"a LOGIN demo {1048576+}\r\n", b"x"),
    (b"a LOGIN \"\\\"", b"\\\""), (b"a LOGIN ", b"{0+}\r\n"), (b"", b"\r\n"),
])
def test_never_ends(front, tls, start, piece):
    """Neither base64, nor a password of 1 MiB, nor anything else without end is taken or kept."""
    before = resident(front)
    with front.client(tls) as c:
        c.send(start)
        assert pour(c.sock, piece * (65536 // len(piece)), 64 << 20) < 48 << 20
        assert c.closed()
    assert resident(front) - before < 8 << 20
    with front.client() as c:
        c.login("demo")


def test_password_of_a_mebibyte_is_refused_before_it_is_sent(front):
    with front.client() as c:
        c.send(b"a LOGIN demo {1048576}\r\n")
        line = c.read_line()
        assert not line.startswith(b"+") and (b"BAD" in line or b"BYE" in line)


def test_sasl_cancelled_without_end(front):
    with front.client() as c:
        for _ in range(100):
            with contextlib.suppress(OSError):
                c.send(b"a AUTHENTICATE PLAIN\r\n*\r\n")
        assert c.closed()
        assert c.last.count(b"a BAD Authentication cancelled") <= 10 and b"* BYE" in c.last


@pytest.mark.parametrize("line", [b"a XYZZY", b"XYZZY", b"a", b"a b c d", b"GET / HTTP/1.0", b"a SELECT INBOX"])
def test_bad_commands_without_end(front, line):
    with front.client() as c:
        with contextlib.suppress(OSError):
            c.send((line + b"\r\n") * 1000)
        assert c.closed()
        assert 0 < c.last.count(b" BAD ") <= 10 and b"* BYE" in c.last


def test_thousand_passwords(front):
    """One client that pipelines them: LOGIN_FAILURE_MAX are looked at, nothing behind them is."""
    asked = front.log().count("LOGIN FAILED, user=victim")
    with front.client() as c:
        with contextlib.suppress(OSError):
            c.send(b"".join(b"a%d LOGIN victim guess%d\r\n" % (i, i) for i in range(1000)))
        assert c.closed(60)
        assert c.last.count(b"[AUTHENTICATIONFAILED]") == 5 and b"* BYE" in c.last
    assert front.log().count("LOGIN FAILED, user=victim") == asked + 5
    assert "guess" not in front.log()


def test_pipelined_logins(front):
    """Each waits for the answer before; what is behind the one that succeeds is the backend's."""
    with front.client() as c:
        c.send(b"a LOGIN demo wrong\r\nb NOOP\r\nc LOGIN demo demo\r\nd LOGIN bob bob\r\ne NOOP\r\n")
        assert c.finish(b"a").status == "NO"
        assert c.finish(b"b").ok and c.finish(b"c").ok
        assert c.read_line() == b"* echo d LOGIN bob bob" and c.read_line() == b"* echo e NOOP"
    assert front.backend.given[-1].unread == b"d LOGIN bob bob\r\ne NOOP\r\n"


def test_id_is_not_believed(front):
    with front.client() as c:
        for name in ("x-originating-ip", "x-forwarded-for", "x-connected-ip", "x-proxy-ttl"):
            c.ok('ID ("%s" "203.0.113.9" "x-session-id" "evil")' % name)
        c.login("demo")
    assert b"203.0.113.9" not in front.backend.given[-1].ticket and "203.0.113.9" not in front.log()


def trickle(s, piece):
    """One more piece; true when the server has closed."""
    try:
        s.sendall(piece)
        return s.recv(65536) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_deadline_is_not_extended():
    """By bytes of a handshake, of a line, of a challenge's answer, of a literal; nor by whole commands."""
    with Front(PRELOGIN_TIMEOUT=2).running() as front:
        start, ended, open_ones = time.monotonic(), [], {}
        for tls, begin, piece in ((True, HELLO[:6], HELLO[6:7]), (False, b"", b"x"),
                                  (False, b"a AUTHENTICATE PLAIN\r\n", b"A"), (False, b"a LOGIN {1000+}\r\n", b"x"),
                                  (False, b"", b"a NOOP\r\n")):
            s = front.raw(tls)
            s.sendall(begin)
            s.settimeout(0.02)
            open_ones[s] = piece
        while open_ones and time.monotonic() < start + 10:
            for s in [s for s, piece in open_ones.items() if trickle(s, piece)]:
                del open_ones[s]
                s.close()
                ended.append(time.monotonic() - start)
        assert len(ended) == 5 and 1 < min(ended) and max(ended) < 6, ended


def test_good_logins_beside_thousands_of_slow_ones():
    """5,000 (here 400) connections that say nothing or next to nothing, on all kinds of listeners."""
    n = 5000 if LONG else 400
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if n + 200 > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(n + 200, hard), hard))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        proxied = probe.getsockname()[1]
    with Front(PRELOGIN_TIMEOUT=600, PROXY_TIMEOUT=600, MAXPERIP=0, PROXY_PORT=proxied,
               PROXY_TRUSTED="127.0.0.1").running() as front:
        slow = []
        for i in range(n):
            s = socket.create_connection(("127.0.0.1", (front.port, front.sslport, proxied)[i % 3]), timeout=10)
            s.sendall((b"a LOGIN ", HELLO[:9], b"PROXY TCP4 ")[i % 3])
            slow.append(s)
        wait_for("all to be there", lambda: slow[0].recv(4))
        worst = 0.0
        for i in range(20):
            start = time.monotonic()
            with front.client(tls=i % 2 == 0) as c:
                c.login("demo")
            worst = max(worst, time.monotonic() - start)
        assert worst < 1, worst
        for s in slow:
            s.close()


def test_plain_and_initial_response_agree(front):
    """The command LOGIN and both forms of AUTHENTICATE PLAIN are one path: the same bounds, the same words."""
    long = base64.b64encode(b"\0demo\0" + b"x" * 9000)
    words = set()
    for command in (b"a LOGIN demo {9000+}\r\n" + b"x" * 9000, b"a AUTHENTICATE PLAIN " + long,
                    b"a AUTHENTICATE PLAIN\r\n" + long):
        with front.client() as c:
            c.send(command + b"\r\n")
            line = c.read_line()
            words.add((c.read_line() if line.startswith(b"+") else line).split(b" ", 1)[1])
    assert len(words) == 1, words
