# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The harness itself can fail: a wrong judge is found out, its world made small, and what hangs or dies is bounded."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import VALID
from ansible_collections.infracheck.bindings.tests.kernel.facts import comes_true
from ansible_collections.infracheck.bindings.tests.kernel.worlds.check import Result
from ansible_collections.infracheck.bindings.tests.kernel.worlds.generate import draw_world
from ansible_collections.infracheck.bindings.tests.kernel.worlds.ours import Answers, Judge, judge_by
from ansible_collections.infracheck.bindings.tests.kernel.worlds.run import Pool
from ansible_collections.infracheck.bindings.tests.kernel.worlds.world import Listener, World, world_from_json

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="making network namespaces needs root")

SCRIPT = Path(__file__).with_name("run_worlds.py")

STALE = World(
    seed=0,
    build=(
        "ip link set lo up",
        "ip link add v0a type veth peer name v0b",
        "ip link set v0a up",
        "ip addr add 192.0.2.1/24 dev v0a",
        "ip addr add 192.0.2.2/24 dev v0a",
        "ip addr add 2001:db8:1::1/64 dev v0a nodad",
    ),
    listeners=(
        Listener("tcp", 4, "192.0.2.1", 2000),
        Listener("udp", 4, "0.0.0.0", 2001),
        Listener("tcp", 6, "2001:db8:1::1", 2002, backlog=128, uid=33),
        Listener("udp", 4, "127.0.0.5", 2003),
    ),
    mutations=("ip link set v0b up", "ip addr del 2001:db8:1::1/64 dev v0a", "ip link set v0b down"),
)


def play_one(judge: Judge, world: World = STALE, timeout: float = 60) -> Result:
    (result,) = Pool({"netlink": judge}, 1, timeout, draw=lambda seed: world).play([world.seed])
    return result


def judge_optimistically() -> Answers:
    return [(socket, binding._replace(state=VALID)) for socket, binding in judge_by("netlink")() if any(socket.packed)]


def judge_with_one_missing() -> Answers:
    return [(socket, binding) for socket, binding in judge_by("netlink")() if socket.port != 2003]


def judge_without_knowledge() -> Answers:
    return [
        (socket, binding._replace(reachable=None) if socket.port == 2000 else binding)
        for socket, binding in judge_by("netlink")()
    ]


def judge_with_wrong_backlog() -> Answers:
    return [(socket._replace(backlog=socket.backlog and 5), binding) for socket, binding in judge_by("netlink")()]


def judge_never() -> Answers:
    raise RuntimeError("nothing could be read")


def judge_for_ever() -> Answers:
    time.sleep(600)
    return []


def judge_and_die() -> Answers:
    os._exit(3)


def test_right_judge() -> None:
    result = play_one(judge_by("netlink"))
    assert not result.wrong, str(result)
    assert result.counts["state stale_address"] == 1
    assert result.counts["state wildcard"] == 1
    assert result.counts["state valid"] == 2


TEST_WRONG_JUDGES = [
    (judge_with_one_missing, "listing", "udp 127.0.0.5:2003", 1),
    (judge_without_knowledge, "reachable", "tcp 192.0.2.1:2000", 3),
    (judge_with_wrong_backlog, "backlog", "tcp [2001:db8:1::1]:2002", 3),
]


@pytest.mark.parametrize(("judge", "subject", "listener", "steps"), TEST_WRONG_JUDGES)
def test_wrong_judge_is_found_and_its_world_made_small(judge: Judge, subject: str, listener: str, steps: int) -> None:
    result = play_one(judge)
    assert result.smallest is not None
    assert [disagreement.subject for disagreement in result.wrong] == [subject]
    assert str(result.wrong[0].listener).startswith(listener)
    assert [str(kept) for kept in result.smallest.listeners] == [listener]
    assert len(result.smallest.build) <= steps
    assert not result.smallest.mutations


def test_stale_taken_for_valid() -> None:
    """Needs the removal to show, so that must survive the shrinking."""
    result = play_one(judge_optimistically, STALE._replace(listeners=STALE.listeners[2:3]))
    assert result.smallest is not None
    assert result.smallest.mutations == ("ip addr del 2001:db8:1::1/64 dev v0a",)
    assert result.smallest.listeners == (Listener("tcp", 6, "2001:db8:1::1", 2002),)
    text = str(result)
    assert "tcp [2001:db8:1::1]:2002: state: we say valid" in text
    assert "the kernel says stale_address" in text
    assert world_from_json(result.smallest.to_json()) == result.smallest
    assert result.smallest.to_json() in text


def test_exception_names_the_seed() -> None:
    result = play_one(judge_never, STALE._replace(seed=77))
    assert str(result).startswith("SEED=77\n")
    assert "RuntimeError: nothing could be read" in str(result)


@pytest.mark.parametrize(("judge", "text"), [(judge_for_ever, "it hangs"), (judge_and_die, "ended with 3")])
def test_hang_and_death_name_the_seed(judge: Judge, text: str) -> None:
    worlds = {seed: STALE._replace(seed=seed) for seed in (5, 6)}
    results = list(Pool({"netlink": judge}, 1, 1.0, draw=worlds.__getitem__).play(worlds))
    assert [result.seed for result in results] == [5, 6]
    assert all(text in str(result) for result in results)


def test_worlds_are_reproducible() -> None:
    worlds = [draw_world(seed) for seed in range(50)]
    assert worlds == [draw_world(seed) for seed in range(50)]
    assert worlds == [world_from_json(world.to_json()) for world in worlds]
    assert len(set(worlds)) == len(worlds)


def test_nothing_is_left_behind() -> None:
    before = os.stat("/proc/self/ns/net").st_ino, list_children()
    assert len(list(Pool({"netlink": judge_by("netlink")}, 2).play(range(6)))) == 6
    assert (os.stat("/proc/self/ns/net").st_ino, list_children()) == before


def test_workers_end_with_their_parent() -> None:
    """Also with one that is killed in the middle of a world."""
    command = [sys.executable, str(SCRIPT), "--workers", "2", "--worlds", "100000"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as parent:
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        assert comes_true(lambda: len(children.read_text(encoding="ascii").split()) == 2)
        workers = children.read_text(encoding="ascii").split()
        time.sleep(1)
        workers += [
            pid
            for worker in workers
            for pid in Path(f"/proc/{worker}/task/{worker}/children").read_text("ascii").split()
        ]
        assert len(workers) >= 4
        parent.kill()
    assert comes_true(lambda: not any(is_running(pid) for pid in workers))


def is_running(pid: str) -> bool:
    """Not gone, and not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def list_children() -> set[str]:
    tasks = Path("/proc/self/task")
    return {pid for task in tasks.iterdir() for pid in (task / "children").read_text(encoding="ascii").split()}


def test_command_line_plays_a_given_world() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--world", "-"],
        input=STALE.to_json(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 worlds from seed 0, 4 listeners, 0 worlds wrong" in done.stdout
