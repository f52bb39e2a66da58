# SPDX-License-Identifier: Apache-2.0
"""What may lie in a Maildir that isn't a message, and what the volume may do (BADINPUT.md, rows "Maildir")."""
import contextlib
import os
import signal
import socket
import subprocess
import time

import pytest

from lib.guard import Guard, imapd_of
from lib.imap import Imap
from lib.server import MAIL_UID, ROOT, wait_for

pytestmark = pytest.mark.usefixtures("guard")
root_only = pytest.mark.skipif(not ROOT, reason="only root can")
SECRET = b"root-only-secret-content"


def put(path, text=b"Subject: x\n\nx\n", owner=MAIL_UID, mode=0o600):
    with open(path, "wb") as f:
        f.write(text)
    os.chmod(path, mode)
    if ROOT:
        os.chown(path, owner, owner)
    return path


def subjects(c):
    return sorted(m.group(1).decode() for m in c.ok("UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]").all(r"Subject: (\w+)"))


# ---- what is no message ---------------------------------------------------------------------------------
@pytest.mark.parametrize("sub", ["cur", "new"])
def test_only_regular_files_of_the_user_are_messages(shared_server, account, guard, tmp_path, sub):
    """B62"""
    account.deliver(b"Subject: good\n\nx\n")
    d = os.path.join(account.maildir, sub)
    secret = put(os.path.join(shared_server.dir, "secret"), b"Subject: %s\n\nx\n" % SECRET, 0, 0o644)
    bad = ["symlink", "dangling", "fifo", "dir", "socket"]
    os.symlink(secret, d + "/1.symlink:2,")
    os.symlink("/nonexistent", d + "/1.dangling:2,")
    os.mkfifo(d + "/1.fifo:2,")
    os.mkdir(d + "/1.dir:2,")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(d + "/1.socket:2,")
    shared_server.give(d)
    if ROOT:
        bad += ["link", "foreign", "device"]
        os.link(secret, d + "/1.link:2,")
        put(d + "/1.foreign:2,", b"Subject: " + SECRET, 0)
        os.mknod(d + "/1.device:2,", 0o666 | 0o020000, os.makedev(1, 5))  # /dev/zero
    with account.client(select="INBOX") as c:
        assert subjects(c) == ["good"]
        assert SECRET not in b"".join(c.ok("FETCH 1:* (BODY.PEEK[] ENVELOPE)").untagged)
        c.ok("STORE 1:* +FLAGS (\\Flagged)")
    for name in bad:
        assert "1.%s:2," % name in guard.log(), name
        assert os.path.lexists(os.path.join(d, "1.%s:2," % name))
    os.unlink(secret)


@root_only
def test_a_message_that_cannot_be_read(account):
    """B62: it is there, and what needs its text is refused; the others are not touched by it."""
    account.deliver(b"Subject: good\n\nx\n")
    d = os.path.join(account.maildir, "cur")
    put(d + "/1.mine:2,S", mode=0)
    with account.client(select="INBOX") as c:
        n = len(c.ok("FETCH 1:* (UID FLAGS)").all("FETCH"))
        c.cmd("FETCH 1:* BODY.PEEK[]")
        assert subjects(c) == ["good"] if n == 1 else True
        for i in range(1, n + 1):
            reply = c.cmd("FETCH %d (UID BODY.PEEK[])" % i)
            assert reply.ok or reply.status == "NO"
        c.ok("NOOP")


@pytest.mark.parametrize("part", ["cur", "new", "posthouse"])
def test_linked_directories_are_not_followed(shared_server, account, part):
    """B62: another user's mail isn't read, no file of ours is written there."""
    other = shared_server.make_maildir("elsewhere")
    put(other + "/cur/1.other:2,", b"Subject: stolen\n\nx\n")
    os.makedirs(other + "/posthouse", exist_ok=True)
    shared_server.give(other)
    before = sorted(os.listdir(other + "/" + part))
    folder = os.path.join(account.maildir, ".f")
    with account.client() as c:
        c.ok("CREATE INBOX.f")
        if os.path.isdir(os.path.join(folder, part)):
            os.rename(os.path.join(folder, part), os.path.join(folder, "was"))
        os.symlink(os.path.join(other, part), os.path.join(folder, part))
        os.symlink(other, os.path.join(account.maildir, ".link"))
        reply = c.cmd("SELECT INBOX.f")
        assert reply.status == "NO", reply
        assert c.cmd("SELECT INBOX.link").status == "NO"
        assert c.cmd("STATUS INBOX.link (MESSAGES)").status == "NO"
        assert c.append("INBOX.link", b"x: y\r\n\r\n").status == "NO"
        assert not c.ok('LIST "" *').find("link")
        c.cmd("DELETE INBOX.link")
        c.ok("SELECT INBOX")
    assert sorted(os.listdir(other + "/" + part)) == before
    assert os.path.exists(other + "/cur/1.other:2,")


