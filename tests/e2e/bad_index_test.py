# SPDX-License-Identifier: Apache-2.0
"""Damage to the store's own files between sessions (BADINPUT.md, rows "index"): the same UIDs under the same
UIDVALIDITY, or a new and higher UIDVALIDITY; never another message under a UID that was given."""
import glob
import os
import random
import struct
import time

import pytest

from lib.guard import Guard
from lib.shell import Shell


@pytest.fixture
def box(tmp_path):
    """A Maildir with 12 messages, some gone, keywords set; closed in order. What its sessions have seen is kept."""
    for sub in ("cur", "new", "tmp"):
        (tmp_path / "Maildir" / sub).mkdir(parents=True)
    seen = Seen(tmp_path / "Maildir")
    with Shell(seen.path) as c:
        c.send(b"".join(b"f%d APPEND INBOX {12+}\r\nSubject: m%02d\r\n" % (i, i) for i in range(14)))
        for i in range(14):
            assert c.finish(b"f%d" % i).ok
        c.ok("SELECT INBOX")
        c.ok("STORE 3:6 +FLAGS (\\Seen one two)")
        c.ok("STORE 2,13 +FLAGS (\\Deleted)")
        c.ok("EXPUNGE")
    seen.look()
    return seen


class Seen:
    def __init__(self, path):
        self.path, self.subjects, self.validities = path, {}, []

    def look(self, add=True):
        """One session: what it shows must fit to what was shown before."""
        with Shell(self.path) as c:
            reply = c.cmd("SELECT INBOX")
            if not reply.ok:
                return False
            validity = int(reply.find(r"UIDVALIDITY (\d+)").group(1))
            if validity not in self.validities:
                assert not self.validities or validity > max(self.validities)
                self.validities.append(validity)
            assert validity == self.validities[-1]
            if add:
                c.append("INBOX", b"Subject: a%06x\r\n\r\nx\r\n" % random.randrange(1 << 24))
            uids = []
            for m in c.ok("UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])").all(r"UID (\d+) .*Subject: (\w+)"):
                uid, subject = int(m.group(1)), m.group(2)
                assert self.subjects.setdefault((validity, uid), subject) == subject, "a UID given twice"
                uids.append(uid)
            assert uids == sorted(set(uids)) and len(uids) >= 12
            c.cmd("UID STORE %d +FLAGS (three)" % uids[0])
        return True

    def files(self):
        return sorted(glob.glob(str(self.path / "posthouse" / "journal.*")) + glob.glob(str(self.path / "posthouse" / "snapshot.*")))


def damaged(path, change):
    with open(path, "rb") as f:
        data = f.read()
    with open(path, "wb") as f:
        f.write(change(data))


@pytest.mark.parametrize("part", range(8))
def test_journal_cut_at_any_byte(box, part):
    """B64, B69: half-written journals"""
    newest = box.files()[-1]
    size = os.stat(newest).st_size
    for i in range(3):
        cut = size * (part * 3 + i) // 24
        damaged(newest, lambda data: data[:cut])
        assert box.look(), cut
        newest = box.files()[-1]


@pytest.mark.parametrize("seed", range(16))
def test_flipped_bits(box, seed):
    """B64, B65"""
    dice = random.Random(seed)
    for _ in range(4):
        path = dice.choice(box.files() + [str(box.path / "posthouse" / "mark"), str(box.path / "posthouse" / "uidvalidity")])
        if not os.path.exists(path) or not os.stat(path).st_size:
            continue
        at = dice.randrange(os.stat(path).st_size)
        damaged(path, lambda data: data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1:])
        assert box.look(), (path, at)


@pytest.mark.parametrize("name, change", [
    ("mark", lambda d: b""), ("mark", lambda d: d[:-1]), ("mark", lambda d: d * 2), ("mark", lambda d: b"\xff" * 64),
    ("mark", lambda d: os.urandom(64)), ("uidvalidity", lambda d: b""), ("uidvalidity", lambda d: b"1\n"),
    ("uidvalidity", lambda d: b"99999999999999999999\n"), ("uidvalidity", lambda d: b"-5\n"), ("uidvalidity", lambda d: b"x" * 100000),
    ("journal", lambda d: b""), ("journal", lambda d: b"\0" * 1000000), ("journal", lambda d: os.urandom(len(d))),
    ("journal", lambda d: d + b"\xff" * 100), ("journal", lambda d: d + d[64:]), ("journal", lambda d: d + d),
    ("journal", lambda d: d[:64] + b"\xff\xff\xff\xff" + d[68:]), ("journal", lambda d: b"PHJ1" + b"\xff" * 60 + d[64:])],
    ids=lambda x: x if isinstance(x, str) else "")
