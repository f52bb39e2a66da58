# SPDX-License-Identifier: Apache-2.0
"""Messages that were made to hurt (BADINPUT.md, rows "MIME"): each is answered within bounds, BODY[] is byte-exact,
and the stream stays in step."""
import re

import pytest

pytestmark = pytest.mark.usefixtures("guard")

ITEMS = "(UID RFC822.SIZE BODYSTRUCTURE ENVELOPE)"


def nested(levels, kind=b"multipart/mixed"):
    out = []
    for i in range(levels):
        out.append(b"Content-Type: %s; boundary=b%d\n\n--b%d\n" % (kind, i, i))
    return b"Subject: nested\nMIME-Version: 1.0\n" + b"".join(out) + b"\ntext\n"


def rfc822(levels):
    return b"Subject: deep\n" + b"Content-Type: message/rfc822\n\n" * levels + b"Subject: bottom\n\nx\n"


def siblings(n):
    return b"Subject: wide\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\na\n" * n + b"--x--\n"


HEADERS = {
    "addresses": b"To: a@example.com\n" * 100000,
    "address list": b"To: " + b"a@example.com, " * 300000 + b"b@example.com\n",
    "address comments": b"To: " + b"(" * 200000 + b"\n",
    "groups": b"To: " + b"g:" * 50000 + b";\n",
    "empty group": b"To: :;\nFrom: :a@example.com;\nCc: ;;;,,,\n",
    "many lines": b"X-A: b\n" * 1000000,
    "long line": b"X-A: " + b"y" * 20000000 + b"\n",
    "long subject": b"Subject: " + b"z" * 5000000 + b"\n",
    "folded": b"Subject: a\n" + b" b\n" * 500000,
    "parameters": b"Content-Type: text/plain" + b"".join(b"; p*%d*=x" % i for i in range(30000)) + b"\n",
    "backslash": b'To: "abc\\\nCc: (abc\\\nFrom: <a@[\\\nSubject: \\\nContent-Type: text/plain; name="x\\\n',
    "backslash at the end": b'Subject: x\nTo: "a\\',
    "comment at the end": b"Subject: x\nTo: (a\\",
    "nul": b'Subject: a\0b\nTo: "a\0\\\0" <x\0@y>\nContent-Type: text/\0plain\n',
    "encoded words": b"Subject: =?utf-8?q?" + b"=C3" * 1000 + b"\nFrom: =?utf-8?b?////\nTo: =?x-none?q?a?= =?utf-8?z?b?= =?=?=?\n",
    "encoded words many": b"Subject: " + b"=?utf-8?q?a?= " * 100000 + b"\n",
    "charset": b"Content-Type: text/plain; charset=" + b"x" * 5000 + b"\n",
    "no colon": b"this is no header\n" * 1000,
    "bare cr": b"Subject: a\rTo: b\rFrom: c\n",
    "date": b"Date: " + b"9" * 100000 + b"\n" + b"Date: 99 Foo 99999999 99:99:99 +999999\n",
    "references": b"References: " + b"<a@b> " * 200000 + b"\nIn-Reply-To: " + b"<" * 100000 + b"\n",
    "only a space": b" \n \n \n",
    "nothing": b"",
}

