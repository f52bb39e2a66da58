# SPDX-License-Identifier: Apache-2.0
"""What an account's home and Maildir must be before it is served (R14, R15, R107, R112), and what is made of them."""
import os
import stat
import subprocess
import sys
import threading

import pytest

from lib.imap import Imap
from lib.server import MAIL_UID, ROOT, wait_for

USERS = ["demo"] + ["u%d" % i for i in range(20)]


def login(server, user):
    with Imap(server.port) as c:
        return c.cmd("LOGIN %s %s" % (user, user))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A server with a skeleton."""
    from lib.server import Server
    server = Server(users=USERS)
    skel = os.path.join(server.dir, "skel")
    os.makedirs(os.path.join(skel, "Maildir", "cur"))
    os.makedirs(os.path.join(skel, "Maildir", "new"))
    os.makedirs(os.path.join(skel, "Maildir", "tmp"))
    os.makedirs(os.path.join(skel, "Maildir", ".Sent", "cur"))
    with open(os.path.join(skel, "welcome"), "w", encoding="ascii") as f:
        f.write("hello\n")
    os.chmod(os.path.join(skel, "welcome"), 0o745)
    with open(os.path.join(skel, "Maildir", "new", "1.hello.test"), "w", encoding="ascii") as f:
        f.write("Subject: welcome\n\nhello\n")
    os.symlink("/nowhere", os.path.join(skel, "link"))
    server.skel = skel
    server.settings["AUTH_MKHOMEDIR_SKEL"] = skel
    server.write_settings()
    server.start()
    yield server
    server.stop()


# ---- R14: the sticky bit locks an account ---------------------------------------------------------

@pytest.mark.parametrize("what", ["home", "maildir"])
def test_sticky_bit_locks_the_account(site, what):
    user = {"home": "u0", "maildir": "u1"}[what]
    maildir = site.make_maildir(user)
    path = {"home": os.path.dirname(maildir), "maildir": maildir}[what]
    os.chmod(path, 0o1700)
    r = login(site, user)
    assert (r.status, r.text) == (
        "NO", "[UNAVAILABLE] Your account is temporarily unavailable (+t bit set on home directory).")
    assert "sticky bit" in site.log()
    os.chmod(path, 0o700)
    assert login(site, user).ok


# ---- R107: who owns the Maildir -------------------------------------------------------------------

@pytest.mark.skipif(not ROOT, reason="gives files away")
@pytest.mark.parametrize("owner", ["uid", "gid"])
def test_foreign_owner_is_refused(site, owner):
    user = {"uid": "u2", "gid": "u3"}[owner]
    maildir = site.make_maildir(user)
    os.chmod(os.path.dirname(maildir), 0o755)
    os.chmod(maildir, 0o755)
    os.chown(maildir, MAIL_UID + (owner == "uid"), MAIL_UID + (owner == "gid"))
    r = login(site, user)
    assert (r.status, r.text) == (
        "NO", "[CONTACTADMIN] Account's mailbox directory is not owned by the correct uid or gid")
    os.chown(maildir, MAIL_UID, MAIL_UID)
    assert login(site, user).ok


@pytest.mark.skipif(not ROOT, reason="gives files away")
def test_sanity_check_can_be_switched_off(server):
    s = server(IMAP_MAILBOX_SANITY_CHECK=0).start()
    maildir = s.make_maildir("demo")
    os.chown(maildir, -1, MAIL_UID + 1)
    assert login(s, "demo").ok


# ---- R112: the skeleton ---------------------------------------------------------------------------

def owners(path):
    found = set()
    for base, dirs, files in os.walk(path):
        for name in [""] + dirs + files:
            found.add(os.lstat(os.path.join(base, name)).st_uid)
    return found


def leftovers(directory):
    return [n for n in os.listdir(directory) if "posthouse-new" in n]


def test_missing_home_is_a_copy_of_the_skeleton(site):
    with Imap(site.port) as c:
        c.login("u4")
        assert c.ok("SELECT INBOX").find(r"\* 1 EXISTS")
        assert c.ok('LIST "" *').find(r"INBOX\.Sent")
    home = os.path.join(site.mail, "u4")
    with open(os.path.join(home, "welcome"), encoding="ascii") as f:
        assert f.read() == "hello\n"
    assert stat.S_IMODE(os.stat(os.path.join(home, "welcome")).st_mode) == 0o745
    assert os.readlink(os.path.join(home, "link")) == "/nowhere"
    assert owners(home) == {MAIL_UID}
    assert not leftovers(site.mail)
    assert "home-made" in site.log()


def test_home_that_is_there_stays_as_it_is(site):
    site.make_maildir("u5")
    assert login(site, "u5").ok
    assert not os.path.exists(os.path.join(site.mail, "u5", "welcome"))


def test_many_first_logins_at_once_make_one_home(site):
    replies = []
    threads = [threading.Thread(target=lambda: replies.append(login(site, "u6").ok)) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert replies == [True] * 8
    assert not leftovers(site.mail)


def test_device_in_the_skeleton_is_its_fault(site):
    fifo = os.path.join(site.skel, "fifo")
    os.mkfifo(fifo)
    try:
        r = login(site, "u7")
        assert r.status == "NO" and r.text.startswith("[UNAVAILABLE]")
        assert "neither file, directory nor link" in site.log()
        assert not os.path.exists(os.path.join(site.mail, "u7")) and not leftovers(site.mail)
    finally:
        os.unlink(fifo)
    assert login(site, "u7").ok


def test_skeleton_is_bounded(server):
    s = server(users=["demo", "u1"], AUTH_MKHOMEDIR_FILES_MAX=5, AUTH_MKHOMEDIR_SIZE_MAX=100)
    skel = os.path.join(s.dir, "skel")
    s.settings["AUTH_MKHOMEDIR_SKEL"] = skel
    s.write_settings()
    os.mkdir(skel)
    s.start()
    for names, size, what in ((6, 1, "FILES_MAX"), (2, 80, "SIZE_MAX")):
        for i in range(names):
            with open(os.path.join(skel, "f%d" % i), "w", encoding="ascii") as f:
                f.write("x" * size)
        assert login(s, "u1").status == "NO"
        assert what in s.log() and not leftovers(s.mail) and not os.path.exists(os.path.join(s.mail, "u1"))
        for name in os.listdir(skel):
            os.unlink(os.path.join(skel, name))
    assert login(s, "u1").ok


@pytest.mark.skipif(not ROOT, reason="needs a directory that the account can't write to")
def test_root_makes_the_home_where_the_account_may_not(server):
    s = server(users=["demo", "u1"])
    skel, homes = os.path.join(s.dir, "skel"), os.path.join(s.dir, "homes")
    for path in (skel, homes):
        os.mkdir(path)
    with open(os.path.join(skel, "welcome"), "w", encoding="ascii") as f:
        f.write("hello\n")
    s.settings.update(AUTH_MKHOMEDIR_SKEL=skel, MAIL_HOME=homes + "/%u")
    s.write_settings()
    s.start()
    assert login(s, "u1").ok
    assert owners(os.path.join(homes, "u1")) == {MAIL_UID} and os.stat(homes).st_uid == 0
    assert sorted(os.listdir(homes)) == ["demo", "u1"]


# ---- R15: the mail volume's clock -----------------------------------------------------------------

@pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="no FUSE here")
@pytest.mark.parametrize("skew", [-120, 120])
def test_clock_skew_is_refused(server, tmp_path, skew):
    s = server(users=["demo", "u1"], IMAPD_LINGER=0)
    source, mount, state = tmp_path / "source", os.path.join(s.mail, "u1"), tmp_path / "state"
    for sub in ("cur", "new", "tmp"):
        os.makedirs(source / "Maildir" / sub)
    s.give(str(source))
    os.mkdir(mount)
    state.write_text("0 skew=%d" % skew)
    p = subprocess.Popen(["/usr/bin/python3", os.path.join(os.path.dirname(__file__), "lib", "slowfs.py"), str(source),
                          mount, str(state)], stdout=sys.stderr)
    try:
        wait_for("the mount", lambda: os.path.ismount(mount))
        s.start()
        r = login(s, "u1")
        assert (r.status, r.text) == (
            "NO", "[UNAVAILABLE] Clock skew detected. Check the clock on the file server")
        assert "clock-skew" in s.log()
        assert not os.listdir(source / "Maildir" / "tmp")
        state.write_text("0 skew=%d" % (skew // 12))  # 10 s are tolerated
        assert login(s, "u1").ok
    finally:
        state.write_text("0")
        subprocess.run(["fusermount3", "-uz", mount], check=False)
        p.kill()
        p.wait(20)
