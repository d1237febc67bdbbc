"""Proves the form of the features, which are for hardware engineers.

A scenario has one When, a feature uses no word of the program's insides, and the table of what
scenarios need names only scenarios that exist.
"""

import os
import re

import pytest

from features.conftest import BACKENDS
from features.scenarios import EVERY_SCENARIO, NEEDS, Ability, named

HERE = os.path.dirname(os.path.abspath(__file__))
FEATURES = sorted(name for name in os.listdir(HERE) if name.endswith(".feature"))
INSIDES = re.compile(r"/sys/|/proc/|sysfs|\bpid\b|json|socket|flock|python|qemu", re.IGNORECASE)


def read(name: str) -> str:
    with open(f"{HERE}/{name}") as file:
        return file.read()


def test_there_are_features() -> None:
    assert len(FEATURES) >= 10


@pytest.mark.parametrize("name", FEATURES)
def test_file_names_begin_with_a_rule_code(name: str) -> None:
    assert re.fullmatch(r"[A-Z]{3}[0-9]{3}_[a-z_]+\.feature", name)


@pytest.mark.parametrize("name", FEATURES)
def test_a_sentence_under_feature_states_the_rule(name: str) -> None:
    lines = read(name).splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith("Feature:")]
    rule = []
    for line in lines[at + 1 :]:
        if not line.strip():
            break
        rule.append(line.strip())
    assert re.fullmatch(r"[A-Z][^.]+\.", " ".join(rule)), rule


@pytest.mark.parametrize("name", FEATURES)
def test_each_scenario_has_one_when(name: str) -> None:
    for scenario in re.split(r"\n +Scenario(?: Outline)?: ", read(name))[1:]:
        title = scenario.splitlines()[0]
        assert len(re.findall(r"^ +When ", scenario, re.MULTILINE)) == 1, title


@pytest.mark.parametrize("name", FEATURES)
def test_features_keep_to_the_words_of_the_trade(name: str) -> None:
    found = INSIDES.search(read(name))
    assert found is None, found


@pytest.mark.parametrize("name", FEATURES)
def test_tags_are_for_readers(name: str) -> None:
    """What pytest alone needs is in scenarios.py."""
    tags = re.findall(r"@\S+", read(name))
    assert [tag for tag in tags if not re.match(r"@(promise-[0-9]+|spec:\S+#\S+)$", tag)] == []


def test_the_table_of_needs_names_scenarios_that_exist() -> None:
    titles = {
        name[:6]: {
            EVERY_SCENARIO,
            *re.findall(r"^ +Scenario[^:]*: (.+)$", read(name), re.MULTILINE),
        }
        for name in FEATURES
    }
    assert [pair for pair in named() if pair[1] not in titles.get(pair[0], ())] == []


def test_each_ability_is_needed_by_a_scenario_and_had_by_a_backend() -> None:
    needed = {a for of_rule in NEEDS.values() for abilities in of_rule.values() for a in abilities}
    assert needed == set(Ability)
    had: set[Ability] = set().union(*(backend.abilities for backend in BACKENDS.values()))
    # This kernel decides on one of the two; a guest's kernel on CRASH, INPUT and so on.
    assert set(Ability) - had <= {Ability.RELEASE_BY_KERNEL, Ability.FIRMWARE_DIRECTORY}
