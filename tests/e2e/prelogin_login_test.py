# SPDX-License-Identifier: Apache-2.0
"""LOGIN and AUTHENTICATE up to the hand-over (B10 to B14, B16, R80, R98, X17)."""
import base64
import crypt
import statistics
import time

import pytest

from lib.front import Front


def b64(data):
    return base64.b64encode(data).decode()


USERS = [
    "demo", "bob:%s::::::" % crypt.crypt("secret", crypt.METHOD_SHA512),
    "odd:{PLAIN}p\\ \"{}'$(x)&=?;%0d%0a::::::", "off:{PLAIN}off::::::disableimap=1",
    "far:{PLAIN}far::::::mailhost=elsewhere.example", "rooted:{PLAIN}rooted:0::::", "ldap:{SSHA}abc::::::",
    "slash/es:{PLAIN}x::::::", "..:{PLAIN}x::::::",
]


@pytest.fixture(scope="module")
def front():
    with Front(users=USERS, LOGIN_FAILURE_DELAY=200, LOGIN_FAILURE_MAX=4).running() as f:
        yield f


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("command", [
    "LOGIN bob secret", 'login "bob" "secret"', "LOGIN {3+}\r\nbob {6+}\r\nsecret",
    "AUTHENTICATE PLAIN " + b64(b"\0bob\0secret"), "AUTHENTICATE PLAIN " + b64(b"bob\0bob\0secret"),
    "AUTHENTICATE PLAIN\r\n" + b64(b"\0bob\0secret"), "AUTHENTICATE LOGIN\r\n%s\r\n%s" % (b64(b"bob"), b64(b"secret")),
    "AUTHENTICATE LOGIN %s\r\n%s" % (b64(b"bob"), b64(b"secret")),
])
def test_ways_to_log_in(front, tls, command):
    with front.client(tls) as c:
        c.send("tag.1 " + command + "\r\nfirst\r\nsecond\r\n")
        line = c.read_line()
        while line.startswith(b"+ "):
            line = c.read_line()
        verb = b"LOGIN" if command.upper().startswith("LOGIN") else b"AUTHENTICATE"
        assert line == b"tag.1 OK " + verb + b" Ok."
        c.send("third\r\n")
        assert [c.read_line() for _ in range(3)] == [b"* echo first", b"* echo second", b"* echo third"]


def test_odd_password_is_byte_exact(front):
    with front.client() as c:
        assert c.cmd("AUTHENTICATE PLAIN " + b64(b"\0odd\0p\\ \"{}'$(x)&=?;%0d%0a")).ok


def test_refused_logins_look_alike(front):
    seen = set()
    with front.client() as c:
        for command in ("LOGIN bob wrong", "LOGIN nobody wrong", "AUTHENTICATE PLAIN " + b64(b"demo\0bob\0wrong")):
            start = time.monotonic()
            reply = c.cmd(command)
            assert 0.19 < time.monotonic() - start < 0.6
            seen.add((reply.status, reply.text))
        assert seen == {("NO", "[AUTHENTICATIONFAILED] Login failed.")}
        c.cmd("LOGIN bob wrong")
        assert c.closed() and b"* BYE" in c.last
    log = front.log()
    assert "LOGIN FAILED, user=bob, ip=[127.0.0.1]" in log and "LOGIN FAILED, user=nobody" in log


def test_delay_is_for_this_connection_alone(front):
    with front.client() as slow, front.client() as quick:
        slow.start("LOGIN bob wrong")
        start = time.monotonic()
        quick.login("demo")
        assert time.monotonic() - start < 0.15


def test_known_and_unknown_users_take_the_same_time():
    with Front(users=["bob:%s::::::" % crypt.crypt("secret", crypt.METHOD_SHA512)], LOGIN_FAILURE_DELAY=0,
               LOGIN_FAILURE_MAX=1000).running() as front:
        with front.client() as c:
            times = {"bob": [], "nobody": []}
            for _ in range(60):
                for user, spent in times.items():
                    start = time.monotonic()
                    assert c.cmd("LOGIN %s wrong" % user).status == "NO"
                    spent.append(time.monotonic() - start)
        known, unknown = (statistics.median(t) for t in times.values())
        assert abs(known - unknown) < 0.005


