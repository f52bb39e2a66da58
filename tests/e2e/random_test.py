# SPDX-License-Identifier: Apache-2.0
"""Random operations by several sessions, a second imapd process and other programs on one Maildir. Each session's
table is kept from the untagged answers alone (lib/mirror.py); what was acknowledged is remembered (lib/truth.py);
again and again everybody must agree with the files on disk.

POSTHOUSE_LONG=1, POSTHOUSE_OPS, POSTHOUSE_SECONDS, POSTHOUSE_SEED: more, or one seed again."""
import os
import random
import re
import signal
import tempfile
import time

import pytest

from lib.imap import Imap
from lib.mirror import Mirror
from lib.resyncer import Resyncer
from lib.server import MAIL_UID, ROOT
from lib.shell import Shell
from lib.truth import FLAGS, LETTER, Truth

LONG = bool(os.environ.get("POSTHOUSE_LONG"))
OPS = int(os.environ.get("POSTHOUSE_OPS", 1000000 if LONG else 20000))
SECONDS = float(os.environ.get("POSTHOUSE_SECONDS", 3600 if LONG else 50))
SEEDS = [int(os.environ["POSTHOUSE_SEED"])] if "POSTHOUSE_SEED" in os.environ else range(1, 5)
FOLDERS = ("INBOX", "INBOX.A", "INBOX.B")
CHURN = ("INBOX.C", "INBOX.D")
KEYWORDS = ("k0", "k1", "$k2")
RESYNCER = 4  # the session that breaks off and comes back with QRESYNC
MOST = 120  # messages in a folder before there are more expunges


class Op:
    """A command of one session on its way. after(reply) and lost() (killed meanwhile) tell the truth of it."""

    def __init__(self, session, command, after, lost, literal=None):
        self.session, self.after, self.lost = session, after, lost
        session.start(command, literal)


