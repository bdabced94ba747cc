"""Which faults this learner gets: as many as asked for, of the level, no two of them on one rung or at one object."""

import random
import tomllib
from itertools import permutations
from pathlib import Path

from minidock.labs.seeds import filled

CATALOGUE = tomllib.loads(Path(__file__).with_name("faults.toml").read_text(encoding="utf-8"))


def draw(values):
    """The scripts, the names and the sentences of the faults; `_ONLY` names one by its number in the catalogue."""
    faults = chosen(values)
    orders = [", ".join(fault["name"] for fault in order) for order in permutations(faults)]
    return {
        "SYMPTOM_EN": told(faults, "en", values), "SYMPTOM_KO": told(faults, "ko", values),
        "_INJECT": scripts(faults, "inject", values), "_FIX": scripts(faults[::-1], "fix", values),
        "_HEALTHY": [script(fault, "healthy", values) for fault in faults],
        "_BREAKS": [fault["breaks"] for fault in faults],
        **{f"_NAMES{number}": orders[number % len(orders)] for number in range(6)},
    }


def chosen(values):
    """The faults, in the order of their injection."""
    if "_ONLY" in values:
        return [CATALOGUE["fault"][values["_ONLY"]]]
    waiting = [fault for fault in CATALOGUE["fault"] if values["LEVEL"] in ("hard", fault["level"])]
    random.Random(f"{values['SEED']}/{values['LAB']}/{values['LEVEL']}").shuffle(waiting)
    faults = []
    while len(faults) < values["FAULTS"]:
        faults.append(waiting.pop(0))
        taken = {word for fault in faults for word in fault["name"].split()}
        waiting = [fault for fault in waiting if not taken & set(fault["name"].split())]
    return faults


def script(fault, part, values):
    """One of a fault's scripts, filled in; $NS is the namespace of its object."""
    where = fault["name"].split()[1]
    head = "" if where == "host" else f"NS=$(namespace {where})\n"
    return head + filled(fault[part].strip(), values)


def scripts(faults, part, values):
    """Those of all, one after the other."""
    return "\n".join(script(fault, part, values) for fault in faults)


def told(faults, language, values):
    """What people complain about, a line each."""
    symptoms = dict.fromkeys(fault["symptom"] for fault in faults)
    return "\n".join(f"- {filled(CATALOGUE['symptom'][key][language], values)}" for key in symptoms)
