"""The workflows: they name only commands and options that exist, and may do no more than they need.

Their schema is checked by `tox -e lint`."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
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


def test_environments_are_cached_by_what_they_are_built_from() -> None:
    action = REPOSITORY / ".github" / "actions" / "prepare" / "action.yml"
    (cache,) = [s["with"] for s in yaml.safe_load(action.read_text())["runs"]["steps"] if "if" in s]
    patterns = re.findall(r"'(impls/[^']+)'", cache["key"])
    kept = {path for pattern in patterns for path in REPOSITORY.glob(pattern)}
    folders = (REPOSITORY / "impls").glob("*/*")
    sources = re.compile(r"requirements-cpu\.txt|.*\.lock|framework\.toml")
    assert {path for path in folders if sources.fullmatch(path.name)} == kept
    assert "~/.cache/convmark/envs" in cache["path"].split()


@pytest.mark.parametrize(("workflow", "job"), [("ci.yml", "readme"), ("nightly.yml", "parity")])
def test_what_needs_environments_keeps_them(workflow: str, job: str) -> None:
    steps = WORKFLOWS[workflow]["jobs"][job]["steps"]
    (prepare,) = [s for s in steps if s.get("uses") == "./.github/actions/prepare"]
    assert prepare["with"]["environments"]


# -- the shell of steps, with a gh that only says what it was asked --------------------------------

GH = """#!/usr/bin/env bash
echo "$*" >> calls.txt
case "$1 $2" in
  "api --paginate") cat artifacts.txt ;;
  "issue list") cat open.txt ;;
esac
"""


def step(job: str, name: str, folder: Path, **variables: str) -> list[str]:
    """Run the shell of a step in a folder; what gh was asked."""
    (script,) = [s["run"] for s in NIGHTLY[job]["steps"] if s.get("name") == name]
    (folder / "gh").write_text(GH)
    (folder / "gh").chmod(0o755)
    about = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", **variables}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    subprocess.run(command, cwd=folder, env=about, check=True)
    calls = folder / "calls.txt"
    return calls.read_text().splitlines() if calls.exists() else []


def test_the_newest_nights_of_this_machine_and_branch_are_fetched(tmp_path: Path) -> None:
    artifacts = ["night-cpu-20261101 11 main", "night-cpu-20261103 13 main", "smoke-torch 14 main",
                 "night-cpu-20261102 12 main", "night-cpu-20261104 15 mine",
                 "night-gpu-20261104 15 main"]  # fmt: skip
    (tmp_path / "artifacts.txt").write_text("\n".join(artifacts) + "\n")
    about = {"KIND": "night-cpu-", "BRANCH": "main", "NIGHTS": "2", "GITHUB_REPOSITORY": "a/b"}
    fetched = [
        line
        for line in step("time", "Fetch the nights before", tmp_path, **about)
        if "down" in line
    ]
    assert fetched == [
        f"run download {run} --repo a/b --name night-cpu-{day} --dir results/nights/{day}"
        for run, day in ((13, 20261103), (12, 20261102))
    ]


def morning(folder: Path, **nights: dict[str, bool]) -> Path:
    """The artifacts of a night, with a report each."""
    for machine, found in nights.items():
        night = folder / "nights" / f"night-{machine}-20261103-012300"
        (night / "report").mkdir(parents=True)
        (night / "report" / "index.html").write_text(machine)
        (night / "night.md").write_text("SLOWER\n")
        (night / "night.json").write_text(json.dumps(found))
    return folder


ALARM = "Open or continue the issue of each machine that became slower"
SLOWER, FINE = {"regression": True, "good": False}, {"regression": False, "good": True}


@pytest.mark.skipif(not shutil.which("jq"), reason="needs jq")
@pytest.mark.parametrize(("number", "asked"), [("", "issue create --title Slower on cpu"),
                                               ("7", "issue comment 7")])  # fmt: skip
def test_an_issue_is_opened_or_continued(tmp_path: Path, number: str, asked: str) -> None:
    (tmp_path / "open.txt").write_text(number)
    accepted = {"regression": True, "good": True}
    morning(tmp_path, cpu=SLOWER, gpu=FINE, other=accepted)
    body = "nights/night-cpu-20261103-012300/night.md"
    listed, done = step("alarm", ALARM, tmp_path, RUN="http://run")
    assert listed.startswith("issue list --state open")
    assert done == f"{asked} --body-file {body}"
    assert (tmp_path / body).read_text() == "SLOWER\nSamples and report: http://run\n"


def test_the_pages_have_a_folder_for_each_machine(tmp_path: Path) -> None:
    step("pages", "A folder for each machine", morning(tmp_path, cpu=FINE, gpu=SLOWER))
    for machine in ("cpu", "gpu"):
        assert (tmp_path / "site" / machine / "index.html").read_text() == machine
        assert f'href="{machine}/index.html"' in (tmp_path / "site" / "index.html").read_text()
