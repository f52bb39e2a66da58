# SPDX-License-Identifier: Apache-2.0
"""The Outbox: what is put into it by APPEND, COPY and MOVE is sent, and the client hears the truth."""
import base64
import os
import re
import shutil
import signal
import ssl
import subprocess

import pytest

from deliverers_test import Postfix, namespaces
from lib.imap import Imap
from lib.outbox import Sendmail, Smtp
from lib.server import BIN, MAIL_UID, ROOT, Server, wait_for

UNABLE = "[ALERT] Unable to send E-mail message."
number = 0


def text(do="ok", to="b@test", more="", body="body\r\n"):
    global number  # pylint: disable=global-statement
    number += 1
    return "From: demo\r\nTo: %s\r\nMessage-ID: <%d@test>\r\nX-Do: %s\r\n%s\r\n%s" % (to, number, do, more, body)


@pytest.fixture
def outbox(request):
    """Makes servers with an Outbox; each has .sendmail."""
    made = []

    def make(users=("demo",), start=True, **settings):
        settings.setdefault("OUTBOX", ".Outbox")
        server = Server(users=users, **settings)
        made.append(server)
        server.sendmail = Sendmail(server.dir)
        server.settings.setdefault("SENDMAIL", server.sendmail.path)
        server.write_settings()
        if start:
            server.start()
        return server
    yield make
    for server in made:
        server.stop()


@pytest.fixture(scope="module")
def site():
    server = Server(users=["demo", "-oQ", "a<b"] + ["m%d" % i for i in range(40)], OUTBOX=".Outbox", OUTBOX_WAIT=5,
                    OUTBOX_RECIPIENTS_MAX=100, OUTBOX_SIZE_MAX=8000000, OUTBOX_HEADER_MAX=20000, OUTBOX_SENDS_USER=2)
    server.sendmail = Sendmail(server.dir)
    server.settings["SENDMAIL"] = server.sendmail.path
    server.write_settings()
    server.start()
    server.used = 0
    yield server
    server.stop()


def client(server, user=None, create=True):
    if user is None:
        user = "m%d" % server.used
        server.used += 1
    c = Imap(server.port, timeout=60)
    c.user = user
    c.ok('LOGIN "%s" "%s"' % (user, user))
    if create:
        c.ok("CREATE INBOX.Outbox")
    return c


def folder(c, name="INBOX.Outbox"):
    """Flags of its messages, by UID."""
    c.ok("EXAMINE " + name)
    return {int(m.group(1)): m.group(2).decode().split()
            for m in c.ok("UID FETCH 1:* (FLAGS)").all(r"UID (\d+) FLAGS \(([^)]*)\)")}


def sent(server, message):
    mid = re.search("<([^>]*)>", message).group(1).encode()
    return [m for m in server.sendmail.sent() if b"<" + mid + b">" in m]


def waiting(server, user):
    own = os.path.join(server.maildir(user, "Outbox"), "posthouse")
    if not os.path.isdir(own):
        return []
    return [n for n in os.listdir(own) if n.startswith("out")] + os.listdir(server.maildir(user, "Outbox") + "/tmp")


# ---- APPEND -----------------------------------------------------------------------------------------------

