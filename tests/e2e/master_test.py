# SPDX-License-Identifier: Apache-2.0
"""authzid and master users (O7), allow_nets (O41), accounts that have ended."""
import base64

import pytest

from lib.front import Front

USERS = [
    "ann", "bob@example.com:{PLAIN}bob::::::", "root1", "root2:{PLAIN}root2::::::master=1",
    "off:{PLAIN}off::::::disableimap=1", "gone:{PLAIN}gone::::::expires=2020-01-01",
    "offroot:{PLAIN}offroot::::::master=1,disableimap=1", "goneroot:{PLAIN}goneroot::::::master=1,expires=2020-01-01",
    "farroot:{PLAIN}farroot::::::master=1,allow_nets=192.0.2.0/24",
    "far:{PLAIN}far::::::allow_nets=192.0.2.0/24 2001:db8::/32", "near:{PLAIN}near::::::allow_nets=10.0.0.0/8 127.0.0.0/8",
    "a*b",
]
WRONG, DENIED = "[AUTHENTICATIONFAILED] Login failed.", "[AUTHORIZATIONFAILED]"


@pytest.fixture(scope="module")
def front():
    with Front(users=USERS, MASTER_USERS="root1", MASTER_SEPARATOR='"*"', LOGIN_FAILURE_DELAY=0, LOGIN_FAILURE_MAX=1000,
               LOGIN_PENALTY_FREE=100000).running() as f:
        yield f


def plain(front, authzid, user, password, whose=None):
    """The answer; on success, whose account it was."""
    with front.client() as c:
        message = base64.b64encode(("%s\0%s\0%s" % (authzid, user, password)).encode()).decode()
        before = len(front.backend.given)
        reply = c.cmd("AUTHENTICATE PLAIN " + message)
        if reply.ok:
            assert len(front.backend.given) == before + 1
            return front.backend.given[-1].record["user"]
        assert len(front.backend.given) == before
        return reply.text


def command(front, user, password):
    with front.client() as c:
        reply = c.cmd('LOGIN "%s" "%s"' % (user, password))
        return front.backend.given[-1].record["user"] if reply.ok else reply.text


def test_own_name_as_authzid(front):
    assert plain(front, "ann", "ann", "ann") == "ann"
    assert plain(front, "ann", "ann", "wrong") == WRONG


@pytest.mark.parametrize("master", ["root1", "root2", "offroot"])
@pytest.mark.parametrize("target", ["ann", "bob@example.com", "near", "far"])
def test_masters(front, master, target):
    assert plain(front, target, master, master) == target
    assert command(front, "%s*%s" % (target, master), master) == target
    assert "master login user=%s master=%s" % (target, master) in front.log()


def test_masters_own_account(front):
    assert plain(front, "", "root1", "root1") == "root1"
    assert plain(front, "", "offroot", "offroot").startswith(DENIED)


def test_others_learn_nothing_without_the_password(front):
    for target in ("ann", "nobody", "far"):
        assert plain(front, target, "bob@example.com", "wrong") == WRONG
        assert plain(front, target, "nobody", "wrong") == WRONG
        assert plain(front, target, "root1", "wrong") == WRONG
        assert plain(front, target, "root1", target) == WRONG  # nor is it the target's password
        assert command(front, target + "*root1", target) == WRONG
        assert plain(front, target, "bob@example.com", "bob") == DENIED + " This account may not act for others."
    assert "no master user=bob@example.com authzid=ann" in front.log()


def test_target_must_let_in(front):
    assert plain(front, "off", "root1", "root1") == DENIED + " IMAP access disabled for this account."
    assert plain(front, "gone", "root1", "root1") == "[EXPIRED] This account has expired."
    assert plain(front, "nobody", "root1", "root1") == DENIED + " There is no such account to act for."
    assert plain(front, "a\x01b", "root1", "root1") == WRONG


def test_masters_that_ended(front):
    assert plain(front, "ann", "goneroot", "goneroot") == "[EXPIRED] This account has expired."
    assert plain(front, "ann", "farroot", "farroot") == WRONG  # allow_nets


def test_separator_forms(front):
    assert command(front, "*root1", "root1") == WRONG and command(front, "ann*", "ann") == WRONG
    assert command(front, "ann*nobody", "x") == WRONG
    assert command(front, "a*b", "a*b") == WRONG  # b is the master here
    assert plain(front, "bob@example.com", "ann*root1", "root1") == "bob@example.com"  # authzid is what counts
    assert plain(front, "ann*root1", "ann*root1", "root1") == "ann"


def test_networks_and_expiry(front):
    assert command(front, "near", "near") == "near" and command(front, "far", "far") == WRONG
    assert "network not allowed user=far ip=127.0.0.1" in front.log()
    assert command(front, "gone", "gone") == "[EXPIRED] This account has expired."
    assert command(front, "gone", "wrong") == WRONG


def test_off_by_default():
    with Front(users=["ann", "root1", "a*b"], DEFAULTOPTIONS='"master=1"', LOGIN_FAILURE_DELAY=0).running() as front:
        assert plain(front, "ann", "root1", "root1").startswith(DENIED)
        assert command(front, "ann*root1", "root1") == WRONG and command(front, "a*b", "a*b") == "a*b"
