# SPDX-License-Identifier: Apache-2.0
"""Other programs work on the Maildir at the same time (P9, P17)."""
import os
import threading
import time

import pytest

from lib.server import wait_for

MESSAGES = 10000 if os.environ.get("POSTHOUSE_LONG") else 2000
SECONDS = 600 if os.environ.get("POSTHOUSE_LONG") else 20


def test_foreign_flags_and_deletions_are_seen(account):
    name = account.deliver(flags="")
    account.deliver(flags="S")
    c = account.client(select="INBOX")
    c.idle()
    cur = os.path.join(account.maildir, "cur")
    os.rename(os.path.join(cur, name), os.path.join(cur, name + "F"))
    c.idle_until(r"^\* 1 FETCH \(FLAGS \(\\Flagged\)\)$")
    os.unlink(os.path.join(cur, name + "F"))
    c.idle_until(r"^\* 1 EXPUNGE$")
    c.idle_until(r"^\* 1 EXISTS$")


def test_unknown_flag_letters_are_kept(account):
    account.deliver(flags="Sab")
    c = account.client(select="INBOX")
    c.ok("STORE 1 +FLAGS (\\Flagged)")
    c.ok("STORE 1 -FLAGS (\\Seen)")
    assert [n.partition(":2,")[2] for n in os.listdir(os.path.join(account.maildir, "cur"))] == ["Fab"]


def test_changes_while_nobody_looks(account):
    names = [account.deliver(flags="") for _ in range(3)]
    c = account.client(select="INBOX")
    uids = c.ok("UID SEARCH ALL").find(r"SEARCH (.*)").group(1).split()
    c.ok("CLOSE")
    cur = os.path.join(account.maildir, "cur")
    time.sleep(0.1)
    os.unlink(os.path.join(cur, names[1]))
    os.rename(os.path.join(cur, names[0]), os.path.join(cur, names[0] + "RS"))
    account.deliver()
    c.ok("SELECT INBOX")

    def settled():  # that a file is gone is believed a moment later
        c.ok("NOOP")
        got = c.ok("UID SEARCH ALL").find(r"SEARCH (.*)").group(1).split()
        return got[:2] == [uids[0], uids[2]] and len(got) == 3 and int(got[2]) > int(uids[2])
    wait_for("the changes", settled, 5)
    assert c.ok("FETCH 1 FLAGS").find(r"\\Answered \\Seen|\\Seen \\Answered")


@pytest.mark.slow
def test_a_rename_storm_loses_nothing(account):
    """A program that renames flags as fast as it can: no message is ever reported gone, no UID changes."""
    for _ in range(MESSAGES):
        account.deliver(flags="")
    a, b = account.client(tls=True, select="INBOX"), account.client(select="INBOX")
    before = a.ok("UID SEARCH ALL").find(r"SEARCH (.*)").group(1)
    assert len(before.split()) == MESSAGES
    cur, stop, renames = os.path.join(account.maildir, "cur"), threading.Event(), [0]

    def storm():
        turn = 0
        names = {n.partition(":2,")[0]: n for n in os.listdir(cur)}
        while not stop.is_set():
            turn += 1
            for base, name in names.items():
                new = base + ":2," + ("F", "FS", "S", "")[turn % 4]
                if new != name:
                    os.rename(os.path.join(cur, name), os.path.join(cur, new))
                    names[base] = new
                    renames[0] += 1
                if stop.is_set():
                    return

    thread = threading.Thread(target=storm)
    thread.start()
    lines, end = [], time.monotonic() + SECONDS
    b.idle()
    try:
        while time.monotonic() < end:
            reply = a.ok("NOOP")
            lines += [x for x in reply.untagged if x.endswith((b"EXPUNGE", b"EXISTS"))]
            fresh = account.client()
            got = fresh.ok("STATUS INBOX (MESSAGES UIDNEXT)").find(r"MESSAGES (\d+)").group(1)
            assert int(got) == MESSAGES
            fresh.close()
            while b.pending(0.05):
                line = b.read_line()
                if line.endswith((b"EXPUNGE", b"EXISTS")):
                    lines.append(line)
    finally:
        stop.set()
        thread.join()
    print("%d renames in %d s" % (renames[0], SECONDS))
    assert not lines
    b.close()
    assert a.ok("UID SEARCH ALL").find(r"SEARCH (.*)").group(1) == before
    end = time.monotonic() + 60
    while True:
        a.ok("NOOP")
        told = {m.group(1): m.group(2) for m in a.ok("FETCH 1:* (UID FLAGS)").all(r"UID (\d+) FLAGS \(([^)]*)\)")}
        flagged = sum(1 for n in os.listdir(cur) if "F" in n.partition(":2,")[2])
        if sum(b"Flagged" in f for f in told.values()) == flagged:
            break
        assert time.monotonic() < end, "flags did not settle"
        time.sleep(0.2)
