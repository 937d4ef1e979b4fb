"""Write the dashboards that are provisioned: `python -m conductor.adapters.grafana FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from conductor.adapters.grafana.provisioned import provisioned

if __name__ == "__main__":
    for name, dashboard in provisioned().items():
        (Path(sys.argv[1]) / f"{name}.json").write_text(json.dumps(dashboard, indent=1) + "\n")
