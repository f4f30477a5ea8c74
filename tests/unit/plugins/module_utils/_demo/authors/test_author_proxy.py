# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the topology that a proxy has by its author's configuration, and the keys that contradict it."""

from __future__ import annotations

from typing import Any

import pytest
from author_demo import ADMIN, ENVOY_YAML, FILES, LDS, WATCHED, author_demo, source_of, with_expectation

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo, read_demo


def read(data: Any, **files: str) -> Demo:
    renamed = {name.replace("_", "."): text for name, text in files.items()}
    return read_demo("own", data, file="own.yml", source=source_of({**FILES, **renamed}))


def error_of(data: Any, **files: str) -> str:
    with pytest.raises(DemoError) as error:
        read(data, **files)
    return str(error.value)


def test_listeners_of_the_file_are_those_of_the_proxy() -> None:
    demo = read(author_demo())
    found = {
        name: (one["port"], one["publish"], topology.scheme_of(demo, "front", name))
        for name, one in topology.listeners(demo, "front").items()
    }
    assert found == {
        "Ingress.http": (10000, 10000, "http"),
        "port-443": (443, 443, "https"),
        "inner": (7000, None, "tcp"),
    }


def test_author_can_publish_on_another_port_or_not_at_all() -> None:
    demo = read(author_demo(publish={"Ingress.http": 31480, "port-443": None}))
    listeners = topology.listeners(demo, "front")
    assert [one["publish"] for one in listeners.values()] == [31480, None, None]


@pytest.mark.parametrize(
    "config",
    [
        "envoy.yaml",
        ENVOY_YAML,
        {"source": "envoy.yaml"},
        {"content": ENVOY_YAML, "name": "a.yaml"},
        ["envoy.yaml"],
    ],
    ids=["path", "text", "source", "content", "list"],
)
def test_config_can_be_a_path_a_text_or_a_list(config: Any) -> None:
    assert list(topology.listeners(read(author_demo(config)), "front")) == [
        "Ingress.http",
        "port-443",
        "inner",
    ]


def test_sidecar_gets_no_listener_of_the_collection() -> None:
    data = {**author_demo(), "proxies": {}, "services": {"web": {"sidecar": {"config": "envoy.yaml"}}}}
    assert "ingress" not in topology.listeners(read(data), "web")


@pytest.mark.parametrize(
    ("front", "message"),
    [
        ({"clusters": {"web": {"to": "web"}}}, "proxies.front.clusters: 'config' is the whole configuration."),
        ({"publish": {"Ingress.htp": 1}}, "proxies.front.publish: unknown listener 'Ingress.htp'. Did you mean 'Ingress.http'?"),
        ({"publish": {"inner": "x"}}, "proxies.front.publish.inner: expected a port, got 'x'."),
        ({"admin": {"publish": 9990}}, "proxies.front.admin.publish: the admin interface in envoy.yaml listens on 127.0.0.1"),
        ({"config": "miss.yaml"}, "proxies.front.config.source: cannot read 'miss.yaml'"),
        ({"config": []}, "proxies.front.config: empty. Add the path"),
        ({"config": 5}, "proxies.front.config: expected a path, a text, or a mapping"),
        ({"config": {"source": "envoy.yaml", "in_image": "envoy.yaml"}}, "proxies.front.config.in_image: expected an absolute path"),
        ({"config": {"surce": "envoy.yaml"}}, "proxies.front.config: unknown key of a configuration file 'surce'. Did you mean 'source'?"),
        ({"config": ["envoy.yaml", "envoy.yaml"]}, "proxies.front.config[1]: two files have the name 'envoy.yaml'."),
        ({"config": "a: {\n"}, "proxies.front.config: proxies.front.config of own.yml line 1: not YAML:"),
    ],
)  # fmt: skip
def test_wrong_key_is_refused(front: Any, message: str) -> None:
    data = author_demo()
    data["proxies"]["front"].update(front)
    assert error_of(data).startswith(f"own.yml: {message}")


def test_publish_needs_a_config() -> None:
    data = {**author_demo(), "proxies": {"front": {"publish": {"http": 1}}}}
    assert error_of(data).startswith("own.yml: proxies.front.publish: applies to 'config' only.")


@pytest.mark.parametrize(
    ("text", "state"),
    [("static_resources: {}\n", "has no 'admin'"), ("admin: {address: {pipe: {path: /run/envoy/admin.sock}}}\n", "on the Unix socket")],
)  # fmt: skip
def test_admin_without_a_port_cannot_be_published(text: str, state: str) -> None:
    assert state in error_of(author_demo(text, admin={"publish": 9990}))


def test_files_of_the_proxy_are_files_of_the_configuration() -> None:
    text = f"{ADMIN}static_resources: {{a: {{filename: lib/filter.lua}}}}\n"
    demo = read(author_demo(text, files={"lib/filter.lua": "x"}))
    proxy = demo["proxies"]["front"]
    assert [one.path for one in proxy["config"].files] == ["", "/etc/envoy/lib/filter.lua"]
    assert proxy["files"] == {}


def test_change_can_replace_the_configuration() -> None:
    data = author_demo()
    files = ["watched.yaml", "lds.yaml", "cds.yaml"]
    data["changes"] = {"watched": {"summary": "s", "set": {"proxies": {"front": {"config": files}}}}}
    demo = read_demo(
        "own",
        data,
        "watched",
        file="own.yml",
        source=source_of({**FILES, "lds.yaml": LDS, "watched.yaml": WATCHED}),
    )
    assert list(topology.listeners(demo, "front")) == ["http"]


def test_private_key_in_a_file_makes_it_sensitive() -> None:
    secret = "static_resources: {secrets: [{name: a, generic_secret: {secret: {inline_string: hunter2}}}]}\n"
    demo = read(with_expectation(author_demo(secret)))
    assert demo["proxies"]["front"]["config"].bootstrap.sensitive
    assert not read(author_demo())["proxies"]["front"]["config"].bootstrap.sensitive
