# SPDX-License-Identifier: Apache-2.0
"""The backend's gate: tickets, descriptors, imapds that die, Maildirs that aren't what they should be
(BADINPUT B27 to B31, B62)."""
import json
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from lib.gate import GIVE, REFUSED, TAKEN, Gate, Refused, send
from lib.imap import Imap
from lib.server import BIN, MAIL_UID, ROOT, wait_for

GID = MAIL_UID if ROOT else os.getgid()


def account(s, user):
    return user, MAIL_UID, GID, os.path.join(s.mail, user)


def who(s):
    out = subprocess.run([os.path.join(BIN, "posthousectl"), "-C", s.conf, "who", "--json"], check=True, capture_output=True)
    return json.loads(out.stdout)


def imapd_of(s, user):
    return int(wait_for("%s in who" % user, lambda: [r["pid"] for r in who(s) if r["user"] == user])[0])


def line(sock):
    data = b""
    while not data.endswith(b"\r\n"):
        more = sock.recv(1)
        if not more:
            raise EOFError(data)
        data += more
    return data


def test_forged_replayed_foreign(server):
    s = server().start()
    g, other = Gate(s.run), Gate(s.run)
    mine, theirs = socket.socketpair()
    good = g.ticket(*account(s, "demo"))
    for ticket in (g.ticket(*account(s, "demo"), key=b"\1" * 32),   # another key
                   other.ticket(*account(s, "demo")),               # another link's nonce
                   g.ticket(*account(s, "demo"), nonce=b"\0" * 16), # none of the master's
                   good[:60] + bytes([good[60] ^ 1]) + good[61:],   # one bit
                   b"", b"\1" * 100):
        g.give(ticket, theirs.fileno())
        assert g.answer()[0] == REFUSED
    g.give(good, theirs.fileno())
    assert g.answer()[0] == TAKEN
    assert line(mine).startswith(b"t1 OK [CAPABILITY ")
    g.give(good, theirs.fileno())
    assert g.answer()[0] == REFUSED
    assert s.log().count("ticket-refused") == 7


def test_pipelined_bytes_run_once(server):
    s = server().start()
    c = Gate(s.run).login(*account(s, "demo"), unread=b"a NOOP\r\nb LOG")
    assert line(c).startswith(b"t1 OK ")
    assert line(c).startswith(b"a OK")
    c.sendall(b"OUT\r\n")
    assert line(c).startswith(b"* BYE")
    assert line(c).startswith(b"b OK")


@pytest.mark.skipif(not ROOT, reason="only root may look at another's descriptors")
def test_what_an_imapd_holds(server):
    """B27: nothing of the frontend's or the master's, no other client's socket, no rights."""
    s = server().start()
    with Imap(s.port) as c:
        c.login()
        c.ok("SELECT INBOX")
        pid = imapd_of(s, "demo")
        held = {f: os.readlink("/proc/%d/fd/%s" % (pid, f)) for f in os.listdir("/proc/%d/fd" % pid)}
        allowed = [r"/dev/null$", re.escape(s.log_path), r"anon_inode:\[event(poll|fd)\]", re.escape(s.maildir()),
                   re.escape(s.run) + "/stores/", r"socket:"]
        for number, target in held.items():
            assert any(re.match(a, target) for a in allowed), (number, target)
        # master, notifyd, this client; syslog isn't used here
        assert sum(t.startswith("socket:") for t in held.values()) <= 3
        with open("/proc/%d/status" % pid, encoding="ascii") as f:
            status = dict(x.split(":\t", 1) for x in f.read().splitlines() if ":\t" in x)
        assert status["Uid"].split() == [str(MAIL_UID)] * 4 and status["Gid"].split() == [str(GID)] * 4
        assert status["Groups"].strip() == "" and status["NoNewPrivs"] == "1"
        assert all(int(status[k], 16) == 0 for k in ("CapInh", "CapPrm", "CapEff", "CapAmb"))


@pytest.mark.skipif(not ROOT, reason="only root may count another's descriptors")
def test_flood_of_descriptors(server):
    """B28: each malformed packet ends its link, and leaves nothing behind."""
    s = server().start()
    pid = s.processes["backend"].pid
    r, w = os.pipe()

    def held():
        return len(os.listdir("/proc/%d/fd" % pid))

    before = held()
    for i in range(1000):
        g = Gate(s.run)
        if i % 5 == 0:
            send(g.sock, GIVE, b"junk", [w] * 253)
        elif i % 5 == 1:
            send(g.sock, GIVE, b"junk", [w])
        elif i % 5 == 2:
            g.give(b"x", None, fds=[w])
        elif i % 5 == 3:
            g.give(b"x", None, fds=[g.sock.fileno()] * 2)
        else:
            g.sock.send(b"\1")
        try:
            assert g.sock.recv(10) == b""
        except ConnectionResetError:
            pass
        g.close()
    os.close(r)
    os.close(w)
    wait_for("descriptors to be closed", lambda: held() <= before + 1)
    with Imap(s.port) as c:
        c.login()


