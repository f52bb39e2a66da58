# SPDX-License-Identifier: Apache-2.0
"""QRESYNC (RFC 7162 section 3.2): VANISHED instead of EXPUNGE, and a client that comes back learns what changed."""
import os
import re
import signal

import pytest

from lib.imap import Imap
from lib.server import MAIL_UID, ROOT, wait_for
from lib.shell import Shell

PREFIX = ["setpriv", "--reuid", str(MAIL_UID), "--regid", str(MAIL_UID), "--clear-groups"] if ROOT else []


@pytest.fixture
def ten(account):
    for i in range(10):
        account.deliver("Subject: %d\n\nbody\n" % i)
    return account


def lines(reply):
    return [line.decode() for line in reply.untagged]


def resync(client, select=None, folder="INBOX"):
    """A client with QRESYNC enabled; its UIDVALIDITY and HIGHESTMODSEQ."""
    client.ok("ENABLE QRESYNC")
    reply = client.ok("SELECT " + folder + (" " + select if select else ""))
    return int(reply.find(r"UIDVALIDITY (\d+)")[1]), int(reply.find(r"HIGHESTMODSEQ (\d+)")[1])


def numbers(text):
    found = set()
    for part in text.split(","):
        first, _, last = part.partition(":")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def changes(reply):
    """(UIDs of VANISHED (EARLIER), {UID: (number, flags)} of FETCH), in the order that the RFC wants."""
    gone, fetched = set(), {}
    for line in lines(reply):
        vanished = re.match(r"^\* VANISHED \(EARLIER\) ([\d:,]+)$", line)
        fetch = re.match(r"^\* (\d+) FETCH \(UID (\d+) FLAGS \((.*)\) MODSEQ \(\d+\)\)$", line)
        assert not line.startswith("* VANISHED") or vanished
        if vanished:
            assert not fetched, "VANISHED comes first"
            gone |= numbers(vanished[1])
        if fetch:
            fetched[int(fetch[2])] = (int(fetch[1]), frozenset(fetch[3].split()) - {"\\Recent"})
    return gone, fetched


def remove(client, uids):
    client.ok("UID STORE %s +FLAGS.SILENT (\\Deleted)" % uids)
    client.ok("UID EXPUNGE %s" % uids)


# ---- VANISHED while connected ------------------------------------------------------------------------
def test_vanished_stands_for_expunge(ten):
    c, plain = ten.client(), ten.client(select="INBOX")
    resync(c)
    c.ok("STORE 2,4:6 +FLAGS.SILENT (\\Deleted)")
    reply = c.ok("EXPUNGE")
    assert lines(reply) == ["* VANISHED 2,4:6"], "and no EXISTS"
    told = int(re.match(r"\[HIGHESTMODSEQ (\d+)\] EXPUNGE completed$", reply.text)[1])
    assert c.ok("STATUS INBOX (HIGHESTMODSEQ)").find(r"HIGHESTMODSEQ %d\)" % told)
    assert c.ok("EXPUNGE").text == "EXPUNGE completed", "nothing changed"
    plain.ok("FETCH 1 FLAGS")
    assert lines(plain.ok("NOOP"))[-6:-1] == ["* 2 EXPUNGE", "* 3 EXPUNGE", "* 3 EXPUNGE", "* 3 EXPUNGE", "* 6 EXISTS"]
    plain.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    assert plain.ok("EXPUNGE").text == "EXPUNGE completed"
    reply = c.ok("NOOP")
    assert lines(reply)[0] == "* VANISHED 1" and re.match(r"^\* OK \[HIGHESTMODSEQ \d+\] Highest$", lines(reply)[-1])
    assert lines(c.ok("NOOP")) == []
    c.ok("UID STORE 8:9 +FLAGS.SILENT (\\Deleted)")
    reply = c.ok("UID EXPUNGE 9:20")
    assert lines(reply) == ["* VANISHED 9"] and reply.text.startswith("[HIGHESTMODSEQ ")
    reply = c.ok("UID MOVE 10 INBOX")
    said = lines(reply)
    assert re.match(r"\* OK \[COPYUID \d+ 10 11\]", said[0]) and said[1] == "* VANISHED 10" and said[2] == "* 4 EXISTS"
    reply = c.ok("CLOSE")
    assert lines(reply) == [] and reply.text == "mailbox closed.", "3.2.8: no HIGHESTMODSEQ"
    assert int(c.ok("SELECT INBOX").find(r"HIGHESTMODSEQ (\d+)")[1]) > told


