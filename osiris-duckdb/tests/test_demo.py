"""``osiris demo``: it shows what really happens, in any terminal and without one."""

import json
import re
import subprocess
import sys

import duckdb
import pytest

from osiris_core.testing.cli import clean_environment
from osiris_duckdb.demo import command, shop


def demo(*arguments, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-m", "osiris_core", "demo", *arguments],
        cwd=cwd,
        env=clean_environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def rows_of(path, sql):
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_the_demo_does_everything_a_user_does(tmp_path):
    done = demo("shop", cwd=tmp_path, NO_COLOR="1")
    assert done.returncode == 0, done.stderr
    told = done.stdout + done.stderr
    for line in (
        "$ osiris discover @shop",
        "$ osiris discover @files",
        "$ cat order_facts.yaml",
        "$ osiris validate order_facts.yaml",
        "$ osiris compile order_facts.yaml --out build",
        "$ osiris run build",
        "$ osiris validate broken.yaml",
    ):
        assert f"\n{line}\n" in done.stdout, line
    written = rows_of(tmp_path / "shop/warehouse.duckdb", "SELECT count(*) FROM order_facts")[0][0]
    assert 100_000 <= written < 120_000
    assert f"{written:,} written" in told
    assert f"{written:,} unchanged" in told
    assert 'there is no table "ordrs"' in told
    assert "^^^^^" in told
    assert 'did you mean "orders"?' in told
    assert "\033[" not in told
    assert re.search(r"That was \d+\.\d s\. Type next:", done.stdout)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shop"]


def test_what_it_says_to_type_next_works(tmp_path):
    assert demo("shop", cwd=tmp_path).returncode == 0
    for arguments in re.findall(r"^  osiris (\S[^#\n]*)", command._FAREWELL, re.MULTILINE):
        done = subprocess.run(
            [sys.executable, "-m", "osiris_core", *arguments.split()],
            cwd=tmp_path / "shop",
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)


def test_other_data_give_another_output(tmp_path, monkeypatch, capfd):
    made = shop.make_shop

    def smaller_shop(directory):
        made(directory)
        with duckdb.connect(str(directory / "shop.duckdb")) as connection:
            connection.execute("CREATE OR REPLACE TABLE orders AS FROM orders WHERE id <= 20000")
            connection.execute("ALTER TABLE customers RENAME COLUMN name TO title")

    monkeypatch.setattr(shop, "make_shop", smaller_shop)
    code = command.main([str(tmp_path / "small")])
    told = "".join(capfd.readouterr())
    assert code == 2, "the pipeline names a column that is gone"
    assert "~20,000 rows" in told
    assert "title" in told
    assert 'has no column "name"' in told
    assert "The demo stops here" in told
    assert "107,990" not in told


def test_a_directory_in_use_is_left_alone(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    done = demo("full", cwd=tmp_path)
    assert done.returncode == 2
    assert "not an empty directory" in done.stderr
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_json_is_one_object_on_stdout(tmp_path):
    done = demo("shop", "--json", cwd=tmp_path)
    value = json.loads(done.stdout)
    assert (value["exit_code"], done.returncode) == (0, 0)
    assert [item["exit_code"] for item in value["commands"]] == [0, 0, 0, 0, 0, 0, 2]
    assert "$ osiris run build" in done.stderr


def test_every_shop_is_the_same_and_rich(tmp_path):
    for name in ("one", "two"):
        shop.make_shop(tmp_path / name)
    sql = "SELECT count(*), sum(hash(t)) FROM {} AS t"
    for table in ("orders", "customers"):
        found = {name: rows_of(tmp_path / name / "shop.duckdb", sql.format(table)) for name in ("one", "two")}
        assert found["one"] == found["two"]
    assert rows_of(tmp_path / "one/shop.duckdb", sql.format("orders"))[0][0] >= 100_000
    for name in ("rates.csv", "shipments.parquet", "../order_facts.yaml"):
        assert (tmp_path / "one/files" / name).read_bytes() == (tmp_path / "two/files" / name).read_bytes()
    facts = rows_of(
        tmp_path / "one/shop.duckdb",
        "SELECT count(DISTINCT currency), count(*) FILTER (WHERE coupon IS NULL), count(*) FILTER (WHERE note = ''), "
        "min(total), count(DISTINCT customer_id) FROM orders",
    )[0]
    assert facts[0] == 4
    assert min(facts[1:3]) > 0
    assert facts[4] == 6000
    names = rows_of(
        tmp_path / "one/shop.duckdb", "SELECT count(*) FROM customers WHERE name ~ '[^ -~]' OR email IS NULL"
    )
    assert names[0][0] > 1000


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "1"}])
def test_it_runs_in_poor_terminals(tmp_path, environment):
    assert demo("shop", cwd=tmp_path, **environment).returncode == 0
