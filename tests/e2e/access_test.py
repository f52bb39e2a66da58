# SPDX-License-Identifier: Apache-2.0
"""Who may connect, and how often (O41, R31, R127, U12, X16)."""
import os
import socket

import pytest

from lib.front import Front
from lib.imap import Imap
from lib.server import free_port, has_ipv6, wait_for


class Door(Front):
    """Access rules in a file; any address in 127.0.0.0/8 can be a client's."""

    def __init__(self, rules=None, **settings):
        self.path = None
        super().__init__(**settings)
        if rules is not None:
            self.path = self.settings["IMAPACCESSFILE"] = os.path.join(self.dir, "access")
            self.write(rules)
            self.write_settings()

    def write(self, rules):
        with open(self.path + ".new", "w", encoding="ascii") as f:
            f.write(rules)
        os.rename(self.path + ".new", self.path)

    def come(self, source="127.0.0.1", tls=False, greeting=True):
        c = Imap.__new__(Imap)
        host = "::1" if ":" in source else "127.0.0.1"
        c.sock = socket.create_connection((host, self.sslport if tls else self.port), timeout=10,
                                          source_address=(source, 0))
        c.timeout, c.number, c.buffer = 10, 0, b""
        if tls:
            c.start_tls()
        c.greeting = c.read_line() if greeting else None
        return c

    def may(self, source):
        try:
            with self.come(source) as c:
                assert c.greeting.startswith((b"* OK", b"* BYE Your address may not connect here.")), c.greeting
                return c.greeting.startswith(b"* OK")
        except EOFError:
            return False


RULES = """# of couriertcpd's form
127.0.1\tdeny
127.0.1.9\tallow
127.0.2\tallow,MAXCPERIP=2
127.1.0.0/16\tdeny
127.1.2.0/24\tallow,BOFHCHECKDNS=0
:0:0:0:0:0:0:0:1\tdeny
*\tallow
"""


def test_rules():
    with Door(RULES, PORT="%d" % free_port(), ADDRESS="0").running() as front:
        front.port = int(front.settings["PORT"])
        for ip, may in (("127.0.0.1", True), ("127.0.1.1", False), ("127.0.1.9", True), ("127.0.2.1", True),
                        ("127.1.9.9", False), ("127.1.2.9", True), ("127.9.9.9", True), ("::1", False)):
            if ":" in ip and not has_ipv6():
                continue
            assert front.may(ip) == may, ip
        assert "DENIED, ip=[127.0.1.1]" in front.log() and "file=%s, line=2" % front.path in front.log()
        with pytest.raises(OSError):  # before the handshake there is no way to say it
            front.come("127.0.1.1", tls=True)


def test_read_again():
    """A change counts at once; one with a fault is told with its line, and the rules before stay."""
    with Door("127.0.1\tdeny\n", LOGIN_WORKERS=2).running() as front:
        assert not front.may("127.0.1.1") and front.may("127.0.2.1")
        front.write("127.0.2\tdeny\n127.0.3\tperhaps\n")
        wait_for("the fault", lambda: "access:2: " in front.log())
        assert "allow" in front.log()
        assert not front.may("127.0.1.1") and front.may("127.0.2.1")
        front.write("127.0.2\tdeny\n")
        wait_for("the new rules", lambda: "access rules read again" in front.log())
        wait_for("both workers", lambda: all(front.may("127.0.1.1") and not front.may("127.0.2.1")
                                             for _ in range(8)))
        os.unlink(front.path)
        wait_for("the complaint", lambda: "No such file" in front.log())
        assert not front.may("127.0.2.1")
        for worker in front.pids("login"):
            os.kill(worker, 9)
        wait_for("new workers", lambda: front.log().count("child ended") == 2 and len(front.pids("login")) == 2)
        assert not front.may("127.0.2.1")  # a new worker has them before its listeners


