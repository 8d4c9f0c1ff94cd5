# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.infracheck.bindings.plugins.module_utils._model.bindings import Service
from ansible_collections.infracheck.bindings.plugins.module_utils._wire.cgroup_path import parse_cgroup_path
from hypothesis import given
from hypothesis import strategies as st

ID = "0123456789abcdef" * 4
OTHER_ID = "fedcba9876543210" * 4


def system(unit: str) -> Service:
    return Service("systemd", unit, "system")


def user(unit: str, uid: int | None) -> Service:
    return Service("systemd", unit, "user", uid)


def container(manager: str, unit: str, uid: int | None = None) -> Service:
    return Service(manager, unit, "container", uid)


MANAGER = "/user.slice/user-1000.slice/user@1000.service"

# The facts that systemd's own tests state (src/test/test-cgroup-util.c, test-unit-name.c).
TEST_SYSTEMD = [
    ("/system.slice/foobar.service/sdfdsaf", system("foobar.service")),
    ("/system.slice/getty@tty5.service", system("getty@tty5.service")),
    ("/system.slice/getty@tty5.service/aaa/bbb", system("getty@tty5.service")),
    ("/system.slice/getty@tty5.service/", system("getty@tty5.service")),
    ("/system.slice/getty@tty6.service/tty5", system("getty@tty6.service")),
    ("sadfdsafsda", None),
    ("/system.slice/getty####@tty6.service/xxx", None),
    ("/system.slice/system-waldo.slice/foobar.service/sdfdsaf", system("foobar.service")),
    ("/system.slice/system-waldo.slice/_cpu.service/sdfdsaf", system("cpu.service")),
    (f"{MANAGER}/server.service", user("server.service", 1000)),
    (f"{MANAGER}/foobar.slice/foobar@pie.service", user("foobar@pie.service", 1000)),
    ("/user.slice/user-1000.slice/user@.service/server.service", None),
    ("/user.slice/user-1000.slice/session-2.scope/foobar.service", user("foobar.service", 1000)),
    ("/user.slice/user-1000.slice/session-2.scope/waldo.slice/foobar.service", user("foobar.service", 1000)),
    ("/user.slice/user-1002.slice/session-2.scope/foobar.service/waldo/uuuux", user("foobar.service", 1002)),
    ("/user.slice/user-1000.slice/session-2.scope/waldo/waldo/uuuux", system("session-2.scope")),
    ("/session-2.scope/foobar@pie.service/pa/po", user("foobar@pie.service", None)),
    ("/xyz.slice/xyz-waldo.slice/session-77.scope/foobar@pie.service/pa/po", user("foobar@pie.service", None)),
    ("/session-3.scope/_cpu.service", user("cpu.service", None)),
    ("/session-3.scope", system("session-3.scope")),
    ("/session-.scope/foobar.service", system("session-.scope")),
    ("/meh.service", system("meh.service")),
    ("/getty@.service", None),
    ("/getty", None),
    ("/user.slice/user-1006.slice", None),
    ("/foo.slice//foo-bar.slice/user@1000.service/piep.slice//piep-pap.slice//foo.service", user("foo.service", 1000)),
    ("foo.slice/foo-bar.slice/waldo.service", None),  # not absolute: no path of a cgroup file
    ("", None),
    ("/", None),
    ("//", None),
]

TEST_UNIT_NAMES = [
    ("/init.scope", system("init.scope")),
    ("/a.service", system("a.service")),
    ("/dev-disk-by\\x2duuid.swap", system("dev-disk-by\\x2duuid.swap")),
    ("/a@b@c.service", system("a@b@c.service")),
    ("/@b.service", None),
    ("/.service", None),
    ("/a.snapshot", None),
    ("/a.", None),
    ("/a b.service", None),
    ("/a\n.service", None),
    ("/é.service", None),
    ("/٣.service", None),
    ("/" + "a" * 247 + ".service", system("a" * 247 + ".service")),
    ("/" + "a" * 248 + ".service", None),
    ("/a@b.slice/c.service", None),  # a slice has no instances, so this is neither slice nor unit
    ("/_a.slice/_b.service", system("b.service")),
    ("/__b.service", system("_b.service")),
    ("/system.slice/nginx.service (deleted)", system("nginx.service")),
    ("/system.slice (deleted)", None),
]

