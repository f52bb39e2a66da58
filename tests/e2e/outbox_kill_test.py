# SPDX-License-Identifier: Apache-2.0
"""kill -9 of imapd, the mailer, its processes and SENDMAIL at each kind of system call of the Outbox's way: no
message is sent twice, none is acknowledged and not sent, and what nobody can know is marked."""
import collections
import contextlib
import os
import random
import re
import shutil
import subprocess
import threading
import time

import pytest

from lib.imap import Imap
from lib.outbox import Sendmail
from lib.server import ROOT, Server, wait_for

RUNS = 520 if os.environ.get("POSTHOUSE_LONG") else 16
AT_ONCE = 4
# System call, and the highest number of it that one message makes, about.
IMAPD = [("renameat2", 2), ("openat", 8), ("pwrite64", 3), ("write", 3), ("fsync", 5), ("fdatasync", 2), ("sendmsg", 4),
         ("recvmsg", 4), ("unlinkat", 5), ("linkat", 1), ("epoll_wait", 12), ("close", 8), ("pread64", 2), ("mkdirat", 2)]
MAILER = [("recvmsg", 4), ("clone", 1), ("sendmsg", 1), ("fdatasync", 2), ("pwrite64", 2), ("memfd_create", 1), ("pipe2", 2),
          ("close_range", 2), ("setresuid", 1), ("execve", 1), ("poll", 3), ("wait4", 3), ("write", 3), ("close", 10),
          ("rename", 1), ("exit_group", 1), ("dup2", 3), ("pread64", 3)]


