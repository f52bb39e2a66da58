# SPDX-License-Identifier: Apache-2.0
"""Clients that leave at the worst moment, don't read, or send without end. The process must end in order
when they go (Shell.close checks), and keep its memory small while they stay."""
import random
import socket
import threading

import pytest

from lib.shell import Shell

MAIL = b"From: a@example.com\r\nSubject: one\r\n\r\n" + b"hello\r\n" * 2000


@pytest.fixture
def box(tmp_path):
    for sub in ("cur", "new", "tmp"):
        (tmp_path / "Maildir" / sub).mkdir(parents=True)
    return tmp_path / "Maildir"


def memory_kb(c):
    with open("/proc/%d/statm" % c.process.pid, encoding="ascii") as f:
        return int(f.read().split()[1]) * 4


def fill(c, n):
    c.send(b"".join(b"f%d APPEND INBOX {%d+}\r\n%s\r\n" % (i, len(MAIL), MAIL) for i in range(n)))
    for i in range(n):
        assert c.read_line().startswith(b"f%d OK" % i)


COMMANDS = [b"NOOP", b"SELECT INBOX", b"EXAMINE INBOX", b"CREATE INBOX.a", b"DELETE INBOX.a", b"LIST \"\" *", b"LSUB \"\" %",
            b"FETCH 1:* (FLAGS BODY[])", b"UID FETCH 1:* (RFC822.SIZE ENVELOPE)", b"STORE 1:* +FLAGS (\\Deleted)",
            b"STORE 1:* FLAGS (a b c)", b"EXPUNGE", b"CLOSE", b"COPY 1:* INBOX", b"MOVE 1 INBOX.a", b"IDLE\r\nDONE",
            b"STATUS INBOX (MESSAGES)", b"SEARCH TEXT hello", b"UID SEARCH ALL", b"APPEND INBOX {5+}\r\nabcde",
            b"APPEND INBOX {50+}\r\nabcde", b"CHECK", b"UNSELECT", b"RENAME INBOX INBOX.x", b"FROB", b"IDLE", b"\0", b"x {"]


@pytest.mark.parametrize("seed", range(25))
def test_client_leaves_in_the_middle(box, seed):
    dice = random.Random(seed)
    c = Shell(box)
    fill(c, 3)
    for i in range(dice.randint(1, 30)):
        c.send(b"%d %s\r\n" % (i, dice.choice(COMMANDS)))
        if dice.random() < 0.1 and c.pending(0.01):
            c.sock.recv(100)
    c.close()


def flood(c, data):
    """Sends data that nobody may want to read, without waiting for ever."""
    def send():
        try:
            c.sock.sendall(data)
        except OSError:
            pass
    c.sock.settimeout(30)
    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_noops_without_end_and_without_reading(box):
    c = Shell(box)
    before = memory_kb(c)
    thread = flood(c, b"a NOOP\r\n" * 500000)
    thread.join(2)
    assert memory_kb(c) - before < 20000
    got = 0
    while got < 500000 * len(b"a OK NOOP completed\r\n"):
        got += len(c.sock.recv(65536))
    thread.join()
    c.close()


def test_answers_that_nobody_reads(box):
    c = Shell(box)
    fill(c, 100)
    c.ok("SELECT INBOX")
    before = memory_kb(c)
    thread = flood(c, b"a FETCH 1:* BODY.PEEK[]\r\n" * 100)
    thread.join(2)
    assert memory_kb(c) - before < 40000
    c.sock.shutdown(socket.SHUT_RDWR)
    thread.join()
    c.close()


def test_line_without_end(box):
    c = Shell(box)
    before = memory_kb(c)
    c.send(b"a LIST \"\" \"")
    thread = flood(c, b"x" * 50000000)
    assert c.closed()
    assert b"* BYE" in c.last
    thread.join()
    assert memory_kb(c) - before < 20000 if c.process.poll() is None else True
    c.close()


def test_idle_garbage(box):
    c = Shell(box)
    c.idle()
    c.send(b"y" * 100000)
    assert c.closed()
    c.close()


def test_stuck_client_is_disconnected(box):
    c = Shell(box, IMAP_STUCK_TIMEOUT=1, IMAP_OUT_MAX=16384)
    fill(c, 30)
    c.ok("SELECT INBOX")
    c.send(b"a FETCH 1:* BODY.PEEK[]\r\n" * 10)
    assert c.process.wait(10) == 0
    assert "cause=stuck output" in c.log()
    c.close()
