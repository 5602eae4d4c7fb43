"""Guests in other frameworks' environments, absent modes, and tunings that are left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench import cases, entrants, frameworks, machine, settings
from bench.cases import Contender
from bench.entrants import Entrant
from bench.envs import Environment
from bench.errors import BenchError, Unavailable
from bench.settings import Setting

HOST = """
title = "Host"
package = "host"
version = "1.0"
python = "3.11"
[cpu]
lock = "requirements-cpu.txt"
[absent]
dream = "the wheel has no dream"
[[setting]]
name = "HOST_THREADS"
value = "{threads}"
reason = "a test"
[[setting]]
name = "HOST_FAST"
value = "1"
reason = "a test"
when = "amd"
tuning = true
"""
GUEST = """
title = "Guest"
package = "guest"
version = "3.0"
[[guest]]
modes = ["new"]
host = "host"
[[guest]]
modes = ["old"]
host = "host"
adapter = "old.py"
version = "2.0"
[[setting]]
name = "GUEST"
value = "{prefix}"
reason = "a test"
"""


@pytest.fixture
def impls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two frameworks, one the guest of the other, on an AMD processor."""
    for name, text in (("host", HOST), ("guest", GUEST)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "framework.toml").write_text(text)
    (tmp_path / "host" / "requirements-cpu.txt").touch()
    (tmp_path / "host" / "adapter.py").write_text('NAME = "host"\nMODES = ("plain",)\n')
    (tmp_path / "guest" / "adapter.py").write_text('NAME = "guest"\nMODES = ("new",)\n')
    (tmp_path / "guest" / "old.py").write_text('NAME = "guest"\nMODES = ("old",)\n')
    monkeypatch.setattr(machine, "traits", lambda: {"amd"})
    known = frameworks.discover(tmp_path)
    monkeypatch.setattr(frameworks, "discover", lambda: known)
    return tmp_path


def enter(*contenders: Contender) -> list[Entrant | Unavailable]:
    host = frameworks.discover()["host"]
    environments = {"host": Environment(host, "cpu", "cpu", Path("/env"), "0")}
    return list(entrants.enter(contenders, environments, "cpu").values())


def test_guests_have_their_own_adapter_and_version_in_the_hosts_environment(impls: Path) -> None:
    guest = frameworks.discover()["guest"]
    assert guest.modes == ("new", "old")
    new, old = enter(Contender("guest", "new"), Contender("guest", "old"))
    assert isinstance(new, Entrant) and isinstance(old, Entrant)
    assert (new.adapter.name, old.adapter.name) == ("adapter.py", "old.py")
    assert (new.place.version, old.place.version) == ("3.0", "2.0")
    assert new.python == Path("/env/bin/python")
    assert old.sources == [impls / "guest" / "old.py", impls / "host" / "adapter.py"]
    wanted = {"HOST_THREADS": "2", "HOST_FAST": "1", "GUEST": "/env"}
    assert new.variables(2) == wanted


def test_one_environment_is_built_for_all_its_contenders(impls: Path) -> None:
    known = frameworks.discover()
    contenders = cases.contenders(list(known.values()), "all")
    assert [f.name for f in entrants.hosts(contenders, known)] == ["host"]


def test_an_absent_mode_is_a_contender_that_cannot_start(impls: Path) -> None:
    host = frameworks.discover()["host"]
    assert host.modes == ("plain",)
    contenders = cases.contenders([host], "all")
    assert [c.mode for c in contenders] == ["plain", "dream"]
    plain, dream = enter(*contenders)
    assert isinstance(plain, Entrant)
    assert isinstance(dream, Unavailable) and dream.reason == "the wheel has no dream"


def test_untuned_adds_each_contender_that_a_tuning_applies_to(
    impls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, plain = frameworks.discover(), Contender("host", "plain")
    both = entrants.untuned([plain, Contender("host", "dream")], known, "cpu")
    assert both == [plain, Contender("host", "plain", tuned=False), Contender("host", "dream")]
    assert str(both[1]) == "host plain untuned"
    tuned, untuned = enter(*both[:2])
    assert isinstance(tuned, Entrant) and isinstance(untuned, Entrant)
    assert tuned.variables(1) == {"HOST_THREADS": "1", "HOST_FAST": "1"}
    assert untuned.variables(1) == {"HOST_THREADS": "1"}
    monkeypatch.setattr(machine, "traits", lambda: {"intel"})
    assert entrants.untuned([plain], known, "cpu") == [plain]
    assert [e.variables(1) for e in enter(plain) if isinstance(e, Entrant)] == [
        {"HOST_THREADS": "1"}
    ]


def test_a_run_records_what_was_set_and_why(impls: Path) -> None:
    (entrant,) = enter(Contender("host", "plain"))
    assert isinstance(entrant, Entrant)
    facts = entrant.facts(4)
    assert facts["settings"][0] == {
        "name": "HOST_THREADS", "value": "4", "reason": "a test", "tuning": False,
    }  # fmt: skip
    assert facts["settings"][1]["tuning"] is True
    assert (facts["version"], facts["environment"], facts["lock"]) == ("1.0", "env", "0")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('["old"]', '["older"]', r"\[\[guest\]\]: unknown mode of old.py 'older'. Did you mean"),
        ('["old"]', "[]", r"\[\[guest\]\]: unknown mode of old.py ''"),
        ('host = "host"\nadapter', "adapter", r"\[\[guest\]\]: host is missing"),
        ('host = "host"\nadapter', 'host = "hos"\nadapter', "unknown framework 'hos'"),
    ],
)
def test_a_wrong_guest_is_named(impls: Path, old: str, new: str, message: str) -> None:
    path = impls / "guest" / "framework.toml"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(BenchError, match=message):
        frameworks.hosted(frameworks.load(impls / "guest"), frameworks.discover())


@pytest.mark.parametrize(
    ("device", "when", "tuned", "applies"),
    [
        ("", "", False, True),
        ("cuda", "", True, False),
        ("cpu", "", True, True),
        ("", "amd", True, True),
        ("", "amd", False, False),
        ("", "intel", True, False),
    ],
)
def test_when_a_setting_applies(
    monkeypatch: pytest.MonkeyPatch, device: str, when: str, tuned: bool, applies: bool
) -> None:
    monkeypatch.setattr(machine, "traits", lambda: {"amd", "avx512"})
    setting = Setting("A", "1", "a test", device, when, tuning=bool(when))
    assert setting.applies("cpu", tuned) is applies
    assert settings.applied([setting, replace(setting, device="cuda")], "cpu", tuned) == (
        [setting] if applies else []
    )


def test_a_tuning_may_replace_a_setting() -> None:
    plain, fast = Setting("A", "1", "a test"), Setting("A", "2", "a test", tuning=True)
    assert settings.applied([plain, fast], "cpu", tuned=True) == [fast]
    assert settings.applied([plain, fast], "cpu", tuned=False) == [plain]