def test_replaced_files(box, name, change):
    """B64"""
    path = box.files()[-1] if name == "journal" else str(box.path / "posthouse" / name)
    damaged(path, change)
    box.look()
    assert box.look()


def test_removed_files(box):
    """B64: each of ours may be deleted at any time"""
    for path in box.files() + [str(box.path / "posthouse" / n) for n in ("mark", "uidvalidity")]:
        if os.path.exists(path):
            os.unlink(path)
        assert box.look(), path
    for path in glob.glob(str(box.path / "posthouse" / "*")):
        os.unlink(path)
    time.sleep(max(0.0, box.validities[-1] + 1 - time.time()))  # only the clock is left to tell
    assert box.look()


def test_an_older_copy_is_put_back(box):
    """B64: a restored backup of the journal must not give UIDs again that were shown since."""
    kept = {p: open(p, "rb").read() for p in glob.glob(str(box.path / "posthouse" / "*")) if os.path.isfile(p)}
    assert box.look() and box.look()
    for p, data in kept.items():
        if "journal" in p or "snapshot" in p:
            with open(p, "wb") as f:
                f.write(data)
    assert box.look() and box.look()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


@pytest.mark.parametrize("seed", range(20))
def test_forged_records_with_right_checksums(box, seed):
    """B65: the user may write its own journal; imapd survives whatever it says."""
    dice = random.Random(seed)
    path = box.files()[-1]
    with open(path, "rb") as f:
        data = f.read()
    out, at = data[:64], 64
    while at + 12 <= len(data):
        size = struct.unpack_from("<I", data, at)[0]
        if size < 12 or at + size > len(data):
            break
        record = bytearray(data[at:at + size])
        for _ in range(dice.randrange(4)):
            record[dice.randrange(size - 4)] = dice.choice((0, 1, 0x7f, 0x80, 0xff))
        out += record[:-4] + struct.pack("<I", crc32c(record[:-4]))
        at += size
    with open(path, "wb") as f:
        f.write(out + data[at:])
    with Shell(box.path) as c:
        if c.cmd("SELECT INBOX").ok:
            c.cmd("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")
            c.cmd("STORE 1:* +FLAGS (x)")
            c.append("INBOX", b"Subject: x\r\n\r\nx\r\n")
            c.cmd("SEARCH KEYWORD one")
        c.ok("NOOP")


def test_damage_under_a_running_session(shared_server, account):
    """B64, B66: the journal is cut, emptied, removed while imapd has it open; the session ends or goes on, all others go on."""
    guard = Guard(shared_server)
    for i in range(5):
        account.deliver(b"Subject: m%d\n\nx\n" % i)
    for attack in ("cut", "empty", "remove", "all", "garbage"):
        c = account.client(select="INBOX")
        for path in glob.glob(account.maildir + "/posthouse/journal.*"):
            if attack == "cut":
                os.truncate(path, os.stat(path).st_size - 7)
            elif attack == "empty":
                os.truncate(path, 0)
            elif attack == "garbage":
                with open(path, "ab") as f:
                    f.write(os.urandom(500))
            else:
                os.unlink(path)
        if attack == "all":
            for path in glob.glob(account.maildir + "/posthouse/*"):
                os.unlink(path)
        try:
            for command in ("STORE 1 +FLAGS (a)", "NOOP", "FETCH 1:* FLAGS", "CHECK", "STATUS INBOX (UIDNEXT)"):
                c.cmd(command)
            c.append("INBOX", b"Subject: new\r\n\r\nx\r\n")
        except (EOFError, ConnectionError):
            pass
        c.close()
        again = account.client(select="INBOX")
        assert len(again.ok("UID FETCH 1:* (UID)").untagged) >= 5
        again.close()
    guard.check()
