# SPDX-License-Identifier: Apache-2.0
"""CONDSTORE (RFC 7162 section 3.1): modification sequences of messages, and STORE that depends on them."""
import contextlib
import os
import re
import signal
import subprocess

import pytest

from lib.imap import Imap
from lib.server import wait_for

MAX = 2**63 - 1


@pytest.fixture
def five(account):
    for i in range(5):
        account.deliver("Subject: %d\n\nbody %d\n" % (i, i))
    return account


def modseqs(client):
    """Number -> MODSEQ."""
    return {int(m[1]): int(m[2]) for m in client.ok("FETCH 1:* (MODSEQ)").all(r"^\* (\d+) FETCH \(MODSEQ \((\d+)\)\)$")}


def highest(client, folder="INBOX"):
    return int(client.ok("STATUS %s (HIGHESTMODSEQ)" % folder).find(r"STATUS .* \(HIGHESTMODSEQ (\d+)\)")[1])


def lines(reply):
    return [line.decode() for line in reply.untagged]


# ---- who hears of modseqs -----------------------------------------------------------------------------
def test_capability(account):
    words = account.client().ok("CAPABILITY").untagged[0].split()
    assert b"CONDSTORE" in words and b"QRESYNC" in words and b"ENABLE" in words


def test_who_never_asked_sees_none(five):
    plain, other = five.client(select="INBOX"), five.client()
    said = lines(plain.ok("SELECT INBOX"))
    assert said[0] == "* OK [CLOSED] Ok" and not any("MODSEQ" in line for line in said)
    other.ok("SELECT INBOX (CONDSTORE)")
    other.ok("STORE 1 +FLAGS (\\Seen)")
    assert lines(plain.ok("NOOP")) == ["* 1 FETCH (FLAGS (\\Seen))"]
    assert lines(plain.ok("STORE 2 +FLAGS (\\Seen)")) == ["* 2 FETCH (FLAGS (\\Seen))"]
    assert lines(plain.ok("UID STORE 3 +FLAGS.SILENT (\\Seen)")) == []
    assert lines(plain.ok("FETCH 4 BODY[]"))[0].startswith("* 4 FETCH (FLAGS (\\Seen) BODY[] {")
    plain.ok("STORE 5 +FLAGS.SILENT (\\Deleted)")
    reply = plain.ok("EXPUNGE")
    assert lines(reply) == ["* 5 EXPUNGE", "* 4 EXISTS", "* 0 RECENT"] and reply.text == "EXPUNGE completed"


@pytest.mark.parametrize("command", [
    "SELECT INBOX (CONDSTORE)", "EXAMINE INBOX (CONDSTORE)", "STATUS INBOX (HIGHESTMODSEQ)", "FETCH 1 MODSEQ", "FETCH 1 (FLAGS modseq)",
    "SEARCH MODSEQ 1", "UID SEARCH OR SEEN NOT MODSEQ 1", "FETCH 1 FLAGS (CHANGEDSINCE 1)", "FETCH 1 (FLAGS) (CHANGEDSINCE 9999)",
    "STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)", "UID STORE 99 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)", "ENABLE CONDSTORE",
    "ENABLE X CONDSTORE", "ENABLE QRESYNC"])
def test_enabling_commands(five, command):
    c, other = five.client(select="INBOX"), five.client(select="INBOX")
    said = c.ok(command)
    told = int(said.find(r"^\* OK \[HIGHESTMODSEQ (\d+)\]")[1])
    assert told == highest(other)
    other.ok("STORE 2 +FLAGS (\\Flagged)")
    news = c.ok("NOOP").find(r"^\* 2 FETCH \(UID 2 FLAGS \(\\Flagged( \\Recent)?\) MODSEQ \((\d+)\)\)$")
    assert int(news[2]) == told + 1
    assert not c.ok(command).find("HIGHESTMODSEQ \\d+\\]") or "ECT" in command or "INE" in command


