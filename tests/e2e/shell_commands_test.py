# SPDX-License-Identifier: Apache-2.0
"""Commands one by one, against imapd on a socket pair."""
import re

import pytest

from lib.shell import Shell

MAIL = b"From: a@example.com\r\nSubject: one\r\n\r\nhello\r\n"


@pytest.fixture
def box(tmp_path):
    for sub in ("cur", "new", "tmp"):
        (tmp_path / "Maildir" / sub).mkdir(parents=True)
    return tmp_path / "Maildir"


@pytest.fixture
def open_shell(box):
    made = []

    def make(**settings):
        made.append(Shell(box, **settings))
        return made[-1]
    yield make
    for c in made:
        c.close()


@pytest.fixture
def c(open_shell):
    return open_shell()


def deliver(box, name, text=MAIL, folder=None, sub="new"):
    path = box / ("." + folder if folder else "")
    (path / "tmp" / name).write_bytes(text)
    (path / "tmp" / name).rename(path / sub / name)


# ---- any state --------------------------------------------------------------------------------------
def test_greeting_names_capabilities(c):
    assert re.match(rb"\* PREAUTH \[CAPABILITY IMAP4rev1 [^]]*\] Ready\.$", c.greeting)
    caps = c.ok("CAPABILITY").find(r"^\* CAPABILITY (.*)").group(1).split()
    for cap in (b"IMAP4rev1", b"IDLE", b"NAMESPACE", b"ID", b"ENABLE", b"UNSELECT", b"UIDPLUS", b"MOVE", b"CHILDREN",
                b"LITERAL+", b"SPECIAL-USE", b"CREATE-SPECIAL-USE"):
        assert cap in caps, cap
    assert not any(cap.startswith((b"AUTH=", b"STARTTLS", b"LOGINDISABLED")) for cap in caps)


def test_simple_commands(c):
    assert c.ok("NOOP").text == "NOOP completed"
    assert c.ok("NAMESPACE").find(r'^\* NAMESPACE \(\("INBOX\." "\."\)\) NIL NIL$')
    assert c.ok("ENABLE X").find(r"^\* ENABLED$")
    assert c.ok('ID ("name" "test" "version" NIL)').find(r'^\* ID \("name" "Posthouse" "version" ')
    assert c.ok("ID NIL").find(r"^\* ID ")
    assert c.cmd("ID (%s)" % " ".join(['"a" "b"'] * 31)).status == "BAD"
    for wrong in ("LOGIN a b", "STARTTLS", "AUTHENTICATE PLAIN", "FETCH 1 FLAGS", "FROB", "UID NOOP", "UID", "NOOP x"):
        assert c.cmd(wrong).status == "BAD", wrong
    r = c.cmd("LOGOUT")
    assert r.ok and r.text == "LOGOUT completed" and r.find(r"^\* BYE ")
    assert c.closed()


def test_pipelined_commands_are_answered_in_order(c):
    c.send(b"".join(b"p%d NOOP\r\n" % i for i in range(500)) + b"q CAPABILITY\r\n")
    for i in range(500):
        assert c.read_line() == b"p%d OK NOOP completed" % i
    assert c.read_line().startswith(b"* CAPABILITY")
    assert c.read_line().startswith(b"q OK")


def test_what_came_before_the_end_of_input_is_answered(c):
    c.send(b"a SELECT INBOX\r\nb NOOP\r\nc LOGOUT\r\n")
    c.sock.shutdown(1)
    assert c.closed()
    assert re.search(rb"a OK \[READ-WRITE\] Ok\r\n.*b OK NOOP completed\r\n\* BYE .*c OK LOGOUT completed", c.last, re.S)


def test_bad_commands_in_a_row_end_the_session(open_shell):
    c = open_shell(IMAP_BAD_MAX=5)
    for _ in range(4):
        assert c.cmd("FROB").status == "BAD"
    c.ok("NOOP")
    for _ in range(5):
        assert c.cmd("FROB").status == "BAD"
    assert c.closed()
    assert b"* BYE " in c.last