def test_vanished_in_idle(ten):
    c, other = ten.client(), ten.client(select="INBOX")
    resync(c)
    c.idle()
    remove(other, "3,5")
    assert c.idle_until("VANISHED")[-1] == b"* VANISHED 3,5"
    told = c.idle_until("HIGHESTMODSEQ")
    assert not [line for line in told if b"EXISTS" in line]
    os.unlink(os.path.join(ten.maildir, "cur", sorted(os.listdir(os.path.join(ten.maildir, "cur")))[0]))
    assert c.idle_until("VANISHED")[-1] == b"* VANISHED 1"
    ten.deliver()
    assert c.idle_until("EXISTS")[-1] == b"* 8 EXISTS"
    c.done()
    assert c.ok("FETCH 8 UID").find(r"UID 11\)")


def test_delayed_vanished_lowers_highestmodseq(ten):
    """3.2: a client that lost its connection here must not believe that it knows of the expunge."""
    c, other = ten.client(), ten.client(select="INBOX")
    _, before = resync(c)
    remove(other, "3")
    other.ok("STORE 5 +FLAGS (\\Flagged)")
    for command in ("FETCH 5 (MODSEQ)", "STORE 5 +FLAGS (\\Seen)", "SEARCH ALL", "FETCH 5 BODY[]"):
        reply = c.ok(command)
        assert not reply.find("VANISHED")
    said = int(c.ok("STORE 5 +FLAGS (\\Draft)").find(r"^\* OK \[HIGHESTMODSEQ (\d+)\] Highest$")[1])
    assert before <= said < int(c.ok("FETCH 5 (MODSEQ)").find(r"MODSEQ \((\d+)\)")[1])
    reply = c.ok("UID SEARCH 1:3 ALL")
    assert not reply.find("VANISHED"), "3.2.10.2: not where numbers are spoken of"
    assert said == before + 1, "the flag \\Deleted of the other is the last that is known"
    reply = c.ok("UID SEARCH ALL")
    assert reply.find(r"^\* VANISHED 3$")
    assert int(reply.find(r"^\* OK \[HIGHESTMODSEQ (\d+)\] Highest$")[1]) > said


def test_resync_after_a_break_at_a_delayed_vanished(ten):
    """The same, played through: what it goes by is what it was told last."""
    c, other = ten.client(), ten.client(select="INBOX")
    validity, known = resync(c)
    remove(other, "3")
    other.ok("STORE 5 +FLAGS (\\Flagged)")
    reply = c.ok("STORE 5 +FLAGS (\\Seen)")
    known = int(reply.find(r"^\* OK \[HIGHESTMODSEQ (\d+)\]")[1])
    c.close()
    gone, _ = changes(ask(ten, validity, known))
    assert 3 in gone


def test_not_what_it_never_saw(ten):
    """3.2.10.2: VANISHED without EARLIER names only messages that EXISTS told of."""
    c, other = ten.client(), ten.client(select="INBOX")
    resync(c)
    other.append("INBOX", "Subject: brief\r\n\r\nx\r\n", flags="\\Deleted")
    other.ok("EXPUNGE")
    assert not c.ok("NOOP").find("VANISHED")
    assert c.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)").find(r"^\* VANISHED \(EARLIER\) 11$")


