# SPDX-License-Identifier: Apache-2.0
"""Trash (FEATURES.md R104 to R106): EXPUNGE that moves there, what goes by its age, the log of deletions, umask."""
import os
import re
import stat
import threading
import time

import pytest

from lib.imap import Imap
from lib.server import MAIL_UID, ROOT, Server, wait_for

TEXT = b"Subject: t%d\r\n\r\nbody\r\n"
USERS = ["demo"] + ["t%d:{PLAIN}t%d::::::quota=9000000S" % (i, i) for i in range(20)]


@pytest.fixture(scope="module")
def trash():
    server = Server(users=USERS, IMAP_MOVE_EXPUNGE_TO_TRASH=1, IMAP_LOG_DELETIONS=1, IMAP_UMASK="027").start()
    yield server
    server.stop()


NUMBERS = iter(range(20))


@pytest.fixture
def box(trash):
    user = "t%d" % next(NUMBERS)
    trash.make_maildir(user)
    with Imap(trash.port).login(user) as c:
        c.user, c.server, c.path = user, trash, trash.maildir(user)
        yield c


def subjects(c, folder):
    got = c.ok("EXAMINE " + folder)
    if got.find(r"^\* 0 EXISTS"):
        return []
    return sorted(int(m[1]) for m in c.ok("FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]").all(r"Subject: t(\d+)"))


def fill(c, n, folder="INBOX", flags=""):
    for i in range(n):
        assert c.append(folder, TEXT % i, flags).ok


def files(path):
    return os.listdir(os.path.join(path, "cur")) + os.listdir(os.path.join(path, "new"))


def test_expunge_moves(box):
    c = box
    assert b"XMAGICTRASH" in c.ok("CAPABILITY").untagged[0].split()
    fill(c, 5)
    c.ok("SELECT INBOX")
    c.ok("EXPUNGE")
    c.ok("CLOSE")
    assert not c.ok('LIST "" *').find("Trash")  # none is made for nothing
    c.ok("SELECT INBOX")
    c.ok("STORE 1,3 +FLAGS (\\Deleted \\Draft \\Seen key)")
    assert c.ok("EXPUNGE").untagged[:2] == [b"* 1 EXPUNGE", b"* 2 EXPUNGE"]
    c.ok("STORE 1:2 +FLAGS (\\Deleted)")
    uid = c.ok("FETCH 2 UID").find(r"UID (\d+)")[1].decode()
    assert c.ok("UID EXPUNGE " + uid).find(r"^\* 2 EXPUNGE")
    c.ok("CLOSE")
    assert subjects(c, "INBOX") == [4] and subjects(c, "INBOX.Trash") == [0, 1, 2, 3]
    flags = c.ok("FETCH 1 FLAGS").untagged[-1]
    assert b"\\Seen" in flags and b"key" in flags and b"\\Deleted" not in flags and b"\\Draft" not in flags
    c.ok("SELECT INBOX.Trash")
    c.ok("STORE 1:2 +FLAGS (\\Deleted)")
    c.ok("EXPUNGE")  # there, it is the end
    assert subjects(c, "INBOX.Trash") == [2 if i == 0 else 3 for i in range(2)] or \
        len(subjects(c, "INBOX.Trash")) == 2


def test_many_in_slices(box):
    """More than one slice, with a second session that watches; nothing lost, nothing twice."""
    c = box
    path = os.path.join(c.path, "cur")
    for i in range(2300):
        name = os.path.join(path, "%d.M%06dP1Q%d.test,S=%d:2,T" % (1700000000 + i, i, i, len(TEXT % i) - 3))
        with open(name, "wb") as f:
            f.write((TEXT % i).replace(b"\r", b""))
        if ROOT:
            os.chown(name, MAIL_UID, MAIL_UID)
    with Imap(c.server.port).login(c.user) as other:
        c.ok("SELECT INBOX")
        other.ok("SELECT INBOX")
        assert len(c.ok("EXPUNGE").all(r"^\* 1 EXPUNGE|^\* \d+ EXPUNGE")) == 2300
        assert len(other.ok("NOOP").all(r"EXPUNGE$")) == 2300
    assert files(c.path) == [] and len(files(os.path.join(c.path, ".Trash"))) == 2300
    assert c.ok("STATUS INBOX.Trash (MESSAGES UIDNEXT)").find(r"MESSAGES 2300 UIDNEXT 2301\)")
    assert len({os.stat(os.path.join(c.path, ".Trash", "cur", f)).st_size for f in
                os.listdir(os.path.join(c.path, ".Trash", "cur"))}) == 4  # the numbers' digits: none stands for another


