# SPDX-License-Identifier: Apache-2.0
"""Several sessions change one folder at once, each believing only what it was told (P14). In the end all of
them must know exactly what a fresh session sees: order, UIDs, flags; and never may a line have been nonsense."""
import random
import re
import threading
import time

import pytest

FLAGS = ["\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "kw1", "kw2"]


class Session:
    """A client with its own list of messages: [uid or None, flags or None]."""

    def __init__(self, client, seed):
        self.c, self.dice, self.list = client, random.Random(seed), []
        self.fault = None
        self.load("INBOX")

    def load(self, folder):
        self.list = []
        self.take(self.c.ok("SELECT " + folder).untagged)
        if self.list:
            self.take(self.c.ok("FETCH 1:* (UID FLAGS)").untagged)

    def take(self, lines):
        for line in lines:
            m = re.match(rb"\* (\d+) (EXISTS|EXPUNGE|RECENT|FETCH)(.*)$", line, re.S)
            if not m:
                continue
            n, what = int(m.group(1)), m.group(2)
            if what == b"EXPUNGE":
                assert 1 <= n <= len(self.list), line
                del self.list[n - 1]
            elif what == b"EXISTS":
                assert n >= len(self.list), line
                self.list += [[None, None] for _ in range(n - len(self.list))]
            elif what == b"FETCH":
                assert 1 <= n <= len(self.list), line
                uid, flags = re.search(rb"UID (\d+)", line), re.search(rb"FLAGS \(([^)]*)\)", line)
                if uid:
                    assert self.list[n - 1][0] in (None, int(uid.group(1))), (line, self.list[n - 1])
                    self.list[n - 1][0] = int(uid.group(1))
                if flags:
                    self.list[n - 1][1] = frozenset(flags.group(1).split()) - {b"\\Recent"}

    def cmd(self, command):
        reply = self.c.cmd(command)
        forbidden = command.split()[0] in ("FETCH", "STORE", "SEARCH")
        assert not (forbidden and reply.find(r"^\* \d+ EXPUNGE")), (command, reply)
        self.take(reply.untagged)
        assert reply.status in ("OK", "NO"), (command, reply)
        assert reply.ok or "EXPUNGEISSUED" in reply.text, (command, reply)
        return reply

    def some(self):
        a, b = (self.dice.randint(1, len(self.list)) for _ in range(2))
        return str(a) if self.dice.random() < 0.6 else "%d:%d" % (a, b)

    def step(self):
        dice, kind = self.dice, self.dice.randint(0, 11)
        if not self.list or kind == 0 and len(self.list) < 60:
            reply = self.c.append("INBOX", "Subject: x\r\n\r\n%d\r\n" % dice.randint(0, 9), dice.choice(FLAGS))
            self.take(reply.untagged)
            assert reply.ok, reply
        elif kind < 4:
            self.cmd("STORE %s %sFLAGS%s (%s)" % (self.some(), dice.choice(["+", "-", ""]), dice.choice(["", ".SILENT"]),
                                                  " ".join(dice.sample(FLAGS, dice.randint(1, 3)))))
            self.cmd("FETCH 1:* (UID FLAGS)")  # .SILENT told nothing
        elif kind == 4:
            self.cmd("EXPUNGE")
        elif kind == 5:
            self.cmd("COPY %s INBOX" % self.some())
        elif kind == 6:
            self.cmd("COPY %s INBOX.other" % self.some())
        elif kind == 7:
            self.cmd("MOVE %s INBOX" % self.some())
        elif kind == 8:
            self.cmd("UID FETCH 1:* (FLAGS BODY.PEEK[])")
        elif kind == 9:
            self.cmd("FETCH %s BODY[]" % self.some())
        elif kind == 10:
            self.cmd("SEARCH UNSEEN TEXT 5")
        else:
            self.c.idle()
            time.sleep(dice.random() * 0.03)
            self.take(self.c.done().untagged)

    def run(self, steps):
        try:
            for _ in range(steps):
                self.step()
        except BaseException as fault:  # the main thread raises it
            self.fault = fault


@pytest.mark.parametrize("seed", range(3))
def test_sessions_agree(account, seed):
    first = account.client(select="INBOX")
    first.ok("CREATE INBOX.other")
    for i in range(10):
        first.append("INBOX", "Subject: %d\r\n\r\n\r\n" % i)
    sessions = [Session(account.client(tls=i % 3 == 0), 100 * seed + i) for i in range(6)]
    threads = [threading.Thread(target=s.run, args=(60,)) for s in sessions]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for s in sessions:
        if s.fault:
            raise s.fault
    fresh = Session(account.client(), 0)
    for i, s in enumerate(sessions):
        s.cmd("NOOP")
        told = [flags for _, flags in s.list]
        assert None not in told, "session %d was told of a message, and not of its flags" % i
        assert told == [flags for _, flags in fresh.list], i
        s.cmd("UID FETCH 1:* FLAGS")
        assert s.list == fresh.list, i
