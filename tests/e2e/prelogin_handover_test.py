# SPDX-License-Identifier: Apache-2.0
"""The hand-over and what may go wrong at it (DESIGN.md P1, B11, B31, B32), and processes that die."""
import os
import signal
import socket
import time

import pytest

from lib.front import Front
from lib.server import wait_for

BOTH = pytest.mark.parametrize("tls", [False, True])


@BOTH
def test_refused(tls):
    with Front(on_give=lambda g: g.refused(), LOGIN_FAILURE_DELAY=0).running() as front:
        with front.client(tls) as c:
            c.send("a LOGIN demo demo\r\nb NOOP\r\n")
            assert c.read_line() == b"a NO [LIMIT] Too many."
            assert c.read_line() == b"b OK NOOP completed"
            front.backend.on_give = front.backend.echo
            c.login("demo")


@BOTH
def test_backend_goes_in_mid_handover(tls):
    """Whether imapd has the client is unknown: nobody writes, the connection ends."""
    def drop(given):
        given.client.close()
        front.backend.drop_links()
    front = Front(on_give=drop)
    with front.running():
        with front.client(tls) as c:
            c.start("LOGIN demo demo")
            assert c.closed(5) and c.last == b""
        front.backend.on_give = front.backend.echo
        again(front, tls)


@BOTH
def test_backend_never_answers(tls):
    kept = []
    with Front(on_give=kept.append, AUTH_TIMEOUT=1).running() as front:
        with front.client(tls) as c:
            c.start("LOGIN demo demo")
            assert not c.closed(0.7)
            kept[0].client.close()
            assert c.closed(3) and c.last == b""


def again(front, tls=False):
    def logs_in():
        with front.client(tls) as c:
            return c.cmd("LOGIN demo demo").ok
    wait_for("a login", logs_in, 10)


@BOTH
def test_no_backend(tls):
    with Front(LOGIN_FAILURE_DELAY=0).running() as front:
        with front.client(tls) as old:
            old.login("demo")
            front.backend.stop()
            wait_for("the loss", lambda: "backend link lost" in front.log())
            with front.client(tls) as c:
                assert c.cmd("LOGIN demo demo").text.startswith("[UNAVAILABLE]")
                front.start_backend()
                again(front, tls)
                c.login("demo")
            old.send("still\r\n")
            assert old.read_line() == b"* echo still"


def test_authd_killed():
    with Front().running() as front:
        with front.client(tls=True) as old:
            old.login("demo")
            os.kill(front.pids("authd")[0], signal.SIGKILL)
            again(front)
            old.send("still\r\n")
            assert old.read_line() == b"* echo still"


def test_worker_killed_keeps_its_backlog():
    with Front().running() as front:
        plain, tls = front.client(), front.client(tls=True)
        plain.login("demo")
        tls.login("demo")
        worker = front.pids("login")[0]
        os.kill(worker, signal.SIGSTOP)
        waiting = socket.create_connection(("127.0.0.1", front.port), timeout=10)
        os.kill(worker, signal.SIGKILL)
        assert waiting.recv(1000).startswith(b"* OK")
        plain.send("still\r\n")
        assert plain.read_line() == b"* echo still"
        assert tls.closed()
        again(front, True)
        waiting.close()


def test_worker_killed_again_and_again():
    with Front().running() as front:
        for _ in range(5):
            os.kill(wait_for("a worker", lambda: front.pids("login"))[0], signal.SIGKILL)
            again(front)


@BOTH
def test_pipelined_bytes_arrive_once_in_order(tls):
    lines = b"".join(b"line %d %s\r\n" % (i, b"x" * (i % 300)) for i in range(2000))
    with Front().running() as front:
        with front.client(tls) as c:
            c.send(b"a LOGIN demo demo\r\n" + lines)
            assert c.read_line() == b"a OK LOGIN Ok."
            for i, line in enumerate(lines.split(b"\r\n")[:-1]):
                assert c.read_line() == b"* echo " + line, i


