# SPDX-License-Identifier: Apache-2.0
"""AUTHMODULES=authlib against a daemon that misbehaves: never a login, never a wrong refusal (B13, B14, B18)."""
import base64
import os
import tempfile
import threading
import time

import pytest

from lib.authdaemon import FakeDaemon
from lib.front import Front
from lib.server import wait_for

ACCOUNT = b"USERNAME=\nUID=5001\nGID=5002\nHOME=/srv/mail/u\nADDRESS=u\nNAME=a=b\nMAILDIR=M\nQUOTA=\nPASSWD=x\nODD=\n"
OK, WRONG, LATER = "AUTHENTICATE Ok.", "[AUTHENTICATIONFAILED] Login failed.", "[UNAVAILABLE]"


class Behaviour:
    reply, wait, cut = ACCOUNT + b".\n", 0.0, False

    def __call__(self, request, connection):
        for piece in self.reply if isinstance(self.reply, list) else [self.reply]:
            connection.sendall(piece)
            time.sleep(0.005 if isinstance(self.reply, list) else 0)
        if self.wait:
            connection.settimeout(self.wait)
            connection.recv(1)


@pytest.fixture(scope="module")
def setup():
    with tempfile.TemporaryDirectory(prefix="ph-authlib.") as d:
        os.chmod(d, 0o755)
        behaviour = Behaviour()
        daemon = FakeDaemon(d + "/socket", behaviour)
        with Front(users=["demo"], AUTHMODULES='"passwd-file authlib"', AUTHLIB_SOCKET=daemon.path, AUTHLIB_TIMEOUT=1,
                   AUTHLIB_CONNECTIONS=3, LOGIN_FAILURE_DELAY=0, LOGIN_FAILURE_MAX=1000, LOGIN_PENALTY_FREE=100000,
                   AUTH_CACHE_SIZE=0).running() as front:
            yield front, daemon, behaviour
        daemon.stop()


def login(front, user=b"u", password=b"secret"):
    with front.client() as c:
        return c.cmd("AUTHENTICATE PLAIN " + base64.b64encode(b"\0%s\0%s" % (user, password)).decode()).text


@pytest.mark.parametrize("reply,says", [
    (ACCOUNT + b".\n", OK), ([bytes([b]) for b in ACCOUNT + b".\n"], OK), (b"FAIL\n", WRONG),
    (b"UID=5001\nGID=5002\nHOME=/h\n.\n", OK),
    (b"", LATER), (b"FAIL", LATER), (b"OK\n", LATER), (ACCOUNT, LATER), (ACCOUNT + b".", LATER), (b".\n", LATER),
    (b"\n.\n", LATER), (b"noequals\n.\n", LATER), (b"=x\n.\n", LATER), (b"FAIL\nUID=1\n.\n", LATER),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", LATER), (bytes(range(256)) * 10 + b"\n.\n", LATER),
    (ACCOUNT + b"OPTIONS=a\0b\n.\n", LATER), (ACCOUNT + b"OPTIONS=a\tb\n.\n", LATER),
    (ACCOUNT + b"OPTIONS=" + b"x" * 3000 + b"\n.\n", LATER), (ACCOUNT + b"OPTIONS=" + b"x" * 1000000 + b"\n.\n", LATER),
    (b"A=" + b"x" * 60000 + b"\n" + ACCOUNT + b".\n", OK),
    (b"UID=0\nGID=0\nHOME=/h\n.\n", LATER), (b"UID=-1\nGID=5\nHOME=/h\n.\n", LATER),
    (b"UID=5\nGID=5\nHOME=/\n.\n", LATER), (b"UID=5\nGID=5\nHOME=h\n.\n", LATER),
    (b"UID=4294967296\nGID=5\nHOME=/h\n.\n", LATER), (b"UID=5\nGID=x\nHOME=/h\n.\n", LATER),
    (b"USERNAME=no-such-user-here\nGID=5\nHOME=/h\n.\n", LATER), (b"USERNAME=root\nGID=5\nHOME=/h\n.\n", LATER),
    (b"UID=5\nGID=5\nHOME=/h\nADDRESS=a\x7fb\n.\n", LATER),
])
def test_replies(setup, reply, says):
    front, _, behaviour = setup
    behaviour.reply, behaviour.wait = reply, 0.0
    assert login(front).startswith(says)


