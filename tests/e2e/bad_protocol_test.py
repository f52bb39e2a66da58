# SPDX-License-Identifier: Apache-2.0
"""What a client may send that is no IMAP, or too much of it, to the whole server (BADINPUT.md, rows "protocol").
Another session of the same account works all the time; nothing ends but the connection at fault."""
import base64
import contextlib
import os
import socket
import subprocess
import threading
import time

import pytest

from lib.guard import imapd_of, resident_kb
from lib.imap import Imap
from lib.server import wait_for
from lib.shell import Shell

pytestmark = pytest.mark.usefixtures("guard", "bystander")


@pytest.fixture
def bystander(box):
    """A session that must not notice."""
    with box.client(select="INBOX") as c:
        yield c
        c.ok("NOOP")
        assert len(c.ok("UID FETCH 1:3 FLAGS").untagged) >= 3


@pytest.fixture
def c(box):
    with box.client(select="INBOX") as client:
        yield client


def flood(sock, data):
    """Sends in a thread what nobody may want to read."""
    def send():
        with contextlib.suppress(OSError):
            sock.sendall(data)
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


# ---- before login -------------------------------------------------------------------------------------
@pytest.mark.parametrize("behind", [b"a LOGIN demo demo\r\n", b"a NOOP\r\nb SELECT INBOX\r\n", b"x"])
def test_commands_behind_starttls_never_run(shared_server, behind):
    """B1"""
    with Imap(shared_server.port) as c:
        c.send(b"s STARTTLS\r\n" + behind)
        assert c.closed()
        assert b" OK" not in c.last, c.last


def test_no_preauth_and_capabilities_anew_after_starttls(shared_server):
    """B2"""
    with Imap(shared_server.port) as c:
        assert c.greeting.startswith(b"* OK [CAPABILITY ")
        assert "STARTTLS" in c.ok("CAPABILITY").find("CAPABILITY (.*)").group(1).decode()
        c.ok("STARTTLS")
        c.start_tls()
        c.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            c.sock.recv(1)
        c.sock.settimeout(20)
        assert b"STARTTLS" not in c.ok("CAPABILITY").find("CAPABILITY (.*)").group(1)
        c.login()


@pytest.mark.parametrize("literal", [b"{4294967296}", b"{18446744073709551617}", b"{-1}", b"{0x10}", b"{1000000000+}"])
@pytest.mark.parametrize("tls", [False, True])
def test_huge_literals_before_login(shared_server, literal, tls):
    """B5, B6"""
    with Imap(shared_server.sslport if tls else shared_server.port, tls=tls) as c:
        c.send(b"a LOGIN " + literal + b"\r\nb NOOP\r\n")
        line = c.read_line()
        assert b"BAD" in line or b"BYE" in line, line


def test_parentheses_before_login(shared_server):
    """B9: they cost the worker next to nothing."""
    worker = shared_server.pids("login")[0]
    before = resident_kb(worker)
    held = []
    for _ in range(500):
        s = socket.create_connection(("127.0.0.1", shared_server.port))
        s.sendall(b"a NOOP " + b"(" * 4000)
        held.append(s)
    with Imap(shared_server.port) as c:
        c.login()
    assert resident_kb(worker) - before < 500 * 8 + 4000
    for s in held:
        s.close()


def test_half_open_handshakes(shared_server):
    """B19, B20: 1,000 connections that say nothing or half of a hello, and good logins meanwhile."""
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 40
    held = []
    for i in range(950):
        s = socket.create_connection(("127.0.0.1", shared_server.sslport))
        s.sendall(hello[:i % len(hello)])
        held.append(s)
    for _ in range(5):
        with Imap(shared_server.sslport, tls=True) as c:
            c.login()
    for s in held:
        s.close()


@pytest.mark.parametrize("data", [b"a LOGIN demo demo\r\n", b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x00\x00\x00",
                                  b"\x16\x03\x01\xff\xff" + b"\0" * 100, b"\x80\x2e\x01\x00\x02" + b"\0" * 60, b"\0" * 5000])