def test_append(site):
    c = client(site, create=False)
    assert c.ok("CAPABILITY").untagged[0].endswith(b" XCOURIEROUTBOX=INBOX.Outbox")
    message = text(more="Bcc: secret@test\r\nX-Mozilla-Status: 0001\r\n", body=".\r\n..x\r\nFrom y\r\n")
    reply = c.append("INBOX.Outbox", message)
    assert reply.status == "NO" and reply.text.startswith("[TRYCREATE]") and not sent(site, message)
    c.ok("CREATE INBOX.Outbox")
    reply = c.append("inbox.Outbox", message, flags="\\Seen $Mine", date="01-Feb-2020 10:00:00 +0000")
    uid = int(re.match(r"\[APPENDUID \d+ (\d+)\]", reply.text).group(1))
    got = sent(site, message)
    assert got == [b"X-IMAP-Sender: %s\n" % c.user.encode() + message.replace("\r\n", "\n").encode()]
    c.ok("SELECT INBOX.Outbox")
    there = c.ok("UID FETCH %d (FLAGS INTERNALDATE BODY.PEEK[])" % uid).untagged[0]
    assert message.encode() in there and b"$Mine" in there and b"\\Seen" in there and b"01-Feb-2020" in there
    assert b"X-IMAP-Sender" not in there
    ran = site.sendmail.ran()[-1]
    assert ran.startswith("%d ['-oi', '-t', '-f', '%s'] [" % (MAIL_UID if ROOT else os.getuid(), c.user))
    assert set(re.findall(r"'([A-Z_]+)'", ran)) <= {"HOME", "PATH", "USER", "LOGNAME", "SHELL", "LC_CTYPE"}
    assert ran.endswith(" 5")  # 0, 1, 2, and the two that the program opened itself
    assert waiting(site, c.user) == []
    # The copy is the client's: it may delete it, and that sends nothing.
    c.ok("STORE 1 +FLAGS (\\Deleted)")
    c.ok("EXPUNGE")
    assert len(sent(site, message)) == 1


@pytest.mark.parametrize("do,answer,state", [
    ("fail 75", UNABLE, None), ("fail 1", UNABLE, None), ("chatter", "[APPENDUID", "sent"),
    ("fork", "[APPENDUID", "sent"), ("slow 0.5", "[APPENDUID", "sent"),
    ("signal 9", "[APPENDUID", "$SubmissionUnknown"), ("signal 11", "[APPENDUID", "$SubmissionUnknown")])
def test_what_sendmail_does(site, do, answer, state):
    c = client(site)
    message = text(do)
    reply = c.append("INBOX.Outbox", message)
    assert reply.text.startswith(answer), reply
    flags = list(folder(c).values())
    assert len(flags) == (state is not None)
    marks = [f for fl in flags for f in fl if f.startswith("$Submission")]
    assert marks == ([state] if state and state != "sent" else [])
    assert bool(reply.find(r"^\* OK \[ALERT\]")) == bool(marks)
    assert waiting(site, c.user) == []
    notices = folder(c, "INBOX")
    assert len(notices) == len(marks)
    if marks:
        notice = c.ok("FETCH 1 BODY.PEEK[]").untagged[0].decode()
        assert "may not have been sent" in notice and "<%d@test>" % number in notice and "To: b@test" in notice
        assert "Auto-Submitted: auto-generated" in notice
    if do.startswith("fail"):
        line = [x for x in site.log().splitlines() if "error sending a message" in x and "user=%s " % c.user in x]
        assert len(line) == 1 and "exit status " + do[5:] in line[0] and "refused: xxx" in line[0]
    assert c.append("INBOX.Outbox", text()).ok  # the next one goes as if nothing had been


def test_sendmail_hangs(site):
    """Before and after it has taken the message: nobody can know; it is ended when its time is over."""
    c = [client(site), client(site)]
    tags = []
    for one, do in zip(c, ("hang", "late")):
        message = text(do).encode()
        tags.append(one.start("APPEND INBOX.Outbox {%d+}" % len(message)))
        one.send(message + b"\r\n")
    other = client(site)
    assert other.append("INBOX.Outbox", text()).ok  # nobody else waits
    for one, tag in zip(c, tags):
        reply = one.finish(tag)
        assert reply.ok and reply.find(r"^\* OK \[ALERT\]")
        assert "$SubmissionUnknown" in folder(one)[1] and len(folder(one, "INBOX")) == 1
    wait_for("their end", lambda: not [p for p in os.listdir("/proc") if p.isdigit() and sleeps(site, p)])


def sleeps(server, pid):
    try:
        with open("/proc/%s/cmdline" % pid, "rb") as f:
            return server.sendmail.path.encode() in f.read()
    except OSError:
        return False