def test_tags_and_lines(open_shell):
    c = open_shell(IMAP_LINE_MAX=2000)
    for line in (b" NOOP\r\n", b"\r\n", b"+ NOOP\r\n", b"a\rb NOOP\r\n", b"x" * 1000 + b" NOOP\r\n", b"a{ NOOP\r\n"):
        c.send(line)
        assert c.read_line().startswith(b"* BAD"), line
    c.send(b"z NOOP\0\r\n")
    assert c.read_line().startswith(b"z BAD")
    c.ok("NOOP")
    c.send(b"a LIST \"\" " + b"x" * 3000)
    assert c.closed()
    assert b"* BYE" in c.last


# ---- folders ----------------------------------------------------------------------------------------
def names(reply):
    return [m.group(2).decode() for m in reply.all(r'^\* (LIST|LSUB) \([^)]*\) "\." "?([^"]*)"?$')]


def test_create_list_rename_delete(c):
    assert c.cmd('LIST "" ""').find(r'^\* LIST \(\\Noselect\) "\." ""$')
    c.ok("CREATE INBOX.a")
    c.ok("CREATE INBOX.a.b")
    c.ok('CREATE "INBOX.R&AOk-sum&AOk-"')
    c.ok("CREATE INBOX.dot.")
    assert c.cmd("CREATE INBOX.a").text.startswith("[ALREADYEXISTS]")
    r = c.ok('LIST "" "*"')
    assert names(r) == ["INBOX", "INBOX.R&AOk-sum&AOk-", "INBOX.a", "INBOX.a.b", "INBOX.dot"]
    assert r.find(r'LIST \([^)]*\\HasChildren[^)]*\) "\." "INBOX.a"')
    assert r.find(r'LIST \([^)]*\\HasNoChildren[^)]*\) "\." "INBOX.a.b"')
    assert names(c.ok('LIST "" "%"')) == ["INBOX"]
    assert names(c.ok('LIST "" "inbox.%"')) == ["INBOX.R&AOk-sum&AOk-", "INBOX.a", "INBOX.dot"]
    assert names(c.ok('LIST "INBOX." "a*"')) == ["INBOX.a", "INBOX.a.b"]
    c.ok("RENAME INBOX.a INBOX.z")
    assert "INBOX.z.b" in names(c.ok('LIST "" "*"'))
    assert c.cmd("RENAME INBOX.nope INBOX.y").text.startswith("[NONEXISTENT]")
    assert c.cmd("RENAME INBOX.z INBOX.z.b.c").status == "NO"
    assert c.cmd("DELETE INBOX").status == "NO"
    c.ok("DELETE INBOX.z.b")
    c.ok("DELETE INBOX.z")
    assert names(c.ok('LIST "" "INBOX.z*"')) == []


def test_names_that_are_refused(c, box):
    for name in ("../x", "INBOX.../x", "INBOX/../x", "INBOX.a..b", "/etc/passwd", "~user", "INBOX.x/y",
                 "INBOX." + "a" * 300, "INBOX.&", "INBOX.&AAA", "INBOX.&AGE-", "INBOX.&2AA-", "INBOX.&AAA-",
                 "INBOX.&AC8-", "."):
        for verb in ("CREATE", "SELECT", "DELETE", "SUBSCRIBE"):
            assert c.cmd('%s "%s"' % (verb, name)).status == "NO", (verb, name)
    c.send(b"n CREATE {9+}\r\nINBOX.a\0b\r\n")
    assert c.read_line().startswith(b"n BAD")
    assert sorted(p.name for p in box.iterdir() if p.name.startswith(".")) == []


def test_special_use(c):
    c.ok(r"CREATE INBOX.Sent (USE (\Sent))")
    assert c.cmd(r"CREATE INBOX.x (USE (\Nonsense))").text.startswith("[USEATTR]")
    assert c.ok('LIST "" "*"').find(r'\\Sent[^)]*\) "\." "?INBOX.Sent')
    assert names(c.ok('LIST (SPECIAL-USE) "" "*"')) == ["INBOX.Sent"]
    assert c.ok('LIST "" "*" RETURN (SPECIAL-USE)').find(r"\\Sent")
    assert c.cmd('LIST "" "*" RETURN (FROB)').status == "BAD"


