# SPDX-License-Identifier: Apache-2.0
"""A second imapd, started as from a shell, works on the Maildir that the server's own imapd serves (P13, P15)."""
import re
import threading
import time

import pytest

from lib.server import MAIL_UID, ROOT, wait_for
from lib.shell import Shell

PREFIX = ["setpriv", "--reuid", str(MAIL_UID), "--regid", str(MAIL_UID), "--clear-groups"] if ROOT else []


@pytest.fixture
def second(account):
    """Starts a second process on the account's Maildir."""
    account.server.make_maildir(account.user)
    made = []

    def start(select=None):
        made.append(Shell(account.maildir, prefix=PREFIX, conf=account.server.conf))
        if select:
            made[-1].ok("SELECT " + select)
        return made[-1]
    yield start
    for shell in made:
        shell.close()


def everything(client, folder="INBOX"):
    """UID -> (flags, subject) as this client sees it."""
    client.ok("SELECT " + folder)
    reply = client.ok("UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    return {int(m.group(1)): (frozenset(m.group(2).split()) - {b"\\Recent"}, m.group(3))
            for m in reply.all(r"UID (\d+) FLAGS \(([^)]*)\).*Subject: (\S+)")}


def test_toggles_by_one_reach_the_other(account, second):
    account.deliver()
    toggles, numbers = 1000, 60
    actor = account.client(select="INBOX")
    idlers = [account.client(tls=i % 2 == 0, select="INBOX") for i in range(20)]
    other = second(select="INBOX")
    seen = [[] for _ in idlers]
    merged = []

    def listen(client, got):
        while len(got) < toggles:
            line = client.read_line()
            if re.match(rb"\* 1 FETCH", line):
                got.append(b"\\Flagged" in line)

    def listen_merged():
        while not merged or merged[-1] != numbers:
            line = other.read_line()
            found = re.search(rb"\* 1 FETCH .*?n(\d+)\b", line)
            if found:
                merged.append(int(found.group(1)))

    for c in [*idlers, other]:
        c.idle()
    threads = [threading.Thread(target=listen, args=(c, seen[i]), daemon=True) for i, c in enumerate(idlers)]
    for t in threads:
        t.start()
    for n in range(toggles):
        actor.ok("STORE 1 %sFLAGS (\\Flagged)" % ("-" if n % 2 else "+"))
    for t in threads:
        t.join(30)
    assert all(got == [n % 2 == 0 for n in range(toggles)] for got in seen)
    other.done()

    # Numbers instead of toggles show the order: one keyword takes the place of another.
    other.idle()
    watcher = threading.Thread(target=listen_merged, daemon=True)
    watcher.start()
    for n in range(1, numbers + 1):
        actor.ok("STORE 1 FLAGS (n%d)" % n)
    watcher.join(30)
    assert merged == sorted(merged) and merged[-1] == numbers, merged
    other.done()
    assert everything(other) == everything(account.client())


def test_keywords_of_one_are_seen_by_the_other(account, second):
    account.deliver()
    mine, other = account.client(select="INBOX"), second(select="INBOX")
    mine.idle()
    other.ok("STORE 1 +FLAGS (theirs)")
    mine.idle_until(r"^\* FLAGS \(theirs ")
    mine.idle_until(r"^\* 1 FETCH \(FLAGS \(.*theirs\)\)")
    mine.done()
    other.idle()
    mine.ok("STORE 1 +FLAGS (ours)")
    other.idle_until(r"^\* FLAGS \(theirs ours ")
    other.idle_until(r"^\* 1 FETCH \(FLAGS \(.*theirs ours\)\)")
    other.done()


def test_both_change_all_at_once(account, second):
    account.client().ok("CREATE INBOX.copies")
    given, faults = {}, []

    def work(client, name):
        try:
            client.ok("SELECT INBOX")
            for n in range(60):
                reply = client.append("INBOX", "Subject: %s-%d\r\n\r\nx\r\n" % (name, n), flags=name)
                assert reply.ok, reply
                uid = int(re.search(r"APPENDUID \d+ (\d+)", reply.text).group(1))
                assert given.setdefault(uid, (name, n)) == (name, n), "UID %d was given twice" % uid
                if n % 3 == 0:
                    assert client.ok("UID COPY %d INBOX.copies" % uid).text.startswith("[COPYUID")
                if n % 4 == 0:
                    client.ok("UID STORE %d +FLAGS (\\Deleted)" % uid)
                    client.ok("UID EXPUNGE %d" % uid)
                    given[uid] = None
        except (AssertionError, EOFError, OSError) as fault:
            faults.append("%s: %s" % (name, fault))

    clients = [(account.client(), "server"), (account.client(tls=True), "tls"), (second(), "second"), (second(), "third")]
    threads = [threading.Thread(target=work, args=c, daemon=True) for c in clients]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not faults, faults
    fresh = everything(second())
    assert {uid: subject.decode() for uid, (_, subject) in fresh.items()} == {
        uid: "%s-%d" % w for uid, w in given.items() if w}
    for c, _ in clients:
        assert everything(c) == fresh
    copies = everything(second(), "INBOX.copies")
    assert len(copies) == 4 * 20
    for c, _ in clients:
        assert everything(c, "INBOX.copies") == copies


def test_a_folder_that_the_other_made_anew(account, second):
    """Kept in memory by one, deleted and made again by the other: opened anew, without an error."""
    mine, other = account.client(), second()
    mine.ok("CREATE INBOX.x")
    old = mine.ok("SELECT INBOX.x").find(r"UIDVALIDITY (\d+)").group(1)
    mine.ok("CLOSE")
    other.ok("DELETE INBOX.x")
    other.ok("CREATE INBOX.x")
    assert mine.ok("SELECT INBOX.x").find(r"UIDVALIDITY (\d+)").group(1) != old
    mine.ok("CLOSE")
    other.ok("DELETE INBOX.x")
    assert "[NONEXISTENT]" in mine.cmd("SELECT INBOX.x").text
    other.ok("CREATE INBOX.x")
    time.sleep(0.1)  # news of it may take a moment
    assert mine.append("INBOX.x", "Subject: a\r\n\r\nb\r\n").ok
    assert len(everything(other, "INBOX.x")) == 1


def test_kill_of_the_second_leaves_nothing_behind(account, second):
    other = second(select="INBOX")
    mine = account.client(select="INBOX")
    for n in range(10):
        tag = other.start("APPEND INBOX {%d+}" % 17)
        other.send("Subject: a\r\n\r\nb\r\n\r\n")
        if n < 9:
            assert other.finish(tag).ok
    other.process.kill()
    other.process.wait()
    other.sock.close()
    other.process = None
    other.close()
    begin = time.monotonic()
    assert mine.append("INBOX", "Subject: mine\r\n\r\nx\r\n").ok
    assert time.monotonic() - begin < 2, "the lock of a dead process is in the way"
    wait_for("its messages", lambda: mine.ok("NOOP") and len(everything(mine)) in (10, 11))