def test_sendmail_is_missing(outbox):
    server = outbox(SENDMAIL="'/nowhere/sendmail -x'")
    c = client(server, "demo")
    assert c.append("INBOX.Outbox", text()).text == UNABLE
    assert not folder(c) and not folder(c, "INBOX") and waiting(server, "demo") == []
    assert "/nowhere/sendmail: No such file or directory" in server.log()


def test_bad_messages(site):
    c = client(site)
    for message, answer in (
            ("From: a\r\nSubject: nobody\r\n\r\nx\r\n", UNABLE),
            ("\r\nTo: b@test\r\n\r\nx\r\n", UNABLE),
            ("no header at all\r\n", UNABLE),
            ("To: undisclosed-recipients:;\r\n\r\nx\r\n", UNABLE),
            (text(to="-oQ/tmp@test"), UNABLE),
            (text(to='"a\\\x0bb"@test'), UNABLE),
            (text(to=",".join("r%d@test" % i for i in range(101))), "[LIMIT]"),
            (text(to=",\r\n ".join("r%d@test" % i for i in range(10000)), more=""), "[LIMIT]"),
            (text(more="X-Long: " + "x" * 20000 + "\r\n"), "[LIMIT]"),
            (text(body="a\0b\r\n"), UNABLE), (text(more="X-Nul: \0\r\n"), UNABLE),
            (text(more="X-Cr: a\rBcc: c@test\r\n"), UNABLE)):
        before = len(site.sendmail.ran())
        reply = c.append("INBOX.Outbox", message)
        assert reply.status == "NO" and reply.text.startswith(answer), (message[:80], reply)
        assert len(site.sendmail.ran()) == before
    assert not folder(c) and waiting(site, c.user) == []
    for message in (text(to=",".join("r%d@test" % i for i in range(100))), text(body="a\nb\rc\n.\n"),
                    text(to="Name <b@test>,\r\n \"q, r\" <c@test>, g: d@test, e@test;"), text(body="x" * 5000000)):
        assert c.append("INBOX.Outbox", message).ok
        assert len(sent(site, message)) == 1
    tag = c.start("APPEND INBOX.Outbox {8000001}")
    assert c.finish(tag).text.startswith("[TOOBIG]")
    tag = c.start("APPEND INBOX.Outbox {%d+}" % len(text()))
    c.send(text() + " {10+}\r\n0123456789\r\n")
    assert c.finish(tag).text == "[ALERT] Only one message may be sent at a time."


def test_names_that_are_options(site):
    for user in ("-oQ", "a<b"):
        c = client(site, user)
        before = len(site.sendmail.ran())
        assert c.append("INBOX.Outbox", text()).text == UNABLE
        assert len(site.sendmail.ran()) == before
        assert not folder(c)


def test_only_so_many_at_once(site):
    c = [client(site, "m39", create=i == 0) for i in range(4)]
    tags = []
    for i, one in enumerate(c):
        message = text("slow 1").encode()
        tags.append(one.start("APPEND INBOX.Outbox {%d+}" % len(message)))
        one.send(message + b"\r\n")
        wait_for("SENDMAIL", lambda i=i: i > 1 or len([x for x in site.sendmail.ran() if "'m39'" in x]) == i + 1)
    replies = [one.finish(tag) for one, tag in zip(c, tags)]
    assert [r.ok for r in replies] == [True, True, False, False]
    assert replies[2].text.startswith("[LIMIT]")
    assert len(folder(c[0])) == 2


