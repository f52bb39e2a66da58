# SPDX-License-Identifier: Apache-2.0
"""MULTIAPPEND (RFC 3502): several messages in one APPEND, all or none."""
import os
import re
import signal
import subprocess
import threading

import pytest

from lib.imap import Imap
from lib.server import wait_for


def message(n, size=0):
    return (b"From: a@b\r\nSubject: m%d\r\n\r\nbody %d\r\n" % (n, n)).ljust(size, b"x")


def parts(texts, options=(), sign=b"+"):
    """The bytes behind the folder's name."""
    out = b""
    for i, text in enumerate(texts):
        option = options[i] if i < len(options) else ""
        out += b" " + (option.encode() + b" " if option else b"") + b"{%d%s}\r\n" % (len(text), sign) + text
    return out


def multiappend(client, texts, options=(), folder="INBOX"):
    client.number += 1
    tag = b"t%d" % client.number
    client.send(tag + b" APPEND " + folder.encode() + parts(texts, options) + b"\r\n")
    return client.finish(tag)


def subjects(client):
    client.ok("SELECT INBOX")
    return [int(m[1]) for m in client.ok("FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]").all(r"Subject: m(\d+)")] \
        if not client.ok("STATUS INBOX (MESSAGES)").find(r"MESSAGES 0\)") else []


def leftovers(account):
    return os.listdir(os.path.join(account.maildir, "tmp"))


def nothing(account, client):
    assert subjects(client) == []
    wait_for("an empty tmp/", lambda: not leftovers(account))
    assert os.listdir(os.path.join(account.maildir, "new")) == os.listdir(os.path.join(account.maildir, "cur")) == []


def test_capability(account):
    assert b"MULTIAPPEND" in account.client().ok("CAPABILITY").untagged[0].split()


def test_three(account):
    c = account.client(select="INBOX")
    reply = multiappend(c, [message(i) for i in range(3)],
                        ["(\\Seen kw)", '"17-Jul-1996 02:44:25 -0700"', '(\\Flagged) "01-Jan-2001 00:00:00 +0000"'])
    assert re.match(r"\[APPENDUID \d+ 1:3\] APPEND Ok\.$", reply.text), reply
    assert reply.find(r"^\* 3 EXISTS$") and not reply.find(r"^\* [12] EXISTS$"), "all at once"
    got = c.ok("FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])").untagged
    assert [bool(re.search(b"Subject: m%d\r\n\r\nbody %d\r\n" % (i, i), line)) for i, line in enumerate(got)] == [True] * 3
    assert b"FLAGS (\\Seen \\Recent kw)" in got[0] and b"FLAGS (\\Recent)" in got[1] and b"FLAGS (\\Flagged \\Recent)" in got[2]
    assert b'"17-Jul-1996 09:44:25 +0000"' in got[1] and b'"01-Jan-2001 00:00:00 +0000"' in got[2]
    assert not leftovers(account)


def test_waiting_for_each_go_ahead(account):
    c = account.client()
    c.send(b"a APPEND INBOX (\\Seen) {%d}\r\n" % len(message(0)))
    for i in range(4):
        assert c.read_line().startswith(b"+ ")
        c.send(message(i)[:7])
        c.send(message(i)[7:] + (b" () {%d}\r\n" % len(message(i + 1)) if i < 3 else b"\r\n"))
    assert re.match(r"\[APPENDUID \d+ 1:4\]", c.finish(b"a").text)
    assert subjects(c) == [0, 1, 2, 3]


@pytest.mark.parametrize("cut", [1, 3, 17, 100000])
def test_any_pieces(account, cut):
    c = account.client()
    text = b"a APPEND {5+}\r\nINBOX" + parts([message(i) for i in range(5)], ["(\\Seen)", "", "(k)"]) + b"\r\nb NOOP\r\n"
    for i in range(0, len(text), cut):
        c.send(text[i:i + cut])
    assert c.finish(b"a").ok and c.finish(b"b").ok
    assert subjects(c) == list(range(5))


