# SPDX-License-Identifier: Apache-2.0
"""kill -9 of each process under load: nothing acknowledged is lost, everything is back by itself."""
import os
import random
import re
import signal
import subprocess
import threading
import time

import pytest

from lib.imap import Imap
from lib.server import wait_for

ROUNDS = 200 if os.environ.get("POSTHOUSE_LONG") else 15


class Worker(threading.Thread):
    """Appends, flags, expunges; remembers what was acknowledged."""

    def __init__(self, server, user, seed):
        super().__init__(daemon=True)
        self.server, self.user, self.rng = server, user, random.Random(seed)
        self.stop = threading.Event()
        self.kept, self.unsure, self.gone, self.flagged = {}, set(), set(), set()
        self.validity, self.cuts, self.refused, self.fault = None, 0, 0, None

    def run(self):
        while not self.stop.is_set():
            try:
                self.session()
            except (OSError, EOFError):
                self.cuts += 1
                time.sleep(0.02)
            except AssertionError as fault:
                self.fault = fault
                return

    def session(self):
        with Imap(self.server.port, tls=False, timeout=20) as c:
            reply = c.cmd("LOGIN %s %s" % (self.user, self.user))
            if not reply.ok:
                assert "[UNAVAILABLE]" in reply.text, reply
                self.refused += 1
                time.sleep(0.02)
                return
            reply = c.ok("SELECT INBOX")
            validity = int(reply.find(r"UIDVALIDITY (\d+)").group(1))
            assert self.validity in (None, validity), "UIDVALIDITY changed"
            self.validity = validity
            while not self.stop.is_set():
                self.step(c)

    def step(self, c):
        if self.rng.random() < 0.6 or not self.kept:
            key = "%s-%d" % (self.user, self.rng.getrandbits(60))
            self.unsure.add(key)
            reply = c.append("INBOX", "Subject: %s\r\n\r\nbody\r\n" % key)
            if reply.ok:
                self.unsure.discard(key)
                uid = int(reply.text.split("APPENDUID ")[1].split("]")[0].split()[1])
                assert uid not in self.kept and uid not in self.gone, "UID %d given twice" % uid
                self.kept[uid] = key
            return
        uid = self.rng.choice(list(self.kept))
        if self.rng.random() < 0.7:
            if c.cmd("UID STORE %d +FLAGS.SILENT (\\Flagged)" % uid).ok:
                self.flagged.add(uid)
            return
        key = self.kept.pop(uid)
        self.flagged.discard(uid)
        self.gone.add(uid)
        self.unsure.add(key)
        c.cmd("UID STORE %d +FLAGS.SILENT (\\Deleted)" % uid)
        if c.cmd("UID EXPUNGE %d" % uid).ok:
            self.unsure.discard(key)

    def check(self):
        self.stop.set()
        self.join(60)
        assert not self.is_alive()
        if self.fault:
            raise self.fault
        with Imap(self.server.port) as c:
            c.login(self.user)
            c.ok("SELECT INBOX")
            there, flags = {}, {}
            for m in c.ok("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])").all(
                    r"UID (\d+) FLAGS \(([^)]*)\).*Subject: ([^\r]*)"):
                there[int(m.group(1))] = m.group(3).decode()
                flags[int(m.group(1))] = m.group(2)
        for uid, key in self.kept.items():
            assert there.get(uid) == key, "message %d (%s) is lost or another: %r" % (uid, key, there.get(uid))
        for uid in self.flagged:
            assert b"Flagged" in flags[uid], "an acknowledged flag of %d is lost" % uid
        for uid, key in there.items():
            assert uid in self.kept or key in self.unsure, "a message nobody knows: %d %s" % (uid, key)
        assert len(set(there.values())) == len(there), "a message is there twice"


def stores_have_one_imapd(server):
    seen = {}
    for pid in server.pids("imapd"):
        try:
            st = os.stat("/proc/%d/cwd" % pid)
        except OSError:
            continue
        if os.path.isdir("/proc/%d/cwd/cur" % pid):
            seen.setdefault((st.st_dev, st.st_ino), []).append(pid)
    for pids in seen.values():
        if len(pids) > 1:
            time.sleep(1.5)  # one that lost its master has a second to go
            left = [p for p in pids if os.path.exists("/proc/%d/cwd/cur" % p)]
            assert len(left) <= 1, "%s serve one store" % left


def restart(server, program):
    server.processes.pop(program)
    server.start_one(program)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["imapd", "notifyd", "login", "authd", "backend"])
def test_kill(server, victim):
    users = ["w%d" % i for i in range(4)]
    s = server(users=["demo"] + users).start()
    workers = [Worker(s, u, i) for i, u in enumerate(users)]
    for w in workers:
        w.start()
    rng = random.Random(1)
    for _ in range(ROUNDS):
        time.sleep(rng.uniform(0.02, 0.3))
        pids = s.pids(victim)
        if pids:
            os.kill(rng.choice(pids), signal.SIGKILL)
        for program in s.PROGRAMS:
            if s.processes[program].poll() is not None:
                restart(s, program)
        if victim == "backend":
            stores_have_one_imapd(s)
    time.sleep(0.2)
    for program in s.PROGRAMS:
        if s.processes[program].poll() is not None:
            restart(s, program)
    s.wait_ready()
    for w in workers:
        w.check()
    print("%s killed %d times: %d connections cut, %d logins refused, %d messages acknowledged" % (
        victim, ROUNDS, sum(w.cuts for w in workers), sum(w.refused for w in workers),
        sum(len(w.kept) + len(w.gone) for w in workers)))