def test_drafts_and_foreign_files(outbox):
    server = outbox(OUTBOX=".WidgetsAndSonsOutbox", OUTBOX_REJECT_DRAFTS=1, HEADERFROM="")
    c = Imap(server.port).login()
    assert c.ok("CAPABILITY").untagged[0].endswith(b" XCOURIEROUTBOX=INBOX.WidgetsAndSonsOutbox")
    box = "INBOX.WidgetsAndSonsOutbox"
    c.ok("CREATE " + box)
    c.ok("CREATE INBOX.Outbox")
    assert c.append("INBOX.Outbox", text()).ok and c.append(box + ".x", text()).text.startswith("[TRYCREATE]")
    assert c.append(box, text(), flags="\\Draft").text.startswith("[CANNOT]")
    server.deliver(text(), folder="WidgetsAndSonsOutbox")
    server.deliver(text(), folder="WidgetsAndSonsOutbox", flags="S")
    assert len(folder(c, box)) == 2
    assert not server.sendmail.ran()
    message = text()
    assert c.append(box, message).ok
    assert sent(server, message) == [message.replace("\r\n", "\n").encode()]


def test_from_own(outbox):
    server = outbox(users=["demo", "who@x.test"], OUTBOX_FROM_OWN=1)
    c = client(server, "who@x.test")
    for head, ok in (("From: Who <WHO@x.test>", True), ("From: other@x.test", False), ("From: who@y.test", False),
                     ("From: who@x.test, other@x.test", False), ("From: who@x.test\r\nFrom: other@x.test", False),
                     ("From: who@x.test\r\nSender: boss@x.test", False), ("Subject: none", False),
                     ("From: who@x.test\r\nResent-From: boss@x.test", False)):
        reply = c.append("INBOX.Outbox", head + "\r\nTo: b@test\r\n\r\nx\r\n")
        assert reply.ok == ok and (ok or reply.text.startswith("[NOPERM]")), (head, reply)
    assert len(server.sendmail.sent()) == 1


def test_settings_that_cannot_work(tmp_path):
    for settings, says in (({"OUTBOX": "Outbox"}, "OUTBOX must be"), ({"SENDMAIL": "sendmail"}, "SENDMAIL must be"),
                           ({"HEADERFROM": "X:"}, "HEADERFROM must"), ({"SMTP_URL": "http://x"}, "SMTP_URL must")):
        options = [x for k, v in dict({"OUTBOX": ".Outbox", "RUNDIR": str(tmp_path)}, **settings).items()
                   for x in ("--set", "%s=%s" % (k, v))]
        done = subprocess.run([os.path.join(BIN, "backend")] + options + (["--set", "LOGIN_USER=61901", "--set",
                              "AUTH_USER=61902"] if ROOT else []), capture_output=True, timeout=20, check=False)
        assert done.returncode == 1 and says in done.stderr.decode(), done


# ---- COPY and MOVE ------------------------------------------------------------------------------------------

def test_copy_and_move(site):
    c = client(site)
    texts = [text(), text(), text("fail 1"), text()]
    for t in texts:
        assert c.append("INBOX", t, flags="\\Draft $Mine").ok
    c.ok("SELECT INBOX")
    for verb in ("COPY", "MOVE"):
        assert c.cmd(verb + " 1:2 INBOX.Outbox").text == "[ALERT] Only one message may be sent at a time."
        assert c.cmd(verb + " 3 INBOX.Outbox").text == UNABLE
        assert c.cmd(verb + " 1 INBOX.Nowhere").text.startswith("[TRYCREATE]")
    assert not site.sendmail.ids() or not sent(site, texts[0])
    assert re.match(r"\[COPYUID \d+ 1 1\] COPY completed", c.ok("COPY 1 INBOX.Outbox").text)
    reply = c.ok("UID MOVE 2 INBOX.Outbox")
    assert reply.find(r"\* OK \[COPYUID \d+ 2 2\]") and reply.find(r"^\* 2 EXPUNGE")
    assert [len(sent(site, t)) for t in texts] == [1, 1, 0, 0]
    assert c.ok("UID SEARCH ALL").untagged == [b"* SEARCH 1 3 4"]
    flags = folder(c)
    assert len(flags) == 2 and all("$Mine" in f and "\\Draft" in f and "\\Deleted" not in f for f in flags.values())
    # Within the Outbox too: a copy is another message that is sent.
    c.ok("SELECT INBOX.Outbox")
    c.ok("COPY 1 INBOX.Outbox")
    assert len(sent(site, texts[0])) == 2
    assert waiting(site, c.user) == []