def test_enable_names_what_it_enabled(account):
    c = account.client()
    assert lines(c.ok("ENABLE CONDSTORE")) == ["* ENABLED CONDSTORE"]
    assert lines(c.ok("enable qresync condstore x-y")) == ["* ENABLED CONDSTORE QRESYNC"]
    assert lines(account.client().ok("ENABLE QRESYNC")) == ["* ENABLED QRESYNC"]


def test_select_tells_it_in_every_folder(account):
    c = account.client()
    c.ok("ENABLE CONDSTORE")
    assert int(c.ok("SELECT INBOX").find(r"^\* OK \[HIGHESTMODSEQ (\d+)\]")[1]) >= 1, "an empty folder has one, too"
    c.ok("CREATE INBOX.x")
    reply = c.ok("EXAMINE INBOX.x")
    assert lines(reply)[0] == "* OK [CLOSED] Ok"
    assert reply.find(r"^\* OK \[HIGHESTMODSEQ ([1-9]\d*)\]")
    assert not c.cmd("SELECT INBOX.y").find("HIGHESTMODSEQ")


def test_where_uid_and_modseq_are_told(five):
    """RFC 7162 3.2.4: in what wasn't asked for."""
    c, other = five.client(select="INBOX"), five.client(select="INBOX")
    c.ok("ENABLE CONDSTORE")
    assert c.ok("STORE 1 +FLAGS (\\Seen)").find(r"^\* 1 FETCH \(UID 1 FLAGS \(\\Seen \\Recent\) MODSEQ \(\d+\)\)$")
    assert lines(c.ok("FETCH 1 FLAGS")) == ["* 1 FETCH (FLAGS (\\Seen \\Recent))"]
    assert lines(c.ok("UID FETCH 1 FLAGS")) == ["* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent))"]
    assert c.ok("STORE 1 +FLAGS.SILENT (\\Answered)").find(r"^\* 1 FETCH \(UID 1 MODSEQ \(\d+\)\)$")
    assert lines(c.ok("STORE 1 +FLAGS.SILENT (\\Answered)")) == [], "it had that flag"
    assert c.ok("FETCH 2 BODY[TEXT]").find(r"^\* 2 FETCH \(UID 2 FLAGS \(\\Seen \\Recent\) MODSEQ \(\d+\) BODY\[TEXT\] ")
    assert c.ok("FETCH 2 BODY[TEXT]").find(r"^\* 2 FETCH \(BODY\[TEXT\] ")
    c.idle()
    other.ok("STORE 3 FLAGS (\\Draft)")
    assert c.idle_until(r"^\* 3 FETCH \(UID 3 FLAGS \(\\Draft \\Recent\) MODSEQ \(\d+\)\)$")
    five.deliver()
    assert c.idle_until(r"^\* 6 FETCH \(UID 6 FLAGS \(.*\) MODSEQ \(\d+\)\)$")
    c.done()


# ---- modseqs grow -------------------------------------------------------------------------------------
def test_every_change_gets_a_higher_one(five):
    c, other = five.client(select="INBOX"), five.client(select="INBOX")
    c.ok("ENABLE CONDSTORE")
    last = highest(c)
    for command in ("STORE 1 +FLAGS (\\Seen)", "STORE 1 -FLAGS (\\Seen)", "STORE 2 FLAGS (kw)", "STORE 2 -FLAGS (kw)",
                    "FETCH 3 BODY[]"):
        other.ok(command)
        n = int(command.split()[1])
        now = modseqs(c)
        assert now[n] > last and max(now.values()) == now[n] == highest(c), command
        last = now[n]
        again = "STORE 3 +FLAGS (\\Seen)" if "FETCH" in command else command
        other.ok(again)
        assert highest(c) == last, "%s again changed nothing" % again
    before = modseqs(c)
    other.ok("STORE 1:5 +FLAGS (\\Answered)")
    assert min(modseqs(c).values()) > max(before.values())