# ---- UID FETCH (VANISHED) ----------------------------------------------------------------------------
def test_uid_fetch_vanished(ten):
    c, other = ten.client(), ten.client(select="INBOX")
    _, start = resync(c)
    remove(other, "2:3,7")
    other.ok("UID STORE 9 +FLAGS (\\Seen)")
    # what it counts still is told by VANISHED without EARLIER, behind
    reply = c.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d VANISHED)" % start)
    assert not reply.find("EARLIER") and reply.find(r"^\* VANISHED 2:3,7$") and reply.find(r"FETCH \(UID 9 ")
    gone, fetched = changes(c.ok("UID FETCH 1:* (FLAGS) (VANISHED CHANGEDSINCE %d)" % start))
    assert gone == {2, 3, 7} and set(fetched) == {9} and fetched[9] == (6, {"\\Seen"})
    assert changes(c.ok("UID FETCH 3:7 (FLAGS) (CHANGEDSINCE %d VANISHED)" % start)) == ({3, 7}, {})
    assert changes(c.ok("UID FETCH 4:6 (FLAGS) (CHANGEDSINCE %d VANISHED)" % start)) == (set(), {})
    last = int(c.ok("STATUS INBOX (HIGHESTMODSEQ)").find(r"HIGHESTMODSEQ (\d+)")[1])
    assert changes(c.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d VANISHED)" % last)) == (set(), {})
    assert changes(c.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d VANISHED)" % (2**63 - 1))) == (set(), {})
    gone, fetched = changes(c.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 0 VANISHED)"))
    assert gone == {2, 3, 7} and len(fetched) == 7
    remove(c, "10")  # the last one: '*' means it all the same
    assert 10 in changes(c.ok("UID FETCH 8:* (FLAGS) (CHANGEDSINCE %d VANISHED)" % last))[0]


def test_each_expunge_by_its_modseq(ten):
    c = ten.client()
    resync(c)
    at = {}
    for uid in (4, 5, 9, 6, 1, 2, 3):
        c.ok("UID STORE %d +FLAGS.SILENT (\\Deleted)" % uid)
        at[uid] = int(re.search(r"HIGHESTMODSEQ (\d+)", c.ok("EXPUNGE").text)[1])
    for since in range(min(at.values()) - 1, max(at.values()) + 1):
        gone, _ = changes(c.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d VANISHED)" % since))
        assert gone == {uid for uid, modseq in at.items() if modseq > since}


@pytest.mark.parametrize("command", [
    "UID FETCH 1:* (FLAGS) (VANISHED)", "FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)", "UID FETCH 1:* (FLAGS) (VANISHED CHANGEDSINCE)",
    "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED VANISHED)", "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 9223372036854775808 VANISHED)",
    "UID FETCH 1:* (VANISHED) (CHANGEDSINCE 1)",
    "SELECT INBOX (QRESYNC)", "SELECT INBOX (QRESYNC ())", "SELECT INBOX (QRESYNC 1)", "SELECT INBOX (QRESYNC (1))",
    "SELECT INBOX (QRESYNC (0 1))", "SELECT INBOX (QRESYNC (4294967296 1))", "SELECT INBOX (QRESYNC (1 9223372036854775808))",
    "SELECT INBOX (QRESYNC (1 x))", "SELECT INBOX (QRESYNC (1 1 1:*))", "SELECT INBOX (QRESYNC (1 1 *))", "SELECT INBOX (QRESYNC (1 1 0))",
    "SELECT INBOX (QRESYNC (1 1 1:5 ()))", "SELECT INBOX (QRESYNC (1 1 1:5 (1)))", "SELECT INBOX (QRESYNC (1 1 1:5 (1 1,2)))",
    "SELECT INBOX (QRESYNC (1 1 1:5 (1:* 1:5)))", "SELECT INBOX (QRESYNC (1 1 1:5 (1 1 1)))", "SELECT INBOX (QRESYNC (1 1 (2,1 1,2)))",
    "SELECT INBOX (QRESYNC (1 1 (1:2 2,2)))", "SELECT INBOX (QRESYNC (1 1 1:5 (1 1) x))", "SELECT INBOX (QRESYNC (1 1 x))",
    "SELECT INBOX (QRESYNC (1 1 1:5 (1:4294967295 1:4294967294)))",
    "SELECT INBOX (QRESYNC (1 1) QRESYNC (1 1))", "SELECT INBOX (QRESYNC (1 1)) x"])