def test_no_tls_on_the_tls_port(shared_server, data):
    """B20"""
    with Imap(shared_server.sslport, greeting=False) as c:
        c.send(data)
        c.sock.shutdown(socket.SHUT_WR)
        assert c.closed()
        assert b" OK" not in c.last


def test_tls_on_the_plain_port(shared_server):
    """B20"""
    with Imap(shared_server.port) as c:
        c.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2 + b"\r\n")
        assert b"BAD" in c.read_line()


def test_client_renegotiation_is_refused(shared_server):
    """B20: R makes openssl s_client renegotiate."""
    out = subprocess.run(["sh", "-c", "(sleep 0.3; echo R; sleep 0.5; echo 'a NOOP'; sleep 0.2) | openssl s_client -tls1_2 "
                          "-connect 127.0.0.1:%d 2>&1" % shared_server.sslport], capture_output=True, timeout=20)
    assert b"RENEGOTIATING" in out.stdout
    assert b"no renegotiation" in out.stdout.lower() or b"handshake failure" in out.stdout.lower(), out.stdout[-500:]


def test_half_command_at_the_end_of_tls(shared_server, box):
    """B20: the connection ends without close_notify in the middle of a command: it isn't run."""
    c = box.client(tls=True, select="INBOX")
    c.send(b"x CREATE INBOX.half")
    raw = socket.socket(fileno=c.sock.detach())
    raw.close()
    time.sleep(0.2)
    with box.client() as other:
        assert not other.ok('LIST "" INBOX.half').untagged


# ---- pipelined ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("tls", [False, True])
def test_login_select_fetch_in_one_packet(box, tls):
    """B10, B11: in one TLS record, too; each is answered once, in order."""
    with box.client(tls=tls, login=False) as c:
        c.send(b"a LOGIN %s %s\r\nb SELECT INBOX\r\nc UID FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]\r\nd NOOP\r\n"
               % (box.user.encode(), box.user.encode()))
        replies = [c.finish(tag) for tag in (b"a", b"b", b"c", b"d")]
        assert all(r.ok for r in replies)
        assert replies[2].find(b"Subject: ")
        c.send(b"e LOGOUT\r\n")
        assert c.finish(b"e").ok and c.closed() and c.last == b""


@pytest.mark.parametrize("tls", [False, True])
def test_bytes_behind_sasl_arrive_once(box, tls):
    """B11"""
    plain = base64.b64encode(b"\0%s\0%s" % (box.user.encode(), box.user.encode()))
    with box.client(tls=tls, login=False) as c:
        c.send(b"a AUTHENTICATE PLAIN\r\n" + plain + b"\r\nb NOOP\r\nc SELECT INB")
        assert c.read_line().startswith(b"+")
        assert c.finish(b"a").ok and c.finish(b"b").ok
        c.send(b"OX\r\n")
        assert c.finish(b"c").ok
        assert not c.pending(0.1)


def test_nothing_runs_behind_a_failed_login(box):
    """B10"""
    with box.client(login=False) as c:
        c.send(b"a LOGIN %s wrong\r\nb SELECT INBOX\r\nc CREATE INBOX.never\r\n" % box.user.encode())
        assert c.finish(b"a").status == "NO"
        assert c.finish(b"b").status == "BAD" and c.finish(b"c").status == "BAD"


# ---- commands after login -------------------------------------------------------------------------------
def refused(c, data):
    """The answer to raw bytes is BAD, NO or BYE; the answer is returned."""
    c.send(data)
    line = c.read_line()
    assert b"BAD" in line or b" NO " in line or b"BYE" in line, line[:200]
    return line


@pytest.mark.parametrize("data", [b'a CREATE "x\0y"\r\n', b"a CREATE {3+}\r\nx\0y\r\n", b"a CREATE x\0y\r\n", b"a\0 NOOP\r\n",
                                  b"a SEARCH TEXT {3+}\r\n\0\0\0\r\n"])