# What an ordinary user or a container may have made below its own directory.
TEST_HOSTILE = [
    (f"{MANAGER}/nginx.service", user("nginx.service", 1000)),
    (f"{MANAGER}/system.slice/nginx.service", user("nginx.service", 1000)),
    (f"{MANAGER}/app.slice/x.scope/system.slice/nginx.service", user("x.scope", 1000)),
    (f"{MANAGER}/user@0.service/nginx.service", user("user@0.service", 1000)),
    (f"{MANAGER}/nested/nginx.service", system("user@1000.service")),
    (f"{MANAGER}/docker-{ID}.scope", container("docker", ID, 1000)),
    (f"{MANAGER}/docker/{ID}", system("user@1000.service")),
    (f"{MANAGER}/lxc.payload.host", system("user@1000.service")),
    (f"{MANAGER}/machine.slice/systemd-nspawn@host.service", user("systemd-nspawn@host.service", 1000)),
    (f"{MANAGER}/machine.slice/machine-host.scope", user("machine-host.scope", 1000)),
    (f"{MANAGER}/../../system.slice/nginx.service", None),
    (f"{MANAGER}/./nginx.service", None),
    ("/user.slice/user-1000.slice/session-2.scope/nginx.service", user("nginx.service", 1000)),
    ("/system.slice/docker.service/system.slice/nginx.service", system("docker.service")),
    ("/system.slice/app.service/user@1000.service/nginx.service", system("app.service")),
    (f"/system.slice/app.service/docker-{ID}.scope", system("app.service")),
    (f"/system.slice/docker-{ID}.scope/system.slice/nginx.service", container("docker", ID)),
    (f"/system.slice/docker-{ID}.scope/docker/{OTHER_ID}", container("docker", ID)),
    (f"/docker/{ID}/system.slice/nginx.service", container("docker", ID)),
    ("/user.slice/user-1000.slice/user@01000.service/nginx.service", system("user@01000.service")),
    ("/user.slice/user-1000.slice/user@-1.service/nginx.service", system("user@-1.service")),
    ("/user.slice/user-1000.slice/user@4294967295.service/nginx.service", system("user@4294967295.service")),
    ("/user.slice/user-1000.slice/user@65535.service/nginx.service", system("user@65535.service")),
    ("/user.slice/user-1000.slice/user@4294967296.service/nginx.service", system("user@4294967296.service")),
    ("/user.slice/user-1000.slice/_user@1000.service/nginx.service", system("user@1000.service")),
    ("/user.slice/user-1000.slice/user@1000.service (deleted)", system("user@1000.service")),
    ("/../system.slice/nginx.service", None),
    ("/../../nginx.service", None),
    ("/..", None),
    ("/system.slice/../nginx.service", None),
]

TEST_CONTAINERS = [
    (f"/system.slice/docker-{ID}.scope", container("docker", ID)),
    (f"/docker/{ID}", container("docker", ID)),
    ("/docker/buildkit", None),
    (f"/docker/{ID.upper()}", None),
    ("/system.slice/docker-0123.scope", system("docker-0123.scope")),
    (f"/machine.slice/libpod-{ID}.scope/container", container("podman", ID)),
    (f"/machine.slice/machine-libpod_pod_{OTHER_ID}.slice/libpod-{ID}.scope", container("podman", ID)),
    (f"/machine.slice/libpod-conmon-{ID}.scope", system(f"libpod-conmon-{ID}.scope")),
    (f"/libpod_parent/libpod-{ID}", container("podman", ID)),
    ("/libpod_parent/conmon", None),
    (f"/system.slice/web.service/libpod-payload-{ID}", system("web.service")),
    (f"{MANAGER}/user.slice/libpod-{ID}.scope/container", container("podman", ID, 1000)),
    (f"/capsule.slice/capsule@x.service/libpod-{ID}.scope", user(f"libpod-{ID}.scope", None)),
    ("/capsule.slice/capsule@x.service/app.slice/web.service", user("web.service", None)),
    ("/capsule.slice/capsule@x.service", system("capsule@x.service")),
    (
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/cri-containerd-{ID}.scope",
        container("containerd", ID),
    ),
    (f"/kubepods.slice/kubepods-pod1_2.slice/crio-{ID}.scope/container", container("crio", ID)),
    (f"/kubepods.slice/kubepods-pod1_2.slice/crio-conmon-{ID}.scope", system(f"crio-conmon-{ID}.scope")),
    (f"/kubepods/burstable/pod12-34/{ID}", container("kubernetes", ID)),
    (f"/kubepods/pod12-34/{ID}/nested", container("kubernetes", ID)),
    ("/kubepods/pod12-34", None),
    ("/kubepods/besteffort", None),
    (f"/system.slice/nerdctl-{ID}.scope", container("containerd", ID)),
    ("/lxc.payload.web/system.slice/nginx.service", container("lxc", "web")),
    ("/lxc.payload.web.service", container("lxc", "web.service")),
    ("/lxc.payload.\x1b[31m", container("lxc", "\\x1b[31m")),
    ("/lxc.payload.caf\udce9", container("lxc", "caf\\xe9")),
    ("/lxc.payload.", None),
    ("/lxc.monitor.web", None),
    ("/lxc/web/init.scope", container("lxc", "web")),
    ("/lxc", None),
    ("/machine.slice/systemd-nspawn@my-box.service/payload/system.slice/nginx.service", container("nspawn", "my-box")),
    ("/machine.slice/machine-my\\x2dbox.scope/payload", container("nspawn", "my-box")),
    ("/machine.slice/machine-lxc\\x2d12\\x2dweb.scope", container("lxc", "12-web")),
    ("/machine.slice/machine-qemu\\x2d1\\x2dvm.scope", system("machine-qemu\\x2d1\\x2dvm.scope")),
    ("/machine.slice/machine-.scope", system("machine-.scope")),
]