BAD = {
    "date": (["", '"31-Feb-1996 02:44:25 -0700"'], "BAD"), "flags": (["", "(\\Seen"], "BAD"), "flag": (["", "(\\Nonsense)"], "BAD"),
    "atom": (["", "(\\Seen) x"], "BAD"), "two lists": (["", "(\\Seen) (\\Seen)"], "BAD"), "keyword": (["", "(%s)" % ("k" * 500)], "NO"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_one_spoils_all(account, fault):
    options, status = BAD[fault]
    c = account.client()
    assert multiappend(c, [message(i) for i in range(3)], options).status == status
    c.ok("NOOP")
    nothing(account, c)


@pytest.mark.parametrize("n", [1, 2])
def test_an_empty_one_cancels(account, n):
    c = account.client()
    texts = [message(i) for i in range(3)]
    texts[n] = b""
    assert multiappend(c, texts).status == "NO"
    c.ok("NOOP")
    nothing(account, c)


def test_something_behind_the_last(account):
    c = account.client()
    for rest in (b" (\\Seen)", b" x", b" ()"):
        c.send(b"a APPEND INBOX" + parts([message(0), message(1)]) + rest + b"\r\n")
        assert c.finish(b"a").status == "BAD"
    nothing(account, c)


def test_no_such_folder(account):
    c = account.client()
    reply = multiappend(c, [message(0), message(1)], folder="INBOX.nope")
    assert reply.status == "NO" and "[TRYCREATE]" in reply.text
    nothing(account, c)


@pytest.fixture
def tight(server):
    return server(IMAP_MULTIAPPEND_MAX=3, IMAP_MULTIAPPEND_SIZE=100000, IMAP_APPEND_MAX=60000, IMAP_KEYWORDS_MAX=8).start()


def test_limits(tight):
    c = Imap(tight.port).login()
    assert multiappend(c, [message(i) for i in range(3)]).ok
    reply = multiappend(c, [message(i) for i in range(4)])
    assert reply.status == "NO" and "[LIMIT]" in reply.text
    assert multiappend(c, [message(0, 50000), message(1, 49000)]).ok
    reply = multiappend(c, [message(0, 50000), message(1, 51000)])
    assert reply.status == "NO" and "[TOOBIG]" in reply.text
    c.send(b"a APPEND INBOX {20+}\r\n" + b"x" * 20 + b" {60001}\r\n")
    reply = c.finish(b"a")
    assert reply.status == "NO" and "[TOOBIG]" in reply.text, "before a byte of it was sent"
    # the folder takes 8 keywords: the third message needs a ninth
    reply = multiappend(c, [message(i) for i in range(3)], ["(a b c d)", "(e f g h)", "(a i)"])
    assert reply.status == "NO" and "[LIMIT]" in reply.text
    assert multiappend(c, [message(i) for i in range(3)], ["(s t u v)", "(w x y z)", "(s z)"]).ok, "it left no keyword behind"
    c.ok("SELECT INBOX")
    assert c.ok("STATUS INBOX (MESSAGES)").find(r"MESSAGES 8\)")
    assert c.ok("FETCH 8 FLAGS").find(r"\(s z\)") or c.ok("FETCH 8 FLAGS").find(r"\\Recent s z\)")
    assert not os.listdir(os.path.join(tight.maildir(), "tmp"))
    c.close()


def test_literal_minus(server):
    s = server(IMAP_LITERAL="minus").start()
    with Imap(s.port).login() as c:
        c.send(b"a APPEND INBOX" + parts([message(0), message(1, 4097)]) + b"\r\nb NOOP\r\n")
        reply = c.finish(b"a")
        assert reply.status == "BAD" and "[TOOBIG]" in reply.text
        assert c.finish(b"b").ok
        c.send(b"a APPEND INBOX" + parts([message(0), message(1, 4096)]) + b" {5000}\r\n")
        assert c.read_line().startswith(b"+")
        c.send(message(2, 5000) + b"\r\n")
        assert c.finish(b"a").ok
        assert subjects(c) == [0, 1, 2]


@pytest.mark.parametrize("where", ["in the second", "between", "in its options"])
def test_a_client_that_goes_leaves_nothing(account, where):
    c = account.client()
    text = b"a APPEND INBOX" + parts([message(0), message(1, 200000)])
    cut = {"in the second": len(text) - 100, "between": text.index(b" {200000"), "in its options": text.index(b"200000")}[where]
    c.send(text[:cut])
    wait_for("the first message", lambda: leftovers(account))
    c.close()
    nothing(account, account.client())


def test_kill_9_in_the_midst(account):
    c = account.client()
    c.send(b"a APPEND INBOX" + parts([message(i) for i in range(20)]) + b" {1000}\r\n")
    wait_for("the messages", lambda: len(leftovers(account)) == 21)
    os.kill(account.server.imapds(account.maildir)[0], signal.SIGKILL)
    assert c.closed()
    assert subjects(account.client()) == []


def test_many_in_constant_memory(server):
    """B45: what waits in tmp/ costs no memory to speak of, and one command line's limit doesn't hold for all."""
    n = 1000 if os.environ.get("POSTHOUSE_LONG") else 200
    s = server(IMAP_MULTIAPPEND_MAX=n).start()
    c = Imap(s.port).login()
    multiappend(c, [message(0)])
    pid = s.imapds(s.maildir())[0]

    def resident():
        with open("/proc/%d/status" % pid, encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])
    before, option = resident(), '(\\Seen %s) "17-Jul-1996 02:44:25 -0700"' % " ".join("%040d" % i for i in range(10))
    reply = multiappend(c, [message(i, 40000) for i in range(n)], [option] * n)
    assert re.match(r"\[APPENDUID \d+ 2:%d\]" % (n + 1), reply.text), reply
    if "san" not in os.environ.get("POSTHOUSE_BIN", ""):
        assert resident() - before < 5000, "grew by %d KB" % (resident() - before)
    reply = multiappend(c, [message(i) for i in range(n + 1)])
    assert reply.status == "NO" and "[LIMIT]" in reply.text
    assert c.ok("STATUS INBOX (MESSAGES)").find(r"MESSAGES %d\)" % (n + 1))
    wait_for("an empty tmp/", lambda: not os.listdir(os.path.join(s.maildir(), "tmp")))
    c.close()


def test_several_at_once_stay_together(account):
    """Batches of sessions that share a commit: each has UIDs of its own, and a bad one fails alone."""
    clients, results = [account.client() for _ in range(4)], {}

    def work(i):
        for n in range(10):
            good = (n + i) % 3 != 0
            reply = multiappend(clients[i], [message(i * 1000 + n * 10 + k) for k in range(3)],
                                ["(k)", "(k)", "(k)" if good else "(%s)" % ("x" * 300)])
            assert reply.ok == good, reply
            if good:
                first, last = map(int, re.search(r"APPENDUID \d+ (\d+):(\d+)", reply.text).groups())
                assert last == first + 2
                results.update({first + k: i * 1000 + n * 10 + k for k in range(3)})
    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    clients[0].ok("SELECT INBOX")
    got = clients[0].ok("UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]").all(r"UID (\d+) .*Subject: m(\d+)")
    assert {int(m[1]): int(m[2]) for m in got} == results and len(results) == 4 * 10 * 3 - 3 * sum(
        (n + i) % 3 == 0 for n in range(10) for i in range(4))


def test_a_failed_batch_takes_its_keywords_back(tight):
    """The folder takes one more keyword: some ask for two, and others, in the same commit, for one."""
    clients = [Imap(tight.port).login() for _ in range(8)]
    for n in range(10):
        folder, tags = "INBOX.f%d" % n, []
        clients[0].ok("CREATE " + folder)
        assert clients[0].append(folder, message(0), flags="a b c d e f g").ok
        for i, c in enumerate(clients):
            c.number += 1
            tags.append(b"t%d" % c.number)
            c.send(tags[-1] + b" APPEND " + folder.encode() +
                   parts([message(1), message(2)], ["(w)", "(w)"] if i > 3 else ["(x)", "(y)"]) + b"\r\n")
        replies = [c.finish(tag) for c, tag in zip(clients, tags)]
        assert [r.ok for r in replies] == [False] * 4 + [True] * 4, replies
        assert all("[LIMIT]" in r.text for r in replies[:4])
    for c in clients:
        c.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small volume")
def test_a_full_volume(server):
    """B45: no room for the last one of several."""
    s = server()
    home = os.path.join(s.mail, "demo")
    os.mkdir(home)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "none", home], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip("mount: %s" % made.stderr.decode())
    try:
        s.give(home)
        s.start()
        c = Imap(s.port).login()
        for _ in range(3):
            reply = multiappend(c, [message(i, 300000) for i in range(4)])
            assert reply.status == "NO" and "[OVERQUOTA]" in reply.text, reply
            wait_for("an empty tmp/", lambda: not os.listdir(os.path.join(s.maildir(), "tmp")))
            assert subjects(c) == []
        assert multiappend(c, [message(i, 200000) for i in range(4)]).ok
        assert subjects(c) == [0, 1, 2, 3]
        c.close()
        s.stop_one("frontend")
        s.stop_one("backend")
    finally:
        subprocess.run(["umount", "-l", home], check=True)


def test_idle_sees_them_together(account):
    watcher, c = account.client(select="INBOX"), account.client()
    watcher.idle()
    assert multiappend(c, [message(i) for i in range(5)]).ok
    assert watcher.idle_until("EXISTS")[-1] == b"* 5 EXISTS"
    watcher.done()
