# SPDX-License-Identifier: Apache-2.0
"""authzid and master users (O7), allow_nets (O41), accounts that have ended."""
import base64
import os
import ssl

import pytest

from lib.front import Front
from lib.idp import Idp, Key
from lib.imap import Imap
from lib.pki import Authority
from lib.sasl import Dialogue, Scram

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


# ---- the other mechanisms that have an authorization identity ---------------------------------------------------------


@pytest.fixture(scope="module")
def proven(tmp_path_factory):
    ca = Authority(str(tmp_path_factory.mktemp("ca")))
    for user in ("ann", "root1", "root2"):
        ca.issue(user, "/CN=" + user)
    with Idp([Key("k", "ES256")]) as idp, Front(
            users=USERS, MASTER_USERS="root1", LOGIN_FAILURE_DELAY=0, LOGIN_FAILURE_MAX=1000, LOGIN_PENALTY_FREE=100000,
            TLS_VERIFYPEER="PEER", TLS_TRUSTCERTS=ca.cert, TLS_EXTERNAL="cn", OAUTH_JWKS_URL=idp.url + "/jwks",
            OAUTH_AUDIENCE="imap").running() as front:
        yield front, ca, idp


def outcome(front, client, status, text):
    client.close()
    return front.backend.given[-1].record["user"] if status == "OK" else text


def by_certificate(front, ca, user, target):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(os.path.join(ca.dir, user + ".pem"))
    c = Imap(front.sslport, greeting=False)
    c.sock = context.wrap_socket(c.sock)
    c.read_line()
    reply = c.cmd("AUTHENTICATE EXTERNAL " + base64.b64encode(target.encode()).decode())
    return outcome(front, c, reply.status, reply.text)


def test_masters_by_certificate(proven):
    """Only those that the settings name: not those whose account says so."""
    front, ca, _ = proven
    assert by_certificate(front, ca, "root1", "ann") == "ann"
    assert by_certificate(front, ca, "root2", "ann") == DENIED + " This account may not act for others."
    assert by_certificate(front, ca, "ann", "root1") == DENIED + " This account may not act for others."
    assert by_certificate(front, ca, "ann", "ann") == "ann"


def test_masters_by_scram(proven):
    front = proven[0]
    for master, password, wanted in (("root1", "root1", "ann"), ("root2", "root2", "ann"), ("near", "near", DENIED),
                                     ("root1", "wrong", WRONG)):
        c = front.client()
        status, text = Scram("SCRAM-SHA-256", master, password, authzid="ann").run(c)
        assert outcome(front, c, status, text).startswith(wanted)


def test_masters_by_token(proven):
    front, _, idp = proven
    for user, wanted in (("root1", "ann"), ("root2", "ann"), ("near", DENIED), ("nobody", WRONG)):
        c = front.client()
        d = Dialogue(c, "OAUTHBEARER", "n,a=ann,\1auth=Bearer %s\1\1" % idp.token(user))
        if d.challenge() is not None:
            d.send("\1")
        assert outcome(front, c, *d.end()).startswith(wanted)
