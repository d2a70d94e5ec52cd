"""The checks of the house find planted violations."""

import os
import shutil
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.fixture
def tree(tmp_path):
    """A copy of sources and tools, as a git tree of its own."""
    for name in ("src", "tools", "tests"):
        shutil.copytree(os.path.join(ROOT, name), tmp_path / name,
                        ignore=shutil.ignore_patterns("__pycache__", "corpus", "target"))
    shutil.copy(os.path.join(ROOT, ".clang-format"), tmp_path / ".clang-format")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def run(tree, *command):
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


def append(tree, name, text):
    with open(tree / name, "a", encoding="utf-8") as file:
        file.write(text)


def test_the_tree_itself_is_clean(tree):
    assert run(tree, "tools/check_layers").returncode == 0
    assert run(tree, "tools/tidy").returncode == 0


def test_an_include_upwards_is_found(tree):
    append(tree, "src/foundation/base/str.c", '#include "engine/column/batch.h"\n')
    done = run(tree, "tools/check_layers")
    assert done.returncode != 0
    assert "foundation/base may not use engine/column" in done.stdout


def test_a_third_party_header_away_from_home_is_found(tree):
    append(tree, "src/engine/expr/eval.c", "#include <sqlite3.h>\n")
    done = run(tree, "tools/check_layers")
    assert done.returncode != 0 and "sqlite3.h belongs to" in done.stdout


def test_a_private_header_of_another_module_is_found(tree):
    append(tree, "src/service/api/api.c", '#include "service/alert/alert_impl.h"\n')
    done = run(tree, "tools/check_layers")
    assert done.returncode != 0 and "is for its own module" in done.stdout


def library(tree, name, **files):
    """build/lib`name`.a out of files and their code."""
    build = tree / "build"
    build.mkdir(exist_ok=True)
    objects = []
    for file, code in files.items():
        (build / f"{file}.c").write_text(code)
        objects.append(build / f"src_{name}_{file}.c.o")
        subprocess.run(["gcc", "-c", build / f"{file}.c", "-o", objects[-1]], check=True)
    subprocess.run(["ar", "rc", build / f"lib{name}.a", *objects], check=True)


def test_a_symbol_declared_by_hand_is_found(tree):
    """nm sees what no include shows: base calling into a module above it."""
    library(tree, "foundation_base", planted="void batch_unref(void *); void planted(void);\n"
                                             "void planted(void) { batch_unref(0); }\n")
    library(tree, "engine_column", batch="void batch_unref(void *b) { (void)b; }\n")
    done = run(tree, "tools/check_layers", "build")
    assert done.returncode != 0 and "foundation/base uses batch_unref of engine/column" in done.stdout


def test_files_that_use_each_other_are_found(tree):
    """A circle may only shrink: what is new fails, and so does what is listed and gone."""
    a, b = "void b(void); void a(void) { b(); }\n", "void c(void); void b(void) { c(); }\n"
    files = {"a": a, "b": b, "c": "void a(void); void c(void) { a(); }\n", "d": "void a(void); void d(void) { a(); }\n"}
    (tree / "tools/circles.txt").write_text("")
    library(tree, "engine_format", **files)
    done = run(tree, "tools/check_layers", "build")
    assert done.returncode != 0 and "engine/format: files use each other in a circle: a b c\n" in done.stdout
    (tree / "tools/circles.txt").write_text("engine/format: a b c\n")
    assert run(tree, "tools/check_layers", "build").returncode == 0
    (tree / "tools/circles.txt").write_text("engine/format: a b c d\n")
    done = run(tree, "tools/check_layers", "build")
    assert done.returncode != 0 and "take out, in no circle any more: d\n" in done.stdout


@pytest.mark.parametrize("text, found", [
    ('"kafka"', True), ('"KAFKA"', True), ('"sqlite:///x.db"', True), ('"postgresql+driver://h"', True),
    ('"csv"', True), ('"kafka: it is down"', False), ('"names a kafka topic"', False), ('/* "kafka" */', False),
    ('"\\"kafka"', False),
])
def test_a_system_called_by_its_name_is_found(tree, text, found):
    append(tree, "src/work/flow/flow.c", f"extern const char *planted; /* */ {text}\n")
    done = run(tree, "tools/check_layers")
    assert ("names a system" in done.stdout) == found, done.stdout
    assert (done.returncode != 0) == found