def test_subscriptions(c):
    for name in ("INBOX.a", "INBOX.a.b", "INBOX.c"):
        c.ok("CREATE " + name)
    c.ok("SUBSCRIBE INBOX.a.b")
    c.ok("SUBSCRIBE INBOX.c")
    assert names(c.ok('LSUB "" "*"')) == ["INBOX.a.b", "INBOX.c"]
    r = c.ok('LSUB "" "INBOX.%"')
    assert names(r) == ["INBOX.a", "INBOX.c"]
    assert r.find(r'\\Noselect[^)]*\) "\." "INBOX.a"')
    c.ok("UNSUBSCRIBE INBOX.a.b")
    assert names(c.ok('LSUB "" "*"')) == ["INBOX.c"]


def test_status(c, box):
    c.ok("CREATE INBOX.s")
    c.append("INBOX.s", MAIL)
    c.append("INBOX.s", MAIL, "\\Seen")
    r = c.ok("STATUS INBOX.s (MESSAGES UNSEEN UIDNEXT UIDVALIDITY RECENT)")
    assert r.find(r'^\* STATUS "INBOX.s" \(MESSAGES 2 RECENT \d UIDNEXT 3 UIDVALIDITY \d+ UNSEEN 1\)$')
    assert c.cmd("STATUS INBOX.nope (MESSAGES)").status == "NO"
    for wrong in ("STATUS INBOX", "STATUS INBOX ()", "STATUS INBOX (FROB)", "STATUS INBOX MESSAGES"):
        assert c.cmd(wrong).status == "BAD"


# ---- messages ---------------------------------------------------------------------------------------
def test_select_answers_in_order(c, box):
    deliver(box, "1.a")
    deliver(box, "2.b")
    lines = [line.decode() for line in c.ok("SELECT inbox").untagged]
    assert lines[0] == r"* FLAGS (\Draft \Answered \Flagged \Deleted \Seen \Recent)"
    assert lines[1] == r"* OK [PERMANENTFLAGS (\* \Draft \Answered \Flagged \Deleted \Seen)] Limited"
    assert lines[2:4] == ["* 2 EXISTS", "* 2 RECENT"]
    assert re.match(r"\* OK \[UIDVALIDITY \d+\] Ok", lines[4])
    assert lines[5:] == ["* OK [UIDNEXT 3] Ok", "* OK [UNSEEN 1] Ok"]
    r = c.ok("EXAMINE INBOX")
    assert r.text == "[READ-ONLY] Ok" and r.find(r"PERMANENTFLAGS \(\)")
    for refused in (r"STORE 1 +FLAGS (\Seen)", "EXPUNGE", "MOVE 1 INBOX"):
        assert c.cmd(refused).status == "NO", refused
    assert c.cmd("SELECT INBOX.nope").text.startswith("[NONEXISTENT]")
    assert c.cmd("FETCH 1 FLAGS").status == "BAD"


def test_append(c, box):
    r = c.append("INBOX", MAIL, r"\Seen kw", "17-Jul-1996 02:44:25 -0700")
    assert re.match(r"\[APPENDUID \d+ 1\] APPEND Ok\.$", r.text)
    tag = c.start("APPEND INBOX {%d}" % len(MAIL))
    assert c.read_line().startswith(b"+ ")
    c.send(MAIL + b"\r\n")
    assert "APPENDUID" in c.finish(tag).text
    c.ok("SELECT INBOX")
    r = c.ok("FETCH 1:2 (FLAGS INTERNALDATE BODY.PEEK[])")
    assert r.find(r'1 FETCH .*\\Seen.*kw.*INTERNALDATE "17-Jul-1996 09:44:25 \+0000"')
    assert r.untagged[0].count(MAIL) == 1 and r.untagged[1].count(MAIL) == 1
    r = c.append("INBOX", MAIL)
    assert r.find(r"^\* 3 EXISTS")
    assert list((box / "tmp").iterdir()) == []