def test_fault_at_the_start():
    for rules, text in (("x\tdeny\n", "access:1: "), (None, "No such file")):
        front = Door(rules or "")
        if rules is None:
            os.unlink(front.path)
        front.start_one("frontend")
        assert front.processes.pop("frontend").wait(10) == 1
        assert text in front.log()
        front.stop()


def spread(front, source, n):
    """n connections of that address, and the workers that have them (by the log: LOG_LEVEL=debug)."""
    at = len(front.log())
    held = [front.come(source) for _ in range(n)]
    lines = [line for line in front.log()[at:].splitlines() if "Connection, ip=[%s]" % source in line]
    return held, {line.split("[")[1].split("]")[0] for line in lines}


def refused(front, source, tls=False):
    if tls:
        try:
            front.come(source, tls=True).close()
            return False
        except OSError:
            return True
    with front.come(source) as c:
        return c.greeting.startswith(b"* BYE [LIMIT] ") and c.closed()


def test_maxperip_over_workers():
    """The limit is the host's, whichever worker has the connections; a dead worker's are forgotten."""
    with Door(LOGIN_WORKERS=2, MAXPERIP=24, LOG_LEVEL="debug").running() as front:
        held, workers = spread(front, "127.0.3.1", 24)
        assert len(workers) == 2, "the kernel gave all to one"
        for _ in range(6):
            assert refused(front, "127.0.3.1") and refused(front, "127.0.3.1", tls=True)
        front.come("127.0.3.2").close()
        assert "ALERT: Maximum connection limit reached for 127.0.3.1" in front.log()
        # Who has logged in doesn't count any more.
        held[0].login("demo")
        wait_for("its place", lambda: not refused(front, "127.0.3.1"))
        for c in held:
            c.close()
        # Those of a worker that was killed don't either.
        held, workers = spread(front, "127.0.3.3", 24)
        victim = int(workers.pop())
        lost = front.log().count("imaplogin[%d] Connection, ip=[127.0.3.3]" % victim)
        os.kill(victim, 9)
        wait_for("its end", lambda: "child ended program=login" in front.log())
        wait_for("a new one", lambda: len(front.pids("login")) == 2)
        free = [c for c in (front.come("127.0.3.3") for _ in range(24)) if c.greeting.startswith(b"* OK")]
        assert len(free) == lost
        assert refused(front, "127.0.3.3")
        for c in held + free:
            c.close()


def test_maxcperip():
    """MAXCPERIP in the access file is that entry's MAXPERIP, both ways."""
    with Door("127.0.4\tallow,MAXCPERIP=1\n127.0.5\tallow,MAXCPERIP=0\n127.0.6\tallow,MAXCPERIP=5\n",
              MAXPERIP=3).running() as front:
        for net, most in ((4, 1), (6, 5), (7, 3)):
            held = [front.come("127.0.%d.1" % net) for _ in range(most)]
            assert refused(front, "127.0.%d.1" % net)
            assert not refused(front, "127.0.%d.2" % net)
            for c in held:
                c.close()
        held = [front.come("127.0.5.1") for _ in range(10)]
        assert not refused(front, "127.0.5.1")
        for c in held:
            c.close()


def test_exempt():
    with Door(MAXPERIP=1, LIMIT_EXEMPT="127.0.8.0/24,2001:db8::/32").running() as front:
        held = [front.come("127.0.8.1") for _ in range(10)]
        assert all(c.greeting.startswith(b"* OK") for c in held)
        with front.come("127.0.9.1"):
            assert refused(front, "127.0.9.1")
        for c in held:
            c.close()


def test_alerts_are_rationed():
    with Door(MAXPERIP=1).running() as front:
        with front.come("127.0.3.1"):
            for _ in range(300):
                front.come("127.0.3.1", greeting=False).close()
            assert refused(front, "127.0.3.1")
            wait_for("the rest as a number", lambda: refused(front, "127.0.3.1") and "unlogged=" in front.log())
        assert front.log().count("reached for 127.0.3.1") < 100