def test_new_messages_and_expunges_count(five):
    c = five.client(select="INBOX")
    c.ok("ENABLE CONDSTORE")
    last = highest(c)
    c.append("INBOX", "Subject: x\r\n\r\nx\r\n")
    assert modseqs(c)[6] == highest(c) > last
    last = highest(c)
    c.ok("COPY 1 INBOX")
    assert modseqs(c)[7] == highest(c) > last
    last = highest(c)
    c.ok("STORE 7 +FLAGS.SILENT (\\Deleted)")
    c.ok("EXPUNGE")
    assert highest(c) > last + 1, "an expunge counts"
    last = highest(c)
    c.ok("MOVE 1 INBOX")
    assert modseqs(c)[6] > last and highest(c) > modseqs(c)[6]


def test_what_other_programs_change(five):
    c = five.client(select="INBOX")
    c.ok("ENABLE CONDSTORE")
    last, cur = highest(c), os.path.join(five.maildir, "cur")
    names = sorted(os.listdir(cur))
    os.rename(os.path.join(cur, names[1]), os.path.join(cur, names[1] + "F"))
    news = c.ok("NOOP").find(r"^\* 2 FETCH \(UID 2 FLAGS \(\\Flagged \\Recent\) MODSEQ \((\d+)\)\)")
    assert int(news[1]) == highest(c) > last
    last = highest(c)
    os.unlink(os.path.join(cur, names[0]))
    wait_for("the expunge", lambda: c.ok("NOOP").find(r"^\* 1 EXPUNGE"))
    assert highest(c) > last
    last = highest(c)
    five.deliver()
    news = c.ok("NOOP").find(r"^\* 5 FETCH \(UID 6 FLAGS \(\\Recent\) MODSEQ \((\d+)\)\)")
    assert int(news[1]) > last


def test_a_killed_process_gives_none_twice(five):
    shown = 0
    for n in range(4):
        c = five.client()
        c.ok("SELECT INBOX (CONDSTORE)")
        assert highest(c) >= shown
        for flag in ("+", "-", "+"):
            c.ok("STORE %d %sFLAGS (\\Flagged)" % (n + 1, flag))
            now = modseqs(c)[n + 1]
            assert now > shown, "modseq %d was shown before" % shown
            shown = now
        os.kill(five.server.imapds(five.maildir)[0], signal.SIGKILL)
        assert c.closed()


def test_kept_when_nothing_happens(server):
    s = server(IMAPD_LINGER=0).start()
    for _ in range(3):
        s.deliver()
    with Imap(s.port).login() as c:
        c.ok("SELECT INBOX (CONDSTORE)")
        c.ok("STORE 2 +FLAGS (\\Seen)")
        before = modseqs(c)
        c.ok("LOGOUT")
    wait_for("the process to leave", lambda: not s.imapds(s.maildir()))
    with Imap(s.port).login() as c:
        told = c.ok("SELECT INBOX (CONDSTORE)").find(r"\[HIGHESTMODSEQ (\d+)\]")
        assert modseqs(c) == before and int(told[1]) == max(before.values())


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small volume")
def test_not_lower_after_a_full_volume(server):
    """After kill -9 the modseqs jump to what may have been shown; that this can't be written down must not undo it."""
    s = server(IMAPD_LINGER=0)
    home = os.path.join(s.mail, "demo")
    os.mkdir(home)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "none", home], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip("mount: %s" % made.stderr.decode())
    filler = os.path.join(home, "filler")
    try:
        s.give(home)
        s.start()
        s.deliver()
        with Imap(s.port).login() as c:
            c.ok("SELECT INBOX (CONDSTORE)")
            c.ok("STORE 1 +FLAGS (\\Seen)")
            shown = highest(c)
            with open(filler, "wb", buffering=0) as f, contextlib.suppress(OSError):
                while f.write(b"x" * 4096):
                    pass
            os.kill(s.imapds(s.maildir())[0], signal.SIGKILL)
            assert c.closed()
        with Imap(s.port).login() as c:
            jumped = int(c.ok("SELECT INBOX (CONDSTORE)").find(r"HIGHESTMODSEQ (\d+)")[1])
            assert jumped > shown
            os.unlink(filler)
        wait_for("the process to leave", lambda: not s.imapds(s.maildir()))
        with Imap(s.port).login() as c:
            assert int(c.ok("SELECT INBOX (CONDSTORE)").find(r"HIGHESTMODSEQ (\d+)")[1]) >= jumped
            c.ok("STORE 1 -FLAGS (\\Seen)")
            assert modseqs(c)[1] > jumped
        s.stop_one("frontend")
        s.stop_one("backend")
    finally:
        subprocess.run(["umount", "-l", home], check=True)