def test_append_is_refused_before_it_is_sent(open_shell):
    c = open_shell(IMAP_APPEND_MAX=10000)
    assert c.cmd("APPEND INBOX.nope {10}").text.startswith("[TRYCREATE]")
    assert c.cmd("APPEND INBOX {10001}").text.startswith("[TOOBIG]")
    assert c.cmd(r"APPEND INBOX (\Recent) {10}").status == "BAD"
    assert c.cmd('APPEND INBOX "32-Jul-1996 02:44:25 -0700" {10}').status == "BAD"
    assert c.cmd("APPEND INBOX {0}").status == "NO"
    for wrong in ("APPEND INBOX", 'APPEND INBOX "x"', "APPEND"):
        assert c.cmd(wrong).status == "BAD", wrong
    # what is sent unasked after a refusal is no command
    c.send(b"a APPEND INBOX.nope {14+}\r\nx CREATE boo\r\n\r\nb NOOP\r\n")
    assert c.read_line().startswith(b"a NO [TRYCREATE]")
    assert c.read_line() == b"b OK NOOP completed"
    c.send(b"c APPEND INBOX {1000000000+}\r\n")
    assert c.closed()
    assert b"BYE [TOOBIG]" in c.last


def test_append_that_is_cut_leaves_nothing(c, box):
    c.send(b"a APPEND INBOX {1000}\r\n")
    c.read_line()
    c.send(b"x" * 500)
    c.close()
    assert list((box / "tmp").iterdir()) == [] and list((box / "cur").iterdir()) == []


def test_append_of_a_large_message(c):
    text = b"Subject: big\r\n\r\n" + b"0123456789abcdef\r\n" * 1000000
    assert c.append("INBOX", text).ok
    c.ok("SELECT INBOX")
    assert c.ok("FETCH 1 RFC822.SIZE").find("RFC822.SIZE %d" % len(text))
    assert c.ok("FETCH 1 BODY.PEEK[]").untagged[0].count(text) == 1


def test_store(c, box):
    for i in range(3):
        deliver(box, "%d.x" % i)
    c.ok("SELECT INBOX")
    r = c.ok(r"STORE 1 +FLAGS (\Deleted)")
    assert r.untagged == [rb"* 1 FETCH (FLAGS (\Deleted \Recent))"] and r.text == "STORE completed."
    assert c.ok(r"STORE 1 +FLAGS \Deleted").untagged == [rb"* 1 FETCH (FLAGS (\Deleted \Recent))"]
    assert c.ok(r"STORE 1:* FLAGS.SILENT (\Seen)").untagged == []
    r = c.ok(r"UID STORE 2,3 -FLAGS (\Seen)")
    assert r.untagged == [rb"* 2 FETCH (UID 2 FLAGS (\Recent))", rb"* 3 FETCH (UID 3 FLAGS (\Recent))"]
    assert c.ok(r"UID STORE 99 +FLAGS (\Seen)").untagged == []
    r = c.ok("STORE 2 +FLAGS (Label $Junk)")
    assert r.untagged[0] == rb"* FLAGS (Label $Junk \Draft \Answered \Flagged \Deleted \Seen \Recent)"
    assert r.untagged[-1] == rb"* 2 FETCH (FLAGS (\Recent Label $Junk))"
    for wrong in (r"STORE 1 +FLAGS (\Recent)", r"STORE 1 +FLAGS (\Frob)", "STORE 1 FROB ()", "STORE 0 FLAGS ()",
                  "STORE 4 FLAGS ()", "STORE 4294967296 FLAGS ()", "STORE 1 +FLAGS", "STORE x FLAGS ()"):
        assert c.cmd(wrong).status == "BAD", wrong
    assert c.cmd("STORE 1 +FLAGS (%s)" % ("k" * 2000)).text.startswith("[LIMIT]")


