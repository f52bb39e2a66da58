# SPDX-License-Identifier: Apache-2.0
"""A client that keeps what it knows of each folder, breaks off at any moment, and comes back with QRESYNC: what the
server then tells must make its copy whole. It goes by the rules of RFC 7162 section 6, no matter how well it knows
the server."""
import itertools
import re

from .mirror import Mirror, Row

VANISHED = re.compile(rb"^\* VANISHED (\(EARLIER\) )?([\d:,]+)$")
MODSEQ = re.compile(rb"MODSEQ \((\d+)\)")
HIGHEST = re.compile(rb"^\* OK \[HIGHESTMODSEQ (\d+)\]")


def ranges(numbers):
    out = []
    for n in sorted(numbers):
        if out and out[-1][1] == n - 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return ",".join("%d:%d" % (a, b) if a != b else str(a) for a, b in out)


def numbers(text):
    for part in text.split(","):
        first, _, last = part.partition(":")
        yield from range(int(first), int(last or first) + 1)


class Copy:
    """What is kept of a folder: its messages up to the first that isn't known. whole: there is no such."""

    def __init__(self, modseq, flags, whole):
        self.modseq, self.flags, self.whole = modseq, flags, whole


class Resyncer(Mirror):
    """copies: UIDVALIDITY -> Copy, outlives the connection. modseqs: (UIDVALIDITY, UID) -> the highest that was told,
    and UIDVALIDITY -> the same of the folder."""

    resync = True

    def __init__(self, imap, label, learn, copies, modseqs, rng):
        self.copies, self.modseqs, self.rng, self.folder = copies, modseqs, rng, None
        super().__init__(imap, label, learn)
        reply = self.run("ENABLE QRESYNC")
        self.must(reply.ok and reply.find(rb"^\* ENABLED QRESYNC$"), "ENABLE QRESYNC")

    # ---- what is kept --------------------------------------------------------------------------------
    def save(self):
        if self.folder is None or self.validity is None:
            return
        known = list(itertools.takewhile(lambda r: r.uid, self.rows))
        self.copies[self.validity] = Copy(self.modseq, {r.uid: r.flags and r.flags - {"\\Recent"} for r in known},
                                          len(known) == len(self.rows))

    def leave(self):
        self.save()
        super().leave()
        self.modseq, self.seen, self.code, self.base, self.opening = 0, 0, None, None, False

    # ---- SELECT --------------------------------------------------------------------------------------
    def select(self, folder, examine=False, validity=None):
        copy, known = self.copies.get(validity), None
        parameter = ""
        if copy:
            parameter = " (QRESYNC (%d %d" % (validity, copy.modseq)
            if not copy.whole or self.rng.random() < 0.3:
                known = set(copy.flags)
                parameter += " " + ranges(known) if known else " 4294967295"
            if copy.whole and copy.flags and self.rng.random() < 0.5:
                uids = sorted(copy.flags)
                sample = sorted(self.rng.sample(range(len(uids)), min(len(uids), 5)))
                parameter += " (%s %s)" % (",".join(str(i + 1) for i in sample), ",".join(str(uids[i]) for i in sample))
            parameter += "))"
        self.start(("EXAMINE " if examine else "SELECT ") + folder + parameter)
        self.base, self.opening = dict(copy.flags) if copy else {}, True
        self.whole = copy is not None and copy.whole and known is None
        reply = self.finish()
        if not reply.ok:
            return reply
        self.folder, self.writable = folder, not examine
        found = int(reply.find(rb"UIDVALIDITY (\d+)").group(1))
        self.must(self.uidnext and HIGHEST.search(b"\n".join([l for l in reply.untagged if HIGHEST.match(l)])), "no HIGHESTMODSEQ")
        self.must(copy is None or found == validity, "UIDVALIDITY changed")
        self.validity, self.opening = found, False
        for row, modseq in self.told:
            self.grows((found, row.uid), modseq)
        self.grows(found, self.modseq)
        if copy is None:
            self.must(self.run("FETCH 1:* (UID FLAGS)").ok or not self.rows, "FETCH")
        return reply

    def settle(self):
        """The answer to SELECT is over: what was kept, less what vanished, is what is there."""
        if self.base is None:
            return
        known = sorted(set(self.base) | {r.uid for r in self.rows if r.uid})
        if self.whole:
            self.must(len(known) == len(self.rows), "%d messages are known after the resync, %d are there: %s" % (
                len(known), len(self.rows), known))
        else:
            known = known[:len(self.rows)]
        for row, uid in zip(self.rows, known) if self.base else ():
            self.must(row.uid in (None, uid), "UID %s is in the way of %d" % (row.uid, uid))
            if row.uid is None:
                row.uid, row.flags = uid, self.base[uid]
        self.base = None

    # ---- answers -------------------------------------------------------------------------------------
    def start(self, command, literal=None):
        self.told = []
        super().start(command, literal)

    def finish(self):
        reply = super().finish()
        self.tagged(reply)
        return reply

    def done(self):
        super().done()
        self.tagged(None)

    def tagged(self, reply):
        self.settle()
        code = re.match(r"\[HIGHESTMODSEQ (\d+)\]", reply.text) if reply else None
        if code:
            self.modseq = self.code = int(code.group(1))
        if self.opening and self.code is not None:
            self.modseq = self.code
        if self.code is None and self.seen > self.modseq:
            self.modseq = self.seen
        self.seen, self.code = 0, None

    def take(self, line, verb):
        vanished, highest = VANISHED.match(line), HIGHEST.match(line)
        if vanished:
            self.trace.append(line[:300])
            self.take_vanished(vanished.group(1), list(numbers(vanished.group(2).decode())), verb)
            return
        if line.endswith(b" EXISTS") and self.rows:
            self.settle()
        self.must(not line.endswith(b" EXPUNGE"), "EXPUNGE after ENABLE QRESYNC")
        super().take(line, verb)
        if highest:
            self.code = int(highest.group(1))
            if not self.opening:
                self.modseq = self.code

    def take_vanished(self, earlier, uids, verb):
        if earlier:
            self.must(verb in ("SELECT", "EXAMINE", "UID FETCH"), "VANISHED (EARLIER) during %s" % verb)
            for uid in uids:
                if self.base is not None:
                    self.base.pop(uid, None)
                else:
                    self.must(not [r for r in self.rows if r.uid == uid], "VANISHED (EARLIER) of a message that counts")
            return
        self.must(verb not in ("FETCH", "STORE", "SEARCH"), "VANISHED during %s" % verb)
        self.settle()
        for uid in uids:
            rows = [r for r in self.rows if r.uid == uid]
            self.must(len(rows) == 1 or any(r.uid is None for r in self.rows), "VANISHED %d, which isn't there" % uid)
            if rows:
                self.rows.remove(rows[0])
            else:  # one whose UID this client never asked for
                after = [i for i, r in enumerate(self.rows) if r.uid and r.uid > uid]
                empty = [i for i, r in enumerate(self.rows[:after[0]] if after else self.rows) if r.uid is None]
                del self.rows[empty[-1]]

    def take_fetch(self, n, items):
        super().take_fetch(n, items)
        modseq, row = MODSEQ.search(items), self.rows[n - 1]
        self.must(self.verb == "FETCH" or self.verb == "UID FETCH" or (modseq and row.uid), "FETCH without UID and MODSEQ")
        if not modseq:
            return
        self.seen = max(self.seen, int(modseq.group(1)))
        if self.opening:
            self.told.append((row, int(modseq.group(1))))
        elif row.uid:
            self.grows((self.validity, row.uid), int(modseq.group(1)))

    def grows(self, what, modseq):
        self.must(modseq >= self.modseqs.get(what, 0), "modseq of %s was %s, is %d" % (what, self.modseqs.get(what), modseq))
        self.modseqs[what] = modseq
