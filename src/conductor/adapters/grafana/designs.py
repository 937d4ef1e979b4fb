"""What the dashboards show. Queries name metrics of `/metrics`, of cAdvisor, and of the recording rules in deploy/observability/prometheus.

Law: each query is run against a real Prometheus in a test, and gives something there.
"""

from __future__ import annotations

from conductor.adapters.grafana.building import Design, Panel, bars, lines, logs, number
from conductor.ports.dashboards import Board, Of

DESIGN = 1
"""Count it up with each change: dashboards of an older design are made anew."""


def design_of(board: Board, *, instance: str, page: str = "") -> Design:
    """Draw up a dashboard. `page` is Conductor's own page of it, where there is one."""
    match board.of:
        case Of.RUN:
            return run(board.name, page=page)
        case Of.ENVIRONMENT:
            return environment(board.name, page=page)
        case Of.REPOSITORY:
            return repository(board.name)
        case Of.FLEET:
            return fleet(f"Conductor {instance}: fleet")


def run(name: str, *, title: str = "", page: str = "") -> Design:
    """Show one run: verdict, stages, tests, what it uses, its logs."""
    this = f'run="{quoted(name)}"'
    steps = "max by (step, subject)"
    return Design(
        title=title or f"Run {name}",
        links={"Conductor": page} if page else {},
        annotations={
            "stages": (
                f"{steps} (conductor_run_step_start_time_seconds{{{this}}}) * 1000",
                "{{step}} {{subject}}",
            )
        },
        panels=[
            number(
                "Verdict",
                f"max by (attempt, status, verdict, reason) (conductor_run_info{{{this}}})",
                "{{status}} {{verdict}} {{reason}}",
                width=8,
            ),
            number("Duration", f"max(conductor_run_duration_seconds{{{this}}})", unit="s"),
            number("Peak CPU", f"max(conductor:run_peak_cpu_cores:max{{{this}}})"),
            number("Peak memory", f"max(conductor:run_peak_memory_bytes:max{{{this}}})", unit="bytes"),
            number("Reserved", f"max(conductor_run_reserved_cpu_core_seconds{{{this}}})", unit="s"),
            bars(
                "Stages",
                f"{steps} (conductor_run_step_duration_seconds{{{this}}})",
                "{{step}} {{subject}}",
                unit="s",
            ),
            bars("Tests", f"max by (attempt, result) (conductor_run_tests{{{this}}})", "{{result}}"),
            *_used(name),
            logs("Logs", f"{{{this}}}"),
        ],
    )


def environment(name: str, *, title: str = "", page: str = "") -> Design:
    """Show a development environment: what its workspace uses, and its logs."""
    return Design(
        title=title or f"Environment {name}",
        span="6h",
        links={"Conductor": page} if page else {},
        panels=[*_used(name), logs("Logs", f'{{run="{quoted(name)}"}}')],
    )


def _used(name: str) -> list[Panel]:
    """Show CPU, memory and restarts: of the cluster's pods, or of what Conductor measures itself."""
    this = f'run="{quoted(name)}"'
    places = f'namespace=~"conductor-{quoted(name)}(-[0-9]+)?", container!=""'
    return [
        lines(
            "CPU, in cores",
            (f"conductor:pod_cpu_cores:sum{{{this}}}", "{{pod}}"),
            (f"max by (workload) (conductor_run_cpu_cores{{{this}}})", "{{workload}}"),
            width=8,
        ),
        lines(
            "Memory",
            (f"conductor:pod_memory_bytes:sum{{{this}}}", "{{pod}}"),
            (f"max by (workload) (conductor_run_memory_bytes{{{this}}})", "{{workload}}"),
            unit="bytes",
            width=8,
        ),
        lines(
            "Restarts",
            (
                f"sum by (pod, container) (changes(container_start_time_seconds{{{places}}}[1h]))",
                "{{pod}} {{container}}",
            ),
            width=8,
        ),
    ]