def test_several_at_a_time(outbox):
    server = outbox(OUTBOX_MULTIPLE_SEND=1)
    c = client(server, "demo")
    texts = [text(), text(), text("fail 1"), text()]
    for t in texts:
        assert c.append("INBOX", t).ok
    c.ok("SELECT INBOX")
    assert re.match(r"\[COPYUID \d+ 1:2 1:2\]", c.ok("COPY 1:2 INBOX.Outbox").text)
    assert c.cmd("MOVE 1:4 INBOX.Outbox").text == UNABLE  # those before the one that can't be sent have moved
    assert [len(sent(server, t)) for t in texts] == [2, 2, 0, 0]
    assert c.ok("UID SEARCH ALL").untagged == [b"* SEARCH 3 4"]
    assert len(folder(c)) == 4


# ---- clients and processes that go ----------------------------------------------------------------------------

def test_client_goes(site):
    c = client(site)
    message = text("slow 0.6").encode()
    before = len(site.sendmail.ran())
    c.start("APPEND INBOX.Outbox {%d+}" % len(message))
    c.send(message + b"\r\n")
    wait_for("SENDMAIL", lambda: len(site.sendmail.ran()) > before)
    c.close()
    wait_for("the end", lambda: not waiting(site, c.user))
    d = client(site, c.user, create=False)
    flags = list(folder(d).values())
    assert len(flags) == 1 and not [f for f in flags[0] if f.startswith("$")] and not folder(d, "INBOX")


def test_failure_that_nobody_hears_of(site):
    c = client(site)
    message = text("fail 1").encode()
    mailer = site.pids("mailer")[0]
    os.kill(mailer, signal.SIGSTOP)  # the client is to be gone before the failure
    try:
        c.start("APPEND INBOX.Outbox {%d+}" % len(message))
        c.send(message + b"\r\n")
        wait_for("the attempt", lambda: [x for x in waiting(site, c.user) if x.startswith("outbox.")])
        c.close()
        other = client(site, c.user, create=False)  # the same imapd: it has seen the end when it has answered
        for _ in range(3):
            other.ok("NOOP")
    finally:
        os.kill(mailer, signal.SIGCONT)
    wait_for("the end", lambda: not waiting(site, c.user))
    d = client(site, c.user, create=False)
    flags = list(folder(d).values())
    assert len(flags) == 1 and "$SubmissionFailed" in flags[0]
    assert len(folder(d, "INBOX")) == 1
    assert b"could not be sent" in d.ok("FETCH 1 BODY.PEEK[]").untagged[0]


def test_no_mailer(outbox):
    server = outbox()
    c = client(server, "demo")
    program = server.pids("mailer")[0]
    os.kill(program, 9)
    replies = [c.append("INBOX.Outbox", text()) for _ in range(3)]
    assert all(r.ok or r.text.startswith("[UNAVAILABLE]") for r in replies), replies
    wait_for("the mailer", lambda: server.pids("mailer") and c.append("INBOX.Outbox", text()).ok)
    assert len(folder(c)) == len(server.sendmail.sent())


# ---- SMTP -----------------------------------------------------------------------------------------------------

def smtp_case(outbox, smtp, **settings):
    server = outbox(users=["demo"], SMTP_URL="smtp://127.0.0.1:%d" % smtp.port, SMTP_TLS="off", **settings)
    return server, client(server, "demo")