def test_imapd_dies_before_it_accepts(server):
    s = server().start()
    g = Gate(s.run)
    first = g.login(*account(s, "demo"))
    assert line(first).startswith(b"t1 OK")
    pid = imapd_of(s, "demo")
    os.kill(pid, signal.SIGSTOP)
    mine, theirs = socket.socketpair()
    mine.settimeout(10)
    g.give(g.ticket(*account(s, "demo")), theirs.fileno(), b"a NOOP\r\n")
    theirs.close()
    time.sleep(0.2)
    os.kill(pid, signal.SIGKILL)
    assert g.answer()[0] == TAKEN  # another imapd has it
    assert line(mine).startswith(b"t1 OK")
    assert first.recv(10) == b""
    assert imapd_of(s, "demo") != pid


def test_imapd_hangs(server):
    s = server(AUTH_TIMEOUT=2).start()
    g = Gate(s.run)
    first = g.login(*account(s, "demo"))
    pid = imapd_of(s, "demo")
    os.kill(pid, signal.SIGSTOP)
    mine, theirs = socket.socketpair()
    mine.settimeout(10)
    g.give(g.ticket(*account(s, "demo")), theirs.fileno())
    theirs.close()
    kind, _, rest = g.answer()
    assert kind == REFUSED and Refused(rest).code == "UNAVAILABLE"
    os.kill(pid, signal.SIGCONT)
    assert mine.recv(10) == b""  # two never speak to one client
    first.close()
    with Imap(s.port) as c:
        c.login()


def test_limit_per_account(server):
    s = server(MAXPERUSER=3).start()
    clients = [Imap(s.port).login() for _ in range(3)]
    with Imap(s.port) as c:
        reply = c.cmd("LOGIN demo demo")
        assert reply.status == "NO" and "[LIMIT]" in reply.text
    assert "ALERT: MAXPERUSER" in s.log()
    clients[0].close()

    def again():
        with Imap(s.port) as c:
            return c.cmd("LOGIN demo demo").ok
    wait_for("a place", again)


def test_maildirs_that_are_none(server):
    """B62: a link, a file or another's directory is no Maildir; the log says what to do."""
    s = server(users=["demo", "link", "file", "fifo"]).start()
    s.make_maildir("demo")
    for user in ("link", "file", "fifo"):
        os.mkdir(os.path.join(s.mail, user))
    os.symlink(s.maildir("demo"), s.maildir("link"))
    with open(s.maildir("file"), "wb"):
        pass
    os.mkfifo(s.maildir("fifo"))
    for user in ("link", "file", "fifo"):
        s.give(os.path.join(s.mail, user))
        with Imap(s.port) as c:
            reply = c.cmd("LOGIN %s %s" % (user, user))
            assert reply.status == "NO" and "[UNAVAILABLE]" in reply.text, user
        assert "user=%s " % user in s.log()
    assert "symbolic link" in s.log() and "not a directory" in s.log()
    g = Gate(s.run)
    for bad in (("root", 0, 0, "/root"), ("rel", MAIL_UID, GID, "relative"), ("none", 2**32 - 1, GID, s.mail)):
        with pytest.raises(Refused):
            g.login(*bad)
    with pytest.raises(Refused):
        g.login("up", MAIL_UID + 1, GID, os.path.join(s.mail, "demo"))


def test_maildir_is_made(server):
    s = server().start()
    for sub in ("cur", "new", "tmp"):
        st = os.stat(os.path.join(s.maildir(), sub))
        assert st.st_uid == MAIL_UID and st.st_mode & 0o777 == 0o700


@pytest.mark.slow
def test_nobody_gets_anothers_mail(server):
    """B30: logins and ends race; each client finds the folder that only its own account has."""
    users = ["r%d" % i for i in range(8)]
    s = server(users=["demo"] + users, IMAPD_LINGER=0)
    for user in users:
        s.make_maildir(user, "of-" + user)
    s.start()
    end, faults, done = time.monotonic() + 8, [], []

    def race(seed):
        rng, g = random.Random(seed), Gate(s.run)
        while time.monotonic() < end and not faults:
            user = rng.choice(users)
            try:
                c = g.login(*account(s, user), unread=b'a LIST "" INBOX.of-*\r\n')
                answer = line(c) + line(c) + line(c)
                c.close()
            except (OSError, EOFError, Refused) as fault:
                faults.append("%s: %r" % (user, fault))
                return
            if answer.count(b"of-") != 1 or b"of-" + user.encode() not in answer:
                faults.append("%s: %r" % (user, answer))
            done.append(1)

    threads = [threading.Thread(target=race, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not faults, faults[:3]
    print("%d logins" % len(done))