def test_much_both_ways():
    blob = os.urandom(1 << 20)

    def serve(given):
        client, got = given.taken(), given.unread
        while len(got) < 20 * len(blob):
            got += client.recv(1 << 20)
        for _ in range(20):
            client.sendall(blob)
        with open(front.dir + "/got", "wb") as f:
            f.write(got)
        client.close()
    front = Front(on_give=serve)
    with front.running():
        with front.client(tls=True) as c:
            c.send(b"a LOGIN demo demo\r\n")
            assert c.read_line() == b"a OK LOGIN Ok."
            for _ in range(20):
                c.send(blob)
            back = c._exactly(20 * len(blob))
            assert back == blob * 20 and c.closed()
        with open(front.dir + "/got", "rb") as f:
            assert f.read() == blob * 20


def test_stuck_client_is_dropped_and_memory_is_bounded():
    ended = []

    def pour(given):
        client, sent = given.taken(), 0
        client.settimeout(30)
        try:
            while True:
                sent += client.send(b"x" * 65536)
        except OSError:
            ended.append(sent)
    with Front(on_give=pour, IMAP_STUCK_TIMEOUT=1).running() as front:
        with front.client(tls=True) as c:
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            c.start("LOGIN demo demo")
            wait_for("the end", lambda: ended, 20)
            assert ended[0] < 20 << 20
        assert "client takes no output" in front.log()


def test_half_close():
    """The client ends its sending side: what is still said reaches it."""
    def late(given):
        client = given.taken()
        while client.recv(1000):
            pass
        time.sleep(0.2)
        client.sendall(b"* late\r\n")
        client.close()
    with Front(on_give=late).running() as front:
        with front.client() as c:
            c.login("demo")
            c.sock.shutdown(socket.SHUT_WR)
            assert c.read_line() == b"* late"


def test_sigterm_says_bye_and_exits_0():
    with Front().running() as front:
        waiting, tls = front.client(), front.client(tls=True)
        tls.login("demo")
        children = front.pids("login") + front.pids("authd")
        assert front.stop_one("frontend") == 0
        assert waiting.closed() and b"* BYE [UNAVAILABLE]" in waiting.last
        assert tls.closed()
        for pid in children:
            assert not os.path.exists("/proc/%d" % pid)


def test_main_killed_sessions_stay():
    """The workers of a main that has gone serve what they have, and end with their last session."""
    front = Front().start()
    tls = front.client(tls=True)
    tls.login("demo")
    worker = front.pids("login")[0]
    os.kill(front.processes["frontend"].pid, signal.SIGKILL)
    front.processes.pop("frontend").wait()
    time.sleep(0.3)
    tls.send("still\r\n")
    assert tls.read_line() == b"* echo still"
    tls.close()
    wait_for("the worker's end", lambda: not os.path.exists("/proc/%d" % worker))
    front.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look")
def test_what_children_hold():
    """B27 and P3: no child has a file open; workers have their sockets, authd the run directory."""
    with Front().running() as front:
        for name in ("login", "authd"):
            pid = front.pids(name)[0]
            held = {os.readlink("/proc/%d/fd/%s" % (pid, n)).split(":")[0] for n in os.listdir("/proc/%d/fd" % pid)}
            allowed = {"socket", "anon_inode", "/dev/null", "pipe", front.log_path}
            assert held <= allowed | ({front.run} if name == "authd" else set()), held
            with open("/proc/%d/status" % pid, encoding="ascii") as f:
                status = dict(line.split(":\t", 1) for line in f if ":\t" in line)
            assert status["NoNewPrivs"].strip() == "1" and int(status["CapEff"], 16) == 0
            assert status["Uid"].split()[0] != "0" and status["Groups"].split() in ([], status["Gid"].split()[:1])


@BOTH
def test_client_that_does_not_read(tls):
    """Answers that the client has not taken are never lost or overtaken by imapd's."""
    with Front().running() as front:
        with front.client(tls) as c:
            c.send(b"n ID NIL\r\n" * 1500 + b"a LOGIN demo demo\r\n")
            time.sleep(0.5)
            lines = [c.read_line() for _ in range(3000)]
            assert sum(line.startswith(b"n OK") for line in lines) == 1500
            assert c.read_line().startswith((b"a OK", b"a NO [UNAVAILABLE]"))
