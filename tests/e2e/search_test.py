# SPDX-License-Identifier: Apache-2.0
import pytest

MAILS = [
    ("From: alice@example.com\nSubject: first\nDate: Mon, 7 Feb 2000 21:52:25 -0800\n\nhello world\n", "S"),
    ("From: bob@example.com\nTo: alice@example.com\nSubject: =?utf-8?b?Y2Fmw6k=?=\n\nsecond mail\n", "F"),
    ("From: carol@example.com\nCc: bob@example.com\nSubject: third\nContent-Type: text/plain; charset=utf-8\n"
     "Content-Transfer-Encoding: base64\n\nbmHDr3ZlIGRlY29kZWQgdGV4dAo=\n", ""),
    ("From: dave@example.com\nSubject: " + "x" * 50 + "\n\n" + "y" * 5000 + "\n", "RS"),
]


@pytest.fixture
def client(account):
    for text, flags in MAILS:
        account.deliver(text, flags=flags)
    return account.client(select="INBOX")


@pytest.mark.parametrize("keys,wanted", [
    ("ALL", [1, 2, 3, 4]), ("SEEN", [1, 4]), ("UNSEEN", [2, 3]), ("FLAGGED", [2]), ("ANSWERED SEEN", [4]),
    ("NOT SEEN", [2, 3]), ("OR FLAGGED ANSWERED", [2, 4]), ("2:3", [2, 3]), ("*", [4]), ("(SEEN ANSWERED)", [4]),
    ("FROM alice", [1]), ("TO alice", [2]), ("CC BOB", [3]), ("SUBJECT FIRST", [1]), ("BODY \"hello world\"", [1]),
    ("TEXT carol", [3]), ("BODY carol", []), ("BODY decoded", [3]), ("HEADER Cc \"\"", [3]), ("LARGER 4000", [4]),
    ("SMALLER 4000", [1, 2, 3]), ("SENTON 7-Feb-2000", [1]), ("SENTBEFORE 8-Feb-2000", [1]),
    ("SINCE 1-Jan-2000", [1, 2, 3, 4]), ("BEFORE 1-Jan-2000", []), ("UID 1:2", [1, 2]), ("KEYWORD nothing", []),
    ("UNKEYWORD nothing", [1, 2, 3, 4]), ("NOT (BODY hello)", [2, 3, 4]), ("OR BODY hello SUBJECT third", [1, 3]),
])
def test_keys(client, keys, wanted):
    line = client.ok("SEARCH " + keys).find(r"^\* SEARCH(.*)$").group(1)
    assert [int(n) for n in line.split()] == wanted


def test_charsets(client):
    client.send(b"x SEARCH CHARSET UTF-8 SUBJECT {5}\r\n")
    assert client.read_line().startswith(b"+")
    client.send("caf\u00c9".encode() + b"\r\n")
    assert client.finish(b"x").find(r"^\* SEARCH 2$")
    client.send(b"y SEARCH CHARSET ISO-8859-1 BODY {5+}\r\nna\xefve\r\n")
    assert client.finish(b"y").find(r"^\* SEARCH 3$")
    reply = client.cmd("SEARCH CHARSET X-NONE ALL")
    assert reply.status == "NO" and reply.text.startswith("[BADCHARSET]")


def test_bad_searches(client):
    for keys in ("", "NOT", "OR SEEN", "BEFORE yesterday", "LARGER x", "5", "0", "UID x", "NONSENSE", "()"):
        assert client.cmd("SEARCH " + keys).status == "BAD", keys
    assert client.cmd("SEARCH " + "NOT " * 5000 + "SEEN").status == "BAD"
    assert client.cmd("SEARCH " + "OR SEEN " * 2000 + "SEEN").status in ("BAD", "OK")
    client.ok("NOOP")


def test_uid_search_gives_uids(client):
    client.ok("STORE 1 +FLAGS (\\Deleted)")
    client.ok("EXPUNGE")
    assert client.ok("UID SEARCH ALL").find(r"^\* SEARCH 2 3 4$")
    assert client.ok("SEARCH ALL").find(r"^\* SEARCH 1 2 3$")
