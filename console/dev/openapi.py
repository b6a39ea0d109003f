"""Write the server's schema as OpenAPI components: python console/dev/openapi.py > console/src/api/openapi.json."""

from __future__ import annotations

import json
import sys

from pydantic.json_schema import models_json_schema

from gemel.server import service_schema
from gemel.server.remembering import MemoryView
from gemel.server.schema import ANSWERS, REQUESTS


def document() -> str:
    """Return the OpenAPI document, indented, ending in a newline."""
    answers = [*ANSWERS, *service_schema.ANSWERS, MemoryView]
    _, schema = models_json_schema(
        [*((model, "serialization") for model in answers), *((model, "validation") for model in REQUESTS)],
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
