# SPDX-License-Identifier: Apache-2.0
"""What strangers and revoked users try before login (B12, B16, B17, N10)."""
import concurrent.futures
import hmac
import json
import os
import statistics
import subprocess
import time
import urllib.parse

import pytest

from lib.front import Front
from lib.idp import Idp, Key
from lib.sasl import Dialogue, Scram
from lib.server import BIN, wait_for

FAILED = ("NO", "[AUTHENTICATIONFAILED] Login failed.")
OK = ("OK", "AUTHENTICATE Ok.")
USERS = ["demo", "joe@example.com:{CRYPT}!::::::"]
QUIET = {"LOGIN_FAILURE_MAX": 1000, "LOGIN_PENALTY_FREE": 1000000, "LOGIN_FAILURE_DELAY": 0, "IMAP_TLS_REQUIRED": "0"}


def begin(client, token, user=""):
    return Dialogue(client, "OAUTHBEARER",
                    "n,%s,\1auth=Bearer %s\1\1" % ("a=" + user if user else "", token))


def end(d):
    if d.challenge() is not None:
        d.send("\1")
    return d.end()


def login(front, token, user=""):
    with front.client() as c:
        return end(begin(c, token, user))


def test_the_delay_begins_with_the_guess():
    """Who waits in the middle of a dialogue doesn't see how long the check takes."""
    with Front(**dict(QUIET, LOGIN_FAILURE_DELAY=700)).running() as f:
        for mechanism, messages in (("PLAIN", [b"\0nobody\0x"]), ("LOGIN", [b"nobody", b"x"])):
            with f.client() as c:
                d = Dialogue(c, mechanism)
                d.challenge()
                for m in messages[:-1]:
                    d.send(m)
                    d.challenge()
                time.sleep(0.8)
                guessed = time.monotonic()
                d.send(messages[-1])
                assert d.end() == FAILED
                assert time.monotonic() - guessed >= 0.69


def test_from_another_network_nobody_hears_that_a_password_is_right():
    """The server's proof would say so, before the refusal comes."""
    with Front(users=["away:{PLAIN}secret::::::allow_nets=192.0.2.0/24"], AUTH_MECHANISMS="SCRAM-SHA-256",
               **QUIET).running() as f:
        for password in ("secret", "wrong"):
            with f.client() as c:
                s = Scram("SCRAM-SHA-256", "away", password)
                d = Dialogue(c, "SCRAM-SHA-256", s.first())
                d.send(s.final(d.challenge()))
                assert d.challenge() is None and d.reply == FAILED
        assert f.log().count("network not allowed user=away") == 1


class Asked(Idp):
    """Answers what was true when it was asked, however late."""

    def handle(self, h, body):
        token = urllib.parse.parse_qs(body.decode()).get("token", [""])[0]
        answer = self.tokens.get(token, {"active": False})
        self.asked.append(token)
        self.asked_at = time.monotonic()
        if self.mode == "slow":
            self.release.wait(30)
        return self.send(h, 200, json.dumps(answer))


def active(user):
    return {"active": True, "username": user, "exp": int(time.time()) + 600}


def asking(idp, **more):
    return Front(users=USERS, OAUTH_INTROSPECTION_URL=idp.url, OAUTH_TIMEOUT=20000, **QUIET, **more)


def revoke(front, user):
    """There is no backend to end sessions: it fails, once authd has forgotten."""
    subprocess.run([os.path.join(BIN, "posthousectl"), "-C", front.conf, "revoke", user], capture_output=True,
                   timeout=30)
    wait_for("the revocation", lambda: "account revoked user=" + user in front.log())


def test_names_with_nul():
    """are no names, in CRAM-MD5 neither."""
    with Front(users=["demo"], LOGIN_PENALTY_KEPT=100, AUTH_MECHANISMS='"PLAIN CRAM-MD5"',
               **dict(QUIET, PRELOGIN_BAD_MAX=1000)).running() as f, f.client() as c:
        for n in list(range(120)) * 2:
            d = Dialogue(c, "CRAM-MD5")
            d.challenge()
            d.send(b"u%d\0x " % n + b"0" * 32)
            assert d.end()[0] == "BAD"
        d = Dialogue(c, "CRAM-MD5")
        d.send(b"demo " + hmac.new(b"demo", d.challenge().encode(), "md5").hexdigest().encode())
        assert d.end()[0] == "OK"


