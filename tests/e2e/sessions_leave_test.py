# SPDX-License-Identifier: Apache-2.0
"""Sessions of one process come and go without a care for each other."""
import random
import threading

import pytest

from lib.imap import Imap

COMMANDS = [b"NOOP", b"SELECT INBOX", b"EXAMINE INBOX", b"CREATE INBOX.a", b"DELETE INBOX.a", b"SELECT INBOX.a",
            b"LIST \"\" *", b"FETCH 1:* (FLAGS BODY[])", b"UID FETCH 1:* (RFC822.SIZE ENVELOPE)",
            b"STORE 1:3 +FLAGS (\\Flagged)", b"STORE 1:* -FLAGS (kw)", b"STORE 1:2 +FLAGS (kw)", b"COPY 1:* INBOX.a",
            b"UID COPY 1:5 INBOX", b"STORE 11:* +FLAGS (\\Deleted)", b"EXPUNGE", b"IDLE\r\nDONE", b"STATUS INBOX (MESSAGES)",
            b"SEARCH TEXT hello", b"APPEND INBOX {5+}\r\nabcde", b"APPEND INBOX {50000+}\r\nabcde", b"CLOSE", b"IDLE"]


def leave_in_the_middle(account, seed, faults):
    dice = random.Random(seed)
    try:
        for _ in range(12):
            c = account.client(tls=dice.random() < 0.2)
            c.send(b"".join(b"%d %s\r\n" % (i, dice.choice(COMMANDS)) for i in range(dice.randint(1, 25))))
            if dice.random() < 0.5 and c.pending(dice.random() * 0.03):
                c.sock.recv(100)
            c.close()
    except BaseException as fault:
        faults.append(fault)


@pytest.mark.parametrize("seed", range(2))
def test_who_leaves_disturbs_nobody(account, seed):
    for i in range(10):
        account.deliver("Subject: %d\n\nhello\n" % i)
    stays, faults = account.client(select="INBOX"), []
    threads = [threading.Thread(target=leave_in_the_middle, args=(account, 10 * seed + i, faults)) for i in range(6)]
    for t in threads:
        t.start()
    while any(t.is_alive() for t in threads):
        stays.ok("NOOP")
        stays.ok("UID FETCH 1:10 (FLAGS BODY.PEEK[TEXT])")
    assert not faults, faults
    assert len(stays.ok("UID SEARCH UID 1:10").find(r"\* SEARCH (.*)").group(1).split()) == 10
    assert not account.clients[0].closed(0.1)


def test_folder_deleted_under_a_session(account):
    a, b, c = (account.client() for _ in range(3))
    a.ok("CREATE INBOX.gone")
    b.ok("SELECT INBOX.gone")
    c.ok("SELECT INBOX.gone")
    c.idle()
    a.ok("DELETE INBOX.gone")
    for session in (b, c):
        assert session.closed(), "it must not go on with a folder that isn't there"
        assert b"* BYE [UNAVAILABLE] The selected mailbox was deleted." in session.last
    a.ok("NOOP")


def test_idle_behind_the_first_select_holds_nobody_up(server):
    """IDLE waits for the watch of a folder that was opened just now, and forgets that it waited."""
    s = server().start()
    with Imap(s.port) as c:
        c.login().ok("SELECT INBOX")
        assert c.idle() == "entering ENHANCED idle mode"
        s.stop_one("backend")
        assert c.closed(5) and b"* BYE" in c.last
    assert "left-late" not in s.log()