def test_requests_are_byte_exact(setup):
    front, daemon, behaviour = setup
    behaviour.reply, behaviour.wait = b"FAIL\n", 0.0
    for user, password in ((b"u", b"p"), (b"a b@c", b"x\"'\\%{}&;\r\xff"), (b"j\xc3\xb6rg", b"AUTH 3"), (b"-x", b"p" * 900)):
        before = len(daemon.requests)
        assert login(front, user, password) == WRONG
        body = b"imap\nlogin\n%s\n%s\n" % (user, password)
        assert daemon.requests[before:] == [b"TCPREMOTEIP=127.0.0.1\nAUTH %d\n%s" % (len(body), body)]


def test_what_cannot_be_sent_is_refused(setup):
    front, daemon, behaviour = setup
    behaviour.reply, before = ACCOUNT + b".\n", len(daemon.requests)
    for user, password in ((b"u", b"x\ny"), (b"u", b"\n"), (b"u\nPRE", b"x"), (b"u\0x", b"x")):
        with front.client() as c:
            reply = c.cmd("AUTHENTICATE PLAIN " + base64.b64encode(b"\0%s\0%s" % (user, password)).decode())
            assert reply.status in ("NO", "BAD") and not reply.text.startswith(LATER)
    assert len(daemon.requests) == before


def test_hanging_daemon_keeps_nobody_else_waiting(setup):
    front, daemon, behaviour = setup
    behaviour.reply, behaviour.wait = b"", 20.0
    clients = [front.client() for _ in range(10)]
    start = time.monotonic()
    tags = [c.start("LOGIN u%d secret" % i) for i, c in enumerate(clients)]
    wait_for("the daemon's connections", lambda: daemon.open >= 3)
    for _ in range(5):
        began = time.monotonic()
        assert login(front, b"demo", b"demo") == OK
        assert time.monotonic() - began < 0.9
    for c, tag in zip(clients, tags):
        assert c.finish(tag).text.startswith(LATER)
        c.close()
    assert 0.9 < time.monotonic() - start < 15
    behaviour.reply, behaviour.wait = ACCOUNT + b".\n", 0.0
    assert login(front) == OK


def test_more_logins_than_connections(setup):
    front, daemon, behaviour = setup
    behaviour.reply, behaviour.wait = ACCOUNT + b".\n", 0.0
    clients = [front.client() for _ in range(60)]
    tags = [c.start("LOGIN v%d secret" % i) for i, c in enumerate(clients)]
    assert all(c.finish(t).ok for c, t in zip(clients, tags))
    for c in clients:
        c.close()


def test_back_within_two_seconds(setup):
    front, daemon, behaviour = setup
    behaviour.reply, behaviour.wait = ACCOUNT + b".\n", 0.0
    daemon.stop()
    stopped, answers = threading.Event(), []

    def storm():
        while not stopped.is_set():
            answers.append((time.monotonic(), login(front)))
    thread = threading.Thread(target=storm)
    thread.start()
    wait_for("refusals", lambda: len(answers) > 20)
    daemon.start()
    back = time.monotonic()
    wait_for("logins", lambda: answers[-1][1] == OK)
    stopped.set()
    thread.join()
    assert {text[:13] for _, text in answers} == {LATER, OK[:13]}
    assert min(at for at, text in answers if text == OK) - back < 2
    assert front.log().count("courier-authlib can't be asked") < 60


def test_clients_that_go_away():
    """A worker that waits no longer (AUTH_TIMEOUT) takes its requests back long before AUTHLIB_TIMEOUT, and the connections are free for others."""
    with tempfile.TemporaryDirectory(prefix="ph-authlib.") as d:
        os.chmod(d, 0o755)
        behaviour = Behaviour()
        behaviour.reply, behaviour.wait = b"", 30.0
        daemon = FakeDaemon(d + "/socket", behaviour)
        with Front(AUTHMODULES='"passwd-file authlib"', AUTHLIB_SOCKET=daemon.path, AUTHLIB_TIMEOUT=600, AUTH_TIMEOUT=1, LOGIN_PENALTY_MAX=0,
                   AUTHLIB_CONNECTIONS=3).running() as front:
            clients = [front.client() for _ in range(20)]
            for i, c in enumerate(clients):
                c.start("LOGIN w%d secret" % i)
            wait_for("the daemon's connections", lambda: daemon.accepted == 3)
            assert login(front, b"demo", b"demo") == OK  # authd has seen all that were sent before
            assert daemon.accepted == 3                  # AUTHLIB_CONNECTIONS
            for c in clients:
                c.close()
            wait_for("no connection left", lambda: daemon.open == 0)
            behaviour.reply, behaviour.wait = ACCOUNT + b".\n", 0.0
            assert login(front) == OK
        daemon.stop()
