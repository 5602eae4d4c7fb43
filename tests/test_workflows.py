"""The workflows: they name only commands and options that exist, and may do no more than they need.

Their schema is checked by `tox -e lint`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import click
import pytest
import yaml

from bench.cli import bench
from tests.conftest import REPOSITORY
from tests.test_documents import COMMANDS
from tests.test_nightly import nightly

FOLDER = REPOSITORY / ".github" / "workflows"
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yml"))}
NIGHTLY = WORKFLOWS["nightly.yml"]["jobs"]
CALL = re.compile(r"(?:python -m bench|\bbin/bench|scripts/nightly)\s+[^|;&)\n]*")
END = ("&&", "||", "|", ";")


def scripts(workflow: str) -> Iterator[str]:
    """The shell of each step, continued lines joined."""
    for job in WORKFLOWS[workflow]["jobs"].values():
        for step in job["steps"]:
            yield step.get("run", "").replace("\\\n", " ")


def called(text: str) -> list[list[str]]:
    """The words of each call of bench or of scripts/nightly."""
    return [shlex.split(match, comments=True) for match in CALL.findall(text)]


def wrong(words: list[str]) -> list[str]:
    """What does not exist in a call of bench or of scripts/nightly."""
    context = click.Context(bench)
    if words[0] == "scripts/nightly":
        known, rest = options(nightly.main) | options(bench.get_command(context, "run")), words[1:]
    else:
        name, *rest = words[words.index("bench") + 1 :] if "bench" in words else words[1:]
        if name not in bench.list_commands(context):
            return [name]
        known = options(bench.get_command(context, name))
    return [w for w in rest if w.startswith("--") and w.partition("=")[0] not in known]


def options(command: click.Command | None) -> set[str]:
    assert command
    return {name for parameter in command.params for name in parameter.opts}


CALLS = [words for name in WORKFLOWS for script in scripts(name) for words in called(script)]
GUIDE = called((REPOSITORY / "docs" / "nightly.md").read_text().replace("\\\n", " "))


def test_the_calls_are_found() -> None:
    assert {words[3] for words in CALLS if words[0] == "python"} == {
        "list",
        "setup",
        "check",
        "run",
    }
    assert [words[0] for words in CALLS].count("scripts/nightly") == 1
    assert GUIDE


@pytest.mark.parametrize("words", [*CALLS, *GUIDE], ids=" ".join)
def test_only_commands_and_options_that_exist_are_named(words: list[str]) -> None:
    assert wrong(words) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("python -m bench rnu --device cpu", ["rnu"]),
        ("python -m bench run --devcie cpu | cat", ["--devcie"]),
        (".venv/bin/python scripts/nightly --nmae x --budget 5m", ["--nmae"]),
    ],
)
def test_other_words_would_be_seen(text: str, found: list[str]) -> None:
    assert [word for words in called(text) for word in wrong(words)] == found


def test_ci_runs_the_readmes_test_command_and_every_environment_of_tox() -> None:
    assert COMMANDS[1] in list(scripts("ci.yml"))
    checks = WORKFLOWS["ci.yml"]["jobs"]["fast"]["strategy"]["matrix"]["check"]
    tox = (REPOSITORY / "tox.ini").read_text()
    assert [check for check in checks if f"[testenv:{check}]" not in tox] == []


def test_every_workflow_is_linted() -> None:
    tox = (REPOSITORY / "tox.ini").read_text()
    assert [name for name in WORKFLOWS if f".github/workflows/{name}" not in tox] == []


def test_every_workflow_may_only_read_but_for_what_its_jobs_say() -> None:
    assert WORKFLOWS["ci.yml"]["permissions"] == {"contents": "read"}
    assert WORKFLOWS["nightly.yml"]["permissions"] == {"contents": "read"}
    may = {name: writes(job) for name, job in NIGHTLY.items() if writes(job)}
    assert may == {"alarm": {"issues"}, "pages": {"pages", "id-token"}}


def writes(job: dict[str, Any]) -> set[str]:
    return {what for what, access in job.get("permissions", {}).items() if access == "write"}


def test_two_timings_never_share_a_machine() -> None:
    groups = {
        str(job["runs-on"]): job["concurrency"]
        for job in NIGHTLY.values()
        if "self-hosted" in job["runs-on"]
    }
    assert groups == {
        "['self-hosted', 'convmark-${{ matrix.machine }}']": {
            "group": "convmark-${{ matrix.machine }}", "cancel-in-progress": False,
        }
    }  # fmt: skip


@pytest.mark.parametrize(("workflow", "job"), [("ci.yml", "readme"), ("nightly.yml", "parity")])
def test_environments_are_cached_by_what_they_are_built_from(workflow: str, job: str) -> None:
    (cache,) = [
        step["with"]
        for step in WORKFLOWS[workflow]["jobs"][job]["steps"]
        if str(step.get("uses")).startswith("actions/cache@")
    ]
    locks = re.findall(r"'(impls/[^']+)'", cache["key"])
    kept = {path for pattern in locks for path in REPOSITORY.glob(pattern)}
    built = {
        path
        for path in (REPOSITORY / "impls").glob("*/*")
        if re.search(r"requirements-cpu\.txt|\.lock$|framework\.toml", path.name)
    }
    assert built <= kept
    assert "~/.cache/convmark/envs" in cache["path"].split()