def test_nul_in_a_command(c, data):
    """B4"""
    assert b"BAD" in refused(c, data)
    c.ok("NOOP")


@pytest.mark.parametrize("literal", [b"{4294967296}", b"{18446744073709551617}", b"{-1}", b"{0x10}", b"{2147483648}"])
def test_huge_literals(c, literal):
    """B5"""
    refused(c, b"a CREATE " + literal + b"\r\n")


def test_zeros_in_front_of_a_literals_size(c):
    """B5: a number is a number"""
    c.send(b"a STATUS {00000000000000000000005+}\r\nINBOX (MESSAGES)\r\n")
    line = c.read_line()
    assert line.startswith(b"* STATUS") or b"BAD" in line or b"BYE" in line


@pytest.mark.parametrize("size", [70000, 10**9, 10**12])
def test_the_body_of_a_refused_literal_is_never_run(c, size):
    """B6"""
    c.send(b"a CREATE {%d+}\r\n" % size + b"x CREATE INBOX.evil\r\n" * 3000)
    assert c.closed()
    assert b"* BYE [TOOBIG]" in c.last and b"x " not in c.last


def test_the_body_of_a_message_that_is_too_big_is_never_run(shared_server, box, c):
    """B6, B45"""
    c.send(b"a APPEND INBOX {109951162777600+}\r\n" + b"x CREATE INBOX.evil\r\n" * 3000)
    with contextlib.suppress(OSError):
        for _ in range(100):
            c.send(b"x CREATE INBOX.evil\r\n" * 3000)
    c.closed(1)
    assert b"x " not in c.last.replace(b"max ", b""), c.last
    with box.client() as other:
        assert not other.ok('LIST "" INBOX.evil').untagged


def test_many_literals_in_one_command(c):
    """B5: they count together"""
    c.send(b"a SEARCH" + b" TEXT {30000+}\r\n" + b"x" * 30000 + b" TEXT {30000+}\r\n" + b"x" * 30000
           + b" TEXT {30000+}\r\n" + b"x" * 30000 + b"\r\n")
    assert c.closed()
    assert b"BYE" in c.last


def test_literal_minus(tmp_path):
    """B7"""
    for sub in ("cur", "new", "tmp"):
        (tmp_path / "Maildir" / sub).mkdir(parents=True)
    s = Shell(tmp_path / "Maildir", IMAP_LITERAL="minus")
    s.send(b"a CREATE {4096+}\r\n" + b"x" * 4096 + b"\r\n")
    assert s.read_line() == b"a BAD Mailbox name expected"  # taken, and then looked at
    s.send(b"b APPEND INBOX {4097+}\r\n" + b"x" * 4097 + b"\r\n")
    line = s.read_line()
    assert b"BAD" in line or b"BYE" in line
    assert s.ok("STATUS INBOX (MESSAGES)").find(r"MESSAGES 0\)")
    s.close()


@pytest.mark.parametrize("start", [b"", b"a ", b"a NOOP ", b'a CREATE "', b"a SEARCH ", b"a FETCH 1 (", b"a UID "])
@pytest.mark.parametrize("fill", [b"x", b"(", b" "])
def test_line_without_end(c, start, fill):
    """B8"""
    thread = flood(c.sock, start + fill * (4 << 20))
    assert c.closed()
    assert b"BYE" in c.last
    thread.join()


def test_id_limits(c):
    """B23"""
    assert refused(c, b"a ID (" + b'"a" "b" ' * 3000 + b")\r\n").startswith(b"a BAD")
    assert refused(c, b'a ID ("name" "' + b"x" * 2000 + b'")\r\n').startswith(b"a BAD")
    assert refused(c, b"a ID (a)\r\n").startswith(b"a BAD")
    c.ok('ID ("name" "x" "x-originating-ip" "127.0.0.1")')


