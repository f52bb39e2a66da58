# SPDX-License-Identifier: Apache-2.0
"""Handshakes that never end, renegotiation, TLS where none is spoken (B20)."""
import contextlib
import os
import resource
import socket
import ssl
import subprocess

import pytest

from lib.front import Front
from lib.server import wait_for


def hello():
    """A ClientHello as it goes over the wire."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def pss(pid):
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
        return int(next(line for line in f if line.startswith("Pss:")).split()[1])


@pytest.mark.parametrize("half", ["nothing", "half a hello", "the whole hello"])
def test_half_open_handshakes(half):
    """A good client gets in beside them; above MAXPRELOGIN the oldest go; what they took is bounded."""
    count = 10000 if os.environ.get("POSTHOUSE_LONG") else 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    whole = hello()
    data = {"nothing": b"", "half a hello": whole[:len(whole) // 2], "the whole hello": whole}[half]
    with Front(MAXPERIP=0, MAXPRELOGIN=count).running() as front, contextlib.ExitStack() as stack:
        pid = front.pids("login")[0]
        before, clients = pss(pid), []
        for _ in range(count + 50):
            s = stack.enter_context(socket.create_connection(("127.0.0.1", front.sslport), timeout=20))
            s.sendall(data)
            clients.append(s)
        wait_for("the oldest to go", lambda: front.log().count("oldest unauthenticated client closed") >= 50)
        with front.client(tls=True) as c:
            c.login("demo")
            c.send("hello\r\n")
            assert c.read_line() == b"* echo hello"
        with front.client() as c:
            c.login("demo")
        assert (pss(pid) - before) / count < 100  # KB each, buffers and all
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def front():
    with Front(IMAP_TLS_REQUIRED=0, PRELOGIN_BAD_MAX=3).running() as f:
        yield f


def test_tls_on_the_plain_port(front):
    with front.raw() as s:
        assert s.recv(1000).startswith(b"* OK")
        s.sendall(hello())
        s.sendall(b"\r\n" * 10)
        got = b""
        while data := s.recv(1000):
            got += data
        assert b"BYE" in got and b"\x15\x03" not in got
    with front.client() as c:
        c.login("demo")


def test_renegotiation_is_refused(front):
    """CVE-2011-1473: asked for again and again, it is never done, and others are served."""
    with subprocess.Popen(["openssl", "s_client", "-connect", "127.0.0.1:%d" % front.sslport, "-tls1_2", "-msg"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        seen = b""
        while b"* OK" not in seen:
            seen += client.stdout.read1(65536)
        client.stdin.write(b"R\n")
        client.stdin.flush()
        with contextlib.suppress(BrokenPipeError):
            client.stdin.write(b"R\nR\n")
            client.stdin.close()
        rest = client.stdout.read()
        assert rest.count(b"ServerHello") == 0 and b"no_renegotiation" in rest, rest[-2000:]
    with front.client(tls=True) as c:
        c.login("demo")


def test_close_notify_is_missing_in_a_login(front):
    """The end of TCP in the middle of a command is no end of the command."""
    given = len(front.backend.given)
    for half in ("a LOGIN demo demo", "a LOGIN demo {4}\r\n", "a AUTHENTICATE PLAIN AGRlbW8AZGVtbw=="):
        with front.client(tls=True) as c:
            c.send(half)
            os.close(c.sock.detach())
    with front.client(tls=True) as c:
        c.login("demo")
    assert len(front.backend.given) == given + 1


def test_a_storm_of_broken_handshakes(front):
    """Log lines are bounded, nothing ends (CVE-2015-3420)."""
    pid, lines = front.pids("login"), front.log().count("TLS handshake failed")
    for i in range(300):
        with front.raw(tls=True) as s:
            s.sendall(hello()[:100 + i] + b"\0" * 500)
            with contextlib.suppress(ConnectionError, OSError):
                s.shutdown(socket.SHUT_WR)
                while s.recv(1000):
                    pass
    assert front.pids("login") == pid
    assert front.log().count("TLS handshake failed") - lines < 200
    with front.client(tls=True) as c:
        c.login("demo")
