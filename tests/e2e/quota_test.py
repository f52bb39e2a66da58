# SPDX-License-Identifier: Apache-2.0
"""Quota as Maildir++ keeps it (FEATURES.md R57, R131, R139): the file maildirsize, which other programs write too."""
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from lib import peers
from lib.imap import Imap
from lib.server import BIN, MAIL_UID, ROOT, Server, wait_for

QUOTA = 200000
TEXT = b"Subject: q\r\n\r\n" + b"x" * 987 + b"\r\n"  # 1000 bytes with LF


@pytest.fixture(scope="module")
def quotas():
    """q0 ... have 200,000 bytes and 50 messages by their record; f0 ... have none there."""
    users = ["demo"] + ["f%d" % i for i in range(30)]
    users += ["q%d:{PLAIN}q%d::::::quota=%dS50C" % (i, i, QUOTA) for i in range(30)]
    server = Server(users=users).start()
    yield server
    server.stop()


class Box:
    used = {"q": 0, "f": 0}

    def __init__(self, server, kind):
        self.server, self.user = server, "%s%d" % (kind, Box.used[kind])
        Box.used[kind] += 1
        self.path = server.make_maildir(self.user)
        self.file = os.path.join(self.path, "maildirsize")
        self.clients = []

    def client(self, select=None):
        c = Imap(self.server.port).login(self.user)
        self.clients.append(c)
        if select:
            c.ok("SELECT " + select)
        return c

    def lines(self):
        with open(self.file, "rb") as f:
            return f.read().splitlines()

    def says(self):
        """Bytes and messages by the file."""
        rows = [line.split() for line in self.lines()[1:]]
        return sum(int(r[0]) for r in rows), sum(int(r[1]) for r in rows)

    def holds(self):
        """The same by what lies there: neither Trash nor T."""
        size = count = 0
        for folder in [self.path] + [os.path.join(self.path, d) for d in os.listdir(self.path)
                                     if d.startswith(".") and d != ".Trash"]:
            for sub in ("cur", "new"):
                for name in os.listdir(os.path.join(folder, sub)):
                    if "T" not in name.partition(":2,")[2]:
                        stated = re.search(r",S=(\d+)", name)
                        size += int(stated[1]) if stated else os.path.getsize(os.path.join(folder, sub, name))
                        count += 1
        return size, count

    def write(self, text):
        if os.path.lexists(self.file):
            os.unlink(self.file)
        with open(self.file, "wb") as f:
            f.write(text)
        if ROOT:
            os.chown(self.file, MAIL_UID, MAIL_UID)


@pytest.fixture
def box(quotas):
    made = []

    def make(kind="q"):
        made.append(Box(quotas, kind))
        return made[-1]
    yield make
    for b in made:
        for c in b.clients:
            c.close()


def as_mail(*command, text=None):
    if ROOT:
        command = ("setpriv", "--reuid=%d" % MAIL_UID, "--regid=%d" % MAIL_UID, "--clear-groups") + command
    return subprocess.run(command, input=text, capture_output=True, check=False, cwd="/")


def root_of(c):
    got = c.ok('GETQUOTA "ROOT"').find(r'^\* QUOTA "ROOT" \(STORAGE (\d+) (\d+) MESSAGE (\d+) (\d+)\)$')
    assert got
    return [int(x) for x in got.groups()]


def test_commands_and_capabilities(box):
    b = box()
    c = b.client()
    caps = c.ok("CAPABILITY").untagged[0].split()
    for cap in (b"QUOTA", b"QUOTA=RES-STORAGE", b"QUOTA=RES-MESSAGE", b"APPENDLIMIT=104857600"):
        assert cap in caps, caps
    assert b"QUOTASET" not in caps and b"XMAGICTRASH" not in caps
    reply = c.ok("GETQUOTAROOT INBOX")
    assert reply.untagged == [b'* QUOTAROOT "INBOX" "ROOT"', b'* QUOTA "ROOT" (STORAGE 0 196 MESSAGE 0 50)'], reply
    assert c.append("INBOX", TEXT).ok
    assert root_of(c) == [1, 196, 1, 50]
    assert b.lines()[0] == b"%dS,50C" % QUOTA and re.fullmatch(rb" {11}0 {12}0", b.lines()[1])
    assert re.fullmatch(rb" *1000 +1", b.lines()[2]) and len(b.lines()[2]) == 25
    refused = c.cmd('SETQUOTA "ROOT" (STORAGE 1)')
    assert (refused.status, refused.text) == ("NO", "SETQUOTA No permission.")
    assert c.cmd("SETQUOTA ROOT 5").status == "BAD" and c.cmd("GETQUOTA").status == "BAD"
    assert c.cmd("GETQUOTAROOT INBOX x").status == "BAD"
    assert c.cmd("GETQUOTA other").text.startswith("[NONEXISTENT]")
    assert c.append("INBOX.None", TEXT).text.startswith("[TRYCREATE]")
    assert c.append("INBOX", TEXT, "\\Deleted").ok and c.append("INBOX", TEXT[:-2], "\\Deleted").ok
    assert c.ok("STATUS INBOX (DELETED DELETED-STORAGE)").find(r"\(DELETED 2 DELETED-STORAGE 1999\)")  # RFC 9208
    c.ok("SELECT INBOX")
    c.ok("EXPUNGE")
    assert c.ok("STATUS INBOX (APPENDLIMIT MESSAGES)").find(r"\(MESSAGES 1 APPENDLIMIT 104857600\)")


