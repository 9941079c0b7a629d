#!/usr/bin/env python3
"""Asks task runners what is in the packages of packages.tsv, and writes their answers to answers.json.

    record.py NAGAYA CORPUS RUNNERS

CORPUS is where the test unpacked the packages (target/corpus/unpacked), RUNNERS the folder of the runners' programs
(target/peers/tasks/bin), which come before those on PATH. Runners execute what is in their files, so each is asked as the
account nobody, on a copy, without a network (unshare) and with a time limit. A folder whose runner fails is left out: most need
what only an installed project has. Needs root.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PATIENCE = 60


def lines(out):
    return [line.rstrip() for line in out.splitlines() if line.strip()]


def first(out):
    return [line.split()[0] for line in lines(out)]


def make(out):
    files = out.split("\n# Files\n")[1].split("\n# files hash-table stats")[0]
    names = []
    for block in files.split("\n\n"):
        # What is only in `.PHONY` has neither recipe nor prerequisites: make has nothing to do for it.
        is_named_only = "#  Phony target" in block and "#  recipe to execute" not in block
        if "# Not a target:" in block or is_named_only and re.search(r"^\S+:$", block, re.M):
            continue
        rules = [line for line in block.splitlines() if line and line[0] not in "#\t." and not re.search(r"^[^:]*:[^=]*[:?+]?= ", line)]
        if rules and ":" in rules[0]:
            names.append(re.split(r"::?(?:\s|$)", rules[0])[0])
    return names


def tox(out):
    if "HandledError" in out:
        raise ValueError(out)
    return lines(out)


def just(out):
    def walk(space, module):
        for name in module["recipes"]:
            yield space + name
        for name, inner in module.get("modules", {}).items():
            yield from walk(f"{space}{name}::", inner)
    return list(walk("", json.loads(out)))


def hatch(out):
    found = []
    for name, environment in json.loads(out).items():
        if not name.startswith("hatch-"):
            found += [script if name == "default" else f"{name}:{script}" for script in environment.get("scripts", {})]
    return found


def cmake(out):
    kind, found = "", []
    for line in out.splitlines():
        if line.strip().startswith("Available "):
            kind = line.split()[1]
        elif '"' in line:
            found.append(f"{kind}:{line.split(chr(34))[1]}")
    return found


ASK = {
    "make": (["make", "-pRrq", "-f", "{file}", ":"], make),
    "npm": (["npm", "run", "--json"], lambda out: list(json.loads(out))),
    "just": (["just", "--justfile", "{file}", "--dump", "--dump-format", "json"], just),
    "tox": (["tox", "-a", "-q", "--no-provision"], tox),
    "poe": (["poe", "_list_tasks"], str.split),
    "pdm": (["pdm", "run", "--json"], lambda out: [name for name in json.loads(out) if name != "_"]),
    "hatch": (["hatch", "env", "show", "--json"], hatch),
    "taskipy": (["task", "-l"], lambda out: [line.split()[0] for line in lines(out) if line[0] != " "]),
    "nox": (["nox", "--list-sessions"], lambda out: re.findall(r"^[*-] ([^\s(]+)", out, re.M)),
    "invoke": (["invoke", "--list"], lambda out: [line.split()[0] for line in out.splitlines() if line.startswith("  ")]),
    "doit": (["doit", "list", "--all"], first),
    "duty": (["duty", "--list"], first),
    "cmake": (["cmake", "--list-presets=all"], cmake),
}


def ask(words, folder, runners):
    variables = {"PATH": f"{runners}:{os.environ['PATH']}", "HOME": str(folder), "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "unshare", "-rn", *words]
    said = subprocess.run(command, cwd=folder, env=variables, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=PATIENCE)
    # make ends with 1 or 2 where something is not up to date.
    if said.returncode and words[0] != "make":
        raise ValueError(said.stderr[-200:])
    return said.stdout


def main():
    nagaya, corpus, runners = map(Path, sys.argv[1:4])
    answers, refused = {}, {}
    for package in sorted(corpus.iterdir()):
        found = subprocess.run([nagaya, "tasks", package, "--json", "--sources"], capture_output=True, check=True)
        for source in json.loads(found.stdout)["sources"]:
            if source["runner"] not in ASK:
                continue
            words, names = ASK[source["runner"]]
            place = f"{source['runner']} {source['file']}"
            with tempfile.TemporaryDirectory() as copy:
                shutil.copytree(package, f"{copy}/p", symlinks=True)
                subprocess.run(["chown", "-R", "65534:65534", copy], check=True)
                file = Path(copy, "p", source["file"])
                try:
                    out = ask([word.replace("{file}", file.name) for word in words], file.parent, runners)
                    said = sorted({name for name in names(out) if name and "%" not in name})
                except (subprocess.TimeoutExpired, ValueError, IndexError, KeyError, TypeError) as error:
                    refused[f"{package.name} {place}"] = repr(error)[:100]
                    continue
                if said:
                    answers.setdefault(package.name, {})[place] = said
    path = Path(__file__).with_name("answers.json")
    path.write_text(json.dumps(answers, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    print(f"{sum(map(len, answers.values()))} answers of {len(answers)} packages; not asked:", *refused.items(), sep="\n")


if __name__ == "__main__":
    main()
