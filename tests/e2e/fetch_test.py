# SPDX-License-Identifier: Apache-2.0
import email
import email.policy

import pytest

MIXED = """From: Alice <alice@example.com>
To: bob@example.com, "Carol, C." <carol@example.com>
Subject: =?utf-8?q?caf=C3=A9?=
Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)
Message-Id: <B27397-0100000@example.com>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="outer"

preamble
--outer
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

caf=C3=A9 in the text
second line
--outer
Content-Type: message/rfc822

From: inner@example.com
Subject: inner
Content-Type: multipart/alternative; boundary=inner

--inner

plain inner
--inner
Content-Type: text/html

<p>inner</p>
--inner--
--outer
Content-Type: application/octet-stream; name=x.bin
Content-Transfer-Encoding: base64

AAECAwQF
--outer--
epilogue
"""
WIRE = MIXED.replace("\n", "\r\n").encode()


def section(c, item, number=1):
    reply = c.ok("FETCH %d (BODY.PEEK[%s])" % (number, item))
    found = reply.find(r"\{(\d+)\}\r\n(.*)\)$")
    if not found:
        assert reply.find(r"NIL\)$") or reply.find(r'""\)$'), reply
        return None
    assert int(found.group(1)) == len(found.group(2)), reply
    return found.group(2)


@pytest.fixture
def mixed(account):
    account.deliver(MIXED)
    return account.client(select="INBOX")


def test_body_is_the_message_with_crlf(mixed):
    assert section(mixed, "") == WIRE
    assert mixed.ok("FETCH 1 RFC822.SIZE").find(r"RFC822.SIZE (\d+)").group(1) == b"%d" % len(WIRE)