def test_bad_commands_end_in_bye(c):
    """B25"""
    c.send(b"x FROB\r\n" * 30)
    assert c.closed()
    assert c.last.count(b"x BAD") == 20 and b"* BYE" in c.last


@pytest.mark.parametrize("search", [
    b"(" * 1000 + b"ALL" + b")" * 1000, b"(" * 30000, b"NOT " * 5000 + b"ALL", b"OR " * 2000 + b"ALL " * 2001,
    b"OR ALL " * 5000 + b"ALL", b"NOT (" * 500 + b"ALL" + b")" * 500], ids=lambda s: s[:8].decode())
def test_nested_search(c, search):
    """B35"""
    assert c.cmd(b"SEARCH " + search).status in ("BAD", "NO")
    c.ok("SEARCH " + "(" * 30 + "ALL" + ")" * 30)


def test_nested_fetch(c):
    """B35"""
    assert c.cmd("FETCH 1 " + "(" * 5000 + "FLAGS" + ")" * 5000).status == "BAD"
    assert c.cmd("FETCH 1 (" + "FLAGS " * 5000 + "UID)").status in ("OK", "BAD")


@pytest.mark.parametrize("numbers, status", [
    ("0", "BAD"), ("4294967296", "BAD"), ("99999999999999999999", "BAD"), ("1:0", "BAD"), ("-1", "BAD"), ("1:", "BAD"),
    (":1", "BAD"), ("1,", "BAD"), (",1", "BAD"), ("1:2:3", "BAD"), ("**", "BAD"), ("1 2", "BAD"), ("", "BAD"),
    ("*:*", "OK"), ("*", "OK"), ("3:1", "OK"), ("1,1,1,2:3,2:3,1:*", "OK"), ("01", "BAD OK")])
def test_sequence_sets(c, numbers, status):
    """B36"""
    assert c.cmd("FETCH %s FLAGS" % numbers).status in status.split()
    assert c.cmd("UID FETCH %s FLAGS" % numbers).status in status.split()


def test_sequence_sets_cost_by_the_messages_they_find(c):
    """B36"""
    for uids in ("1:4294967295", "4294967295:1", ",".join("%d:4294967295" % i for i in range(1, 3000))):
        assert len(c.ok("UID FETCH %s (UID)" % uids).all(r"FETCH \(UID")) == 3
        assert len(c.ok("UID SEARCH UID %s" % uids).find("SEARCH(.*)").group(1).split()) == 3
    for uids in (",".join("%d:%d" % (i * 3, i * 3 + 2) for i in range(1, 5000)),):
        assert c.cmd("UID FETCH %s (UID)" % uids).status in ("OK", "BAD")
    assert c.cmd("FETCH 1:4294967295 FLAGS").status in ("OK", "BAD")


@pytest.mark.parametrize("partial, expect", [
    ("<0.4294967295>", "whole"), ("<4294967295.4294967295>", "empty"), ("<0.0>", "BAD"), ("<4294967295.1>", "empty"),
    ("<0.18446744073709551616>", "BAD"), ("<18446744073709551615.18446744073709551615>", "BAD"), ("<-1.5>", "BAD"),
    ("<1>", "BAD"), ("<.1>", "BAD"), ("<1.>", "BAD"), ("<4294967296.1>", "BAD"), ("<0.9>", "9")])
@pytest.mark.parametrize("section", ["", "HEADER", "TEXT", "1"])
def test_partial_fetch(c, section, partial, expect):
    """B37"""
    reply = c.cmd("FETCH 1 BODY.PEEK[%s]%s" % (section, partial))
    if expect == "BAD":
        assert reply.status == "BAD"
        return
    assert reply.ok
    text = reply.untagged[0].split(b"] ", 1)[-1] if b"<" not in reply.untagged[0] else reply.untagged[0].split(b"> ", 1)[1]
    whole = c.ok("FETCH 1 RFC822.SIZE").find(r"RFC822.SIZE (\d+)").group(1)
    if expect == "empty":
        assert text in (b'"")', b"{0}\r\n)"), text
    elif expect == "whole" and section == "":
        assert text.startswith(b"{" + whole + b"}") or len(text) >= int(whole)


