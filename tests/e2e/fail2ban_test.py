# SPDX-License-Identifier: Apache-2.0
"""Refused logins in the log, as fail2ban reads it: with its own filters and with ours (R98, R99, B70)."""
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess

import pytest

from lib.front import Front
from lib.imap import Imap
from lib.server import TOP, Server, free_port, wait_for

OURS = os.path.join(TOP, "deploy", "fail2ban", "filter.d", "posthouse.conf")
THEIRS = "/etc/fail2ban/filter.d/courier-auth.conf"
DOVECOTS = "/etc/fail2ban/filter.d/dovecot.conf"
VICTIM = "203.0.113.99"

NAMES = [
    "x, ip=[%s]" % VICTIM, "x], ip=[%s" % VICTIM, "ip=[%s]" % VICTIM, "x, ip=[%s], port=[1], y" % VICTIM,
    "\"x\", ip=[%s]" % VICTIM, "x\\\", ip=[%s]" % VICTIM, "rip=%s" % VICTIM, "<x>, rip=%s" % VICTIM,
    "x\nLOGIN FAILED, user=y, ip=[%s], port=[1]," % VICTIM,
    "x\r\n2026-11-26T05:00:00.000Z info imaplogin[1] LOGIN FAILED, user=y, ip=[%s], port=[1]," % VICTIM,
    "x\",\"ip\":\"%s" % VICTIM, "x\\", "x\",\"y", "\u00e9\u2028LOGIN FAILED, user=y, ip=[%s]" % VICTIM,
    "x\x0bimaplogin[1]: LOGIN FAILED, user=y, ip=[%s]" % VICTIM, "x" * 600 + ", ip=[%s]" % VICTIM,
    "x from %s port 1" % VICTIM, "rhost=%s" % VICTIM, "reason=mismatch, ip=[%s" % VICTIM, "a=b", "{1.2.3.4}", "%d%s%n",
]


class JsonFront(Front):
    def start(self, programs=("frontend",)):
        self.start_backend()
        for program in programs:
            self.start_one(program)
        wait_for("the front end", lambda: '"event":"ready"' in self.log())
        return self


def come(front, source):
    c = Imap.__new__(Imap)
    c.sock = socket.create_connection(("127.0.0.1", front.port), timeout=30, source_address=(source, 0))
    c.timeout, c.number, c.buffer = 30, 0, b""
    c.greeting = c.read_line()
    return c


def wrong_login(c, name):
    raw = name.encode()
    c.number += 1
    tag = b"t%d" % c.number
    c.send(tag + b" LOGIN {%d+}\r\n%s wrong\r\n" % (len(raw), raw))
    return c.finish(tag)


def matched(filter_path, log_path):
    """Addresses in the order of the lines that the filter matches."""
    if not shutil.which("fail2ban-regex") or not os.path.exists(filter_path):
        pytest.skip("fail2ban is not installed")
    out = subprocess.run(["fail2ban-regex", "-o", "ip", log_path, filter_path], capture_output=True, check=True,
                         text=True, timeout=60)
    assert not out.stderr.strip(), out.stderr
    return out.stdout.split()


def as_syslog(path, journal=False):
    """The same events as a syslog daemon writes them (LOG_TO=syslog), or the journal (LOG_TO=stderr)."""
    form = r"Nov 26 05:00:00 mx1 frontend[7]: \2 \3[\4] \5" if journal else r"Nov 26 05:00:00 mx1 \3[\4]: \5"
    with open(path, encoding="utf-8") as f, open(path + ".syslog", "w", encoding="utf-8") as to:
        for line in f.read().split("\n"):
            to.write(re.sub(r"^(\S+Z) (\w+) (\w+)\[(\d+)\] (.*)$", form, line) + "\n")
    return path + ".syslog"


def attack(front):
    """Wrong logins with all names from as many addresses; the addresses."""
    sources = ["127.0.7.%d" % i for i in range(1, len(NAMES) + 1)]
    clients = []
    for source, name in zip(sources, NAMES):
        c = come(front, source)
        clients.append(c)
        raw = name.encode()
        c.send(b"t1 LOGIN {%d+}\r\n%s wrong\r\n" % (len(raw), raw))
    for c in clients:
        reply = c.finish(b"t1")
        assert reply.status == "NO" and "AUTHENTICATIONFAILED" in reply.text, reply
        c.close()
    return sources


def test_names_cant_ban_others():
    with Front().running() as front:
        sources = attack(front)
        with come(front, "127.0.8.1") as good:
            good.login("demo")
        wait_for("the log", lambda: front.log().count("LOGIN PASSED, user=demo, ip=[127.0.8.1]") == 1)
        for filter_path in (OURS, THEIRS):
            for path in (front.log_path, as_syslog(front.log_path)):
                assert sorted(matched(filter_path, path)) == sorted(sources), (filter_path, path)
        assert sorted(matched(OURS, as_syslog(front.log_path, journal=True))) == sorted(sources)