def test_smtp(outbox):
    smtp = Smtp()
    _, c = smtp_case(outbox, smtp)
    message = text(to="B <b@test>, g: c@test;", more="Bcc: secret@test,\r\n secret2@test\r\n", body=".\r\n..\r\nx\r.\ry")
    assert c.append("INBOX.Outbox", message).ok
    (rcpt, data), = smtp.mails
    assert sorted(rcpt) == [b"<b@test>", b"<c@test>", b"<secret2@test>", b"<secret@test>"]
    assert b"MAIL FROM:<demo>\r\n" in smtp.lines
    assert b"secret" not in data and data.startswith(b"X-IMAP-Sender: demo\r\nFrom: demo\r\n")
    assert data.endswith(b"\r\n\r\n..\r\n...\r\nx\r\n..\r\ny\r\n")
    c.ok("SELECT INBOX.Outbox")
    assert b"Bcc: secret@test" in c.ok("FETCH 1 BODY[]").untagged[0]
    smtp.stop()


def test_smtp_refuses(outbox):
    smtp = Smtp()
    server, c = smtp_case(outbox, smtp)
    for answers in ({"ehlo": "drop"}, {"mail": "451 later"}, {"rcpt": "550 who?"}, {"rcpt": "drop"}, {"data": "drop"},
                    {"dot": "452 full"}, {"dot": "554 spam"}):
        smtp.answers = answers
        assert c.append("INBOX.Outbox", text()).text == UNABLE, (answers, server.log()[-2000:])
    assert not folder(c) and not folder(c, "INBOX")
    smtp.answers = {"dot": "drop"}
    reply = c.append("INBOX.Outbox", text())
    assert reply.ok and reply.find(r"^\* OK \[ALERT\]")
    assert "$SubmissionUnknown" in folder(c)[1] and len(folder(c, "INBOX")) == 1
    smtp.stop()
    assert c.append("INBOX.Outbox", text()).text == UNABLE


def test_smtps_with_password(outbox):
    smtp = Smtp(ehlo="250-test\r\n250 AUTH PLAIN", auth="235 ok")
    server = outbox(start=False, SMTP_URL="smtps://me:p%%40ss@localhost:%d" % smtp.port)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.settings["TLS_CERTFILE"])
    smtp.context = context
    server.settings["SMTP_CAFILE"] = server.settings["TLS_CERTFILE"] + ".crt"
    os.chmod(server.settings["SMTP_CAFILE"], 0o644)
    server.write_settings()
    server.start()
    c = client(server, "demo")
    assert c.append("INBOX.Outbox", text()).ok, server.log()[-3000:]
    auth = [x for x in smtp.lines if x.startswith(b"AUTH PLAIN")]
    assert base64.b64decode(auth[0].split()[2]) == b"\0me\0p@ss" and len(smtp.mails) == 1
    assert "p@ss" not in server.log() and "p%40ss" not in server.log()
    smtp.stop()


# ---- real programs ----------------------------------------------------------------------------------------------

@pytest.mark.skipif(not shutil.which("msmtp"), reason="msmtp is missing")
def test_msmtp(outbox):
    smtp = Smtp()
    server = outbox(start=False)
    conf = os.path.join(server.dir, "msmtprc")
    with open(conf, "w", encoding="ascii") as f:
        f.write("account default\nhost 127.0.0.1\nport %d\ntls off\nauth off\n" % smtp.port)
    os.chmod(conf, 0o644)
    server.settings["SENDMAIL"] = "'/usr/bin/msmtp -C %s'" % conf
    server.write_settings()
    server.start()
    c = client(server, "demo")
    assert c.append("INBOX.Outbox", text(to="x@test", more="Bcc: y@test\r\n")).ok, server.log()[-2000:]
    assert sorted(smtp.mails[0][0]) == [b"<x@test>", b"<y@test>"] and b"Bcc" not in smtp.mails[0][1]
    smtp.answers["rcpt"] = "550 no"
    assert c.append("INBOX.Outbox", text()).text == UNABLE
    # curl puts a file into the Outbox.
    del smtp.answers["rcpt"]
    path = os.path.join(server.dir, "letter")
    with open(path, "w", encoding="ascii", newline="") as f:
        f.write(text())
    subprocess.run(["curl", "-sS", "--max-time", "20", "-u", "demo:demo", "-T", path,
                    "imap://127.0.0.1:%d/INBOX.Outbox" % server.port], check=True)
    assert len(smtp.mails) == 2 and len(folder(c)) == 2
    smtp.stop()