class World:
    def __init__(self, server, user, seed, second):
        self.server, self.user, self.rng, self.truth = server, user, random.Random(seed), Truth()
        self.serial, self.ops, self.log, self.counts = 0, 0, [], {}
        self.copies, self.modseqs = {}, {}  # of the client that comes back
        self.dir = server.make_maildir(user)
        self.second = second
        for name in FOLDERS:
            self.truth.names[name] = None
        self.sessions = [None] * (6 if second else 5)
        for i in range(len(self.sessions)):
            self.connect(i)
        for name in FOLDERS[1:]:
            assert self.sessions[0].run("CREATE %s" % name).ok

    # ---- sessions ------------------------------------------------------------------------------------
    def connect(self, i):
        old = self.sessions[i]
        if old:
            if i == RESYNCER:
                old.save()
            try:
                old.c.close()
            except AssertionError:
                assert i == 5 and old.doomed, "the second process ended badly"
        if i == 5:
            prefix = ["setpriv", "--reuid", str(MAIL_UID), "--regid", str(MAIL_UID), "--clear-groups"] if ROOT else []
            imap = Shell(self.dir, prefix=prefix, conf=self.server.conf)
        else:
            imap = Imap(self.server.sslport if i < 2 else self.server.port, tls=i < 2).login(self.user)
        self.serial += 1
        label = "session %d.%d" % (i, self.serial)
        if i == RESYNCER:
            self.sessions[i] = Resyncer(imap, label, self.learn, self.copies, self.modseqs, self.rng)
            return
        self.sessions[i] = Mirror(imap, label, self.learn)
        if i == RESYNCER - 1:
            assert self.sessions[i].run("ENABLE CONDSTORE").ok

    def learn(self, mirror, row, subject):
        if mirror.validity is not None and not mirror.doomed:
            self.truth.learn(mirror.folder, mirror.validity, row.uid, subject)

    def imapds(self):
        found = []
        for pid in self.server.pids("imapd"):
            try:
                if os.path.samefile("/proc/%d/cwd" % pid, self.dir):
                    found.append(pid)
            except OSError:
                pass
        return found

    def select(self, s):
        names = [n for n in self.truth.names]
        folder = self.rng.choice(names)
        more = {"validity": self.truth.names[folder]} if s.resync else {}
        if s.select(folder, self.rng.random() < 0.15, **more).ok:
            self.truth.validity(folder, s.validity)
            for r in s.rows:
                assert s.resync or not r.uid
        else:
            raise AssertionError("%s: can't select %s\n%s" % (s.label, folder, "\n".join(map(repr, s.trace))))

    # ---- files ---------------------------------------------------------------------------------------
    def path(self, folder):
        return self.dir if folder == "INBOX" else os.path.join(self.dir, folder[5:])

    def files(self, folder):
        return [(sub, name) for sub in ("new", "cur") for name in os.listdir(os.path.join(self.path(folder), sub))]

    def subject_of(self, folder, sub, name):
        with open(os.path.join(self.path(folder), sub, name), "rb") as f:
            return re.search(rb"Subject: (\S+)", f.read()).group(1).decode()

    def disk(self, folder):
        """Sorted (subject, flags)."""
        found = []
        for sub, name in self.files(folder):
            letters = name.partition(":2,")[2]
            found.append((self.subject_of(folder, sub, name), frozenset(f for f in FLAGS if LETTER[f] in letters)))
        return sorted(found, key=lambda x: (x[0], sorted(x[1])))

    def new_subject(self):
        self.serial += 1
        return "s%d" % self.serial

    # ---- commands ------------------------------------------------------------------------------------
    def note(self, what):
        self.ops += 1
        self.counts[what] = self.counts.get(what, 0) + 1

    def pick(self, s, most=6):
        """Some messages of the session whose UID it knows: [(number, key, entry)]."""
        known = [(n, (s.validity, r.uid), self.truth.entries.get((s.validity, r.uid))) for n, r in s.known()]
        known = [k for k in known if k[2]]
        if not known:
            return []
        if self.rng.random() < 0.5:
            at = self.rng.randrange(len(known))
            return known[at:at + self.rng.randint(1, most)]
        return sorted(self.rng.sample(known, min(len(known), self.rng.randint(1, most))))

    def target(self, s):
        return self.rng.choice([n for n in FOLDERS if n != s.folder])

    def make(self, s, batch):
        """Starts a command on the session; None where it took none."""
        rng = self.rng
        if s.folder is None or s.folder not in self.truth.names or rng.random() < 0.03:
            self.note("select")
            self.select(s)
            return None
        if any(r.uid is None for r in s.rows) and rng.random() < 0.6:
            return self.op_learn(s)
        crowded = len(s.rows) > MOST
        kinds = [("append", 1 if crowded else 9), ("store", 22), ("expunge", 14 if crowded else 5), ("copy", 1 if crowded else 5),
                 ("move", 5), ("noop", 8), ("fetch", 10), ("search", 5), ("idle", 3), ("check", 1), ("close", 1)]
        kind = rng.choices([k for k, _ in kinds], [w for _, w in kinds])[0]
        self.note(kind)
        return getattr(self, "op_" + kind)(s, batch)

    def op_learn(self, s, batch=None):
        unknown = [i + 1 for i, r in enumerate(s.rows) if r.uid is None]
        self.note("learn")
        return Op(s, "FETCH %d:%d (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])" % (unknown[0], unknown[-1]),
                  lambda reply: None, lambda: None)

    def op_noop(self, s, batch):
        return Op(s, "NOOP", lambda reply: s.must(reply.ok, "NOOP"), lambda: None)

    def op_check(self, s, batch):
        return Op(s, "CHECK", lambda reply: s.must(reply.ok, "CHECK"), lambda: None)

    def op_idle(self, s, batch):
        s.idle()

    def op_search(self, s, batch):
        what = self.rng.choice(["ALL", "FLAGGED", "DELETED", "KEYWORD k0", "UNSEEN", "SUBJECT s1"])
        return Op(s, self.rng.choice(["", "UID "]) + "SEARCH " + what, lambda reply: s.must(reply.ok, "SEARCH"), lambda: None)

    def op_append(self, s, batch):
        subject, folder = self.new_subject(), self.rng.choice(FOLDERS)
        flags = [f for f in FLAGS + KEYWORDS if self.rng.random() < 0.15]
        body = ("From: a@b\r\nSubject: %s\r\n\r\nbody\r\n" % subject).encode()
        self.truth.pending[folder, subject] = None

        def after(reply):
            s.must(reply.ok, "APPEND: %r" % reply)
            v, uid = map(int, re.search(r"\[APPENDUID (\d+) (\d+)\]", reply.text).groups())
            doubt = batch.removed(v) and "\\Deleted" in flags
            self.truth.arrived(folder, v, uid, subject, None if doubt else True, {} if doubt else
                               {f: f in flags for f in FLAGS + KEYWORDS if not batch.touched(v)})
        return Op(s, "APPEND %s (%s) {%d+}" % (folder, " ".join(flags), len(body)), after, lambda: None, body)

    def op_store(self, s, batch):
        picked = self.pick(s, 8)
        if not picked or not s.writable:
            return None
        mode, silent = self.rng.choice(["+", "+", "+", "-", "-", ""]), self.rng.random() < 0.3
        flags = self.rng.sample(FLAGS + KEYWORDS, self.rng.randint(1, 3))
        by_uid, keys = self.rng.random() < 0.5, [k for _, k, _ in picked]
        touched = flags if mode else FLAGS + KEYWORDS
        batch.flagging(keys, "\\Deleted" in touched)
        rows = [s.rows[n - 1] for n, _, _ in picked]

        def after(reply):
            gone, left = not reply.ok, modified(reply)
            if gone:
                s.must("EXPUNGEISSUED" in reply.text or left, "STORE: %r" % reply)
                s.must(batch.concurrent or any(e.alive is not True for _, _, e in picked), "nothing had gone: %r" % reply)
            for n, key, e in picked:
                if (key[1] if by_uid else n) in left:
                    e.story.append("%s was too late for %s%s" % (s.label, mode, flags))
                    continue
                doubt = gone or batch.flagged[key] > 1 or key in self.truth.foreign
                e.story.append("%s %s %s%s" % (s.label, mode, flags, " in doubt" if doubt else ""))
                for f in touched:
                    e.flags[f] = None if doubt else f in flags if mode != "-" else False
            if silent:
                for (n, key, _), row in zip(picked, rows):  # the client knows what it did
                    if row in s.fresh or (key[1] if by_uid else n) in left:
                        continue
                    if row.flags is None or gone:
                        row.flags = None
                    elif mode:
                        row.flags = (row.flags | set(flags)) if mode == "+" else row.flags - set(flags)
                    else:
                        row.flags = frozenset(flags) | (row.flags & {"\\Recent"})

        def lost():
            for _, _, e in picked:
                e.flags.update((f, None) for f in touched)
        numbers = ",".join(str(k[1] if by_uid else n) for n, k, _ in picked)
        condition = " (UNCHANGEDSINCE %d)" % max(0, s.modseq - self.rng.choice([0, 0, 1, 20])) \
            if s.resync and self.rng.random() < 0.4 else ""
        return Op(s, "%sSTORE %s%s %sFLAGS%s (%s)" % ("UID " if by_uid else "", numbers, condition, mode,
                                                     ".SILENT" if silent else "", " ".join(flags)), after, lost)

    def op_expunge(self, s, batch, command="EXPUNGE"):
        if not s.writable:
            return None
        uids = None
        if command == "EXPUNGE" and self.rng.random() < 0.5:
            uids = {k[1] for _, k, _ in self.pick(s, 10)}
            if not uids:
                return None
            command = "UID EXPUNGE " + ",".join(map(str, sorted(uids)))
        v = s.validity
        batch.removing(v)

        def effect(sure):
            for key, e in self.truth.of(v):
                if (uids is not None and key[1] not in uids) or e.alive is False:
                    continue
                if key in batch.deleting or key in self.truth.foreign:
                    e.alive = None
                elif e.flags.get("\\Deleted") is not False:
                    e.alive = False if sure and e.flags.get("\\Deleted") and e.alive else None

        def after(reply):
            s.must(reply.ok, "EXPUNGE: %r" % reply)
            effect(True)
            if command == "CLOSE":
                s.leave()
        return Op(s, command, after, lambda: effect(False))

    def op_close(self, s, batch):
        return self.op_expunge(s, batch, "CLOSE")

    def op_fetch(self, s, batch):
        picked = self.pick(s)
        if not picked:
            return None
        seen, by_uid = self.rng.random() < 0.3 and s.writable, self.rng.random() < 0.5
        if seen:
            batch.flagging([k for _, k, _ in picked], False)
        items = self.rng.choice(["FLAGS", "RFC822.SIZE ENVELOPE", "INTERNALDATE BODYSTRUCTURE"])

        def after(reply):
            if not reply.ok:
                s.must("EXPUNGEISSUED" in reply.text, "FETCH: %r" % reply)
            for _, key, e in picked:
                if seen:
                    sure = reply.ok and batch.flagged[key] == 1 and e.alive and key not in self.truth.foreign
                    e.flags["\\Seen"] = True if sure else None

        def lost():
            for _, _, e in picked:
                if seen:
                    e.flags["\\Seen"] = None
        return Op(s, "%sFETCH %s (UID %s BODY%s[])" % (
            "UID " if by_uid else "", ",".join(str(k[1] if by_uid else n) for n, k, _ in picked), items,
            "" if seen else ".PEEK"), after, lost)

    def op_copy(self, s, batch, move=False):
        picked = self.pick(s)
        if not picked or (move and not s.writable):
            return None
        to, by_uid, keys = self.target(s), self.rng.random() < 0.5, [k for _, k, _ in picked]
        for _, _, e in picked:
            self.truth.pending.setdefault((to, e.subject), None)
        if move:
            batch.moving(keys)

        def after(reply):
            found = re.search(r"\[COPYUID (\d+) (\S+) (\S+?)\]", reply.text) or \
                reply.find(rb"\[COPYUID (\d+) (\S+) (\S+?)\]")
            uids = {}
            if found:
                v, source, target = (x.decode() if isinstance(x, bytes) else x for x in found.groups())
                uids = dict(zip(numbers_of(source), numbers_of(target)))
                assert len(numbers_of(source)) == len(numbers_of(target))
            if not reply.ok:
                s.must("EXPUNGEISSUED" in reply.text, "COPY: %r" % reply)
                s.must(batch.concurrent or any(e.alive is not True for _, _, e in picked), "nothing had gone: %r" % reply)
            for _, key, e in picked:
                if key[1] not in uids:
                    s.must(e.alive is not True or not reply.ok or batch.concurrent, "%s wasn't copied" % e)
                    if not reply.ok and move and e.alive:
                        e.alive = None
                    continue
                doubt = batch.flagged[key] or key in self.truth.foreign or batch.touched(int(v))
                flags = {} if doubt else {f: e.flags.get(f) for f in FLAGS + KEYWORDS}
                unsure = batch.removed(int(v)) and flags.get("\\Deleted") is not False
                self.truth.arrived(to, int(v), uids[key[1]], e.subject, None if unsure else True, flags)
                self.truth.entries[int(v), uids[key[1]]].story.append("%s copied it from %s" % (s.label, e))
                if move:
                    e.alive = False

        def lost():
            for _, _, e in picked:
                if move and e.alive:
                    e.alive = None
        return Op(s, "%s%s %s %s" % ("UID " if by_uid else "", "MOVE" if move else "COPY", ",".join(
            str(k[1] if by_uid else n) for n, k, _ in picked), to), after, lost)

    def op_move(self, s, batch):
        return self.op_copy(s, batch, move=True)

    # ---- other programs ------------------------------------------------------------------------------
    def deliver(self):
        folder, subject = self.rng.choice(FOLDERS), self.new_subject()
        self.truth.pending[folder, subject] = True
        self.note("deliver")
        self.server.deliver("From: x@y\nSubject: %s\n\nbody\n" % subject, user=self.user,
                            folder=None if folder == "INBOX" else folder[6:])

    def foreign(self, batch):
        """Renames flags, removes a file, or moves one to another folder, as another Maildir program would."""
        folder = self.rng.choice(FOLDERS)
        files = self.files(folder)
        if not files:
            return
        sub, name = self.rng.choice(files)
        at = self.path(folder)
        try:
            subject = self.subject_of(folder, sub, name)
        except FileNotFoundError:
            return
        entries = self.truth.by_subject(folder, subject)
        one = entries[0] if len(entries) == 1 and not batch.concurrent else None
        sure = one and self.truth.pending.get((folder, subject), 0) == 0
        kind = self.rng.choices(["flags", "unlink", "move"], [8, 2, 2])[0]
        self.note("foreign " + kind)
        try:
            if kind == "flags":
                flags = [f for f in FLAGS if self.rng.random() < (0.1 if f == "\\Deleted" else 0.4)]
                if not entries and "\\Deleted" in flags:
                    flags.remove("\\Deleted")
                base = name.partition(":2,")[0]
                os.rename(os.path.join(at, sub, name),
                          os.path.join(at, "cur", base + ":2," + "".join(sorted(LETTER[f] for f in flags))))
                self.truth.foreign.add((folder, subject))
                for key, e in entries:
                    self.truth.foreign.add(key)
                    batch.deleting.add(key)
                    e.story.append("foreign %s -> %s%s" % (name, flags, "" if sure else " in doubt"))
                    e.flags.update((f, f in flags if sure else None) for f in FLAGS)
                return
            if batch.concurrent:
                self.truth.doubtful.add((folder, subject))
            if kind == "unlink":
                os.unlink(os.path.join(at, sub, name))
            else:
                to = self.rng.choice([f for f in FOLDERS if f != folder])
                os.rename(os.path.join(at, sub, name), os.path.join(self.path(to), sub, name))
                stays = "T" not in name.partition(":2,")[2]  # else whoever expunges there takes it along
                self.truth.pending.setdefault((to, subject), True if sure and stays else None)
                for _, e in self.truth.by_subject(to, subject):  # it may be the one that was there before
                    e.alive = e.alive and None
                    self.truth.pending[to, subject] = None
                for key, e in self.truth.entries.items():
                    if e.subject == subject and e.alive is False and key[0] == self.truth.names[to]:
                        e.alive = None
                        e.flags = {}
                        self.truth.pending[to, subject] = None
            for _, e in entries:
                e.alive = False if sure else None
            if (folder, subject) in self.truth.pending:
                self.truth.pending[folder, subject] = None
        except FileNotFoundError:
            pass

    # ---- folders, processes --------------------------------------------------------------------------
    def churn(self):
        free = [s for s in self.sessions if not s.idling]
        if not free:
            return
        s, names = self.rng.choice(free), self.truth.names
        there = [n for n in CHURN if n in names]
        self.note("churn")
        if len(there) == 0 or (len(there) == 1 and self.rng.random() < 0.4):
            name = [n for n in CHURN if n not in names][0]
            s.must(s.run("CREATE " + name).ok, "CREATE")
            names[name] = None
            return
        name = self.rng.choice(there)
        if s.folder == name:
            s.leave()
        others = [o for o in self.sessions if o.folder == name and o is not s]
        if len(there) == 1 and self.rng.random() < 0.5:
            to = [n for n in CHURN if n not in names][0]
            s.must(s.run("RENAME %s %s" % (name, to)).ok, "RENAME")
            self.truth.renamed(name, to)
        else:
            s.must(s.run("DELETE " + name).ok, "DELETE")
            self.truth.forget(name)
        for o in others:
            o.doomed = True

    def kill(self, batch_ops):
        """kill -9 of the server's imapd of this user, or of the second process; its sessions connect anew."""
        if self.second and self.rng.random() < 0.5:
            os.kill(self.sessions[5].c.process.pid, signal.SIGKILL)
            victims = [5]
        else:
            pids = self.imapds()
            second = self.sessions[5].c.process.pid if self.second else 0
            for pid in pids:
                if pid != second:
                    os.kill(pid, signal.SIGKILL)
            victims = range(5)
        self.note("kill")
        for i in victims:
            self.sessions[i].doomed = True
        for op in batch_ops:
            if op.session.doomed:
                op.lost()
        for i in victims:
            self.connect(i)
        return [op for op in batch_ops if not op.session.doomed]

    def come_back(self):
        """The client's connection breaks, at once or while a command is on its way; then it comes back."""
        s = self.sessions[RESYNCER]
        self.note("come back")
        if not s.idling and self.rng.random() < 0.5 and s.folder:
            s.c.start("NOOP")
        s.doomed = True
        folder = s.folder
        self.connect(RESYNCER)
        s = self.sessions[RESYNCER]
        if folder in self.truth.names and self.rng.random() < 0.7:
            s.must(s.select(folder, validity=self.truth.names[folder]).ok, "SELECT")
            self.truth.validity(folder, s.validity)
        else:
            self.select(s)

    def reconnect_doomed(self):
        for i, s in enumerate(self.sessions):
            if s.doomed:
                self.connect(i)

    # ---- turns ---------------------------------------------------------------------------------------
    def turn(self):
        self.reconnect_doomed()
        self.truth.names.update({n: self.truth.names.get(n) for n in FOLDERS})
        chance = self.rng.random()
        if chance < 0.015:
            self.churn()
            return
        if chance < 0.045:
            self.come_back()
            return
        batch, ops = Batch(), []
        chosen = self.rng.sample(self.sessions, self.rng.choice([1, 1, 1, 2, 3, 4]))
        batch.concurrent = len(chosen) > 1 or self.rng.random() < 0.1
        for s in chosen:
            if s.idling:
                if self.rng.random() < 0.5:
                    s.drain()
                    continue
                s.done()
            op = self.make(s, batch)
            if op:
                ops.append(op)
            if self.rng.random() < 0.15:
                self.deliver()
            if batch.concurrent and self.rng.random() < 0.1:
                self.foreign(batch)
        if self.rng.random() < 0.0015:
            ops = self.kill(ops)
        for op in ops:
            op.after(op.session.finish())
        if not batch.concurrent and self.rng.random() < 0.15:
            self.foreign(batch)

    def sweep(self):
        """Everybody must agree, soon."""
        self.reconnect_doomed()
        self.note("sweep")
        for name in FOLDERS:
            end, fresh = time.monotonic() + 12, None
            while True:
                try:
                    fresh = self.agree(name)
                    break
                except Disagree as fault:
                    if time.monotonic() > end:
                        raise AssertionError("%s: %s" % (name, fault)) from None
                    time.sleep(0.02)
            self.truth.check(name, {r.uid: fresh[r.uid] for r in self.fresh_rows})
        self.truth.settled()

    def agree(self, name):
        seen = {}
        fresh = Mirror(Imap(self.server.port).login(self.user), "fresh",
                       lambda m, row, subject: seen.__setitem__(row.uid, (subject, row.flags)))
        try:
            fresh.select(name, examine=True)
            self.truth.validity(name, fresh.validity)
            if fresh.rows:
                fresh.run("FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            for s in self.sessions:
                if s.folder == name:
                    self.same(s, fresh)
            disk = self.disk(name)
            mine = sorted(((seen[r.uid][0], r.flags & set(FLAGS)) for r in fresh.rows if r.uid in seen),
                          key=lambda x: (x[0], sorted(x[1])))
            if mine != disk:
                raise Disagree("a fresh session sees %s\nnot on disk %s\nonly on disk %s" % (
                    len(mine), [m for m in mine if m not in disk], [d for d in disk if d not in mine]))
            for r in fresh.rows:
                self.truth.learn(name, fresh.validity, r.uid, seen[r.uid][0])
            self.fresh_rows = fresh.rows
            return seen
        except FileNotFoundError as gone:
            raise Disagree(str(gone)) from None
        finally:
            fresh.c.close()

    def same(self, s, fresh):
        """What the session was told is what is there; and the server's idea of it is the same."""
        if s.idling:
            s.drain()
        else:
            s.must(s.run("NOOP").ok, "NOOP")
        self.compare(s, fresh)
        if not s.idling and s.rows:
            told, ignored = [r.flags for r in s.rows], {"\\Recent"} if s.resync else set()
            s.run("FETCH 1:* (UID FLAGS)")
            for n, (before, row) in enumerate(zip(told, s.rows)):
                if before is not None and before - ignored != row.flags - ignored:
                    raise Disagree("%s: %d was told %s, is %s\n%s" % (
                        s.label, n + 1, sorted(before), sorted(row.flags), "\n".join(map(repr, s.trace))))
            self.compare(s, fresh)

    @staticmethod
    def compare(s, fresh):
        if len(s.rows) != len(fresh.rows):
            raise Disagree("%s%s knows %d messages of %d\n%s" % (s.label, " in IDLE" if s.idling else "", len(s.rows),
                                                               len(fresh.rows), "\n".join(map(repr, s.trace))))
        for n, (a, b) in enumerate(zip(s.rows, fresh.rows)):
            if a.uid not in (None, b.uid):
                raise Disagree("%s: %d is UID %s, should be %s" % (s.label, n + 1, a.uid, b.uid))
            if a.flags is not None and a.flags - {"\\Recent"} != b.flags - {"\\Recent"}:
                raise Disagree("%s: flags of %d are %s, should be %s\n%s" % (
                    s.label, n + 1, sorted(a.flags), sorted(b.flags), "\n".join(map(repr, s.trace))))


class Disagree(Exception):
    pass


class Batch:
    """What commands that run at the same time do to the same messages."""

    def __init__(self):
        self.concurrent, self.flagged, self.deleting = False, Count(), set()
        self.removals, self.touches = set(), set()

    def flagging(self, keys, deleted):
        for key in keys:
            self.flagged[key] += 1
            self.touches.add(key[0])
        if deleted:
            self.deleting.update(keys)

    def removing(self, validity):
        self.removals.add(validity)

    def moving(self, keys):
        self.deleting.update(keys)

    def removed(self, validity):
        return validity in self.removals

    def touched(self, validity):
        return validity in self.touches


class Count(dict):
    def __missing__(self, key):
        return 0


def modified(reply):
    """Numbers (or UIDs) of the messages that a conditional STORE left alone."""
    found = re.match(r"\[MODIFIED (\S+)\]", reply.text)
    return set(numbers_of(found.group(1))) if found else set()


def numbers_of(text):
    found = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        found += range(int(first), int(last or first) + 1)
    return found


@pytest.fixture(scope="module")
def tmpfs_server():
    from lib.server import Server
    kept = tempfile.tempdir
    if os.access("/dev/shm", os.W_OK):
        tempfile.tempdir = "/dev/shm"
    # snapshots and a short memory are part of it
    s = Server(users=["demo"] + ["r%d" % seed for seed in SEEDS], JOURNAL_COMPACT=16384, EXPUNGE_HISTORY=40)
    tempfile.tempdir = kept
    yield s.start()
    s.stop()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_random(tmpfs_server, seed):
    world = World(tmpfs_server, "r%d" % seed, seed, second=seed % 2 == 0)
    end, turns = time.monotonic() + SECONDS / len(SEEDS), 0
    try:
        while world.ops < OPS / len(SEEDS) and time.monotonic() < end:
            world.turn()
            turns += 1
            if turns % 150 == 0:
                world.sweep()
        world.sweep()
    finally:
        print("seed %d: %d operations: %s" % (seed, world.ops, world.counts))
    for i, s in enumerate(world.sessions):
        s.doomed = s.doomed or i == 5
        s.c.close()
