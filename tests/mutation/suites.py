"""Which tests have to notice a change in which module: those that mirror it, the nearest first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).resolve().parents[2]

SUITES: Final[Mapping[str, tuple[str, ...]]] = {
    "model/answer": ("model/types", "policy/screening", "policy/decision"),
    "policy/screening": ("policy/screening", "policy/guards"),
    "engine/history": ("engine/history",),
    "text": ("text",),
    "policy/decision": (
        "policy/decision",
        "model/types",
        "policy/guards",
        "policy/orphans",
        "plan/reasons",
    ),
    "inspect/explain": ("inspect/explain", "inspect/explain_reasons"),
    "policy/evidence": ("policy/guards", "engine/guarded_runs"),
    "policy/guards": ("policy/guards", "engine/guarded_runs"),
    "policy/list_formats": ("policy/list_formats",),
    "policy/lists": ("policy/lists",),
    "policy/orders": ("policy/orders",),
    "policy/orphans": ("policy/orphans", "model/types"),
    "engine/rollout": ("engine/rollout",),
    "plan/claims": ("plan/claims", "plan/planner", "plan/limits"),
    "policy/absence": ("policy/absence",),
    "policy/denylist": ("policy/denylist",),
    "policy/clock": ("policy/clock",),
    "policy/crowd": ("policy/guards",),
    "policy/newcomers": ("policy/guards", "engine/guarded_runs"),
    "policy/sightings": ("policy/guards",),
    "plan/limits": ("plan/limits", "plan/result", "engine/rollback/pending"),
    "model/memory": ("model/memory", "model/types", "policy/decision", "policy/guards"),
    "notify/prometheus": ("notify/prometheus",),
    "model/types": (
        "model/types",
        "policy/decision",
        "plan/limits",
        "plan/planner",
        "policy/guards",
    ),
    "model/networks": ("model/networks", "plan/planner"),
    "model/outcome": ("plan/result", "model/types"),
    "plan/result": ("plan/result", "model/types"),
    "model/plan": ("plan/planner", "plan/limits"),
    "plan/planner": ("plan/planner", "plan/limits"),
    "plan/reasons": ("plan/reasons",),
    "engine/options": ("engine/options",),
    "inspect/access_at": ("inspect/access_at",),
    "model/spans": ("policy/denylist", "policy/lists"),
    "model/special_purpose": ("policy/screening",),
    "policy/fleet": ("policy/fleet",),
    "fleet/document": ("fleet/document",),
    "fleet/machines": ("fleet/machines",),
    "fleet/envelope": ("fleet/envelope", "fleet/document"),
    "fleet/fields": ("fleet/document", "fleet/envelope"),
    "fleet/host_fields": ("fleet/document",),
    "fleet/parts": ("fleet/parts",),
    "policy/fold": ("policy/tracking", "policy/decision"),
    "policy/inheritance": ("policy/names", "policy/tracking"),
    "policy/tracking": ("policy/tracking", "policy/decision", "policy/guards"),
}


def source(module: str) -> Path:
    """The file of a module."""
    return ROOT / f"allowsync/{module}.py"


def suite(module: str) -> tuple[str, ...]:
    """The files that test it, those that exist."""
    files = (_file(name) for name in SUITES[module])
    return tuple(file for file in files if (ROOT / file).exists())


def _file(name: str) -> str:
    folder, _, leaf = name.rpartition("/")
    return f"tests/allowsync/{folder}/test_{leaf}.py".replace("//", "/")
