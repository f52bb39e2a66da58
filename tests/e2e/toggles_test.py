# SPDX-License-Identifier: Apache-2.0
"""R34: every toggle reaches every session of the user, in order."""
import re
import threading

import pytest


@pytest.mark.parametrize("toggles,idlers", [(1000, 20)])
def test_toggles_reach_all_idlers_in_order(account, toggles, idlers):
    account.deliver()
    actor = account.client(select="INBOX")
    clients = [account.client(tls=i % 2 == 0, select="INBOX") for i in range(idlers)]
    seen = [[] for _ in clients]

    def listen(i):
        while len(seen[i]) < toggles:
            line = clients[i].read_line()
            if re.match(rb"\* 1 FETCH", line):
                seen[i].append(b"\\Flagged" in line)

    for c in clients:
        c.idle()
    threads = [threading.Thread(target=listen, args=(i,), daemon=True) for i in range(idlers)]
    for t in threads:
        t.start()
    for n in range(toggles):
        actor.ok("STORE 1 %sFLAGS (\\Flagged)" % ("-" if n % 2 else "+"))
    for t in threads:
        t.join(30)
    wanted = [n % 2 == 0 for n in range(toggles)]
    for i, got in enumerate(seen):
        assert got == wanted, "session %d saw %d of %d" % (i, len(got), toggles)