def test_json():
    with JsonFront(LOG_FORMAT="json").running() as front:
        sources = attack(front)
        wait_for("the log", lambda: front.log().count('"LOGIN FAILED"') == len(sources))
        assert sorted(matched(OURS, front.log_path)) == sorted(sources)
        with open(front.log_path + ".journal", "w", encoding="utf-8") as to:
            to.writelines("Nov 26 05:00:00 mx1 frontend[7]: %s\n" % line for line in front.log().splitlines())
        assert sorted(matched(OURS, front.log_path + ".journal")) == sorted(sources)
        for line in front.log().splitlines():
            json.loads(line)


def test_dovecots_form():
    """LOG_LOGIN=dovecot is for its filter, in files and in syslog, and what else reads such lines."""
    with Front(LOG_LOGIN="dovecot").running() as front:
        sources = attack(front)
        with Imap(front.sslport, tls=True) as good:
            good.login("demo")
        front.backend.stop()
        with come(front, "127.0.8.1") as c:
            wait_for("no backend", lambda: c.cmd("LOGIN demo demo").text.startswith("[UNAVAILABLE]"))
        assert re.search(r" dovecot\[\d+\] imap-login: Login: user=<demo>, method=LOGIN, rip=127\.0\.0\.1, "
                         r"lip=127\.0\.0\.1, TLS, session=<\w+>", front.log())
        assert "imap-login: Login deferred (" in front.log()
        for path in (front.log_path, as_syslog(front.log_path)):
            assert sorted(matched(DOVECOTS, path)) == sorted(sources), path
        front.start_backend()


def test_each_failure_is_seen():
    """One line for each refused attempt, over all connections of an address and behind a balancer."""
    port = free_port()
    with Front(PROXY_PORT=port, PROXY_TRUSTED="127.0.0.0/8", LOGIN_FAILURE_MAX=4,
               IMAP_TLS_REQUIRED="0").running() as front:
        for _ in range(2):
            with come(front, "127.0.7.1") as c:
                for _ in range(4):
                    assert wrong_login(c, "demo").status == "NO"
                assert c.closed()
        with Imap(port, greeting=False) as c:
            c.send(b"PROXY TCP4 198.51.100.8 192.0.2.1 4096 143\r\n")
            c.read_line()
            assert wrong_login(c, "nobody").status == "NO"
        for filter_path in (OURS, THEIRS):
            assert matched(filter_path, front.log_path) == ["127.0.7.1"] * 8 + ["198.51.100.8"]


def test_our_own_faults_ban_nobody():
    """No link to the backend, a refusal by it, an account that is disabled: the password was right."""
    def refuse(given):
        given.refused()

    users = ("demo", "off:{PLAIN}off::::::disableimap=1")
    with Front(users=users, on_give=refuse).running() as front:
        with come(front, "127.0.7.1") as c:
            assert c.cmd("LOGIN demo demo").text.startswith("[LIMIT]")
            assert c.cmd("LOGIN off off").text.startswith("[AUTHORIZATIONFAILED]")
        front.backend.stop()
        with come(front, "127.0.7.1") as c:
            wait_for("no backend", lambda: c.cmd("LOGIN demo demo").text.startswith("[UNAVAILABLE]"))
        assert "LOGIN DENIED, user=off" in front.log() and "LOGIN DEFERRED" in front.log()
        for filter_path in (OURS, THEIRS):
            assert not matched(filter_path, front.log_path)
        front.start_backend()


def test_sessions_in_the_log():
    """LOGIN, and LOGOUT or DISCONNECTED with byte counts, as Courier's imapd writes them; a name stays one value."""
    name = "a, ip=[%s]" % VICTIM
    with contextlib.ExitStack() as stack:
        server = Server(users=("demo", "%s:{PLAIN}x::::::maildir=odd" % name))
        stack.callback(server.stop)
        server.start()
        server.deliver(b"Subject: one\n\n" + b"body\n" * 1000)
        for tls in (False, True):
            with Imap(server.sslport if tls else server.port, tls=tls) as c:
                c.login()
                c.ok("SELECT INBOX")
                c.ok("FETCH 1 (ENVELOPE BODY.PEEK[HEADER])")
                c.ok("FETCH 1 BODY.PEEK[TEXT]")
                c.ok("LOGOUT")
        with Imap(server.port) as c:
            c.ok('LOGIN "%s" x' % name)
        form = r" imapd\[\d+\] %s, user=%s, ip=\[127\.0\.0\.1\], port=\[\d+\], %s"
        counts = r"headers=(\d+), body=(\d+), rcvd=(\d+), sent=(\d+), time=\d+, "
        ends = wait_for("the ends", lambda: len(found := re.findall(
            form % ("LOGOUT", "demo", counts) + ".*", server.log())) == 2 and found)
        for headers, body, rcvd, sent in ends:
            assert 20 < int(headers) < 500 and 5000 < int(body) < 7000
            assert 50 < int(rcvd) < 500 and int(sent) > int(body) + int(headers)
        logins = re.findall(form % ("LOGIN", "demo", "protocol=IMAP.*"), server.log())
        assert ["starttls=1" in line for line in logins][-2:] == [False, True]
        odd = re.escape(r"a\x2c ip\x3d\x5b%s\x5d" % VICTIM)
        assert re.search(form % ("LOGIN", odd, "protocol=IMAP"), server.log())
        wait_for("its end", lambda: re.search(form % ("DISCONNECTED", odd, counts), server.log()))