def test_without_quota_nothing_is_kept(box):
    b = box("f")
    c = b.client("INBOX")
    assert c.append("INBOX", TEXT).ok
    c.ok("STORE 1 +FLAGS (\\Deleted)")
    c.ok("EXPUNGE")
    assert c.ok("GETQUOTAROOT INBOX").untagged == [b'* QUOTAROOT "INBOX"']
    assert c.cmd("GETQUOTA ROOT").text.startswith("[NONEXISTENT]")
    assert not os.path.exists(b.file)


def test_each_change_is_a_line(box):
    b = box()
    c = b.client("INBOX")
    for folder in ("Work", "Trash"):
        c.ok("CREATE INBOX." + folder)
    steps = [
        (lambda: c.append("INBOX", TEXT), 1), (lambda: c.append("INBOX", TEXT, "\\Seen"), 2),
        (lambda: c.append("INBOX.Trash", TEXT), 2), (lambda: c.append("INBOX", TEXT, "\\Deleted"), 2),
        (lambda: c.ok("COPY 1:2 INBOX.Work"), 4), (lambda: c.ok("COPY 1:2 INBOX.Trash"), 4),
        (lambda: c.ok("STORE 1 +FLAGS (\\Deleted)"), 3), (lambda: c.ok("STORE 1 +FLAGS (\\Deleted \\Flagged)"), 3),
        (lambda: c.ok("STORE 1 -FLAGS (\\Deleted)"), 4), (lambda: c.ok("STORE 1 FLAGS (\\Deleted)"), 3),
        (lambda: c.ok("EXPUNGE"), 3), (lambda: c.ok("MOVE 1 INBOX.Work"), 3),
        (lambda: c.ok("SELECT INBOX.Work"), 3), (lambda: c.ok("MOVE 1 INBOX.Trash"), 2),
        (lambda: c.ok("RENAME INBOX.Trash INBOX.Old"), 6), (lambda: c.ok("RENAME INBOX.Old INBOX.Trash"), 2),
        (lambda: c.ok("SELECT INBOX.Trash"), 2), (lambda: c.ok("MOVE 1 INBOX"), 3),
        (lambda: c.ok("DELETE INBOX.Work"), 1), (lambda: c.ok("DELETE INBOX.Trash"), 1),
    ]
    for i, (step, count) in enumerate(steps):
        assert step().ok
        assert b.says() == b.holds() == (count * 1000, count), (i, b.lines())
    before = len(b.lines())
    c.ok("SELECT INBOX")
    c.ok("STORE 1 +FLAGS (\\Seen kw)")
    assert len(b.lines()) == before
    assert root_of(c)[2] == 1


def test_over_quota(box):
    b = box()
    c = b.client("INBOX")
    c.ok("CREATE INBOX.Trash")
    big = b"Subject: big\r\n\r\n" + b"y" * 98000
    assert c.append("INBOX", big).ok and c.append("INBOX", big).ok
    full = "[OVERQUOTA] You exceeded your mail quota."
    assert c.append("INBOX", big).text == full
    tag = c.start("APPEND INBOX {98016}")  # refused before a byte is sent
    assert c.finish(tag).text == full
    assert c.cmd("COPY 1 INBOX").text == full
    assert c.append("INBOX.Trash", big).ok and c.ok("COPY 1 INBOX.Trash").ok
    assert c.append("INBOX", TEXT).ok
    assert b.says() == b.holds() and b.holds()[1] == 3
    c.number += 1  # MULTIAPPEND: all or none, though the first would fit
    c.send(b"m1 APPEND INBOX {%d+}\r\n%s {%d+}\r\n%s\r\n" % (len(TEXT), TEXT, len(big), big))
    assert c.finish(b"m1").text == full
    assert b.holds()[1] == 3
    c.ok("SELECT INBOX.Trash")
    assert c.cmd("MOVE 1 INBOX").text == full
    c.ok("SELECT INBOX")
    c.ok("STORE 1 +FLAGS (\\Deleted)")
    assert c.append("INBOX", big).ok  # what is marked as deleted doesn't count
    assert c.cmd("NOOP").ok and b.says() == b.holds()