# ---- FETCH --------------------------------------------------------------------------------------------
def test_changedsince(five):
    c = five.client(select="INBOX")
    c.ok("ENABLE CONDSTORE")
    since = highest(c)
    c.ok("STORE 2,4 +FLAGS (\\Seen)")
    now = modseqs(c)
    reply = c.ok("FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % since)
    assert lines(reply) == ["* %d FETCH (FLAGS (\\Seen \\Recent) MODSEQ (%d))" % (n, now[n]) for n in (2, 4)]
    reply = c.ok("UID FETCH 3:* FLAGS (changedsince %d)" % since)
    assert lines(reply) == ["* 4 FETCH (UID 4 FLAGS (\\Seen \\Recent) MODSEQ (%d))" % now[4]]
    assert lines(c.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % now[4])) == []
    assert lines(c.ok("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % MAX)) == []
    assert len(lines(c.ok("FETCH 1:* (FLAGS) (CHANGEDSINCE 0)"))) == 5, "all, whoever knows nothing"
    reply = c.ok("FETCH 1:3 (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)]) (CHANGEDSINCE %d)" % since)
    assert len(reply.untagged) == 1 and reply.find(r"^\* 2 FETCH \(UID 2 MODSEQ \(%d\) BODY\[HEADER" % now[2])
    reply = c.ok("UID FETCH 1:2,99 (MODSEQ FLAGS) (CHANGEDSINCE %d)" % since)
    assert lines(reply) == ["* 2 FETCH (UID 2 FLAGS (\\Seen \\Recent) MODSEQ (%d))" % now[2]]


def test_changedsince_in_a_large_folder_is_what_changed(five):
    """Also what the process knows from the journal alone, or doesn't know any more."""
    c = five.client(select="INBOX")
    c.ok("ENABLE CONDSTORE")
    start = highest(c)
    for n in range(3):
        c.ok("STORE 1:5 %sFLAGS.SILENT (\\Seen)" % "+-+"[n])
    now = modseqs(c)
    for since in range(start, highest(c) + 2):
        got = c.ok("UID FETCH 1:* (MODSEQ) (CHANGEDSINCE %d)" % since).all(r"UID (\d+) MODSEQ \((\d+)\)")
        assert {int(m[1]): int(m[2]) for m in got} == {n: m for n, m in now.items() if m > since}


@pytest.mark.parametrize("command", [
    "FETCH 1 (FLAGS) ()", "FETCH 1 (FLAGS) (CHANGEDSINCE)", "FETCH 1 (FLAGS) (CHANGEDSINCE x)", "FETCH 1 (FLAGS) (CHANGEDSINCE -1)",
    "FETCH 1 (FLAGS) (CHANGEDSINCE 9223372036854775808)", "FETCH 1 (FLAGS) (CHANGEDSINCE 99999999999999999999999)",
    "FETCH 1 (FLAGS) (CHANGEDSINCE 1 CHANGEDSINCE 1)", "FETCH 1 (FLAGS) (CHANGEDSINCE (1))", "FETCH 1 (FLAGS) CHANGEDSINCE 1",
    "FETCH 1 (FLAGS) (CHANGEDSINCE 1) (CHANGEDSINCE 1)", "FETCH 1 (FLAGS) (CHANGEDSINCE \"1\")", "FETCH 9 (FLAGS) (CHANGEDSINCE 1)",
    "FETCH 1 (CHANGEDSINCE 1)", "FETCH 1 (FLAGS) (UNCHANGEDSINCE 1)",
    "STORE 1 (UNCHANGEDSINCE) FLAGS (\\Seen)", "STORE 1 () FLAGS (\\Seen)", "STORE 1 (UNCHANGEDSINCE 9223372036854775808) FLAGS (\\Seen)",
    "STORE 1 (UNCHANGEDSINCE -1) FLAGS (\\Seen)", "STORE 1 (UNCHANGEDSINCE 1 UNCHANGEDSINCE 1) FLAGS (\\Seen)",
    "STORE 1 (CHANGEDSINCE 1) FLAGS (\\Seen)", "STORE 1 (UNCHANGEDSINCE 1)", "STORE 9 (UNCHANGEDSINCE 1) FLAGS (\\Seen)",
    "SEARCH MODSEQ", "SEARCH MODSEQ x", "SEARCH MODSEQ 9223372036854775808", "SEARCH MODSEQ \"/flags/\\\\Seen\" 1",
    "SEARCH MODSEQ \"/flags/\\\\Seen\" any 1", "SEARCH MODSEQ \"/flags/\" all 1", "SEARCH MODSEQ \"/other/x\" all 1",
    "SEARCH MODSEQ (1)", "SELECT INBOX (CONDSTORE CONDSTORE)", "SELECT INBOX (FOO)", "SELECT INBOX ()", "SELECT INBOX CONDSTORE",
    "SELECT INBOX (CONDSTORE) x", "STATUS INBOX (HIGHESTMODSEQ 1)", "ENABLE", "ENABLE (CONDSTORE)"])
def test_bad(five, command):
    c = five.client(select="INBOX")
    reply = c.cmd(command)
    assert reply.status == "BAD", reply
    if command.startswith("SELECT"):
        assert c.cmd("CHECK").status == "BAD", "nothing is selected"
        c.ok("SELECT INBOX")
    assert lines(c.ok("FETCH 1 FLAGS")) == ["* 1 FETCH (FLAGS (\\Recent))"] or command.startswith("SELECT")


# ---- STORE --------------------------------------------------------------------------------------------
def test_unchangedsince(five):
    c, other = five.client(select="INBOX"), five.client(select="INBOX")
    c.ok("ENABLE CONDSTORE")
    since = highest(c)
    other.ok("STORE 2,4 +FLAGS (\\Answered)")
    reply = c.ok("STORE 1:5 (UNCHANGEDSINCE %d) +FLAGS.SILENT (\\Seen)" % since)
    assert reply.text.startswith("[MODIFIED 2,4] "), reply
    now = modseqs(c)
    assert lines(reply) == [
        "* %d FETCH (UID %d %sMODSEQ (%d))" % (n, n, "FLAGS (\\Answered \\Recent) " if n in (2, 4) else "", now[n])
        for n in range(1, 6)], "what was done has its new modseq, what was not is told why"
    assert len(c.ok("FETCH 1:5 FLAGS").all(r"\\Seen")) == 3
    reply = c.ok("UID STORE 2,4 (UNCHANGEDSINCE %d) +FLAGS (\\Seen)" % now[4])
    assert reply.text == "STORE completed." and len(reply.all(r"FETCH \(UID \d FLAGS \(\\Answered \\Seen \\Recent\) MODSEQ")) == 2


def test_unchangedsince_edges(five):
    c = five.client(select="INBOX")
    c.ok("ENABLE CONDSTORE")
    now = modseqs(c)[3]
    assert c.ok("STORE 3 (UNCHANGEDSINCE %d) FLAGS (\\Seen)" % (now - 1)).text.startswith("[MODIFIED 3]")
    assert "MODIFIED" not in c.ok("STORE 3 (UNCHANGEDSINCE %d) FLAGS (\\Seen)" % now).text
    assert modseqs(c)[3] > now
    assert "MODIFIED" not in c.ok("STORE 3 (UNCHANGEDSINCE %d) FLAGS (\\Flagged)" % MAX).text
    for mode in ("", "+", "-"):
        assert c.ok("STORE 3 (UNCHANGEDSINCE 0) %sFLAGS (\\Seen)" % mode).text.startswith("[MODIFIED 3]")
    # 0 asks whether a keyword is there (example 8)
    assert "MODIFIED" not in c.ok("STORE 3 (UNCHANGEDSINCE 0) +FLAGS.SILENT ($MDNSent)").text
    assert c.ok("STORE 3 (UNCHANGEDSINCE 0) +FLAGS.SILENT ($MDNSent)").text.startswith("[MODIFIED 3]")
    assert c.ok("STORE 3 (UNCHANGEDSINCE 0) +FLAGS.SILENT ($mdnsent $Other)").text.startswith("[MODIFIED 3]")
    # a message that is named twice doesn't fail itself
    now = highest(c)
    assert "MODIFIED" not in c.ok("STORE 3,1:5,3 (UNCHANGEDSINCE %d) +FLAGS.SILENT (\\Draft)" % now).text
    assert lines(c.ok("UID STORE 77 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)")) == []
    c.ok("EXAMINE INBOX")
    assert c.cmd("STORE 1 (UNCHANGEDSINCE %d) +FLAGS (\\Seen)" % MAX).status == "NO"


def test_unchangedsince_and_messages_that_went(five):
    c, other = five.client(select="INBOX"), five.client(select="INBOX")
    c.ok("ENABLE CONDSTORE")
    since = highest(c)
    other.ok("STORE 2 +FLAGS (\\Answered)")
    other.ok("STORE 4 +FLAGS (\\Deleted)")
    other.ok("EXPUNGE")
    reply = c.cmd("STORE 1:5 (UNCHANGEDSINCE %d) +FLAGS.SILENT (\\Seen)" % since)
    assert reply.status == "NO" and reply.text.startswith("[MODIFIED 2] "), reply
    assert len(reply.all(r"FETCH")) == 4
    assert c.ok("NOOP").find(r"^\* 4 EXPUNGE")


def test_unchangedsince_sees_other_programs(five):
    """The file says that somebody was faster, even where nobody has told of it yet."""
    c = five.client(select="INBOX")
    c.ok("ENABLE CONDSTORE")
    cur = os.path.join(five.maildir, "cur")
    for n, store in ((1, "+FLAGS.SILENT (\\Seen)"), (2, "+FLAGS.SILENT (keyword)"), (3, "FLAGS ()")):
        name = [x for x in sorted(os.listdir(cur))][n - 1]
        since = highest(c)
        os.rename(os.path.join(cur, name), os.path.join(cur, name + "F"))
        reply = c.ok("STORE %d (UNCHANGEDSINCE %d) %s" % (n, since, store))
        assert reply.text.startswith("[MODIFIED %d]" % n), reply
        wait_for("the news", lambda n=n: c.ok("FETCH %d FLAGS" % n).find(r"FLAGS \(\\Flagged \\Recent\)"))


def test_silent_store_tells_what_it_did_not_do(five):
    """A flag that another program had just set is news, also where the client wants to hear nothing of its own."""
    c, plain = five.client(select="INBOX"), five.client(select="INBOX")
    c.ok("ENABLE CONDSTORE")
    cur = os.path.join(five.maildir, "cur")
    for n, client in enumerate((c, plain), 1):
        name = sorted(os.listdir(cur))[n - 1]
        os.rename(os.path.join(cur, name), os.path.join(cur, name + "F"))
        said = client.ok("STORE %d +FLAGS.SILENT (\\Seen)" % n).untagged + client.ok("NOOP").untagged
        assert [line for line in said if b"FLAGS (\\Flagged \\Seen" in line], said


def test_two_want_the_same_message(five):
    """Of those who try at the same modseq one succeeds."""
    clients = [five.client() for _ in range(4)]
    for c in clients:
        c.ok("SELECT INBOX (CONDSTORE)")
    for round_ in range(20):
        since = highest(clients[0])
        tags = [c.start("STORE 3 (UNCHANGEDSINCE %d) %sFLAGS.SILENT (k%d)" % (since, "+", round_ * 4 + i))
                for i, c in enumerate(clients)]
        replies = [c.finish(t) for c, t in zip(clients, tags)]
        assert sorted("MODIFIED" in r.text for r in replies) == [False, True, True, True], replies
        clients[0].ok("STORE 3 FLAGS.SILENT ()")


def test_many_at_once(account):
    c = account.client(select="INBOX")
    c.append("INBOX", "Subject: x\r\n\r\nx\r\n")
    for _ in range(9):
        c.ok("COPY 1:* INBOX")
    c.ok("ENABLE CONDSTORE")
    n = 512
    since = highest(c)
    c.ok("STORE 100:199 +FLAGS.SILENT (\\Seen)")
    reply = c.ok("STORE 1:* (UNCHANGEDSINCE %d) +FLAGS.SILENT (\\Flagged)" % since)
    assert reply.text.startswith("[MODIFIED 100:199] "), reply.text
    assert len(reply.untagged) == n
    assert len(c.ok("SEARCH FLAGGED").untagged[0].split()) - 2 == n - 100


# ---- SEARCH, STATUS -----------------------------------------------------------------------------------
def test_search_modseq(five):
    c = five.client(select="INBOX")
    assert lines(c.ok("SEARCH ALL")) == ["* SEARCH 1 2 3 4 5"]
    c.ok("STORE 4 +FLAGS (\\Seen)")
    c.ok("STORE 2 +FLAGS (\\Seen)")
    now = modseqs(c)
    assert lines(c.ok("SEARCH MODSEQ %d" % now[4])) == ["* SEARCH 2 4 (MODSEQ %d)" % now[2]], "equal or greater"
    assert lines(c.ok("SEARCH MODSEQ %d" % now[2])) == ["* SEARCH 2 (MODSEQ %d)" % now[2]]
    assert lines(c.ok("UID SEARCH MODSEQ 0 UNSEEN")) == ["* SEARCH 1 3 5 (MODSEQ %d)" % now[5]]
    assert lines(c.ok("SEARCH MODSEQ %d" % (now[2] + 1))) == ["* SEARCH"]
    assert lines(c.ok("SEARCH MODSEQ %d" % MAX)) == ["* SEARCH"]
    assert lines(c.ok("SEARCH OR NOT MODSEQ %d LARGER 50000" % now[4])) == ["* SEARCH 1 3 5 (MODSEQ %d)" % now[5]]
    assert lines(c.ok("SEARCH MODSEQ %d BODY \"body 1\"" % now[4])) == ["* SEARCH 2 (MODSEQ %d)" % now[2]]
    assert lines(c.ok("SEARCH ALL")) == ["* SEARCH 1 2 3 4 5"], "only where it was asked for"
    for entry in ("\"/flags/\\\\Draft\" all", "\"/flags/$MDNSent\" priv", "\"/flags/\\\\seen\" SHARED"):
        assert lines(c.ok("SEARCH MODSEQ %s %d" % (entry, now[4]))) == ["* SEARCH 2 4 (MODSEQ %d)" % now[2]]
    c.ok("SELECT INBOX")
    assert re.match(r"\* SEARCH 2 4 \(MODSEQ \d+\)$", lines(c.ok("SEARCH (SEEN MODSEQ 1)"))[0])


def test_status(five):
    c, other = five.client(), five.client(select="INBOX")
    first = highest(c)
    other.ok("STORE 1 +FLAGS (\\Seen)")
    assert highest(c) == first + 1
    assert c.ok("STATUS INBOX (UIDNEXT HIGHESTMODSEQ MESSAGES)").find(r"\(MESSAGES 5 UIDNEXT 6 HIGHESTMODSEQ %d\)" % (first + 1))
    c.ok("CREATE INBOX.empty")
    assert highest(c, "INBOX.empty") >= 1
    assert int(c.ok("SELECT INBOX").find(r"\[HIGHESTMODSEQ (\d+)\]")[1]) == highest(c)