@pytest.mark.parametrize("text, message", [
    ("static void planted(void)\n{\n" + "    ;\n" * 71 + "}\n", "a function of 71 lines"),
    ("/* " + "x" * 100 + " */\n", "columns (limit 100)"),
    ("void planted(char *a)\n{\n    strcpy(a, \"b\");\n}\n", "strcpy is banned"),
    ("/* TO" + "DO: later */\n", "unfinished work"),
    ("/* /ho" + "me/somebody/x */\n", "a path of a machine"),
    ("void planted(void)\n{\n" + "    {\n" * 6 + "    }\n" * 6 + "}\n", "nested"),
])
def test_tidy_finds(tree, text, message):
    append(tree, "src/engine/expr/eval.c", text)
    done = run(tree, "tools/tidy", str(tree))
    assert done.returncode != 0 and message in done.stdout


def test_a_struct_of_too_many_fields_is_found(tree):
    """Names count, not lines; what is nested counts once; the list may only shrink."""
    name, listed = "src/engine/expr/eval.c", "src/engine/expr/eval.c: Planted\n"
    fields = "    int a1, *a2, a3[4];\n    struct {\n        int x, y, z;\n    } a4;\n    int (*a5)(int, int);\n"
    fields += "".join(f"    int b{i};\n" for i in range(15))
    append(tree, name, "typedef struct Planted {\n" + fields + "} Planted;\n")
    assert run(tree, "tools/tidy", str(tree)).returncode == 0
    append(tree, "tools/wide_structs.txt", listed)
    done = run(tree, "tools/tidy", str(tree))
    assert done.returncode != 0 and "Planted: take the line out" in done.stdout
    (tree / name).write_text((tree / name).read_text().replace("    int b0;\n", "    int b0, c0;\n"))
    assert run(tree, "tools/tidy", str(tree)).returncode == 0
    (tree / "tools/wide_structs.txt").write_text((tree / "tools/wide_structs.txt").read_text().replace(listed, ""))
    done = run(tree, "tools/tidy", str(tree))
    assert done.returncode != 0 and "Planted has 21 fields (limit 20)" in done.stdout


def test_a_file_without_its_first_line_is_found(tree):
    (tree / "src/engine/expr/planted.c").write_text("int planted;\n")
    done = run(tree, "tools/tidy", str(tree))
    assert done.returncode != 0 and "the first line says" in done.stdout


def plant_entry(tree, source, reason="needs a planted thing: tests/flow/test_eval.py"):
    append(tree, "tools/untested.txt", f"\n{reason}\n    {source}\n")
    return run(tree, "tools/tidy", str(tree))


def test_a_source_without_its_unit_test_is_found(tree):
    source = "src/engine/expr/planted.c"
    (tree / source).write_text("/* Planted. */\nint planted;\n")
    done = run(tree, "tools/tidy", str(tree))
    assert done.returncode != 0
    assert f"{source}: no unit test: write tests/unit/engine/expr/test_planted.c" in done.stdout
    assert plant_entry(tree, source).returncode == 0
    (tree / "tests/unit/engine/expr").mkdir(exist_ok=True)
    (tree / "tests/unit/engine/expr/test_planted.c").write_text("/* Planted. */\n")
    done = run(tree, "tools/tidy", str(tree))
    assert done.returncode != 0 and f"{source}: has tests/unit/engine/expr/test_planted.c now" in done.stdout


@pytest.mark.parametrize("source, reason, message", [
    ("src/engine/expr/gone.c", "needs a thing: tests/flow/test_eval.py", "no such file; take the line out"),
    ("src/planted.c", "needs a thing: tests/flow/test_gone.py", "names no test that there is"),
    ("src/planted.c", "needs a thing", "no reason"),
])
def test_an_entry_that_does_not_hold_is_found(tree, source, reason, message):
    (tree / "src/planted.c").write_text("/* Planted. */\nint planted;\n")
    done = plant_entry(tree, source, reason)
    assert done.returncode != 0 and message in done.stdout


def test_a_badly_laid_out_file_is_found(tree):
    append(tree, "src/engine/expr/eval.c", "static int  planted( int a ){return a;}\n")
    done = subprocess.run(["tools/check_format"], cwd=tree, capture_output=True, text=True,
                          env={**os.environ, "CHECK_FORMAT_ROOT": str(tree)}, check=False)
    assert done.returncode != 0 and "eval.c" in done.stderr


def test_words_that_read_as_translated_are_found(tree):
    assert run(tree, "tools/check_english", str(tree)).returncode == 0
    append(tree, "src/foundation/base/words.c", '/* Words. */\nconst char *TEXT = "this stands here";\n')
    done = run(tree, "tools/check_english", str(tree))
    assert done.returncode == 1 and 'words.c:2: "stands": is' in done.stdout