@pytest.mark.parametrize("section", ["4294967295", "4294967296", "0", ".".join(["1"] * 2000), "1.MIME.1", "MIME", "1.", ".1",
                                     "1..1", "HEADER.FIELDS ()", "HEADER.FIELDS (", "TEXT.1", "-1", "1.HEADER.FIELDS (a b"],
                         ids=lambda s: s[:20])
def test_section_numbers(c, section):
    """B38"""
    c.send("x FETCH 1 BODY.PEEK[%s]\r\n" % section)
    reply = c.finish(b"x")
    assert reply.status in ("OK", "BAD", "NO")
    if reply.ok and reply.untagged:
        assert b"BODY[" + section.encode() + b"]" in reply.untagged[0]
    c.ok("NOOP")


def test_list_patterns_cannot_blow_up(box, c):
    """B39"""
    name = "INBOX." + "a" * 200
    c.cmd("CREATE " + name)
    for pattern in ("%*" * 100 + "b", "*a" * 200 + "b", "%" * 5000, "*" * 30000, "(a+)+$", ".*", "[a-z]*", "\\\\*" * 100):
        assert c.cmd('LIST "" "%s"' % pattern).status in ("OK", "NO", "BAD")
        assert c.cmd('LSUB "%s" "%s"' % ("x" * 1000, pattern)).status in ("OK", "NO", "BAD")
    c.ok("DELETE " + name)


# ---- mailbox names --------------------------------------------------------------------------------------
BAD_NAMES = ["../x", "..", ".", "INBOX/../x", "INBOX...x", "INBOX..x", "a..b", "/etc/passwd", "INBOX./etc/passwd", "~user",
             "~/x", "INBOX.", ".x", "INBOX." + "x" * 300, "INBOX." + ".".join(["y"] * 500), "x" * 4000, "INBOX.a/b",
             "INBOX.../../tripwire", "INBOX.&AC8-etc", "INBOX.cur", "#news.x", "INBOX.\\..\\x",
             "INBOX.x\ty", "INBOX.\x7f", "INBOX.../..", "....", "INBOX.x/../../../../tmp/x"]


def tree(top):
    return sorted(os.path.join(base, n) for base, dirs, files in os.walk(top) for n in dirs + files)


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda n: n[:20])
def test_no_name_leads_outside(shared_server, box, c, name):
    """B40: neither is anything made beside the Maildir, nor does a bystander's file change."""
    home = os.path.dirname(box.maildir)
    tripwire = os.path.join(home, "tripwire")
    os.makedirs(os.path.join(tripwire, "cur"), exist_ok=True)
    outside = [p for p in tree(shared_server.mail) if not p.startswith(box.maildir)]
    there_before = os.path.exists("/tmp/x")
    quoted = '"%s"' % name.replace("\\", "\\\\").replace('"', '\\"')
    for command in ("CREATE %s", "SELECT %s", "STATUS %s (MESSAGES)", "DELETE %s", "SUBSCRIBE %s", "RENAME INBOX.no %s",
                    "COPY 1 %s", "EXAMINE %s", "UNSUBSCRIBE %s", "MOVE 99 %s"):
        reply = c.cmd(command % quoted)
        assert reply.status in ("NO", "BAD") or (reply.ok and "SUBSCRIBE" in command) or name in ("INBOX.cur",), (command, reply)
        if "CREATE" in command and reply.ok:
            c.ok("DELETE " + quoted)
        if not command.startswith(("SELECT", "EXAMINE")):
            continue
        c.ok("SELECT INBOX")
    reply = c.append(quoted, b"x\r\n\r\n")
    assert reply.status in ("NO", "BAD")
    assert [p for p in tree(shared_server.mail) if not p.startswith(box.maildir)] == outside
    assert os.path.exists("/tmp/x") == there_before and not os.path.exists(os.path.join(shared_server.mail, "x"))