def repository(name: str, *, title: str = "") -> Design:
    """Show a repository: how its runs end, how long they take, what they cost."""
    this = f'repository="{quoted(name)}"'
    return Design(
        title=title or f"Repository {name}",
        span="7d",
        panels=[
            number("Pass rate, a day", f"conductor:pass_ratio:1d{{{this}}}", unit="percentunit"),
            number(
                "At work", f'count(max by (run) (conductor_run_info{{{this}, status!="ended"}})) or vector(0)'
            ),
            lines(
                "Runs by verdict, an hour",
                (f"sum by (verdict) (increase(conductor_runs_total{{{this}}}[1h]))", "{{verdict}}"),
                width=16,
            ),
            lines(
                "Duration of runs",
                (
                    f"histogram_quantile(0.5, sum by (le) (rate(conductor_run_seconds_bucket{{{this}}}[1d])))",
                    "half of them",
                ),
                (
                    f"histogram_quantile(0.95, sum by (le) (rate(conductor_run_seconds_bucket{{{this}}}[1d])))",
                    "95 %",
                ),
                unit="s",
            ),
            lines(
                "Tests that failed",
                (
                    f'sum by (run) (max by (run, result) (conductor_run_tests{{{this}, result=~"failed|errors"}}))',
                    "{{run}}",
                ),
            ),
            lines(
                "Peak memory of runs",
                (f"max by (run) (conductor_run_peak_memory_bytes{{{this}}})", "{{run}}"),
                unit="bytes",
            ),
            lines(
                "CPU reserved, an hour",
                (f"sum(increase(conductor_reserved_cpu_core_seconds_total{{{this}}}[1h]))", "core seconds"),
                unit="s",
            ),
        ],
    )


def fleet(title: str) -> Design:
    """Show all of it: the queue, verdicts, stages, builds, what stands, what is not well."""
    return Design(
        title=title,
        span="6h",
        panels=[
            number("Waiting", 'max(conductor_queue_entries{standing="waiting"})'),
            number("Longest wait", "max(conductor_queue_oldest_seconds)", unit="s"),
            number("Stacks", "sum(max by (status) (conductor_stacks))"),
            number("Environments", "sum(max by (status) (conductor_environments)) or vector(0)"),
            number("Leaks", "max(conductor_leaks)"),
            number("Loops that fail", "sum(max by (loop) (conductor_loop_failing))"),
            lines(
                "Runs by verdict, an hour",
                ("sum by (verdict) (increase(conductor_runs_total[1h]))", "{{verdict}}"),
            ),
            lines(
                "Why runs did not pass, an hour",
                ("sum by (reason) (increase(conductor_run_reasons_total[1h]))", "{{reason}}"),
            ),
            lines("Queue", ("max by (standing) (conductor_queue_entries)", "{{standing}}"), width=8),
            lines("95 % of stages take", ("conductor:step_seconds:p95_1h", "{{step}}"), unit="s", width=8),
            lines("95 % of runs take", ("conductor:run_seconds:p95_1h", "{{repository}}"), unit="s", width=8),
            lines(
                "Builds, an hour",
                ("sum by (result) (increase(conductor_builds_total[1h]))", "{{result}}"),
                width=8,
            ),
            lines(
                "Wait for secrets, 95 %",
                ("conductor:secret_sync_seconds:p95_1h", "secrets"),
                unit="s",
                width=8,
            ),
            lines("CPU of all runs", ("sum(conductor:run_cpu_cores:sum)", "cores"), width=8),
            lines(
                "Swept, an hour", ("sum by (what) (increase(conductor_swept_total[1h]))", "{{what}}"), width=8
            ),
            lines(
                "Cost, an hour",
                (
                    "sum by (repository, currency) (increase(conductor_cost_total[1h]))",
                    "{{repository}} {{currency}}",
                ),
                width=8,
            ),
            lines(
                "99 % of answers begin within",
                (
                    "histogram_quantile(0.99, sum by (route, le) (rate(conductor_http_request_seconds_bucket[5m])))",
                    "{{route}}",
                ),
                unit="s",
                width=8,
            ),
        ],
    )


def quoted(text: str) -> str:
    r"""Make a text fit for a matcher.

    >>> quoted('a"b\\c')
    'a\\"b\\\\c'
    """
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
