# SPDX-License-Identifier: Apache-2.0
"""posthousectl passwd: accounts, app passwords and their state, as logins see them (O8, O42)."""
import json
import os
import subprocess

import pytest

from lib.front import Front
from lib.sasl import Scram
from lib.server import BIN, wait_for


@pytest.fixture(scope="module")
def front():
    with Front(users=["demo"], LOGIN_FAILURE_DELAY=0, LOGIN_FAILURE_MAX=1000,
               AUTH_MECHANISMS='"PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256"').running() as f:
        yield f


def ctl(front, *args, stdin=None, code=0):
    done = subprocess.run([os.path.join(BIN, "posthousectl"), "-C", front.conf, "passwd", *args], input=stdin,
                          capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == code, done
    return done


def answer(front, user, password):
    with front.client() as c:
        return c.cmd('LOGIN %s "%s"' % (user, password)).text


def becomes(front, user, password, start):
    """The file is looked at once a second."""
    wait_for("%s: %s" % (user, start), lambda: answer(front, user, password).startswith(start), 10)


IN, WRONG = "LOGIN Ok.", "[AUTHENTICATIONFAILED]"


def test_account_and_its_app_passwords(front):
    ctl(front, "--scheme", "SHA512-CRYPT", "ann", stdin="first\n")
    ctl(front, "--app", "phone", "--services", "imap, smtp", "ann", stdin="phonephone\n")
    ctl(front, "--app", "mailer", "--services", "smtp", "ann", stdin="mailermailer\n")
    made = ctl(front, "--app", "tablet", "--generate", "ann").stdout.strip()
    assert len(made) == 24
    becomes(front, "ann", "first", IN)
    assert answer(front, "ann", "phonephone") == IN and answer(front, "ann", made) == IN
    assert answer(front, "ann", "mailermailer").startswith(WRONG)  # for another service
    ctl(front, "--delete", "--app", "phone", "ann")
    becomes(front, "ann", "phonephone", WRONG)
    assert answer(front, "ann", "first") == IN and answer(front, "ann", made) == IN
    ctl(front, "ann", stdin="second\n")
    becomes(front, "ann", "second", IN)
    assert answer(front, "ann", "first").startswith(WRONG) and answer(front, "ann", made) == IN


def test_disable_enable_delete(front):
    ctl(front, "ben", stdin="secret\n")
    ctl(front, "--app", "x", "ben", stdin="appsecret\n")
    becomes(front, "ben", "secret", IN)
    ctl(front, "--disable", "ben")
    becomes(front, "ben", "secret", "[AUTHORIZATIONFAILED] This account is disabled.")
    assert answer(front, "ben", "appsecret").startswith("[AUTHORIZATIONFAILED]")
    assert answer(front, "ben", "wrong").startswith(WRONG)
    ctl(front, "--enable", "ben")
    becomes(front, "ben", "secret", IN)
    ctl(front, "--delete", "ben")
    becomes(front, "ben", "secret", WRONG)
    assert answer(front, "ben", "appsecret").startswith(WRONG)


def test_scram_records_are_made(front):
    ctl(front, "--scheme", "SCRAM-SHA-256", "sam", stdin="T\u00e4st 1\n")
    ctl(front, "--scheme", "scram-sha-1", "--app", "old", "sam", stdin="oldold\n")
    for app in ("one", "two"):  # beside each other: with one salt
        ctl(front, "--scheme", "SCRAM-SHA-256", "--app", app, "sam", stdin=app + app + "\n")
    becomes(front, "sam", "twotwo", IN)
    for mechanism, password, status in (("SCRAM-SHA-256", "T\u00e4st 1", "OK"), ("SCRAM-SHA-1", "oldold", "OK"),
                                        ("SCRAM-SHA-256", "oneone", "OK"), ("SCRAM-SHA-256", "twotwo", "OK"),
                                        ("SCRAM-SHA-256", "oldold", "NO"), ("SCRAM-SHA-1", "T\u00e4st 1", "NO")):
        with front.client() as c:
            assert Scram(mechanism, "sam", password).run(c)[0] == status


def test_list_shows_no_hash(front):
    ctl(front, "--scheme", "BLF-CRYPT", "eve", stdin="secret\n")
    ctl(front, "--app", "phone", "eve", stdin="secret\n")
    rows = json.loads(ctl(front, "--list", "--json", "eve").stdout)
    assert [(r["user"], r["app"], r["scheme"]) for r in rows] == [("eve", "", "BLF-CRYPT"), ("eve", "phone", "yescrypt")]
    for text in (ctl(front, "--list").stdout, ctl(front, "--list", "--json").stdout):
        assert "$" not in text and "{PLAIN}" not in text and "demo" in text


@pytest.mark.parametrize("args,code,says", [
    (["--app", "x", "nobody"], 1, "no account nobody"), (["--disable", "nobody"], 1, "no account nobody"),
    (["--delete", "--app", "none", "demo"], 1, "no app password"), (["--scheme", "ROT13", "demo"], 2, "scheme"),
    (["--app", "a,b", "demo"], 1, "no name for an app password"), (["--services", "imap", "demo"], 2, "--app"),
    (["--delete"], 2, "name the user"), (["--delete", "--disable", "demo"], 2, "one thing"), (["a:b"], 1, "no user name"),
    (["--app", "x", "--services", "im:ap", "demo"], 1, "no list of services"), (["--generate", "--enable", "demo"], 2, "new"),
])
def test_what_is_refused(front, args, code, says):
    with open(front.passwd, "rb") as f:
        before = f.read()
    assert says in ctl(front, *args, stdin="secret\n", code=code).stderr
    with open(front.passwd, "rb") as f:
        assert f.read() == before
