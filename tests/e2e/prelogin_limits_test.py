# SPDX-License-Identifier: Apache-2.0
"""What a client that hasn't logged in may cost (B4 to B9, B19, R103)."""
import time

import pytest

from lib.front import Front
from lib.imap import Imap
from lib.server import wait_for


@pytest.fixture(scope="module")
def front():
    with Front(PRELOGIN_MAX=4096).running() as f:
        yield f


@pytest.mark.parametrize("literal", [
    b"{4294967296}", b"{18446744073709551617}", b"{-1}", b"{0x10}", b"{99999999999999999999999+}", b"{1000000000+}",
    b"{5000+}", b"{5000}", b"{ 1}", b"{}", b"{1", b"{+}",
])
def test_odd_literals(front, literal):
    with front.client() as c:
        c.send(b"a LOGIN " + literal + b"\r\nb NOOP\r\n")
        line = c.read_line()
        assert b" BAD" in line or b"BYE" in line, line
    assert not front.backend.given


def test_many_literals_count_together(front):
    with front.client() as c:
        c.send(b"a LOGIN " + b"{1000+}\r\n" + b"x" * 1000 + b" {1000+}\r\n" + b"y" * 1000 + b" {1000+}\r\n"
               + b"z" * 1000 + b" {1000+}\r\n" + b"q" * 1000 + b" {1000+}\r\n")
        assert c.closed()
        assert b"* BYE" in c.last


@pytest.mark.parametrize("start", [b"a ", b"a LOGIN ", b"a NOOP (", b"a LOGIN \"", b"", b"a AUTHENTICATE PLAIN\r\n"])
def test_line_without_end(front, start):
    s = front.raw()
    s.sendall(start)
    sent = 0
    try:
        while sent < 50 << 20:
            sent += s.send(b"(" * 65536)
    except (ConnectionError, TimeoutError):
        pass
    assert sent < 50 << 20
    s.close()


@pytest.mark.parametrize("tls", [False, True])
def test_deadline_is_not_extended_by_bytes(tls):
    with Front(PRELOGIN_TIMEOUT=2).running() as front:
        with front.client(tls) as c:
            start = time.monotonic()
            try:
                while not c.pending(0.1) and time.monotonic() < start + 10:
                    c.send(b"x")
            except OSError:
                pass
            assert 1 < time.monotonic() - start < 4
            assert c.closed() and (tls or b"* BYE" in c.last)


def test_logins_pass_beside_slow_ones():
    with Front(PRELOGIN_TIMEOUT=20).running() as front:
        slow = [front.raw(tls=i % 2 == 0) for i in range(300)]
        for s in slow:
            s.sendall(b"\x16")
        start = time.monotonic()
        with front.client(tls=True) as c:
            c.login("demo")
        assert time.monotonic() - start < 1
        for s in slow:
            s.close()


def test_maxperip():
    with Front(MAXPERIP=3).running() as front:
        held = [front.client() for _ in range(3)]
        with Imap(front.port, greeting=False) as c:
            assert c.read_line().startswith(b"* BYE [LIMIT]")
            assert c.closed()
        held[0].login("demo")

        def admitted():
            with front.client() as c:
                return c.greeting.startswith(b"* OK")
        wait_for("room for another", admitted)
        for c in held:
            c.close()
        assert "ALERT: Maximum connection limit reached for 127.0.0.1" in front.log()


def test_maxprelogin_closes_the_oldest():
    with Front(MAXPRELOGIN=3).running() as front:
        held = [front.client() for _ in range(4)]
        assert held[0].closed() and b"* BYE" in held[0].last
        for c in held[1:]:
            c.ok("NOOP")
            c.close()


def test_maxsessions():
    with Front(MAXSESSIONS=2).running() as front:
        held = [front.client() for _ in range(2)]
        with Imap(front.port, greeting=False) as c:
            assert c.read_line().startswith(b"* BYE [UNAVAILABLE]")
        for c in held:
            c.close()


def cpu_ns(pid):
    with open("/proc/%d/schedstat" % pid, encoding="ascii") as f:
        return int(f.read().split()[0])


def test_no_descriptors_left():
    """accept without descriptors neither spins nor ends the worker."""
    front = Front()
    front.prefix = ["prlimit", "--nofile=50:50"]
    with front.running():
        worker = front.pids("login")[0]
        held = [front.raw() for _ in range(80)]
        wait_for("the pause", lambda: "accept paused" in front.log())
        before = cpu_ns(worker)
        time.sleep(1)
        assert cpu_ns(worker) - before < 100_000_000
        for s in held:
            s.close()
        with front.client() as c:
            c.login("demo")
        assert front.pids("login") == [worker]