@pytest.mark.parametrize(("path", "expected"), TEST_SYSTEMD + TEST_UNIT_NAMES + TEST_HOSTILE + TEST_CONTAINERS)
def test_parse_cgroup_path(path: str, expected: Service | None) -> None:
    assert parse_cgroup_path(path) == expected


# PID 1 is in ROOT/init.scope: the tree of a manager in a container that sees the paths of its host (cg_shift_path).
TEST_ROOTS = [
    (f"/docker/{ID}/system.slice/nginx.service", f"/docker/{ID}", system("nginx.service")),
    (f"/docker/{ID}/system.slice/nginx.service", f"/docker/{ID}/", system("nginx.service")),
    (f"/docker/{ID}", f"/docker/{ID}", None),
    (f"/docker/{OTHER_ID}/system.slice/nginx.service", f"/docker/{ID}", container("docker", OTHER_ID)),
    ("/system.slice/nginx.service", "/", system("nginx.service")),
    ("/a.slicex/nginx.service", "/a.slice", None),
]


@pytest.mark.parametrize(("path", "root", "expected"), TEST_ROOTS)
def test_parse_cgroup_path_below_a_root(path: str, root: str, expected: Service | None) -> None:
    assert parse_cgroup_path(path, root) == expected


NAMES = st.one_of(
    st.sampled_from(
        [
            "nginx.service",
            "system.slice",
            "user@0.service",
            "session-1.scope",
            "docker",
            ID,
            f"docker-{ID}.scope",
            "lxc.payload.x",
            "kubepods",
            "pod1",
            "init.scope",
            "..",
            "",
        ]
    ),
    st.text(st.characters(exclude_categories=(), exclude_characters="/"), max_size=20),
)
PATHS = st.lists(NAMES).map(lambda names: "/" + "/".join(names))


@given(st.one_of(PATHS, st.text(st.characters(exclude_categories=()))))
def test_any_path_gives_a_service_or_none(path: str) -> None:
    service = parse_cgroup_path(path)
    if service is not None:
        assert service.unit.isprintable()
        assert service.unit
        assert service.scope in ("system", "user", "container")
        assert (service.scope == "container") != (service.manager == "systemd")
        assert service.scope != "system" or service.uid is None


@given(PATHS)
def test_nothing_below_a_user_manager_is_the_systems(below: str) -> None:
    service = parse_cgroup_path(MANAGER + below)
    assert service is None or service == system("user@1000.service") or service.uid == 1000


@given(PATHS)
def test_nothing_below_a_service_or_container_is_another(below: str) -> None:
    assert parse_cgroup_path("/system.slice/web.service" + below) in (system("web.service"), None)
    assert parse_cgroup_path(f"/machine.slice/libpod-{ID}.scope" + below) in (container("podman", ID), None)