def test_bad(ten, command):
    c = ten.client()
    resync(c)
    assert c.cmd(command).status == "BAD"
    if command.startswith("SELECT"):
        assert c.cmd("CHECK").status == "BAD", "nothing is selected"
    assert c.ok("SELECT INBOX").find("HIGHESTMODSEQ")


def test_only_after_enable(ten):
    c = ten.client(select="INBOX")
    c.ok("ENABLE CONDSTORE")
    assert c.cmd("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)").status == "BAD"
    assert c.cmd("SELECT INBOX (QRESYNC (1 1))").status == "BAD"
    assert c.cmd("CHECK").status == "BAD"
    c.ok("SELECT INBOX")
    c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    assert lines(c.ok("EXPUNGE")) == ["* 1 EXPUNGE", "* 9 EXISTS", "* 0 RECENT"]
    c.ok("ENABLE QRESYNC")  # in the midst of a folder, too
    c.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    assert lines(c.ok("EXPUNGE")) == ["* VANISHED 2"]


# ---- SELECT (QRESYNC) ---------------------------------------------------------------------------------
def ask(account, validity, modseq, more="", folder="INBOX", command="SELECT"):
    c = account.client()
    c.ok("ENABLE QRESYNC")
    return c.ok("%s %s (QRESYNC (%d %d%s))" % (command, folder, validity, modseq, " " + more if more else ""))


def test_select_qresync(ten):
    c = ten.client()
    validity, known = resync(c)
    c.close()
    other = ten.client(select="INBOX")
    assert changes(ask(ten, validity, known)) == (set(), {})
    remove(other, "1,4:5")
    other.ok("UID STORE 7 +FLAGS (\\Seen kw)")
    ten.deliver()
    other.ok("NOOP")
    reply = ask(ten, validity, known)
    assert changes(reply) == ({1, 4, 5}, {7: (4, {"\\Seen", "kw"}), 11: (8, frozenset())})
    said = [re.sub(r"\d+", "N", line) for line in lines(reply)]
    assert said[2:7] == ["* N EXISTS", "* N RECENT", "* OK [UIDVALIDITY N] Ok", "* OK [UIDNEXT N] Ok", "* OK [UNSEEN N] Ok"]
    assert said[7:9] == ["* OK [HIGHESTMODSEQ N] Ok", "* VANISHED (EARLIER) N,N:N"] and reply.text == "[READ-WRITE] Ok"
    assert changes(ask(ten, validity, known, command="EXAMINE")) == changes(reply)
    assert changes(ask(ten, validity, 0))[0] == {1, 4, 5}
    # only what the client knows
    assert changes(ask(ten, validity, known, "2:4,9")) == ({4}, {})
    assert changes(ask(ten, validity, known, "7:8")) == (set(), {7: (4, {"\\Seen", "kw"})})
    assert changes(ask(ten, validity, known, "8:7,5:5")) == ({5}, {7: (4, {"\\Seen", "kw"})})
    assert changes(ask(ten, validity, known, "9000:4294967295")) == (set(), {})
    # another folder of that name
    assert changes(ask(ten, validity + 1, known)) == (set(), {})
    # from the future
    assert changes(ask(ten, validity, 2**63 - 1)) == (set(), {})
    both = ten.client()
    both.ok("ENABLE QRESYNC")
    assert changes(both.ok("SELECT INBOX (CONDSTORE QRESYNC (%d %d))" % (validity, known))) == changes(reply)


