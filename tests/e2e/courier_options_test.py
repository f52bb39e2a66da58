# SPDX-License-Identifier: Apache-2.0
"""Courier's options that change what a session says or leaves: IMAPDEBUGFILE, IMAP_OBSOLETE_CLIENT,
IMAP_CHECK_ALL_FOLDERS, IMAP_ID_FIELDS; what it says of violations and at the end (R100 to R102, R110)."""
import os

import pytest

from lib.imap import Imap
from lib.server import MAIL_UID, ROOT, wait_for


@pytest.fixture(scope="module")
def site():
    from lib.server import Server
    server = Server(users=["demo"] + ["u%d" % i for i in range(10)], IMAPDEBUGFILE="imaplog.dat", IMAPDEBUG_MAX=20000,
                    IMAP_OBSOLETE_CLIENT=1, IMAP_CHECK_ALL_FOLDERS=1, IMAP_ID_FIELDS=7, IMAP_BAD_MAX=10,
                    IMAP_IDLE_NOTIFY=1).start()
    yield server
    server.stop()


def debug_file(site, user):
    path = os.path.join(site.make_maildir(user), "imaplog.dat")
    with open(path, "w", encoding="ascii"):
        pass
    if ROOT:
        os.chown(path, MAIL_UID, MAIL_UID)
    return path


def text_of(path):
    with open(path, encoding="ascii") as f:
        return f.read()


def test_commands_are_appended_where_the_file_is(site):
    path = debug_file(site, "u0")
    with Imap(site.port) as c:
        c.login("u0")
        c.ok("SELECT INBOX")
        c.append("INBOX", "Subject: private words\n\nbody\n", "\\Seen")
        c.ok('UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)]<0.9>)')
        c.cmd("LOGIN u0 sesame-password")
        c.cmd("NOOP (")
        c.ok("LOGOUT")
    wait_for("LOGOUT in the file", lambda: "LOGOUT" in text_of(path))
    text = text_of(path)
    assert "SELECT INBOX" in text and "not a command" in text
    assert "UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)]<0.9>)" in text
    assert "sesame" not in text and "private" not in text and "(not shown)" in text


def test_no_file_no_log(site):
    maildir = site.make_maildir("u1")
    with Imap(site.port) as c:
        c.login("u1")
        c.ok("NOOP")
        c.ok("LOGOUT")
    assert not os.path.exists(os.path.join(maildir, "imaplog.dat"))


def test_the_file_is_bounded_and_the_session_goes_on(site):
    path = debug_file(site, "u2")
    with Imap(site.port) as c:
        c.login("u2")
        for _ in range(200):
            c.ok('STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN) ')
            c.cmd('LIST "" "%s"' % ("x" * 300))
        c.ok("NOOP")
    wait_for("the end", lambda: "IMAPDEBUG_MAX is reached" in site.log())
    assert os.path.getsize(path) == 20000


@pytest.mark.parametrize("kind", ["link", "fifo", "directory", "hardlink"])
def test_other_things_of_that_name_are_left_alone(site, kind):
    user = {"link": "u3", "fifo": "u4", "directory": "u5", "hardlink": "u6"}[kind]
    maildir = site.make_maildir(user)
    path, other = os.path.join(maildir, "imaplog.dat"), os.path.join(site.mail, user, "other")
    with open(other, "w", encoding="ascii"):
        pass
    {"link": lambda: os.symlink(other, path), "fifo": lambda: os.mkfifo(path), "directory": lambda: os.mkdir(path),
     "hardlink": lambda: os.link(other, path)}[kind]()
    site.give(os.path.join(site.mail, user))
    before = site.log().count("debugfile-stopped")
    with Imap(site.port) as c:
        c.login(user)
        c.ok("NOOP")
        wait_for("the log line", lambda: site.log().count("debugfile-stopped") > before)
        c.ok("NOOP")
    assert text_of(other) == ""


def test_list_for_obsolete_clients_and_marks(site):
    for folder in ("Quiet", "Loud", "Loud.below"):
        path = site.make_maildir("u7", folder)
        with open(os.path.join(path, "maildirfolder"), "w", encoding="ascii"):
            pass
    site.give(os.path.join(site.mail, "u7"))
    site.deliver(user="u7", folder="Loud")
    with Imap(site.port) as c:
        c.login("u7")
        r = c.ok('LIST "" *')
        assert r.find(r'LIST \(\\Unmarked \\NoInferiors\) "." "?INBOX\.Quiet')
        assert r.find(r'LIST \(\\Marked \\HasChildren\) "." "?INBOX\.Loud"?$')
        assert not r.find(r"\\HasNoChildren")
        c.ok("SELECT INBOX.Loud")
        assert c.ok('LIST "" *').find(r'LIST \(\\Unmarked \\HasChildren\) "." "?INBOX\.Loud"?$')


def test_id_names_the_system_and_is_logged(site):
    with Imap(site.port) as c:
        c.login("u8")
        r = c.ok('ID ("name" "tester" "version" "1,ip=[192.0.2.9]")')
        assert r.find(r'ID \("name" "Posthouse" "version" "[^"]+" "os" "Linux" "os-version" "[^"]+"\)')
    wait_for("the log line", lambda: "tester" in site.log())


def test_violations_in_a_row_end_the_session(site):
    with Imap(site.port) as c:
        c.login("u8")
        for _ in range(9):
            assert c.cmd("NONSENSE").status == "BAD"
        c.ok("NOOP")
        for _ in range(10):
            c.start("NONSENSE")
        assert c.closed()
        assert b"* BYE [ALERT]" in c.last and b"violations" in c.last.lower()


def test_logout_and_unknown_charset(site):
    with Imap(site.port) as c:
        c.login("u8")
        c.ok("SELECT INBOX")
        r = c.cmd("SEARCH CHARSET X-NOBODY TEXT a")
        assert r.status == "NO" and r.text.startswith("[BADCHARSET")
        r = c.ok("LOGOUT")
        assert r.text == "LOGOUT completed" and r.find(r"^\* BYE .*server shutting down")


def test_idle_says_still_here(site):
    with Imap(site.port) as c:
        c.login("u9")
        c.idle()
        c.idle_until(r"^\* OK Still here")
        c.idle_until(r"^\* OK Still here")
        assert c.done().ok