BODIES = {
    "parts 200": nested(200), "parts 2000": nested(2000), "parts 100000": nested(100000), "digest": nested(3000, b"multipart/digest"),
    "rfc822 200": rfc822(200), "rfc822 100000": rfc822(100000), "wide": siblings(30000),
    "boundary empty": b"Content-Type: multipart/mixed; boundary=\"\"\n\n--\n\na\n----\n",
    "boundary long": b"Content-Type: multipart/mixed; boundary=" + b"b" * 2000 + b"\n\n--" + b"b" * 2000 + b"\n\na\n--" + b"b" * 2000 + b"--\n",
    "boundary blanks": b"Content-Type: multipart/mixed; boundary=\"a  \"\n\n--a  \n\nx\n--a  --\n",
    "boundary prefix": b"Content-Type: multipart/mixed; boundary=a\n\n--ab\n\n--a\nContent-Type: multipart/mixed; boundary=ab\n\n--ab\n\nx\n--ab--\n--a--\n",
    "boundary of the parent": b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a--\n--a--\n",
    "boundary missing": b"Content-Type: multipart/mixed\n\n--a\n\nx\n",
    "no end": b"Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx",
    "only boundaries": b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n" * 100000,
    "near misses": b"Content-Type: multipart/mixed; boundary=" + b"a" * 60 + b"\n\n" + (b"--" + b"a" * 59 + b"\n") * 100000,
    "bare cr body": b"Subject: x\n\na\rb\r\r\nc\n\r",
    "truncated utf8": b"Content-Type: text/plain; charset=utf-8\n\n\xc3\n\xe2\x82\n\xf0\x9f\x98",
    "base64": b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n" + b"=" * 100000 + b"\n!!!!\nQUI",
    "quoted-printable": b"Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n" + b"=" * 100000 + b"\n=X=4",
    "unknown encoding": b"Content-Type: text/plain; charset=x-none\nContent-Transfer-Encoding: x-foo\n\nabc\n",
    "nul body": b"Subject: x\n\n" + b"\0" * 1000,
    "empty": b"", "newline": b"\n", "one byte": b"x",
}


@pytest.fixture(scope="module")
def reader(box):
    return box


@pytest.mark.parametrize("name", list(HEADERS) + list(BODIES))
def test_message(reader, name):
    """B54 to B60"""
    text = HEADERS[name] + (b"" if name.endswith("the end") else b"\nbody\n") if name in HEADERS else BODIES[name]
    reader.deliver(text)
    with reader.client(select="INBOX") as c:
        c.timeout = 60
        n = int(c.ok("STATUS INBOX (MESSAGES)").find(r"MESSAGES (\d+)").group(1))
        reply = c.ok("FETCH %d %s" % (n, ITEMS))
        size = int(reply.find(r"RFC822.SIZE (\d+)").group(1))
        assert len(b"".join(reply.untagged)) < 20 << 20
        body = c.ok("FETCH %d BODY.PEEK[]" % n).untagged[0]
        got = re.match(rb'\* \d+ FETCH \(BODY\[\] (?:\{\d+\}\r\n(.*)|"(.*)")\)$', body, re.S)
        got = got.group(1) if got.group(1) is not None else got.group(2)
        assert len(got) == size
        # NUL can't be sent (RFC 3501 9, CHAR8): 0x80 stands for it
        assert got.replace(b"\r\n", b"\n") == text.replace(b"\r\n", b"\n").replace(b"\0", b"\x80")
        for item in ("BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]<0.100>", "BODY.PEEK[1]<0.100>", "BODY.PEEK[1.MIME]", "BODY.PEEK[1.1.1.1]<0.10>",
                     "BODY.PEEK[HEADER.FIELDS (SUBJECT TO)]<0.1000>", "BODY.PEEK[9999]", "BODY.PEEK[1.HEADER]<0.10>"):
            assert c.cmd("FETCH %d %s" % (n, item)).status in ("OK", "NO", "BAD")
        for search in ("TEXT zzz-none", "BODY zzz-none", "SUBJECT zzz-none", "TO zzz-none", "SENTBEFORE 1-Jan-2020"):
            c.ok("SEARCH %d %s" % (n, search))
        c.ok("STORE %d +FLAGS.SILENT (\\Deleted)" % n)
        c.ok("EXPUNGE")


def test_the_limits_hold(reader):
    """B54: depth 100, 10,000 parts; what lies deeper is there as bytes"""
    reader.deliver(nested(500))
    reader.deliver(siblings(12000))
    with reader.client(select="INBOX") as c:
        n = int(c.ok("STATUS INBOX (MESSAGES)").find(r"MESSAGES (\d+)").group(1))
        deep = c.ok("FETCH %d BODYSTRUCTURE" % (n - 1)).untagged[0]
        depth = level = 0
        for ch in deep:
            level += {40: 1, 41: -1}.get(ch, 0)
            depth = max(depth, level)
        assert depth < 110 and level == 0
        wide = c.ok("FETCH %d BODYSTRUCTURE" % n).untagged[0]
        assert wide.count(b'"TEXT" "PLAIN"') <= 10000
        c.ok("STORE %d,%d +FLAGS.SILENT (\\Deleted)" % (n - 1, n))
        c.ok("EXPUNGE")
