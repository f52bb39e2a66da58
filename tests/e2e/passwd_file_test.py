# SPDX-License-Identifier: Apache-2.0
"""The passwd-file is read again: renamed, written in place, cut off, gone, large."""
import os
import threading
import time

import pytest

from lib.front import Front
from lib.server import wait_for

WRONG = "[AUTHENTICATIONFAILED]"


@pytest.fixture
def front():
    with Front(users=["demo"], LOGIN_FAILURE_DELAY=0, LOGIN_FAILURE_MAX=1000, LOGIN_PENALTY_FREE=1000000,
               AUTH_CACHE_SIZE=0).running() as f:
        yield f


def line(user):
    return "%s:{PLAIN}%s::::::\n" % (user, user)


def answer(front, user):
    with front.client() as c:
        return c.cmd("LOGIN %s %s" % (user, user)).text


def replace(front, text):
    with open(front.passwd + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.rename(front.passwd + ".new", front.passwd)


def becomes(front, user, start):
    wait_for("%s: %s" % (user, start), lambda: answer(front, user).startswith(start), 10)


def test_renamed_gone_empty(front):
    replace(front, line("demo") + line("ann"))
    becomes(front, "ann", "LOGIN Ok.")
    os.unlink(front.passwd)
    wait_for("the fault", lambda: "No such file" in front.log())
    replace(front, "")
    wait_for("the fault", lambda: "it is empty" in front.log())
    os.unlink(front.passwd)
    os.mkdir(front.passwd)
    wait_for("the fault", lambda: "is not a file" in front.log())
    assert answer(front, "ann") == "LOGIN Ok."
    os.rmdir(front.passwd)
    replace(front, "# nobody\n")
    becomes(front, "ann", WRONG)
    replace(front, line("demo"))
    becomes(front, "demo", "LOGIN Ok.")
    # Each trouble is told once, however often it was looked at.
    assert front.log().count("No such file") <= 2 and front.log().count("it is empty") == 1


def test_written_in_place_slowly(front):
    """While an editor is at it, nobody who is in the old and the new file is refused."""
    text = line("demo") + "".join(line("u%d" % i) for i in range(2000)) + line("last")
    replace(front, text)
    becomes(front, "last", "LOGIN Ok.")
    with open(front.passwd, "w", encoding="utf-8") as f:  # cut to nothing, then filled in pieces for two seconds
        for at in range(0, len(text), len(text) // 8 + 1):
            f.write(text[at:at + len(text) // 8 + 1])
            f.flush()
            for _ in range(4):
                assert answer(front, "last") == "LOGIN Ok."
                time.sleep(0.06)
        f.write(line("newest"))
    becomes(front, "newest", "LOGIN Ok.")


def test_lines_that_make_no_sense(front):
    replace(front, line("demo") + "".join("bad line %d\n" % i for i in range(100)) + line("ann"))
    becomes(front, "ann", "LOGIN Ok.")
    assert 1 <= front.log().count("line skipped") <= 20 and "skipped=100" in front.log()


def test_large_file_keeps_nobody_waiting(front):
    """100,000 accounts, read again and again: logins go on."""
    accounts = 100000
    text = "".join("user%d@example.com:$6$rounds=5000$abcdefgh$%s:5000:5000::/srv/mail/user%d::quota=1000S\n" %
                   (i, "0" * 86, i) for i in range(accounts))
    slowest, stop, answers = [0.0], threading.Event(), []

    def storm():
        while not stop.is_set():
            start = time.monotonic()
            answers.append(answer(front, "demo"))
            slowest[0] = max(slowest[0], time.monotonic() - start)
    thread = threading.Thread(target=storm)
    thread.start()
    for n in range(1, 4):
        replace(front, line("demo") + line("gen%d" % n) + text)
        wait_for("accounts read", lambda n=n: front.log().count("users=%d" % (accounts + 2)) >= n, 30)
        becomes(front, "gen%d" % n, "LOGIN Ok.")
    stop.set()
    thread.join()
    print("%d accounts: %d logins meanwhile, the slowest took %.0f ms" % (accounts, len(answers), slowest[0] * 1000))
    assert set(answers) == {"LOGIN Ok."} and len(answers) > 50
