# SPDX-License-Identifier: Apache-2.0
"""R56, R111: what a site may turn on for old clients, and what it may turn off."""
import pytest

from lib.imap import Imap

ODD = r"(a)b[c]d)"
MAIL = ('Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; name="C:\\\\mail\\\\a\\"b.txt"\r\n'
        'Content-Disposition: attachment; filename="\\\\\\\\"\r\n\r\nx\r\n')


def site(server, **settings):
    return server(users=["demo", "odd(1):{PLAIN}%s::::::" % ODD], **settings).start()


@pytest.mark.parametrize("on", [0, 1])
def test_punctuation_in_login(server, on):
    s = site(server, IMAP_CLIENT_WORKAROUNDS=on)
    with Imap(s.port) as c:
        c.ok('ID ("name" "x")')
        assert c.cmd("NOOP (").status == "BAD"
        r = c.cmd("LOGIN odd(1) %s" % ODD)
        assert r.status == ("OK" if on else "BAD")
        assert not on or c.cmd("LIST (").status == "BAD"  # lists are what they were, once it is over
    with Imap(s.port) as c:
        for wrong in ("LOGIN odd(1)", "LOGIN odd(1) (a)b\"c\"", "LOGIN odd(1) (a)b {1", "LOGIN (odd(1) x) y", 'LOGIN "odd(1)")) x'):
            assert c.cmd(wrong).status == "BAD", wrong
        c.ok('LOGIN "odd(1)" "%s"' % ODD)


@pytest.mark.parametrize("on", [0, 1])
def test_backslashes_in_bodystructure(server, on):
    s = server(IMAP_CLIENT_WORKAROUNDS=on).start()
    with Imap(s.port) as c:
        c.login()
        c.append("INBOX", MAIL)
        c.ok("SELECT INBOX")
        line = c.ok("FETCH 1 BODYSTRUCTURE").untagged[0]
        if on:
            assert rb'"name" "C:maila\"b.txt"' in line and b'"filename" ""' in line
        else:
            assert rb'"name" "C:\\mail\\a\"b.txt"' in line and rb'"filename" "\\\\"' in line


@pytest.mark.parametrize("on", [0, 1])
def test_sort_and_thread_can_be_turned_off(server, on):
    s = server(IMAP_DISABLETHREADSORT=on).start()
    assert "IMAP_DISABLETHREADSORT" not in s.log()
    with Imap(s.port) as c:
        c.login()
        c.ok("SELECT INBOX")
        for text in ("SORT (SUBJECT) UTF-8 ALL", "UID SORT (SUBJECT) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL",
                     "uid thread REFERENCES UTF-8 ALL", "SORT (SUBJECT) UTF-8 SUBJECT {3+}\r\nabc"):
            r = c.cmd(text)
            if on:
                assert (r.status, r.text) == ("NO", "This command is disabled by the system administrator."), text
            else:
                assert r.status == "BAD", text
        assert c.cmd("SORTED").status == "BAD"
        c.ok("UID SEARCH ALL")
