# SPDX-License-Identifier: Apache-2.0
"""What must be in the folders after what was acknowledged, as far as that can be said for certain: None is "either"."""

import collections

FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")
LETTER = dict(zip(FLAGS, "SRFTD"))


class Entry:
    """A message by UIDVALIDITY and UID; alive and each flag are True, False or None."""

    def __init__(self, subject, alive, flags=None):
        self.subject, self.alive, self.flags = subject, alive, dict(flags or {})
        self.story = collections.deque(maxlen=12)

    def __repr__(self):
        return "%s alive=%s %s\n%s" % (self.subject, self.alive, self.flags, "\n".join(self.story))


class Truth:
    def __init__(self):
        self.names = {}     # folder -> UIDVALIDITY, None = not yet seen
        self.entries = {}   # (UIDVALIDITY, UID) -> Entry
        self.pending = {}   # (folder, subject) -> True: must come, None: may come
        self.used = set()   # UIDVALIDITYs
        # Keys, and (folder, subject), whose flags another program changed since the last sweep: the server may
        # hear of it after the next command, as if it had come first.
        self.foreign = set()
        self.doubtful = set()  # (folder, subject) of files that other programs took while commands ran

    def validity(self, folder, validity):
        known = self.names.get(folder)
        if known is None:
            assert validity not in self.used, "UIDVALIDITY %d of %s was another folder's" % (validity, folder)
            self.used.add(validity)
            self.names[folder] = validity
        else:
            assert known == validity, "UIDVALIDITY of %s was %d, is %d" % (folder, known, validity)

    def learn(self, folder, validity, uid, subject):
        """A session has seen this message: nobody may ever see another under that UID."""
        entry = self.entries.get((validity, uid))
        if entry is None:
            key = (folder, subject)
            assert key in self.pending, "a message nobody knows in %s: UID %d, %s" % (folder, uid, subject)
            self.entries[validity, uid] = Entry(subject, self.pending[key])
            if key in self.foreign:
                self.foreign.add((validity, uid))
            if self.pending[key]:
                del self.pending[key]
        assert self.entries[validity, uid].subject == subject, "UID %d of %s was %s, is %s" % (
            uid, folder, self.entries[validity, uid].subject, subject)

    def arrived(self, folder, validity, uid, subject, alive=True, flags=None):
        """Acknowledged with its UID (APPENDUID, COPYUID)."""
        self.validity(folder, validity)
        entry = self.entries.setdefault((validity, uid), Entry(subject, alive, flags))
        assert entry.subject == subject, "UID %d of %s is %s's and %s's" % (uid, folder, entry.subject, subject)
        if (folder, subject) in self.doubtful:
            alive = None
        if (folder, subject) in self.foreign:
            self.foreign.add((validity, uid))
            flags = None
        entry.alive, entry.flags = alive, dict(flags or {})
        if self.pending.get((folder, subject)):
            self.pending[folder, subject] = None  # this may be it, or another of that subject

    def of(self, validity):
        return [(key, e) for key, e in self.entries.items() if key[0] == validity]

    def by_subject(self, folder, subject):
        return [(key, e) for key, e in self.of(self.names.get(folder)) if e.subject == subject and e.alive is not False]

    def forget(self, folder):
        validity = self.names.pop(folder, None)
        for key in [k for k in self.entries if k[0] == validity]:
            del self.entries[key]
        for key in [k for k in self.pending if k[0] == folder]:
            del self.pending[key]

    def renamed(self, old, new):
        self.names[new] = self.names.pop(old)
        for folder, subject in [k for k in self.pending if k[0] == old]:
            self.pending[new, subject] = self.pending.pop((folder, subject))

    def check(self, folder, found):
        """found: UID -> (subject, flags) as a fresh session sees it. What was open is settled."""
        validity = self.names[folder]
        for (_, uid), e in self.of(validity):
            if uid not in found:
                assert e.alive is not True, "UID %d of %s is lost: %r" % (uid, folder, e)
                e.alive = False
                continue
            assert e.alive is not False, "UID %d of %s is back: %r" % (uid, folder, e)
            flags = found[uid][1]
            for flag, on in e.flags.items() if e.alive else ():
                assert on is None or (flag in flags) == on, "%s of UID %d in %s isn't %s: %s %r" % (
                    flag, uid, folder, on, sorted(flags), e)
            e.alive, e.flags = True, {f: f in flags for f in FLAGS}
            e.flags.update((f, True) for f in flags if f != "\\Recent")
        for (box, subject), sure in self.pending.items():
            assert box != folder or not sure, "%s never came to %s" % (subject, folder)

    def settled(self):
        self.pending.clear()
        self.foreign.clear()
        self.doubtful.clear()
        for key in [k for k, e in self.entries.items() if e.alive is False and k[0] not in self.names.values()]:
            del self.entries[key]