def test_plaintext_sessions_survive_the_frontend(server):
    s = server().start()
    c = Imap(s.port).login()
    c.ok("SELECT INBOX")
    for program in ("login", "authd", "frontend"):
        for pid in s.pids(program):
            os.kill(pid, signal.SIGKILL)
        c.ok("NOOP")
    s.processes.pop("frontend").wait()
    c.ok("NOOP")
    s.start_one("frontend")
    s.wait_ready()


def test_sessions_survive_notifyd_and_say_so(server):
    s = server(IMAP_IDLE_TIMEOUT=1).start()
    c = Imap(s.port).login()
    c.ok("SELECT INBOX")
    assert c.idle() == "entering ENHANCED idle mode"
    c.done()
    os.kill(s.processes["notifyd"].pid, signal.SIGKILL)
    s.processes.pop("notifyd").wait()

    def plain():
        text = c.idle()
        c.done()
        return text == "entering idle mode"
    wait_for("plain idle mode", plain)
    c.idle()
    s.deliver()
    c.idle_until(r"^\* 1 EXISTS$", 15)
    c.done()
    s.start_one("notifyd")

    def enhanced():
        text = c.idle()
        c.done()
        return text == "entering ENHANCED idle mode"
    wait_for("enhanced idle mode", enhanced, 20)


def test_order_of_writes_syncs_and_ok(server, tmp_path):
    """strace: message synced, then its directory entry and journal, and only then the OK (P7)."""
    s = server().start()
    c = Imap(s.port).login()
    c.ok("SELECT INBOX")
    trace = tmp_path / "trace"
    pids = [p for p in s.pids("imapd") if os.path.isdir("/proc/%d/cwd/cur" % p)]
    p = subprocess.Popen(["strace", "-f", "-y", "-o", str(trace), "-s", "200", "-p", str(pids[0]), "-e",
                          "trace=fsync,fdatasync,write,pwrite64,sendto,rename,renameat,renameat2,linkat,unlinkat,sendmsg,writev"],
                         stderr=subprocess.PIPE)
    p.stderr.readline()
    assert c.append("INBOX", "Subject: strace\r\n\r\nx\r\n").ok
    p.send_signal(signal.SIGINT)
    p.wait(10)
    lines = trace.read_text().splitlines()

    def first(*words, after=0):
        for i, line in enumerate(lines[after:], after):
            if all(w in line for w in words):
                return i
        raise AssertionError("no %s in\n%s" % (words, "\n".join(lines)))
    message = first("sync(", "/tmp/")
    entry = first("rename", after=message) if any("rename" in x for x in lines[message:]) else first("linkat", after=message)
    directory = first("fsync(", "/new>" if any("/new>)" in x for x in lines[entry:]) else "/cur>", after=entry)
    journal = first("sync(", "journal.", after=entry)
    ok = first("APPEND Ok", after=0)
    assert message < entry < ok and directory < ok and journal < ok


@pytest.mark.parametrize("on", [1, 0])
def test_directories_are_synced_unless_the_setting_says_no(server, tmp_path, on):
    """R58, by count: APPEND, COPY and MOVE, each in a folder of its own; the messages themselves are synced always."""
    s = server(SYNC_DIRECTORIES=on).start()
    c = Imap(s.port).login()
    for folder in ("INBOX.a", "INBOX.b", "INBOX.c"):
        c.ok("CREATE " + folder)
    c.ok("SELECT INBOX.a")
    trace = tmp_path / "trace"
    pids = [p for p in s.pids("imapd") if os.path.isdir("/proc/%d/cwd/cur" % p)]
    p = subprocess.Popen(["strace", "-f", "-y", "-o", str(trace), "-p", str(pids[0]), "-e", "trace=fsync,fdatasync"],
                         stderr=subprocess.PIPE)
    p.stderr.readline()
    assert c.append("INBOX.a", "Subject: strace\r\n\r\nx\r\n").ok
    c.ok("NOOP")
    c.ok("COPY 1 INBOX.b")
    c.ok("MOVE 1 INBOX.c")
    p.send_signal(signal.SIGINT)
    p.wait(10)
    text = trace.read_text()
    for folder in "abc":  # APPEND's and MOVE's source, COPY's, MOVE's target
        synced = len(re.findall(r"sync\(\d+<[^>]*/\.%s/(?:cur|new)>" % folder, text))
        assert (synced >= 1 + (folder == "a")) if on else synced == 0, text
    assert re.search(r"sync\(\d+<[^>]*/tmp/[^>]+>", text) and re.search(r"sync\(\d+<[^>]*/journal\.", text), text
