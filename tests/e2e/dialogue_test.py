# SPDX-License-Identifier: Apache-2.0
"""The seven steps of Courier's manual (R27 to R36), with three clients in IDLE over TLS."""
import re


def greeting_login_select(c, user):
    assert re.match(rb"\* OK \[CAPABILITY [^\]]*IMAP4rev1[^\]]*\] Posthouse ready", c.greeting)
    reply = c.ok("LOGIN %s %s" % (user, user))
    assert re.match(r"\[CAPABILITY [^\]]*IDLE[^\]]*\] LOGIN Ok\.", reply.text)
    reply = c.ok("SELECT INBOX")
    wanted = [rb"\* FLAGS \(.*\\Draft \\Answered \\Flagged \\Deleted \\Seen \\Recent\)",
              rb"\* OK \[PERMANENTFLAGS \(.*\\Draft \\Answered \\Flagged \\Deleted \\Seen\)\] Limited",
              rb"\* \d+ EXISTS", rb"\* \d+ RECENT", rb"\* OK \[UIDVALIDITY \d+\] Ok"]
    at = 0
    for line in reply.untagged:
        if at < len(wanted) and re.match(wanted[at], line):
            at += 1
    assert at == len(wanted), reply
    assert reply.text == "[READ-WRITE] Ok"


def test_seven_steps(account):
    for i in range(3):
        account.deliver("Subject: %d\n\nbody\n" % i)
    clients = [account.client(tls=True, login=False) for _ in range(4)]
    for c in clients:
        greeting_login_select(c, account.user)
    actor, idlers = clients[0], clients[1:]
    for c in idlers:
        assert c.idle() == "entering ENHANCED idle mode"

    reply = actor.ok("STORE 1 +FLAGS (\\Deleted)")
    assert reply.find(r"^\* 1 FETCH \(FLAGS \([^)]*\\Deleted[^)]*\)\)$")
    assert reply.text == "STORE completed."
    for c in idlers:
        c.idle_until(r"^\* 1 FETCH \(FLAGS \([^)]*\\Deleted[^)]*\)\)$")

    for _ in range(5):
        actor.ok("STORE 1 -FLAGS (\\Deleted)")
        actor.ok("STORE 1 +FLAGS (\\Deleted)")
        for c in idlers:
            c.idle_until(r"^\* 1 FETCH \(FLAGS \(((?!Deleted).)*\)\)$")
            c.idle_until(r"^\* 1 FETCH \(FLAGS \(.*Deleted.*\)\)$")

    reply = actor.ok("EXPUNGE")
    lines = [x for x in reply.untagged if re.match(rb"\* \d+ (EXPUNGE|EXISTS|RECENT)$", x)]
    assert lines[0] == b"* 1 EXPUNGE" and lines[1] == b"* 2 EXISTS" and lines[2].endswith(b"RECENT")
    assert reply.text == "EXPUNGE completed"
    for c in idlers:
        got = c.idle_until(r"RECENT$")
        assert got[-3] == b"* 1 EXPUNGE" and got[-2] == b"* 2 EXISTS"

    account.deliver("Subject: new\n\nbody\n")
    recent = 0
    for c in idlers:
        got = c.idle_until(r"^\* 3 FETCH \(FLAGS \(.*\)\)$")
        assert b"* 3 EXISTS" in got
        assert [x for x in got if re.match(rb"\* \d+ RECENT$", x)]
        recent += b"\\Recent" in got[-1]
    reply = actor.ok("NOOP")
    recent += b"\\Recent" in b"".join(m.string for m in reply.all(r"^\* 3 FETCH"))
    assert recent == 1, "exactly one session owns \\Recent"
    for c in idlers:
        reply = c.done()
        assert reply.ok and reply.text == "IDLE completed"


def test_changes_before_idle_are_told_at_once(account):
    a, b = account.client(select="INBOX"), account.client(select="INBOX")
    account.deliver()
    b.idle()
    b.idle_until(r"^\* 1 EXISTS$")
    a.ok("NOOP")


def test_idle_without_a_folder(account):
    c = account.client()
    c.idle()
    assert c.done().ok


def test_anything_but_done_is_refused(account):
    c = account.client(select="INBOX")
    c.idle()
    c.send("NOOP\r\n")
    reply = c.finish(c.idle_tag)
    assert reply.status == "BAD"
    c.ok("NOOP")
