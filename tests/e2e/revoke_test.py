# SPDX-License-Identifier: Apache-2.0
"""An account that was changed: nothing kept of it lets anybody in, and its sessions end (N10)."""
import os
import socket
import subprocess
import time

from lib.gate import REFUSED, TAKEN, Gate
from lib.imap import Imap
from lib.server import BIN, MAIL_UID, ROOT

GID = MAIL_UID if ROOT else os.getgid()


def ctl(s, *words):
    return subprocess.run([os.path.join(BIN, "posthousectl"), "-C", s.conf, *words], capture_output=True, text=True,
                          timeout=30)


def test_sessions_of_a_revoked_user_end(server):
    s = server(users=("demo", "bob")).start()
    tls, plain, other = Imap(s.sslport, tls=True).login(), Imap(s.port).login(), Imap(s.port).login("bob")
    tls.ok("SELECT INBOX")
    tls.idle()
    done = ctl(s, "revoke", "demo")
    assert done.returncode == 0 and "sessions ended: 2" in done.stdout, done
    for client in (tls, plain):
        assert client.closed(5) and b"* BYE [EXPIRED]" in client.last, client.last
    other.ok("NOOP")
    Imap(s.port).login().ok("NOOP")  # who logs in anew is let in
    assert "account revoked" in s.log() and "sessions ended" in s.log()


def test_revoking_nobody(server):
    s = server().start()
    assert "sessions ended: 0" in ctl(s, "revoke", "nobody").stdout
    assert ctl(s, "revoke").returncode == 2 and ctl(s, "revoke", "a", "b").returncode == 2
    assert "sessions ended: 0" in ctl(s, "revoke", "a\tb\n").stdout  # no account can have this name
    s.stop_one("backend")
    late = ctl(s, "revoke", "demo")
    assert late.returncode == 1 and "backend" in late.stderr


def test_a_ticket_from_before_comes_too_late(server):
    s = server().start()
    g = Gate(s.run)
    before = int(time.time() * 1000)
    account = ("demo", MAIL_UID, GID, os.path.join(s.mail, "demo"))
    assert ctl(s, "revoke", "demo").returncode == 0
    mine, theirs = socket.socketpair()
    g.give(g.ticket(*account, begun=before), theirs.fileno())
    assert g.answer()[0] == REFUSED
    g.give(g.ticket(*account, begun=int(time.time() * 1000) + 1), theirs.fileno())
    assert g.answer()[0] == TAKEN
    mine.close()


def test_kick(server):
    s = server(users=("demo", "bob")).start()
    a, b = Imap(s.port).login(), Imap(s.port).login("bob")
    assert "sessions ended: 1" in ctl(s, "kick", "user", "demo").stdout
    assert a.closed(5) and b"* BYE" in a.last
    b.ok("NOOP")
    row = ctl(s, "who", "--json").stdout
    session = row.split('"session"')[1].split('"')[1]
    assert "sessions ended: 1" in ctl(s, "kick", "session", session).stdout
    assert b.closed(5)
    c = Imap(s.port).login()
    assert "sessions ended: 1" in ctl(s, "kick", "address", "127.0.0.1").stdout
    assert c.closed(5)
    assert ctl(s, "kick", "planet", "x").returncode == 2


def test_changed_passwd_file_counts_at_once(server):
    s = server().start()
    Imap(s.port).login()
    with open(s.passwd, "w", encoding="utf-8") as f:
        f.write("demo:{PLAIN}new::::::\n")
    end = time.monotonic() + 10
    while not s.log().count("accounts read") > 1 and time.monotonic() < end:
        time.sleep(0.05)
    assert not Imap(s.port).cmd("LOGIN demo demo").ok
    Imap(s.port).login("demo", "new")