def test_number_of_messages(box):
    b = box()
    c = b.client("INBOX")
    for _ in range(50):
        assert c.append("INBOX", b"a: b\r\n\r\n").ok
    assert c.append("INBOX", b"a: b\r\n\r\n").text.startswith("[OVERQUOTA]")
    assert root_of(c)[2:] == [50, 50]


def test_full_by_an_old_count_is_counted_anew(box):
    """Several lines, or 15 minutes old: looked at again before anybody is refused."""
    b = box()
    c = b.client()
    b.write(b"%dS,50C\n%12d %12d\n%12d %12d\n" % (QUOTA, 150000, 10, 49900, 1))
    assert c.append("INBOX", TEXT).ok
    assert b.says() == b.holds() == (1000, 1)
    b.write(b"%dS,50C\n%12d %12d\n" % (QUOTA, 199900, 10))
    assert c.append("INBOX", TEXT).text.startswith("[OVERQUOTA]")  # one line, and young: believed
    old = time.time() - 1000
    os.utime(b.file, (old, old))
    assert c.append("INBOX", TEXT).ok
    assert b.says() == b.holds()


def test_long_file_is_counted_anew(box):
    b = box()
    c = b.client("INBOX")
    assert c.append("INBOX", TEXT).ok
    for _ in range(110):
        c.ok("STORE 1 +FLAGS (\\Deleted)")
        c.ok("STORE 1 -FLAGS (\\Deleted)")
    wait_for("a new count", lambda: len(b.lines()) < 150)
    assert b.says() == b.holds() == (1000, 1)


@pytest.mark.parametrize("damage", [
    b"", b"200000S", b"\n", b"garbage\n 1 1\n", b"200000S,50C\n1 2 3\n", b"200000S,50C\n          5000 ", b"\0" * 100,
    b"200000S,50C\n -5 -1\n", b"-7S\n 1 1\n", b"200000S,50C\n999999999999999999999 1\n",
    b"200000S,50C\n9223372036854775807 1\n9223372036854775807 1\n", b"200000S,50C\n" + b" 1 1\n" * 3000,
    b"99999999999999999999999S\n 0 0\n", b"1S,2S,\n", b"200000S,50C\r\n1 1\r\nx\r\n"], ids=lambda d: repr(d[:30]))
def test_damaged_file(box, damage):
    b = Box.shared if getattr(Box, "shared", None) else box()
    Box.shared = b
    c = b.client()
    b.write(damage)
    held = b.holds()
    assert c.append("INBOX", b"a: b\r\n\r\nc\r\n").ok
    assert b.says() == b.holds() and b.holds()[1] == held[1] + 1 and b.lines()[0] == b"200000S,50C"
    assert root_of(c)[2] == held[1] + 1
    c.close()


def test_not_a_file(box, quotas):
    """A symbolic link is replaced and never followed; a directory, a FIFO: mail goes on, one log line."""
    b = box()
    victim = os.path.join(quotas.dir, "victim")
    with open(victim, "wb") as f:
        f.write(b"untouched")
    if ROOT:
        os.chown(victim, MAIL_UID, MAIL_UID)
    c = b.client()
    os.symlink(victim, b.file)
    assert c.append("INBOX", TEXT).ok
    assert not os.path.islink(b.file) and b.says() == b.holds()
    for make in (os.mkdir, os.mkfifo):
        os.unlink(b.file) if os.path.isfile(b.file) else None
        make(b.file)
        assert c.append("INBOX", TEXT).ok
        assert c.cmd("GETQUOTAROOT INBOX").ok
        (os.rmdir if make is os.mkdir else os.unlink)(b.file)
        assert c.append("INBOX", TEXT).ok
    c.ok("GETQUOTA ROOT")
    assert b.says() == b.holds()
    with open(victim, "rb") as f:
        assert f.read() == b"untouched"
    assert quotas.log().count("quota_unkept user=%s " % b.user) == 1