def test_sections(mixed):
    head, _, text = WIRE.partition(b"\r\n\r\n")
    assert section(mixed, "HEADER") == head + b"\r\n\r\n"
    assert section(mixed, "TEXT") == text
    assert section(mixed, "1") == b"caf=C3=A9 in the text\r\nsecond line"
    assert section(mixed, "1.MIME") == (b"Content-Type: text/plain; charset=utf-8\r\n"
                                        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n")
    assert section(mixed, "2").startswith(b"From: inner@example.com\r\n")
    assert section(mixed, "2.HEADER") == (b"From: inner@example.com\r\nSubject: inner\r\n"
                                          b"Content-Type: multipart/alternative; boundary=inner\r\n\r\n")
    assert section(mixed, "2.TEXT").startswith(b"--inner\r\n")
    assert section(mixed, "2.1") == b"plain inner"
    assert section(mixed, "2.2") == b"<p>inner</p>"
    assert section(mixed, "2.2.MIME") == b"Content-Type: text/html\r\n\r\n"
    assert section(mixed, "3") == b"AAECAwQF"
    assert section(mixed, "4") is None
    assert section(mixed, "2.HEADER.FIELDS (Subject)") == b"Subject: inner\r\n\r\n"
    assert section(mixed, "HEADER.FIELDS (SUBJECT FROM)") == (
        b"From: Alice <alice@example.com>\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n\r\n")
    assert b"Subject" not in section(mixed, "HEADER.FIELDS.NOT (SUBJECT FROM)")


def test_partials(mixed):
    for start, length in ((0, 10), (5, 100), (len(WIRE) - 3, 100), (len(WIRE), 5), (4294967295, 4294967295)):
        reply = mixed.ok("FETCH 1 (BODY.PEEK[]<%d.%d>)" % (start, length))
        found = reply.find(r"BODY\[\]<%d> (?:\{\d+\}\r\n(.*)|\"\")\)$" % start)
        assert (found.group(1) or b"") == WIRE[start:start + length], reply
    assert mixed.cmd("FETCH 1 (BODY.PEEK[]<0.0>)").status == "BAD"


def test_seen_is_set_and_told(mixed):
    assert not mixed.ok("FETCH 1 (FLAGS)").find(r"\\Seen")
    mixed.ok("FETCH 1 (BODY.PEEK[])")
    assert not mixed.ok("FETCH 1 (FLAGS)").find(r"\\Seen")
    assert mixed.ok("FETCH 1 (BODY[1])").find(r"FLAGS \([^)]*\\Seen")
    assert mixed.ok("FETCH 1 (FLAGS)").find(r"\\Seen")


def test_examine_sets_nothing(account):
    account.deliver(MIXED)
    c = account.client()
    c.ok("EXAMINE INBOX")
    c.ok("FETCH 1 (BODY[])")
    assert not c.ok("FETCH 1 (FLAGS)").find(r"\\Seen")


def test_envelope_and_structure(mixed):
    reply = mixed.ok("FETCH 1 (ENVELOPE BODYSTRUCTURE BODY)")
    text = reply.untagged[0]
    assert b'ENVELOPE ("Mon, 7 Feb 1994 21:52:25 -0800 (PST)" "=?utf-8?q?caf=C3=A9?=" ' \
           b'(("Alice" NIL "alice" "example.com"))' in text
    assert b'("Carol, C." NIL "carol" "example.com")' in text
    assert b'("text" "plain" ("charset" "utf-8") nil nil "quoted-printable" 34 1' in text.lower()
    assert b'"message" "rfc822"' in text.lower()
    assert b'"mixed"' in text.lower()


def test_macros_and_uid(mixed):
    assert mixed.ok("FETCH 1 FULL").find(r"ENVELOPE .*BODY \(")
    assert mixed.ok("FETCH 1 FAST").find(r"INTERNALDATE \"")
    assert mixed.ok("UID FETCH 1:* FLAGS").find(r"UID \d+")
    assert mixed.cmd("FETCH 1 (FULL)").status == "BAD"
    assert mixed.cmd("FETCH 2 FLAGS").status == "BAD"
    assert mixed.cmd("FETCH 1 BODY[0]").status == "BAD"
    assert mixed.cmd("FETCH 1 ()").status == "BAD"


def test_large_message_streams(account):
    line = b"x" * 70 + b"\n"
    text = b"Subject: large\n\n" + line * 300000
    account.deliver(text)
    c = account.client(tls=True, select="INBOX")
    assert section(c, "") == text.replace(b"\n", b"\r\n")
    assert section(c, "TEXT") == (line * 300000).replace(b"\n", b"\r\n")
    reply = c.ok("FETCH 1 (BODY.PEEK[]<5000000.100000> FLAGS)")
    wire = text.replace(b"\n", b"\r\n")
    assert wire[5000000:5100000] in reply.untagged[0]


def test_broken_messages_are_served(account):
    broken = [b"", b"\n", b"no header at all", b"Subject: x", b"\r\n\r\nbody", b"A:\0b\n\nc\0d\n",
              b"Content-Type: multipart/mixed; boundary=\n\n--\nx\n----\n",
              b"Content-Type: multipart/mixed\n\nnothing\n", b"From: <@\n\n", b"To: " + b"(" * 5000 + b"\n\n",
              b"Subject: caf\xe9\nFrom: \xff\xfe <a@b>\n\n8bit \xff body\n"]
    for text in broken:
        account.deliver(text)
    c = account.client(select="INBOX")
    for i, _ in enumerate(broken, 1):
        reply = c.ok("FETCH %d (UID RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY BODY.PEEK[] BODY.PEEK[HEADER] "
                     "BODY.PEEK[TEXT] BODY.PEEK[1])" % i)
        size = int(reply.find(r"RFC822.SIZE (\d+)").group(1))
        body = section(c, "", i)
        assert size == len(body or b"")
    assert email.message_from_bytes(WIRE, policy=email.policy.SMTP)["Subject"] == "caf\u00e9"


def test_sizes_around_another_digit(account):
    """The literal says just the bytes that come, where CRs give the size one digit more and where not."""
    made = [b"Subject: x\n\n" + b"a" * n + b"\n" * lines for n in (70, 80, 85, 86, 87, 88, 960, 985, 9960, 9990)
            for lines in (1, 2, 9)]
    for text in made:
        account.deliver(text)
    c = account.client(select="INBOX")
    got = sorted(len(found.group(2)) - int(found.group(1))
                 for found in c.ok("FETCH 1:* BODY.PEEK[]").all(rb"BODY\[\] \{(\d+)\}\r\n(.*)\)$"))
    assert got == [0] * len(made)
    sizes = sorted(int(found.group(1)) for found in c.ok("FETCH 1:* RFC822.SIZE").all(rb"SIZE (\d+)"))
    assert sizes == sorted(len(text) + text.count(b"\n") for text in made)
