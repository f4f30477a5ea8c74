# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The changes of a demo and their steps: what each merges over the topology, and the traffic that flows meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.plain_copies import copied
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.traffic_texts import traffic_with_texts

Data = Mapping[str, Any]
# The keys of a demo that a change can set.
CHANGEABLE = ("envoy", "services", "proxies", "statsd_exporter")


@dataclass(frozen=True)
class Variant:
    """A demo with a change, or with the first steps of a change. Step 0 is the whole change, and an empty change the demo itself."""

    change: str
    step: int = 0

    @classmethod
    def of(cls, text: str) -> Variant:
        """Return the variant of a text such as `half`, or `half/2` for the first two steps."""
        change, _slash, step = text.partition("/")
        return cls(change, int(step) if step.isdecimal() else 0)

    @property
    def text(self) -> str:
        """The text that `of` reads."""
        return f"{self.change}/{self.step}" if self.step else self.change

    @property
    def where(self) -> str:
        """The key of the demo file that describes it."""
        return f"changes.{self.change}.steps[{self.step - 1}]" if self.step else f"changes.{self.change}"

    def file(self, file: str) -> str:
        """Return the name of the demo file in errors about this variant. `demo_source.with_line` reads it."""
        step = f" at step {self.step}" if self.step else ""
        return f"{file} with change '{self.change}'{step}" if self.change else file

    def entry(self, demo: Data) -> Data:
        """Return the change or the step that `demo` has for it."""
        change: Data = demo["changes"][self.change]
        return change["steps"][self.step - 1] if self.step else change


def variants(demo: Data) -> Iterator[Variant]:
    """Yield each change of a demo, after its steps."""
    for name, change in demo["changes"].items():
        for number in range(1, len(change["steps"]) + 1):
            yield Variant(name, number)
        yield Variant(name)


def find_variant(demo: Data, text: str, file: str) -> Variant:
    """Return the variant that a text names, see `Variant.of`. Raises DemoError if the demo has no such change or step."""
    found = Variant.of(text)
    if text:
        check_known(found.change, demo["changes"], file, "changes", "change")
        steps = len(demo["changes"][found.change]["steps"])
        if found.text != text or found.step > steps:
            number = f"a number from 1 to {steps}" if steps else "no step"
            raise DemoError(
                file, f"changes.{found.change}.steps: expected {number} in '{text}'. Correct the number."
            )
    return found


def changed_data(data: Data, demo: Data, variant: Variant, file: str) -> dict[str, Any]:
    """Return the data of a demo with a change, or with its first steps, merged over the topology.

    Args:
        data: The data of the demo file.
        demo: The checked demo, which has the changes.
        variant: The change or the step.
        file: Name of the demo file in errors.
    """
    change = demo["changes"][variant.change]
    steps = change["steps"][: variant.step or None]
    changed: dict[str, Any] = dict(data)
    for where, one in [(f"changes.{variant.change}", change), *_with_keys(variant.change, steps)]:
        for key in one["set"]:
            check_known(key, CHANGEABLE, file, f"{where}.set", "key")
        changed = merge(changed, one["set"])
    for key in ("traffic", "expectations"):
        found = variant.entry(demo)[key]
        if found is not None:
            changed[key] = found
    return changed


def merge(base: Any, over: Any) -> Any:
    """Return `over` merged into `base`: mappings key by key. Other values are replaced, and null removes a key."""
    if not isinstance(over, Mapping):
        return copied(over)
    merged = dict(base) if isinstance(base, Mapping) else {}
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return copied(merged)


def complete_changes(demo: dict[str, Any], file: str, source: DemoSource) -> None:
    """Add the defaults of changes that depend on their other keys, and the texts of their traffic.

    A step sends the traffic of its change if it has none, and a change with steps returns to the previous state if it fails.
    """
    for name, change in demo["changes"].items():
        if change["rollback"] is None:
            change["rollback"] = bool(change["steps"])
        for where, one in [(f"changes.{name}", change), *_with_keys(name, change["steps"])]:
            for key in ("traffic", "during"):
                one[key] = traffic_with_texts(one[key], file, f"{where}.{key}", source)
        for step in change["steps"]:
            step["during"] = change["during"] if step["during"] is None else step["during"]


def traffic_during(demo: Data, variant: Variant) -> tuple[list[dict[str, Any]], str]:
    """Return the traffic that flows while a variant is deployed, and its key. The steps of a change have its traffic."""
    if not variant.change or (not variant.step and variant.entry(demo)["steps"]):
        return [], ""
    return variant.entry(demo)["during"], f"{variant.where}.during"


def _with_keys(change: str, steps: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"changes.{change}.steps[{position}]", step) for position, step in enumerate(steps)]