class Run:
    def __init__(self, server, number, rng):
        self.server, self.user, self.mid = server, "k%d" % number, "kill.%d@test" % number
        self.target = rng.choice(["imapd", "mailer"])
        self.call, most = rng.choice(IMAPD if self.target == "imapd" else MAILER)
        self.when = rng.randint(1, most)
        self.verb = rng.choice(["APPEND", "COPY", "MOVE"])
        self.fails = rng.random() < 0.2
        self.answer = "?"

    def __repr__(self):
        return "%s: %s, %s %s %d, %s: %s" % (self.mid, self.verb, self.target, self.call, self.when,
                                             "SENDMAIL fails" if self.fails else "SENDMAIL sends", self.answer)

    def pid(self):
        if self.target == "mailer":
            return wait_for("the mailer", lambda: self.server.pids("mailer"))[0]
        for pid in self.server.pids("imapd"):
            with contextlib.suppress(OSError), open("/proc/%d/cmdline" % pid, "rb") as f:
                if f.read().rstrip(b"\0").endswith(b": " + self.user.encode()):
                    return pid
        raise AssertionError("no imapd of " + self.user)

    def go(self):
        text = "From: a@test\r\nTo: b@test\r\nMessage-ID: <%s>\r\nX-Do: %s\r\n\r\nbody\r\n" % (
            self.mid, "fail 75" if self.fails else "ok")
        with Imap(self.server.port, timeout=60) as c:
            c.login(self.user)
            c.ok("CREATE INBOX.Outbox")
            if self.verb != "APPEND":
                assert c.append("INBOX", text).ok
                c.ok("SELECT INBOX")
            tracer = subprocess.Popen(
                ["strace", "-f", "-q", "-o", "/dev/null", "-e", "trace=" + self.call, "-e",
                 "inject=%s:signal=KILL:when=%d" % (self.call, self.when), "-p", str(self.pid())],
                stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
            try:
                pid = self.pid()
                wait_for("strace", lambda: self.traced(pid) or tracer.poll() is not None)
                if self.verb == "APPEND":
                    reply = c.append("INBOX.Outbox", text, flags="\\Seen")
                else:
                    reply = c.cmd("%s 1 INBOX.Outbox" % self.verb)
                self.answer = "doubt" if reply.find("ALERT") else reply.status
            except (EOFError, OSError, AssertionError):
                self.answer = "cut"
            finally:
                tracer.kill()
                tracer.wait()

    @staticmethod
    def traced(pid):
        try:
            with open("/proc/%d/status" % pid, encoding="ascii") as f:
                return not re.search(r"TracerPid:\t0\n", f.read())
        except OSError:
            return True

    def settle(self):
        """Whoever logs in next has what was left brought to its end."""
        with Imap(self.server.port, timeout=30) as c:
            wait_for("a login", lambda: c.cmd("LOGIN %s %s" % (self.user, self.user)).ok)
            own = os.path.join(self.server.maildir(self.user, "Outbox"), "posthouse")
            wait_for("the attempt of %r" % self,
                     lambda: not os.path.isdir(own) or not [n for n in os.listdir(own) if n.startswith("outbox.")], 40)

    def check(self, ids):
        sent = ids.count(self.mid.encode())
        assert sent <= 1, "%r: sent %d times" % (self, sent)
        with Imap(self.server.port, timeout=30) as c:
            c.login(self.user)
            if not c.cmd("EXAMINE INBOX.Outbox").ok:
                return sent, "none"
            flags = [m.group(1) for m in c.ok("FETCH 1:* (FLAGS)").all(r"FLAGS \(([^)]*)\)")]
            notices = 0
            source = self.verb == "APPEND"
            c.ok("EXAMINE INBOX")
            for m in c.ok("FETCH 1:* (BODY.PEEK[])").all(r"Message-ID: <([^>]*)>"):
                notices += m.group(1) != self.mid.encode()
                source |= m.group(1) == self.mid.encode()
        assert len(flags) <= 1, "%r: %d copies" % (self, len(flags))
        state = "none" if not flags else "unknown" if b"$SubmissionUnknown" in flags[0] else \
            "failed" if b"$SubmissionFailed" in flags[0] else "sent"
        what = "%r; sent %d, in the Outbox: %s, notices: %d" % (self, sent, state, notices)
        assert state != "sent" or sent == 1, what
        assert state != "failed" or sent == 0, what
        assert state in ("none", "sent") or notices >= 1, what
        assert state != "none" or sent == 0, what
        assert self.answer != "OK" or (sent == 1 and state == "sent"), what
        assert self.answer != "NO" or (sent == 0 and state == "none"), what
        assert self.answer != "doubt" or state == "unknown", what
        assert source or state != "none", what
        return sent, state


@pytest.mark.skipif(not ROOT, reason="strace looks into processes of several users")
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is missing")
def test_killed_anywhere(capsys):
    server = Server(users=["demo"] + ["k%d" % i for i in range(RUNS)], OUTBOX=".Outbox", OUTBOX_WAIT=4, IMAPD_POOL=8)
    sendmail = Sendmail(server.dir)
    server.settings["SENDMAIL"] = sendmail.path
    server.write_settings()
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 1 << 30)
    rng = random.Random(seed)
    runs = [Run(server, i, rng) for i in range(RUNS)]
    table, fault = collections.defaultdict(collections.Counter), []
    server.start()
    try:
        for run in runs:  # one at a time: the mailer has one tracer
            run.go()
        todo, lock = list(runs), threading.Lock()

        def settler():
            while True:
                with lock:
                    if not todo:
                        return
                    run = todo.pop()
                try:
                    run.settle()
                except Exception as e:  # pylint: disable=broad-except
                    fault.append("%r: %r" % (run, e))
        threads = [threading.Thread(target=settler) for _ in range(AT_ONCE)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not fault, fault
        time.sleep(0.2)
        ids = sendmail.ids()
        for run in runs:
            sent, state = run.check(ids)
            row = table[run.target, run.call]
            for key in ("runs", run.answer, "sent" if sent else "not sent", "in folder: " + state):
                row[key] += 1
    finally:
        server.stop()
    columns = ["runs", "OK", "NO", "doubt", "cut", "sent", "not sent", "in folder: none", "in folder: sent",
               "in folder: unknown", "in folder: failed"]
    total = sum(table.values(), collections.Counter())
    with capsys.disabled():
        print("\n%-24s %s" % ("killed at (seed %d)" % seed, "  ".join(columns)))
        for key in sorted(table) + ["all"]:
            row = total if key == "all" else table[key]
            print("%-24s %s" % (" ".join(key) if key != "all" else key, "  ".join("%*d" % (len(x), row[x]) for x in columns)))
    assert total["cut"] + total["doubt"] + total["NO"] > 0, "nothing was killed"
