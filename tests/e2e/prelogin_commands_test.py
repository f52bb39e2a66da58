# SPDX-License-Identifier: Apache-2.0
"""Commands before login, and bad ones."""
import pytest

from lib.front import Front


@pytest.fixture(scope="module")
def front():
    with Front(PRELOGIN_BAD_MAX=5).running() as f:
        yield f


@pytest.mark.parametrize("tls", [False, True])
def test_greeting_and_commands(front, tls):
    with front.client(tls) as c:
        assert c.greeting.startswith(b"* OK [CAPABILITY IMAP4rev1 ") and c.greeting.endswith(b"] Posthouse ready.")
        caps = c.ok("CAPABILITY").find(r"^\* CAPABILITY (.*)").group(1).split()
        assert (b"STARTTLS" in caps) == (not tls)
        assert {b"AUTH=PLAIN", b"SASL-IR", b"LITERAL+"} <= set(caps) and b"IDLE" not in caps
        assert c.ok("NOOP").untagged == []
        assert c.ok("ID NIL").find(r'^\* ID \("name" "Posthouse"')
        assert c.ok('ID ("name" "x" "version" NIL)').find(r"^\* ID ")
        bye = c.ok("LOGOUT")
        assert bye.find(r"^\* BYE ") and c.closed()


def test_bad_commands_end_in_bye(front):
    with front.client() as c:
        for i in range(5):
            assert c.cmd("SELECT INBOX" if i % 2 else "NONSENSE").status == "BAD"
        assert c.closed() and b"* BYE " in c.last


@pytest.mark.parametrize("line", [
    b"\r\n", b" NOOP\r\n", b"+ NOOP\r\n", b"a\0b NOOP\r\n", b"{1} NOOP\r\n", b"x" * 200 + b" NOOP\r\n",
    b"a LOGIN \"x\0y\" z\r\n", b"a ID ((((\r\n", b"a LOGIN demo\r\n", b"a LOGIN demo x y\r\n",
    b"a AUTHENTICATE\r\n", b"a AUTHENTICATE PLAIN x y\r\n", b"a NOOP NOOP\r\n", b"a CAPABILITY x\r\n",
    b"a ID (\"a\")\r\n", b"a ID (" + b' "k" "v"' * 31 + b")\r\n", b"a ID (\"k\" \"" + b"v" * 1025 + b"\")\r\n",
])
def test_malformed(front, line):
    with front.client() as c:
        c.send(line + b"z NOOP\r\n")
        first = c.read_line()
        assert b" BAD " in first and b"\0" not in first
        while not first.startswith(b"z OK"):
            first = c.read_line()


def test_output_stops_input(front):
    """A client that sends and doesn't read is not read from without end."""
    s = front.raw()
    s.settimeout(1)
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 100 << 20:
            sent += s.send(b"a NOOP\r\n" * 1000)
    s.close()
