"""CSV to CSV: parse, type, where, three expressions and a row hash; beside DuckDB and pandas."""

import os
import random
import shutil
import tempfile

from measure import NEURON, best, goal, python, run, show

SIZE = int(os.environ.get("BENCH_CSV_BYTES", 1_000_000_000))
PANDAS_SHARE = 10  # pandas gets this part of the rows, and its CPU time is scaled
TYPES = {"id": "bigint", "name": "text", "email": "text", "amount": "numeric", "qty": "bigint", "active": "boolean",
         "day": "date", "at": "timestamp", "note": "text"}
SELECT = ("id, upper(name) AS name, amount * qty AS total, round(amount * 1.19, 2) AS gross, "
          "row_hash(*) AS h")
DUCK_TYPES = {"bigint": "BIGINT", "text": "VARCHAR", "numeric": "DECIMAL(18,2)", "boolean": "BOOLEAN", "date": "DATE",
              "timestamp": "TIMESTAMP"}


def generate(path, size):
    """Realistic rows: quotes, commas and quotes in quotes, NULLs, decimals, dates, non-ASCII text."""
    chance = random.Random(1)
    names = ["Ann Lee", "Bob", '"Smith, John"', "Zoë", "Max"]
    notes = ["", "ok", '"said ""hi"", left"', "a longer note with some words in it"]
    rows = [(chance.choice(names),
             f"user{chance.randrange(10**6)}@example{chance.randrange(99)}.com" if chance.random() > .03 else "",
             f"{chance.uniform(-1000, 100000):.2f}", chance.randrange(1000), chance.choice(["true", "false"]),
             f"20{chance.randrange(10, 25)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}",
             f"2024-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d} {chance.randrange(24):02d}:"
             f"{chance.randrange(60):02d}:{chance.randrange(60):02d}", chance.choice(notes)) for _ in range(20000)]
    tails = [",".join(map(str, row)) for row in rows]
    written = count = 0
    with open(path, "w", encoding="utf-8") as file:
        file.write(",".join(TYPES) + "\n")
        while written < size:
            text = "".join(f"{count + i},{tail}\n" for i, tail in enumerate(tails))
            written += file.write(text)
            count += len(tails)
    return count


def neuron(folder, types):
    source = "in.csv" + ("#types=" + ",".join(f"{n}:{t}" for n, t in TYPES.items()) if types else "")
    return run([NEURON, "copy", source, "neuron.csv", "--where", "qty > 100", "--select", SELECT], cwd=folder)


def duckdb_python(code, folder):
    """One thread, and no progress bar: it is drawn on standard output, among the results."""
    return python("import duckdb\nc = duckdb.connect()\nc.execute('SET threads = 1')\n"
                  f"c.execute('SET enable_progress_bar = false')\n{code}", cwd=folder)


def duckdb(folder, types):
    columns = ", ".join(f"'{n}': '{DUCK_TYPES[t]}'" for n, t in TYPES.items())
    how = (f", columns={{{columns}}}, auto_detect=false, header=true, delim=',', quote='\"', escape='\"'" if types
           else ", sample_size=-1")
    # Its own hash is 64 bits wide, so the same job takes two of them.
    names = [f'"{name}"' for name in TYPES]
    sql = (f"COPY (SELECT id, upper(name) AS name, amount * qty AS total, round(amount * 1.19, 2) AS gross, "
           f"printf('%016x%016x', hash({', '.join(names)}), hash({', '.join(reversed(names))})) AS h "
           f"FROM read_csv('in.csv'{how}) WHERE qty > 100) TO 'duckdb.csv' (HEADER)")
    return duckdb_python(f"c.execute({sql!r})", folder)


def pandas(folder, rows):
    """The job in the shape that data teams write it, the row hash by a function per row."""
    return python(f"""
import hashlib, pandas
def row_hash(row):
    return hashlib.md5(str(row.values).encode()).hexdigest()
frame = pandas.read_csv('in.csv', nrows={rows}, parse_dates=['day', 'at'])
frame = frame[frame['qty'] > 100].copy()
frame['h'] = frame.apply(row_hash, axis=1)
frame['name'] = frame['name'].str.upper()
frame['total'] = frame['amount'] * frame['qty']
frame['gross'] = (frame['amount'] * 1.19).round(2)
frame[['id', 'name', 'total', 'gross', 'h']].to_csv('pandas.csv', index=False)
""", cwd=folder)


def digest(folder, name):
    """Rows and sums of columns, read back by DuckDB (which inferred a double for the amount)."""
    sql = f"SELECT count(*), sum(id), round(sum(total), -2) FROM '{name}'"
    return duckdb_python(f"print(c.execute({sql!r}).fetchall())", folder).output.strip()


def main():
    folder = tempfile.mkdtemp(prefix="neuron-bench-")
    try:
        rows = generate(os.path.join(folder, "in.csv"), SIZE)
        print(f"  {rows} rows, {SIZE / 1e9:.2f} GB; DuckDB with one thread; pandas {rows // PANDAS_SHARE} rows, scaled")
        ours, ours_typed = best(2, lambda: neuron(folder, False)), best(2, lambda: neuron(folder, True))
        show("neuron, types inferred", ours)
        show("neuron, types given", ours_typed)
        duck, duck_typed = best(2, lambda: duckdb(folder, False)), best(2, lambda: duckdb(folder, True))
        show("DuckDB, types inferred", duck)
        show("DuckDB, types given", duck_typed)
        frame = pandas(folder, rows // PANDAS_SHARE)
        show(f"pandas, 1/{PANDAS_SHARE} of the rows", frame)
        assert digest(folder, "neuron.csv") == digest(folder, "duckdb.csv"), "the outputs differ"
        return all([
            goal("CPU of DuckDB, types inferred", duck.cpu / ours.cpu, 1.5),
            goal("CPU of DuckDB, types given", duck_typed.cpu / ours_typed.cpu, 2),
            goal("CPU of pandas", frame.cpu * PANDAS_SHARE / ours.cpu, 15),
            goal("peak memory", max(ours.rss, ours_typed.rss), 64, " MB", at_least=False),
        ])
    finally:
        shutil.rmtree(folder)