def test_two_sessions_expunge_at_once(box):
    c = box
    fill(c, 40, flags="\\Deleted")

    def expunge():
        with Imap(c.server.port).login(c.user) as other:
            other.ok("SELECT INBOX")
            other.ok("EXPUNGE")
    threads = [threading.Thread(target=expunge) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert subjects(c, "INBOX") == [] and subjects(c, "INBOX.Trash") == list(range(40))


def test_log_and_modes(box):
    c = box
    fill(c, 1, flags="\\Seen")
    c.ok("SELECT INBOX")
    name = os.listdir(os.path.join(c.path, "cur"))[0]
    mode = os.stat(os.path.join(c.path, "cur", name)).st_mode
    assert stat.S_IMODE(mode) == 0o640
    assert stat.S_IMODE(os.stat(os.path.join(c.path, "posthouse", "mark")).st_mode) & 0o077 == 0
    c.ok("STORE 1 +FLAGS (\\Deleted)")
    c.ok("EXPUNGE")
    base = name.split(":")[0]
    line = wait_for("a log line", lambda: re.search(r"EXPUNGED, user=%s, ip=\[127.0.0.1\], port=\[\d+\], old_name=([^,]*)"
                                                    % c.user, c.server.log()))
    assert line[1].startswith("./cur/" + base.split(",")[0]), line[0]
    assert c.server.log().count("EXPUNGED, user=%s," % c.user) == 1


def test_trash_that_cannot_be_made(box):
    """Then nothing is expunged."""
    c = box
    fill(c, 2, flags="\\Deleted")
    with open(os.path.join(c.path, ".Trash"), "wb") as f:
        f.write(b"a file")
    c.ok("SELECT INBOX")
    assert c.cmd("EXPUNGE").status == "NO"
    assert c.cmd("CLOSE").status == "NO"
    assert len(files(c.path)) == 2
    os.unlink(os.path.join(c.path, ".Trash"))
    c.ok("EXPUNGE")
    assert subjects(c, "INBOX.Trash") == [0, 1]


def counted(path):
    with open(os.path.join(path, "maildirsize"), "rb") as f:
        return sum(int(line.split()[1]) for line in f.read().splitlines()[1:])


# ---- IMAP_EMPTYTRASH: ctime can't be set, so 0 days, and a limit far away -----------------------------------------

def test_old_ones_go_at_login_and_logout(server):
    s = server(users=USERS, IMAP_EMPTYTRASH="'Trash:0, INBOX.Sent:0,Work:300,bad,../x:1,:,Sub.x:0'").start()
    for folder in (None, "Trash", "Sent", "Work", "Sub.x"):
        for _ in range(3):
            s.deliver(user="t0", folder=folder)
        s.deliver(user="t0", folder=folder, flags="S")
    path = s.maildir("t0")
    with open(os.path.join(path, "maildirsize"), "wb") as f:
        f.write(b"9000000S\n%12d %12d\n" % (16 * 21, 16))
    s.give(path)
    time.sleep(1.1)  # ctime has seconds
    with Imap(s.port).login("t0") as c:
        wait_for("the purge", lambda: not sum((files(os.path.join(path, d)) for d in (".Trash", ".Sent", ".Sub.x")), []))
        assert len(files(path)) == 4 and len(files(os.path.join(path, ".Work"))) == 4
        assert c.ok("STATUS INBOX.Sent (MESSAGES UIDNEXT)").find(r"MESSAGES 0 UIDNEXT 5")
        assert c.ok("GETQUOTA ROOT").find(r"STORAGE 1 ")
        wait_for("the quota to follow", lambda: counted(path) == 8)
        s.deliver(user="t0", folder="Trash")
        c.ok("SELECT INBOX.Sent")
        time.sleep(1.1)
        c.ok("LOGOUT")
    wait_for("the purge", lambda: not files(os.path.join(path, ".Trash")))
    assert s.log().count("purge_unknown") >= 2


def test_young_ones_stay(server):
    s = server(users=USERS, IMAP_EMPTYTRASH="7", IMAP_TRASHFOLDERNAME="Bin", IMAP_MOVE_EXPUNGE_TO_TRASH=1).start()
    for _ in range(3):
        s.deliver(user="t0", folder="Bin")
    for path in files(s.maildir("t0", "Bin")):
        os.utime(os.path.join(s.maildir("t0", "Bin"), "new", path), (1, 1))  # mtime is not what counts
    for _ in range(2):
        with Imap(s.port).login("t0") as c:
            fill(c, 1, flags="\\Deleted")
            c.ok("SELECT INBOX")
            c.ok("EXPUNGE")
            c.ok("LOGOUT")
    assert len(files(s.maildir("t0", "Bin"))) == 5