def test_expunge_and_close(c, box):
    for i in range(5):
        deliver(box, "%d.x" % i)
    c.ok("SELECT INBOX")
    c.ok(r"STORE 1:3 +FLAGS.SILENT (\Deleted)")
    r = c.ok("UID EXPUNGE 3:9")
    assert r.untagged == [b"* 3 EXPUNGE", b"* 4 EXISTS", b"* 4 RECENT"]
    r = c.ok("EXPUNGE")
    assert r.untagged == [b"* 1 EXPUNGE", b"* 1 EXPUNGE", b"* 2 EXISTS", b"* 2 RECENT"]
    assert r.text == "EXPUNGE completed"
    c.ok(r"STORE 1 +FLAGS.SILENT (\Deleted)")
    assert c.ok("CLOSE").untagged == []
    assert c.ok("SELECT INBOX").find("1 EXISTS")
    c.ok(r"STORE 1 +FLAGS.SILENT (\Deleted)")
    c.ok("UNSELECT")
    assert c.ok("EXAMINE INBOX").find("1 EXISTS")
    c.ok("CLOSE")
    assert c.ok("SELECT INBOX").find("1 EXISTS")


def test_copy_and_move(c, box):
    for i in range(4):
        deliver(box, "%d.x" % i)
    c.ok("CREATE INBOX.to")
    c.ok("SELECT INBOX")
    assert re.match(r"\[COPYUID \d+ 1:2 1:2\] COPY completed\.$", c.ok("COPY 1:2 INBOX.to").text)
    assert c.cmd("COPY 1 INBOX.nope").text.startswith("[TRYCREATE]")
    assert c.ok("UID COPY 77 INBOX.to").text == "COPY completed."
    r = c.ok("UID MOVE 2,4 INBOX.to")
    assert re.match(rb"\* OK \[COPYUID \d+ 2,4 3:4\]", r.untagged[0])
    assert r.untagged[1:] == [b"* 2 EXPUNGE", b"* 3 EXPUNGE", b"* 2 EXISTS", b"* 2 RECENT"]
    assert c.ok("STATUS INBOX.to (MESSAGES)").find("MESSAGES 4")
    r = c.ok("COPY 1 INBOX")
    assert r.find(r"^\* 3 EXISTS")


def test_deliveries_are_told_at_noop(c, box):
    c.ok("SELECT INBOX")
    deliver(box, "1.x")
    r = c.ok("NOOP")
    assert r.untagged == [b"* 1 EXISTS", b"* 1 RECENT", rb"* 1 FETCH (FLAGS (\Recent))"]


def test_delete_of_the_selected_folder_leaves_it(c):
    c.ok("CREATE INBOX.a")
    c.ok("SELECT INBOX.a")
    c.ok("DELETE INBOX.a")
    assert c.cmd("CHECK").status == "BAD"


# ---- IDLE -------------------------------------------------------------------------------------------
def test_idle_tells_and_ends(open_shell, box):
    c, other = open_shell(IMAP_IDLE_TIMEOUT=1), open_shell()
    c.ok("SELECT INBOX")
    deliver(box, "1.x")
    assert c.idle() == "entering idle mode"
    assert c.idle_until("FETCH") == [b"* 1 EXISTS", b"* 1 RECENT", rb"* 1 FETCH (FLAGS (\Recent))"]
    other.ok("SELECT INBOX")
    other.ok(r"STORE 1 +FLAGS (\Flagged)")
    c.idle_until(r"1 FETCH \(FLAGS \(\\Flagged \\Recent\)\)")
    assert c.done().text == "IDLE completed"
    c.idle()
    c.send(b"NOOP\r\n")
    assert c.finish(c.idle_tag).status == "BAD"
    c.ok("UNSELECT")
    c.idle()
    assert c.done().ok


def test_silence_ends_the_session(open_shell):
    c = open_shell(IMAP_TIMEOUT=60)
    c.idle()
    assert not c.closed(0.3)
