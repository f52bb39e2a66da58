# SPDX-License-Identifier: Apache-2.0
"""What one client knows of its folder, kept strictly from the server's answers; every answer that RFC 3501 forbids
is an AssertionError."""
import collections
import re

FETCH = re.compile(rb"^\* (\d+) FETCH \((.*)\)$", re.S)
NUMBER = re.compile(rb"^\* (\d+) (EXISTS|RECENT|EXPUNGE)$")
SUBJECT = re.compile(rb"Subject: (\S+)")
SYSTEM = {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "\\Recent"}


class Row:
    __slots__ = ("uid", "flags")

    def __init__(self):
        self.uid = self.flags = None


class Mirror:
    """learn(validity, uid, subject, flags) hears of every message that is seen with its subject."""

    resync = False

    def __init__(self, imap, label, learn):
        self.c, self.label, self.learn = imap, label, learn
        self.trace, self.verb, self.fresh = collections.deque(maxlen=60), None, set()
        self.idling, self.doomed, self.bye = False, False, False
        self.leave()

    def leave(self):
        self.folder, self.validity, self.writable = None, None, False
        self.rows, self.keywords, self.uidnext = [], set(), 0

    def must(self, true, what):
        if not true:
            raise AssertionError("%s: %s\n%s" % (self.label, what, "\n".join(map(repr, self.trace))))

    # ---- commands ------------------------------------------------------------------------------------
    def start(self, command, literal=None):
        self.trace.append("C: " + command)
        self.fresh = set()  # rows whose flags were told since
        self.verb = command.split(" ", 1)[0].upper()
        if self.verb == "UID":
            self.verb = " ".join(command.split(" ", 2)[:2]).upper()
        if self.verb in ("SELECT", "EXAMINE"):
            self.leave()
        self.tag = self.c.start(command)
        if literal is not None:
            self.c.send(literal + b"\r\n")

    def finish(self):
        reply = self.c.finish(self.tag)
        for line in reply.untagged:
            self.take(line, self.verb)
        self.trace.append("S: %s %s" % (reply.status, reply.text))
        self.must(reply.status != "BAD", "BAD")
        return reply

    def run(self, command):
        self.start(command)
        return self.finish()

    def select(self, folder, examine=False):
        reply = self.run("%s %s" % ("EXAMINE" if examine else "SELECT", folder))
        if reply.ok:
            self.folder, self.writable = folder, not examine
            self.validity = int(reply.find(rb"UIDVALIDITY (\d+)").group(1))
            self.must(self.uidnext, "no UIDNEXT")
        return reply

    def idle(self):
        self.trace.append("C: IDLE")
        self.verb = "IDLE"
        self.c.idle_tag = self.c.start("IDLE")
        while True:
            line = self.c.read_line()
            if line.startswith(b"+"):
                break
            self.take(line, "IDLE")
        self.idling = True

    def drain(self):
        """Takes what has come in IDLE."""
        while self.c.pending():
            self.take(self.c.read_line(), "IDLE")

    def done(self):
        self.trace.append("C: DONE")
        self.idling = False
        reply = self.c.done()
        for line in reply.untagged:
            self.take(line, "IDLE")
        self.must(reply.ok, "IDLE ended with %r" % reply)

    # ---- answers -------------------------------------------------------------------------------------
    def take(self, line, verb):
        self.trace.append(line[:300])
        number = NUMBER.match(line)
        fetch = FETCH.match(line)
        if number:
            self.take_number(int(number.group(1)), number.group(2), verb)
        elif fetch:
            self.take_fetch(int(fetch.group(1)), fetch.group(2))
        elif line.startswith(b"* FLAGS ("):
            self.keywords = set(line[9:-1].decode().split()) - SYSTEM
        elif line.startswith(b"* OK [UIDNEXT "):
            self.uidnext = int(line[14:].split(b"]")[0])
        elif line.startswith(b"* SEARCH"):
            self.take_search([int(x) for x in line[8:].split()], verb)
        elif line.startswith(b"* BYE"):
            self.bye = True
        else:
            self.must(line.startswith((b"* OK", b"* LIST", b"* STATUS", b"* ENABLED")), "what is %r?" % line)

    def take_number(self, n, what, verb):
        if what == b"EXISTS":
            self.must(n >= len(self.rows), "EXISTS shrinks from %d to %d" % (len(self.rows), n))
            self.rows += [Row() for _ in range(n - len(self.rows))]
        elif what == b"RECENT":
            self.must(n <= len(self.rows), "%d RECENT of %d" % (n, len(self.rows)))
        else:
            self.must(verb not in ("FETCH", "STORE", "SEARCH"), "EXPUNGE during %s" % verb)
            self.must(1 <= n <= len(self.rows), "EXPUNGE %d of %d" % (n, len(self.rows)))
            del self.rows[n - 1]

    def take_fetch(self, n, items):
        self.must(1 <= n <= len(self.rows), "FETCH %d of %d" % (n, len(self.rows)))
        row = self.rows[n - 1]
        uid = re.search(rb"(?:^|[ )])UID (\d+)", items)
        flags = re.search(rb"FLAGS \(([^)]*)\)", items)
        subject = SUBJECT.search(items)
        if uid:
            self.take_uid(n, row, int(uid.group(1)))
        if flags:
            row.flags = frozenset(flags.group(1).decode().split())
            self.fresh.add(row)
            self.must(row.flags - SYSTEM <= self.keywords, "a keyword that FLAGS didn't tell of: %s" % set(row.flags))
        if subject:
            self.must(row.uid, "a body without its UID")
            self.learn(self, row, subject.group(1).decode())

    def take_uid(self, n, row, uid):
        self.must(row.uid in (None, uid), "UID of %d was %s, is %d" % (n, row.uid, uid))
        if row.uid == uid:
            return
        row.uid = uid
        before = max((r.uid for r in self.rows[:n - 1] if r.uid), default=0)
        after = min((r.uid for r in self.rows[n:] if r.uid), default=1 << 32)
        self.must(before < uid < after, "UID %d of %d isn't between %d and %d" % (uid, n, before, after))

    def take_search(self, found, verb):
        self.must(found == sorted(set(found)), "SEARCH isn't in order")
        if verb == "SEARCH":
            self.must(not found or found[-1] <= len(self.rows), "SEARCH of unknown numbers")
        elif all(r.uid for r in self.rows):
            self.must(set(found) <= {r.uid for r in self.rows}, "SEARCH of unknown UIDs")

    def known(self):
        """(number, row) of the messages whose UID is known."""
        return [(i + 1, r) for i, r in enumerate(self.rows) if r.uid]
