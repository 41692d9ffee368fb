"""What KFP's API server tells of a run's tasks: the nodes of Argo's workflow, as it makes them.

For a task ``gen`` there are the nodes ``gen-driver`` and ``gen``, in the latter ``executor``, and
with retries ``executor(0)``, ``executor(1)`` in that. Children of a node are what
begins inside of it, or after it; they are named by Argo's ids, pods by names that end alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

STARTED = "2026-11-26T10:00:00Z"
ENDED = "2026-11-26T10:00:12Z"
NEVER = "1970-01-01T00:00:00Z"

WORKFLOW = "demo-x7k2p"


class ArgoNodes:
    """The nodes of a workflow of a compiled pipeline.

    Args:
        spec: The pipeline's spec.
        states: How each task is, by its name or its whole path with slashes: "running",
            "succeeded", "cached", "skipped", "failed", "driver failed"; with "*2" behind it in its
            third attempt. Tasks that are not there did not begin.
    """

    def __init__(self, spec: Mapping[str, Any], states: Mapping[str, str]) -> None:
        self._spec = spec
        self._states = states
        self.details: list[dict[str, Any]] = []
        root = self._node("root", "RUNNING")
        first, _ = self._dag(spec["root"], ())
        root["child_tasks"] = _ids(first)

    def _node(self, name: str, state: str, template: str = "dag") -> dict[str, Any]:
        number = 1000 + len(self.details)
        over = state in ("SUCCEEDED", "FAILED", "SKIPPED", "ERROR")
        node = {
            "run_id": "run-1",
            "display_name": name,
            "state": state,
            "create_time": STARTED,
            "start_time": STARTED,
            "end_time": ENDED if over else NEVER,
            "pod_name": f"{WORKFLOW}-{template}-{number}",
            "child_tasks": [],
        }
        self.details.append(node)
        return node

    def _dag(self, component: Mapping[str, Any], path: tuple[str, ...]) -> tuple[list, list]:
        """Add the nodes of a pipeline; return those that begin it and those that end it."""
        tasks = component["dag"]["tasks"]
        ends: dict[str, list[dict[str, Any]]] = {}
        first: list[dict[str, Any]] = []
        left = dict(tasks)
        while left:
            name = next(
                n for n, t in left.items() if all(d in ends for d in t.get("dependentTasks", ()))
            )
            task = left.pop(name)
            begin, end = self._task(name, task, (*path, name))
            ends[name] = end
            for before in task.get("dependentTasks", ()):
                for node in ends[before]:
                    node["child_tasks"] += _ids(begin)
            if not task.get("dependentTasks"):
                first += begin
        return first, [node for nodes in ends.values() for node in nodes]

    def _task(self, name: str, task: Mapping[str, Any], path: tuple[str, ...]) -> tuple[list, list]:
        component = self._spec["components"][task["componentRef"]["name"]]
        state, _, retries = self._state(path).partition("*")
        if not state:
            return [], []
        if state == "driver failed":
            node = self._node(f"{name}-driver", "FAILED", "system-container-driver")
            return [node], [node]
        driver = self._node(f"{name}-driver", "SUCCEEDED", "system-container-driver")
        if state == "skipped":
            node = self._node(name, "SKIPPED")
            driver["child_tasks"] += _ids([node])
            return [driver], [node]
        node = self._node(name, {"cached": "SUCCEEDED"}.get(state, state.upper()))
        driver["child_tasks"] += _ids([node])
        if "dag" in component:
            first, last = self._dag(component, path)
            node["child_tasks"] += _ids(first)
            return [driver], last or [node]
        inner = self._node("executor", {"cached": "SKIPPED"}.get(state, state.upper()), "impl")
        node["child_tasks"] += _ids([inner])
        for attempt in range(int(retries) + 1) if retries else ():
            failed = attempt < int(retries)
            pod = self._node(f"executor({attempt})", "FAILED" if failed else inner["state"], "impl")
            inner["child_tasks"] += _ids([pod])
        return [driver], [inner]

    def _state(self, path: tuple[str, ...]) -> str:
        """Return how a task is; a pipeline in the pipeline runs once anything in it began."""
        whole = "/".join(path)
        found = self._states.get(whole, self._states.get(path[-1], ""))
        component = self._spec["components"][self._component(path)]
        if found or "dag" not in component:
            return found
        inside = [self._state((*path, name)) for name in component["dag"]["tasks"]]
        begun = [state for state in inside if state]
        if not begun:
            return ""
        if any("failed" in state for state in begun):
            return "failed"
        over = all(s in ("succeeded", "cached", "skipped") for s in begun)
        return "succeeded" if over and len(begun) == len(inside) else "running"

    def _component(self, path: tuple[str, ...]) -> str:
        component = self._spec["root"]
        for name in path:
            reference = component["dag"]["tasks"][name]["componentRef"]["name"]
            component = self._spec["components"][reference]
        return str(reference)


def _ids(nodes: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return references to nodes by Argo's ids, which lack the template that pods' names have."""
    return [{"pod_name": f"{WORKFLOW}-{node['pod_name'].rsplit('-', 1)[-1]}"} for node in nodes]