@pytest.mark.skipif(not ROOT, reason="Postfix has to be started as root")
@pytest.mark.skipif(not namespaces(), reason="no mount namespace can be made here")
def test_postfix(outbox):
    server = outbox(users=["demo", "m1", "m2", "m3"], start=False, SENDMAIL="/usr/sbin/sendmail")
    postfix = Postfix(server, ["m1", "m2", "m3"])
    with open(os.path.join(postfix.dir, "etc", "main.cf"), "a", encoding="ascii") as f:
        f.write("myorigin = posthouse.test\nmessage_size_limit = 50000\n")
    try:
        wait_for("postfix", postfix.ready, 30)
        # The mailer, and so sendmail, in the namespace where that Postfix is.
        start_one = server.start_one

        def start(program):
            if program != "backend":
                start_one(program)
                return
            with open(server.log_path, "ab") as log:
                server.processes[program] = subprocess.Popen(
                    ["nsenter", "-t", str(postfix.process.pid), "-m", os.path.join(BIN, program), "-C", server.conf],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        server.start_one = start
        server.start()
        c = client(server, "m1")
        message = text(to="m2@posthouse.test", more="Bcc: m3@posthouse.test\r\n")
        reply = c.append("INBOX.Outbox", message)
        assert reply.ok, server.log()[-3000:]
        for user in ("m2", "m3"):
            d = client(server, user, create=False)
            d.ok("SELECT INBOX")
            wait_for("mail", lambda d=d: d.ok("NOOP").find("1 EXISTS") or d.ok("SEARCH ALL").find(r"SEARCH 1"), 20)
            got = d.ok("FETCH 1 BODY[]").untagged[-1]
            assert b"Return-Path: <m1@posthouse.test>" in got and b"X-IMAP-Sender: m1\r\n" in got
            assert b"Bcc" not in got and b"m3@posthouse.test" not in got.replace(b"Delivered-To: m3@posthouse.test", b"") \
                .replace(b"X-Original-To: m3@posthouse.test", b"").replace(b"for <m3@posthouse.test>", b"")
        reply = c.append("INBOX.Outbox", text(to="m2@posthouse.test", body="x" * 70 * 1000 + "\r\n"))
        assert reply.text == UNABLE and len(folder(c)) == 1
        assert "file too big" in server.log().lower() or "too large" in server.log().lower() or "exit status" in server.log()
        queue = subprocess.run(["nsenter", "-t", str(postfix.process.pid), "-m", "postqueue", "-p"], capture_output=True,
                               check=False).stdout
        assert b"Mail queue is empty" in queue
    finally:
        if "backend" in server.processes:
            server.stop_one("backend")
        postfix.stop()


MUTT = """set folder="imap://127.0.0.1:%(port)d/"
set spoolfile="imap://127.0.0.1:%(port)d/INBOX"
set record="imap://127.0.0.1:%(port)d/INBOX.Outbox"
set postponed="imap://127.0.0.1:%(port)d/INBOX.Drafts"
set imap_user="%(user)s" imap_pass="%(user)s" ssl_starttls=no ssl_force_tls=no from="%(user)s@test"
set sendmail=/bin/true editor=/bin/true tmpdir="%(dir)s" imap_delim_chars="."
set copy=yes delete=yes postpone=yes confirmappend=no abort_unmodified=no edit_headers=no mark_old=no wait_key=no
set hostname=test fcc_clear=yes sleep_time=0 fast_reply=yes
"""
# A key that comes while it works is lost: it is sent again. What that leaves in a prompt is erased by ^U.
MUTT_TALK = r"""
set timeout 4
proc key {key pattern} {
    for {set i 0} {$i < 4} {incr i} {
        catch { send -- $key }
        expect -re $pattern { return } eof { return } timeout {}
    }
    puts "no $pattern after $key"
    exec kill -9 [exp_pid]
    exit 1
}
foreach {subject key} {"by its copy" "y" "a draft" "P"} {
    spawn neomutt -n -F %(rc)s -s $subject b@test
    key "" "Security:"
    key $key "NeVeR"
}
foreach key {"C" "s"} {
    spawn neomutt -n -F %(rc)s -f =INBOX.Drafts
    key "" "a draft"
    key $key "to mailbox"
    key "\025=INBOX.Outbox\r" "imap:/"
    key "q" "NeVeR"
}
"""


@pytest.mark.skipif(not shutil.which("neomutt") or not shutil.which("expect"), reason="neomutt or expect is missing")
def test_neomutt(site, tmp_path):
    """Its Fcc, and a draft that it postponed, copied and then moved there: one message each, and sendmail is /bin/true"""
    c = client(site)
    c.ok("CREATE INBOX.Drafts")
    rc = tmp_path / "rc"
    rc.write_text(MUTT % {"port": site.port, "user": c.user, "dir": tmp_path})
    env = dict(os.environ, TERM="xterm", HOME=str(tmp_path), LC_ALL="C.UTF-8")
    done = subprocess.run(["expect", "-c", MUTT_TALK % {"rc": rc}], env=env, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, (done.returncode, done.stdout[-3000:])
    mine = [m for m in site.sendmail.sent() if b"X-IMAP-Sender: %s\n" % c.user.encode() in m]
    assert [re.search(rb"\nTo: b@test\nSubject: ([^\n]*)\n", m).group(1) for m in mine] == [b"by its copy", b"a draft", b"a draft"]
    assert len(folder(c)) == 3 and not folder(c, "INBOX.Drafts") and waiting(site, c.user) == []


# ---- the largest -----------------------------------------------------------------------------------------------

def peaks(server, program):
    """VmHWM of its processes, in MB"""
    found = []
    for pid in server.pids(""):
        try:
            if os.path.basename(os.readlink("/proc/%d/exe" % pid)) != program:
                continue
            with open("/proc/%d/status" % pid, encoding="ascii") as f:
                found.append(int(re.search(r"VmHWM:\s+(\d+) kB", f.read()).group(1)) // 1024)
        except (OSError, AttributeError):
            pass  # it ended
    return found


@pytest.mark.skipif(not os.environ.get("POSTHOUSE_LONG"), reason="100 MB")
def test_large(outbox, capsys):
    """100 MB: to SENDMAIL whole, and neither imapd nor the mailer has it in its memory (the copy is a memfd)."""
    size = 100 << 20
    server = outbox(OUTBOX_SIZE_MAX=size + 1000, IMAP_APPEND_MAX=size + 1000)
    c = client(server, "demo")
    head = text("slow 2").encode()
    line = b"x" * 76 + b"\r\n"
    body = line * ((size - len(head)) // len(line))
    tag = c.start("APPEND INBOX.Outbox {%d+}" % (len(head) + len(body)))
    c.send(head)
    c.send(body)
    c.send(b"\r\n")
    wait_for("SENDMAIL", server.sendmail.ran, 60)
    at_work = {p: peaks(server, p) for p in ("imapd", "mailer")}
    reply = c.finish(tag)
    assert reply.ok, (reply, server.log()[-2000:])
    after = {p: peaks(server, p) for p in ("imapd", "mailer")}
    got, = server.sendmail.sent()
    assert got == b"X-IMAP-Sender: demo\n" + (head + body).replace(b"\r\n", b"\n")
    c.ok("SELECT INBOX.Outbox")
    assert int(c.ok("FETCH 1 RFC822.SIZE").find(r"SIZE (\d+)").group(1)) == len(head) + len(body)
    with capsys.disabled():
        print("\nVmHWM in MB, while SENDMAIL runs: %r; after: %r" % (at_work, after))
    if "-san" not in BIN:
        assert len(at_work["mailer"]) >= 2 and max(sum(at_work.values(), []) + sum(after.values(), [])) < 40