@pytest.mark.parametrize("name", ["&", "&AAA", "&AGE-", "&2AA-", "&AAA-", "&AC8-", "&AOl-&AOl-", "&AOk", "&AOl--&", "&!-",
                                  "&AB-", "&ACYA-", "a&b", "\u00e9", "&AA0ACg-", "&,-"])
def test_modified_utf7(c, name):
    """B41: one name, one spelling; what is created is listed as it was spelt, or refused."""
    c.send('x CREATE "INBOX.%s"\r\n' % name)
    reply = c.finish(b"x")
    assert reply.status in ("NO", "BAD"), reply


@pytest.mark.parametrize("name", ["&AOk-", "&-", "x&-y", "&2D3cqQ-", "&ZeVnLIqe-"])
def test_modified_utf7_round_trip(c, name):
    """B41"""
    c.ok('CREATE "INBOX.%s"' % name)
    assert c.ok('LIST "" "INBOX.%s"' % name).find('INBOX.' + name)
    assert c.cmd('CREATE "INBOX.%s"' % name).status == "NO"
    c.ok('DELETE "INBOX.%s"' % name)


def test_rename_loops(account):
    """B42"""
    c, other = account.client(), account.client()
    for name in ("a", "a.b", "z"):
        c.ok("CREATE INBOX." + name)
    c.append("INBOX.a.b", b"Subject: kept\r\n\r\nx\r\n")
    assert c.cmd("RENAME INBOX.a INBOX.a.b.c").status == "NO"
    assert c.cmd("RENAME INBOX.a INBOX.a").status == "NO"
    assert c.cmd("RENAME INBOX.a INBOX.z").status == "NO"
    assert c.cmd("RENAME INBOX.a INBOX").status == "NO"
    assert c.cmd("DELETE INBOX").status == "NO"
    assert c.cmd("RENAME INBOX.none INBOX.n").status == "NO"
    deep = "INBOX." + ".".join("d%d" % i for i in range(32))
    assert c.cmd("RENAME INBOX.a " + deep).status == "NO"  # a.b would lie too deep
    one, two = c.start("RENAME INBOX.a INBOX.p"), other.start("RENAME INBOX.a INBOX.q")
    assert sorted((c.finish(one).status, other.finish(two).status)) == ["NO", "OK"]
    found = [n for n in ("p", "q") if c.ok('LIST "" INBOX.%s.b' % n).untagged]
    assert len(found) == 1
    assert c.ok("STATUS INBOX.%s.b (MESSAGES)" % found[0]).find(r"MESSAGES 1\)")
    c.ok("DELETE INBOX." + found[0])  # the child stays (RFC 3501 6.3.4)
    assert c.ok("STATUS INBOX.%s.b (MESSAGES)" % found[0]).find(r"MESSAGES 1\)")


# ---- flags, APPEND --------------------------------------------------------------------------------------
def test_keywords(account):
    """B43, B44"""
    account.deliver()
    c = account.client(select="INBOX")
    assert c.cmd("STORE 1 +FLAGS (\\Recent)").status == "BAD"
    assert c.cmd("STORE 1 +FLAGS (%s)" % ("k" * 2000)).status in ("NO", "BAD")
    for bad in ("a(b", "a]b\x7f", "\\Foo", "\\", "a{b", 'a"b', "%", "*", "\u00e9"):
        c.send("x STORE 1 +FLAGS (%s)\r\n" % bad)
        assert c.finish(b"x").status in ("NO", "BAD"), bad
        c.ok("NOOP")
    limited = []
    for start in range(0, 4000, 100):
        reply = c.cmd("STORE 1 +FLAGS.SILENT (%s)" % " ".join("k%d" % i for i in range(start, start + 100)))
        limited.append(reply.status == "NO" and "[LIMIT]" in reply.text)
    assert limited[-1] and not limited[0]
    for name in ("Seen", "Deleted", "Recent"):
        assert c.cmd("STORE 1 +FLAGS (%s)" % name).status in ("OK", "NO")
    assert b"\\Seen" not in c.ok("FETCH 1 FLAGS").untagged[0]