def test_nothing_runs_behind_a_refused_login(front):
    given = len(front.backend.given)
    with front.client() as c:
        c.send("a LOGIN bob wrong\r\nb SELECT INBOX\r\nc NOOP\r\n")
        assert c.read_line() == b"a NO [AUTHENTICATIONFAILED] Login failed."
        assert c.read_line().startswith(b"b BAD ") and c.read_line() == b"c OK NOOP completed"
    assert len(front.backend.given) == given


def test_accounts_that_may_not(front):
    with front.client() as c:
        reply = c.cmd("LOGIN off off")
        assert (reply.status, reply.text) == ("NO", "[AUTHORIZATIONFAILED] IMAP access disabled for this account.")
        assert c.cmd("LOGIN off wrong").text == "[AUTHENTICATIONFAILED] Login failed."
        assert c.cmd("LOGIN far far").text.startswith("[UNAVAILABLE]")
    with front.client() as c:
        assert c.cmd("LOGIN rooted rooted").text.startswith("[AUTHENTICATIONFAILED]")
        assert c.cmd("LOGIN ldap abc").text.startswith("[AUTHENTICATIONFAILED]")


@pytest.mark.parametrize("user", [
    b"slash/es", b"..", b"../../etc", b"%d%n%u%s", b"a\r\nb", b"a\x7fb", b"\xff\xfe", b"j\xc3\xb6rg\xc2\x9b", b"x" * 255,
    b"x" * 256, b"x" * 4000, b"user=root ip=6.6.6.6", b"*", b"NIL",
])
def test_odd_user_names(front, user):
    given = len(front.backend.given)
    with front.client() as c:
        assert c.cmd("AUTHENTICATE PLAIN " + b64(b"\0" + user + b"\0x")).status == "NO"
        c.ok("NOOP")
    assert len(front.backend.given) == given
    assert " ip=6.6.6.6 ip=127" not in front.log() and "\x7f" not in front.log()


@pytest.mark.parametrize("line", [b"A", b"====", b"AGJvYgBz ZWNyZXQ=", b"!!!!", b"", b"AGJvYg==", b"A" * 20000, b"\0"])
def test_broken_sasl(front, line):
    with front.client() as c:
        c.send(b"a AUTHENTICATE PLAIN\r\n")
        assert c.read_line() == b"+ "
        c.send(line + b"\r\n")
        answer = c.read_line()
        assert answer.startswith(b"a BAD") or answer.startswith(b"* BYE")
        if answer.startswith(b"a"):
            c.ok("NOOP")


def test_sasl_cancel_and_unknown(front):
    with front.client() as c:
        c.send(b"a AUTHENTICATE PLAIN\r\n")
        c.read_line()
        c.send(b"*\r\n")
        assert c.read_line().startswith(b"a BAD")
        assert c.cmd("AUTHENTICATE CRAM-MD5").status == "NO"
        c.login("demo")


def test_passwords_are_never_logged(front):
    with front.client() as c:
        for command in ("LOGIN bob hunter2hunter2", "LOGIN bob {14+}\r\nhunter2hunter2", "LOGIN hunter2hunter2",
                        "AUTHENTICATE PLAIN " + b64(b"\0bob\0hunter2hunter2")):
            c.cmd(command)
    assert "hunter2" not in front.log() and b64(b"hunter2")[:6] not in front.log()


def test_accounts_are_read_again(front):
    with open(front.passwd, "a", encoding="utf-8") as f:
        f.write("late:{PLAIN}late::::::\n")

    def logs_in():
        with front.client() as c:
            return c.cmd("LOGIN late late").ok
    from lib.server import wait_for
    wait_for("the new account", logs_in, 5)


def test_queue_limit():
    slow = crypt.crypt("secret", "$6$rounds=900000$abcdefgh")
    with Front(users=["demo", "slow:%s::::::" % slow], AUTH_QUEUE_MAX=2, AUTH_THREADS=1).running() as front:
        clients = [front.client() for _ in range(8)]
        tags = [c.start("LOGIN slow secret") for c in clients]
        texts = [c.finish(t) for c, t in zip(clients, tags)]
        assert sum(t.ok for t in texts) >= 2
        assert all(t.ok or t.text.startswith("[UNAVAILABLE]") for t in texts)
        for c in clients:
            c.close()