def test_match_data(ten):
    c = ten.client()
    validity, known = resync(c)
    remove(c, "2,8")
    for more, expected in (
            ("1:10 (1 1)", {2, 8}), ("1:10 (2 3)", {8}), ("1:10 (1,2,6 1,3,7)", {8}), ("1:10 (1:8 1,3:7,9:10)", set()), ("(8 10)", set()),
            ("1:10 (2,7 2,9)", {2, 8}),      # the first pair is wrong: it knows a message that is no more
            ("1:10 (1,3,7 1,4,8)", {8}), ("1:10 (2,99 3,99)", {8}), ("1:10 (9:4294967295 1:4294967287)", {2, 8}),
            ("(1:4294967295 1:4294967295)", {2, 8})):
        assert changes(ask(ten, validity, known, more))[0] == expected, more


def test_an_empty_folder(account):
    c = account.client()
    validity, known = resync(c)
    assert changes(ask(account, validity, known)) == (set(), {})
    assert changes(ask(account, validity, 1, "1:100 (1:100 1:100)"))[1] == {}
    c.append("INBOX", "Subject: x\r\n\r\nx\r\n")
    remove(c, "1")
    assert changes(ask(account, validity, known)) == ({1}, {})


def test_longer_than_a_line(account):
    """The answer comes in pieces that any client's buffer holds."""
    c = account.client()
    validity, known = resync(c)
    account.deliver()
    c.ok("NOOP")
    for _ in range(11):
        c.ok("COPY 1:* INBOX")
    known = int(c.ok("STATUS INBOX (HIGHESTMODSEQ)").find(r"HIGHESTMODSEQ (\d+)")[1])
    odd = ",".join(map(str, range(1, 2049, 2)))
    c.ok("UID STORE %s +FLAGS.SILENT (\\Deleted)" % odd)
    reply = c.ok("EXPUNGE")
    assert reply.find(r"^\* VANISHED " + odd)
    c.ok("STORE 1:* +FLAGS.SILENT (\\Seen)")
    reply = ask(account, validity, known)
    gone, fetched = changes(reply)
    assert gone == set(range(1, 2049, 2)) and set(fetched) == set(range(2, 2049, 2))
    assert max(map(len, lines(reply))) < 8192


# ---- what happened while the client was away ---------------------------------------------------------
def test_other_programs(ten):
    c = ten.client()
    validity, known = resync(c)
    cur = os.path.join(ten.maildir, "cur")
    names = sorted(os.listdir(cur))
    c.close()
    os.unlink(os.path.join(cur, names[2]))
    os.rename(os.path.join(cur, names[5]), os.path.join(cur, names[5] + "RS"))
    ten.deliver()
    gone, fetched = {}, {}

    def settled():
        nonlocal gone, fetched
        gone, fetched = changes(ask(ten, validity, known))
        return gone
    wait_for("the expunge", settled)
    assert gone == {3} and fetched == {6: (5, {"\\Seen", "\\Answered"}), 11: (10, frozenset())}


def test_another_process(ten):
    c = ten.client()
    validity, known = resync(c)
    other = Shell(ten.maildir, prefix=PREFIX, conf=ten.server.conf)
    try:
        assert resync(other)[0] == validity
        remove(c, "1")
        remove(other, "2")
        wait_for("one to hear of the other", lambda: c.ok("NOOP").find(r"^\* VANISHED 2$"))
        assert changes(c.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d VANISHED)" % known))[0] == {1, 2}
        reply = other.ok("SELECT INBOX (QRESYNC (%d %d))" % (validity, known))
        assert changes(reply)[0] == {1, 2}
    finally:
        other.close()