@pytest.mark.parametrize("date", ["01-Jan-0000 00:00:00 +0000", "31-Dec-9999 23:59:59 +0000", "01-Jan--001 00:00:00 +0000",
                                  "99-Foo-2020 99:99:99 +9999", "30-Feb-2020 00:00:00 +0000", " 1-Jan-1901 00:00:00 -9959",
                                  "01-Jan-2020 24:60:61 +0000", "x" * 500])
def test_append_dates(c, date):
    """B45: years of any kind take no time"""
    reply = c.append("INBOX.none", b"x: y\r\n\r\n", date=date)
    assert reply.status in ("NO", "BAD")


def test_append_cut_in_the_middle(account):
    """B45: nothing becomes visible, tmp/ is empty."""
    with account.client() as c:
        c.send(b"a APPEND INBOX {100000+}\r\n" + b"x" * 50000)
    with account.client(select="INBOX") as c:
        assert c.ok("STATUS INBOX (MESSAGES)").find(r"MESSAGES 0\)")
    wait_for("tmp/ to be empty", lambda: not os.listdir(os.path.join(account.maildir, "tmp")))


@pytest.mark.parametrize("size", [1099511627776, 104857601, 2**63, 2**64 + 5])
def test_append_bomb(account, size):
    """B45"""
    with account.client() as c:
        c.send(b"a APPEND INBOX {%d}\r\n" % size)
        line = c.read_line()
        assert b"TOOBIG" in line or b"BAD" in line or b"BYE" in line, line
        assert not os.listdir(os.path.join(account.maildir, "tmp"))


def test_many_messages_in_one_append(account):
    """B45: one more than IMAP_MULTIAPPEND_MAX: nothing is stored."""
    with account.client() as c:
        c.send(b"a APPEND INBOX" + b" {5+}\r\nx: y\n" * 1001 + b"\r\n")
        reply = c.finish(b"a")
        assert reply.status == "NO"
        assert c.ok("STATUS INBOX (MESSAGES)").find(r"MESSAGES 0\)")
        wait_for("tmp/ to be tidied", lambda: not os.listdir(os.path.join(account.maildir, "tmp")))


# ---- more than is read ----------------------------------------------------------------------------------
@pytest.mark.parametrize("tls", [False, True])
def test_millions_of_noops_that_nobody_reads(shared_server, account, tls):
    """B50: back-pressure, not memory; the same account's other session answers at once."""
    c, other = account.client(tls=tls), account.client(tls=tls)
    pids = [imapd_of(shared_server, account.user), shared_server.pids("login")[0]]
    before = [resident_kb(p) for p in pids]
    thread = flood(c.sock, b"a NOOP\r\n" * 3000000)
    for _ in range(10):
        thread.join(0.05)
        other.ok("NOOP")
    assert thread.is_alive()
    assert all(resident_kb(p) - b < 12000 for p, b in zip(pids, before))
    with contextlib.suppress(OSError):
        c.sock.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize("tls", [False, True])
def test_a_fetch_of_everything_that_nobody_reads(shared_server, account, tls):
    """B50"""
    for _ in range(5):
        account.deliver(b"Subject: big\n\n" + b"0123456789abcde\n" * 200000)
    c, other = account.client(tls=tls, select="INBOX"), account.client(tls=tls, select="INBOX")
    pids = [imapd_of(shared_server, account.user), shared_server.pids("login")[0]]
    before = [resident_kb(p) for p in pids]
    c.send(b"".join(b"a%d FETCH 1:* BODY.PEEK[]\r\n" % i for i in range(50)))
    for _ in range(10):
        time.sleep(0.02)
        other.ok("FETCH 1:* FLAGS")
    assert all(resident_kb(p) - b < 12000 for p, b in zip(pids, before))