def test_quota_of_the_file_itself(box):
    """maildirmake -q, and no quota in the account's record; a record's wins over the file's."""
    b = box("f")
    assert as_mail("maildirmake", "-q", "3000S,5C", b.path).returncode == 0
    c = b.client()
    assert c.append("INBOX", TEXT).ok and c.append("INBOX", TEXT).ok
    assert c.append("INBOX", b"a: b\r\n\r\n" + b"z" * 1500).text.startswith("[OVERQUOTA]")
    assert b.lines()[0] == b"3000S,5C" and b.says() == b.holds()
    b = box()
    assert as_mail("maildirmake", "-q", "10S", b.path).returncode == 0
    c = b.client()
    assert c.append("INBOX", TEXT).ok
    assert b.lines()[0] == b"%dS,50C" % QUOTA and b.says() == b.holds()


def test_beside_deliverquota(box):
    """Courier's program delivers while clients append, copy, mark and expunge: no line is lost."""
    b = box()
    bad = []

    def deliver():
        for _ in range(12):
            done = as_mail("deliverquota", b.path, text=b"Subject: d\n\n" + b"d" * 500 + b"\n")
            if done.returncode:
                bad.append(done)

    def work():
        c = b.client("INBOX")
        for _ in range(6):
            got = c.append("INBOX", TEXT)
            uid = re.search(r"APPENDUID \d+ (\d+)", got.text)[1]
            c.ok("UID STORE %s +FLAGS (\\Deleted)" % uid)
            c.ok("UID EXPUNGE " + uid)
            c.append("INBOX", TEXT)
    b.client("INBOX").ok("GETQUOTA ROOT")  # the file is there, so deliverquota keeps it
    threads = [threading.Thread(target=t) for t in (deliver, work, work)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not bad and b.holds()[1] == 24
    assert b.says() == b.holds(), b.lines()
    assert b.lines()[0] == b"%dS,50C" % QUOTA
    b.write(b"%dS,50C\n%12d %12d\n" % (QUOTA, QUOTA, 10))
    assert as_mail("deliverquota", b.path, text=b"Subject: d\n\nd\n").returncode in (75, 77)


def test_sessions_at_the_same_time(box):
    """Eight clients race for the last places: the quota holds to what was under way, and the sum is right."""
    b = box()
    taken = []

    def race(n):
        c = b.client()
        for _ in range(10):
            taken.append(c.append("INBOX" if n % 2 else "INBOX.Work", b"a: b\r\n\r\n").ok)
    b.client().ok("CREATE INBOX.Work")
    threads = [threading.Thread(target=race, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert 50 <= sum(taken) <= 58 and b.holds()[1] == sum(taken)
    assert b.says() == b.holds()


def test_kill(box, quotas):
    """kill -9 in the middle costs at most lines, and the next count finds them."""
    b = box()
    for _ in range(4):
        c = b.client("INBOX")
        for _ in range(3):
            c.start("APPEND INBOX {%d+}\r\n%s" % (len(TEXT), TEXT.decode()))
        wait_for("mail", lambda: b.holds()[1] > 0)
        for pid in quotas.imapds(b.path):
            os.kill(pid, signal.SIGKILL)
        c.close()
    c = b.client()
    with open(b.file, "ab") as f:
        f.write(b"half a li")
    root_of(c)
    assert b.says() == b.holds()


def test_posthousectl(box, quotas):
    b = box()
    c = b.client()
    assert c.append("INBOX", TEXT).ok

    def ctl(*args):
        return subprocess.run([os.path.join(BIN, "posthousectl"), "-C", quotas.conf, "quota", *args], capture_output=True,
                              check=False)
    one = ctl(b.user, "--json")
    assert one.returncode == 0, one
    row = json.loads(one.stdout)
    row = row[0] if isinstance(row, list) else row
    assert {k: str(v) for k, v in row.items()} == {
        "account": b.user, "bytes": "1000", "bytes-limit": str(QUOTA), "messages": "1", "messages-limit": "50"}
    assert b"1000" in ctl(b.path).stdout
    everybody = ctl("--all")
    assert everybody.returncode == 0 and b.user.encode() in everybody.stdout and b"demo" in everybody.stdout
    assert ctl("nobody-here").returncode == 1 and ctl().returncode == 2 and ctl("--what").returncode == 2
    assert ctl("/nonexistent/Maildir").returncode == 1


def test_trash_counts_by_setting(server):
    """R57"""
    s = server(users=["demo", "q0:{PLAIN}q0::::::quota=10000S"], MAILDIR_QUOTA_TRASH=1).start()
    b = Box.__new__(Box)
    b.server, b.user, b.path = s, "q0", s.make_maildir("q0")
    b.file = os.path.join(b.path, "maildirsize")
    with Imap(s.port).login("q0") as c:
        c.ok("CREATE INBOX.Trash")
        c.ok("SELECT INBOX")
        assert c.append("INBOX", TEXT).ok and c.append("INBOX.Trash", TEXT).ok
        assert b.says() == (2000, 2)
        c.ok("STORE 1 +FLAGS (\\Deleted)")
        assert b.says() == (2000, 2)
        c.ok("EXPUNGE")
        assert b.says() == (1000, 1)


# ---- Courier's imapd as the measure ----------------------------------------------------------------------------------

STEPS = [
    ("APPEND", "INBOX", ""), ("APPEND", "INBOX", "\\Seen"), ("APPEND", "INBOX", "\\Seen"), ("CREATE INBOX.Work",),
    ("CREATE INBOX.Trash",), ("SELECT INBOX",), ("COPY 1:2 INBOX.Work",), ("COPY 1 INBOX.Trash",), ("STORE 1 +FLAGS (\\Deleted)",),
    ("STORE 1 -FLAGS (\\Deleted)",), ("STORE 1:2 +FLAGS (\\Deleted)",), ("EXPUNGE",), ("APPEND", "INBOX.Trash", ""),
    ("SELECT INBOX.Work",), ("STORE 1 FLAGS (\\Deleted)",), ("CLOSE",), ("APPEND", "INBOX.Work", ""), ("DELETE INBOX.Work",),
    ("APPEND", "INBOX", ""), ("SELECT INBOX",), ("COPY 1:2 INBOX",), ("NOOP",),
    ("COPY 1:4 INBOX",), ("COPY 1 INBOX",),
]


def run_step(client, step):
    if step[0] == "APPEND":
        return client.append(step[1], TEXT, step[2])
    return client.cmd(step[0])


def sums(home):
    with open(home + "/Maildir/maildirsize", "rb") as f:
        rows = [line.split() for line in f.read().splitlines()]
    return rows[0], sum(int(r[0]) for r in rows[1:]), sum(int(r[1]) for r in rows[1:])


@pytest.fixture
def homes():
    made = [peers.make_home() for _ in range(2)]
    for home in made:
        shutil.rmtree(home + "/Maildir")
        assert as_mail("maildirmake", home + "/Maildir").returncode == 0
        assert as_mail("maildirmake", "-q", "8500S,9C", home + "/Maildir").returncode == 0
    yield made
    for home in made:
        shutil.rmtree(home)


def test_as_courier(homes):
    """The same commands on two Maildirs: the same sums after each, the same refusals, the same GETQUOTAROOT."""
    both = [kind(home) for kind, home in zip((peers.Courier, peers.Posthouse), homes)]
    for step in STEPS:
        replies = [run_step(c, step) for c in both]
        assert replies[0].status == replies[1].status, (step, replies)
        if replies[0].status == "NO":
            assert [re.sub(r"\[\w+\] ", "", r.text) for r in replies] == ["You exceeded your mail quota."] * 2, replies
        assert sums(homes[0])[1:] == sums(homes[1])[1:], (step, [sums(h) for h in homes])
        asked = [c.ok("GETQUOTAROOT INBOX").untagged for c in both]
        assert asked[0] == asked[1], (step, asked)
    for c in both:
        c.close()


def test_beside_courier(homes):
    """Both on one Maildir, in turn: each goes on with the other's file, and the sum is what lies there."""
    home = homes[0]
    for i in range(2):
        c = (peers.Courier, peers.Posthouse)[i % 2](home)
        for step in STEPS:
            run_step(c, step)
        c.ok("SELECT INBOX")
        c.ok("STORE 1:* +FLAGS (\\Deleted)")
        c.ok("EXPUNGE")
        c.close()
    b = Box.__new__(Box)
    b.path = home + "/Maildir"
    b.file = b.path + "/maildirsize"
    assert b.says() == b.holds() and b.lines()[0].replace(b",", b"") == b"8500S9C"
