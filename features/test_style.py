"""The features are for hardware engineers: one scenario one When, and no word of our insides."""

import os
import re

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
FEATURES = sorted(name for name in os.listdir(HERE) if name.endswith(".feature"))
INSIDES = re.compile(r"/sys/|/proc/|sysfs|\bpid\b|json|socket|flock|python|qemu", re.IGNORECASE)


def read(name):
    with open(f"{HERE}/{name}") as file:
        return file.read()


def test_there_are_features():
    assert len(FEATURES) >= 10


@pytest.mark.parametrize("name", FEATURES)
def test_file_names_begin_with_a_rule_code(name):
    assert re.fullmatch(r"[A-Z]{3}[0-9]{3}_[a-z_]+\.feature", name)


@pytest.mark.parametrize("name", FEATURES)
def test_a_sentence_under_feature_states_the_rule(name):
    lines = read(name).splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith("Feature:")]
    rule = []
    for line in lines[at + 1 :]:
        if not line.strip():
            break
        rule.append(line.strip())
    assert re.fullmatch(r"[A-Z][^.]+\.", " ".join(rule)), rule


@pytest.mark.parametrize("name", FEATURES)
def test_each_scenario_has_one_when(name):
    for scenario in re.split(r"\n +Scenario(?: Outline)?: ", read(name))[1:]:
        title = scenario.splitlines()[0]
        assert len(re.findall(r"^ +When ", scenario, re.MULTILINE)) == 1, title


@pytest.mark.parametrize("name", FEATURES)
def test_features_keep_to_the_words_of_the_trade(name):
    found = INSIDES.search(read(name))
    assert found is None, found