@pytest.mark.parametrize("data", [b"NOOP\r\n", b"DONE DONE\r\n", b"\0\0\0\r\n", b"\r\n", b"x {5}\r\n", b"(((((\r\n"])
def test_garbage_in_idle(box, data):
    """B51: BAD, and the connection lives"""
    with box.client(select="INBOX") as c:
        c.idle()
        c.send(data)
        assert c.finish(c.idle_tag).status == "BAD"
        c.ok("NOOP")


def test_endless_line_in_idle(box):
    """B51"""
    with box.client() as c:
        c.idle()
        thread = flood(c.sock, b"y" * 5000000)
        assert c.closed() and b"BYE" in c.last
        thread.join()


@pytest.mark.parametrize("name, command", [("COMPRESS", "COMPRESS DEFLATE"), ("REPLACE", "REPLACE 1 INBOX x"),
                                           ("UNAUTHENTICATE", "UNAUTHENTICATE"), ("NOTIFY", "NOTIFY NONE")])
def test_what_is_not_offered_is_bad(c, name, command):
    """B52, B26: nothing that isn't advertised works by half."""
    assert name.encode() not in c.ok("CAPABILITY").untagged[0]
    assert c.cmd(command).status == "BAD"


def test_enable_of_anything(c):
    """B52"""
    c.ok("ENABLE QRESYNC X-FOO CONDSTORE")
    assert c.cmd("ENABLE").status == "BAD"
    assert c.cmd("ENABLE (a)").status == "BAD"


@pytest.mark.parametrize("line", [b" NOOP\r\n", b"+ NOOP\r\n", b"a+b NOOP\r\n", b"t" * 100000 + b" NOOP\r\n", b"a\rb NOOP\r\n",
                                  b"{5+}\r\nabcde NOOP\r\n", b"* NOOP\r\n", b"(a NOOP\r\n", b'"a" NOOP\r\n', b"\r\n", b"\n",
                                  b"\xff\xfe NOOP\r\n", b"\x1b[31m NOOP\r\n", b"%s NOOP\r\n"],
                         ids=lambda line: repr(line[:12]))
def test_tags(c, line):
    """B53: BAD with *, and nothing of the tag comes back"""
    c.send(line)
    answer = c.read_line()
    assert answer.startswith((b"* BAD", b"* BYE")), answer[:100]
    assert b"ttt" not in answer and b"\x1b" not in answer and b"\xff" not in answer


def test_names_in_answers_are_escaped(c):
    """B53, B70: what a client made up can't add a line to the answers or to the log."""
    for name in (b'INBOX.x" y', b"INBOX.nl\n* BYE gone"):
        c.send(b"a SELECT {%d+}\r\n%s\r\n" % (len(name), name))
        reply = c.finish(b"a")
        assert reply.status in ("NO", "BAD") and set(reply.untagged) <= {b"* OK [CLOSED] Ok"}
    c.ok("SELECT INBOX")


def test_one_event_is_one_line_of_the_log(shared_server, guard):
    """B70"""
    evil = b"evil\r\n2026-01-01 ERROR forged user=root\x1b[31m"
    with Imap(shared_server.port) as c:
        c.send(b"a LOGIN {%d+}\r\n%s x\r\n" % (len(evil), evil))
        c.read_line()
    lines = guard.log().splitlines()
    assert not any(line.startswith("2026-01-01 ERROR forged") for line in lines)
    assert "\x1b" not in guard.log()


def test_refused_appends_leave_nothing(shared_server, account):
    """B45: neither memory nor a folder that can't be closed."""
    with account.client() as c:
        pid = imapd_of(shared_server, account.user)
        for _ in range(2):
            before = resident_kb(pid)
            for _ in range(20):
                c.send(b"a APPEND INBOX.none {5+}\r\nx: y\n\r\n" * 200)
                for _ in range(200):
                    assert b"[TRYCREATE]" in c.read_line()
        assert resident_kb(pid) - before < 1500
