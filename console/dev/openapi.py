"""Write the server's schema as OpenAPI components: python console/dev/openapi.py > console/src/api/openapi.json."""

from __future__ import annotations

import json
import sys

from pydantic.json_schema import models_json_schema

from gemel.server import alerting, reaching, service_schema, talking, team, tooling
from gemel.server.remembering import MemoryView
from gemel.server.schema import ANSWERS, REQUESTS

PEOPLE = (
    alerting.NoticeView, alerting.RuleView, team.PlanView, team.MemberView, team.RoleView, team.HandOver, tooling.ToolView,
    tooling.PaperView, talking.Said, talking.Talked, reaching.Reach,
)  # fmt: skip
SAYING = (
    alerting.RuleBody, alerting.Acknowledge, team.ChangeBody, team.ReviewBody, team.Join, tooling.Asked, reaching.ReachBody,
)  # fmt: skip


def document() -> str:
    """Return the OpenAPI document, indented, ending in a newline."""
    answers = [*ANSWERS, *service_schema.ANSWERS, MemoryView, *PEOPLE]
    _, schema = models_json_schema(
        [*((model, "serialization") for model in answers), *((model, "validation") for model in (*REQUESTS, *SAYING))],
        ref_template="#/components/schemas/{model}",
    )
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "Gemel", "version": "1"},
        "paths": {},
        "components": {"schemas": schema["$defs"]},
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
