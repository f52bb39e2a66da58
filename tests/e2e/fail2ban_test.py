# SPDX-License-Identifier: Apache-2.0
"""Refused logins in the log, as fail2ban reads it: with its own filter for Courier and with ours (R98, R99, B70)."""
import json
import os
import re
import shutil
import socket
import subprocess

import pytest

from lib.front import Front
from lib.imap import Imap
from lib.server import TOP, free_port, wait_for

OURS = os.path.join(TOP, "deploy", "fail2ban", "filter.d", "posthouse.conf")
THEIRS = "/etc/fail2ban/filter.d/courier-auth.conf"
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