def test_kill_9_between(ten):
    c = ten.client()
    validity, known = resync(c)
    gone, last = set(), known
    for n in range(1, 7):
        remove(c, str(n))
        c.ok("UID STORE 10 %sFLAGS.SILENT (\\Seen)" % "-+"[n % 2])
        gone.add(n)
        os.kill(ten.server.imapds(ten.maildir)[0], signal.SIGKILL)
        assert c.closed()
        c = ten.client()
        c.ok("ENABLE QRESYNC")
        reply = c.ok("SELECT INBOX (QRESYNC (%d %d))" % (validity, known))
        assert changes(reply)[0] == gone and 10 in changes(reply)[1]
        told = int(reply.find(r"\[HIGHESTMODSEQ (\d+)\]")[1])
        assert told > last
        last = told
    assert changes(c.ok("SELECT INBOX (QRESYNC (%d %d))" % (validity, last))) == (set(), {})


@pytest.fixture
def small(server):
    """A server that writes a snapshot every few changes and forgets all but some expunges."""
    return server(JOURNAL_COMPACT=4096, EXPUNGE_HISTORY=8, IMAPD_LINGER=0).start()


def restart(server, client):
    client.close()
    wait_for("the process to leave", lambda: not server.imapds(server.maildir()))
    return Imap(server.port).login()


def test_the_history_outlives_snapshots(small):
    for _ in range(30):
        small.deliver()
    c = Imap(small.port).login()
    validity, start = resync(c)
    at = {}
    for uid in (3, 9, 11, 12, 20):
        c.ok("UID STORE %d +FLAGS.SILENT (\\Deleted)" % uid)
        at[uid] = int(re.search(r"HIGHESTMODSEQ (\d+)", c.ok("EXPUNGE").text)[1])
        for n in range(30):
            c.ok("UID STORE 30 %sFLAGS.SILENT (\\Seen \\Answered kw)" % "+-"[n % 2])
        posthouse = os.path.join(small.maildir(), "posthouse")
        snapshots = [name for name in os.listdir(posthouse) if name.startswith("snapshot.")]
        if uid > 11:
            assert snapshots, "no snapshot yet: this test shows nothing"
        c = restart(small, c)
        c.ok("ENABLE QRESYNC")
        for since in [start] + sorted(at.values()):
            reply = c.ok("SELECT INBOX (QRESYNC (%d %d))" % (validity, since))
            assert changes(reply)[0] == {u for u, modseq in at.items() if modseq > since}
    c.close()


def test_what_the_history_forgot(small):
    """3.2.6: for one who was away longer all UIDs that aren't there count as gone; never too few."""
    for _ in range(40):
        small.deliver()
    c = Imap(small.port).login()
    validity, start = resync(c)
    at = []
    for uid in range(1, 40, 2):  # no two of them in one range
        c.ok("UID STORE %d +FLAGS.SILENT (\\Deleted)" % uid)
        at.append((uid, int(re.search(r"HIGHESTMODSEQ (\d+)", c.ok("EXPUNGE").text)[1])))
    everything_gone = {uid for uid, _ in at}
    for _ in range(2):
        c.ok("ENABLE QRESYNC")
        exact = 0
        for since in [start] + [modseq for _, modseq in at]:
            gone, _ = changes(c.ok("SELECT INBOX (QRESYNC (%d %d))" % (validity, since)))
            expected = {uid for uid, modseq in at if modseq > since}
            assert gone in (expected, everything_gone)
            exact += gone == expected
        assert 8 <= exact < len(at), "the last ones are known, the first are forgotten"
        assert changes(c.ok("SELECT INBOX (QRESYNC (%d %d 5:8 (1 2)))" % (validity, start)))[0] == {5, 7}
        c = restart(small, c)
    c.close()


def test_a_folder_without_history(server):
    s = server(EXPUNGE_HISTORY=0).start()
    for _ in range(6):
        s.deliver()
    c = Imap(s.port).login()
    validity, start = resync(c)
    remove(c, "2")
    now = int(c.ok("STATUS INBOX (HIGHESTMODSEQ)").find(r"HIGHESTMODSEQ (\d+)")[1])
    assert changes(c.ok("SELECT INBOX (QRESYNC (%d %d))" % (validity, start)))[0] == {2}
    assert changes(c.ok("SELECT INBOX (QRESYNC (%d %d))" % (validity, now)))[0] == set()
    c.close()