@pytest.mark.parametrize("kind", ["fifo", "dir", "symlink"])
@pytest.mark.parametrize("name", ["courierimapsubscribed", "posthouse/mark", "posthouse/lock", "posthouse/journal.1",
                                  "posthouse/uidvalidity", "posthouse/uidvalidity.lock", "posthouse/steal", "maildirfolder"])
def test_our_own_files_may_be_anything(server_with_short_locks, name, kind):
    """B62, B65: no open blocks, nothing is written through a link; other folders go on."""
    s, user = server_with_short_locks
    folder = s.make_maildir(user, "%s-%s" % (name.replace("/", "_").replace(".", "_"), kind))
    target = folder if name.startswith("posthouse/") and "uidvalidity" not in name else s.maildir(user)
    path = os.path.join(target, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    kept = path + ".kept"
    if os.path.lexists(path):
        os.rename(path, kept)
    outside = put(os.path.join(s.mail, "outside"), b"outside\n")
    make_odd(path, kind, outside)
    s.give(target)
    g = Guard(s)
    with Imap(s.port) as c:
        c.login(user)
        box = "INBOX." + os.path.basename(folder)[1:]
        for command in ("SELECT " + box, 'LIST "" %', 'LSUB "" *', "SUBSCRIBE " + box, "CREATE %s.x" % box,
                        "STATUS %s.x (MESSAGES)" % box):
            c.cmd(command)  # NO is an answer, too
        c.append(box, b"x: y\r\n\r\n")
        c.ok("NOOP")
    g.check()
    with open(outside, "rb") as f:
        assert f.read() == b"outside\n"
    remove_odd(path)
    if os.path.lexists(kept):
        os.rename(kept, path)
    with Imap(s.port) as c:
        c.login(user)
        c.ok("SELECT INBOX")
        c.ok('LIST "" *')


def make_odd(path, kind, outside):
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "dir":
        os.mkdir(path)
        put(path + "/x")
    else:
        os.symlink(outside, path)


def remove_odd(path):
    if os.path.isdir(path) and not os.path.islink(path):
        subprocess.run(["rm", "-rf", path], check=True)
    elif os.path.lexists(path):
        os.unlink(path)


@pytest.fixture(scope="module")
def server_with_short_locks():
    from lib.server import Server
    s = Server(users=["demo", "odd"], LOCK_TIMEOUT=1, MAXPERIP=1000).start()
    s.make_maildir("odd")
    yield s, "odd"
    s.stop()


# ---- names ----------------------------------------------------------------------------------------------
NAMES = [b"1" * 251 + b":2,S", b"x" * 255, b"1.twice:2,S:2,F", b"1.new\nline:2,", b"1.flags:2,ZZQ!\x01", b"1.\xff\xfe:2,", b"1.comma:2",
         b"1.seven:1,S", b"1.x:2,SSSSFFFF", b"1.tab\t:2,T", b"1.S=99999,W=5:2,", b"1.\"quote\\:2,", b"%s%n:2,", b":2,S", b"..x", b"1. blank"]


def test_odd_names_keep_their_uids(shared_server, account):
    """B63: each file is one message with one UID, now and in the next session."""
    account.deliver()
    for sub in (b"cur", b"new"):
        for i, name in enumerate(NAMES):
            path = os.path.join(account.maildir.encode(), sub, name if sub == b"cur" else b"n" + name[1:])
            if len(path.rsplit(b"/", 1)[1]) <= 255 and not os.path.exists(path):
                put(path, b"Subject: s%d%s\n\nx\n" % (i, sub))
    found = []
    for _ in range(2):
        with account.client(select="INBOX") as c:
            reply = c.ok("UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            found.append(sorted((int(m.group(1)), m.group(2)) for m in reply.all(r"UID (\d+) .*Subject: (\w+)")))
            assert c.ok("STATUS INBOX (UIDNEXT)")
    assert found[0] == found[1]
    uids = [u for u, _ in found[0]]
    assert len(set(uids)) == len(uids) >= 20
    with account.client(select="INBOX") as c:
        c.cmd("STORE 1:* +FLAGS (\\Flagged k1)")
        c.cmd("STORE 1:* -FLAGS (\\Flagged)")
        c.ok("NOOP")


def test_one_base_name_twice(shared_server, account):
    """B63: in new/ and in cur/: one message, and a line in the log."""
    shared_server.make_maildir(account.user)
    put(account.maildir + "/cur/1.same:2,S", b"Subject: a\n\nx\n")
    put(account.maildir + "/new/1.same", b"Subject: b\n\nx\n")
    put(account.maildir + "/cur/1.same:2,F", b"Subject: c\n\nx\n")
    with account.client(select="INBOX") as c:
        first = subjects(c)
        assert len(first) == 1
        c.ok("NOOP")
        assert subjects(c) == first
    assert len([n for d in ("cur", "new") for n in os.listdir(os.path.join(account.maildir, d)) if n.startswith("1.same")]) == 3


# ---- changed behind our back ----------------------------------------------------------------------------
def sound(c):
    """The stream is in step: what follows a literal is an answer."""
    c.ok("NOOP")
    c.ok("FETCH 1:* (UID FLAGS)")


@pytest.mark.parametrize("size", [0, 10, 5000, 100000])
def test_truncated_or_grown_between_commands(account, size):
    """B61: the literal's length is what is sent, whatever SIZE said before."""
    name = account.deliver(b"Subject: t\n\n" + b"0123456789\n" * 1000)
    with account.client(select="INBOX") as c:
        c.ok("FETCH 1 (RFC822.SIZE BODYSTRUCTURE ENVELOPE)")
        path = [os.path.join(account.maildir, "cur", n) for n in os.listdir(account.maildir + "/cur") if n.startswith(name)][0]
        put(path, (b"Subject: t\n\n" + b"abcdefghij\n" * 10000)[:size])
        for item in ("BODY.PEEK[]", "BODY.PEEK[TEXT]", "BODY.PEEK[]<5000.100000>", "BODY.PEEK[HEADER]", "BODYSTRUCTURE", "RFC822.SIZE"):
            c.cmd("FETCH 1 " + item)
            sound(c)
        c.cmd("SEARCH BODY abc")
        sound(c)


def test_truncated_while_it_is_sent(account):
    """B61: the literal is filled or the connection closed; nothing else can come in the message's place."""
    name = account.deliver(b"Subject: t\n\n" + b"0123456789abcde\n" * 1000000)
    for cut in (100, 0, 8000000):
        c = account.client(select="INBOX")
        path = [os.path.join(account.maildir, "cur", n) for n in os.listdir(account.maildir + "/cur") if n.startswith(name)][0]
        c.send(b"a FETCH 1 BODY.PEEK[]\r\nb NOOP\r\n")
        time.sleep(0.05)
        os.truncate(path, cut)
        try:
            reply = c.finish(b"a")
            assert reply.status in ("OK", "NO")
            assert c.finish(b"b").ok
        except (EOFError, ConnectionError):
            pass
        put(path, b"Subject: t\n\n" + b"0123456789abcde\n" * 1000000)


def test_wrong_size_in_the_name(shared_server, account):
    """B61"""
    shared_server.make_maildir(account.user)
    put(account.maildir + "/cur/1.x,S=5,W=7:2,", b"Subject: t\n\n" + b"0123456789\n" * 10)
    with account.client(select="INBOX") as c:
        size = int(c.ok("FETCH 1 RFC822.SIZE").find(r"SIZE (\d+)").group(1))
        body = c.ok("FETCH 1 BODY.PEEK[]").find(rb"\{(\d+)\}\r\n(.*)\)")
        assert int(body.group(1)) == len(body.group(2)) and size in (int(body.group(1)), 7)
        sound(c)


def test_everything_goes_while_a_session_is_there(shared_server, account):
    """B66: files, then directories, then the whole Maildir."""
    for i in range(5):
        account.deliver(b"Subject: m%d\n\nx\n" % i)
    c, idler = account.client(select="INBOX"), account.client(select="INBOX")
    c.ok("CREATE INBOX.f")
    idler.idle()
    for n in os.listdir(account.maildir + "/cur"):
        os.unlink(os.path.join(account.maildir, "cur", n))
    idler.idle_until("EXPUNGE")
    for part in ("cur", "new", "posthouse"):
        os.rename(os.path.join(account.maildir, part), os.path.join(account.maildir, "gone-" + part))
        for command in ("NOOP", "FETCH 1:* BODY.PEEK[]", "STORE 1:* +FLAGS (a)", "STATUS INBOX (MESSAGES)", "SELECT INBOX.f"):
            try:
                c.cmd(command)
            except (EOFError, ConnectionError):
                c = account.client()
        try:
            c.append("INBOX", b"x: y\r\n\r\n")
        except (EOFError, ConnectionError):
            pass
    subprocess.run(["rm", "-rf", account.maildir], check=True)
    with Imap(shared_server.port) as other:
        other.cmd("LOGIN %s %s" % (account.user, account.user))
    with Imap(shared_server.port) as other:
        other.login()


# ---- locks ----------------------------------------------------------------------------------------------
def lock_text(pid, boot=None):
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
        boot = boot or f.read().strip()
    return "%s %s %d %d host\n" % ("0" * 32, boot, os.stat("/proc/self/ns/pid").st_ino, pid)


def dead_pid():
    p = subprocess.Popen(["true"])
    p.wait()
    return p.pid


def test_locks_of_the_dead_and_of_the_living(server_with_short_locks):
    """B67"""
    s, user = server_with_short_locks
    folder = s.make_maildir(user, "locked")
    with Imap(s.port) as c:
        c.login(user)
        c.ok("SELECT INBOX.locked")
        assert c.append("INBOX.locked", b"x: y\r\n\r\n").ok
        lock = folder + "/posthouse/lock"
        put(lock, lock_text(dead_pid()).encode())
        c.ok("STORE 1 +FLAGS (dead)")
        put(lock, lock_text(s.processes["backend"].pid).encode())
        reply = c.cmd("STORE 1 +FLAGS (held)")
        assert reply.status == "NO" and "[INUSE]" in reply.text
        assert c.append("INBOX.locked", b"x: y\r\n\r\n").status == "NO"
        put(lock, lock_text(1, "other-host").encode())
        assert c.cmd("STORE 1 +FLAGS (other)").status == "NO"
        os.utime(lock, (time.time() - 1000,) * 2)
        c.ok("STORE 1 +FLAGS (stale)")
        for text in (b"", b"\0" * 300, b"x" * 5000, b"%s %n 1 -1 x\n", lock_text(-1).encode(), lock_text(0).encode()):
            put(lock, text)
            os.utime(lock, (time.time() - 1000,) * 2)
            c.cmd("STORE 1 +FLAGS (text)")
            if os.path.exists(lock):
                os.unlink(lock)
            c.ok("STORE 1 -FLAGS (text)")
        assert c.ok("STATUS INBOX.locked (MESSAGES)").find(r"MESSAGES 1\)")
        assert not os.listdir(folder + "/tmp")


# ---- full and read-only volumes -------------------------------------------------------------------------
@pytest.fixture(params=["tmpfs", "ext4"])
def volume(request, server, tmp_path):
    """A server whose demo account lives on a small volume."""
    s = server(users=["demo", "other"], LOCK_TIMEOUT=1, IMAPD_LINGER=0)
    home = os.path.join(s.mail, "demo")
    os.mkdir(home)
    if request.param == "tmpfs":
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "none", home], capture_output=True)
    else:
        image = str(tmp_path / "image")
        with open(image, "wb") as f:
            f.truncate(8 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", image], check=True)
        made = subprocess.run(["mount", "-o", "loop", image, home], capture_output=True)
    if made.returncode != 0:
        pytest.skip("mount: %s" % made.stderr.decode())
    s.give(home)
    s.start()
    yield s
    s.stop()
    subprocess.run(["umount", "-l", home], check=True)


def fill(home):
    """All the room there is."""
    path = os.path.join(home, "filler")
    for size in (65536, 512):
        with open("%s.%d" % (path, size), "wb", buffering=0) as f, contextlib.suppress(OSError):
            while f.write(b"x" * size) == size:
                pass
    for i in range(3000):
        try:
            with open("%s.%d" % (path, i), "wb", buffering=0) as f:
                f.write(b"x")
        except OSError:
            return


def empty(home):
    for n in os.listdir(home):
        if n.startswith("filler"):
            os.unlink(os.path.join(home, n))


@root_only
def test_full_volume(volume):
    """B45, B67: NO [OVERQUOTA] or [UNAVAILABLE]; nothing lost, no UID twice, and it goes on when there is room."""
    s = volume
    home, guard = os.path.join(s.mail, "demo"), Guard(s)
    c = Imap(s.port).login()
    c.ok("SELECT INBOX")
    c.ok("CREATE INBOX.f")
    uids = [int(c.append("INBOX", b"Subject: m%d\r\n\r\n%s\r\n" % (i, b"x" * 3000)).text.split("]")[0].split()[-1]) for i in range(20)]
    c.ok("STORE 1 +FLAGS (\\Flagged kept)")
    fill(home)
    answers = {}
    for name, command in (("store", "STORE 2:20 +FLAGS (k%s)" % ("y" * 100)), ("copy", "COPY 1:20 INBOX.f"), ("create", "CREATE INBOX.g"),
                          ("subscribe", "SUBSCRIBE INBOX.f"), ("flag", "STORE 3 +FLAGS (\\Seen)"), ("move", "MOVE 20 INBOX.f"),
                          ("rename", "RENAME INBOX.f INBOX.h"), ("delete", "STORE 4 +FLAGS (\\Deleted)"), ("expunge", "EXPUNGE"),
                          ("status", "STATUS INBOX (MESSAGES UIDNEXT)"), ("select", "EXAMINE INBOX"), ("again", "SELECT INBOX")):
        reply = answers[name] = c.cmd(command)
        assert reply.ok or (reply.status == "NO" and ("[OVERQUOTA]" in reply.text or "[UNAVAILABLE]" in reply.text)), (name, reply)
    fill(home)  # EXPUNGE may have made some room
    for size in (10, 5000, 500000):
        reply = c.append("INBOX", b"Subject: full\r\n\r\n" + b"y" * size)
        assert reply.status == "NO" and ("[OVERQUOTA]" in reply.text or "[UNAVAILABLE]" in reply.text), reply
    with Imap(s.port) as other:
        other.login("other")
        other.ok("SELECT INBOX")
    with Imap(s.port) as second:
        second.login()
        second.ok("EXAMINE INBOX")
        assert len(second.ok("UID SEARCH ALL").find("SEARCH(.*)").group(1).split()) >= 18
    assert c.ok("NOOP")
    os.kill(imapd_of(s, "demo"), signal.SIGKILL)  # not closed in order: its folders are opened anew on the full disk
    assert c.closed()
    c = Imap(s.port).login()
    c.ok("SELECT INBOX")
    assert len(c.ok("UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]").all("Subject: m")) >= 18
    assert c.append("INBOX", b"Subject: full\r\n\r\n" + b"y" * 9000).status == "NO"
    empty(home)
    wait_for("room again", lambda: c.append("INBOX", b"Subject: new\r\n\r\nz\r\n").ok)
    c.ok("SELECT INBOX")
    c.ok("STORE 1 +FLAGS (\\Answered)")
    after = [int(u) for u in c.ok("UID SEARCH ALL").find("SEARCH(.*)").group(1).split()]
    moved = 0 if not answers["move"].ok else 1
    expunged = 1 if answers["delete"].ok and answers["expunge"].ok else 0
    assert len([u for u in after if u in uids]) == 20 - moved - expunged
    assert max(after) > max(uids) and len(set(after)) == len(after)
    assert c.ok("FETCH 1 FLAGS").find("kept")
    for m in c.ok("UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]").all(r"Subject: (\w+)"):
        assert m.group(1) != b"full"
    for d in (s.maildir(), s.maildir(folder="f"), s.maildir(folder="h")):
        if os.path.isdir(d):
            assert not os.listdir(d + "/tmp"), d
    c.close()
    assert guard.daemons(guard.processes()) == guard.daemons(guard.before) and "Sanitizer" not in guard.log()


def remount(home, how):
    """Of this mount point, whatever is open for writing."""
    return subprocess.run(["mount", "-o", "remount,bind," + how, home], check=False, capture_output=True).returncode == 0


@root_only
def test_read_only_volume(volume):
    """B67: mail stays readable; what would change it is NO."""
    s = volume
    home, guard = os.path.join(s.mail, "demo"), Guard(s)
    with Imap(s.port) as c:
        c.login()
        assert c.append("INBOX", b"Subject: kept\r\n\r\nx\r\n").ok
        c.ok("SELECT INBOX")
    wait_for("the imapd to go", lambda: remount(home, "ro"))
    with Imap(s.port) as c:
        c.login()
        c.cmd("SELECT INBOX")
        assert c.ok("EXAMINE INBOX")
        assert c.ok("FETCH 1 BODY[]").find("Subject: kept")
        for command in ("STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "CREATE INBOX.x", "COPY 1 INBOX", "SUBSCRIBE INBOX"):
            assert c.cmd(command).status in ("NO", "BAD"), command
        assert c.append("INBOX", b"Subject: no\r\n\r\nx\r\n").status == "NO"
        c.ok('LIST "" *')
        assert remount(home, "rw")
        c.ok("SELECT INBOX")
        c.ok("STORE 1 +FLAGS (\\Seen)")
        assert c.ok("FETCH 1 BODY.PEEK[]").find("Subject: kept")
    guard.check()