def test_a_token_is_checked_while_its_user_is_revoked():
    with Asked() as idp, asking(idp).running() as f:
        idp.tokens["t"], idp.mode = active("joe@example.com"), "slow"
        with f.client() as c:
            early = begin(c, "t")
            wait_for("the request", lambda: idp.asked)
            revoke(f, "joe@example.com")
            idp.tokens.clear()
            idp.mode = "ok"
            assert login(f, "t") == FAILED  # doesn't join what began before
            idp.release.set()
            assert early.end() == OK  # the backend knows when it began
        assert login(f, "t") == FAILED  # what came late was not kept


def test_a_revoked_user_has_many_names():
    """A token that says less than the whole name, or an alias, isn't good until the cache forgets it by itself."""
    with Asked() as idp, asking(idp, DEFDOMAIN="@example.com").running() as f:
        for n, revoked in enumerate(("joe@example.com", "main-address@example.com")):
            idp.tokens["t"] = active("joe")
            assert login(f, "t") == OK and login(f, "t") == OK
            asked = len(idp.asked)
            idp.tokens.clear()
            assert login(f, "t") == OK and len(idp.asked) == asked
            revoke(f, revoked)
            assert login(f, "t") == FAILED
            revoke(f, "nobody%d" % n)


def test_bad_tokens_push_no_good_one_out():
    with Asked() as idp, asking(idp, OAUTH_CACHE_SIZE=4).running() as f:
        idp.tokens["t"] = active("demo")
        assert login(f, "t") == OK
        for n in range(8):
            assert login(f, "bad%d" % n) == FAILED
        assert login(f, "t") == OK and idp.asked.count("t") == 1


def test_bad_tokens_wait_before_anybody_is_asked():
    """Giving up as soon as the refusal is there doesn't help."""
    settings = dict(QUIET, LOGIN_FAILURE_DELAY=300, LOGIN_PENALTY_FREE=2, LOGIN_PENALTY_MAX=1000)
    with Asked() as idp, Front(users=USERS, OAUTH_INTROSPECTION_URL=idp.url, **settings).running() as f:
        for n in range(6):
            with f.client() as c:
                d = begin(c, "bad%d" % n)
                assert d.challenge()
                d.send_raw("*")
                assert d.end()[0] == "BAD"
        with f.client() as c:
            shown = time.monotonic()
            d = begin(c, "bad6")
            d.challenge()
            assert idp.asked[-1] == "bad6" and idp.asked_at - shown >= 0.95
            d.send("\1")
            assert d.end() == FAILED


def test_tokens_of_unknown_keys_leave_room():
    """They wait until keys may be fetched again; who shows a known one doesn't."""
    known, unknown = Key("known", "ES256"), Key("unknown", "ES256")
    with Idp([known]) as idp, Front(users=USERS, OAUTH_JWKS_URL=idp.url + "/jwks", OAUTH_CALLS_MAX=4,
                                    OAUTH_JWKS_PAUSE=60000, **QUIET).running() as f:
        wait_for("the keys", lambda: "token keys read" in f.log())
        clients = [f.client() for _ in range(6)]
        for i, c in enumerate(clients):
            begin(c, idp.token("demo", unknown, n=i))
        wait_for("refusals", lambda: f.log().count("too many tokens wait for keys") == 4)
        assert "LOGIN FAILED" not in f.log()
        assert login(f, idp.token("demo")) == OK
        for c in clients:
            c.close()


@pytest.mark.skipif("POSTHOUSE_LONG" not in os.environ, reason="timing: on a quiet machine")
def test_refusals_take_the_same_time():
    """B16: 1,000 refusals of known accounts and of unknown ones; -s shows the medians."""
    hash_ = subprocess.run(["openssl", "passwd", "-6", "-salt", "saltsalt", "right"], check=True, capture_output=True,
                           text=True).stdout.strip()
    users = ["k%d:%s::::::" % (i, hash_) for i in range(50)]
    with Front(users=["demo", *users], LOGIN_FAILURE_DELAY=200, LOGIN_PENALTY_FREE=1000000, LOGIN_FAILURE_MAX=1000,
               AUTH_CACHE_NEGATIVE_TTL=0).running() as front:
        times = {"k": [], "n": []}

        def guess(number):
            with front.client() as c:
                for i in range(250):
                    kind = "kn"[(number + i) % 2]
                    begin = time.monotonic()
                    reply = c.cmd("LOGIN %s%d wrong%d.%d" % (kind, i % 50, number, i))
                    times[kind].append(time.monotonic() - begin)
                    assert reply.text.startswith("[AUTHENTICATIONFAILED]")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(guess, range(8)))
    known, unknown = (statistics.median(times[kind]) * 1000 for kind in "kn")
    print("median of %d and %d: known %.2f ms, unknown %.2f ms" % (len(times["k"]), len(times["n"]), known, unknown))
    assert abs(known - unknown) < 5
